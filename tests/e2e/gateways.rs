//! Parity: a decision does not depend on the gateway. One corpus through every kind of gateway, and through `decide`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: what breaks must fail loudly"
)]

use std::{
    io::Write,
    process::{Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use drawbridge_tests::{
    binary::drawbridge,
    chain::Chain,
    corpus::{Case, corpus},
    forge::ChainForge,
    http::send,
};
use serde_json::{Value, json};

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// The sample with `orders` behind one kind of gateway.
fn sample(local: &Value, store: &str) -> String {
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
                // The corpus asks for more kids that never were than a source may in a minute.
                "key_cache": { "fetches_per_minute": 6000, "fetches_per_minute_and_source": 6000 },
            },
        },
        "stores": {
            "aws": { "secrets_manager": { "prefix": "drawbridge", "region": "eu-west-1" } },
            "azure": { "key_vault": { "url": "https://contoso-keys.vault.azure.net" } },
        },
        "backends": {
            "orders": {
                "issuer": "edge", "store": store, "upstream": "https://orders.example.com",
                "routes": [{ "path": "/customers/{customer}", "methods": ["GET"], "scopes": ["customers:read"] }],
                "claims": { "roles": "/realm_access/roles", "region": "/custom/region" },
                "context": ["sub", "roles", "txn"],
            },
        },
        "consumers": "login",
        "local": local,
    })
    .to_string()
}

/// What a gateway of this kind cannot see of a case, and so decides without it: the reason that it gives instead.
type Blind = fn(&Case) -> Option<&'static str>;

/// Sends the whole corpus and compares status and reason.
async fn through(local: Value, store: &str, gateway: &str, status: fn(&str) -> u16, blind: Blind) {
    let chain = Chain::start_with(&sample(&local, store)).await;
    let forge = ChainForge::open(&chain, "orders").await;
    sent(&chain, corpus(&forge, now()), gateway, status, blind).await;
}

/// Sends these cases and compares status and reason.
async fn sent(chain: &Chain, cases: Vec<Case>, gateway: &str, status: fn(&str) -> u16, blind: Blind) {
    let base = format!("{}/orders", chain.address(gateway));
    let mut wrong = Vec::new();
    for case in cases {
        let reason = blind(&case).unwrap_or(case.reason);
        let headers: Vec<_> =
            case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = send(&case.method, &base, &case.target, &headers, "").await;
        if answer.status.as_u16() != status(reason) {
            wrong.push(format!("{}: {} instead of {} ({reason})", case.name, answer.status, status(reason)));
            if answer.status == 200 {
                chain.decision(|decision| decision["subject"] == "gate").await;
            }
        }
        // Where the gateway answers without asking there is no decision of the gate.
        if gateway == "aws" && reason == "credentials.missing" {
            continue;
        }
        let decision = chain.decision(|decision| decision["subject"] == "gate").await;
        if decision["reason"] != reason {
            wrong.push(format!("{}: {} instead of {reason}", case.name, decision["reason"]));
        }
        if answer.status == 200 {
            let told = answer.json();
            assert!(
                !answer.text().contains("root\"") || case.name.contains("injection"),
                "{}: {told}",
                case.name
            );
        }
    }
    assert!(wrong.is_empty(), "{} of the corpus went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// API Gateway: `Unauthorized` is 401, an explicit deny 403, anything else of the authorizer 500.
fn aws_status(reason: &str) -> u16 {
    match reason {
        "allowed" => 200,
        reason if forward_status(reason) == 401 => 401,
        reason if forward_status(reason) == 503 => 500,
        _ => 403,
    }
}

/// The forward-auth answer, which Azure passes on.
fn forward_status(reason: &str) -> u16 {
    match reason {
        "allowed" => 200,
        "request.malformed"
        | "request.method_override"
        | "request.identity_header"
        | "request.path_refused"
        | "credentials.ambiguous" => 400,
        "route.unknown" | "scope.missing" | "policy.denied" | "context.too_large" => 403,
        "key.unavailable" | "internal" => 503,
        _ => 401,
    }
}

fn sees_everything(_: &Case) -> Option<&'static str> {
    None
}

/// A header identity source that is missing is answered without a call.
fn needs_the_header(case: &Case) -> Option<&'static str> {
    (!case.headers.iter().any(|(name, _)| name == "authorization")).then_some("credentials.missing")
}

/// A TOKEN authorizer is told the token and the method ARN: neither the other headers nor the query.
fn sees_the_token_alone(case: &Case) -> Option<&'static str> {
    match case.reason {
        "request.method_override" | "request.identity_header" => Some("allowed"),
        "credentials.ambiguous"
            if case.target.contains("access_token=") && needs_the_header(case).is_none() =>
        {
            Some("allowed")
        }
        _ => needs_the_header(case),
    }
}

#[tokio::test]
async fn the_corpus_through_a_rest_token_authorizer() {
    through(json!({ "aws": { "authorizer": "rest-token" } }), "aws", "aws", aws_status, sees_the_token_alone)
        .await;
}

#[tokio::test]
async fn the_corpus_through_a_rest_request_authorizer() {
    through(json!({ "aws": { "authorizer": "rest-request" } }), "aws", "aws", aws_status, needs_the_header)
        .await;
}

#[tokio::test]
async fn the_corpus_through_an_http_api_1_0_authorizer() {
    through(json!({ "aws": { "authorizer": "http-1.0" } }), "aws", "aws", aws_status, needs_the_header).await;
}

#[tokio::test]
async fn the_corpus_through_an_http_api_2_0_authorizer_that_answers_policies() {
    through(json!({ "aws": { "authorizer": "http-2.0-iam" } }), "aws", "aws", aws_status, needs_the_header)
        .await;
}

#[tokio::test]
async fn the_corpus_through_an_http_api_2_0_authorizer_that_answers_simply() {
    through(
        json!({ "aws": { "authorizer": "http-2.0-simple" } }),
        "aws",
        "aws",
        aws_status,
        needs_the_header,
    )
    .await;
}

/// A WebSocket API has one route and no path: of the corpus everything that is about the token, its headers and the query.
#[tokio::test]
async fn the_corpus_through_a_websocket_api() {
    let config = sample(&json!({ "aws": { "authorizer": "websocket" } }), "aws");
    let chain = Chain::start_with(&config.replace("/customers/{customer}", "/$connect")).await;
    let forge = ChainForge::open(&chain, "orders").await;
    let all = corpus(&forge, now());
    let count = all.len();
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let cases: Vec<_> = all
        .into_iter()
        .filter_map(|mut case| {
            let query = case.target.strip_prefix("/customers/42")?.to_owned();
            if case.method != "GET" || !(query.is_empty() || query.starts_with('?')) {
                return None;
            }
            case.target = query;
            case.headers.extend(upgrade.map(|(name, value)| (name.to_owned(), value.to_owned())));
            Some(case)
        })
        .collect();
    assert!(cases.len() >= 250 && cases.len() * 4 > count * 3, "{} of {count}", cases.len());
    let status = |reason: &str| if reason == "allowed" { 101 } else { aws_status(reason) };
    sent(&chain, cases, "aws", status, needs_the_header).await;
}

#[tokio::test]
async fn the_corpus_through_an_azure_handler_in_forward_mode() {
    through(json!({ "azure": { "mode": "forward" } }), "azure", "azure", forward_status, sees_everything)
        .await;
}

#[tokio::test]
async fn the_corpus_through_an_azure_handler_in_proxy_mode() {
    through(json!({ "azure": { "mode": "proxy" } }), "azure", "azure", forward_status, sees_everything).await;
}

#[tokio::test]
async fn the_corpus_through_an_azure_handler_in_invoke_mode() {
    through(json!({ "azure": { "mode": "invoke" } }), "azure", "azure", forward_status, sees_everything)
        .await;
}

/// What a forward-auth client asks: the original request described in headers (nginx `auth_request`, API Management).
#[tokio::test]
async fn the_corpus_through_forward_auth() {
    let chain = Chain::start_with(&sample(&json!({}), "azure")).await;
    let forge = ChainForge::open(&chain, "orders").await;
    let mut wrong = Vec::new();
    for case in corpus(&forge, now()) {
        let mut headers: Vec<_> =
            case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        headers
            .extend([("x-original-method", case.method.as_str()), ("x-original-uri", case.target.as_str())]);
        let answer = send("GET", chain.address("azure"), "/api/authorize", &headers, "").await;
        let decision = chain.decision(|decision| decision["subject"] == "gate").await;
        if answer.status.as_u16() != forward_status(case.reason) || decision["reason"] != case.reason {
            wrong.push(format!(
                "{}: {} {} instead of {}",
                case.name, answer.status, decision["reason"], case.reason
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of the corpus went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn the_corpus_through_decide() {
    let chain = Chain::start_with(&sample(&json!({}), "aws")).await;
    let forge = ChainForge::open(&chain, "orders").await;
    let now = now();
    let cases = corpus(&forge, now);

    let mut decide = Command::new(drawbridge())
        .args(["decide", "--at", &now.to_string(), "--config"])
        .arg(chain.effective_config())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = decide.stdin.take().unwrap();
    let lines: Vec<String> = cases
        .iter()
        .enumerate()
        .map(|(id, case)| {
            let mut headers = serde_json::Map::new();
            for (name, value) in &case.headers {
                let values = headers.entry(name.clone()).or_insert_with(|| json!([]));
                values.as_array_mut().unwrap().push(json!(value));
            }
            json!({
                "id": id, "method": case.method, "uri": case.target, "headers": headers, "source_ip": "127.0.0.1",
                "client_certificate": null,
            })
            .to_string()
        })
        .collect();
    let writer = std::thread::spawn(move || {
        for line in lines {
            writeln!(input, "{line}").unwrap();
        }
    });
    let output = decide.wait_with_output().unwrap();
    writer.join().unwrap();
    assert_eq!(output.status.code(), Some(2), "some were denied");

    let answers: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), cases.len());
    for (id, (case, answer)) in cases.iter().zip(&answers).enumerate() {
        assert_eq!(answer["id"], id, "in order");
        assert_eq!(answer["reason"], case.reason, "{}: {answer}", case.name);
        assert_eq!(answer["status"], forward_status(case.reason), "{}", case.name);
        assert_eq!(
            answer["decision"],
            if case.reason == "allowed" { "allow" } else { "deny" },
            "{}",
            case.name
        );
    }
}
