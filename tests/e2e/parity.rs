//! A law: a decision does not depend on the gateway that asks for it.
//!
//! The Lambda authorizer is given each native event shape of a request, the gate the request itself; all put the same reason on
//! record.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what breaks must fail loudly"
)]

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, LazyLock},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_aws_authorizer::Authorizer;
use drawbridge_config::{Environment, load};
use drawbridge_gate::{Gate, Headers, NoAudit, Request, gate_for_backend, open_directory};
use drawbridge_keys::{HttpClient, KeyAlgorithm, KeyStore, directory::DirectoryStore};
use drawbridge_tests::{
    corpus::{Forge, token},
    forge::ChainForge,
};
use drawbridge_verify::{Algorithm, KeyUse, UnixTime};
use proptest::{prelude::*, test_runner::TestRunner};
use rcgen::{Certificate, CertificateParams, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const NOW: i64 = 1_800_000_000;

/// A request as it could come to any gateway.
#[derive(Clone, Debug)]
struct Asked {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    /// What is changed in a right token; none for no token.
    claims: Option<Value>,
    /// The certificate that the client shows.
    certificate: Option<&'static Certificate>,
}

/// What tokens are bound to here, and another one.
static OURS: LazyLock<Certificate> = LazyLock::new(|| certificate("ada"));
static OTHER: LazyLock<Certificate> = LazyLock::new(|| certificate("eve"));

fn certificate(name: &str) -> Certificate {
    let key = KeyPair::generate().unwrap();
    CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap()
}

fn asked() -> impl Strategy<Value = Asked> {
    let segment = prop_oneof![
        4 => "[a-z0-9]{1,6}",
        2 => Just("customers".to_owned()),
        1 => "(\\.\\.?|%2[efEF5]|a;b|%41|caf%C3%A9|a%20b|\\*|:|~|\\$connect)",
    ];
    let path = prop::collection::vec(segment, 0..4).prop_map(|segments| format!("/{}", segments.join("/")));
    let path = prop_oneof![3 => path, 2 => "/customers/[a-z0-9]{1,8}", 1 => Just("/regions/eu/customers".to_owned())];
    let claims = prop_oneof![
        4 => Just(json!({})),
        1 => Just(json!({ "scope": "other" })),
        1 => Just(json!({ "scope": null })),
        1 => Just(json!({ "aud": "billing" })),
        1 => Just(json!({ "sub": "" })),
        1 => Just(json!({ "cnf": { "x5t#S256": "bDlN" } })),
        2 => Just(json!({ "cnf": { "x5t#S256": URL_SAFE_NO_PAD.encode(digest(&SHA256, OURS.der())) } })),
        1 => (-400..400i64).prop_map(|shift| json!({ "iat": NOW + shift, "exp": NOW + shift + 120 })),
        1 => (0..600i64).prop_map(|life| json!({ "exp": NOW + life })),
    ];
    let header = prop_oneof![
        Just(("x-forwarded-for".to_owned(), "10.0.0.1".to_owned())),
        Just(("x-drawbridge-sub".to_owned(), "root".to_owned())),
        Just(("x-http-method-override".to_owned(), "DELETE".to_owned())),
        Just(("accept".to_owned(), "*/*".to_owned())),
    ];
    let method = prop_oneof![4 => Just("GET"), 1 => Just("POST"), 1 => Just("HEAD"), 1 => Just("DELETE")];
    let query = prop_oneof![4 => Just(String::new()), 1 => "[a-z]{1,4}=[a-z0-9]{0,4}", 1 => Just("access_token=x".to_owned())];
    let certificate = prop_oneof![2 => Just(None), 2 => Just(Some(&*OURS)), 1 => Just(Some(&*OTHER))];
    let headers = prop::collection::vec(header, 0..2);
    (method, path, query, headers, prop::option::weighted(0.9, claims), certificate).prop_map(
        |(method, path, query, headers, claims, certificate)| Asked {
            method: method.to_owned(),
            path,
            query,
            headers,
            claims,
            certificate,
        },
    )
}

impl Asked {
    /// The headers that are sent, the token's among them.
    fn sent(&self, forge: &dyn Forge) -> BTreeMap<String, String> {
        let token = self.claims.as_ref().map(|claims| token(forge, NOW, &json!({}), claims));
        let authorization = token.map(|token| ("authorization".to_owned(), format!("Bearer {token}")));
        self.headers.iter().cloned().chain(authorization).collect()
    }
}

/// API Gateway's events of one request, each as its documentation has it.
fn events(asked: &Asked, headers: &BTreeMap<String, String>) -> [(&'static str, Value); 3] {
    let arn =
        format!("arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod/{}{}", asked.method, asked.path);
    let pairs: BTreeMap<&str, &str> =
        asked.query.split_once('=').filter(|_| !asked.query.is_empty()).into_iter().collect();
    let many = |map: &BTreeMap<String, String>| -> BTreeMap<String, Vec<String>> {
        map.iter().map(|(name, value)| (name.clone(), vec![value.clone()])).collect()
    };
    let lists: BTreeMap<_, _> = pairs.iter().map(|(name, value)| (*name, vec![*value])).collect();
    let context = json!({
        "path": format!("/prod{}", asked.path), "accountId": "123456789012", "resourceId": "abc", "stage": "prod", "requestId": "r-1",
        "identity": { "sourceIp": "192.0.2.1" }, "httpMethod": asked.method, "apiId": "abcdef123",
    });
    let rest = json!({
        "type": "REQUEST", "methodArn": arn, "resource": "/{proxy+}", "path": asked.path, "httpMethod": asked.method,
        "headers": headers, "multiValueHeaders": many(headers), "queryStringParameters": pairs,
        "multiValueQueryStringParameters": lists, "pathParameters": {}, "stageVariables": {}, "requestContext": context,
    });
    let mut one = rest.clone();
    one["version"] = json!("1.0");
    one["identitySource"] = json!(headers.get("authorization").cloned().unwrap_or_default());
    one["authorizationToken"] = one["identitySource"].clone();
    let two = json!({
        "version": "2.0", "type": "REQUEST", "routeArn": arn, "identitySource": [headers.get("authorization")],
        "routeKey": "$default", "rawPath": format!("/prod{}", asked.path), "rawQueryString": asked.query, "headers": headers,
        "queryStringParameters": pairs,
        "requestContext": {
            "accountId": "123456789012", "apiId": "abcdef123", "domainName": "abcdef123.execute-api.eu-west-1.amazonaws.com",
            "domainPrefix": "abcdef123", "requestId": "r-1", "routeKey": "$default", "stage": "prod",
            "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1_583_348_638_390_i64,
            "http": {
                "method": asked.method, "path": format!("/prod{}", asked.path), "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                "userAgent": "t",
            },
        },
    });
    let mut shapes = [("REST REQUEST", rest), ("HTTP 1.0", one), ("HTTP 2.0", two)];
    if let Some(certificate) = asked.certificate {
        let shown = json!({ "clientCertPem": certificate.pem() });
        for ((_, event), place) in shapes.iter_mut().zip(["identity", "identity", "authentication"]) {
            event["requestContext"][place]["clientCert"] = shown.clone();
        }
    }
    shapes
}

struct Settings(BTreeMap<&'static str, String>);

impl Environment for Settings {
    fn var(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// A gate and an authorizer of the same backend, and where the authorizer puts its decisions on record.
struct House {
    gate: Gate,
    authorizer: Authorizer,
    forge: ChainForge,
    folder: TempDir,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let orders = "orders".parse().unwrap();
        DirectoryStore::new(&keys)
            .create(&orders, KeyUse::Signing, KeyAlgorithm::Signature(Algorithm::ES256))
            .await
            .unwrap();
        let config = json!({
            "issuers": { "edge": {
                "issuer": "https://edge.example.com", "keys": { "store": "here" }, "algorithms": ["ES256"], "types": ["bridged+jwt"],
            } },
            "stores": { "here": { "directory": keys } },
            "backends": { "orders": {
                "issuer": "edge", "store": "here", "context": ["sub"],
                "routes": [
                    { "path": "/customers/{customer}", "methods": ["GET"], "scopes": ["customers:read"] },
                    { "path": "/regions/{region}/customers", "methods": ["GET", "POST"], "scopes": [] },
                ],
            } },
            "audit": { "ocsf": folder.path().join("audit.jsonl") },
        })
        .to_string();
        let loaded = load(&config, "parity", Path::new(".")).unwrap();
        let http = HttpClient::new(std::time::Duration::from_secs(1), false).unwrap();
        let gate = gate_for_backend(&loaded, &orders, &http, &open_directory, Arc::new(NoAudit)).unwrap();
        let settings = Settings(BTreeMap::from([
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9".to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", "orders".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
            ("DRAWBRIDGE_CONFIG", config),
            ("DRAWBRIDGE_BACKEND", "orders".to_owned()),
        ]));
        let authorizer = Authorizer::from_environment(&settings).unwrap();
        let forge = ChainForge::at(&keys, "orders", "https://edge.example.com").await;
        Self { gate, authorizer, forge, folder }
    }

    /// What the gate itself decides.
    async fn decided(&self, asked: &Asked, headers: &BTreeMap<String, String>) -> String {
        let target = if asked.query.is_empty() {
            asked.path.clone()
        } else {
            format!("{}?{}", asked.path, asked.query)
        };
        let certificate = asked.certificate.map(Certificate::pem);
        let request = Request {
            method: &asked.method,
            target: &target,
            headers: headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_bytes()))
                .collect::<Headers<'_>>(),
            source_ip: None,
            client_certificate: certificate.as_ref().map(|pem| pem.as_bytes()),
            request_id: None,
        };
        self.gate.decide(&request, UnixTime::from_secs(NOW)).await.reason().code().to_owned()
    }

    /// The reason that the last decision of the authorizer has on record.
    fn recorded(&self) -> String {
        let lines = std::fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap();
        let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        last["status_code"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_decision_does_not_depend_on_the_gateway() {
    let runtime = Runtime::new().unwrap();
    let house = runtime.block_on(House::new());
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
    runner
        .run(&asked(), |asked| {
            let headers = asked.sent(&house.forge);
            let expected = runtime.block_on(house.decided(&asked, &headers));
            seen.borrow_mut().insert(expected.clone());
            for (shape, event) in events(&asked, &headers) {
                let answer = runtime.block_on(house.authorizer.answer(
                    event.to_string().as_bytes(),
                    "i-1",
                    UnixTime::from_secs(NOW),
                ));
                prop_assert_eq!(house.recorded(), expected.as_str(), "{}: {}", shape, event);
                let allowed = answer.is_ok_and(|answer| {
                    let answer = serde_json::to_value(&answer).unwrap();
                    answer["isAuthorized"] == true
                        || answer["policyDocument"]["Statement"][0]["Effect"] == "Allow"
                });
                // A policy may allow other routes and deny this one by its denies; a simple answer is about this request alone.
                if shape == "HTTP 2.0" {
                    prop_assert_eq!(allowed, expected == "allowed", "{}", shape);
                } else if expected == "allowed" {
                    prop_assert!(allowed, "{}", shape);
                }
            }
            Ok(())
        })
        .unwrap();
    let seen = seen.into_inner();
    for reason in [
        "allowed",
        "route.unknown",
        "scope.missing",
        "credentials.missing",
        "request.path_refused",
        "sender.mismatch",
    ] {
        assert!(seen.contains(reason), "{reason} never came up: {seen:?}");
    }
}
