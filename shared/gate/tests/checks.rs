//! The table of checks is the pipeline: of two faults, the one that the table has first is the reason.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod support;

use std::{
    io,
    sync::{Arc, Mutex},
};

use drawbridge_gate::{AuditError, AuditEvent, AuditSink, Check, Gate, Reason};
use drawbridge_verify::jwe::ContentEncryption;
use serde_json::json;
use support::{Case, House, NOW, Signs};

/// A request, what is done to its token as text, and whether its decision can be put on record.
struct Draft {
    case: Case,
    claims: Option<&'static str>,
    /// In an envelope that was tampered with.
    sealed: bool,
    suffix: String,
    on_record: bool,
}

type Spoil = fn(&mut Draft);

/// One or more ways to fail each check, in the order of the table.
fn faults() -> Vec<(Check, Spoil)> {
    fn header(draft: &mut Draft, name: &str, value: impl Into<serde_json::Value>) {
        draft.case.header.insert(name.to_owned(), value.into());
    }
    fn claim(draft: &mut Draft, name: &str, value: impl Into<serde_json::Value>) {
        draft.case.claims.insert(name.to_owned(), value.into());
    }
    fn drop_claim(draft: &mut Draft, name: &str) {
        draft.case.claims.remove(name);
    }
    fn to(draft: &mut Draft, method: &str, target: &str) {
        draft.case.method = method.to_owned();
        draft.case.target = target.to_owned();
    }
    vec![
        (Check::Method, |draft| draft.case.headers.push(("X-HTTP-Method".to_owned(), b"PUT".to_vec()))),
        (Check::Identity, |draft| draft.case.headers.push(("x_drawbridge_sub".to_owned(), b"root".to_vec()))),
        (Check::Path, |draft| to(draft, "GET", "/customers/..%2fadmin")),
        (Check::Credentials, |draft| draft.case.authorization = false),
        (Check::Credentials, |draft| {
            draft.case.headers.push(("authorization".to_owned(), b"Bearer x".to_vec()))
        }),
        (Check::Characters, |draft| draft.suffix.push('"')),
        (Check::Encryption, |draft| {
            draft.case.backend = "vault";
            // Five segments are encrypted, or pretend to be.
            draft.suffix = draft.suffix.replace(".a.a", "");
            draft.sealed = false;
        }),
        (Check::Decryption, |draft| draft.sealed = true),
        (Check::Size, |draft| draft.suffix.push_str(&"a".repeat(20_000))),
        (Check::Form, |draft| draft.suffix.push_str(".a")),
        (Check::Form, |draft| draft.suffix.push_str(".a.a")),
        (Check::Form, |draft| draft.suffix.push('~')),
        (Check::Header, |draft| header(draft, "pad", "x".repeat(3000))),
        (Check::Members, |draft| header(draft, "jwk", json!({}))),
        (Check::Texts, |draft| header(draft, "typ", 3)),
        (Check::Texts, |draft| drop(draft.case.header.remove("alg"))),
        (Check::Algorithm, |draft| header(draft, "alg", "none")),
        (Check::Algorithm, |draft| header(draft, "alg", "RS256")),
        (Check::Type, |draft| header(draft, "typ", "at+jwt")),
        (Check::Kid, |draft| drop(draft.case.header.remove("kid"))),
        (Check::Kid, |draft| header(draft, "kid", "a/b")),
        (Check::KeyOwner, |draft| header(draft, "kid", "billing.sig.1")),
        (Check::KeySource, |draft| header(draft, "kid", "orders.sig.down")),
        (Check::KeyKnown, |draft| header(draft, "kid", "orders.sig.2")),
        (Check::KeyUsable, |draft| header(draft, "kid", "orders.sig.enc")),
        (Check::KeyAlgorithm, |draft| header(draft, "alg", "ES256")),
        (Check::Signature, |draft| draft.case.signs = Signs::Stranger),
        (Check::Claims, |draft| draft.claims = Some("[]")),
        (Check::Claims, |draft| draft.claims = Some(r#"{"iss":"a","iss":"a"}"#)),
        (Check::Issuer, |draft| drop_claim(draft, "iss")),
        (Check::Issuer, |draft| claim(draft, "iss", 3)),
        (Check::Issuer, |draft| claim(draft, "iss", "https://edge.example.com/")),
        (Check::Audience, |draft| drop_claim(draft, "aud")),
        (Check::Audience, |draft| claim(draft, "aud", json!({}))),
        (Check::Audience, |draft| claim(draft, "aud", "billing")),
        (Check::Times, |draft| drop_claim(draft, "exp")),
        (Check::Times, |draft| claim(draft, "iat", "now")),
        (Check::Times, |draft| claim(draft, "nbf", "now")),
        (Check::Times, |draft| claim(draft, "exp", 1)),
        (Check::Lifetime, |draft| claim(draft, "exp", NOW + 600)),
        (Check::Expiry, |draft| {
            claim(draft, "iat", NOW - 120);
            claim(draft, "exp", NOW - 60);
        }),
        (Check::NotBefore, |draft| claim(draft, "nbf", NOW + 60)),
        (Check::IssuedAt, |draft| claim(draft, "iat", NOW + 60)),
        (Check::Subject, |draft| drop_claim(draft, "sub")),
        (Check::Subject, |draft| claim(draft, "sub", "")),
        (Check::TokenId, |draft| drop_claim(draft, "jti")),
        (Check::TokenId, |draft| claim(draft, "jti", 3)),
        (Check::Client, |draft| claim(draft, "client_id", 3)),
        (Check::Client, |draft| claim(draft, "azp", 3)),
        (Check::Scope, |draft| claim(draft, "scope", "a  b")),
        (Check::Confirmation, |draft| claim(draft, "cnf", 3)),
        (Check::Sender, |draft| claim(draft, "cnf", json!({"jkt": "a"}))),
        (Check::Sender, |draft| claim(draft, "cnf", json!({"x5t#S256": "a"}))),
        (Check::Route, |draft| to(draft, "GET", "/customers")),
        (Check::Scopes, |draft| claim(draft, "scope", "files:read")),
        (Check::Policy, |draft| {
            to(draft, "GET", "/regions/EU/customers");
            claim(draft, "region", "US");
        }),
        (Check::Policy, |draft| {
            to(draft, "GET", "/regions/EU/customers");
            drop_claim(draft, "region");
        }),
        (Check::Context, |draft| claim(draft, "roles", vec!["sales"; 1000])),
        (Check::Record, |draft| draft.on_record = false),
    ]
}

/// What cannot fail in front of these gates: no issuer of untyped tokens.
const NOT_HERE: [Check; 1] = [Check::Kind];

struct Gates {
    orders: Gate,
    /// As `orders`, and takes encrypted tokens as well.
    accepting: Gate,
    vault: Gate,
    seen: Arc<Seen>,
}

/// The last line of the audit log.
#[derive(Default)]
struct Seen(Mutex<(Option<String>, bool)>);

impl AuditSink for Seen {
    fn record(&self, event: &AuditEvent<'_>) -> Result<(), AuditError> {
        let (detail, on_record) = &mut *self.0.lock().unwrap();
        *detail = event.detail.map(str::to_owned);
        if *on_record { Ok(()) } else { Err(io::Error::from(io::ErrorKind::StorageFull).into()) }
    }
}

impl Gates {
    fn new() -> Self {
        let seen = Arc::new(Seen::default());
        let two = support::CONFIG.replacen("[EdDSA]", "[EdDSA, ES256]", 1);
        let accepting = two.replacen("    claims:", "    encryption: accepted\n    claims:", 1);
        let [house, accepting] =
            [two, accepting].map(|config| House::with_config(&config).auditing(Arc::clone(&seen) as _));
        Self {
            orders: house.gate("orders"),
            accepting: accepting.gate("orders"),
            vault: house.gate("vault"),
            seen,
        }
    }

    /// The reason, and the check that failed.
    fn decide(&self, spoilt: &[Spoil]) -> (Reason, Option<Check>) {
        let case = Case::new().claim("region", "EU");
        let mut draft = Draft { case, claims: None, sealed: false, suffix: String::new(), on_record: true };
        spoilt.iter().for_each(|spoil| spoil(&mut draft));
        let Draft { mut case, claims, sealed, suffix, on_record } = draft;
        if let Some(claims) = claims {
            case = case.clone().raw(&serde_json::Value::from(case.header).to_string(), claims);
        }
        let mut token = case.token();
        if sealed {
            let envelope = support::sealed("orders.enc.1", ContentEncryption::A256Gcm, &token);
            let (untouched, _) = envelope.rsplit_once('.').unwrap();
            token = format!("{untouched}.AAAAAAAAAAAAAAAAAAAAAA");
        }
        token.push_str(&suffix);
        let gate = match case.backend {
            "vault" => &self.vault,
            _ if sealed => &self.accepting,
            _ => &self.orders,
        };
        *self.seen.0.lock().unwrap() = (None, on_record);
        let reason = case.text(token).decide(gate).reason();
        let detail = self.seen.0.lock().unwrap().0.clone();
        (reason, Check::failed(reason, detail.as_deref()))
    }
}

#[test]
fn every_check_can_fail_alone_and_a_request_without_faults_fails_none() {
    let gates = Gates::new();
    assert_eq!(gates.decide(&[]), (Reason::Allowed, None));
    for (check, spoil) in faults() {
        let (reason, failed) = gates.decide(&[spoil]);
        assert_eq!(failed, Some(check), "{reason}");
    }
    let mut met: Vec<_> = faults().into_iter().map(|(check, _)| check).chain(NOT_HERE).collect();
    met.sort_unstable();
    met.dedup();
    assert_eq!(
        met,
        Check::ALL,
        "each check is in the table of faults, or in the list of those that cannot fail here"
    );
}

#[test]
fn of_two_faults_the_one_that_the_table_has_first_is_the_reason() {
    let gates = Gates::new();
    let faults = faults();
    assert!(faults.is_sorted_by_key(|(check, _)| *check), "the faults are in the order of the table");
    for (index, (first, spoil_first)) in faults.iter().enumerate() {
        for (second, spoil_second) in faults.iter().skip(index + 1).filter(|(second, _)| second > first) {
            // The first fault last, so that it is there where both change the same thing.
            let (reason, failed) = gates.decide(&[*spoil_second, *spoil_first]);
            assert_eq!(failed, Some(*first), "{first:?} and {second:?}: {reason}");
        }
    }
}

#[test]
fn an_untyped_token_with_the_claims_of_another_kind_fails_behind_its_header() {
    let untyped =
        support::CONFIG.replace("types: [at+jwt]", "types: [at+jwt]\n    relax: [accept_untyped_tokens]");
    let seen = Arc::new(Seen(Mutex::new((None, true))));
    let house = House::with_config(&untyped).auditing(Arc::clone(&seen) as _);
    let edges = house.edges();
    let gate = &edges[&"orders".parse().unwrap()];
    let failed = |case: Case| {
        let reason = case.decide(gate).reason();
        Check::failed(reason, seen.0.lock().unwrap().0.as_deref())
    };
    assert_eq!(failed(Case::of_consumer().without("typ")), None);
    assert_eq!(failed(Case::of_consumer().header("typ", "logout+jwt")), Some(Check::Type));
    let id_token = Case::of_consumer().without("typ").claim("at_hash", "a");
    assert_eq!(failed(id_token.clone()), Some(Check::Kind));
    assert_eq!(failed(id_token.claim("aud", "other")), Some(Check::Audience));
}

#[test]
fn limits_are_those_of_the_configuration() {
    let house = House::with_config(&support::CONFIG.replacen(
        "max_lifetime: 5m",
        "max_lifetime: 4m\n    skew: 10s\n    max_token_bytes: 4096",
        1,
    ));
    let gate = house.gate("orders");
    let limit = |check| gate.limit(check, Some("POST"), Some("/customers")).unwrap_or_default();
    let table = [
        (Check::Size, "4096 bytes"),
        (Check::Encryption, "refused"),
        (Check::Algorithm, "EdDSA"),
        (Check::Type, "bridged+jwt"),
        (Check::KeyOwner, "orders.sig"),
        (Check::Issuer, "https://edge.example.com"),
        (Check::Audience, "orders"),
        (Check::Lifetime, "240 s"),
        (Check::Expiry, "skew 10 s"),
        (Check::TokenId, "required"),
        (Check::Client, "optional"),
        (Check::Scopes, "customers:read, customers:write"),
        (Check::Policy, "not asked"),
        (Check::Context, "4096 bytes of sub, roles, txn"),
        (Check::Signature, ""),
    ];
    for (check, expected) in table {
        assert_eq!(limit(check), expected, "{check:?}");
    }
    let policy = gate.limit(Check::Policy, Some("GET"), Some("/regions/{region}/customers"));
    assert_eq!(policy.as_deref(), Some("permitted"));
    assert_eq!(gate.limit(Check::Scopes, Some("GET"), None), None, "no route, no scopes");
}
