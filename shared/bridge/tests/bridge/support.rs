//! An edge with two backends, the gates behind it, an identity provider, and a watch on the key store.

use std::{
    num::NonZeroU32,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_bridge::{Bridge, BridgeError, Bridged};
use drawbridge_config::{Config, Mistakes, Store};
use drawbridge_gate::{
    AuditError, AuditEvent, AuditSink, Decision, Deny, Headers, NoAudit, Reason, Request, gate_for_backend,
    open_directory,
};
use drawbridge_keys::{
    BackendName, Decrypter, HttpClient, KeyAlgorithm, KeyStore, KeyVersion, Kid, Signer, StoreError,
    directory::DirectoryStore,
};
use drawbridge_verify::{Algorithm, KeyUse, PublicJwk, UnixTime};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// When the tests take place.
pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

const CONFIG: &str = r#"
issuers:
  login:
    issuer: https://login.example.com
    audience: https://api.example.com
    keys: { store: idp }
    algorithms: [ES256]
    types: [at+jwt]
  edge:
    issuer: https://edge.example.com
    keys: { store: keys }
    algorithms: [ES256]
    types: [bridged+jwt]
stores:
  idp: { directory: idp }
  keys: { directory: keys }
backends:
  orders:
    issuer: edge
    store: keys
    claims: { roles: /realm_access/roles, region: /custom/region }
    routes:
      - { path: "/customers/{customer}", methods: [GET], scopes: ["customers:read"] }
      - { path: "/customers/{customer}", methods: [PUT], scopes: ["customers:read", "customers:write"] }
      - { path: "/", methods: [GET], scopes: [] }
  billing:
    issuer: edge
    store: keys
    audience: https://billing.example.com
    path: /money
    routes:
      - { path: "/invoices/{invoice}", methods: [GET], scopes: ["invoices:read"] }
consumers: login
"#;

pub(crate) struct House {
    pub(crate) folder: TempDir,
    pub(crate) config: Config,
    pub(crate) store: Arc<Watched>,
    pub(crate) bridge: Bridge,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) idp: Arc<dyn Signer>,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(Algorithm::ES256).await
    }

    /// `algorithm`: of the signing keys of the backends.
    pub(crate) async fn with(algorithm: Algorithm) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = drawbridge_config::load(CONFIG, "test.yaml", folder.path()).unwrap();
        let idp = DirectoryStore::new(folder.path().join("idp"));
        let store = Arc::new(Watched::new(&folder.path().join("keys")));
        for (backend, store, algorithm) in [
            ("login", &idp as &dyn KeyStore, Algorithm::ES256),
            ("orders", store.as_ref(), algorithm),
            ("billing", store.as_ref(), algorithm),
        ] {
            let algorithm = KeyAlgorithm::Signature(algorithm);
            store.create(&name(backend), KeyUse::Signing, algorithm).await.unwrap();
        }
        let ledger = Arc::new(Ledger::default());
        let bridge = bridge(&config, &store, Arc::clone(&ledger)).unwrap();
        let idp = idp.signer(&name("login")).await.unwrap();
        Self { folder, config, store, bridge, ledger, idp }
    }

    /// A configuration made from the usual one.
    pub(crate) fn config(&self, change: impl FnOnce(String) -> String) -> Config {
        self.try_config(change).unwrap()
    }

    /// As [`config`](Self::config), with what is wrong with it.
    pub(crate) fn try_config(&self, change: impl FnOnce(String) -> String) -> Result<Config, Mistakes> {
        drawbridge_config::load(&change(CONFIG.to_owned()), "test.yaml", self.folder.path())
    }

    pub(crate) fn limited(self, burst: u32) -> Self {
        let bridge = self.bridge.with_client_limit(NonZeroU32::MIN, NonZeroU32::new(burst).unwrap());
        Self { bridge, ..self }
    }

    /// A consumer's token with `change` over the usual claims; `null` takes one away.
    pub(crate) async fn token(&self, change: Value) -> String {
        let mut claims = json!({
            "iss": "https://login.example.com",
            "aud": "https://api.example.com",
            "sub": "alice",
            "client_id": "app",
            "jti": "one",
            "iat": NOW.as_secs(),
            "exp": NOW.as_secs() + 600,
            "scope": "openid customers:read invoices:read",
        });
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        self.signed(&claims.to_string()).await
    }

    /// A consumer's token of these very claims.
    pub(crate) async fn signed(&self, claims: &str) -> String {
        let header = json!({ "alg": "ES256", "kid": self.idp.kid().to_string(), "typ": "at+jwt" });
        let input =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.idp.sign(input.as_bytes()).await.unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    pub(crate) async fn bridged(&self, token: &str, target: &str) -> Result<Bridged, Deny> {
        self.asked("GET", token, target).await
    }

    pub(crate) async fn asked(&self, method: &str, token: &str, target: &str) -> Result<Bridged, Deny> {
        let authorization = format!("Bearer {token}");
        self.bridge.bridge(&request(method, &authorization, target), NOW).await
    }

    /// What the gate of a backend decides about a bridged token.
    pub(crate) async fn gate(&self, backend: &str, token: &str, target: &str) -> Decision {
        self.gate_seeing(backend, token, target, None).await
    }

    /// As [`gate`](Self::gate), where the sender shows a certificate.
    pub(crate) async fn gate_seeing(
        &self,
        backend: &str,
        token: &str,
        target: &str,
        client_certificate: Option<&[u8]>,
    ) -> Decision {
        let open = opener(&self.store);
        let gate = gate_for_backend(&self.config, &name(backend), &http(), &open, Arc::new(NoAudit)).unwrap();
        let authorization = format!("Bearer {token}");
        let request = Request { client_certificate, ..request("GET", &authorization, target) };
        gate.decide(&request, NOW).await
    }
}

pub(crate) fn bridge(
    config: &Config,
    store: &Arc<Watched>,
    ledger: Arc<Ledger>,
) -> Result<Bridge, BridgeError> {
    Bridge::new(config, &http(), &opener(store), ledger)
}

fn opener(keys: &Arc<Watched>) -> impl Fn(&Store) -> Result<Arc<dyn KeyStore>, StoreError> + Sync {
    let keys = Arc::clone(keys);
    move |store| match store {
        Store::Directory(path) if path.ends_with("keys") => Ok(Arc::clone(&keys) as Arc<dyn KeyStore>),
        store => open_directory(store),
    }
}

fn http() -> HttpClient {
    HttpClient::new(Duration::from_secs(1), true).unwrap()
}

fn request<'a>(method: &'a str, authorization: &'a str, target: &'a str) -> Request<'a> {
    Request {
        method,
        target,
        headers: Headers::from_iter([("authorization", authorization.as_bytes())]),
        source_ip: Some([192, 0, 2, 7].into()),
        client_certificate: None,
        request_id: None,
    }
}

pub(crate) fn name(backend: &str) -> BackendName {
    backend.parse().unwrap()
}

/// The claims of a compact JWS, unchecked.
pub(crate) fn claims(token: &str) -> Map<String, Value> {
    part(token, 1)
}

/// The header of a compact JWS, unchecked.
pub(crate) fn header(token: &str) -> Map<String, Value> {
    part(token, 0)
}

fn part(token: &str, index: usize) -> Map<String, Value> {
    let part = URL_SAFE_NO_PAD.decode(token.split('.').nth(index).unwrap()).unwrap();
    serde_json::from_slice(&part).unwrap()
}

/// A directory store that counts what it is asked and can be down, or give what it was not asked for.
pub(crate) struct Watched {
    keys: DirectoryStore,
    asked: AtomicUsize,
    down: AtomicBool,
    hangs: AtomicBool,
    wrong: Mutex<Option<Kid>>,
    wrong_encryption: Mutex<Option<Kid>>,
}

impl Watched {
    fn new(root: &Path) -> Self {
        Self {
            keys: DirectoryStore::new(root),
            asked: AtomicUsize::new(0),
            down: AtomicBool::new(false),
            hangs: AtomicBool::new(false),
            wrong: Mutex::new(None),
            wrong_encryption: Mutex::new(None),
        }
    }

    /// How often it was asked for a key, of any kind, since the last time.
    pub(crate) fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }

    pub(crate) fn down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Whether it takes an hour for everything.
    pub(crate) fn hangs(&self, hangs: bool) {
        self.hangs.store(hangs, Ordering::SeqCst);
    }

    /// From now on it gives this key, whichever it is asked for.
    pub(crate) fn confuse(&self, kid: Kid) {
        *self.wrong.lock().unwrap() = Some(kid);
    }

    /// As [`confuse`](Self::confuse), for keys to encrypt to alone.
    pub(crate) fn confuse_encryption(&self, kid: Kid) {
        *self.wrong_encryption.lock().unwrap() = Some(kid);
    }

    async fn ask(&self) -> Result<(), StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.hangs.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("it is down".to_owned()));
        }
        Ok(())
    }

    fn wrong(&self) -> Option<Kid> {
        self.wrong.lock().unwrap().clone()
    }
}

#[async_trait]
impl KeyStore for Watched {
    async fn public(&self, kid: &Kid) -> Result<PublicJwk, StoreError> {
        self.ask().await?;
        self.keys.public(self.wrong().as_ref().unwrap_or(kid)).await
    }

    async fn signer(&self, backend: &BackendName) -> Result<Arc<dyn Signer>, StoreError> {
        self.ask().await?;
        self.keys.signer(self.wrong().map(|kid| kid.backend).as_ref().unwrap_or(backend)).await
    }

    async fn encryption_key(&self, backend: &BackendName) -> Result<PublicJwk, StoreError> {
        self.ask().await?;
        let wrong = self.wrong_encryption.lock().unwrap().clone();
        self.keys.encryption_key(wrong.map(|kid| kid.backend).as_ref().unwrap_or(backend)).await
    }

    async fn decrypter(&self, kid: &Kid) -> Result<Arc<dyn Decrypter>, StoreError> {
        self.ask().await?;
        self.keys.decrypter(kid).await
    }

    async fn versions(&self, backend: &BackendName, key_use: KeyUse) -> Result<Vec<KeyVersion>, StoreError> {
        self.keys.versions(backend, key_use).await
    }

    async fn backends(&self) -> Result<Vec<BackendName>, StoreError> {
        self.keys.backends().await
    }

    async fn create(
        &self,
        backend: &BackendName,
        key_use: KeyUse,
        algorithm: KeyAlgorithm,
    ) -> Result<Kid, StoreError> {
        self.keys.create(backend, key_use, algorithm).await
    }

    async fn rotate(&self, backend: &BackendName, key_use: KeyUse) -> Result<Kid, StoreError> {
        self.keys.rotate(backend, key_use).await
    }

    async fn revoke(&self, kid: &Kid) -> Result<(), StoreError> {
        self.keys.revoke(kid).await
    }
}

/// What was put on record: reason, request id, principal, route.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Vec<Line>>);

pub(crate) struct Line {
    pub(crate) reason: Reason,
    pub(crate) backend: String,
    pub(crate) request_id: String,
    pub(crate) principal: Option<String>,
    pub(crate) route: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) detail: Option<String>,
}

impl Ledger {
    /// The lines since the last time.
    pub(crate) fn lines(&self) -> Vec<Line> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    pub(crate) fn reasons(&self) -> Vec<Reason> {
        self.lines().iter().map(|line| line.reason).collect()
    }
}

impl AuditSink for Ledger {
    fn record(&self, event: &AuditEvent<'_>) -> Result<(), AuditError> {
        self.0.lock().unwrap().push(Line {
            reason: event.reason,
            backend: event.backend.to_owned(),
            request_id: event.request_id.to_owned(),
            principal: event.principal.map(str::to_owned),
            route: event.route.map(str::to_owned),
            method: event.method.map(str::to_owned),
            detail: event.detail.map(str::to_owned),
        });
        Ok(())
    }
}
