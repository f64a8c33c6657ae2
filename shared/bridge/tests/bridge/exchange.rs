use std::sync::Arc;

use drawbridge_bridge::{Bridged, Exchange};
use drawbridge_gate::{Deny, Reason};
use serde_json::{Value, json};

use crate::support::{House, NOW, bridge, claims};

#[tokio::test]
async fn a_token_is_exchanged_for_one_of_the_backend_that_is_named() {
    let house = House::new().await;
    let consumer = house.token(json!({})).await;
    for (audience, aud, scope) in [
        ("orders", "orders", "customers:read"),
        ("billing", "https://billing.example.com", "invoices:read"),
        ("https://billing.example.com", "https://billing.example.com", "invoices:read"),
    ] {
        let bridged = exchange(&house, &consumer, audience, None).await.unwrap();
        let said = claims(&bridged.token);
        assert_eq!((&said["aud"], &said["scope"]), (&json!(aud), &json!(scope)));
        let lines = house.ledger.lines();
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].reason, &lines[0].route), (Reason::Allowed, &None));
        assert_eq!(lines[0].request_id, bridged.request_id);
    }
    let bridged = exchange(&house, &consumer, "orders", None).await.unwrap();
    assert_eq!(house.gate("orders", &bridged.token, "/customers/1").await.reason(), Reason::Allowed);
    assert_eq!(house.gate("billing", &bridged.token, "/invoices/1").await.reason(), Reason::KeyForeign);
}

#[tokio::test]
async fn an_audience_that_is_no_backends_is_refused() {
    let house = House::new().await;
    let consumer = house.token(json!({})).await;
    for audience in ["", "nobody", "Orders", "https://api.example.com", "orders billing", "/orders"] {
        let deny = exchange(&house, &consumer, audience, None).await.unwrap_err();
        assert_eq!(deny.reason, Reason::BackendUnknown, "{audience}");
        assert_eq!(house.ledger.reasons(), [Reason::BackendUnknown]);
    }
}

#[tokio::test]
async fn a_name_that_is_also_another_backends_audience_is_nobodys() {
    let house = House::new().await;
    let config = house.config(|text| {
        text.replace("audience: https://billing.example.com", "audience: orders").replacen(
            "    issuer: edge\n",
            "    issuer: edge\n    audience: https://orders.example.com\n",
            1,
        )
    });
    let bridge = bridge(&config, &house.store, Arc::clone(&house.ledger)).unwrap();
    let consumer = house.token(json!({})).await;
    for (audience, expected) in [
        ("orders", Err(Reason::BackendUnknown)),
        ("billing", Ok("orders")),
        ("https://orders.example.com", Ok("https://orders.example.com")),
    ] {
        let exchange = Exchange {
            subject_token: &consumer,
            audience,
            scope: None,
            source_ip: None,
            client_certificate: None,
        };
        let bridged = bridge.exchange(&exchange, NOW).await.map_err(|deny| deny.reason);
        assert_eq!(bridged.map(|bridged| claims(&bridged.token)["aud"].clone()), expected.map(Value::from));
    }
}

#[tokio::test]
async fn no_more_scopes_are_given_than_the_consumer_has_and_the_backend_knows() {
    let house = House::new().await;
    let consumer =
        house.token(json!({ "scope": "openid customers:read customers:write invoices:read" })).await;
    let table = [
        (None, Ok("customers:read customers:write")),
        (Some("customers:write"), Ok("customers:write")),
        (Some("customers:write customers:read"), Ok("customers:read customers:write")),
        (Some("openid"), Err(Reason::ScopeMissing)),
        (Some("invoices:read"), Err(Reason::ScopeMissing)),
        (Some("customers:read customers:delete"), Err(Reason::ScopeMissing)),
        (Some("customers:read  customers:write"), Err(Reason::ScopeMissing)),
        (Some(""), Err(Reason::ScopeMissing)),
    ];
    for (asked, expected) in table {
        let given = exchange(&house, &consumer, "orders", asked).await;
        let given = given.map(|bridged| bridged.scope.unwrap()).map_err(|deny| deny.reason);
        assert_eq!(given, expected.map(str::to_owned), "{asked:?}");
    }
    let consumer = house.token(json!({ "scope": null })).await;
    let deny = exchange(&house, &consumer, "orders", Some("customers:read")).await.unwrap_err();
    assert_eq!(deny.reason, Reason::ScopeMissing);
}

#[tokio::test]
async fn a_token_that_no_route_would_take_is_not_exchanged_either() {
    let house = House::new().await;
    let now = NOW.as_secs();
    let table = [
        (json!({ "exp": now - 100, "iat": now - 200 }), Reason::TokenExpired),
        (json!({ "aud": "https://other.example.com" }), Reason::TokenAudienceMismatch),
        (json!({ "iss": "https://edge.example.com" }), Reason::TokenIssuerMismatch),
        (json!({ "sub": null }), Reason::TokenClaimMissing),
        (json!({ "cnf": { "jkt": "x" } }), Reason::SenderUnsupported),
    ];
    for (change, expected) in table {
        let consumer = house.token(change).await;
        let deny = exchange(&house, &consumer, "orders", None).await.unwrap_err();
        assert_eq!((deny.reason, house.ledger.reasons()), (expected, vec![expected]));
    }
    for token in ["", "x", "a.b.c", "a b", "a,b", "\u{e9}", "a\r\nb"] {
        let deny = exchange(&house, token, "orders", None).await.unwrap_err();
        assert!(matches!(deny.reason.status(), 400 | 401), "{token:?}: {}", deny.reason);
    }
}

async fn exchange(
    house: &House,
    subject_token: &str,
    audience: &str,
    scope: Option<&str>,
) -> Result<Bridged, Deny> {
    let exchange = Exchange { subject_token, audience, scope, source_ip: None, client_certificate: None };
    house.bridge.exchange(&exchange, NOW).await
}
