//! The four steps of a rotation against two Secrets Managers that were not written here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: what breaks must fail loudly"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_sdk_secretsmanager::{
    Client,
    config::{BehaviorVersion, Config, Credentials, Region, retry::RetryConfig},
    types::{RotationRulesType, Tag},
};
use axum::{Router, body::Body, extract::Request, response::Response};
use drawbridge_aws::{
    ALGORITHM,
    rotation::{Rotation, RotationError, Step},
};
use drawbridge_keys::{Clock, PrivateJwk, RETIRE_AFTER, StoreError, SystemClock, Version};
use drawbridge_tests::{
    http::send,
    parts::{MiniStack, Moto},
};
use uuid::Uuid;

const STEPS: [Step; 4] = [Step::Create, Step::Set, Step::Test, Step::Finish];

/// A Secrets Manager, and what it takes to bring it to where the real one begins to ask for steps: neither runs the function itself.
enum Manager {
    MiniStack(MiniStack),
    Moto(Moto),
}

/// Those that are installed.
fn managers() -> impl Iterator<Item = Manager> {
    [MiniStack::start().map(Manager::MiniStack), Moto::start().map(Manager::Moto)].into_iter().flatten()
}

impl Manager {
    fn url(&self) -> String {
        match self {
            Self::MiniStack(part) => part.url(),
            Self::Moto(part) => part.url(),
        }
    }

    fn client(&self) -> Client {
        client(&self.url())
    }

    /// A secret with rotation enabled and a first key, of which the version is given.
    async fn secret(&self, name: &str, algorithm: &str) -> Version {
        let (client, tag) = (self.client(), Tag::builder().key(ALGORITHM).value(algorithm).build());
        let create = client.create_secret().name(name).tags(tag);
        match self {
            Self::MiniStack(_) => {
                create.send().await.unwrap();
                // Copies the empty value, and enables rotation.
                client.rotate_secret().secret_id(name).send().await.unwrap();
                let first = self.begin(name).await;
                rotate(&Rotation::new(client.clone()), name, &first).await.unwrap();
                // The copies of nothing are none of a real secret's versions.
                for (version, labels) in labels(&client, name).await {
                    for label in labels.iter().filter(|_| version != first.as_str()) {
                        let forget = client.update_secret_version_stage().secret_id(name);
                        forget.version_stage(label).remove_from_version_id(&version).send().await.unwrap();
                    }
                }
                first
            }
            Self::Moto(_) => {
                let key = PrivateJwk::generate(algorithm.parse().unwrap()).unwrap();
                let first = create.secret_string(key.to_json().as_str()).send().await.unwrap();
                first.version_id().unwrap().parse().unwrap()
            }
        }
    }

    /// Makes the empty version that a rotation begins with.
    async fn begin(&self, name: &str) -> Version {
        let token = Uuid::new_v4().to_string();
        let client = self.client();
        match self {
            Self::MiniStack(_) => {
                let put = client.put_secret_value().secret_id(name).client_request_token(&token);
                put.version_stages("AWSPENDING").send().await.unwrap();
            }
            Self::Moto(_) => {
                // It makes the version before it finds out that there is no such function.
                let rotate = client.rotate_secret().secret_id(name).client_request_token(&token);
                let rules = RotationRulesType::builder().automatically_after_days(30).build();
                let function = "arn:aws:lambda:eu-west-1:123456789012:function:none";
                rotate.rotation_rules(rules).rotation_lambda_arn(function).send().await.unwrap_err();
            }
        }
        token.parse().unwrap()
    }
}

fn client(url: &str) -> Client {
    Client::from_conf(
        Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .endpoint_url(url)
            .build(),
    )
}

/// The whole process, as Secrets Manager asks for it.
async fn rotate(rotation: &Rotation, name: &str, version: &Version) -> Result<(), RotationError> {
    for step in STEPS {
        rotation.step(step, name, version).await?;
    }
    Ok(())
}

/// The labels of every version that has any.
async fn labels(client: &Client, name: &str) -> BTreeMap<String, BTreeSet<String>> {
    let secret = client.describe_secret().secret_id(name).send().await.unwrap();
    let versions = secret.version_ids_to_stages.unwrap_or_default().into_iter();
    versions
        .map(|(version, labels)| (version, labels.into_iter().collect::<BTreeSet<_>>()))
        .filter(|(_, labels)| !labels.is_empty())
        .collect()
}

async fn key(client: &Client, name: &str, version: &str) -> PrivateJwk {
    let value = client.get_secret_value().secret_id(name).version_id(version).send().await.unwrap();
    PrivateJwk::parse(value.secret_string().unwrap().as_bytes()).unwrap()
}

fn expected(labels: &[(&Version, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
    let named = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
    labels.iter().map(|(version, labels)| (version.to_string(), named(labels))).collect()
}

fn later(by: Duration) -> Arc<dyn Clock> {
    Arc::new(SystemClock.now().after(by))
}

#[tokio::test]
async fn a_rotation_makes_a_key_of_the_algorithm_that_the_tag_names_and_keeps_the_previous_one() {
    for manager in managers() {
        let client = manager.client();
        for (number, (key_use, algorithm)) in [
            ("sig", "ES256"),
            ("sig", "EdDSA"),
            ("sig", "PS256"),
            ("enc", "RSA-OAEP-256"),
            ("enc", "ECDH-ES+A256KW:X25519"),
        ]
        .into_iter()
        .enumerate()
        {
            let name = format!("drawbridge/backend-{number}/{key_use}");
            let first = manager.secret(&name, algorithm).await;
            let second = manager.begin(&name).await;
            let rotation = Rotation::new(client.clone());
            rotate(&rotation, &name, &second).await.unwrap();
            let (old, new) =
                (key(&client, &name, first.as_str()).await, key(&client, &name, second.as_str()).await);
            assert_eq!(new.algorithm().to_string(), algorithm);
            assert_ne!(old.public().thumbprint(), new.public().thumbprint());
            let rotated = expected(&[(&second, &["AWSCURRENT"]), (&first, &["AWSPREVIOUS"])]);
            assert_eq!(labels(&client, &name).await, rotated, "{algorithm}");

            // Secrets Manager may ask again for what is done.
            for step in STEPS {
                assert_eq!(rotation.step(step, &name, &second).await, Ok(()), "{step:?}");
            }
            assert_eq!(labels(&client, &name).await, rotated);
            let again = key(&client, &name, second.as_str()).await;
            assert_eq!(again.public().thumbprint(), new.public().thumbprint());
        }
    }
}

#[tokio::test]
async fn without_a_tag_the_algorithm_stays_what_it_is() {
    for manager in managers() {
        let (client, name) = (manager.client(), "drawbridge/orders/sig");
        manager.secret(name, "ES384").await;
        client.untag_resource().secret_id(name).tag_keys(ALGORITHM).send().await.unwrap();
        let second = manager.begin(name).await;
        rotate(&Rotation::new(client.clone()), name, &second).await.unwrap();
        assert_eq!(key(&client, name, second.as_str()).await.algorithm().to_string(), "ES384");
    }
}

#[tokio::test]
async fn the_first_rotation_of_a_secret_without_a_value_makes_its_first_key() {
    let Some(manager) = MiniStack::start().map(Manager::MiniStack) else { return };
    let first = manager.secret("drawbridge/orders/sig", "ES256").await;
    let client = manager.client();
    assert_eq!(
        labels(&client, "drawbridge/orders/sig").await,
        expected(&[(&first, &["AWSCURRENT"])]),
        "there is one version, which has the key"
    );
    key(&client, "drawbridge/orders/sig", first.as_str()).await;
}

#[tokio::test]
async fn a_version_that_may_have_signed_a_valid_token_never_loses_its_last_label() {
    for manager in managers() {
        let (client, name) = (manager.client(), "drawbridge/orders/sig");
        let rotation = Rotation::new(client.clone());
        let first = manager.secret(name, "ES256").await;
        let second = manager.begin(name).await;
        rotate(&rotation, name, &second).await.unwrap();
        let third = manager.begin(name).await;
        rotate(&rotation, name, &third).await.unwrap();
        assert_eq!(
            labels(&client, name).await,
            expected(&[
                (&third, &["AWSCURRENT"]),
                (&second, &["AWSPREVIOUS"]),
                (&first, &["DRAWBRIDGE-ACTIVE"])
            ]),
        );

        let fourth = manager.begin(name).await;
        let refused = rotate(&rotation, name, &fourth).await;
        assert_eq!(refused, Err(RotationError::StillVerifying(first.to_string())));
        assert_eq!(
            labels(&client, name).await,
            expected(&[
                (&fourth, &["AWSPENDING"]),
                (&third, &["AWSCURRENT"]),
                (&second, &["AWSPREVIOUS"]),
                (&first, &["DRAWBRIDGE-ACTIVE"])
            ]),
            "a rotation that has to wait changes nothing"
        );

        let in_time = rotation.with_clock(later(RETIRE_AFTER + Duration::from_secs(60)));
        rotate(&in_time, name, &fourth).await.unwrap();
        assert_eq!(
            labels(&client, name).await,
            expected(&[(&fourth, &["AWSCURRENT"]), (&third, &["AWSPREVIOUS"])]),
            "what no valid token was signed with any more is retired"
        );
    }
}

#[tokio::test]
async fn what_is_no_rotation_is_refused_and_changes_nothing() {
    for manager in managers() {
        let (client, name) = (manager.client(), "drawbridge/orders/sig");
        let rotation = Rotation::new(client.clone());
        let first = manager.secret(name, "ES256").await;
        let pending = manager.begin(name).await;
        let before = labels(&client, name).await;

        let unknown: Version = Uuid::new_v4().into();
        for step in STEPS {
            assert_eq!(rotation.step(step, name, &unknown).await, Err(RotationError::NotPending), "{step:?}");
            let missing = rotation.step(step, "drawbridge/missing/sig", &pending).await;
            assert_eq!(missing, Err(RotationError::Store(StoreError::NotFound)), "{step:?}");
        }
        for step in [Step::Test, Step::Finish] {
            assert_eq!(rotation.step(step, name, &pending).await, Err(RotationError::NoKey), "{step:?}");
        }
        for algorithm in ["HS256", "RSA-OAEP-256", "", "ES256 "] {
            let tag = Tag::builder().key(ALGORITHM).value(algorithm).build();
            client.tag_resource().secret_id(name).tags(tag).send().await.unwrap();
            let made = rotation.step(Step::Create, name, &pending).await;
            assert_eq!(made, Err(RotationError::Algorithm), "{algorithm:?}");
        }
        assert_eq!(labels(&client, name).await, before);
        assert!(before.contains_key(first.as_str()));

        let not_enabled = "drawbridge/billing/sig";
        let made = client.create_secret().name(not_enabled).secret_string("{}").send().await.unwrap();
        let version = made.version_id().unwrap().parse().unwrap();
        for step in STEPS {
            let refused = rotation.step(step, not_enabled, &version).await;
            assert_eq!(refused, Err(RotationError::NotEnabled), "{step:?}");
        }

        for stranger in
            ["orders/sig", "drawbridge/orders/signing", "drawbridge/Orders/sig", "database-password"]
        {
            let pending = match manager {
                Manager::MiniStack(_) => {
                    client.create_secret().name(stranger).send().await.unwrap();
                    client.rotate_secret().secret_id(stranger).send().await.unwrap();
                    manager.begin(stranger).await
                }
                Manager::Moto(_) => {
                    client.create_secret().name(stranger).secret_string("{}").send().await.unwrap();
                    manager.begin(stranger).await
                }
            };
            for step in STEPS {
                let refused = rotation.step(step, stranger, &pending).await;
                assert_eq!(refused, Err(RotationError::Name), "{stranger}");
            }
        }
    }
}

#[tokio::test]
async fn a_pending_version_that_somebody_else_filled_never_becomes_current() {
    for manager in managers() {
        let (client, name) = (manager.client(), "drawbridge/orders/sig");
        let first = manager.secret(name, "ES256").await;
        let pending = manager.begin(name).await;
        let encrypts = PrivateJwk::generate("RSA-OAEP-256".parse().unwrap()).unwrap();
        for value in ["{}", "hunter2", encrypts.to_json().as_str()] {
            let put = client.put_secret_value().secret_id(name).client_request_token(pending.as_str());
            put.secret_string(value).version_stages("AWSPENDING").send().await.unwrap();
            let rotation = Rotation::new(client.clone());
            assert!(rotate(&rotation, name, &pending).await.is_err(), "{value:.10}");
            let finished = rotation.step(Step::Finish, name, &pending).await;
            let error =
                finished.expect_err("a version that is no signing key is not made current").to_string();
            assert!(!error.contains("hunter2") && error.len() < 200, "{error}");
            assert!(labels(&client, name).await[first.as_str()].contains("AWSCURRENT"));
        }
    }
}

/// What happens to one request of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It never arrives.
    Lost,
    /// It is done, but whoever asked does not learn of it.
    Unanswered,
}

/// Passes requests on to `url`, but for the one with the number `at`.
async fn faulty(url: String, at: usize, fault: Fault) -> (String, Arc<AtomicUsize>) {
    let (listener, seen) =
        (tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(), Arc::new(AtomicUsize::new(0)));
    let address = format!("http://{}", listener.local_addr().unwrap());
    let counted = Arc::clone(&seen);
    let router = Router::new().fallback(move |request: Request| {
        let (number, url) = (counted.fetch_add(1, Ordering::SeqCst), url.clone());
        async move {
            let failure = || Response::builder().status(500).body(Body::empty()).unwrap();
            if number == at && fault == Fault::Lost {
                return failure();
            }
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let headers: Vec<_> = ["x-amz-target", "content-type", "authorization", "x-amz-date"]
                .into_iter()
                .filter_map(|name| Some((name, parts.headers.get(name)?.to_str().ok()?)))
                .collect();
            let body = std::str::from_utf8(&body).unwrap();
            let answer = send("POST", &url, "/", &headers, body).await;
            if number == at {
                return failure();
            }
            let response = Response::builder().status(answer.status);
            let kind = answer.header("content-type").unwrap_or("application/x-amz-json-1.1");
            response.header("content-type", kind).body(Body::from(answer.body.clone())).unwrap()
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, seen)
}

#[tokio::test]
async fn a_rotation_that_is_interrupted_at_any_request_leaves_no_gap_and_can_be_done_again() {
    for manager in managers() {
        let client = manager.client();
        for fault in [Fault::Lost, Fault::Unanswered] {
            let mut interrupted = 0;
            for at in 0.. {
                let name = format!("drawbridge/{fault:?}-{at}/sig").to_lowercase();
                // The second rotation within an hour has the most to do.
                let first = manager.secret(&name, "ES256").await;
                let second = manager.begin(&name).await;
                rotate(&Rotation::new(client.clone()), &name, &second).await.unwrap();
                let third = manager.begin(&name).await;

                let (through, seen) = faulty(manager.url(), at, fault).await;
                let rotation = Rotation::new(self::client(&through));
                let outcome = rotate(&rotation, &name, &third).await;
                let after = labels(&client, &name).await;
                for version in [&first, &second] {
                    let published = ["AWSCURRENT", "AWSPREVIOUS", "DRAWBRIDGE-ACTIVE"];
                    let kept = after.get(version.as_str());
                    assert!(
                        kept.is_some_and(|labels| published.iter().any(|label| labels.contains(*label))),
                        "{fault:?} at {at}: {version} is not published: {after:?}"
                    );
                }
                let current: Vec<_> = after
                    .iter()
                    .filter(|(_, labels)| labels.contains("AWSCURRENT"))
                    .map(|(id, _)| id)
                    .collect();
                assert_eq!(current.len(), 1, "{fault:?} at {at}: one version signs");
                key(&client, &name, current[0]).await;
                if outcome.is_ok() {
                    assert!(seen.load(Ordering::SeqCst) <= at, "the last request was not interrupted");
                    break;
                }
                interrupted += 1;

                rotate(&rotation, &name, &third).await.unwrap();
                assert_eq!(
                    labels(&client, &name).await,
                    expected(&[
                        (&third, &["AWSCURRENT"]),
                        (&second, &["AWSPREVIOUS"]),
                        (&first, &["DRAWBRIDGE-ACTIVE"])
                    ]),
                    "{fault:?} at {at}"
                );
                key(&client, &name, third.as_str()).await;
            }
            assert!(interrupted >= 10, "{interrupted} requests were interrupted");
        }
    }
}
