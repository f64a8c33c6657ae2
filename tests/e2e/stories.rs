//! Stories: what a consumer, a backend and an attacker meet on the running chain.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: what breaks must fail loudly"
)]

use std::{
    process::Command,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_tests::{
    binary::{drawbridge, workspace},
    chain::Chain,
    http::{get, send},
};
use serde_json::{Value, json};

/// The payload of a compact token, unverified: for looking, in tests only.
fn payload(token: &str) -> Value {
    part(token, 1)
}

fn kid(token: &str) -> String {
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}

fn part(token: &str, at: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(at).unwrap()).unwrap()).unwrap()
}

/// What the bridge mints for a consumer's request, asked as an edge gateway asks.
async fn bridged(chain: &Chain, target: &str, token: &str) -> String {
    let answer = get(chain.address("bridge"), &format!("/ext-authz{target}"), Some(token)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned()
}

#[tokio::test]
async fn a_consumer_reaches_orders_through_the_edge_and_aws_and_orders_is_told_who_calls() {
    let chain = Chain::start().await;
    let token = chain.token("demo", "customers:read").await;

    let answer = chain.through_edge("/orders/customers/42", Some(&token)).await;

    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.json();
    assert_eq!(told["backend"], "orders");
    assert_eq!(told["path"], "/customers/42");
    assert_eq!(told["caller"]["sub"], "demo");
    assert_eq!(told["caller"]["roles"], r#"["sales"]"#);
    assert!(told["caller"]["txn"].as_str().is_some_and(|txn| !txn.is_empty()), "{told}");

    let at_the_edge = chain.decision(|decision| decision["subject"] == "edge").await;
    let at_the_gate = chain.decision(|decision| decision["subject"] == "gate").await;
    for decision in [&at_the_edge, &at_the_gate] {
        assert_eq!(decision["decision"], "allow", "{decision}");
        assert_eq!(decision["backend"], "orders");
        assert_eq!(decision["principal"], "demo");
    }
    assert!(at_the_gate["kid"].as_str().unwrap().starts_with("orders.sig."), "{at_the_gate}");
}

#[tokio::test]
async fn a_consumer_reaches_billing_through_the_edge_and_azure() {
    let chain = Chain::start().await;
    let token = chain.token("demo", "invoices:read").await;

    let answer = chain.through_edge("/billing/invoices/7?currency=EUR", Some(&token)).await;

    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.json();
    assert_eq!(told["backend"], "billing");
    assert_eq!(told["path"], "/invoices/7?currency=EUR");
    assert_eq!(told["caller"]["sub"], "demo");
}

#[tokio::test]
async fn every_kind_of_no_is_a_clear_answer_and_on_record() {
    let chain = Chain::start().await;
    let reader = chain.token("demo", "customers:read").await;
    let guest = chain.token("guest", "").await;
    let elsewhere = reader.replace('.', "-");

    struct No<'a> {
        token: Option<&'a str>,
        target: &'a str,
        status: u16,
        reason: &'a str,
        challenge: Option<&'a str>,
    }
    let table = [
        No {
            token: None,
            target: "/orders/customers/1",
            status: 401,
            reason: "credentials.missing",
            challenge: Some("Bearer"),
        },
        No {
            token: Some(&elsewhere),
            target: "/orders/customers/1",
            status: 401,
            reason: "token.malformed",
            challenge: Some("invalid_token"),
        },
        No {
            token: Some(&guest),
            target: "/orders/customers/1",
            status: 403,
            reason: "scope.missing",
            challenge: Some("insufficient_scope"),
        },
        No {
            token: Some(&reader),
            target: "/orders/nothing/here",
            status: 403,
            reason: "route.unknown",
            challenge: None,
        },
        No {
            token: Some(&reader),
            target: "/nobody/customers/1",
            status: 403,
            reason: "backend.unknown",
            challenge: None,
        },
        No {
            token: Some(&reader),
            target: "/orders/customers/..%2f1",
            status: 400,
            reason: "request.path_refused",
            challenge: None,
        },
    ];
    for no in table {
        let answer = chain.through_edge(no.target, no.token).await;
        assert_eq!(answer.status, no.status, "{}: {}", no.reason, answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{}", no.reason);
        assert_eq!(answer.json()["status"], no.status);
        match no.challenge {
            Some(challenge) => {
                assert!(
                    answer.header("www-authenticate").is_some_and(|have| have.contains(challenge)),
                    "{}",
                    no.reason
                );
            }
            None => assert!(
                answer.header("www-authenticate").is_none_or(|have| have.contains("invalid_request")),
                "{}: {:?}",
                no.reason,
                answer.headers
            ),
        }
        let decision = chain.decision(|decision| decision["reason"] == no.reason).await;
        assert_eq!(decision["decision"], "deny", "{decision}");
    }
}

#[tokio::test]
async fn a_token_bridged_for_one_backend_is_refused_by_the_gate_of_another() {
    let chain = Chain::start().await;
    let token = chain.token("demo", "customers:read invoices:read").await;
    let for_orders = bridged(&chain, "/orders/customers/1", &token).await;
    let for_billing = bridged(&chain, "/billing/invoices/1", &token).await;

    assert_eq!(for_orders.split('.').count(), 3, "signed");
    assert_eq!(for_billing.split('.').count(), 5, "signed, and encrypted to billing");

    // Each works where it belongs, without the edge: the gates are what protects the backends.
    let aws = format!("{}/orders", chain.address("aws"));
    let azure = format!("{}/billing", chain.address("azure"));
    assert_eq!(get(&aws, "/customers/1", Some(&for_orders)).await.status, 200);
    assert_eq!(get(&azure, "/invoices/1", Some(&for_billing)).await.status, 200);

    assert_eq!(get(&azure, "/invoices/1", Some(&for_orders)).await.status, 401);
    assert_eq!(get(&aws, "/customers/1", Some(&for_billing)).await.status, 401);
    // The consumer's own token opens no backend either.
    assert_eq!(get(&aws, "/customers/1", Some(&token)).await.status, 401);
    assert_eq!(get(&azure, "/invoices/1", Some(&token)).await.status, 401);
}

#[tokio::test]
async fn a_bridged_token_says_no_more_and_lives_no_longer_than_the_consumers() {
    let chain = Chain::start().await;
    let token = chain.token("demo", "customers:read invoices:read").await;
    let consumer = payload(&token);
    let bridged = payload(&bridged(&chain, "/orders/customers/1", &token).await);

    assert_eq!(bridged["aud"], "orders");
    assert_eq!(bridged["sub"], consumer["sub"]);
    assert_eq!(bridged["scope"], "customers:read", "scopes of other backends stay behind");
    assert!(bridged["exp"].as_i64() <= consumer["exp"].as_i64());
    assert!(bridged["exp"].as_i64().unwrap() - bridged["iat"].as_i64().unwrap() <= 120);
    assert_ne!(bridged["jti"], consumer["jti"]);
    assert_eq!(bridged["roles"], serde_json::json!(["sales"]));
    assert_eq!(bridged["act"]["sub"], bridged["iss"]);
    assert_ne!(bridged["iss"], consumer["iss"]);
}

#[tokio::test]
async fn what_a_client_says_about_its_own_identity_is_refused_or_never_reaches_a_backend() {
    let chain = Chain::start().await;
    let token = chain.token("demo", "customers:read invoices:read").await;
    let bearer = format!("Bearer {token}");
    for target in ["/orders/customers/1", "/billing/invoices/1"] {
        let headers = [
            ("authorization", bearer.as_str()),
            ("x-drawbridge-sub", "root"),
            ("X-Drawbridge-Sub", "root"),
            ("x-drawbridge-txn", "root"),
        ];
        let answer = send("GET", chain.address("edge"), target, &headers, "").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(!answer.text().contains("root"), "{}", answer.text());
        assert!(!answer.text().contains(&token), "the consumer's token stays at the edge");
        assert_eq!(answer.json()["caller"]["sub"], "demo");
        // No gateway replaces these by their exact names.
        for name in ["x_drawbridge_sub", "x-drawbridge_roles", "x-drawbridge-admin"] {
            let headers = [("authorization", bearer.as_str()), (name, "admin")];
            let answer = send("GET", chain.address("edge"), target, &headers, "").await;
            assert_eq!(answer.status, 400, "{name}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn the_key_endpoint_answers_one_kid_and_the_same_404_to_everything_else() {
    let chain = Chain::start().await;
    let token = chain.token("demo", "customers:read invoices:read").await;
    let orders = kid(&bridged(&chain, "/orders/customers/1", &token).await);
    let billing = kid(&bridged(&chain, "/billing/invoices/1", &token).await);
    let keys = chain.address("keys");
    assert!(billing.starts_with("billing.enc."), "{billing}");
    let to_encrypt_to = get(keys, &format!("/jwks/billing/{billing}"), None).await.json();
    assert_eq!(to_encrypt_to["keys"].as_array().unwrap().len(), 1);
    assert_eq!(to_encrypt_to["keys"][0]["kid"], billing.as_str());
    assert_eq!(to_encrypt_to["keys"][0]["use"], "enc");
    assert_eq!(to_encrypt_to["keys"][0]["d"], Value::Null, "nothing private");

    let answer = get(keys, &format!("/jwks/orders/{orders}"), None).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/jwk-set+json"));
    let set = answer.json();
    assert_eq!(set["keys"].as_array().unwrap().len(), 1);
    assert_eq!(set["keys"][0]["kid"], orders.as_str());
    assert_eq!(set["keys"][0]["d"], Value::Null, "nothing private");
    let etag = answer.header("etag").unwrap();
    let again = send("GET", keys, &format!("/jwks/orders/{orders}"), &[("if-none-match", etag)], "").await;
    assert_eq!(again.status, 304);

    let no = get(keys, "/jwks/orders/orders.sig.00000000-0000-0000-0000-000000000000", None).await;
    assert_eq!(no.status, 404);
    for target in [
        format!("/jwks/orders/{billing}"),
        format!("/jwks/billing/{orders}"),
        "/jwks/orders/..%2f..%2fetc%2fpasswd".to_owned(),
        "/jwks/orders/orders.sig.%00".to_owned(),
        "/jwks/orders/".to_owned(),
        "/jwks/orders".to_owned(),
        "/jwks".to_owned(),
        "/jwks/nobody/nobody.sig.1".to_owned(),
        format!("/jwks/orders/{orders}.x"),
        format!("/jwks/orders/{}", "a".repeat(5000)),
    ] {
        let answer = get(keys, &target, None).await;
        assert_eq!((answer.status, &answer.body), (no.status, &no.body), "{target}");
    }
}

#[tokio::test]
async fn a_rotated_key_signs_at_once_the_previous_one_still_verifies_and_a_revoked_one_does_not() {
    // The sample, with gates that look again every second: how long a revoked key is still used is theirs to say.
    let folder = tempfile::tempdir().unwrap();
    let sample = workspace().join("functions/local/sample");
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    std::fs::copy(sample.join("policies/orders.cedar"), folder.path().join("policies/orders.cedar")).unwrap();
    let sample = std::fs::read_to_string(sample.join("drawbridge.yaml")).unwrap();
    let config =
        sample.replace("max_lifetime: 5m", "max_lifetime: 5m\n    key_cache: { fresh: 1s, stale: 2s }");
    assert_ne!(config, sample);
    let chain = Chain::start_in_folder(folder, &config).await;
    let token = chain.token("demo", "customers:read").await;
    let aws = format!("{}/orders", chain.address("aws"));
    let before = bridged(&chain, "/orders/customers/1", &token).await;

    let rotate = Command::new(drawbridge())
        .args(["keys", "rotate", "--backend", "orders", "--use", "sig", "--format", "json", "--directory"])
        .arg(chain.state().join("keys"))
        .output()
        .unwrap();
    assert!(rotate.status.success(), "{rotate:?}");
    let new = serde_json::from_slice::<Value>(&rotate.stdout).unwrap()["kid"].as_str().unwrap().to_owned();

    // The previous version stays published for what it has signed.
    assert_eq!(get(&aws, "/customers/1", Some(&before)).await.status, 200);

    // The bridge picks the new version up without a restart.
    let mut after = before.clone();
    for _ in 0..100 {
        after = bridged(&chain, "/orders/customers/1", &token).await;
        if kid(&after) == new {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(kid(&after), new, "the bridge signs with the new version");
    assert_eq!(get(&aws, "/customers/1", Some(&after)).await.status, 200);
    assert_eq!(
        get(&aws, "/customers/1", Some(&before)).await.status,
        200,
        "the previous one is not revoked yet"
    );

    let previous = kid(&before);
    let revoke = Command::new(drawbridge())
        .args(["keys", "revoke", &previous, "--directory"])
        .arg(chain.state().join("keys"))
        .output()
        .unwrap();
    assert!(revoke.status.success(), "{revoke:?}");

    // The key endpoint answers for it no more, and a gate only until what it holds is too old.
    let published = get(chain.address("keys"), &format!("/jwks/orders/{previous}"), None).await;
    assert_eq!(published.status, 404, "{}", published.text());
    let until = Instant::now() + Duration::from_secs(90);
    while get(&aws, "/customers/1", Some(&before)).await.status == 200 {
        assert!(Instant::now() < until, "a revoked key still verifies");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let decision = chain.decision(|decision| decision["decision"] == "deny").await;
    assert_eq!(
        (&decision["subject"], &decision["reason"]),
        (&json!("gate"), &json!("key.unknown")),
        "{decision}"
    );
    // What the current key signs is as good as before.
    assert_eq!(get(&aws, "/customers/1", Some(&after)).await.status, 200);
}
