//! Remembered answers: with one token and a TTL, API Gateway decides as it would without a cache, on every route and in any order.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: what breaks must fail loudly"
)]

use std::time::{SystemTime, UNIX_EPOCH};

use drawbridge_tests::{chain::Chain, corpus::token, forge::ChainForge, http::send};
use serde_json::json;

/// `orders` behind one kind of authorizer. One policy can tell these routes apart.
fn sample(authorizer: &str) -> String {
    json!({
        "issuers": {
            "login": {
                "issuer": "https://login.example.com", "audience": "https://api.example.com", "keys": "discovery",
                "algorithms": ["RS256"],
            },
            "edge": {
                "issuer": "https://edge.example.com",
                "keys": { "jwks": "https://keys.example.com/jwks/{backend}/{kid}" },
                "algorithms": ["ES256"], "types": ["bridged+jwt"], "max_lifetime": "5m",
            },
        },
        "stores": { "aws": { "secrets_manager": { "prefix": "drawbridge", "region": "eu-west-1" } } },
        "backends": {
            "orders": {
                "issuer": "edge", "store": "aws", "upstream": "https://orders.example.com",
                "routes": [
                    { "path": "/customers/{customer}", "methods": ["GET"], "scopes": ["customers:read"] },
                    { "path": "/customers/me", "methods": ["GET"], "scopes": ["profile:read"] },
                    { "path": "/customers", "methods": ["POST"], "scopes": ["customers:write"] },
                    { "path": "/regions/{region}/customers", "methods": ["GET"], "scopes": ["customers:read"] },
                    { "path": "/files/{*rest}", "methods": ["GET", "DELETE"], "scopes": ["files:read"] },
                ],
                "context": ["sub", "txn"],
            },
        },
        "consumers": "login",
        "local": { "aws": { "authorizer": authorizer, "cache_ttl": "300s" } },
    })
    .to_string()
}

/// Requests, and the scopes that each needs; None where no token may make it. What is spelled as no client needs to is allowed where
/// the wildcard that covers it is granted as well.
const REQUESTS: [(&str, &str, Option<&str>); 16] = [
    ("GET", "/customers/42", Some("customers:read")),
    ("GET", "/customers/43?page=2", Some("customers:read")),
    ("GET", "/customers/caf%C3%A9", Some("customers:read")),
    ("GET", "/customers/me", Some("profile:read")),
    ("POST", "/customers", Some("customers:write")),
    ("GET", "/regions/eu/customers", Some("customers:read")),
    ("GET", "/files/a/b/c", Some("files:read")),
    ("DELETE", "/files/a", Some("files:read")),
    ("GET", "/customers", None),
    ("DELETE", "/customers/42", None),
    ("GET", "/customers/42/", None),
    ("GET", "/customers/42/orders", None),
    ("GET", "/customers/%6de", Some("customers:read profile:read")),
    ("GET", "/regions/eu/west/customers", None),
    ("PUT", "/files/a", None),
    ("GET", "/nowhere", None),
];

async fn one_answer_for_every_route(authorizer: &str) {
    let chain = Chain::start_with(&sample(authorizer)).await;
    let forge = ChainForge::open(&chain, "orders").await;
    let base = format!("{}/orders", chain.address("aws"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let scopes =
        ["customers:read", "customers:read profile:read", "customers:write files:read", "profile:read"];
    for (number, scope) in scopes.into_iter().enumerate() {
        // Each request comes first once: what it is answered with is what all the others meet.
        for (first, (_, target, _)) in REQUESTS.iter().enumerate() {
            let id = format!("{number}-{first}");
            let bearer = token(&forge, now, &json!({}), &json!({ "scope": scope, "jti": id, "txn": id }));
            let bearer = format!("Bearer {bearer}");
            for (method, target, needs) in REQUESTS.iter().cycle().skip(first).take(REQUESTS.len()) {
                let answer = send(method, &base, target, &[("authorization", &bearer)], "").await;
                let allowed = needs.is_some_and(|needs| {
                    needs.split(' ').all(|need| scope.split(' ').any(|have| have == need))
                });
                let status = if allowed { 200 } else { 403 };
                assert_eq!(
                    answer.status, status,
                    "{authorizer}: {method} {target} with `{scope}`, first {first}"
                );
                if allowed {
                    let caller = &answer.json()["caller"];
                    assert_eq!(
                        (&caller["sub"], &caller["txn"]),
                        (&json!("alice"), &json!(id)),
                        "{method} {target}"
                    );
                }
            }
            // Asked once for all of them: the next decision on record is another token's.
            let decision = chain.decision(|decision| decision["subject"] == "gate").await;
            assert_eq!(decision["txn"], id, "{target}: {decision}");
        }
    }
}

#[tokio::test]
async fn attack_26_a_rest_token_authorizer_is_asked_once_and_right_for_every_route() {
    one_answer_for_every_route("rest-token").await;
}

#[tokio::test]
async fn attack_26_an_http_api_authorizer_is_asked_once_and_right_for_every_route() {
    one_answer_for_every_route("http-2.0-iam").await;
}
