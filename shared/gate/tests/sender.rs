//! Tokens that are bound to a client certificate (RFC 8705 section 3).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod support;

use drawbridge_gate::Reason;
use serde_json::json;
use support::{Case, House, certificate, thumbprint};

#[test]
fn a_bound_token_is_its_senders_alone() {
    let (ours, other) = (certificate(), certificate());
    let bound = Case::new().bound_to(&ours);
    let chain = format!("{}{}", ours.pem(), other.pem());
    let table = [
        (Reason::Allowed, None, bound.clone().showing(ours.pem())),
        (Reason::Allowed, None, bound.clone().showing(ours.der().to_vec())),
        (Reason::SenderMismatch, Some("no client certificate was seen"), bound.clone()),
        (
            Reason::SenderMismatch,
            Some("the client certificate is another one"),
            bound.clone().showing(other.pem()),
        ),
        (
            Reason::SenderMismatch,
            Some("the client certificate is not one certificate in PEM or DER"),
            bound.clone().showing(chain),
        ),
        (
            Reason::SenderUnsupported,
            Some("the token is bound to something other than a client certificate"),
            bound.claim("cnf", json!({"x5t#S256": thumbprint(&ours), "jkt": "a"})).showing(ours.pem()),
        ),
    ];
    for (reason, detail, case) in table {
        let house = House::new();
        assert_eq!(house.reason(&case), reason, "{detail:?}");
        assert_eq!(house.lines.read()[0]["status_detail"].as_str(), detail, "{reason}");
    }
}

#[test]
fn a_token_that_is_not_bound_is_anybodys() {
    let house = House::new();
    assert_eq!(house.reason(&Case::new().showing(certificate().pem())), Reason::Allowed);
    assert_eq!(house.reason(&Case::new().showing("junk")), Reason::Allowed);
}

#[test]
fn a_certificate_in_a_header_proves_nothing() {
    let (house, ours) = (House::new(), certificate());
    let encoded = ours.pem().replace("\r\n", "").replace('\n', "");
    for header in
        ["X-ARR-ClientCert", "X-Client-Cert", "X-Forwarded-Client-Cert", "Client-Cert", "SSL-Client-Cert"]
    {
        let case = Case::new().bound_to(&ours).with(header, &encoded);
        assert_eq!(house.reason(&case), Reason::SenderMismatch, "{header}");
    }
}

#[test]
fn where_the_edge_has_a_certificate_a_token_that_is_bound_to_nobody_is_refused() {
    let ours = certificate();
    let bound = support::CONFIG.replace(
        "    context: [sub, roles, txn]\n",
        "    context: [sub, roles, txn]\n    bound_to: edge.pem\n",
    );
    let house = House::with_config(&bound);
    assert_eq!(house.reason(&Case::new().bound_to(&ours).showing(ours.pem())), Reason::Allowed);
    for shown in [Case::new(), Case::new().showing(ours.pem())] {
        assert_eq!(house.reason(&shown), Reason::SenderUnbound);
        assert_eq!(house.reason(&shown.claim("cnf", json!({}))), Reason::SenderUnsupported);
    }
    // A consumer's token is bound by its issuer or not at all.
    let edges = house.edges();
    assert_eq!(Case::of_consumer().decide(&edges[&"orders".parse().unwrap()]).reason(), Reason::Allowed);
}

#[test]
fn the_edge_checks_the_consumers_tokens_likewise() {
    let (house, ours, other) = (House::new(), certificate(), certificate());
    let edges = house.edges();
    let gate = &edges[&"orders".parse().unwrap()];
    let bound = Case::of_consumer().bound_to(&ours);
    assert_eq!(bound.clone().showing(ours.pem()).decide(gate).reason(), Reason::Allowed);
    assert_eq!(bound.clone().showing(other.pem()).decide(gate).reason(), Reason::SenderMismatch);
    assert_eq!(bound.decide(gate).reason(), Reason::SenderMismatch);
}
