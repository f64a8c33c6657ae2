//! A rotation in the midst of traffic, and a revocation after it: the bridge signs with Secrets Manager, the gate verifies over the key
//! endpoint, and the rotation function is asked for its steps as Secrets Manager asks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "test code: what breaks must fail loudly"
)]

use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_config::{BehaviorVersion, Region};
use aws_sdk_secretsmanager::{Client, config::Credentials, types::Tag};
use axum::{
    Router,
    extract::Request as HttpRequest,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use drawbridge_aws::{ALGORITHM, SecretsManager, rotation::Rotation};
use drawbridge_aws_rotation::{Event, answer};
use drawbridge_bridge::{Bridge, KeyEndpoint};
use drawbridge_config::{Config, Store};
use drawbridge_gate::{Decision, Gate, Headers, NoAudit, Reason, Request, gate_for_backend, open_directory};
use drawbridge_keys::{
    BackendName, Clock, HttpClient, KeyStore, Kid, StoreError, SystemClock, directory::DirectoryStore,
};
use drawbridge_tests::{
    corpus::{Forge, token_of},
    forge::ChainForge,
    parts::MiniStack,
};
use drawbridge_verify::{KeyUse, UnixTime};
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

const SECRET: &str = "drawbridge/orders/sig";

const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

/// For how long the key endpoint keeps a published key, and the bridge the key that it signs with; and a second.
const KEPT: Duration = Duration::from_secs(11);

/// The edge, the key endpoint and one backend's gate over one Secrets Manager.
struct World {
    _services: MiniStack,
    _folder: TempDir,
    client: Client,
    store: Arc<dyn KeyStore>,
    config: Config,
    bridge: Bridge,
    consumer: ChainForge,
    /// Whether the key endpoint fails.
    down: Arc<AtomicBool>,
    now: UnixTime,
}

impl World {
    async fn start() -> Option<Self> {
        let services = MiniStack::start()?;
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new("eu-west-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(services.url())
            .load()
            .await;
        let client = Client::new(&sdk);
        let tag = Tag::builder().key(ALGORITHM).value("ES256").build();
        client.create_secret().name(SECRET).tags(tag).send().await.unwrap();
        client.rotate_secret().secret_id(SECRET).send().await.unwrap();

        let store: Arc<dyn KeyStore> = Arc::new(SecretsManager::over("drawbridge", &sdk));
        let orders: BackendName = "orders".parse().unwrap();
        let down = Arc::new(AtomicBool::new(false));
        let keys = key_endpoint(KeyEndpoint::new([(orders, Arc::clone(&store))]), Arc::clone(&down)).await;

        let folder = tempfile::tempdir().unwrap();
        let login = DirectoryStore::new(folder.path());
        let consumers: BackendName = "consumers".parse().unwrap();
        login.create(&consumers, KeyUse::Signing, "ES256".parse().unwrap()).await.unwrap();
        let consumer = ChainForge::at(folder.path(), "consumers", "https://login.example.com").await;

        let text = config(&keys, folder.path().to_str().unwrap());
        let config = drawbridge_config::load(&text, "drawbridge.yaml", folder.path()).unwrap();
        let http = HttpClient::new(Duration::from_secs(5), true).unwrap();
        let many = NonZeroU32::new(1_000_000).unwrap();
        let over = Arc::clone(&store);
        let open = move |store: &Store| -> Result<Arc<dyn KeyStore>, StoreError> {
            match store {
                Store::SecretsManager { .. } => Ok(Arc::clone(&over)),
                _ => open_directory(store),
            }
        };
        let bridge = Bridge::new(&config, &http, &open, Arc::new(NoAudit)).unwrap();
        let bridge = bridge.with_client_limit(many, many);
        let now = SystemClock.now();
        let mut world =
            Self { _services: services, _folder: folder, client, store, config, bridge, consumer, down, now };
        world.rotate().await;
        world.forget_the_empty().await;
        Some(world)
    }

    /// MiniStack gives a secret without a value a version, and a second one when rotation is enabled. Those of AWS have none.
    async fn forget_the_empty(&self) {
        let secret = self.client.describe_secret().secret_id(SECRET).send().await.unwrap();
        for (version, labels) in secret.version_ids_to_stages.unwrap_or_default() {
            for label in labels.iter().filter(|label| *label != "AWSCURRENT") {
                let forget = self.client.update_secret_version_stage().secret_id(SECRET);
                forget.version_stage(label).remove_from_version_id(&version).send().await.unwrap();
            }
        }
    }

    /// A new instance of the authorizer, which knows no key yet.
    fn gate(&self) -> Gate {
        let http = HttpClient::new(Duration::from_secs(5), true).unwrap();
        gate_for_backend(&self.config, &"orders".parse().unwrap(), &http, &open_directory, Arc::new(NoAudit))
            .unwrap()
    }

    /// What Secrets Manager does at the beginning of a rotation.
    async fn begin(&self) -> String {
        let version = Uuid::new_v4().to_string();
        let put = self.client.put_secret_value().secret_id(SECRET).client_request_token(&version);
        put.version_stages("AWSPENDING").send().await.unwrap();
        version
    }

    async fn rotate(&mut self) -> Kid {
        let version = self.begin().await;
        let rotation = Rotation::new(self.client.clone());
        for step in STEPS {
            answer(&rotation, &event(step, &version)).await.unwrap();
        }
        self.elapse(KEPT).await;
        kid(&version)
    }

    /// A consumer's request through the edge: the bridged token that it becomes.
    async fn bridged(&self) -> String {
        let now = self.now.as_secs();
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": self.consumer.kid() });
        let claims = json!({
            "iss": self.consumer.issuer(), "aud": "https://api.example.com", "sub": "alice", "client_id": "partner",
            "jti": Uuid::new_v4().to_string(), "iat": now, "exp": now + 300, "scope": "customers:read",
        });
        let bearer = format!("Bearer {}", token_of(&self.consumer, &header.to_string(), &claims.to_string()));
        let request = request("/orders/customers/42", &bearer);
        self.bridge.bridge(&request, self.now).await.expect("the edge mints a token").token
    }

    async fn decided(&self, gate: &Gate, token: &str) -> Decision {
        gate.decide(&request("/customers/42", &format!("Bearer {token}")), self.now).await
    }

    async fn reason(&self, gate: &Gate, token: &str) -> Reason {
        self.decided(gate, token).await.reason()
    }

    /// Lets time pass for every cache of keys, and for tokens, without waiting.
    async fn elapse(&mut self, by: Duration) {
        elapse_for_caches(by).await;
        self.now = self.now.after(by);
    }
}

/// As [`World::elapse`], but for the tokens, which stay as valid as they were.
async fn elapse_for_caches(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}

fn config(keys: &str, login: &str) -> String {
    json!({
        "issuers": {
            "login": {
                "issuer": "https://login.example.com", "audience": "https://api.example.com",
                "keys": { "store": "login" }, "algorithms": ["ES256"],
            },
            "edge": {
                "issuer": "https://edge.example.com", "keys": { "jwks": format!("{keys}/jwks/{{backend}}/{{kid}}") },
                "algorithms": ["ES256"], "types": ["bridged+jwt"], "relax": ["allow_http_on_loopback"],
                "key_cache": { "fresh": "2m", "stale": "10m", "fetches_per_minute": 6000 },
            },
        },
        "stores": {
            "login": { "directory": login },
            "aws": { "secrets_manager": { "prefix": "drawbridge", "region": "eu-west-1" } },
        },
        "backends": { "orders": {
            "issuer": "edge", "store": "aws", "upstream": "https://orders.example.com",
            "routes": [{ "path": "/customers/{customer}", "methods": ["GET"], "scopes": ["customers:read"] }],
        } },
        "consumers": "login",
    })
    .to_string()
}

/// The key endpoint on a port of its own.
async fn key_endpoint(endpoint: KeyEndpoint, down: Arc<AtomicBool>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let endpoint = Arc::new(endpoint);
    let router = Router::new().fallback(move |request: HttpRequest| {
        let (endpoint, down) = (Arc::clone(&endpoint), Arc::clone(&down));
        async move {
            if down.load(Ordering::SeqCst) {
                return StatusCode::BAD_GATEWAY.into_response();
            }
            let answer = endpoint.answer(request.method().as_str(), request.uri().path(), None).await;
            let mut response = Response::new(answer.body.into());
            *response.status_mut() = StatusCode::from_u16(answer.status).unwrap();
            for (name, value) in answer.headers {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                response.headers_mut().insert(name, HeaderValue::from_str(&value).unwrap());
            }
            response
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn request<'a>(target: &'a str, authorization: &'a str) -> Request<'a> {
    Request {
        method: "GET",
        target,
        headers: Headers::from_iter([("authorization", authorization.as_bytes())]),
        source_ip: None,
        client_certificate: None,
        request_id: None,
    }
}

fn event(step: &str, version: &str) -> Event {
    serde_json::from_value(json!({
        "Step": step, "SecretId": SECRET, "ClientRequestToken": version, "RotationToken": "not ours to read",
    }))
    .unwrap()
}

fn kid(version: &str) -> Kid {
    Kid::new("orders".parse().unwrap(), KeyUse::Signing, version.parse().unwrap())
}

#[tokio::test]
async fn no_request_is_denied_while_keys_are_rotated_under_load() {
    let Some(mut world) = World::start().await else { return };
    let warm = world.gate();
    // Tokens that are still valid, with the moment at which they were minted.
    let mut on_their_way: Vec<(UnixTime, String)> = Vec::new();
    let (mut signers, mut requests) = (BTreeSet::new(), 0);

    // Two rotations, one close after the other: three keys verify at the same time.
    for _ in 0..2 {
        let version = world.begin().await;
        for step in STEPS {
            let (rotation, asked) = (Rotation::new(world.client.clone()), event(step, &version));
            let stepping = tokio::spawn(async move { answer(&rotation, &asked).await });
            let mut served = 0;
            while served < 20 || !stepping.is_finished() {
                let token = world.bridged().await;
                match world.decided(&warm, &token).await {
                    Decision::Allow(allow) => signers.insert(allow.kid),
                    Decision::Deny(deny) => panic!("denied during {step}: {}", deny.reason),
                };
                on_their_way.push((world.now, token));
                served += 1;
                tokio::task::yield_now().await;
            }
            stepping.await.unwrap().unwrap();
            requests += served;

            // What was minted at any moment of the last minute and a half arrives at an instance that was just started.
            let cold = world.gate();
            on_their_way.retain(|(minted, _)| world.now.since(*minted) < Duration::from_secs(90));
            for (_, token) in &on_their_way {
                assert_eq!(world.reason(&cold, token).await, Reason::Allowed, "after {step}");
            }
            requests += on_their_way.len();
            world.elapse(KEPT).await;
        }
        let token = world.bridged().await;
        match world.decided(&warm, &token).await {
            Decision::Allow(allow) => assert_eq!(allow.kid, kid(&version).to_string(), "the new key signs"),
            Decision::Deny(deny) => panic!("denied after the rotation: {}", deny.reason),
        }
        signers.insert(kid(&version).to_string());
    }
    assert_eq!(signers.len(), 3, "the first key and those of both rotations have signed: {signers:?}");
    println!("{requests} requests, none denied");
}

#[tokio::test]
async fn a_revoked_version_is_refused_within_the_maximum_key_age() {
    let Some(mut world) = World::start().await else { return };
    let first = world.store.signer(&"orders".parse().unwrap()).await.unwrap().kid().clone();
    let old = world.bridged().await;
    let warm = world.gate();
    assert_eq!(world.reason(&warm, &old).await, Reason::Allowed);

    let second = world.rotate().await;
    let new = world.bridged().await;
    for token in [&old, &new] {
        assert_eq!(world.reason(&warm, token).await, Reason::Allowed, "a rotation revokes nothing");
    }
    world.store.revoke(&first).await.unwrap();

    // An instance that has not seen the key depends on the key endpoint alone, one that has on how long it may keep it.
    elapse_for_caches(KEPT).await;
    let cold = world.gate();
    assert_eq!(world.reason(&cold, &old).await, Reason::KeyUnknown);
    assert_eq!(world.reason(&cold, &new).await, Reason::Allowed);
    elapse_for_caches(Duration::from_secs(120)).await;
    assert_eq!(world.reason(&warm, &old).await, Reason::KeyUnknown, "it is refused after `fresh`");
    assert_eq!(world.reason(&warm, &new).await, Reason::Allowed, "and nothing else is");

    // While the key endpoint fails nobody learns of a revocation: `stale` is the most that it takes then.
    assert_eq!(world.store.revoke(&second).await, Err(StoreError::InUse));
    world.rotate().await;
    world.store.revoke(&second).await.unwrap();
    world.down.store(true, Ordering::SeqCst);
    elapse_for_caches(Duration::from_secs(600)).await;
    assert_eq!(world.reason(&warm, &new).await, Reason::KeyUnavailable, "it is refused after `stale`");
}
