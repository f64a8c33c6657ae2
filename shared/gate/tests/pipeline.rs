//! From a request to its reason, through the whole gate.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod support;

use std::{
    collections::HashSet,
    io,
    sync::{Arc, Mutex},
};

use drawbridge_config::{Environment, load_leaving_policies};
use drawbridge_gate::{AuditError, AuditEvent, AuditSink, Decision, OcsfLines, Reason, Subject};
use drawbridge_verify::{UnixTime, jwe::ContentEncryption};
use serde_json::{Value, json};
use support::{Case, House, NOW, Signs};

/// A request of every kind, and what becomes of it.
fn table() -> Vec<(Reason, Case)> {
    let case = Case::new;
    let nested = format!("{}.a.a", case().token());
    let for_vault = Case::of("vault", Signs::Vault);
    let sealed = support::sealed("vault.enc.1", ContentEncryption::A256Gcm, &for_vault.token());
    let (cut, _) = sealed.rsplit_once('.').unwrap();
    let tampered = format!("{cut}.AAAAAAAAAAAAAAAAAAAAAA");
    vec![
        (Reason::Allowed, case()),
        (Reason::Allowed, case().to("GET", "/customers/caf%C3%A9?fields=name")),
        (Reason::Allowed, case().to("DELETE", "/customers/4711")),
        (Reason::Allowed, Case::of("billing", Signs::Billing)),
        (Reason::IdentityHeader, case().with("X_Drawbridge_Sub", "root")),
        (Reason::MethodOverride, case().with("X-HTTP-Method-Override", "DELETE")),
        (Reason::PathRefused, case().to("GET", "/customers/..%2fadmin")),
        (Reason::CredentialsMissing, case().bare()),
        (Reason::CredentialsAmbiguous, case().with("authorization", "Bearer x")),
        (Reason::CredentialsAmbiguous, case().to("GET", "/customers/4711?access_token=x")),
        (Reason::CredentialsScheme, case().bare().with("authorization", "Basic YTpi")),
        (Reason::TokenTooLarge, case().claim("pad", "x".repeat(20_000))),
        (Reason::TokenMalformed, case().text("not.a-token")),
        (Reason::TokenMalformed, case().bare().with("authorization", "Bearer ")),
        (Reason::TokenEncryptionRefused, case().text(nested)),
        (Reason::Allowed, for_vault.clone().text(&sealed)),
        (Reason::TokenDecryptionFailed, for_vault.clone().text(tampered)),
        (Reason::TokenEncryptionRequired, for_vault),
        (Reason::TokenHeaderRefused, case().header("jwk", json!({}))),
        (Reason::TokenAlgNotAllowed, case().header("alg", "RS256")),
        (Reason::TokenAlgNotAllowed, case().header("alg", "none")),
        (Reason::TokenTypeNotAllowed, case().header("typ", "at+jwt")),
        (Reason::TokenKidMissing, case().without("kid")),
        (Reason::TokenKidMalformed, case().header("kid", "../orders.sig.1")),
        (Reason::KeyForeign, case().header("kid", "billing.sig.1").signed_by(Signs::Billing)),
        (Reason::KeyForeign, case().header("kid", "orders.enc.1")),
        (Reason::KeyUnknown, case().header("kid", "orders.sig.2")),
        (Reason::KeyUnusable, case().header("kid", "orders.sig.enc")),
        (Reason::KeyUnavailable, case().header("kid", "orders.sig.down")),
        (Reason::TokenSignatureInvalid, case().signed_by(Signs::Stranger)),
        (Reason::TokenClaimsMalformed, case().claim("exp", (NOW + 120).to_string())),
        (Reason::TokenClaimMissing, case().without("jti")),
        (Reason::TokenIssuerMismatch, case().claim("iss", "https://edge.example.com/")),
        (Reason::TokenAudienceMismatch, case().claim("aud", "billing")),
        (Reason::TokenExpired, case().claim("exp", NOW - 60).claim("iat", NOW - 120)),
        (Reason::TokenNotYetValid, case().claim("nbf", NOW + 60)),
        (Reason::TokenIssuedInFuture, case().claim("iat", NOW + 60)),
        (Reason::TokenLifetimeTooLong, case().claim("exp", NOW + 600)),
        (Reason::SenderUnsupported, case().claim("cnf", json!({"jkt": "a"}))),
        (Reason::SenderUnsupported, case().claim("cnf", json!({}))),
        (Reason::SenderMismatch, case().bound_to(&support::certificate())),
        (Reason::RouteUnknown, case().to("GET", "/customers")),
        (Reason::RouteUnknown, case().to("HEAD", "/customers/4711")),
        (Reason::ScopeMissing, case().to("POST", "/customers")),
        (Reason::ScopeMissing, case().without("scope")),
        (Reason::ScopeMissing, case().claim("scope", "Customers:read customers:readonly")),
        (Reason::PolicyDenied, case().to("GET", "/regions/EU/customers").claim("region", "US")),
        (Reason::PolicyError, case().to("GET", "/regions/EU/customers")),
        (Reason::ContextTooLarge, case().claim("roles", vec!["sales"; 1000])),
    ]
}

#[test]
fn each_request_gets_its_reason() {
    let house = House::new();
    for (reason, case) in table() {
        let decision = house.decide(&case);
        assert_eq!(decision.reason(), reason, "{:?} {:?} {}", case.header, case.claims, case.target);
    }
}

#[test]
fn every_reason_is_in_the_table_or_is_of_another_part() {
    let elsewhere = [
        Reason::RequestMalformed,
        Reason::BackendUnknown,
        Reason::RateLimited,
        Reason::MintFailed,
        Reason::Internal,
        // Of backends with `bound_to`; in `sender.rs`.
        Reason::SenderUnbound,
    ];
    let met: HashSet<_> = table().into_iter().map(|(reason, _)| reason).chain(elsewhere).collect();
    assert_eq!(met.len(), Reason::ALL.len());
}

#[test]
fn an_allow_says_who_and_what_the_backend_is_told() {
    let house = House::new();
    let case = Case::new().claim("roles", json!(["sales", "é"])).claim("sub", "a%b\r\nX: 1");
    let Decision::Allow(allow) = house.decide(&case) else { panic!() };
    assert_eq!(allow.principal, "a%b\r\nX: 1");
    assert_eq!(allow.issuer, "https://edge.example.com");
    assert_eq!(allow.kid, "orders.sig.1");
    assert_eq!(allow.route, "/customers/{customer}");
    assert_eq!(allow.expires_at, UnixTime::from_secs(NOW + 120));
    assert_eq!(allow.request_id, "r-1");
    let told: Vec<_> = allow.context.iter().map(|(claim, value)| (claim.as_str(), value.as_str())).collect();
    assert_eq!(told, [("sub", "a%25b%0D%0AX: 1"), ("roles", r#"["sales","%C3%A9"]"#), ("txn", "t-1")]);
}

#[test]
fn a_deny_knows_the_caller_only_once_the_claims_held() {
    let house = House::new();
    for (reason, case) in table() {
        let Decision::Deny(deny) = house.decide(&case) else { continue };
        let after = matches!(
            reason,
            Reason::SenderUnsupported
                | Reason::SenderMismatch
                | Reason::RouteUnknown
                | Reason::ScopeMissing
                | Reason::PolicyDenied
                | Reason::PolicyError
                | Reason::ContextTooLarge
        );
        assert_eq!(deny.principal.as_deref(), after.then_some("alice"), "{reason}");
        assert_eq!(deny.issuer.is_some() && deny.kid.is_some(), after, "{reason}");
        assert_eq!(deny.required_scope.is_some(), reason == Reason::ScopeMissing, "{reason}");
    }
    let Decision::Deny(deny) = house.decide(&Case::new().to("POST", "/customers")) else { panic!() };
    assert_eq!(deny.required_scope.as_deref(), Some("customers:read customers:write"));
}

#[test]
fn each_decision_is_on_record_once() {
    let house = House::new();
    let table = table();
    for (_, case) in &table {
        house.decide(case);
    }
    let lines = house.lines.read();
    assert_eq!(lines.len(), table.len());
    for ((reason, case), line) in table.iter().zip(&lines) {
        assert_eq!(line["status_code"], reason.code());
        assert_eq!(line["api"]["response"]["code"], reason.status());
        assert_eq!(line["api"]["service"]["name"], case.backend);
        assert_eq!(line["time"], NOW * 1000);
        let text = line.to_string();
        assert!(!text.contains(&case.token()), "a token is on record: {text}");
        assert!(!text.contains("4711"), "a path is on record: {text}");
    }
}

#[test]
fn a_record_says_who_did_what_when_where_and_with_what_result() {
    let house = House::new();
    house.decide(&Case::new().claim("sub", "alice\n{\"status_id\":1}"));
    house.decide(&Case::new().bare().to("BREW", "/customers/4711"));
    let lines = house.lines.read();
    assert_eq!(lines.len(), 2);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        lines[0],
        json!({
            "time": NOW * 1000,
            "metadata": {
                "version": "1.3.0",
                "product": {"name": "Drawbridge", "vendor_name": "Drawbridge", "version": version},
                "profiles": ["security_control"],
                "log_name": "decisions",
                "correlation_uid": "t-1",
            },
            "category_uid": 6, "category_name": "Application Activity",
            "class_uid": 6003, "class_name": "API Activity",
            "activity_id": 2, "activity_name": "Read", "type_uid": 600_302,
            "severity_id": 1, "severity": "Informational",
            "status_id": 1, "status": "Success", "status_code": "allowed",
            "action_id": 1, "action": "Allowed", "disposition_id": 1, "disposition": "Allowed",
            "actor": {
                "user": {"uid": "alice\n{\"status_id\":1}"},
                "session": {"uid": "7f1c", "issuer": "https://edge.example.com", "credential_uid": "orders.sig.1"},
                "authorizations": [{"decision": "allowed"}],
            },
            "api": {
                "operation": "GET /customers/{customer}",
                "service": {"name": "orders"},
                "request": {"uid": "r-1"},
                "response": {"code": 200},
            },
            "src_endpoint": {"ip": "192.0.2.7"},
            "unmapped": {"decided_by": "gate", "route": "/customers/{customer}"},
        })
    );
    assert_eq!(lines[1]["status"], "Failure");
    assert_eq!(lines[1]["action"], "Denied");
    assert_eq!(lines[1]["type_uid"], 600_300);
    assert_eq!(lines[1]["api"]["operation"], "- -");
    assert_eq!(
        lines[1]["actor"],
        json!({"user": {"name": "unauthenticated"}, "authorizations": [{"decision": "denied"}]})
    );
}

#[test]
fn sales_staff_see_the_customers_of_their_own_region_and_the_policy_is_on_record() {
    let table = [
        (json!(["sales"]), Some("EU"), Reason::Allowed, &["own-region"][..]),
        (json!(["sales"]), Some("US"), Reason::PolicyDenied, &[]),
        (json!(["admin"]), None, Reason::Allowed, &["admins"]),
        (json!(["sales", "admin"]), Some("EU"), Reason::Allowed, &["admins", "own-region"]),
        (json!(["admin", "suspended"]), Some("EU"), Reason::PolicyDenied, &["no-suspended"]),
        (json!(["sales"]), None, Reason::PolicyError, &["own-region"]),
        (json!("admin"), Some("EU"), Reason::PolicyError, &[]),
    ];
    for (roles, region, reason, policies) in table {
        let house = House::new();
        let mut case = Case::new().to("GET", "/regions/EU/customers").claim("roles", roles.clone());
        if let Some(region) = region {
            case = case.claim("region", region);
        }
        assert_eq!(house.reason(&case), reason, "{roles} {region:?}");
        let line = &house.lines.read()[0];
        let on_record: Vec<_> = line["actor"]["authorizations"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|authorization| authorization["policy"]["uid"].as_str())
            .collect();
        assert_eq!(on_record, policies, "{roles} {region:?}");
        if reason == Reason::PolicyError && policies.is_empty() {
            let detail = "the claim `roles` has not the type that the policies use it with";
            assert_eq!(line["status_detail"], detail);
        }
    }
}

#[test]
fn nothing_is_decided_by_policies_that_were_not_checked() {
    struct Document;
    impl Environment for Document {
        fn var(&self, _name: &str) -> Option<String> {
            Some(support::CONFIG.replace("policies/orders.cedar", "tests/policies/orders.cedar"))
        }
    }
    let (config, checks) = load_leaving_policies(&Document).unwrap();
    let house = House::of(config);
    let gate = house.gate("orders");
    let admin = Case::new().to("GET", "/regions/EU/customers").claim("roles", json!(["admin"]));
    assert_eq!(admin.decide(&gate).reason(), Reason::Internal);
    checks.run().unwrap();
    assert_eq!(admin.decide(&gate).reason(), Reason::Allowed);
}

#[test]
fn a_route_without_policy_is_for_scopes_alone_and_a_policy_is_not_instead_of_scopes() {
    let house = House::new();
    assert_eq!(house.reason(&Case::new().claim("roles", "suspended")), Reason::Allowed);
    let admin = Case::new().to("GET", "/regions/EU/customers").claim("roles", json!(["admin"]));
    assert_eq!(house.reason(&admin), Reason::Allowed);
    assert_eq!(house.reason(&admin.claim("scope", "files:read")), Reason::ScopeMissing);
}

#[test]
fn weakenings_in_force_are_on_record_by_name() {
    let relaxed = support::CONFIG.replacen(
        "max_lifetime: 5m",
        "max_lifetime: 5m\n    relax: [accept_keys_without_alg]",
        1,
    );
    let house = House::with_config(&relaxed);
    assert_eq!(house.reason(&Case::new()), Reason::Allowed);
    assert_eq!(house.reason(&Case::new().bare()), Reason::CredentialsMissing);
    for line in house.lines.read() {
        assert_eq!(line["unmapped"]["relaxed"], json!(["accept_keys_without_alg"]));
    }
}

/// Fails from the `healthy`th line on.
struct Failing(Vec<u8>, usize);

impl io::Write for Failing {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.1 == 0 {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.1 -= 1;
        self.0.extend_from_slice(line);
        Ok(line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_cannot_be_recorded_is_not_allowed() {
    let house = House::new().auditing(Arc::new(OcsfLines::new(Failing(Vec::new(), 1))));
    let gate = house.gate("orders");
    assert_eq!(Case::new().decide(&gate).reason(), Reason::Allowed);
    assert_eq!(Case::new().decide(&gate).reason(), Reason::Internal);
    assert_eq!(Case::new().bare().decide(&gate).reason(), Reason::CredentialsMissing);
}

/// Writes the beginning of the first line, then fails once.
struct Torn(Arc<Mutex<Vec<u8>>>, usize);

impl io::Write for Torn {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.1 += 1;
        let written = match self.1 {
            1 => &line[..40],
            2 => return Err(io::Error::from(io::ErrorKind::StorageFull)),
            _ => line,
        };
        self.0.lock().unwrap().extend_from_slice(written);
        Ok(written.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_line_that_was_torn_does_not_spoil_the_next() {
    let written = Arc::new(Mutex::new(Vec::new()));
    let sink = OcsfLines::new(Torn(Arc::clone(&written), 0));
    let event = AuditEvent::new(UnixTime::from_secs(NOW), Subject::Gate, "orders", "r-1", Reason::Internal);
    assert!(sink.record(&event).is_err());
    assert!(sink.record(&event).is_ok());
    assert!(sink.record(&event).is_ok());
    let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    let whole: Vec<_> = text.lines().map(|line| serde_json::from_str::<Value>(line).is_ok()).collect();
    assert_eq!(whole, [false, true, true]);
}

/// Records nothing, ever.
struct Silent;

impl AuditSink for Silent {
    fn record(&self, _: &AuditEvent<'_>) -> Result<(), AuditError> {
        Err(io::Error::from(io::ErrorKind::BrokenPipe).into())
    }
}

#[test]
fn claims_are_handed_out_only_of_a_granted_request_that_is_on_record() {
    let taken = |house: &House, case: &Case| {
        let bearer = format!("Bearer {}", case.token());
        let request = drawbridge_gate::Request {
            method: &case.method,
            target: &case.target,
            headers: [("authorization", bearer.as_bytes())].into_iter().collect(),
            source_ip: None,
            client_certificate: None,
            request_id: None,
        };
        let gate = house.gate(case.backend);
        let take = |grant: drawbridge_gate::Grant<'_>| {
            (grant.claims.subject().to_owned(), grant.route.parameters[0].1.clone().into_owned())
        };
        support::block_on(gate.decide_and(&request, UnixTime::from_secs(NOW), take)).1
    };
    assert_eq!(taken(&House::new(), &Case::new()), Some(("alice".to_owned(), "4711".to_owned())));
    assert_eq!(taken(&House::new(), &Case::new().to("POST", "/customers")), None);
    assert_eq!(taken(&House::new().auditing(Arc::new(Silent)), &Case::new()), None);
}

#[test]
fn a_standing_is_known_of_every_decision_about_a_route_that_is_on_record_and_of_no_other() {
    let stand = |house: &House, case: &Case| {
        let bearer = format!("Bearer {}", case.token());
        let request = drawbridge_gate::Request {
            method: &case.method,
            target: &case.target,
            headers: [("authorization", bearer.as_bytes())].into_iter().collect(),
            source_ip: None,
            client_certificate: None,
            request_id: None,
        };
        let gate = house.gate(case.backend);
        support::block_on(gate.decide_and_stand(&request, UnixTime::from_secs(case.now))).1
    };
    let house = House::new();
    let case = Case::new;
    for (case, routes) in [
        (case(), vec![0]),
        (case().to("POST", "/customers"), vec![0]),
        (case().to("GET", "/nowhere"), vec![0]),
        (case().claim("scope", "files:read customers:write customers:read"), vec![0, 1, 2]),
        (case().claim("scope", "files:readall"), vec![]),
        (case().without("scope"), vec![]),
    ] {
        let standing = stand(&house, &case).unwrap();
        assert_eq!(standing.routes, routes, "never the one with a policy");
        assert_eq!(standing.principal, "alice");
        assert!(standing.context.contains(&("sub".to_owned(), "alice".to_owned())));
    }
    for case in [
        case().at(NOW + 3600),
        case().signed_by(Signs::Stranger),
        case().claim("cnf", json!({"jkt": "a"})),
        case().bound_to(&support::certificate()),
        case().claim("roles", "r".repeat(5000)),
        case().to("GET", "/customers/../files"),
    ] {
        assert_eq!(stand(&house, &case), None);
    }
    let silent = House::new().auditing(Arc::new(Silent));
    assert_eq!(stand(&silent, &case()), None);
    assert_eq!(stand(&silent, &case().to("GET", "/nowhere")), None);
}

#[test]
fn a_request_for_no_route_is_checked_but_for_route_and_scopes() {
    let house = House::new();
    let edges = house.edges();
    let gate = &edges[&"orders".parse().unwrap()];
    let authenticate = |case: Case| {
        let bearer = format!("Bearer {}", case.token());
        let request = drawbridge_gate::Request {
            method: "POST",
            target: "/token",
            headers: [("authorization", bearer.as_bytes())].into_iter().collect(),
            source_ip: None,
            client_certificate: None,
            request_id: None,
        };
        let take = |claims: &drawbridge_verify::Verified<'_>| claims.subject().to_owned();
        let (decision, taken) =
            support::block_on(gate.authenticate_and(&request, UnixTime::from_secs(NOW), take));
        (decision.reason(), taken)
    };
    let alice = || Some("alice".to_owned());
    assert_eq!(authenticate(Case::of_consumer()), (Reason::Allowed, alice()));
    assert_eq!(authenticate(Case::of_consumer().without("scope")), (Reason::Allowed, alice()));
    assert_eq!(authenticate(Case::of_consumer().claim("cnf", json!({}))), (Reason::SenderUnsupported, None));
    assert_eq!(
        authenticate(Case::of_consumer().signed_by(Signs::Orders)),
        (Reason::TokenSignatureInvalid, None)
    );
    assert_eq!(
        authenticate(Case::of_consumer().claim("exp", NOW - 60).claim("iat", NOW - 90)),
        (Reason::TokenExpired, None)
    );
    let lines = house.lines.read();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0]["api"]["operation"], "- -");
}

#[test]
fn the_edge_accepts_consumers_and_its_gates_share_one_cache() {
    let house = House::new();
    let edges = house.edges();
    assert_eq!(edges.len(), 3);
    for (backend, gate) in &edges {
        let target = match backend.as_str() {
            "orders" => "/customers/1",
            "billing" => "/invoices/1",
            _ => "/secrets/1",
        };
        assert_eq!(Case::of_consumer().to("GET", target).decide(gate).reason(), Reason::Allowed, "{backend}");
    }
    assert_eq!(house.login.asked(), 1);
    assert_eq!(house.shelf.asked(), 0);
    for line in house.lines.read() {
        assert_eq!(line["unmapped"]["decided_by"], "edge");
    }
    let orders = &edges[&"orders".parse().unwrap()];
    let table = [
        (Reason::TokenClaimMissing, Case::of_consumer().without("client_id")),
        (Reason::TokenClaimMissing, Case::of_consumer().without("jti")),
        (Reason::TokenAudienceMismatch, Case::of_consumer().claim("aud", "orders")),
        (Reason::TokenTypeNotAllowed, Case::of_consumer().header("typ", "JWT")),
        (Reason::ScopeMissing, Case::of_consumer().to("GET", "/files/a")),
    ];
    for (reason, case) in table {
        assert_eq!(case.decide(orders).reason(), reason, "{:?}", case.claims);
    }
    // What policies decide, the backend's gate decides: they are about bridged claims.
    let left = Case::of_consumer().to("GET", "/regions/EU/customers").without("roles");
    assert_eq!(left.decide(orders).reason(), Reason::Allowed);
    let Decision::Allow(allow) = Case::of_consumer().decide(orders) else { panic!() };
    assert_eq!(allow.context, [], "the edge tells a backend nothing but the bridged token");
}

#[test]
fn a_gate_that_cannot_be_is_an_error_with_the_mend() {
    let http = drawbridge_keys::HttpClient::new(std::time::Duration::from_secs(1), false).unwrap();
    let audit: Arc<dyn AuditSink> = Arc::new(drawbridge_gate::NoAudit);
    let refused = |text: &str, backend: &str| {
        let backend = backend.parse().unwrap();
        let open = &|_: &_| Err(drawbridge_keys::StoreError::Unsupported("not here".to_owned()));
        let gate = drawbridge_gate::gate_for_backend(
            &support::load(text),
            &backend,
            &http,
            open,
            Arc::clone(&audit),
        );
        gate.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused(support::CONFIG, "nobody").contains("the configured ones are billing, orders, vault"));
    assert!(
        refused(support::CONFIG, "orders")
            .contains("issuers.edge.keys: the key store cannot do this: not here")
    );
}

#[test]
fn a_value_told_to_the_backend_is_the_verified_one() {
    // Nested and odd values are told as compact JSON, and a missing one not at all.
    let house = House::new();
    let table: [(Value, &str); 4] = [
        (json!({"a": [1, null]}), r#"{"a":[1,null]}"#),
        (json!(1.5), "1.5"),
        (json!(true), "true"),
        (json!(""), ""),
    ];
    for (roles, expected) in table {
        let Decision::Allow(allow) = house.decide(&Case::new().claim("roles", roles).without("txn")) else {
            panic!()
        };
        assert_eq!(allow.context[1], ("roles".to_owned(), expected.to_owned()));
        assert_eq!(allow.context.len(), 2);
    }
}
