//! The attack classes that a gate meets, by number.

mod support;

use std::time::Duration;

use drawbridge_gate::{Decision, Reason};
use drawbridge_keys::StoreError;
use serde_json::{Value, json};
use support::{Case, House, NOW, Shelf, Signs};

#[test]
fn attack_06_a_hostile_kid_is_refused_before_any_key_is_asked_for() {
    let house = House::new();
    let long = "k".repeat(129);
    for kid in [
        "../../dev/null",
        "/etc/passwd",
        "' UNION SELECT 1--",
        "orders.sig.1\r\nX: 1",
        "orders.sig.1\0",
        "orders.sig.%31",
        "orders.sig.1/../2",
        "",
        " ",
        "é",
        "{{7*7}}",
        "orders.sig.1?x",
        "orders.sig.1#x",
        &long,
    ] {
        assert_eq!(house.reason(&Case::new().header("kid", kid)), Reason::TokenKidMalformed, "{kid:.20}");
    }
    for kid in [json!(1), json!(null), json!(["orders.sig.1"]), json!({})] {
        assert_ne!(house.reason(&Case::new().header("kid", kid.clone())), Reason::Allowed, "{kid}");
    }
    // A kid of 10 KB exceeds the bound of the header first.
    assert_eq!(house.reason(&Case::new().header("kid", "k".repeat(10 * 1024))), Reason::TokenMalformed);
    assert_eq!(house.shelf.asked(), 0);
}

#[test]
fn attack_15_a_claim_of_another_type_is_refused() {
    let house = House::new();
    let odd = [json!("1800000120"), json!([NOW]), json!({}), json!(true), json!(null)];
    for claim in ["exp", "iat", "nbf"] {
        for value in &odd {
            let case = Case::new().claim(claim, value.clone());
            assert_eq!(house.reason(&case), Reason::TokenClaimsMalformed, "{claim}: {value}");
        }
    }
    for claim in ["iss", "sub", "jti"] {
        for value in [json!(1), json!(["alice"]), json!({}), json!(true)] {
            assert_ne!(
                house.reason(&Case::new().claim(claim, value.clone())),
                Reason::Allowed,
                "{claim}: {value}"
            );
        }
    }
    for value in [json!(1), json!(["customers:read"]), json!({"customers:read": true}), json!(null)] {
        assert_ne!(
            house.reason(&Case::new().claim("scope", value.clone())),
            Reason::Allowed,
            "scope: {value}"
        );
    }
    let claims = Value::from(Case::new().claims).to_string();
    for exp in ["1e400", "-1e400", "NaN", "99999999999999999999999999", "1800000120.", "0x6B49D278"] {
        let claims = claims.replace(&format!("\"exp\":{}", NOW + 120), &format!("\"exp\":{exp}"));
        let header = Value::from(Case::new().header).to_string();
        assert_ne!(house.reason(&Case::new().raw(&header, &claims)), Reason::Allowed, "{exp}");
    }
}

#[test]
fn attack_16_a_member_that_is_there_twice_is_refused() {
    let house = House::new();
    let header = Value::from(Case::new().header).to_string();
    let claims = Value::from(Case::new().claims).to_string();
    assert_eq!(house.reason(&Case::new().raw(&header, &claims)), Reason::Allowed);
    let twice = |text: &str, member: &str| text.replacen('{', &format!("{{{member},"), 1);
    for member in
        [r#""alg":"EdDSA""#, r#""kid":"orders.sig.1""#, r#""typ":"bridged+jwt""#, r#""\u0061lg":"none""#]
    {
        let case = Case::new().raw(&twice(&header, member), &claims);
        assert_eq!(house.reason(&case), Reason::TokenMalformed, "{member}");
    }
    for member in [r#""exp":9999999999"#, r#""aud":"orders""#, r#""sub":"root""#, r#""sco\u0070e":"admin""#] {
        let case = Case::new().raw(&header, &twice(&claims, member));
        assert_eq!(house.reason(&case), Reason::TokenClaimsMalformed, "{member}");
    }
}

#[test]
fn attack_17_one_token_on_two_routes_is_two_decisions() {
    let house = House::new();
    let gate = house.gate("orders");
    for _ in 0..2 {
        assert_eq!(Case::new().decide(&gate).reason(), Reason::Allowed);
        assert_eq!(Case::new().to("GET", "/files/a").decide(&gate).reason(), Reason::ScopeMissing);
        assert_eq!(Case::new().to("GET", "/admin").decide(&gate).reason(), Reason::RouteUnknown);
        assert_eq!(Case::new().at(NOW + 600).decide(&gate).reason(), Reason::TokenExpired);
    }
    assert_eq!(house.shelf.asked(), 1);
}

#[test]
fn attack_17_one_token_before_two_policies_and_two_senders_is_two_decisions() {
    let house = House::new();
    let gate = house.gate("orders");
    let (ours, other) = (support::certificate(), support::certificate());
    let case = Case::new().claim("region", "EU").bound_to(&ours);
    let case = case.clone().text(case.token());
    for _ in 0..2 {
        for (target, certificate, expected) in [
            ("/regions/EU/customers", &ours, Reason::Allowed),
            ("/regions/US/customers", &ours, Reason::PolicyDenied),
            ("/regions/EU/customers", &other, Reason::SenderMismatch),
            ("/customers/4711", &ours, Reason::Allowed),
        ] {
            let case = case.clone().to("GET", target).showing(certificate.pem());
            assert_eq!(case.decide(&gate).reason(), expected, "{target}");
        }
    }
}

#[test]
fn attack_17_what_one_gate_has_seen_is_nothing_to_another() {
    let (house, other) = (House::new(), House::new());
    other.shelf.put("orders.sig.1", Ok(Signs::Stranger.jwk("orders.sig.1")));
    let gates = [house.gate("orders"), other.gate("orders"), house.gate("billing")];
    for _ in 0..2 {
        let reasons = gates.each_ref().map(|gate| Case::new().decide(gate).reason());
        assert_eq!(reasons, [Reason::Allowed, Reason::TokenSignatureInvalid, Reason::KeyForeign]);
    }
}

#[tokio::test(start_paused = true)]
async fn attack_17_a_seen_token_goes_with_its_key() {
    type Event = fn(&Shelf);
    let stories: [(_, Event, Reason); 3] = [
        ("revoked", |shelf| shelf.put("orders.sig.1", Err(StoreError::NotFound)), Reason::KeyUnknown),
        (
            "replaced",
            |shelf| shelf.put("orders.sig.1", Ok(Signs::Stranger.jwk("orders.sig.1"))),
            Reason::TokenSignatureInvalid,
        ),
        ("the same", |_| (), Reason::Allowed),
    ];
    for (story, change, expected) in stories {
        let house = House::new();
        let gate = house.gate("orders");
        for _ in 0..2 {
            assert_eq!(Case::new().decided(&gate).await.reason(), Reason::Allowed, "{story}");
        }
        change(&house.shelf);
        // The end of the key's freshness.
        tokio::time::advance(Duration::from_secs(301)).await;
        assert_eq!(Case::new().decided(&gate).await.reason(), expected, "{story}");
    }
}

#[test]
fn attack_18_a_kid_of_two_issuers_is_two_keys() {
    let house = House::new();
    let gate = house.gate("orders");
    let edges = house.edges();
    let edge = edges.get(&"orders".parse().unwrap()).unwrap();
    // Both issuers have a key of this kid, and both caches hold theirs.
    let bridged = Case::new();
    let consumers = Case::of_consumer().header("kid", "orders.sig.1");
    assert_eq!(bridged.decide(&gate).reason(), Reason::Allowed);
    assert_eq!(consumers.decide(edge).reason(), Reason::Allowed);
    assert_eq!(bridged.clone().signed_by(Signs::Login).decide(&gate).reason(), Reason::TokenSignatureInvalid);
    assert_eq!(
        consumers.clone().signed_by(Signs::Orders).decide(edge).reason(),
        Reason::TokenSignatureInvalid
    );
}

#[test]
fn attack_19_a_valid_key_of_another_backend_signs_nothing_here() {
    let house = House::new();
    let foreign = Case::new().header("kid", "billing.sig.1").signed_by(Signs::Billing);
    assert_eq!(house.reason(&foreign), Reason::KeyForeign);
    assert_eq!(house.shelf.asked(), 0, "nothing is asked for a foreign kid");
    assert_eq!(house.reason(&Case::new().signed_by(Signs::Billing)), Reason::TokenSignatureInvalid);
}

#[test]
fn attack_20_a_token_of_another_backend_is_refused() {
    let house = House::new();
    for (backend, signs) in [("orders", Signs::Orders), ("billing", Signs::Billing)] {
        let token = Case::of(backend, signs).token();
        for (other, target) in [("orders", "/customers/1"), ("billing", "/invoices/1")] {
            let decision = Case::new().text(token.clone()).to("GET", target).decide(&house.gate(other));
            assert_eq!(matches!(decision, Decision::Allow(_)), backend == other, "{backend} on {other}");
        }
    }
    for aud in [
        json!("billing"),
        json!(["orders", "billing"]),
        json!(["billing"]),
        json!([]),
        json!(""),
        json!("Orders"),
        json!("orders "),
        json!(["orders", "orders"]),
        json!("*"),
        json!(null),
    ] {
        assert_ne!(house.reason(&Case::new().claim("aud", aud.clone())), Reason::Allowed, "{aud}");
    }
}

#[test]
fn attack_21_a_token_of_another_type_is_refused() {
    let house = House::new();
    for typ in [
        "JWT",
        "at+jwt",
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "txntoken+jwt",
        "application/jwt",
        "bridged",
        "",
        "bridged+jwt ",
        "text/bridged+jwt",
        "application/application/bridged+jwt",
    ] {
        assert_eq!(house.reason(&Case::new().header("typ", typ)), Reason::TokenTypeNotAllowed, "{typ}");
    }
    assert_eq!(house.reason(&Case::new().without("typ")), Reason::TokenTypeNotAllowed);
    for typ in ["bridged+jwt", "Bridged+JWT", "application/bridged+jwt"] {
        assert_eq!(house.reason(&Case::new().header("typ", typ)), Reason::Allowed, "{typ}");
    }
}

#[test]
fn attack_22_identity_headers_of_a_client_change_nothing_or_are_refused() {
    let house = House::new();
    let expected = house.decide(&Case::new());
    // What gateways replace by exactly these names, and what is no business of theirs.
    for name in [
        "x-drawbridge-sub",
        "X-Drawbridge-Sub",
        "x-drawbridge-roles",
        "x-drawbridge-request-id",
        "x-drawbridge-target",
        "X-Forwarded-User",
        "x-drawbridge",
    ] {
        assert_eq!(house.decide(&Case::new().with(name, "root").with(name, "admin")), expected, "{name}");
    }
    for name in [
        "x_drawbridge_sub",
        "x-drawbridge_sub",
        "X_DRAWBRIDGE-SUB",
        "x-drawbridge-client_id",
        "x-drawbridge-client-id",
        "X-Drawbridge-Admin",
        "x-drawbridge-",
    ] {
        assert_eq!(house.reason(&Case::new().with(name, "")), Reason::IdentityHeader, "{name}");
    }
    // The same at the edge.
    let edges = house.edges();
    for (name, reason) in
        [("x-drawbridge-sub", Reason::Allowed), ("x_drawbridge_sub", Reason::IdentityHeader)]
    {
        let case = Case::of_consumer().with(name, "root");
        assert_eq!(case.decide(&edges[&"orders".parse().unwrap()]).reason(), reason, "{name}");
    }
}

#[test]
fn attack_23_a_method_override_is_refused() {
    let house = House::new();
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "x_http_method_override"] {
        for value in ["DELETE", "GET", ""] {
            assert_eq!(
                house.reason(&Case::new().with(name, value)),
                Reason::MethodOverride,
                "{name}: {value}"
            );
        }
    }
}

#[test]
fn attack_24_a_path_that_two_parsers_may_read_differently_is_refused() {
    let house = House::new();
    for target in [
        "//customers/1",
        "/customers//1",
        "/customers/%2e%2e/admin",
        "/customers/..;/admin",
        "/customers/1%2f..",
        "/customers/1#x",
        "/customers/1%00",
        "/customers/%252e",
        "/customers\\1",
        "customers/1",
        "http://orders/customers/1",
        "*",
        "",
    ] {
        assert_eq!(house.reason(&Case::new().to("GET", target)), Reason::PathRefused, "{target}");
    }
}

#[test]
fn attack_30_no_route_goes_without_a_token() {
    let house = House::new();
    for (method, target) in [
        ("GET", "/customers/1"),
        ("DELETE", "/customers/1"),
        ("POST", "/customers"),
        ("GET", "/files/a"),
        ("OPTIONS", "/customers/1"),
    ] {
        assert_eq!(
            house.reason(&Case::new().bare().to(method, target)),
            Reason::CredentialsMissing,
            "{method} {target}"
        );
        let anonymous = Case::new().bare().with("authorization", "").to(method, target);
        assert_eq!(house.reason(&anonymous), Reason::CredentialsMissing, "{method} {target}");
    }
}

#[test]
fn attack_33_odd_claims_and_headers_get_a_decision() {
    let house = House::new();
    for roles in [
        json!([1]),
        json!(null),
        json!([[[]]]),
        json!({"": {"": ""}}),
        json!("\u{0}\u{ffff}\u{10ffff}"),
        json!(-0.0),
    ] {
        assert_eq!(house.reason(&Case::new().claim("roles", roles.clone())), Reason::Allowed, "{roles}");
    }
    for (claim, value) in [("sub", json!("")), ("scope", json!("")), ("jti", json!("")), ("", json!(""))] {
        let _ = house.decide(&Case::new().claim(claim, value));
    }
    assert_ne!(house.reason(&Case::new().claim("sub", "")), Reason::Allowed);
    for name in ["", "é", "authorization\0", "\u{10ffff}"] {
        assert_eq!(house.reason(&Case::new().with(name, b"\xff\xfe\x00")), Reason::Allowed, "{name:?}");
    }
    assert_eq!(
        house.reason(&Case::new().bare().with("authorization", b"Bearer \xf0\x9f\x92\xa9")),
        Reason::TokenMalformed
    );
    for token in ["", ".", "..", "...", "....", "a.b", "é.é.é", "e30.e30.", "e30.e30.e30", "W10.W10.W10"] {
        let Decision::Deny(deny) = house.decide(&Case::new().text(token)) else { panic!("{token}") };
        assert_eq!(deny.principal, None);
    }
    assert_ne!(house.reason(&Case::new().to("", "")), Reason::Allowed);
}
