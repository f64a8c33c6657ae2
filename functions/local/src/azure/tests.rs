//! The whole gateway: the front, the host, the real handler in each form, and a backend that says what it was told.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use axum::Router;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use drawbridge_azure_functions::contract;
use drawbridge_config::{AzureMode, Environment};
use drawbridge_keys::{BackendName, KeyStore, directory::DirectoryStore};
use drawbridge_verify::KeyUse;
use futures_util::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
};
use url::Url;

use super::{
    AzureBackend, AzureError, Gateway, route,
    testing::{echo, serve},
    worker::Launch,
};

#[tokio::test]
async fn a_request_is_decided_alike_in_every_form() {
    for mode in [AzureMode::Forward, AzureMode::Proxy, AzureMode::Invoke] {
        let stage = Stage::new(mode).await;
        let billing = format!("Bearer {}", stage.token("billing", "invoices:read").await);
        let orders = format!("Bearer {}", stage.token("orders", "orders:read").await);
        let narrow = format!("Bearer {}", stage.token("billing", "other").await);
        let forged = format!("{billing}A");
        for (method, path, headers, status) in [
            ("GET", "/billing/invoices/7", &[("authorization", billing.as_str())][..], 200),
            ("GET", "/orders/orders/7", &[("authorization", &orders)], 200),
            ("GET", "/billing/invoices/7", &[("authorization", &orders)], 401),
            ("GET", "/orders/orders/7", &[("authorization", &billing)], 401),
            ("GET", "/billing/invoices/7", &[("authorization", &forged)], 401),
            ("GET", "/billing/invoices/7", &[("authorization", &narrow)], 403),
            ("GET", "/billing/invoices/7", &[], 401),
            ("GET", "/billing/invoices/7", &[("x-drawbridge-sub", "alice"), ("x-original-uri", "/")], 401),
            ("PUT", "/billing/invoices/7", &[("authorization", &billing)], 403),
            ("GET", "/billing/other", &[("authorization", &billing)], 403),
            ("GET", "/billing", &[("authorization", &billing)], 403),
            ("GET", "/billing/invoices/%2e%2e", &[("authorization", &billing)], 400),
            ("GET", "/billing//invoices/7", &[("authorization", &billing)], 400),
            ("GET", "/billing/invoices/7%2f8", &[("authorization", &billing)], 400),
            (
                "GET",
                "/billing/invoices/7",
                &[("authorization", &billing), ("x-http-method-override", "PUT")],
                400,
            ),
            ("GET", "/nobody/invoices/7", &[("authorization", &billing)], 404),
            ("GET", "/", &[("authorization", &billing)], 404),
        ] {
            let (answered, body) = stage.send(method, path, headers).await;
            assert_eq!(answered, status, "{mode:?} {method} {path} {headers:?}: {body}");
            if status == 200 {
                let seen: Value = serde_json::from_str(&body).unwrap();
                assert_eq!(seen["headers"]["x-drawbridge-sub"], "alice");
                assert_eq!(seen["headers"]["authorization"], Value::Null);
            }
        }
    }
}

#[tokio::test]
async fn the_functions_of_the_first_app_are_there_for_other_gateways() {
    for mode in [AzureMode::Forward, AzureMode::Proxy, AzureMode::Invoke] {
        let stage = Stage::new(mode).await;
        let kid = stage.store.signer(&"billing".parse().unwrap()).await.unwrap().kid().to_string();
        let (status, set) = stage.send("GET", &format!("/api/jwks/billing/{kid}"), &[]).await;
        assert_eq!(
            (status, &serde_json::from_str::<Value>(&set).unwrap()["keys"][0]["kid"]),
            (200, &kid.into())
        );
        assert_eq!(stage.send("GET", "/api/jwks/billing/billing.sig.none", &[]).await.0, 404);
        assert_eq!(stage.send("GET", "/api/nothing", &[]).await.0, 404);
        let token = format!("Bearer {}", stage.token("billing", "invoices:read").await);
        let described = [
            ("authorization", token.as_str()),
            ("x-original-method", "GET"),
            ("x-original-uri", "/invoices/7"),
        ];
        assert_eq!(stage.send("GET", "/api/authorize", &described).await.0, 200);
        assert_eq!(stage.send("GET", "/api/authorize", &described[..2]).await.0, 400);
    }
}

#[tokio::test]
async fn the_proxy_function_guards_the_upstream_by_itself_where_the_host_passes_requests_on_whole() {
    for (mode, allowed) in [(AzureMode::Proxy, 200), (AzureMode::Forward, 501), (AzureMode::Invoke, 501)] {
        let stage = Stage::new(mode).await;
        let token = format!("Bearer {}", stage.token("billing", "invoices:read").await);
        let headers = [
            ("authorization", token.as_str()),
            ("x-drawbridge-sub", "eve"),
            ("x-ms-client-principal-name", "eve"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-kept", "1"),
        ];
        let (status, body) = stage.send("GET", "/api/proxy/invoices/7?q=1&q=2", &headers).await;
        assert_eq!(status, allowed, "{mode:?}: {body}");
        if status == 200 {
            let seen: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(seen["uri"], "/invoices/7?q=1&q=2");
            let told = &seen["headers"];
            assert_eq!((&told["x-drawbridge-sub"], &told["x-kept"]), (&"alice".into(), &"1".into()));
            for gone in [
                "authorization",
                "x-ms-client-principal-name",
                "x-forwarded-for",
                "x-azure-functions-invocationid",
                "x-ms-invocation-id",
            ] {
                assert_eq!(told[gone], Value::Null, "{gone}");
            }
        }
        for (method, path, headers, status) in [
            ("GET", "/api/proxy/invoices/7", &headers[1..], 401),
            ("PUT", "/api/proxy/invoices/7", &headers[..], 403),
            ("GET", "/api/proxy/other", &headers[..], 403),
            ("GET", "/api/proxy", &headers[..], 403),
        ] {
            let (answered, body) = stage.send(method, path, headers).await;
            assert_eq!(answered, if allowed == 200 { status } else { allowed }, "{mode:?} {method} {path}");
            assert!(!body.contains("\"uri\""), "{mode:?} {method} {path}: {body}");
        }
    }
}

#[tokio::test]
async fn a_backend_whose_handler_does_not_start_is_shut() {
    let stage = Stage::with(AzureMode::Forward, |_, _| Arc::new(Broken)).await;
    let token = format!("Bearer {}", stage.token("billing", "invoices:read").await);
    assert_eq!(stage.send("GET", "/billing/invoices/7", &[("authorization", &token)]).await.0, 503);
    assert_eq!(stage.send("GET", "/api/jwks/billing/k", &[]).await.0, 503);
}

#[tokio::test]
async fn a_backend_cannot_have_the_name_of_the_functions() {
    let backend =
        AzureBackend { name: "api".parse().unwrap(), upstream: Url::parse("http://127.0.0.1:9").unwrap() };
    let refused =
        Gateway::new(vec![backend], AzureMode::Forward, |_| -> Arc<dyn Launch> { Arc::new(Broken) });
    assert!(matches!(refused, Err(AzureError::Name(_))));
}

/// A gateway with two backends.
struct Stage {
    _folder: TempDir,
    store: DirectoryStore,
    at: Url,
}

impl Stage {
    async fn new(mode: AzureMode) -> Self {
        Self::with(mode, |config, backend| {
            Arc::new(InProcess { backend: backend.clone(), config: config.into() })
        })
        .await
    }

    async fn with(mode: AzureMode, launch: impl Fn(&Path, &AzureBackend) -> Arc<dyn Launch>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("drawbridge.yaml");
        std::fs::write(&config, CONFIG).unwrap();
        let store = DirectoryStore::new(folder.path().join("keys"));
        let upstream = serve(Router::new().fallback(echo)).await;
        let mut backends = Vec::new();
        for name in ["billing", "orders"] {
            let name: BackendName = name.parse().unwrap();
            store.create(&name, KeyUse::Signing, "ES256".parse().unwrap()).await.unwrap();
            backends.push(AzureBackend { name, upstream: upstream.clone() });
        }
        let gateway = Gateway::new(backends, mode, |name| launch(&config, name)).unwrap();
        let at = serve(Router::new().fallback(route).with_state(Arc::new(gateway))).await;
        Self { _folder: folder, store, at }
    }

    /// By a client that writes the path as it is given.
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let authority = self.at.authority();
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        let mut stream = TcpStream::connect(authority).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let body = match body.find('{').zip(body.rfind('}')) {
            Some((start, end)) => body.get(start..=end).unwrap().to_owned(),
            None => body.to_owned(),
        };
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body)
    }

    async fn token(&self, backend: &str, scope: &str) -> String {
        let signer = self.store.signer(&backend.parse().unwrap()).await.unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let header = json!({ "alg": "ES256", "typ": "bridged+jwt", "kid": signer.kid().to_string() });
        let claims = json!({
            "iss": "https://edge.example.com", "aud": backend, "sub": "alice", "scope": scope, "jti": "1",
            "iat": now, "exp": now + 60,
        });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", part(&header), part(&claims));
        format!("{input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signer.sign(input.as_bytes()).await.unwrap()))
    }
}

/// The deployed handler, on a thread of this process.
struct InProcess {
    backend: AzureBackend,
    config: PathBuf,
}

impl Launch for InProcess {
    fn launch(&self, port: u16, _worker_id: &str) -> io::Result<BoxFuture<'static, String>> {
        let settings = Settings {
            port,
            backend: self.backend.name.to_string(),
            upstream: self.backend.upstream.to_string(),
            config: self.config.display().to_string(),
        };
        let (sender, ended) = oneshot::channel();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            let _ =
                sender.send(format!("{:?}", runtime.block_on(drawbridge_azure_functions::run(&settings))));
        });
        Ok(async move { ended.await.unwrap_or_default() }.boxed())
    }

    fn name(&self) -> &str {
        self.backend.name.as_str()
    }
}

struct Settings {
    port: u16,
    backend: String,
    upstream: String,
    config: String,
}

impl Environment for Settings {
    fn var(&self, name: &str) -> Option<String> {
        match name {
            contract::PORT => Some(self.port.to_string()),
            "DRAWBRIDGE_BACKEND" => Some(self.backend.clone()),
            "DRAWBRIDGE_CONFIG" => Some(self.config.clone()),
            "DRAWBRIDGE_UPSTREAM" => Some(self.upstream.clone()),
            _ => None,
        }
    }
}

/// A handler that cannot be started.
struct Broken;

impl Launch for Broken {
    fn launch(&self, _port: u16, _worker_id: &str) -> io::Result<BoxFuture<'static, String>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn name(&self) -> &str {
        "broken"
    }
}

const CONFIG: &str = r#"
issuers:
  edge:
    issuer: https://edge.example.com
    keys: { store: local }
    algorithms: [ES256]
    types: [bridged+jwt]
stores:
  local: { directory: keys }
backends:
  billing:
    issuer: edge
    store: local
    routes:
      - { path: "/invoices/{invoice}", methods: [GET], scopes: ["invoices:read"] }
  orders:
    issuer: edge
    store: local
    routes:
      - { path: "/orders/{order}", methods: [GET], scopes: ["orders:read"] }
audit: { ocsf: audit.log }
"#;
