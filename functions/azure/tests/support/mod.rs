//! A handler with a store of its own, asked over HTTP.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, TcpListener},
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use drawbridge_config::Environment;
use drawbridge_keys::{BackendName, KeyAlgorithm, KeyStore, directory::DirectoryStore};
use drawbridge_verify::KeyUse;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A running handler with a store of its own.
pub struct Handler {
    pub port: u16,
    pub folder: TempDir,
    pub store: DirectoryStore,
    pub client: Client<HttpConnector, Full<Bytes>>,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

#[derive(Default)]
pub struct Fixed(pub BTreeMap<String, String>);

impl Environment for Fixed {
    fn var(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

impl Handler {
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("drawbridge.yaml"), CONFIG).unwrap();
        let store = DirectoryStore::new(folder.path().join("keys"));
        for backend in ["billing", "orders"] {
            let algorithm: KeyAlgorithm = "ES256".parse().unwrap();
            store.create(&backend.parse().unwrap(), KeyUse::Signing, algorithm).await.unwrap();
        }
        let port = free_port();
        let mut environment = Fixed::default();
        for (name, value) in [
            ("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string().as_str()),
            ("DRAWBRIDGE_BACKEND", "billing"),
            ("DRAWBRIDGE_CONFIG", folder.path().join("drawbridge.yaml").to_str().unwrap()),
        ]
        .iter()
        .chain(settings)
        {
            environment.0.insert((*name).to_owned(), (*value).to_owned());
        }
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            if let Err(error) = runtime.block_on(drawbridge_azure_functions::run(&environment)) {
                panic!("the handler stopped: {error}");
            }
        });
        let client = Client::builder(TokioExecutor::new()).build_http();
        let handler = Self { port, folder, store, client };
        while handler.client.get(format!("http://127.0.0.1:{port}/").parse().unwrap()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        handler
    }

    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::get(format!("http://127.0.0.1:{}{path}", self.port));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Full::default()).unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &str) -> Answer {
        let request = Request::post(format!("http://127.0.0.1:{}{path}", self.port));
        self.send(request.body(Full::from(body.to_owned())).unwrap()).await
    }

    /// What the host makes of the answer.
    pub async fn invoke(&self, function: &str, url: &str, headers: &[(&str, &str)]) -> Answer {
        let mut dictionary: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in headers {
            dictionary.entry(name).or_default().push(value);
        }
        let body = json!({
            "Data": { "req": {
                "Url": url, "Method": "GET", "Query": {}, "Headers": dictionary, "Params": {}, "Identities": [], "Body": "",
            } },
            "Metadata": {},
        });
        let answer = self.post(&format!("/{function}"), &body.to_string()).await;
        assert_eq!(
            (answer.status, &answer.headers["content-type"]),
            (200, &"application/json".parse().unwrap())
        );
        let result: Value = serde_json::from_str(&answer.body).unwrap();
        let output = &result["Outputs"]["res"];
        Answer {
            status: output["statusCode"].as_u64().unwrap().try_into().unwrap(),
            headers: output["headers"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.as_str().unwrap().parse().unwrap()))
                .collect::<HeaderMap>(),
            body: output["body"].as_str().unwrap().to_owned(),
        }
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let (parts, body) = self.client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let status: StatusCode = parts.status;
        Answer {
            status: status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub async fn kid(&self, backend: &str) -> String {
        let backend: BackendName = backend.parse().unwrap();
        self.store.signer(&backend).await.unwrap().kid().to_string()
    }

    pub async fn token(&self, backend: &str, scope: &str) -> String {
        self.token_with(backend, scope, &json!({})).await
    }

    pub async fn token_with(&self, backend: &str, scope: &str, more: &Value) -> String {
        let backend: BackendName = backend.parse().unwrap();
        let signer = self.store.signer(&backend).await.unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let header = json!({ "alg": "ES256", "typ": "bridged+jwt", "kid": signer.kid().to_string() });
        let mut claims = json!({
            "iss": "https://edge.example.com", "aud": "billing", "sub": "alice", "scope": scope, "jti": "1",
            "iat": now, "exp": now + 60,
        });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", part(&header), part(&claims));
        let signature = signer.sign(input.as_bytes()).await.unwrap();
        format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

pub const CONFIG: &str = r#"
issuers:
  edge:
    issuer: https://edge.example.com
    keys: { store: local }
    algorithms: [ES256]
    types: [bridged+jwt]
stores:
  local: { directory: keys }
  elsewhere: { secrets_manager: { prefix: drawbridge, region: eu-west-1 } }
backends:
  billing:
    issuer: edge
    store: local
    routes:
      - { path: "/invoices/{invoice}", methods: [GET], scopes: ["invoices:read"] }
      - { path: "/invoices", methods: [POST], scopes: ["invoices:write"] }
  orders:
    issuer: edge
    store: elsewhere
    routes:
      - { path: "/orders/{order}", methods: [GET], scopes: ["orders:read"] }
audit: { ocsf: audit.log }
"#;
