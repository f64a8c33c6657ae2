//! A gate over key stores in memory, and the tokens to try it with.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::Path,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_config::{Config, Store};
use drawbridge_gate::{
    AuditSink, Decision, Gate, Headers, OcsfLines, Reason, Request, gate_for_backend, gates_for_consumers,
};
use drawbridge_keys::{
    BackendName, Decrypter, HttpClient, KeyAlgorithm, KeyStore, KeyVersion, Kid, PrivateJwk, Signer,
    StoreError,
};
use drawbridge_verify::{
    KeyUse, PublicJwk, UnixTime,
    jwe::{ContentEncryption, EncryptionKey, KeyManagement},
};
use rcgen::Certificate;
use serde_json::{Map, Value, json};

/// When the tests take place.
pub const NOW: i64 = 1_800_000_000;

pub const CONFIG: &str = r#"
issuers:
  edge:
    issuer: https://edge.example.com
    keys: { store: shelf }
    algorithms: [EdDSA]
    types: [bridged+jwt]
    max_lifetime: 5m
  login:
    issuer: https://login.example.com
    audience: https://api.example.com
    keys: { store: login }
    algorithms: [EdDSA]
    types: [at+jwt]
stores:
  shelf: { directory: shelf }
  login: { directory: login }
backends:
  orders:
    issuer: edge
    store: shelf
    claims: { roles: /roles, region: /region }
    policy: [policies/orders.cedar]
    routes:
      - { path: "/customers/{customer}", methods: [GET, DELETE], scopes: ["customers:read"] }
      - { path: "/customers", methods: [POST], scopes: ["customers:read", "customers:write"] }
      - { path: "/files/{*rest}", methods: [GET], scopes: ["files:read"] }
      - { path: "/regions/{region}/customers", methods: [GET], scopes: ["customers:read"], policy: true }
    context: [sub, roles, txn]
  billing:
    issuer: edge
    store: shelf
    routes:
      - { path: "/invoices/{invoice}", methods: [GET], scopes: ["customers:read"] }
  vault:
    issuer: edge
    store: shelf
    encryption: required
    routes:
      - { path: "/secrets/{secret}", methods: [GET], scopes: ["customers:read"] }
consumers: login
"#;

/// Who signs: each has a key pair of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signs {
    Orders,
    Billing,
    Vault,
    Login,
    Stranger,
}

/// A key store in memory that counts how often it was asked.
pub struct Shelf {
    keys: Mutex<BTreeMap<&'static str, Result<PublicJwk, StoreError>>>,
    pub asked: AtomicUsize,
}

/// The gates of one configuration, with what they asked and wrote.
pub struct House {
    config: Config,
    pub shelf: Arc<Shelf>,
    pub login: Arc<Shelf>,
    pub lines: Lines,
    audit: Arc<dyn AuditSink>,
}

/// Audit lines.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

/// A request, and the token that it carries. Begins as one that is allowed.
#[derive(Clone)]
pub struct Case {
    pub backend: &'static str,
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
    pub signs: Signs,
    pub token: Option<String>,
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub authorization: bool,
    pub certificate: Option<Vec<u8>>,
    pub now: i64,
}

impl House {
    pub fn new() -> Self {
        Self::with_config(CONFIG)
    }

    pub fn with_config(text: &str) -> Self {
        Self::of(load(text))
    }

    pub fn of(config: Config) -> Self {
        let shelf = Shelf::new([
            ("orders.sig.1", Ok(Signs::Orders.jwk("orders.sig.1"))),
            ("billing.sig.1", Ok(Signs::Billing.jwk("billing.sig.1"))),
            ("vault.sig.1", Ok(Signs::Vault.jwk("vault.sig.1"))),
            ("orders.sig.down", Err(StoreError::Unavailable("no answer within 2 s".to_owned()))),
            ("orders.sig.enc", Ok(jwk(&Signs::Orders.public(), "orders.sig.enc", &json!({"use": "enc"})))),
        ]);
        let login = Shelf::new([
            ("login.sig.1", Ok(Signs::Login.jwk("login.sig.1"))),
            ("orders.sig.1", Ok(Signs::Login.jwk("orders.sig.1"))),
        ]);
        let lines = Lines::default();
        Self { config, shelf, login, audit: Arc::new(OcsfLines::new(lines.clone())), lines }
    }

    pub fn auditing(self, audit: Arc<dyn AuditSink>) -> Self {
        Self { audit, ..self }
    }

    pub fn gate(&self, backend: &str) -> Gate {
        let backend: BackendName = backend.parse().unwrap();
        gate_for_backend(&self.config, &backend, &http(), &|store| self.open(store), Arc::clone(&self.audit))
            .unwrap()
    }

    pub fn edges(&self) -> BTreeMap<BackendName, Gate> {
        gates_for_consumers(&self.config, &http(), &|store| self.open(store), &self.audit).unwrap()
    }

    pub fn decide(&self, case: &Case) -> Decision {
        case.decide(&self.gate(case.backend))
    }

    pub fn reason(&self, case: &Case) -> Reason {
        self.decide(case).reason()
    }

    fn open(&self, store: &Store) -> Result<Arc<dyn KeyStore>, StoreError> {
        match store {
            Store::Directory(path) if path.ends_with("login") => Ok(Arc::clone(&self.login) as _),
            _ => Ok(Arc::clone(&self.shelf) as _),
        }
    }
}

impl Case {
    pub fn new() -> Self {
        Self::of("orders", Signs::Orders)
    }

    /// A bridged token for `backend`.
    pub fn of(backend: &'static str, signs: Signs) -> Self {
        Self {
            backend,
            header: object(json!({"alg": "EdDSA", "typ": "bridged+jwt", "kid": format!("{backend}.sig.1")})),
            claims: object(json!({
                "iss": "https://edge.example.com",
                "sub": "alice",
                "aud": backend,
                "exp": NOW + 120,
                "iat": NOW,
                "jti": "7f1c",
                "txn": "t-1",
                "scope": "customers:read invoices:read",
                "roles": ["sales"],
            })),
            signs,
            token: None,
            method: "GET".to_owned(),
            target: match backend {
                "billing" => "/invoices/1",
                "vault" => "/secrets/1",
                _ => "/customers/4711",
            }
            .to_owned(),
            headers: Vec::new(),
            authorization: true,
            certificate: None,
            now: NOW,
        }
    }

    /// A consumer's access token (RFC 9068).
    pub fn of_consumer() -> Self {
        let mut case = Self::of("orders", Signs::Login).header("typ", "at+jwt").header("kid", "login.sig.1");
        for (claim, value) in [
            ("iss", json!("https://login.example.com")),
            ("aud", json!(["https://api.example.com", "https://other.example.com"])),
            ("exp", json!(NOW + 3600)),
            ("client_id", json!("app")),
        ] {
            case = case.claim(claim, value);
        }
        case
    }

    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        assert!(self.claims.remove(name).or_else(|| self.header.remove(name)).is_some());
        self
    }

    pub fn signed_by(self, signs: Signs) -> Self {
        Self { signs, ..self }
    }

    pub fn to(self, method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), ..self }
    }

    pub fn at(self, now: i64) -> Self {
        Self { now, ..self }
    }

    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sent with this client certificate.
    pub fn showing(self, certificate: impl Into<Vec<u8>>) -> Self {
        Self { certificate: Some(certificate.into()), ..self }
    }

    /// Bound to this client certificate.
    pub fn bound_to(self, certificate: &Certificate) -> Self {
        self.claim("cnf", json!({"x5t#S256": thumbprint(certificate)}))
    }

    /// No `Authorization` header but those of [`with`](Self::with).
    pub fn bare(self) -> Self {
        Self { authorization: false, ..self }
    }

    /// This text instead of a token.
    pub fn text(self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self }
    }

    /// This header and these claims, as they are written.
    pub fn raw(self, header: &str, claims: &str) -> Self {
        let token = self.signs.sign(header, claims);
        self.text(token)
    }

    pub fn token(&self) -> String {
        self.token.clone().unwrap_or_else(|| {
            self.signs.sign(
                &Value::from(self.header.clone()).to_string(),
                &Value::from(self.claims.clone()).to_string(),
            )
        })
    }

    pub fn decide(&self, gate: &Gate) -> Decision {
        block_on(self.decided(gate))
    }

    pub async fn decided(&self, gate: &Gate) -> Decision {
        let bearer = format!("Bearer {}", self.token());
        let mut headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        if self.authorization {
            headers.push(("Authorization", bearer.as_bytes()));
        }
        let request = Request {
            method: &self.method,
            target: &self.target,
            headers: headers.into_iter().collect::<Headers<'_>>(),
            source_ip: Some([192, 0, 2, 7].into()),
            client_certificate: self.certificate.as_deref(),
            request_id: Some("r-1"),
        };
        gate.decide(&request, UnixTime::from_secs(self.now)).await
    }
}

impl Signs {
    fn pair(self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[self as u8 + 1; 32]).unwrap()
    }

    pub fn public(self) -> String {
        URL_SAFE_NO_PAD.encode(self.pair().public_key().as_ref())
    }

    pub fn jwk(self, kid: &str) -> PublicJwk {
        jwk(&self.public(), kid, &json!({}))
    }

    pub fn sign(self, header: &str, claims: &str) -> String {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.pair().sign(input.as_bytes());
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

impl Shelf {
    fn new<const N: usize>(keys: [(&'static str, Result<PublicJwk, StoreError>); N]) -> Arc<Self> {
        Arc::new(Self { keys: Mutex::new(keys.into()), asked: AtomicUsize::new(0) })
    }

    /// From now on the store has this under a kid.
    pub fn put(&self, kid: &'static str, key: Result<PublicJwk, StoreError>) {
        self.keys.lock().unwrap().insert(kid, key);
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl KeyStore for Shelf {
    async fn public(&self, kid: &Kid) -> Result<PublicJwk, StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.keys.lock().unwrap().get(kid.to_string().as_str()).cloned().unwrap_or(Err(StoreError::NotFound))
    }
    async fn decrypter(&self, kid: &Kid) -> Result<Arc<dyn Decrypter>, StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match kid.version.as_str() {
            "1" => ENVELOPE.decrypter(kid),
            "down" => Err(StoreError::Unavailable("no answer within 2 s".to_owned())),
            "odd" => ENVELOPE.decrypter(&"orders.enc.1".parse().unwrap()),
            _ => Err(StoreError::NotFound),
        }
    }
    async fn signer(&self, _: &BackendName) -> Result<Arc<dyn Signer>, StoreError> {
        Err(StoreError::NotFound)
    }
    async fn versions(&self, _: &BackendName, _: KeyUse) -> Result<Vec<KeyVersion>, StoreError> {
        Ok(Vec::new())
    }
    async fn backends(&self) -> Result<Vec<BackendName>, StoreError> {
        Ok(Vec::new())
    }
    async fn create(&self, _: &BackendName, _: KeyUse, _: KeyAlgorithm) -> Result<Kid, StoreError> {
        Err(StoreError::Exists)
    }
    async fn rotate(&self, _: &BackendName, _: KeyUse) -> Result<Kid, StoreError> {
        Err(StoreError::NotFound)
    }
    async fn revoke(&self, _: &Kid) -> Result<(), StoreError> {
        Err(StoreError::NotFound)
    }
}

impl Lines {
    /// What was written.
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Each line, as JSON.
    pub fn read(&self) -> Vec<Value> {
        let text = self.text();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        assert!(line.ends_with(b"\n"), "a line is written in one call");
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The private key behind every `<backend>.enc.1`: kids alone keep them apart here.
static ENVELOPE: LazyLock<PrivateJwk> =
    LazyLock::new(|| PrivateJwk::generate(KeyAlgorithm::from(KeyManagement::EcdhEsA256Kw)).unwrap());

/// Encrypts a text to the key of [`ENVELOPE`], under any name.
pub fn sealed(kid: &str, encryption: ContentEncryption, text: &str) -> String {
    let public = ENVELOPE.public().clone().named_for_encryption(kid, KeyManagement::EcdhEsA256Kw);
    EncryptionKey::bind(&public, kid, encryption).unwrap().encrypt(text).unwrap()
}

/// The configuration; its policies are those beside the tests.
pub fn load(text: &str) -> Config {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    drawbridge_config::load(text, "drawbridge.yaml", &folder).expect("configuration")
}

/// A client's certificate.
pub fn certificate() -> Certificate {
    let key = rcgen::KeyPair::generate().unwrap();
    rcgen::CertificateParams::new(vec!["app.example.com".to_owned()]).unwrap().self_signed(&key).unwrap()
}

/// `x5t#S256`.
pub fn thumbprint(certificate: &Certificate) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, certificate.der()))
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn http() -> HttpClient {
    HttpClient::new(Duration::from_secs(1), false).unwrap()
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn jwk(public: &str, kid: &str, over: &Value) -> PublicJwk {
    let mut jwk =
        json!({"kty": "OKP", "crv": "Ed25519", "x": public, "kid": kid, "use": "sig", "alg": "EdDSA"});
    jwk.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
    PublicJwk::parse(jwk.to_string().as_bytes()).unwrap()
}
