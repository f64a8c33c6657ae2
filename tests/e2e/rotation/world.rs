//! The edge, the key endpoint and one backend's gate over one store, on a clock that the test moves.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::Request as HttpRequest,
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use drawbridge_bridge::{Bridge, KeyEndpoint};
use drawbridge_config::{Config, Store};
use drawbridge_gate::{Decision, Gate, Headers, NoAudit, Reason, Request, gate_for_backend, open_directory};
use drawbridge_keys::{
    BackendName, Clock, HttpClient, KeyStore, StoreError, SystemClock, directory::DirectoryStore,
};
use drawbridge_tests::{
    corpus::{Forge, token_of},
    forge::ChainForge,
};
use drawbridge_verify::{KeyUse, UnixTime};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

/// For how long the key endpoint keeps a published key, and the bridge the key that it signs with; and a second.
pub(crate) const KEPT: Duration = Duration::from_secs(11);

pub(crate) fn orders() -> BackendName {
    "orders".parse().unwrap()
}

pub(crate) struct World {
    _folder: TempDir,
    pub(crate) store: Arc<dyn KeyStore>,
    config: Config,
    bridge: Bridge,
    consumer: ChainForge,
    /// Whether the key endpoint fails.
    down: Arc<AtomicBool>,
    pub(crate) now: UnixTime,
}

impl World {
    /// Over a store that has a signing key of `orders`; `configured` is what the configuration says of it.
    pub(crate) async fn over(store: Arc<dyn KeyStore>, configured: &Value) -> Self {
        let down = Arc::new(AtomicBool::new(false));
        let keys = key_endpoint(KeyEndpoint::new([(orders(), Arc::clone(&store))]), Arc::clone(&down)).await;

        let folder = tempfile::tempdir().unwrap();
        let login = DirectoryStore::new(folder.path());
        let consumers: BackendName = "consumers".parse().unwrap();
        login.create(&consumers, KeyUse::Signing, "ES256".parse().unwrap()).await.unwrap();
        let consumer = ChainForge::at(folder.path(), "consumers", "https://login.example.com").await;

        let text = config(&keys, folder.path().to_str().unwrap(), configured);
        let config = drawbridge_config::load(&text, "drawbridge.yaml", folder.path()).unwrap();
        let http = HttpClient::new(Duration::from_secs(5), true).unwrap();
        let many = NonZeroU32::new(1_000_000).unwrap();
        let over = Arc::clone(&store);
        let open = move |store: &Store| -> Result<Arc<dyn KeyStore>, StoreError> {
            match store {
                Store::Directory(_) => open_directory(store),
                _ => Ok(Arc::clone(&over)),
            }
        };
        let bridge = Bridge::new(&config, &http, &open, Arc::new(NoAudit)).unwrap();
        let bridge = bridge.with_client_limit(many, many);
        Self { _folder: folder, store, config, bridge, consumer, down, now: SystemClock.now() }
    }

    /// A new instance of the authorizer, which knows no key yet.
    pub(crate) fn gate(&self) -> Gate {
        let http = HttpClient::new(Duration::from_secs(5), true).unwrap();
        gate_for_backend(&self.config, &orders(), &http, &open_directory, Arc::new(NoAudit)).unwrap()
    }

    /// A consumer's request through the edge: the bridged token that it becomes.
    pub(crate) async fn bridged(&self) -> String {
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

    pub(crate) async fn decided(&self, gate: &Gate, token: &str) -> Decision {
        gate.decide(&request("/customers/42", &format!("Bearer {token}")), self.now).await
    }

    pub(crate) async fn reason(&self, gate: &Gate, token: &str) -> Reason {
        self.decided(gate, token).await.reason()
    }

    /// From now on the key endpoint answers 502.
    pub(crate) fn fail(&self) {
        self.down.store(true, Ordering::SeqCst);
    }

    /// Lets time pass for every cache of keys, and for tokens, without waiting.
    pub(crate) async fn elapse(&mut self, by: Duration) {
        elapse_for_caches(by).await;
        self.now = self.now.after(by);
    }
}

/// As [`World::elapse`], but for the tokens, which stay as valid as they were.
pub(crate) async fn elapse_for_caches(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}

fn config(keys: &str, login: &str, store: &Value) -> String {
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
            "cloud": store,
        },
        "backends": { "orders": {
            "issuer": "edge", "store": "cloud", "upstream": "https://orders.example.com",
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
