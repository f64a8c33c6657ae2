//! A Key Vault of the tests' own, written from the REST documentation (keys, secrets and authentication of Azure Key Vault,
//! 2025-07-01, and the managed identity endpoint of App Service): over TLS, under a name that ends as a vault's does, with the 401
//! challenge, soft delete, lists in pages, and the troubles that a vault can be in.
//!
//! A process finds it by environment alone ([`KeyVault::environment`]): the managed identity endpoint, the root certificate, and a
//! proxy that knows the vault's name. A client in the test's own process has [`KeyVault::transport`] and [`Tokens`].

mod crypto;
mod doors;
mod objects;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Uri, header},
    response::Response,
};
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    http::Transport,
    time::{Duration as Span, OffsetDateTime},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::AbortHandle};

use self::objects::{Objects, Refusal};

/// Its name, which nobody has outside of the tests.
pub const HOST: &str = "drawbridge-tests.vault.azure.net";

/// What clients must ask tokens for.
const RESOURCE: &str = "https://vault.azure.net";

/// A running vault. What it started ends with it.
pub struct KeyVault {
    shared: Arc<Shared>,
    at: SocketAddr,
    identity: SocketAddr,
    proxy: SocketAddr,
    root: String,
    folder: TempDir,
    tasks: Vec<AbortHandle>,
}

struct Shared {
    objects: Mutex<Objects>,
    requests: Mutex<Vec<String>>,
    next: Mutex<VecDeque<Trouble>>,
    always: Mutex<Option<Trouble>>,
    writes: Mutex<Option<Trouble>>,
    tokens: AtomicUsize,
    resource: Mutex<String>,
}

/// What a vault answers instead of what it was asked.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// 429, and how many seconds to wait.
    Throttled(Option<u64>),
    /// A status, the code and the inner code of its body.
    Answer(u16, &'static str, &'static str),
    /// 200 and this.
    Body(String),
    /// Nothing, for ever.
    Silence,
    /// The beginning of an answer.
    Cut,
}

impl KeyVault {
    /// An empty vault.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared {
            objects: Mutex::default(),
            requests: Mutex::default(),
            next: Mutex::default(),
            always: Mutex::default(),
            writes: Mutex::default(),
            tokens: AtomicUsize::new(0),
            resource: Mutex::new(RESOURCE.to_owned()),
        });
        let (root, acceptor) = doors::certificate(HOST);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("root.pem"), &root).unwrap();

        let vault = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = vault.local_addr().unwrap();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let vault = tokio::spawn(async move {
            let _ = axum::serve(doors::Tls(vault, acceptor), app).await;
        });
        let identity = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let identity_at = identity.local_addr().unwrap();
        let app = Router::new().fallback(token).with_state(Arc::clone(&shared));
        let identity = tokio::spawn(async move {
            let _ = axum::serve(identity, app).await;
        });
        let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy_at = proxy.local_addr().unwrap();
        let proxy = tokio::spawn(doors::proxy(proxy, format!("{HOST}:443"), at));
        let tasks = [vault, identity, proxy].iter().map(|task| task.abort_handle()).collect();
        Self { shared, at, identity: identity_at, proxy: proxy_at, root, folder, tasks }
    }

    /// Its address, as the configuration has it.
    pub fn url(&self) -> String {
        format!("https://{HOST}")
    }

    /// Where it really is.
    pub fn address(&self) -> SocketAddr {
        self.at
    }

    /// What a process needs to reach it with its managed identity, and no other vault.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("IDENTITY_ENDPOINT", format!("http://{}/msi/token", self.identity)),
            ("IDENTITY_HEADER", IDENTITY_HEADER.to_owned()),
            ("HTTPS_PROXY", format!("http://{}", self.proxy)),
            ("SSL_CERT_FILE", self.root_certificate().display().to_string()),
        ]
    }

    /// A program in a Function App of this vault: what the tester's own machine says of Azure and proxies is not for it.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for name in [
            "AZURE_CLIENT_ID",
            "AZURE_FEDERATED_TOKEN_FILE",
            "AZURE_TOKEN_CREDENTIALS",
            "ALL_PROXY",
            "NO_PROXY",
            "https_proxy",
            "all_proxy",
            "no_proxy",
            "SSL_CERT_DIR",
        ] {
            command.env_remove(name);
        }
        command.envs(self.environment()).stdin(Stdio::null());
        command
    }

    /// The root of its certificate, which is all that its clients trust.
    pub fn root_certificate(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// A client's way to it, certificate and name checked.
    pub fn transport(&self) -> Transport {
        self.transport_to(self.at)
    }

    /// The same, but what is at the end of it is something else.
    pub fn transport_to(&self, at: SocketAddr) -> Transport {
        let root = reqwest::Certificate::from_pem(self.root.as_bytes()).unwrap();
        let client = reqwest::Client::builder().https_only(true).no_proxy();
        let client = client.tls_certs_only([root]).resolve(HOST, at).build().unwrap();
        Transport::new(Arc::new(client))
    }

    /// Answers the next request with this, and whatever was given here before it first.
    pub fn next(&self, trouble: Trouble) {
        self.shared.next.lock().unwrap().push_back(trouble);
    }

    /// Answers every request with this, or as it should.
    pub fn always(&self, trouble: Option<Trouble>) {
        *self.shared.always.lock().unwrap() = trouble;
    }

    /// Answers what makes a version with this, or as it should.
    pub fn break_writes(&self, trouble: Option<Trouble>) {
        *self.shared.writes.lock().unwrap() = trouble;
    }

    /// Makes the challenge ask for tokens of somebody else.
    pub fn challenge_for(&self, resource: &str) {
        *self.shared.resource.lock().unwrap() = resource.to_owned();
    }

    /// Changes attributes of a version (`enabled`, `nbf`, `exp`, `created`), as somebody else with access to the vault might.
    pub fn set(&self, name: &str, version: &str, attributes: &Value) {
        self.shared.objects.lock().unwrap().edit(name, version, |object| {
            for (attribute, value) in attributes.as_object().unwrap() {
                object.attributes[attribute] = value.clone();
            }
        });
    }

    /// Takes away the tags of a version.
    pub fn untag(&self, name: &str, version: &str) {
        self.shared.objects.lock().unwrap().edit(name, version, |object| object.tags = json!({}));
    }

    /// Puts another value into a version of a secret.
    pub fn overwrite(&self, name: &str, version: &str, value: &str) {
        self.shared.objects.lock().unwrap().edit(name, version, |object| object.content = json!(value));
    }

    /// Adds a key as it is: its private JWK, with `key_ops`. The answer is its version.
    pub fn import(&self, name: &str, jwk: Value) -> String {
        self.shared.objects.lock().unwrap().add("keys", name, jwk, json!({}))
    }

    /// Deletes a key or secret, which keeps its name for a while.
    pub fn delete(&self, name: &str) {
        self.shared.objects.lock().unwrap().delete(name);
    }

    /// Whether a disabled key is kept from whoever may read keys, as a disabled secret is.
    pub fn hide_disabled_keys(&self) {
        self.shared.objects.lock().unwrap().hides_disabled_keys = true;
    }

    /// What it was asked with a token since the last time this was asked: `GET /keys/orders-sig/`.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.requests.lock().unwrap())
    }

    /// How many tokens were given out.
    pub fn tokens(&self) -> usize {
        self.shared.tokens.load(Ordering::Relaxed)
    }

    /// A credential for a client in this process.
    pub fn credential(&self) -> Arc<Tokens> {
        Arc::new(Tokens(Arc::clone(&self.shared)))
    }
}

impl Drop for KeyVault {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Gives out the vault's tokens without asking its identity endpoint.
pub struct Tokens(Arc<Shared>);

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl TokenCredential for Tokens {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        assert_eq!(scopes, [format!("{RESOURCE}/.default")]);
        self.0.tokens.fetch_add(1, Ordering::Relaxed);
        Ok(AccessToken::new(TOKEN, OffsetDateTime::now_utc() + Span::hours(1)))
    }
}

async fn answer(
    State(vault): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if authorization != Some(&format!("Bearer {TOKEN}")) {
        let resource = vault.resource.lock().unwrap().clone();
        let challenge =
            format!(r#"Bearer authorization="https://login.example/contoso", resource="{resource}""#);
        let mut response = refused(&Refusal(401, "Unauthorized", ""));
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.parse().unwrap());
        return response;
    }
    vault.requests.lock().unwrap().push(format!("{method} {}", uri.path()));
    let writes = method == Method::PUT || uri.path().ends_with("/create");
    let next = vault.next.lock().unwrap().pop_front();
    let trouble = next
        .or_else(|| vault.always.lock().unwrap().clone())
        .or_else(|| vault.writes.lock().unwrap().clone().filter(|_| writes));
    if let Some(trouble) = trouble {
        return troubled(trouble).await;
    }
    let query = uri.query().unwrap_or_default();
    assert!(query.contains("api-version="), "every request names its version: {uri}");
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    let path: Vec<&str> = uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
    match vault.objects.lock().unwrap().answer(method.as_str(), &path, query, &body) {
        Ok(answer) => whole(200, answer.to_string()),
        Err(refusal) => refused(&refusal),
    }
}

async fn troubled(trouble: Trouble) -> Response {
    match trouble {
        Trouble::Throttled(wait) => {
            let mut response = refused(&Refusal(429, "Throttled", ""));
            if let Some(wait) = wait {
                response.headers_mut().insert(header::RETRY_AFTER, wait.into());
            }
            response
        }
        Trouble::Answer(status, code, inner) => refused(&Refusal(status, code, inner)),
        Trouble::Body(body) => whole(200, body),
        Trouble::Silence => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            whole(200, String::new())
        }
        Trouble::Cut => {
            let parts = [Ok(Bytes::from_static(b"{\"key\":")), Err(std::io::Error::other("cut"))];
            Response::new(Body::from_stream(futures_util::stream::iter(parts)))
        }
    }
}

fn refused(Refusal(status, code, inner): &Refusal) -> Response {
    let error =
        json!({ "error": { "code": code, "message": "Of the tests.", "innererror": { "code": inner } } });
    whole(*status, error.to_string())
}

fn whole(status: u16, body: String) -> Response {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    response.body(Body::from(body)).unwrap()
}

/// The managed identity endpoint of App Service.
async fn token(State(vault): State<Arc<Shared>>, uri: Uri, headers: HeaderMap) -> Response {
    let query = uri.query().unwrap_or_default().replace("%3A", ":").replace("%2F", "/");
    let asked = headers.get("x-identity-header").is_some_and(|header| header == IDENTITY_HEADER)
        && query.contains("api-version=2019-08-01")
        && query.contains(&format!("resource={RESOURCE}"));
    if uri.path() != "/msi/token" || !asked {
        return whole(400, json!({ "statusCode": 400, "message": "not a request for a token" }).to_string());
    }
    vault.tokens.fetch_add(1, Ordering::Relaxed);
    let expires = OffsetDateTime::now_utc() + Span::hours(1);
    let token = json!({
        "access_token": TOKEN,
        "expires_on": expires.unix_timestamp().to_string(),
        "resource": RESOURCE,
        "token_type": "Bearer",
        "client_id": "7b3e4c9a-6f1d-4f0e-9d52-1f0d8a6c2b11",
    });
    whole(200, token.to_string())
}

const TOKEN: &str = "of-the-tests";
const IDENTITY_HEADER: &str = "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a";
