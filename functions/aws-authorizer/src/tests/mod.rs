//! The function from event to answer, with a real gate, a real key and a token of its own.

mod sender;
mod shapes;
mod stage;

use std::path::Path;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_config::load;
use drawbridge_gate::{Allow, Decision};
use drawbridge_keys::{KeyAlgorithm, KeyStore, directory::DirectoryStore};
use drawbridge_policy::Routes;
use drawbridge_verify::{Algorithm, KeyUse};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::{policy::Kept, settings::HttpResponse};

const EVENTS: [(&str, &str); 5] = [
    ("REST TOKEN", include_str!("fixtures/rest_token.json")),
    ("REST REQUEST", include_str!("fixtures/rest_request.json")),
    ("HTTP 1.0", include_str!("fixtures/http_1_0.json")),
    ("HTTP 2.0", include_str!("fixtures/http_2_0.json")),
    ("WebSocket", include_str!("fixtures/websocket_connect.json")),
];

const NOW: i64 = 1_800_000_000;
const STAGE: &str = "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod";

/// An authorizer of `orders`, and the key that its tokens are signed with.
struct Fixture {
    authorizer: Authorizer,
    store: DirectoryStore,
    folder: TempDir,
}

impl Fixture {
    async fn new(http_response: HttpResponse) -> Self {
        Self::with_context(http_response, "[sub, roles]").await.unwrap()
    }

    async fn with_context(http_response: HttpResponse, context: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let store = DirectoryStore::new(folder.path().join("keys"));
        let backend = "orders".parse().unwrap();
        store.create(&backend, KeyUse::Signing, KeyAlgorithm::Signature(Algorithm::ES256)).await.unwrap();
        let config = load(&CONFIG.replace("CONTEXT", context), "drawbridge.yaml", folder.path()).unwrap();
        let authorizer = Authorizer::build(Settings { backend, http_response }, config)
            .map_err(|error| error.to_string())?;
        Ok(Self { authorizer, store, folder })
    }

    /// A right token with some claims set otherwise.
    async fn token(&self, changes: Value) -> String {
        let signer = self.store.signer(&"orders".parse().unwrap()).await.unwrap();
        let header = json!({ "alg": "ES256", "typ": "bridged+jwt", "kid": signer.kid().to_string() });
        let mut claims = json!({
            "iss": "https://edge.example.com", "aud": "orders", "sub": "alice", "jti": "1", "client_id": "partner",
            "iat": NOW, "exp": NOW + 120, "scope": "customers:read", "roles": ["sales"],
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let input = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = signer.sign(input.as_bytes()).await.unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    async fn answer(&self, event: &str) -> Result<Value, Refusal> {
        let answer =
            self.authorizer.answer(event.as_bytes(), "invocation-1", UnixTime::from_secs(NOW)).await?;
        Ok(serde_json::to_value(&answer).unwrap())
    }

    fn audit(&self) -> Vec<Value> {
        let lines = std::fs::read_to_string(self.folder.path().join("audit")).unwrap_or_default();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

const CONFIG: &str = r#"
issuers:
  edge:
    issuer: https://edge.example.com
    keys: { store: here }
    algorithms: [ES256]
    types: [bridged+jwt]
stores:
  here: { directory: keys }
backends:
  orders:
    issuer: edge
    store: here
    routes:
      - { path: "/customers/{customer}", methods: [GET], scopes: ["customers:read"] }
      - { path: "/customers/{customer}/orders", methods: [GET], scopes: ["orders:read"] }
      - { path: "/$connect", methods: [GET], scopes: ["customers:read"] }
    claims: { roles: /roles, claims: /claims, principalId: /id, principal: /principal }
    context: CONTEXT
audit: { ocsf: audit }
"#;

#[tokio::test]
async fn every_kind_of_event_is_allowed_with_a_right_token() {
    let fixture = Fixture::new(HttpResponse::Iam).await;
    let token = fixture.token(json!({})).await;
    for (kind, event) in EVENTS {
        let answer = fixture
            .answer(&event.replace("{token}", &token))
            .await
            .unwrap_or_else(|refusal| panic!("{kind}: {refusal}"));
        assert_eq!(answer["principalId"], "alice", "{kind}");
        assert_eq!(
            answer["context"],
            json!({ "sub": "alice", "roles": "[\"sales\"]", "principal": "alice" }),
            "{kind}"
        );
        assert_eq!(answer["usageIdentifierKey"], Value::Null);
        let statement = &answer["policyDocument"]["Statement"][0];
        let tail = if kind == "WebSocket" { "$connect" } else { "GET/customers/*" };
        assert_eq!(
            *statement,
            json!({ "Action": "execute-api:Invoke", "Effect": "Allow", "Resource": [format!("{STAGE}/{tail}")] }),
            "{kind}"
        );
    }
    assert_eq!(fixture.audit().len(), EVENTS.len());
}

#[tokio::test]
async fn an_http_api_is_answered_simply_where_that_is_set() {
    let fixture = Fixture::new(HttpResponse::Simple).await;
    let event = include_str!("fixtures/http_2_0.json");
    let answer = fixture.answer(&event.replace("{token}", &fixture.token(json!({})).await)).await.unwrap();
    let context = json!({ "sub": "alice", "roles": "[\"sales\"]", "principal": "alice" });
    assert_eq!(answer, json!({ "isAuthorized": true, "context": context }));

    let answer = fixture
        .answer(&event.replace("{token}", &fixture.token(json!({ "scope": "x" })).await))
        .await
        .unwrap();
    assert_eq!(answer["isAuthorized"], false);
    assert_eq!(answer["context"], json!({ "request_id": "JKJaXmPLvHcESHA=", "error": "insufficient_scope" }));

    // Only payload format 2.0 knows the simple form.
    let event = include_str!("fixtures/http_1_0.json");
    let answer = fixture.answer(&event.replace("{token}", &fixture.token(json!({})).await)).await.unwrap();
    assert_eq!(answer["isAuthorized"], Value::Null);
    assert_eq!(answer["principalId"], "alice");
}

#[tokio::test]
async fn attack_22_every_header_that_is_mapped_has_a_value_also_of_a_claim_that_the_token_lacks() {
    let fixture = Fixture::with_context(HttpResponse::Simple, "[sub, roles, client_id, txn]").await.unwrap();
    for (kind, event) in EVENTS {
        let event = event.replace("{token}", &fixture.token(json!({})).await);
        let context = fixture.answer(&event).await.unwrap()["context"].clone();
        let told = (&context["sub"], &context["client_id"], &context["txn"]);
        assert_eq!(told, (&json!("alice"), &json!("partner"), &json!("")), "{kind}");
    }
}

#[tokio::test]
async fn a_caller_who_is_not_known_is_the_error_that_api_gateway_makes_a_401_of() {
    let fixture = Fixture::new(HttpResponse::Simple).await;
    let expired = fixture.token(json!({ "iat": NOW - 300, "exp": NOW - 200 })).await;
    let foreign = fixture.token(json!({ "aud": "billing" })).await;
    for (kind, event) in EVENTS {
        for token in ["", "x", "a.b.c", &expired, &foreign] {
            let refusal = fixture.answer(&event.replace("{token}", token)).await.unwrap_err();
            assert_eq!(refusal, Refusal::Unauthorized, "{kind}: {token}");
        }
        let without = event.replace("\"Bearer {token}\"", "\"\"");
        assert_eq!(fixture.answer(&without).await.unwrap_err(), Refusal::Unauthorized, "{kind}");
    }
    let diagnostic = lambda_runtime::Diagnostic::from(Refusal::Unauthorized);
    assert_eq!(diagnostic.error_message, "Unauthorized", "exactly this text, or API Gateway answers 500");
    assert_ne!(lambda_runtime::Diagnostic::from(Refusal::Failure).error_message, "Unauthorized");
}

#[tokio::test]
async fn a_caller_who_may_not_is_an_explicit_deny_that_says_no_more_than_it_must() {
    let fixture = Fixture::new(HttpResponse::Iam).await;
    let token = fixture.token(json!({ "scope": "other", "roles": ["secret-role"] })).await;
    for (kind, event) in EVENTS {
        let answer = fixture.answer(&event.replace("{token}", &token)).await.unwrap();
        let statement =
            json!([{ "Action": "execute-api:Invoke", "Effect": "Deny", "Resource": [format!("{STAGE}/*")] }]);
        assert_eq!(answer["policyDocument"]["Statement"], statement, "{kind}");
        assert_eq!(answer["principalId"], "alice", "{kind}");
        assert_eq!(answer["context"]["error"], "insufficient_scope");
        assert!(!answer.to_string().contains("secret-role"));
        let request_id = answer["context"]["request_id"].as_str().unwrap();
        let expected = match kind {
            "REST TOKEN" => "invocation-1",
            "REST REQUEST" => "6cc2d9b2-1f75-4c3c-9a4a-9a2d1d2f6f3e",
            _ => "JKJaXmPLvHcESHA=",
        };
        assert_eq!(request_id, expected, "{kind}: the id of the audit line");
    }
}

#[tokio::test]
async fn a_path_that_is_refused_is_a_deny_without_a_principal() {
    let fixture = Fixture::new(HttpResponse::Iam).await;
    let event = include_str!("fixtures/rest_token.json").replace("customers/42", "customers/..%2fadmin");
    let answer = fixture.answer(&event.replace("{token}", &fixture.token(json!({})).await)).await.unwrap();
    assert_eq!(answer["policyDocument"]["Statement"][0]["Effect"], "Deny");
    assert_eq!(answer["principalId"], "unknown");
    assert_eq!(answer["context"]["error"], "invalid_request");
}

#[tokio::test]
async fn a_key_source_that_is_down_is_a_failure_and_no_decision_about_the_caller() {
    let fixture = Fixture::new(HttpResponse::Simple).await;
    let token = fixture.token(json!({})).await;
    std::fs::remove_dir_all(fixture.folder.path().join("keys")).unwrap();
    std::fs::write(fixture.folder.path().join("keys"), "not a folder").unwrap();
    for (kind, event) in EVENTS {
        let refusal = fixture.answer(&event.replace("{token}", &token)).await.unwrap_err();
        assert_eq!(refusal, Refusal::Failure, "{kind}");
    }
}

#[tokio::test]
async fn attack_33_an_event_of_no_known_form_is_a_failure_on_record() {
    let fixture = Fixture::new(HttpResponse::Simple).await;
    let events = [
        "",
        "null",
        "[]",
        "{}",
        "\"x\"",
        "{\"type\":\"TOKEN\"}",
        "{\"type\":1}",
        "{\"type\":\"token\"}",
        "{\"type\":\"TOKEN\",\"type\":\"TOKEN\"}",
        "{\"type\":\"TOKEN\",\"methodArn\":\"arn:aws:execute-api:eu-west-1:123456789012:abcdef123/*/GET/a\"}",
        "{\"type\":\"REQUEST\"}",
        "{\"type\":\"REQUEST\",\"version\":\"3.0\"}",
        "{\"type\":\"REQUEST\",\"version\":\"2.0\"}",
        "{\"type\":\"REQUEST\",\"httpMethod\":\"GET\"}",
        "{\"type\":\"REQUEST\",\"httpMethod\":\"GET\",\"path\":\"/\",\"headers\":[]}",
        "{\"type\":\"REQUEST\",\"httpMethod\":\"GET\",\"path\":\"/\",\"headers\":{\"a\":1}}",
        "{\"type\":\"REQUEST\",\"requestContext\":{\"eventType\":\"MESSAGE\"}}",
        "{\"type\":\"REQUEST\",\"requestContext\":null}",
    ];
    for event in events {
        assert_eq!(fixture.answer(event).await.unwrap_err(), Refusal::Failure, "{event}");
    }
    let lines = fixture.audit();
    assert_eq!(lines.len(), events.len());
    assert!(lines.iter().all(|line| line["status_code"] == "request.malformed"));
}

#[test]
fn an_answer_that_api_gateway_would_not_take_is_a_failure() {
    let event = Event::parse(EVENTS[3].1).unwrap();
    let routes = Routes::new(vec![]).unwrap();
    let answered = |length: usize| {
        let allow = Allow {
            principal: "alice".to_owned(),
            issuer: "https://edge.example.com".to_owned(),
            kid: "orders.sig.1".to_owned(),
            context: vec![("sub".to_owned(), "s".repeat(length))],
            route: "/customers/{customer}".to_owned(),
            expires_at: UnixTime::from_secs(NOW),
            request_id: "1".to_owned(),
        };
        let answers = Answers {
            stage_wide: None,
            told: Vec::new(),
            http_response: HttpResponse::Simple,
            kept: Kept::default(),
        };
        let answer = answers.answer(&event, Decision::Allow(allow), None, &routes);
        answer.map(|answer| serde_json::to_vec(&answer).unwrap().len())
    };
    assert!(answered(8000).is_ok_and(|length| length <= 8192));
    assert_eq!(answered(8192).unwrap_err(), Refusal::Failure);
}

#[tokio::test]
async fn a_backend_that_is_not_configured_is_one_clear_line() {
    let folder = Path::new(".");
    let config = load(
        &CONFIG.replace("CONTEXT", "[sub]").replace("audit: { ocsf: audit }", ""),
        "drawbridge.yaml",
        folder,
    )
    .unwrap();
    let settings = Settings { backend: "nobody".parse().unwrap(), http_response: HttpResponse::Simple };
    let error = Authorizer::build(settings, config).err().unwrap().to_string();
    assert!(error.contains("nobody") && error.lines().count() == 1, "{error}");
}
