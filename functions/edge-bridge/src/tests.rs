//! The surface as gateways see it: bytes over a socket.

use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use drawbridge_bridge::Bridge;
use drawbridge_config::{Config, Environment, Mistakes};
use drawbridge_gate::{OcsfLines, open_directory};
use drawbridge_keys::{Clock, HttpClient, KeyAlgorithm, KeyStore, Signer, directory::DirectoryStore};
use drawbridge_serve::serve;
use drawbridge_verify::{Algorithm, KeyUse, UnixTime};
use http::HeaderName;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc, oneshot},
};

const NOW: i64 = 1_800_000_000;

const CONFIG: &str = r#"
issuers:
  login: { issuer: "https://login.example.com", audience: "https://api.example.com", keys: { store: idp }, algorithms: [ES256], types: [at+jwt] }
  edge: { issuer: "https://edge.example.com", keys: { store: keys }, algorithms: [ES256], types: [bridged+jwt] }
stores:
  idp: { directory: idp }
  keys: { directory: keys }
backends:
  orders:
    issuer: edge
    store: keys
    routes:
      - { path: "/customers/{customer}", methods: [GET, POST], scopes: ["customers:read"] }
      - { path: "/admin", methods: [GET], scopes: ["admin"] }
consumers: login
"#;

#[tokio::test]
async fn envoy_is_told_what_to_send_on() {
    let edge = Edge::new().await;
    let token = edge.token(json!({ "txn": "t-1" })).await;
    let answer =
        edge.ask("GET", "/ext-authz/orders/customers/4711?a=b", &[("Authorization", &token)], "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-drawbridge-backend"), Some("orders"));
    assert_eq!(answer.header("x-drawbridge-target"), Some("/customers/4711?a=b"));
    assert_eq!(answer.header("x-drawbridge-txn"), Some("t-1"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.body, "");
    let bridged = answer.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
    assert_eq!(claims(bridged)["aud"], "orders");
    let line = &edge.lines()[0];
    assert_eq!(line["api"]["request"]["uid"], answer.header("x-drawbridge-request-id").unwrap());
}

#[tokio::test]
async fn a_bound_token_passes_with_the_certificate_that_the_gateway_saw_and_with_no_other() {
    let certificate = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap()
    };
    let (app, other) = (certificate("app"), certificate("other"));
    let ways = |certificate: &rcgen::Certificate| {
        let sequence = STANDARD.encode(certificate.der());
        let escaped =
            percent_encoding::utf8_percent_encode(&certificate.pem(), percent_encoding::NON_ALPHANUMERIC)
                .to_string()
                .replace("%2D", "-");
        [format!(":{sequence}:"), sequence, escaped]
    };
    let thumbprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, app.der()));
    let edge = Edge::reading(Some("x-app-certificate")).await;
    let token = edge.token(json!({ "cnf": { "x5t#S256": thumbprint } })).await;
    let ask = async |edge: &Edge, certificates: &[(&str, &str)]| {
        let headers = [&[("Authorization", token.as_str())], certificates].concat();
        edge.ask("GET", "/ext-authz/orders/customers/1", &headers, "").await.status
    };
    for way in ways(&app) {
        assert_eq!(ask(&edge, &[("X-App-Certificate", &way)]).await, 200, "{way}");
        assert_eq!(
            ask(&edge, &[("X-App-Certificate", &way), ("x-app-certificate", &way)]).await,
            401,
            "twice"
        );
        assert_eq!(ask(&edge, &[("Client-Cert", &way)]).await, 401, "another header");
    }
    for way in ways(&other) {
        assert_eq!(ask(&edge, &[("X-App-Certificate", &way)]).await, 401, "another's: {way}");
    }
    assert_eq!(ask(&edge, &[]).await, 401);
    let last = edge.lines().pop().unwrap();
    assert_eq!(
        (&last["status_code"], &last["status_detail"]),
        (&json!("sender.mismatch"), &json!("no client certificate was seen"))
    );
}

#[tokio::test]
async fn a_bound_token_is_exchanged_with_its_certificate_and_with_no_other() {
    let certificate = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap()
    };
    let (app, other) = (certificate("app"), certificate("other"));
    let edge = Edge::reading(Some("x-app-certificate")).await;
    let bound = json!({ "cnf": { "x5t#S256": URL_SAFE_NO_PAD.encode(digest(&SHA256, app.der())) } });
    let token = edge.token(bound).await;
    let body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
        .append_pair("subject_token_type", "urn:ietf:params:oauth:token-type:access_token")
        .append_pair("audience", "orders")
        .append_pair("subject_token", token.strip_prefix("Bearer ").unwrap())
        .finish();
    let [app, other] = [app, other].map(|certificate| STANDARD.encode(certificate.der()));
    let table: [(Pairs<'_>, u16, &str); 4] = [
        (&[("X-App-Certificate", &app)], 200, "allowed"),
        (&[("X-App-Certificate", &other)], 400, "sender.mismatch"),
        (&[("Client-Cert", &app)], 400, "sender.mismatch"),
        (&[], 400, "sender.mismatch"),
    ];
    for (shown, status, reason) in table {
        let headers = [&[("Content-Type", "application/x-www-form-urlencoded")], shown].concat();
        let answer = edge.ask("POST", "/token", &headers, &body).await;
        assert_eq!(answer.status, status, "{shown:?}: {}", answer.body);
        assert_eq!(edge.lines().pop().unwrap()["status_code"], reason, "{shown:?}");
    }
}

#[tokio::test]
async fn a_bridge_that_is_told_of_no_header_reads_none() {
    let edge = Edge::new().await;
    let key = rcgen::KeyPair::generate().unwrap();
    let app = rcgen::CertificateParams::new(vec!["app".to_owned()]).unwrap().self_signed(&key).unwrap();
    let bound = json!({ "cnf": { "x5t#S256": URL_SAFE_NO_PAD.encode(digest(&SHA256, app.der())) } });
    let (token, der) = (edge.token(bound).await, STANDARD.encode(app.der()));
    for name in ["Client-Cert", "X-ARR-ClientCert", "X-Forwarded-Client-Cert", "X-Forwarded-Tls-Client-Cert"]
    {
        let headers = [("Authorization", token.as_str()), (name, &der)];
        assert_eq!(
            edge.ask("GET", "/ext-authz/orders/customers/1", &headers, "").await.status,
            401,
            "{name}"
        );
    }
}

#[tokio::test]
async fn nginx_and_traefik_describe_the_request() {
    let edge = Edge::new().await;
    let token = edge.token(json!({})).await;
    for (method, target) in
        [("X-Original-Method", "X-Original-URI"), ("X-Forwarded-Method", "X-Forwarded-Uri")]
    {
        let headers = [("Authorization", &*token), (method, "POST"), (target, "/orders/customers/1")];
        let answer = edge.ask("GET", "/auth-request", &headers, "").await;
        assert_eq!((answer.status, answer.header("x-drawbridge-target")), (200, Some("/customers/1")));
    }
}

#[tokio::test]
async fn a_request_that_is_not_described_or_described_twice_is_refused_and_on_record() {
    let edge = Edge::new().await;
    let token = edge.token(json!({})).await;
    let table: [Pairs<'_>; 5] = [
        &[],
        &[("X-Original-Method", "GET")],
        &[("X-Original-URI", "/orders/customers/1")],
        &[("X-Original-Method", "GET"), ("X-Original-URI", "/orders/customers/1"), ("X-Original-URI", "/x")],
        &[
            ("X-Original-Method", "GET"),
            ("X-Original-URI", "/orders/customers/1"),
            ("X-Forwarded-Uri", "/orders/admin"),
        ],
    ];
    for headers in table {
        let headers: Vec<_> = headers.iter().copied().chain([("Authorization", &*token)]).collect();
        let answer = edge.ask("GET", "/auth-request", &headers, "").await;
        assert_eq!(answer.status, 400, "{headers:?}");
        assert_eq!(edge.lines()[0]["status_code"], "request.malformed");
    }
}

#[tokio::test]
async fn a_refusal_is_problem_details_and_carries_nothing_of_a_grant() {
    let edge = Edge::new().await;
    let token = edge.token(json!({})).await;
    let expired = edge.token(json!({ "exp": NOW - 100, "iat": NOW - 200 })).await;
    type Case<'a> = (&'a str, &'a str, Pairs<'a>, u16, &'a str, Option<&'a str>);
    let table: [Case<'_>; 9] = [
        ("GET", "/orders/customers/1", &[], 401, "credentials.missing", Some("Bearer realm=\"drawbridge\"")),
        (
            "GET",
            "/orders/customers/1",
            &[("Authorization", "Bearer x")],
            401,
            "token.malformed",
            Some("error=\"invalid_token\""),
        ),
        (
            "GET",
            "/orders/customers/1",
            &[("Authorization", &expired)],
            401,
            "token.expired",
            Some("error=\"invalid_token\""),
        ),
        (
            "GET",
            "/orders/admin",
            &[("Authorization", &token)],
            403,
            "scope.missing",
            Some("error=\"insufficient_scope\", scope=\"admin\""),
        ),
        ("GET", "/orders/nothing", &[("Authorization", &token)], 403, "route.unknown", None),
        ("GET", "/nowhere", &[("Authorization", &token)], 403, "backend.unknown", None),
        ("GET", "", &[("Authorization", &token)], 403, "backend.unknown", None),
        ("TRACE", "/orders/customers/1", &[("Authorization", &token)], 403, "route.unknown", None),
        (
            "GET",
            "/orders/customers/1",
            &[("Authorization", &token), ("X-HTTP-Method-Override", "DELETE")],
            400,
            "request.method_override",
            None,
        ),
    ];
    for (method, target, headers, status, reason, challenge) in table {
        let answer = edge.ask(method, &format!("/ext-authz{target}"), headers, "").await;
        assert_eq!(answer.status, status, "{method} {target} {headers:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        if let Some(challenge) = challenge {
            assert!(answer.header("www-authenticate").unwrap().contains(challenge), "{reason}");
        }
        for name in ["authorization", "x-drawbridge-backend", "x-drawbridge-target"] {
            assert_eq!(answer.header(name), None, "{reason}");
        }
        assert!(!answer.body.contains(reason), "the reason is for the log");
        let lines = edge.lines();
        assert_eq!((lines.len(), &lines[0]["status_code"]), (1, &json!(reason)));
    }
}

#[tokio::test]
async fn attack_24_a_path_that_could_be_read_twice_goes_nowhere() {
    let edge = Edge::new().await;
    let token = edge.token(json!({ "scope": "customers:read admin" })).await;
    for target in [
        "/orders//admin",
        "/orders/customers/..%2fadmin",
        "/orders/customers/../admin",
        "/orders/customers/%2e%2e/admin",
        "/orders/customers/..;/admin",
        "/orders/customers/..\\admin",
        "/orders/customers%2f1",
        "/orders/customers/%252e%252e",
        "/orders/admin%00",
        "/../orders/admin",
        "//orders/admin",
        "/ext-authz/orders/admin",
        "/%6frders/admin",
        "/orders/admin/.",
    ] {
        let answer = edge.ask("GET", &format!("/ext-authz{target}"), &[("Authorization", &token)], "").await;
        assert!(matches!(answer.status, 400 | 403), "{target}: {}", answer.status);
        assert_eq!(answer.header("authorization"), None, "{target}");
    }
}

#[tokio::test]
async fn attack_25_who_connected_is_what_the_gateway_wrote_last() {
    let edge = Edge::new().await;
    let token = edge.token(json!({})).await;
    let table: [(Pairs<'_>, Option<&str>); 6] = [
        (&[("X-Forwarded-For", "192.0.2.1")], Some("192.0.2.1")),
        (&[("X-Forwarded-For", "10.0.0.1, 192.0.2.1")], Some("192.0.2.1")),
        (&[("X-Forwarded-For", "10.0.0.1"), ("X-Forwarded-For", "2001:db8::1")], Some("2001:db8::1")),
        (&[("X-Forwarded-For", "192.0.2.1, x")], None),
        (&[("X-Forwarded-For", "")], None),
        (&[("X-Real-IP", "10.0.0.1"), ("Forwarded", "for=10.0.0.1")], None),
    ];
    for (headers, expected) in table {
        let headers: Vec<_> = headers.iter().copied().chain([("Authorization", &*token)]).collect();
        edge.ask("GET", "/ext-authz/orders/customers/1", &headers, "").await;
        assert_eq!(edge.lines()[0]["src_endpoint"]["ip"].as_str(), expected, "{headers:?}");
    }
}

#[tokio::test]
async fn other_addresses_are_nobodys() {
    let edge = Edge::new().await;
    let token = edge.token(json!({})).await;
    for (target, status) in [
        ("/healthz", 200),
        ("/", 404),
        ("/orders/customers/1", 404),
        ("/ext-authzz/orders/customers/1", 404),
        ("/auth-request/orders/customers/1", 404),
        ("/EXT-AUTHZ/orders/customers/1", 404),
        ("/jwks/orders/orders.sig.1", 404),
        ("/token", 405),
    ] {
        let answer = edge.ask("GET", target, &[("Authorization", &token)], "").await;
        assert_eq!(answer.status, status, "{target}");
        assert_eq!(answer.header("authorization"), None);
    }
    assert!(edge.lines().is_empty());
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let edge = Edge::new().await;
    let long = "a".repeat(200 * 1024);
    let answer = edge.ask("GET", "/ext-authz/orders/customers/1", &[("X-Long", &long)], "").await;
    assert_eq!(answer.status, 431);
    let many: Vec<_> = (0..200).map(|_| ("X-Many", "1")).collect();
    let answer = edge.ask("GET", "/ext-authz/orders/customers/1", &many, "").await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn a_token_is_exchanged() {
    let edge = Edge::new().await;
    let subject = edge.subject(json!({ "scope": "openid customers:read admin" })).await;
    let answer = edge.exchange(&[("scope", "customers:read")], &subject).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let mut body = answer.json();
    let token = body.as_object_mut().unwrap().remove("access_token").unwrap();
    assert_eq!(
        body,
        json!({
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": 120,
            "scope": "customers:read",
        })
    );
    let said = claims(token.as_str().unwrap());
    assert_eq!((&said["aud"], &said["scope"]), (&json!("orders"), &json!("customers:read")));
}

#[tokio::test]
async fn an_exchange_that_cannot_be_says_so_in_the_words_of_the_standard() {
    let edge = Edge::new().await;
    let subject = edge.subject(json!({})).await;
    let expired = edge.subject(json!({ "exp": NOW - 100, "iat": NOW - 200 })).await;
    let jwt = "urn:ietf:params:oauth:token-type:jwt";
    let saml = "urn:ietf:params:oauth:token-type:saml2";
    let table: [(Pairs<'_>, &str, &str); 14] = [
        (&[("audience", "nobody")], &subject, "invalid_target"),
        (&[("resource", "https://orders.example.com")], &subject, "invalid_target"),
        (&[("audience", "")], &subject, "invalid_request"),
        (&[("scope", "admin")], &subject, "invalid_scope"),
        (&[("grant_type", "client_credentials")], &subject, "unsupported_grant_type"),
        (&[("grant_type", "")], &subject, "invalid_request"),
        (&[("subject_token_type", saml)], &subject, "invalid_request"),
        (&[("requested_token_type", saml)], &subject, "invalid_request"),
        (&[("actor_token", &subject), ("actor_token_type", jwt)], &subject, "invalid_request"),
        (&[], "", "invalid_request"),
        (&[], "x.y.z", "invalid_request"),
        (&[], &expired, "invalid_request"),
        (&[("+twice", "audience")], &subject, "invalid_request"),
        (&[("+twice", "subject_token")], &subject, "invalid_request"),
    ];
    for (change, subject, error) in table {
        let answer = edge.exchange(change, subject).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some(error)), "{change:.60?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(!answer.body.contains("access_token\""));
    }
    let form = [("Content-Type", "application/json")];
    let answer = edge.ask("POST", "/token", &form, "{}").await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_request")));
    let answer = edge.exchange(&[], &"a".repeat(100 * 1024)).await;
    assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_request")));
    let ignored = edge.exchange(&[("unknown", "x"), ("requested_token_type", jwt)], &subject).await;
    assert_eq!(ignored.status, 200);
}

#[tokio::test]
async fn what_was_begun_is_answered_when_it_is_told_to_stop() {
    let (begun, mut begins) = mpsc::channel(1);
    let go_on = Arc::new(Notify::new());
    let waits = Arc::clone(&go_on);
    let router = Router::new().fallback(async move || {
        begun.send(()).await.unwrap();
        waits.notified().await;
        "done"
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving =
        tokio::spawn(serve(listener, TowerToHyperService::new(router), async { drop(stopped.await) }));
    let asking = tokio::spawn(async move { ask(address, "GET", "/", &[], "").await });
    begins.recv().await.unwrap();
    stop.send(()).unwrap();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    go_on.notify_one();
    let answer = asking.await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "done"));
    serving.await.unwrap();
}

#[tokio::test]
async fn what_hinders_the_start_is_said_in_one_go() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("drawbridge.yaml");
    std::fs::write(&file, CONFIG).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let start = |config: &str, listen: &str| {
        let environment = Variables(vec![
            ("DRAWBRIDGE_CONFIG", config.to_owned()),
            ("DRAWBRIDGE_LISTEN", listen.to_owned()),
        ]);
        async move { crate::run(&environment).await.unwrap_err() }
    };
    let mistakes = start("{\"consumers\": \"nobody\"}", "127.0.0.1:0").await;
    assert!(mistakes.is::<Mistakes>());
    let named = Variables(vec![
        ("DRAWBRIDGE_CONFIG", file.clone()),
        ("DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER", "a b".to_owned()),
    ]);
    let error = crate::run(&named).await.unwrap_err().to_string();
    assert!(error.contains("DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER is no header name"), "{error}");
    for listen in ["nonsense", &taken] {
        let error = start(&file, listen).await.to_string();
        assert!(error.contains("DRAWBRIDGE_LISTEN") && error.contains(listen), "{error}");
    }
}

/// Names and values: headers, or parameters of a form.
type Pairs<'a> = &'a [(&'a str, &'a str)];

/// A bridge on a port of its own.
struct Edge {
    _folder: TempDir,
    address: SocketAddr,
    idp: Arc<dyn Signer>,
    audit: Lines,
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Edge {
    async fn new() -> Self {
        Self::reading(None).await
    }

    /// One that reads the consumer's certificate from this header.
    async fn reading(certificate: Option<&'static str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config: Config = drawbridge_config::load(CONFIG, "test.yaml", folder.path()).unwrap();
        let idp = DirectoryStore::new(folder.path().join("idp"));
        let keys = DirectoryStore::new(folder.path().join("keys"));
        let algorithm = KeyAlgorithm::Signature(Algorithm::ES256);
        idp.create(&"login".parse().unwrap(), KeyUse::Signing, algorithm).await.unwrap();
        keys.create(&"orders".parse().unwrap(), KeyUse::Signing, algorithm).await.unwrap();
        let audit = Lines::default();
        let http = HttpClient::new(Duration::from_secs(1), true).unwrap();
        let sink = Arc::new(OcsfLines::new(audit.clone()));
        let bridge = Bridge::new(&config, &http, &open_directory, sink).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router =
            crate::router(Arc::new(bridge), Arc::new(Then), certificate.map(HeaderName::from_static));
        tokio::spawn(serve(listener, TowerToHyperService::new(router), std::future::pending()));
        let idp = idp.signer(&"login".parse().unwrap()).await.unwrap();
        Self { _folder: folder, address, idp, audit }
    }

    /// The value of an `Authorization` header.
    async fn token(&self, change: Value) -> String {
        format!("Bearer {}", self.subject(change).await)
    }

    async fn subject(&self, change: Value) -> String {
        let mut claims = json!({
            "iss": "https://login.example.com",
            "aud": "https://api.example.com",
            "sub": "alice",
            "client_id": "app",
            "jti": "one",
            "iat": NOW,
            "exp": NOW + 600,
            "scope": "customers:read",
        });
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let header = json!({ "alg": "ES256", "kid": self.idp.kid().to_string(), "typ": "at+jwt" });
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let input = format!("{header}.{claims}");
        let signature = self.idp.sign(input.as_bytes()).await.unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The usual exchange with `change` over it; `+twice` repeats a parameter.
    async fn exchange(&self, change: Pairs<'_>, subject_token: &str) -> Answer {
        let mut form = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", subject_token),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("audience", "orders"),
        ];
        for (name, value) in change {
            if *name == "+twice" {
                let twice = form.iter().find(|(name, _)| name == value).copied().unwrap();
                form.push(twice);
            } else {
                form.retain(|(have, _)| have != name);
                form.push((name, value));
            }
        }
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.ask("POST", "/token", &[("Content-Type", "application/x-www-form-urlencoded")], &body).await
    }

    async fn ask(&self, method: &str, target: &str, headers: Pairs<'_>, body: &str) -> Answer {
        ask(self.address, method, target, headers, body).await
    }

    /// The audit lines since the last time.
    fn lines(&self) -> Vec<Value> {
        let written = std::mem::take(&mut *self.audit.0.lock().unwrap());
        String::from_utf8(written).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// One request, byte for byte.
async fn ask(address: SocketAddr, method: &str, target: &str, headers: Pairs<'_>, body: &str) -> Answer {
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    let (mut from, mut to) = TcpStream::connect(address).await.unwrap().into_split();
    // A server that refuses a head need not read all of it.
    let sending = tokio::spawn(async move {
        let _ = to.write_all(request.as_bytes()).await;
        to
    });
    let mut answer = Vec::new();
    let _ = from.read_to_end(&mut answer).await;
    drop(sending.await);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        (name.to_lowercase(), value.to_owned())
    };
    Answer { status, headers: lines.map(header).collect(), body: body.to_owned() }
}

fn claims(token: &str) -> Value {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

struct Then;

impl Clock for Then {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(NOW)
    }
}

struct Variables(Vec<(&'static str, String)>);

impl Environment for Variables {
    fn var(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(have, _)| *have == name).map(|(_, value)| value.clone())
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
