//! A law: a decision does not depend on the gateway that asks for it.
//!
//! The gate is asked about the request itself; the Lambda authorizer is given each native event of it, the Azure handler each form of
//! its contract, the forward-auth surface each of its own, and `drawbridge decide` a line of it. All put the same reason on record.
//!
//! | what is not shown | to whom | so that |
//! | --- | --- | --- |
//! | headers but the token's, query, certificate | REST TOKEN | a method override is not refused there: the integration takes it away |
//! | method, path, certificate | WebSocket | every connection is `GET /$connect` |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what breaks must fail loudly"
)]

use std::{
    cell::Cell,
    collections::BTreeMap,
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, LazyLock},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use drawbridge_aws_authorizer::Authorizer;
use drawbridge_config::{Environment, load};
use drawbridge_gate::{ForwardAuth, Gate, Headers, NoAudit, Request, gate_for_backend, open_directory};
use drawbridge_keys::{HttpClient, KeyAlgorithm, KeyStore, directory::DirectoryStore};
use drawbridge_tests::{
    binary::drawbridge,
    corpus::{Forge, token},
    forge::ChainForge,
    http::send,
    parts::{Process, free_address},
};
use drawbridge_verify::{Algorithm, KeyUse, UnixTime};
use proptest::{prelude::*, test_runner::TestRunner};
use rcgen::{Certificate, CertificateParams, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The Azure handler is a process with a clock of its own, so that it is really now, and no token here is near a limit of time.
static NOW: LazyLock<i64> =
    LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed());

/// A request as it could come to any gateway.
#[derive(Clone, Debug)]
struct Asked {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    /// What is changed in a right token; none for no token.
    claims: Option<Value>,
    /// The certificate that the client shows.
    certificate: Option<&'static Certificate>,
}

/// What tokens are bound to here, and another one.
static OURS: LazyLock<Certificate> = LazyLock::new(|| certificate("ada"));
static OTHER: LazyLock<Certificate> = LazyLock::new(|| certificate("eve"));

fn certificate(name: &str) -> Certificate {
    let key = KeyPair::generate().unwrap();
    CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap()
}

fn asked() -> impl Strategy<Value = Asked> {
    let segment = prop_oneof![
        4 => "[a-z0-9]{1,6}",
        2 => Just("customers".to_owned()),
        1 => "(\\.\\.?|%2[efEF5]|a;b|%41|caf%C3%A9|a%20b|\\*|:|~|\\$connect)",
    ];
    let path = prop::collection::vec(segment, 0..4).prop_map(|segments| format!("/{}", segments.join("/")));
    let path = prop_oneof![3 => path, 2 => "/customers/[a-z0-9]{1,8}", 1 => Just("/regions/eu/customers".to_owned()),
        1 => Just("/$connect".to_owned())];
    let claims = prop_oneof![
        4 => Just(json!({})),
        1 => Just(json!({ "scope": "other" })),
        1 => Just(json!({ "scope": null })),
        1 => Just(json!({ "aud": "billing" })),
        1 => Just(json!({ "sub": "" })),
        1 => Just(json!({ "cnf": { "x5t#S256": "bDlN" } })),
        2 => Just(json!({ "cnf": { "x5t#S256": URL_SAFE_NO_PAD.encode(digest(&SHA256, OURS.der())) } })),
        1 => prop_oneof![-1000..-400i64, -30..0i64, 600..1000i64]
            .prop_map(|shift| json!({ "iat": *NOW + shift, "exp": *NOW + shift + 120 })),
        1 => (110..600i64).prop_map(|life| json!({ "exp": *NOW + life })),
    ];
    let header = prop_oneof![
        Just(("x-forwarded-for".to_owned(), "10.0.0.1".to_owned())),
        Just(("x-drawbridge-sub".to_owned(), "root".to_owned())),
        Just(("x-http-method-override".to_owned(), "DELETE".to_owned())),
        Just(("x_http_method".to_owned(), "DELETE".to_owned())),
        Just(("accept".to_owned(), "*/*".to_owned())),
        Just(("accept".to_owned(), "text/html".to_owned())),
        Just(("authorization".to_owned(), "Bearer again".to_owned())),
        Just(("authorization".to_owned(), "Basic YTpi".to_owned())),
    ];
    let method = prop_oneof![4 => Just("GET"), 1 => Just("POST"), 1 => Just("HEAD"), 1 => Just("DELETE")];
    let query = prop_oneof![4 => Just(String::new()), 1 => "[a-z]{1,4}=[a-z0-9]{0,4}", 1 => Just("access_token=x".to_owned())];
    let certificate = prop_oneof![2 => Just(None), 2 => Just(Some(&*OURS)), 1 => Just(Some(&*OTHER))];
    let headers = prop::collection::vec(header, 0..4);
    (method, path, query, headers, prop::option::weighted(0.9, claims), certificate).prop_map(
        |(method, path, query, headers, claims, certificate)| Asked {
            method: method.to_owned(),
            path,
            query,
            headers,
            claims,
            certificate,
        },
    )
}

impl Asked {
    /// The headers that are sent, the token's among them.
    fn sent(&self, forge: &dyn Forge) -> Sent {
        let token = self.claims.as_ref().map(|claims| token(forge, *NOW, &json!({}), claims));
        let authorization = token.map(|token| ("authorization".to_owned(), format!("Bearer {token}")));
        self.headers.iter().cloned().chain(authorization).collect()
    }

    fn target(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    /// What of it is shown to a token authorizer, if that is asked at all: API Gateway takes the last of several tokens.
    fn shown_to_token(&self, headers: &Sent) -> Option<(Self, Sent)> {
        let token = headers.iter().rfind(|(name, _)| name == "authorization")?;
        let shown = Self { query: String::new(), headers: Vec::new(), certificate: None, ..self.clone() };
        Some((shown, vec![token.clone()]))
    }

    /// What of it is shown to the authorizer of a WebSocket API.
    fn shown_to_connect(&self) -> Self {
        Self { method: "GET".to_owned(), path: "/$connect".to_owned(), certificate: None, ..self.clone() }
    }
}

/// Headers as they are sent, names in lower case.
type Sent = Vec<(String, String)>;

/// All values of each name.
fn lists(sent: &Sent) -> BTreeMap<&str, Vec<&str>> {
    let mut lists = BTreeMap::<_, Vec<_>>::new();
    for (name, value) in sent {
        lists.entry(name.as_str()).or_default().push(value.as_str());
    }
    lists
}

/// API Gateway's events of one request, each as its documentation has it.
fn events(asked: &Asked, sent: &Sent) -> [(&'static str, Value); 4] {
    let arn =
        format!("arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod/{}{}", asked.method, asked.path);
    let pairs: BTreeMap<&str, &str> =
        asked.query.split_once('=').filter(|_| !asked.query.is_empty()).into_iter().collect();
    let many = lists(sent);
    let last: BTreeMap<_, _> = many.iter().map(|(name, values)| (*name, *values.last().unwrap())).collect();
    let joined: BTreeMap<_, _> = many.iter().map(|(name, values)| (*name, values.join(","))).collect();
    let queries: BTreeMap<_, _> = pairs.iter().map(|(name, value)| (*name, vec![*value])).collect();
    let context = json!({
        "path": format!("/prod{}", asked.path), "accountId": "123456789012", "resourceId": "abc", "stage": "prod", "requestId": "r-1",
        "identity": { "sourceIp": "192.0.2.1" }, "httpMethod": asked.method, "apiId": "abcdef123",
    });
    let rest = json!({
        "type": "REQUEST", "methodArn": arn, "resource": "/{proxy+}", "path": asked.path, "httpMethod": asked.method,
        "headers": last, "multiValueHeaders": many, "queryStringParameters": pairs,
        "multiValueQueryStringParameters": queries, "pathParameters": {}, "stageVariables": {}, "requestContext": context,
    });
    let mut connect = rest.clone();
    for member in ["path", "httpMethod", "resource", "pathParameters"] {
        connect.as_object_mut().unwrap().remove(member);
    }
    connect["methodArn"] = json!("arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod/$connect");
    connect["requestContext"] = json!({
        "routeKey": "$connect", "eventType": "CONNECT", "connectionId": "c-1", "stage": "prod", "requestId": "r-1", "apiId": "abcdef123",
        "identity": { "sourceIp": "192.0.2.1" },
    });
    let mut one = rest.clone();
    one["version"] = json!("1.0");
    one["headers"] = json!(joined);
    one.as_object_mut().unwrap().remove("multiValueHeaders");
    one["identitySource"] = json!(joined.get("authorization").cloned().unwrap_or_default());
    one["authorizationToken"] = one["identitySource"].clone();
    let two = json!({
        "version": "2.0", "type": "REQUEST", "routeArn": arn, "identitySource": [joined.get("authorization")],
        "routeKey": "$default", "rawPath": format!("/prod{}", asked.path), "rawQueryString": asked.query, "headers": joined,
        "queryStringParameters": pairs,
        "requestContext": {
            "accountId": "123456789012", "apiId": "abcdef123", "domainName": "abcdef123.execute-api.eu-west-1.amazonaws.com",
            "domainPrefix": "abcdef123", "requestId": "r-1", "routeKey": "$default", "stage": "prod",
            "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1_583_348_638_390_i64,
            "http": {
                "method": asked.method, "path": format!("/prod{}", asked.path), "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                "userAgent": "t",
            },
        },
    });
    let mut shapes = [("REST REQUEST", rest), ("HTTP 1.0", one), ("HTTP 2.0", two), ("WebSocket", connect)];
    if let Some(certificate) = asked.certificate {
        let shown = json!({ "clientCertPem": certificate.pem() });
        for ((_, event), place) in shapes.iter_mut().zip(["identity", "identity", "authentication"]) {
            event["requestContext"][place]["clientCert"] = shown.clone();
        }
    }
    shapes
}

/// The event of a token authorizer: the token and where it was sent, and nothing else.
fn token_event(asked: &Asked, token: &str) -> Value {
    let arn =
        format!("arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod/{}{}", asked.method, asked.path);
    json!({ "type": "TOKEN", "methodArn": arn, "authorizationToken": token })
}

struct Settings(BTreeMap<&'static str, String>);

impl Environment for Settings {
    fn var(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// A gate and an authorizer of the same backend, and where the authorizer puts its decisions on record.
struct House {
    gate: Gate,
    authorizer: Authorizer,
    forge: ChainForge,
    /// The handler of the Function App, and its address.
    azure: (Process, String),
    authorizers: Record,
    handlers: Record,
    folder: TempDir,
}

/// A file of decisions, of which the last is read again and again.
struct Record {
    file: PathBuf,
    read: Cell<usize>,
}

impl Record {
    fn new(file: PathBuf) -> Self {
        Self { file, read: Cell::new(0) }
    }

    /// The reason of the one decision that was made since it was asked for last.
    fn reason(&self) -> String {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = std::fs::File::open(&self.file).unwrap();
        file.seek(SeekFrom::Start(self.read.get() as u64)).unwrap();
        let mut lines = String::new();
        self.read.set(self.read.get() + file.read_to_string(&mut lines).unwrap());
        assert_eq!(lines.lines().count(), 1, "one request, one decision: {lines}");
        let record: Value = serde_json::from_str(&lines).unwrap();
        record["status_code"].as_str().unwrap().to_owned()
    }
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let orders = "orders".parse().unwrap();
        DirectoryStore::new(&keys)
            .create(&orders, KeyUse::Signing, KeyAlgorithm::Signature(Algorithm::ES256))
            .await
            .unwrap();
        let config = json!({
            "issuers": { "edge": {
                "issuer": "https://edge.example.com", "keys": { "store": "here" }, "algorithms": ["ES256"], "types": ["bridged+jwt"],
            } },
            "stores": { "here": { "directory": keys } },
            "backends": { "orders": {
                "issuer": "edge", "store": "here", "context": ["sub"],
                "routes": [
                    { "path": "/customers/{customer}", "methods": ["GET"], "scopes": ["customers:read"] },
                    { "path": "/regions/{region}/customers", "methods": ["GET", "POST"], "scopes": [] },
                    { "path": "/$connect", "methods": ["GET"], "scopes": [] },
                ],
            } },
            "audit": { "ocsf": folder.path().join("audit.jsonl") },
        });
        let mut of_azure = config.clone();
        of_azure["audit"]["ocsf"] = json!(folder.path().join("azure.jsonl"));
        let azure = azure(&of_azure.to_string());
        let config = config.to_string();
        std::fs::write(folder.path().join("config.json"), &config).unwrap();
        let loaded = load(&config, "parity", Path::new(".")).unwrap();
        let http = HttpClient::new(std::time::Duration::from_secs(1), false).unwrap();
        let gate = gate_for_backend(&loaded, &orders, &http, &open_directory, Arc::new(NoAudit)).unwrap();
        let settings = Settings(BTreeMap::from([
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9".to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", "orders".to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
            ("DRAWBRIDGE_CONFIG", config),
            ("DRAWBRIDGE_BACKEND", "orders".to_owned()),
        ]));
        let authorizer = Authorizer::from_environment(&settings).unwrap();
        let forge = ChainForge::at(&keys, "orders", "https://edge.example.com").await;
        let [authorizers, handlers] =
            ["audit.jsonl", "azure.jsonl"].map(|file| Record::new(folder.path().join(file)));
        Self { gate, authorizer, forge, azure, authorizers, handlers, folder }
    }

    /// What the gate itself decides.
    async fn decided(&self, asked: &Asked, headers: &Sent) -> String {
        let target = asked.target();
        let certificate = asked.certificate.map(Certificate::pem);
        let request = Request {
            method: &asked.method,
            target: &target,
            headers: headers
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_bytes()))
                .collect::<Headers<'_>>(),
            source_ip: None,
            client_certificate: certificate.as_ref().map(|pem| pem.as_bytes()),
            request_id: None,
        };
        self.gate.decide(&request, UnixTime::from_secs(*NOW)).await.reason().code().to_owned()
    }

    /// What the authorizer answers to an event, and what it has put on record.
    async fn authorized(&self, event: &Value) -> (bool, String) {
        let event = event.to_string();
        let answer = self.authorizer.answer(event.as_bytes(), "i-1", UnixTime::from_secs(*NOW)).await;
        let allowed = answer.is_ok_and(|answer| {
            let answer: Value = serde_json::to_value(&answer).unwrap();
            answer["isAuthorized"] == true || answer["policyDocument"]["Statement"][0]["Effect"] == "Allow"
        });
        (allowed, self.authorizers.reason())
    }

    /// What the Azure handler answers in both forms of its contract, and what it has put on record.
    async fn handled(&self, asked: &Asked, sent: &Sent) -> [(&'static str, bool, String); 2] {
        let (_, base) = &self.azure;
        let target = asked.target();
        let certificate = asked.certificate.map(|certificate| STANDARD.encode(certificate.der()));
        let described = [("x-original-method", asked.method.as_str()), ("x-original-uri", target.as_str())];
        let shown = certificate.iter().map(|der| ("client-cert", der.as_str()));
        let headers: Vec<(&str, &str)> = sent
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain(described)
            .chain(shown)
            .collect();
        let proxied = send("GET", base, "/api/authorize", &headers, "").await;
        let proxied = ("proxied", proxied.status == 200, self.handlers.reason());

        let owned = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let request = json!({
            "Url": "https://app.example/api/authorize", "Method": "GET", "Query": {}, "Headers": lists(&owned), "Params": {},
            "Identities": [], "Body": "",
        });
        let body = json!({ "Data": { "req": request }, "Metadata": {} }).to_string();
        let invoked =
            send("POST", base, "/authorize", &[("content-type", "application/json")], &body).await.json();
        let invoked = ("invoked", invoked["Outputs"]["res"]["statusCode"] == 200, self.handlers.reason());
        [proxied, invoked]
    }

    /// What `drawbridge decide` says of all of them, a line each.
    fn lines(&self, lines: &str) -> Vec<String> {
        let mut decide = Command::new(drawbridge())
            .args(["decide", "--at", &NOW.to_string(), "--config"])
            .arg(self.folder.path().join("config.json"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut input, lines) = (decide.stdin.take().unwrap(), lines.to_owned());
        let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()));
        let output = decide.wait_with_output().unwrap();
        writing.join().unwrap().unwrap();
        let reason =
            |line: &str| serde_json::from_str::<Value>(line).unwrap()["reason"].as_str().unwrap().to_owned();
        String::from_utf8(output.stdout).unwrap().lines().map(reason).collect()
    }
}

/// The request as forward-auth has it: what comes out is what was put in, in both forms.
fn forwarded(asked: &Asked) {
    let target = asked.target();
    let method: http::Method = asked.method.parse().unwrap();
    let mirrored: http::Uri = format!("/ext-authz{target}").parse().unwrap();
    let described = http::HeaderMap::from_iter([
        (http::HeaderName::from_static("x-forwarded-method"), asked.method.parse().unwrap()),
        (http::HeaderName::from_static("x-forwarded-uri"), target.parse().unwrap()),
    ]);
    let expected = Some((asked.method.as_str(), target.as_str()));
    let empty = http::HeaderMap::new();
    assert_eq!(ForwardAuth::Mirrored.original(&method, &mirrored, "/ext-authz", &empty), expected);
    let own: http::Uri = "/auth-request".parse().unwrap();
    assert_eq!(ForwardAuth::Described.original(&http::Method::GET, &own, "", &described), expected);
}

/// The custom handler as the Functions host starts it.
fn azure(config: &str) -> (Process, String) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_address().port()));
    let handler = Process::start(
        Command::new(drawbridge())
            .args(["function", "azure"])
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", address.port().to_string())
            .env("DRAWBRIDGE_BACKEND", "orders")
            .env("DRAWBRIDGE_CONFIG", config)
            .env("DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER", "client-cert")
            .stdin(Stdio::null())
            .stdout(Stdio::null()),
    )
    .ready(address);
    (handler, format!("http://{address}"))
}

#[test]
fn a_decision_does_not_depend_on_the_gateway() {
    let runtime = Runtime::new().unwrap();
    let house = runtime.block_on(House::new());
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let kept = std::cell::RefCell::new((String::new(), Vec::new()));
    runner
        .run(&asked(), |asked| {
            let sent = asked.sent(&house.forge);
            let expected = runtime.block_on(house.decided(&asked, &sent));
            seen.borrow_mut().insert(expected.clone());
            let connecting = runtime.block_on(house.decided(&asked.shown_to_connect(), &sent));
            for (shape, event) in events(&asked, &sent) {
                let expected = match shape {
                    "WebSocket" => &connecting,
                    _ => &expected,
                };
                let (allowed, recorded) = runtime.block_on(house.authorized(&event));
                prop_assert_eq!(&recorded, expected, "{}: {}", shape, event);
                // A policy may allow other routes and deny this one by its denies; a simple answer is about this request alone.
                if shape == "HTTP 2.0" {
                    prop_assert_eq!(allowed, expected == "allowed", "{}", shape);
                } else if expected == "allowed" {
                    prop_assert!(allowed, "{}", shape);
                }
            }
            if let Some((shown, token)) = asked.shown_to_token(&sent) {
                let (_, recorded) = runtime.block_on(house.authorized(&token_event(&asked, &token[0].1)));
                prop_assert_eq!(&recorded, &runtime.block_on(house.decided(&shown, &token)), "REST TOKEN");
                // The difference that there is: who is not shown a method override cannot refuse it.
                prop_assert_ne!(recorded, "request.method_override");
            }
            for (form, allowed, recorded) in runtime.block_on(house.handled(&asked, &sent)) {
                prop_assert_eq!(&recorded, &expected, "Azure, {}: {:?}", form, asked);
                prop_assert_eq!(allowed, expected == "allowed", "Azure, {}", form);
            }
            forwarded(&asked);
            let line = json!({
                "method": asked.method, "uri": asked.target(), "headers": lists(&sent),
                "client_certificate": asked.certificate.map(Certificate::pem),
            });
            let (text, reasons) = &mut *kept.borrow_mut();
            text.push_str(&format!("{line}\n"));
            reasons.push(expected);
            Ok(())
        })
        .unwrap();
    let (text, expected) = kept.into_inner();
    assert_eq!(house.lines(&text), expected, "`drawbridge decide`");
    let seen = seen.into_inner();
    for reason in [
        "allowed",
        "route.unknown",
        "scope.missing",
        "credentials.missing",
        "request.path_refused",
        "sender.mismatch",
        "credentials.ambiguous",
        "request.method_override",
    ] {
        assert!(seen.contains(reason), "{reason} never came up: {seen:?}");
    }
}
