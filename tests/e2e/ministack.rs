//! An API Gateway that was not written here: MiniStack runs the functions' own binaries behind every kind of authorizer, and the
//! corpus gets the decisions that it gets through the local gateways. The keys are in its Secrets Manager, and the authorizer asks
//! for them at the key endpoint that stands behind an API of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::string_slice,
    reason = "test code: what breaks must fail loudly"
)]

use std::{
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_secretsmanager::config::Credentials;
use axum::Router;
use drawbridge_aws::SecretsManager;
use drawbridge_keys::{BackendName, KeyStore, Signer};
use drawbridge_tests::{
    binary::build,
    corpus::{Case, Forge, corpus},
    http::send,
    parts::MiniStack,
};
use drawbridge_verify::KeyUse;
use futures_util::FutureExt;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The kinds of authorizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    RestToken,
    RestRequest,
    Http10,
    Http20Iam,
    Http20Simple,
}

impl Shape {
    const fn is_rest(self) -> bool {
        matches!(self, Self::RestToken | Self::RestRequest)
    }

    /// Who is not asked: `{proxy+}` of a REST API does not match `/`, and a source that is missing is answered at once.
    fn unasked(self, case: &Case) -> Option<u16> {
        let source = case.headers.iter().any(|(name, _)| name == "authorization");
        match self {
            _ if self.is_rest() && case.target == "/" => Some(403),
            // Emulator: it answers `OPTIONS` of an HTTP API as if it were a preflight, also where CORS is not configured.
            _ if !self.is_rest() && case.method == "OPTIONS" => Some(403),
            // Emulator: an authorizer of the kind REQUEST without a cache is asked whether its source is there or not.
            Self::RestRequest => None,
            _ => (!source).then_some(401),
        }
    }

    /// The reason that is given: for what a gateway does not tell its authorizer, another one than the case's.
    fn reason(self, case: &Case) -> &'static str {
        match (self, case.reason) {
            (Self::RestToken, "request.method_override" | "request.identity_header") => "allowed",
            (Self::RestToken, "credentials.ambiguous") if case.target.contains("access_token=") => "allowed",
            // Emulator: slashes at the beginning of a path are not in the method ARN.
            (Self::RestToken, "request.path_refused") if case.target.starts_with("//customers/") => "allowed",
            (_, reason) => {
                let decoded = DECODED.iter().find(|(target, _)| *target == case.target);
                decoded.map_or(reason, |(_, reason)| reason)
            }
        }
    }

    /// The status of a decision.
    fn status(self, case: &Case, reason: &str) -> u16 {
        match reason {
            // Emulator: it cannot send on what it decoded.
            "allowed" if case.target.contains('%') => {
                if self.is_rest() {
                    500
                } else {
                    502
                }
            }
            "allowed" => 200,
            "request.malformed"
            | "request.method_override"
            | "request.identity_header"
            | "request.path_refused"
            | "credentials.ambiguous" => 403,
            "route.unknown" | "scope.missing" | "policy.denied" | "context.too_large" => 403,
            "key.unavailable" | "internal" => 500,
            // Emulator: `Unauthorized` of an HTTP API's authorizer is a failure like any other; the real one answers 401.
            _ if !self.is_rest() => 500,
            _ => 401,
        }
    }
}

/// Emulator: it decodes paths before it tells them, as none of the real ones does, and puts U+FFFD for what is no UTF-8. The reasons
/// that paths then get which are refused for their spelling.
const DECODED: [(&str, &str); 3] = [
    ("/customers/a%2fb", "route.unknown"),
    ("/customers/a%2Fb", "route.unknown"),
    ("/customers/%c3", "allowed"),
];

/// Signs with the key that is in Secrets Manager.
struct SecretForge(Arc<dyn Signer>);

impl Forge for SecretForge {
    fn kid(&self) -> String {
        self.0.kid().to_string()
    }

    fn sign(&self, input: &str) -> Vec<u8> {
        self.0.sign(input.as_bytes()).now_or_never().expect("a key in this process signs at once").unwrap()
    }

    fn issuer(&self) -> String {
        "https://edge.example.com".to_owned()
    }
}

/// An account with the functions and one API of every kind.
struct Account {
    services: MiniStack,
    folder: TempDir,
    upstream: String,
}

impl Account {
    async fn start() -> Option<(Self, SecretForge)> {
        let services = MiniStack::start()?;
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(services.url())
            .load()
            .await;
        let store = SecretsManager::over("drawbridge", &sdk);
        let orders: BackendName = "orders".parse().unwrap();
        store.create(&orders, KeyUse::Signing, "ES256".parse().unwrap()).await.unwrap();
        let forge = SecretForge(store.signer(&orders).await.unwrap());

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(|| async { "here" });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Some((Self { services, folder: tempfile::tempdir().unwrap(), upstream }, forge))
    }

    /// The file that every instance of the authorizer writes its decisions to.
    fn decisions(&self) -> PathBuf {
        self.folder.path().join("decisions.jsonl")
    }

    fn config(&self, keys: &str) -> String {
        json!({
            "issuers": { "edge": {
                "issuer": "https://edge.example.com", "keys": { "jwks": keys }, "algorithms": ["ES256"],
                "types": ["bridged+jwt"], "max_lifetime": "5m", "relax": ["allow_http_on_loopback"],
                // The corpus asks for more kids that never were than a source may in a minute.
                "key_cache": { "fetches_per_minute": 6000, "fetches_per_minute_and_source": 6000 },
            } },
            "stores": { "aws": { "secrets_manager": { "prefix": "drawbridge", "region": "eu-west-1" } } },
            "backends": { "orders": {
                "issuer": "edge", "store": "aws",
                "routes": [{ "path": "/customers/{customer}", "methods": ["GET"], "scopes": ["customers:read"] }],
                "claims": { "roles": "/realm_access/roles", "region": "/custom/region" },
                "context": ["sub", "roles", "txn"],
            } },
            "audit": { "ocsf": self.decisions() },
        })
        .to_string()
    }

    /// A REST API of which every request goes upstream through `authorizer`. Gives its address.
    async fn rest_api(&self, name: &str, authorizer: Value) -> String {
        let api = self.services.ask("apigateway", "/restapis", &json!({ "name": name })).await;
        let (api, root) = (api["id"].as_str().unwrap(), api["rootResourceId"].as_str().unwrap());
        let at = format!("/restapis/{api}");
        let authorizer = self.services.ask("apigateway", &format!("{at}/authorizers"), &authorizer).await;
        let proxy = self
            .services
            .ask("apigateway", &format!("{at}/resources/{root}"), &json!({ "pathPart": "{proxy+}" }))
            .await;
        let method = format!("{at}/resources/{}/methods/ANY", proxy["id"].as_str().unwrap());
        self.services
            .ask(
                "apigateway",
                &method,
                &json!({
                    "authorizationType": "CUSTOM", "authorizerId": authorizer["id"],
                    "requestParameters": { "method.request.path.proxy": true },
                }),
            )
            .await;
        self.services
            .ask(
                "apigateway",
                &format!("{method}/integration"),
                &json!({
                    "type": "HTTP_PROXY", "httpMethod": "ANY", "uri": format!("{}/{{proxy}}", self.upstream),
                    "requestParameters": { "integration.request.path.proxy": "method.request.path.proxy" },
                }),
            )
            .await;
        self.services.ask("apigateway", &format!("{at}/deployments"), &json!({ "stageName": "prod" })).await;
        format!("{}/_aws/execute-api/{api}/prod", self.services.url())
    }

    /// The key endpoint behind an HTTP API. Gives what to write at `keys.jwks`.
    async fn key_endpoint(&self) -> String {
        let binary = build("drawbridge-aws-jwks", "aws-jwks");
        let environment = json!({
            "DRAWBRIDGE_CONFIG": self.config("https://keys.example.com/jwks/{backend}/{kid}"),
            "AWS_ENDPOINT_URL": self.services.url(),
        });
        let arn = self.services.function("jwks", &binary, environment).await;
        let integration =
            json!({ "integrationType": "AWS_PROXY", "integrationUri": arn, "payloadFormatVersion": "2.0" });
        format!("{}/jwks/{{backend}}/{{kid}}", self.services.http_api("keys", integration, None).await)
    }

    /// An API of one kind in front of the upstream. Gives its address.
    async fn gateway(&self, shape: Shape, keys: &str) -> String {
        let binary = build("drawbridge-aws-authorizer", "aws-authorizer");
        let environment = json!({
            "DRAWBRIDGE_CONFIG": self.config(keys), "DRAWBRIDGE_BACKEND": "orders",
            "DRAWBRIDGE_HTTP_RESPONSE": if shape == Shape::Http20Simple { "simple" } else { "iam" },
        });
        let arn = self.services.function("authorizer", &binary, environment).await;
        let uri = format!("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{arn}/invocations");
        if shape.is_rest() {
            let kind = if shape == Shape::RestToken { "TOKEN" } else { "REQUEST" };
            let authorizer = json!({
                "name": "drawbridge", "type": kind, "authorizerUri": uri, "authorizerResultTtlInSeconds": 0,
                "identitySource": "method.request.header.Authorization",
            });
            return self.rest_api("orders", authorizer).await;
        }
        let authorizer = json!({
            "name": "drawbridge", "authorizerType": "REQUEST", "authorizerUri": uri, "authorizerResultTtlInSeconds": 0,
            "authorizerPayloadFormatVersion": if shape == Shape::Http10 { "1.0" } else { "2.0" },
            "enableSimpleResponses": shape == Shape::Http20Simple, "identitySource": ["$request.header.Authorization"],
        });
        let integration = json!({
            "integrationType": "HTTP_PROXY", "integrationMethod": "ANY", "integrationUri": self.upstream,
            "payloadFormatVersion": "1.0",
        });
        self.services.http_api("orders", integration, Some(authorizer)).await
    }

    /// The reasons of the decisions that were recorded since `from` bytes, and how many bytes there are now.
    fn recorded(&self, from: usize) -> (Vec<String>, usize) {
        let text = std::fs::read_to_string(self.decisions()).unwrap_or_default();
        let reasons = text[from..].lines().map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["status_code"].as_str().unwrap().to_owned()
        });
        (reasons.collect(), text.len())
    }
}

async fn through(shape: Shape) {
    let Some((account, forge)) = Account::start().await else { return };
    let base = account.gateway(shape, &account.key_endpoint().await).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let cases = corpus(&forge, now);
    let (mut wrong, mut at) = (Vec::new(), 0);
    for case in &cases {
        let headers: Vec<_> =
            case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = send(&case.method, &base, &case.target, &headers, "").await;
        let (reasons, end) = account.recorded(at);
        at = end;
        let (expected, status) = match shape.unasked(case) {
            Some(status) => (None, status),
            None => (Some(shape.reason(case)), shape.status(case, shape.reason(case))),
        };
        if answer.status.as_u16() != status || reasons != Vec::from_iter(expected) {
            wrong.push(format!(
                "{} ({} {}): {} {reasons:?} instead of {status} {expected:?}",
                case.name, case.method, case.target, answer.status
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} went wrong:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    println!("{shape:?}: {} cases", cases.len());
}

#[tokio::test]
async fn the_corpus_through_somebody_elses_rest_api_with_a_token_authorizer() {
    through(Shape::RestToken).await;
}

#[tokio::test]
async fn the_corpus_through_somebody_elses_rest_api_with_a_request_authorizer() {
    through(Shape::RestRequest).await;
}

#[tokio::test]
async fn the_corpus_through_somebody_elses_http_api_1_0() {
    through(Shape::Http10).await;
}

#[tokio::test]
async fn the_corpus_through_somebody_elses_http_api_2_0_that_takes_policies() {
    through(Shape::Http20Iam).await;
}

#[tokio::test]
async fn the_corpus_through_somebody_elses_http_api_2_0_that_takes_simple_answers() {
    through(Shape::Http20Simple).await;
}
