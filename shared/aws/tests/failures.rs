//! What the services do when something is wrong, of which no emulator does much: a server that answers what it is told to.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what breaks must fail loudly"
)]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_kms::config::Credentials;
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use drawbridge_aws::{Kms, SecretsManager, open};
use drawbridge_config::Store;
use drawbridge_keys::{BackendName, KeyAlgorithm, KeyStore, Kid, PrivateJwk, StoreError};
use drawbridge_verify::{Algorithm, jwe::KeyManagement};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::test]
async fn every_failure_is_an_error_of_its_own_and_none_is_no_such_key() {
    let service = Service::start().await;
    let named = |code: &str, message: &str| json!({ "__type": code, "message": message }).to_string();
    type Is = fn(&StoreError) -> bool;
    let denied: Is = |error| matches!(error, StoreError::Denied(_));
    let throttled: Is = |error| matches!(error, StoreError::Throttled(_));
    let deleted: Is = |error| matches!(error, StoreError::Deleted(_));
    let unavailable: Is = |error| matches!(error, StoreError::Unavailable(_));
    let undecryptable: Is = |error| matches!(error, StoreError::Undecryptable(_));
    let absent: Is = |error| *error == StoreError::NotFound;
    let table = [
        ("ThrottlingException", 400, "Rate exceeded", throttled, 3),
        ("TooManyRequestsException", 429, "slower", throttled, 3),
        ("AccessDeniedException", 400, "User: x is not authorized to perform: y", denied, 1),
        (
            "UnrecognizedClientException",
            400,
            "The security token included in the request is invalid.",
            denied,
            1,
        ),
        ("ExpiredTokenException", 400, "The security token included in the request is expired", denied, 1),
        ("InvalidRequestException", 400, "… because it was marked for deletion.", deleted, 1),
        ("InvalidRequestException", 400, "… a secret that's currently marked deleted.", deleted, 1),
        ("KMSInvalidStateException", 400, "arn:… is pending deletion.", deleted, 1),
        ("KMSInvalidStateException", 400, "arn:… is pending import.", unavailable, 1),
        ("DecryptionFailure", 400, "the protected secret can't be decrypted", undecryptable, 1),
        ("InternalServiceError", 500, "", unavailable, 3),
        ("KMSInternalException", 500, "", unavailable, 3),
        ("SomethingNewException", 400, "", unavailable, 1),
        ("ResourceNotFoundException", 400, "Secrets Manager can't find the specified secret.", absent, 1),
        ("DisabledException", 400, "arn:… is disabled.", absent, 1),
    ];
    for (code, status, message, is, requests) in table {
        for (store, backend) in service.stores().await {
            // A kid and the current version, through whatever requests they are.
            service.answers(Answer::new(status, named(code, message)));
            let error = store.public(&kid()).await.unwrap_err();
            assert!(is(&error), "{backend}: {code}: {error:?}");
            // An alias that is not there is no reason not to look for the other one.
            let requests = if backend == "kms" && error == StoreError::NotFound { 2 } else { requests };
            assert_eq!(service.requests(), requests, "{backend}: {code}");
            let error = store.signer(&orders()).await.err().unwrap();
            assert!(is(&error), "{backend}: {code}: {error:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_and_a_service_that_is_not_there_are_failures() {
    let service = Service::start().await;
    let answers = [
        Answer::new(200, "not JSON"),
        Answer::new(200, ""),
        Answer::new(403, "<html>a proxy</html>"),
        Answer::new(503, "<html>busy</html>"),
    ];
    for answer in answers {
        for (store, backend) in service.stores().await {
            service.answers(answer.clone());
            let error = store.public(&kid()).await.unwrap_err();
            assert!(!matches!(error, StoreError::NotFound), "{backend}: {answer:?}: {error:?}");
        }
    }
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    for (store, backend) in stores(&nobody).await {
        let error = store.public(&kid()).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Unavailable(what) if what.contains("cannot be reached")),
            "{backend}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_given_up_before_whoever_waits_for_the_store_gives_up() {
    let service = Service::start().await;
    service.answers(Answer { after: Duration::from_secs(60), ..Answer::new(200, "{}") });
    for (store, backend) in service.stores().await {
        let asked = tokio::time::timeout(Duration::from_secs(3), store.public(&kid())).await;
        let error = asked.expect("the store gives up first").unwrap_err();
        assert!(
            matches!(&error, StoreError::Unavailable(what) if what == "no answer in time"),
            "{backend}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_secret_that_is_not_what_was_asked_for_is_refused_without_showing_it() {
    let service = Service::start().await;
    let store = SecretsManager::over("drawbridge", &service.sdk().await);
    let key = |algorithm: KeyAlgorithm| PrivateJwk::generate(algorithm).unwrap().to_json().to_string();
    let good = json!({
        "Name": "drawbridge/orders/sig", "VersionId": VERSION, "VersionStages": ["AWSCURRENT"],
        "SecretString": key(Algorithm::ES256.into()),
    });
    let answer = |member: &str, value: Value| {
        let mut answer = good.clone();
        answer[member] = value;
        service.answers(Answer::new(200, answer.to_string()));
    };
    answer("ARN", json!("arn:aws:secretsmanager:eu-west-1:1:secret:drawbridge/orders/sig-a1b2c3"));
    assert!(store.public(&kid()).await.is_ok());
    for labels in [json!(["AWSPREVIOUS"]), json!(["DRAWBRIDGE-ACTIVE"]), json!(["AWSPENDING", "AWSCURRENT"])]
    {
        answer("VersionStages", labels);
        assert!(store.public(&kid()).await.is_ok());
    }
    for labels in [json!(["AWSPENDING"]), json!([]), Value::Null, json!(["awscurrent"]), json!(["mine"])] {
        answer("VersionStages", labels.clone());
        assert_eq!(store.public(&kid()).await, Err(StoreError::NotFound), "{labels}");
        assert_eq!(store.signer(&orders()).await.err(), Some(StoreError::NotFound), "{labels}");
    }
    let malformed = [
        ("Name", json!("drawbridge/billing/sig")),
        ("Name", Value::Null),
        ("VersionId", json!("0198c5e2-7a10-7cc2-9d4e-3f6f0f1f2a12")),
        ("VersionId", Value::Null),
        ("SecretString", Value::Null),
        ("SecretString", json!("hunter2")),
        ("SecretString", json!(r#"{"username":"hunter2"}"#)),
        ("SecretString", json!(key(KeyManagement::EcdhEsA256Kw.into()))),
    ];
    for (member, value) in malformed {
        answer(member, value.clone());
        let error = store.public(&kid()).await.unwrap_err();
        assert!(matches!(error, StoreError::Malformed(_)), "{member}: {error:?}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn the_current_version_is_asked_for_by_its_label_and_any_other_by_its_name() {
    let service = Service::start().await;
    let store = SecretsManager::over("drawbridge", &service.sdk().await);
    service.answers(Answer::new(400, r#"{"__type":"ResourceNotFoundException"}"#));
    let _ = store.signer(&orders()).await;
    let asked = json!({ "SecretId": "drawbridge/orders/sig", "VersionStage": "AWSCURRENT" });
    assert_eq!(service.asked(), [("secretsmanager.GetSecretValue".to_owned(), asked)]);
    let _ = store.public(&kid()).await;
    let asked = json!({ "SecretId": "drawbridge/orders/sig", "VersionId": VERSION });
    assert_eq!(service.asked(), [("secretsmanager.GetSecretValue".to_owned(), asked)]);
}

#[tokio::test]
async fn a_version_that_is_none_of_the_services_own_is_not_there_and_not_asked_for() {
    let service = Service::start().await;
    let long = "a".repeat(64);
    for (store, backend) in service.stores().await {
        // What Secrets Manager says of a version id of another length.
        service.answers(Answer::new(400, r#"{"__type":"ValidationException","message":"versionId"}"#));
        for version in ["1", "latest", "AWSCURRENT", "0198c5e2-7a10-7cc2-9d4e-3f6f0f1", &"a".repeat(31)] {
            let sig: Kid = format!("orders.sig.{version}").parse().unwrap();
            assert_eq!(store.public(&sig).await, Err(StoreError::NotFound), "{backend}: {version}");
            let enc: Kid = format!("orders.enc.{version}").parse().unwrap();
            let decrypter = store.decrypter(&enc).await.err();
            assert_eq!(decrypter, Some(StoreError::NotFound), "{backend}: {version}");
        }
        assert_eq!(service.requests(), 0, "{backend}");
        // An id of ours, one of the form that AWS makes, and the longest that there can be.
        let native = if backend == "kms" { "mrk-1234abcd12ab34cd56ef1234567890ab" } else { long.as_str() };
        for version in [VERSION, native] {
            let sig: Kid = format!("orders.sig.{version}").parse().unwrap();
            assert!(matches!(store.public(&sig).await, Err(StoreError::Unavailable(_))), "{backend}");
        }
        assert_eq!(service.requests(), 2, "{backend}");
    }
}

#[tokio::test]
async fn a_kms_key_is_used_in_one_state_alone() {
    let service = Service::start().await;
    let store = Kms::over("drawbridge", &service.sdk().await);
    let state = |state: &str| {
        service.answers(Answer::new(200, described(VERSION, state)));
    };
    state("Enabled");
    assert!(store.signer(&orders()).await.is_ok());
    state("Disabled");
    assert_eq!(store.signer(&orders()).await.err(), Some(StoreError::NotFound));
    for deleted in ["PendingDeletion", "PendingReplicaDeletion"] {
        state(deleted);
        assert!(matches!(store.signer(&orders()).await.err(), Some(StoreError::Deleted(_))), "{deleted}");
    }
    for other in ["Creating", "PendingImport", "Unavailable", "Updating", "SomethingNew"] {
        state(other);
        assert!(matches!(store.signer(&orders()).await.err(), Some(StoreError::Unavailable(_))), "{other}");
        assert!(matches!(store.public(&kid()).await, Err(StoreError::Unavailable(_))), "{other}");
    }
}

#[tokio::test]
async fn what_kms_answers_is_a_signature_and_a_key_of_the_kind_or_refused() {
    let service = Service::start().await;
    let store = Kms::over("drawbridge", &service.sdk().await);
    service.answers(Answer::new(200, described(VERSION, "Enabled")));
    let signer = store.signer(&orders()).await.unwrap();
    for signature in [&b""[..], b"\x30\x06\x02\x01\x01\x02\x01\x01\x00", &[7; 64]] {
        service.answers(Answer::new(200, json!({ "Signature": BASE64.encode(signature) }).to_string()));
        assert!(matches!(signer.sign(b"input").await, Err(StoreError::Malformed(_))));
    }
    service.answers_to("DescribeKey", Answer::new(200, described(VERSION, "Enabled")));
    for spki in [&b""[..], b"\x30\x00", &[4; 91]] {
        service.answers_to(
            "GetPublicKey",
            Answer::new(200, json!({ "PublicKey": BASE64.encode(spki) }).to_string()),
        );
        assert!(matches!(store.public(&kid()).await, Err(StoreError::Malformed(_))));
    }
    // What is signed is a digest, however long the input is.
    service.asked();
    service.answers(Answer::new(400, "{}"));
    let _ = signer.sign(&[b'x'; 5000]).await;
    let (_, asked) = service.asked().remove(0);
    assert_eq!(
        (&asked["MessageType"], &asked["SigningAlgorithm"]),
        (&json!("DIGEST"), &json!("ECDSA_SHA_256"))
    );
    assert_eq!(BASE64.decode(asked["Message"].as_str().unwrap()).unwrap().len(), 32);
}

#[tokio::test]
async fn the_key_of_another_kid_behind_an_alias_is_not_found() {
    let service = Service::start().await;
    let store = Kms::over("drawbridge", &service.sdk().await);
    service.answers(Answer::new(200, described("0198c5e2-7a10-7cc2-9d4e-3f6f0f1f2a12", "Enabled")));
    assert_eq!(store.public(&kid()).await, Err(StoreError::NotFound));
    let asked: Vec<_> = service.asked().into_iter().map(|(_, asked)| asked["KeyId"].clone()).collect();
    assert_eq!(
        asked,
        [json!(format!("alias/drawbridge/orders/sig/{VERSION}")), json!("alias/drawbridge/orders/sig")]
    );
}

#[test]
fn opening_a_store_asks_nobody_and_needs_nothing() {
    // There is no runtime here, in which anything could be asked.
    let stores = [
        Store::SecretsManager { prefix: "drawbridge".to_owned(), region: None },
        Store::Kms { prefix: "drawbridge".to_owned(), region: Some("eu-west-1".to_owned()) },
    ];
    assert!(stores.iter().all(|store| open(store).is_ok()));
    let other = open(&Store::Directory("keys".into())).err();
    assert!(matches!(other, Some(StoreError::Unsupported(_))));
}

const VERSION: &str = "0198c5e2-7a10-7cc2-9d4e-3f6f0f1f2a11";

fn orders() -> BackendName {
    "orders".parse().unwrap()
}

fn kid() -> Kid {
    format!("orders.sig.{VERSION}").parse().unwrap()
}

fn described(id: &str, state: &str) -> String {
    json!({ "KeyMetadata": {
        "KeyId": id, "KeyState": state, "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "CreationDate": 1_767_225_600
    }})
    .to_string()
}

/// Both stores over a service.
async fn stores(url: &str) -> [(Arc<dyn KeyStore>, &'static str); 2] {
    let sdk = sdk(url).await;
    [
        (Arc::new(SecretsManager::over("drawbridge", &sdk)), "secrets manager"),
        (Arc::new(Kms::over("drawbridge", &sdk)), "kms"),
    ]
}

async fn sdk(url: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .endpoint_url(url)
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .load()
        .await
}

/// Answers what it was told to, and remembers what it was asked.
struct Service {
    url: String,
    said: Arc<Mutex<Said>>,
}

#[derive(Default)]
struct Said {
    /// By operation; the empty one is every other.
    answers: HashMap<String, Answer>,
    asked: Vec<(String, Value)>,
}

#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    body: String,
    after: Duration,
}

impl Answer {
    fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, body: body.into(), after: Duration::ZERO }
    }
}

impl Service {
    async fn start() -> Self {
        let said = Arc::new(Mutex::new(Said::default()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let told = Arc::clone(&said);
        let answer = move |headers: HeaderMap, body: String| async move {
            let target = headers["x-amz-target"].to_str().unwrap().to_owned();
            let operation = target.rsplit('.').next().unwrap_or_default();
            let answer = {
                let mut said = told.lock().unwrap();
                let answer = said.answers.get(operation).or_else(|| said.answers.get("")).cloned().unwrap();
                said.asked.push((target.clone(), serde_json::from_str(&body).unwrap()));
                answer
            };
            tokio::time::sleep(answer.after).await;
            let response = Response::builder().status(answer.status);
            response
                .header("content-type", "application/x-amz-json-1.1")
                .body(Body::from(answer.body))
                .unwrap()
        };
        tokio::spawn(async { axum::serve(listener, Router::new().fallback(answer)).await });
        Self { url, said }
    }

    async fn sdk(&self) -> SdkConfig {
        sdk(&self.url).await
    }

    async fn stores(&self) -> [(Arc<dyn KeyStore>, &'static str); 2] {
        stores(&self.url).await
    }

    /// From now on this, to everything.
    fn answers(&self, answer: Answer) {
        let mut said = self.said.lock().unwrap();
        said.asked.clear();
        said.answers.clear();
        said.answers.insert(String::new(), answer);
    }

    fn answers_to(&self, operation: &str, answer: Answer) {
        self.said.lock().unwrap().answers.insert(operation.to_owned(), answer);
    }

    fn requests(&self) -> usize {
        self.asked().len()
    }

    /// Operation and input of every request since it was last asked this.
    fn asked(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.said.lock().unwrap().asked)
    }
}
