use std::sync::Arc;

use drawbridge_gate::{Decision, Reason};
use drawbridge_keys::KeyStore;
use drawbridge_verify::{Algorithm, KeyUse};
use serde_json::{Value, json};

use crate::support::{House, NOW, bridge, claims, header, name};

#[tokio::test]
async fn a_consumers_token_becomes_one_that_the_backends_gate_accepts() {
    let house = House::new().await;
    let consumer = house
        .token(json!({
            "txn": "t-1",
            "realm_access": { "roles": ["sales", "admin"] },
            "custom": { "region": "EU", "salary": 100_000 },
            "email": "alice@example.com",
        }))
        .await;
    let bridged = house.bridged(&consumer, "/orders/customers/4711?fields=a").await.unwrap();
    assert_eq!(bridged.backend, name("orders"));
    assert_eq!(bridged.target, "/customers/4711?fields=a");
    assert_eq!(bridged.txn, "t-1");
    assert_eq!(bridged.scope.as_deref(), Some("customers:read"));
    assert_eq!(bridged.expires_at.as_secs(), NOW.as_secs() + 120);

    let mut said = claims(&bridged.token);
    let jti = said.remove("jti").unwrap();
    assert_eq!(uuid::Uuid::parse_str(jti.as_str().unwrap()).unwrap().get_version_num(), 4);
    assert_eq!(
        Value::from(said),
        json!({
            "iss": "https://edge.example.com",
            "aud": "orders",
            "sub": "alice",
            "client_id": "app",
            "scope": "customers:read",
            "iat": NOW.as_secs(),
            "exp": NOW.as_secs() + 120,
            "txn": "t-1",
            "act": { "sub": "https://edge.example.com" },
            "roles": ["sales", "admin"],
            "region": "EU",
        })
    );
    let header = header(&bridged.token);
    assert_eq!(header.len(), 3);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("bridged+jwt")));
    assert!(header["kid"].as_str().unwrap().starts_with("orders.sig."));

    let decision = house.gate("orders", &bridged.token, &bridged.target).await;
    assert!(matches!(&decision, Decision::Allow(allow) if allow.principal == "alice"), "{decision:?}");
    let lines = house.ledger.lines();
    assert_eq!(lines.len(), 1, "one decision is one line");
    assert_eq!(
        (lines[0].reason, lines[0].route.as_deref(), lines[0].request_id.as_str()),
        (Reason::Allowed, Some("/customers/{customer}"), bridged.request_id.as_str())
    );
}

#[tokio::test]
async fn attack_19_and_20_a_token_for_one_backend_opens_no_other() {
    let house = House::new().await;
    let consumer = house.token(json!({})).await;
    let orders = house.bridged(&consumer, "/orders/customers/1").await.unwrap();
    let billing = house.bridged(&consumer, "/money/invoices/1").await.unwrap();
    assert_eq!(claims(&billing.token)["aud"], "https://billing.example.com");
    assert_eq!(house.gate("orders", &orders.token, "/customers/1").await.reason(), Reason::Allowed);
    assert_eq!(house.gate("billing", &billing.token, "/invoices/1").await.reason(), Reason::Allowed);
    assert_eq!(house.gate("billing", &orders.token, "/invoices/1").await.reason(), Reason::KeyForeign);
    assert_eq!(house.gate("orders", &billing.token, "/customers/1").await.reason(), Reason::KeyForeign);
}

#[tokio::test]
async fn attack_21_a_consumers_token_is_no_bridged_one_nor_the_other_way_round() {
    let house = House::new().await;
    let consumer = house.token(json!({})).await;
    let bridged = house.bridged(&consumer, "/orders/customers/1").await.unwrap();
    let decision = house.gate("orders", &consumer, "/customers/1").await;
    assert_eq!(decision.reason(), Reason::TokenTypeNotAllowed);
    let again = house.bridged(&bridged.token, "/orders/customers/1").await.unwrap_err();
    assert_eq!(again.reason, Reason::TokenTypeNotAllowed);
}

#[tokio::test]
async fn what_the_consumer_says_never_becomes_what_the_bridge_says() {
    let house = House::new().await;
    let consumer = house
        .token(json!({
            "iat": NOW.as_secs() - 100,
            "jti": "consumers",
            "nbf": NOW.as_secs() - 100,
            "roles": ["root"],
            "region": "everywhere",
            "may_act": { "sub": "eve" },
            "azp": "eve",
            "typ": "bridged+jwt",
            "admin": true,
        }))
        .await;
    let bridged = house.bridged(&consumer, "/orders/customers/1").await.unwrap();
    let said = claims(&bridged.token);
    let mut names: Vec<_> = said.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["act", "aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sub", "txn"]);
    assert_ne!(said["jti"], "consumers");
    assert_eq!(said["iat"], NOW.as_secs());
    let parts: Vec<_> = consumer.split('.').collect();
    assert!(
        parts.iter().all(|part| !bridged.token.contains(part)),
        "nothing of the consumer's token is in it"
    );
    assert!(!format!("{bridged:?}").contains(&bridged.token));
}

#[tokio::test]
async fn every_bridged_token_has_an_id_of_its_own() {
    let house = House::new().await;
    let consumer = house.token(json!({})).await;
    let first = house.bridged(&consumer, "/orders/customers/1").await.unwrap();
    let second = house.bridged(&consumer, "/orders/customers/1").await.unwrap();
    assert_ne!(claims(&first.token)["jti"], claims(&second.token)["jti"]);
    assert_ne!(first.txn, second.txn);
}

#[tokio::test]
async fn a_transaction_id_is_kept_only_where_it_is_safe_to_write_down() {
    let house = House::new().await;
    let long = "a".repeat(129);
    let table = [
        (json!("0b7a1f0e-5a39-4b4a-8c8e-0b9ce2f4d0aa"), true),
        (json!("a.b_c:d-E9"), true),
        (json!("a".repeat(128)), true),
        (json!(long), false),
        (json!(""), false),
        (json!("a b"), false),
        (json!("a\r\nx: y"), false),
        (json!("\u{e9}"), false),
        (json!("a\"b"), false),
        (json!(7), false),
        (json!(["a"]), false),
        (json!({ "txn": "a" }), false),
    ];
    for (txn, kept) in table {
        let consumer = house.token(json!({ "txn": txn })).await;
        let bridged = house.bridged(&consumer, "/orders/customers/1").await.unwrap();
        assert_eq!(claims(&bridged.token)["txn"], bridged.txn);
        if kept {
            assert_eq!(txn, bridged.txn);
        } else {
            assert_eq!(bridged.txn, bridged.request_id, "{txn}");
        }
    }
}

#[tokio::test]
async fn the_actors_before_the_edge_are_kept_and_one_that_is_no_actor_is_refused() {
    let house = House::new().await;
    let before = json!({ "sub": "clerk", "act": { "sub": "scheduler" } });
    let consumer = house.token(json!({ "act": before })).await;
    let bridged = house.bridged(&consumer, "/orders/customers/1").await.unwrap();
    assert_eq!(claims(&bridged.token)["act"], json!({ "sub": "https://edge.example.com", "act": before }));
    for act in [json!("clerk"), json!(["a"]), json!(1), json!(true)] {
        let consumer = house.token(json!({ "act": act })).await;
        let deny = house.bridged(&consumer, "/orders/customers/1").await.unwrap_err();
        assert_eq!(deny.reason, Reason::TokenClaimsMalformed, "{act}");
    }
}

#[tokio::test]
async fn attack_33_claims_of_any_odd_form_are_bridged_as_they_are_or_refused() {
    let house = House::new().await;
    for roles in
        [json!([1, null, {}]), json!({}), json!(""), json!("\u{1f980}\u{0}"), json!(-0.5), json!(false)]
    {
        let consumer = house.token(json!({ "realm_access": { "roles": roles } })).await;
        let bridged = house.bridged(&consumer, "/orders/customers/1").await.unwrap();
        assert_eq!(claims(&bridged.token)["roles"], roles);
    }
    for realm in [json!(1), json!([]), json!("roles"), json!({ "role": 1 })] {
        let consumer = house.token(json!({ "realm_access": realm })).await;
        let bridged = house.bridged(&consumer, "/orders/customers/1").await.unwrap();
        assert!(!claims(&bridged.token).contains_key("roles"), "{realm}");
    }
}

#[tokio::test]
async fn claims_that_would_make_the_token_too_large_are_refused_and_on_record() {
    let house = House::new().await;
    let consumer = house.token(json!({ "realm_access": { "roles": "r".repeat(5_000) } })).await;
    let bridged = house.bridged(&consumer, "/orders/customers/1").await.unwrap();
    assert!(bridged.token.len() < 9_000);
    house.ledger.lines();
    let consumer = house.token(json!({ "realm_access": { "roles": "r".repeat(7_000) } })).await;
    let deny = house.bridged(&consumer, "/orders/customers/1").await.unwrap_err();
    assert_eq!(deny.reason, Reason::ContextTooLarge);
    assert_eq!(house.ledger.reasons(), [Reason::Allowed, Reason::ContextTooLarge]);
}

#[tokio::test]
async fn the_routes_of_the_backend_decide_before_anything_is_minted() {
    let house = House::new().await;
    let consumer = house.token(json!({})).await;
    let table = [
        ("GET", "/orders/customers/1", Reason::Allowed),
        ("GET", "/orders", Reason::Allowed),
        ("GET", "/orders/", Reason::Allowed),
        ("PUT", "/orders/customers/1", Reason::ScopeMissing),
        ("DELETE", "/orders/customers/1", Reason::RouteUnknown),
        ("GET", "/orders/customers", Reason::RouteUnknown),
        ("GET", "/orders/invoices/1", Reason::RouteUnknown),
        ("GET", "/orders/../money/invoices/1", Reason::PathRefused),
        ("GET", "/orders/%2e%2e/money/invoices/1", Reason::PathRefused),
        ("GET", "/orders//customers/1", Reason::PathRefused),
        ("GET", "/orders/customers%2f1", Reason::PathRefused),
        ("GET", "/ordersx/customers/1", Reason::BackendUnknown),
        ("GET", "/Orders/customers/1", Reason::BackendUnknown),
        ("GET", "/billing/invoices/1", Reason::BackendUnknown),
        ("GET", "//orders/customers/1", Reason::BackendUnknown),
        ("GET", "/", Reason::BackendUnknown),
        ("GET", "", Reason::BackendUnknown),
        ("GET", "*", Reason::BackendUnknown),
        ("GET", "https://x/orders/customers/1", Reason::BackendUnknown),
    ];
    for (method, target, expected) in table {
        let reason =
            house.asked(method, &consumer, target).await.map_or_else(|deny| deny.reason, |_| Reason::Allowed);
        assert_eq!(reason, expected, "{method} {target}");
        let lines = house.ledger.lines();
        assert_eq!(lines.iter().map(|line| line.reason).collect::<Vec<_>>(), [expected], "{method} {target}");
    }
}

#[tokio::test]
async fn a_deny_has_the_id_of_its_line_and_an_unknown_path_is_not_written_down() {
    let house = House::new().await;
    let deny = house.bridged("x", "/nowhere/secret").await.unwrap_err();
    let lines = house.ledger.lines();
    assert_eq!((lines[0].request_id.as_str(), lines[0].backend.as_str()), (deny.request_id.as_str(), ""));
    assert_eq!((&lines[0].route, &lines[0].method, &lines[0].principal), (&None, &None, &None));
}

#[tokio::test]
async fn a_token_that_only_the_skew_lets_in_has_no_time_left_to_bridge() {
    let house = House::new().await;
    for (left, expected) in [(2, Ok(2)), (1, Ok(1)), (0, Err(())), (-10, Err(())), (-29, Err(()))] {
        let consumer = house.token(json!({ "exp": NOW.as_secs() + left, "iat": NOW.as_secs() - 60 })).await;
        let bridged = house.bridged(&consumer, "/orders/customers/1").await;
        match expected {
            Ok(left) => assert_eq!(bridged.unwrap().expires_at.since(NOW).as_secs(), left),
            Err(()) => assert_eq!(bridged.unwrap_err().reason, Reason::TokenExpired, "{left}"),
        }
    }
}

#[tokio::test]
async fn a_scope_that_is_no_string_is_refused_and_none_stays_none() {
    let house = House::new().await;
    for scope in [json!(["customers:read"]), json!(1), json!({}), json!(true)] {
        let consumer = house.token(json!({ "scope": scope })).await;
        let deny = house.bridged(&consumer, "/orders/").await.unwrap_err();
        assert_eq!(deny.reason, Reason::TokenClaimsMalformed, "{scope}");
    }
    let consumer = house.token(json!({ "scope": null })).await;
    let bridged = house.bridged(&consumer, "/orders/").await.unwrap();
    assert!(!claims(&bridged.token).contains_key("scope"));
    let decision = house.gate("orders", &bridged.token, "/customers/1").await;
    assert_eq!(decision.reason(), Reason::ScopeMissing, "no scope is none, not every");
}

#[tokio::test]
async fn a_client_over_its_limit_is_refused_for_this_backend_and_it_is_on_record() {
    let house = House::new().await.limited(2);
    let consumer = house.token(json!({})).await;
    for _ in 0..2 {
        house.bridged(&consumer, "/orders/customers/1").await.unwrap();
    }
    house.ledger.lines();
    let deny = house.bridged(&consumer, "/orders/customers/1").await.unwrap_err();
    assert_eq!((deny.reason, deny.reason.status()), (Reason::RateLimited, 429));
    assert_eq!(deny.principal.as_deref(), Some("alice"));
    let lines = house.ledger.lines();
    assert_eq!((lines[1].reason, &lines[1].request_id), (Reason::RateLimited, &deny.request_id));
    assert_eq!(lines[0].request_id, lines[1].request_id);
    house.bridged(&consumer, "/money/invoices/1").await.unwrap();
}

#[tokio::test]
async fn a_bridge_that_cannot_be_is_not_built() {
    let house = House::new().await;
    type Change = fn(String) -> String;
    let table: [(Change, &str); 3] = [
        (|text| text.replace("consumers: login\n", ""), "consumers"),
        (|text| text.replacen("    store: keys\n", "", 1), "backends.orders: name the `store`"),
        (
            |text| text.replace("keys: { directory: keys }", "keys: { secrets_manager: {} }"),
            "stores.keys: the key store cannot do this",
        ),
    ];
    for (change, message) in table {
        let error =
            bridge(&house.config(change), &house.store, Arc::clone(&house.ledger)).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[tokio::test]
async fn a_key_of_an_algorithm_that_no_gate_accepts_signs_nothing() {
    let house = House::with(Algorithm::ES384).await;
    let consumer = house.token(json!({})).await;
    let deny = house.bridged(&consumer, "/orders/customers/1").await.unwrap_err();
    assert_eq!((deny.reason, deny.reason.status()), (Reason::MintFailed, 503));
    let lines = house.ledger.lines();
    assert_eq!(
        lines.iter().map(|line| line.reason).collect::<Vec<_>>(),
        [Reason::Allowed, Reason::MintFailed]
    );
    assert!(lines[1].detail.as_deref().unwrap().contains("algorithm"));
    assert_eq!(lines[0].request_id, lines[1].request_id);
    assert_eq!(lines[1].principal.as_deref(), Some("alice"));
}

#[tokio::test]
async fn a_store_that_gives_the_key_of_another_backend_signs_nothing() {
    let house = House::new().await;
    let billing = house.store.versions(&name("billing"), KeyUse::Signing).await.unwrap();
    house.store.confuse(billing[0].kid.clone());
    let consumer = house.token(json!({})).await;
    let deny = house.bridged(&consumer, "/orders/customers/1").await.unwrap_err();
    assert_eq!(deny.reason, Reason::MintFailed);
}
