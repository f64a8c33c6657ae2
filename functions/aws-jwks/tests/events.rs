//! The key endpoint through every event shape of API Gateway.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use drawbridge_aws_jwks::answer;
use drawbridge_bridge::KeyEndpoint;
use drawbridge_keys::{BackendName, KeyAlgorithm, KeyStore, Kid, directory::DirectoryStore};
use drawbridge_verify::{Algorithm, KeyUse};
use lambda_http::{Response, request};
use serde_json::Value;
use std::sync::Arc;
use tempfile::TempDir;

/// Each event shape, and the stage that it has in front of the path.
const EVENTS: [(&str, &str, &str); 4] = [
    ("HTTP API 2.0", include_str!("events/http-2.0.json"), ""),
    ("HTTP API 2.0 with a named stage", include_str!("events/http-2.0.json"), "/prod"),
    ("HTTP API 1.0", include_str!("events/http-1.0.json"), ""),
    ("REST API", include_str!("events/rest.json"), ""),
];

#[tokio::test]
async fn every_event_shape_gets_the_key_that_its_path_names() {
    let (_folder, endpoint, kid) = published().await;
    let path = format!("/jwks/orders/{kid}");
    for (shape, event, stage) in EVENTS {
        let response = ask(&endpoint, event, &format!("{stage}{path}"), "\"none\"").await;
        assert_eq!(response.status(), 200, "{shape}");
        assert_eq!(response.headers()["content-type"], "application/jwk-set+json");
        let set: Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(set["keys"].as_array().unwrap().len(), 1);
        assert_eq!(set["keys"][0]["kid"], kid.to_string());
        let tag = response.headers()["etag"].to_str().unwrap();
        let response = ask(&endpoint, event, &format!("{stage}{path}"), tag).await;
        assert_eq!((response.status().as_u16(), response.body().as_str()), (304, ""), "{shape}");
    }
}

#[tokio::test]
async fn every_event_shape_gets_the_same_404_for_everything_else() {
    let (_folder, endpoint, kid) = published().await;
    let expected = endpoint.answer("GET", "/jwks/orders/x", None).await;
    for (shape, event, stage) in EVENTS {
        for path in [
            "/jwks/orders/x".to_owned(),
            "/jwks/orders".to_owned(),
            "/".to_owned(),
            format!("/jwks/billing/{kid}"),
            format!("/jwks/orders/{kid}/x"),
            format!("/jwks/orders/{kid}%00"),
        ] {
            let response = ask(&endpoint, event, &format!("{stage}{path}"), "*").await;
            assert_eq!(
                (response.status().as_u16(), response.body()),
                (404, &expected.body),
                "{shape} {path}"
            );
        }
    }
}

#[tokio::test]
async fn another_method_is_told_which_ones_there_are() {
    let (_folder, endpoint, kid) = published().await;
    for (shape, event, _) in EVENTS {
        let event = event.replace("\"GET\"", "\"POST\"");
        let response = ask(&endpoint, &event, &format!("/jwks/orders/{kid}"), "").await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["allow"]),
            (405, &"GET, HEAD".parse().unwrap()),
            "{shape}"
        );
    }
}

async fn ask(endpoint: &KeyEndpoint, event: &str, path: &str, tag: &str) -> Response<String> {
    let tag = Value::from(tag).to_string();
    let event = event.replace("PATH", path).replace("\"TAG\"", &tag);
    answer(endpoint, &request::from_str(&event).unwrap()).await.unwrap()
}

async fn published() -> (TempDir, KeyEndpoint, Kid) {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(folder.path());
    let orders: BackendName = "orders".parse().unwrap();
    let algorithm = KeyAlgorithm::Signature(Algorithm::ES256);
    let kid = store.create(&orders, KeyUse::Signing, algorithm).await.unwrap();
    let endpoint = KeyEndpoint::new([(orders, Arc::new(store) as Arc<dyn KeyStore>)]);
    (folder, endpoint, kid)
}
