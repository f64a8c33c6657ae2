//! The `proxy` function between a client and an upstream of the test's own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod support;

use std::{
    convert::Infallible,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use drawbridge_serve::serve;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request, Response, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Bytes, Frame, Incoming},
    service::service_fn,
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use support::{Handler, free_port};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn an_allowed_request_reaches_the_upstream_with_its_context_and_without_its_token() {
    let upstream = Upstream::start(described).await;
    let handler = upstream.handler("/base/", &[("DRAWBRIDGE_CREDENTIALS_HEADER", "X-Bridged-Token")]).await;
    let token = format!("Bearer {}", handler.token("billing", "invoices:read").await);
    let host = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let answer = handler
        .get(
            "/api/proxy/invoices/a%20b?q=1&q=2",
            &[
                ("X-Bridged-Token", token.as_str()),
                ("Authorization", "Bearer of-the-gateway"),
                ("X-Drawbridge-Sub", "eve"),
                ("X-Drawbridge-Txn", "eve"),
                ("Connection", "x-drawbridge-sub, x-hop"),
                ("X-Hop", "1"),
                ("X-Forwarded-For", "10.0.0.1"),
                ("X-Original-Uri", "/admin"),
                ("X-MS-CLIENT-PRINCIPAL", "eve"),
                ("X-Functions-Key", "secret"),
                ("X-Azure-Functions-InvocationId", host),
                ("x-ms-invocation-id", host),
                ("Via", "1.1 edge"),
                ("TraceParent", TRACE),
                ("TraceState", "a=1"),
                ("X-Kept", "1"),
                ("Cookie", "a=b"),
            ],
        )
        .await;
    assert_eq!((answer.status, answer.headers["x-upstream"].as_bytes()), (200, &b"yes"[..]));
    assert!(!answer.headers.contains_key("connection"), "{:?}", answer.headers);
    let seen: Value = serde_json::from_str(&answer.body).unwrap();
    let expected = json!({
        "line": "GET /base/invoices/a%20b?q=1&q=2",
        "headers": {
            "host": upstream.authority, "accept": "*/*", "cookie": "a=b", "traceparent": TRACE, "tracestate": "a=1",
            "via": "1.1 edge|1.1 drawbridge-billing", "x-drawbridge-request-id": host, "x-drawbridge-sub": "alice",
            "x-kept": "1",
        },
        "bytes": 0,
    });
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn what_is_denied_never_reaches_the_upstream() {
    let upstream = Upstream::start(described).await;
    let handler = upstream.handler("", &[]).await;
    let good = format!("Bearer {}", handler.token("billing", "invoices:read").await);
    let narrow = format!("Bearer {}", handler.token("billing", "other").await);
    let foreign = format!("Bearer {}", handler.token("orders", "invoices:read").await);
    let via = ("Via", "1.0 fred, 1.1 drawbridge-billing");
    let invocation = ("X-Azure-Functions-InvocationId", "of-the-client, of-the-host");
    for (method, path, headers, status) in [
        ("GET", "/invoices/7", &[][..], 401),
        ("GET", "/invoices/7", &[("Authorization", "Bearer a.b.c")], 401),
        ("GET", "/invoices/7", &[("Authorization", &foreign)], 401),
        ("GET", "/invoices/7", &[("Authorization", &narrow)], 403),
        ("GET", "/invoices/7", &[("Authorization", &good), ("authorization", &good)], 400),
        ("GET", "/invoices/7", &[("Authorization", &good), ("X-HTTP-Method-Override", "PUT")], 400),
        ("GET", "/invoices/7?access_token=a", &[("Authorization", &good)], 400),
        ("GET", "/invoices/7", &[("X-Drawbridge-Sub", "alice"), ("X-MS-CLIENT-PRINCIPAL", "alice")], 401),
        ("PUT", "/invoices/7", &[("Authorization", &good)], 403),
        ("TRACE", "/invoices/7", &[("Authorization", &good)], 403),
        ("GET", "/invoices/7/8", &[("Authorization", &good)], 403),
        ("GET", "", &[("Authorization", &good)], 403),
        ("GET", "/invoices/..%2f7", &[("Authorization", &good)], 400),
        ("GET", "//invoices/7", &[("Authorization", &good)], 400),
        ("GET", "/invoices/../admin", &[("Authorization", &good)], 400),
        ("GET", "/invoices/7", &[("Authorization", &good), ("Upgrade", "h2c, WebSocket")], 501),
        ("GET", "/invoices/7", &[("Authorization", &good), via], 508),
        ("GET", "/invoices/7", &[("Authorization", &good), invocation], 501),
    ] {
        let answer = raw(&handler, method, &format!("/api/proxy{path}"), headers, "").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {path} {headers:?}: {answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
    }
    // A request is one request: the length does not say where it ends when the chunks do.
    let smuggled = "0\r\n\r\nGET /admin HTTP/1.1\r\nhost: a\r\n\r\n";
    let headers = [("Authorization", good.as_str()), ("Transfer-Encoding", "chunked")];
    let answer = raw(&handler, "GET", "/api/proxy/invoices/7", &headers, smuggled).await;
    assert!(!answer.contains("/admin"), "{answer}");
    let asked: Vec<_> = upstream.lines.lock().unwrap().drain(..).collect();
    assert!(asked.iter().all(|line| line == "GET /invoices/7") && asked.len() <= 1, "{asked:?}");

    let large = "a".repeat(8 << 20);
    let answer = raw(&handler, "PUT", "/api/proxy/invoices/7", &[("Authorization", &good)], &large).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "the answer survives a body that nobody wants: {answer}");
    assert!(upstream.lines.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_invocation_form_has_no_streams_and_so_no_proxy() {
    let upstream = Upstream::start(described).await;
    let handler = upstream.handler("", &[]).await;
    let token = format!("Bearer {}", handler.token("billing", "invoices:read").await);
    let url = "https://app.example/api/proxy/invoices/7";
    let answer = handler.invoke("proxy", url, &[("Authorization", &token)]).await;
    assert_eq!((answer.status, upstream.lines.lock().unwrap().len()), (501, 0));
}

#[tokio::test]
async fn without_an_upstream_there_is_no_proxy() {
    let handler = Handler::start(&[]).await;
    let token = format!("Bearer {}", handler.token("billing", "invoices:read").await);
    assert_eq!(handler.get("/api/proxy/invoices/7", &[("Authorization", &token)]).await.status, 404);
}

#[tokio::test]
async fn bodies_of_any_size_stream_both_ways_at_the_pace_of_the_slower_side() {
    const CHUNKS: usize = 1024;
    let upstream = Upstream::start(echo).await;
    let handler = upstream.handler("", &[]).await;
    let token = format!("Bearer {}", handler.token("billing", "invoices:write").await);
    let client = Client::builder(TokioExecutor::new()).build_http();
    let address = format!("http://127.0.0.1:{}/api/proxy/invoices", handler.port);

    // What comes back is what has been sent so far: neither side waits for a whole body.
    let (sender, receiver) = mpsc::channel::<Bytes>(1);
    let body = stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|chunk| (Ok::<_, Infallible>(Frame::data(chunk)), receiver))
    });
    let request = Request::post(&address)
        .header("authorization", &token)
        .body(StreamBody::new(body).boxed_unsync())
        .unwrap();
    sender.send("first".into()).await.unwrap();
    let answer = client.request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut echoed = answer.into_body().into_data_stream();
    assert_eq!(echoed.next().await.unwrap().unwrap(), "first");
    sender.send("second".into()).await.unwrap();
    assert_eq!(echoed.next().await.unwrap().unwrap(), "second");
    drop(sender);
    assert!(echoed.next().await.is_none());

    // 64 MiB: held anywhere, it would not all be there before the client begins to read.
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let chunks = stream::iter(0..CHUNKS).map(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[7; 64 << 10])))
    });
    let request = Request::post(&address)
        .header("authorization", &token)
        .body(StreamBody::new(chunks).boxed_unsync())
        .unwrap();
    let answer = client.request(request).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ahead = sent.load(Ordering::SeqCst);
    assert!(ahead < CHUNKS / 2, "{ahead} of {CHUNKS} chunks are on their way though nobody reads");
    let echoed = answer.into_body().into_data_stream();
    let bytes = echoed.fold(0, |bytes, chunk| std::future::ready(bytes + chunk.unwrap().len())).await;
    assert_eq!(bytes, CHUNKS * (64 << 10));
}

#[tokio::test]
async fn an_upstream_that_is_down_is_a_502_and_one_that_is_silent_a_504() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let settings = [("DRAWBRIDGE_UPSTREAM", address.as_str()), ("DRAWBRIDGE_UPSTREAM_TIMEOUT", "1s")];
    let handler = Handler::start(&settings).await;
    let token = format!("Bearer {}", handler.token("billing", "invoices:read").await);
    let headers = [("Authorization", token.as_str())];
    let ask = || handler.get("/api/proxy/invoices/7", &headers);
    let late = ask().await;
    drop(silent);
    let down = ask().await;
    for (answer, status) in [(late, 504), (down, 502)] {
        assert_eq!(answer.status, status);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(problem["status"], status);
        assert!(!answer.body.contains("127.0.0.1"), "{}", answer.body);
    }
}

#[tokio::test]
async fn when_the_client_goes_away_the_upstream_is_told() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", upstream.local_addr().unwrap());
    let handler = Handler::start(&[("DRAWBRIDGE_UPSTREAM", &address)]).await;
    let token = handler.token("billing", "invoices:read").await;
    // Before the answer's head, and in the middle of its body.
    for begun in [false, true] {
        let mut client = TcpStream::connect(("127.0.0.1", handler.port)).await.unwrap();
        let request =
            format!("GET /api/proxy/invoices/7 HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let (mut connection, _) = upstream.accept().await.unwrap();
        let mut head = vec![0; 4096];
        assert!(connection.read(&mut head).await.unwrap() > 0);
        if begun {
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome").await.unwrap();
            let read = client.read(&mut head).await.unwrap();
            assert!(head[..read].starts_with(b"HTTP/1.1 200 OK"));
        }
        drop(client);
        let closed = timeout(Duration::from_secs(20), connection.read_to_end(&mut Vec::new())).await;
        assert!(closed.is_ok(), "the upstream's connection is closed ({begun})");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_a_whole_one() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", upstream.local_addr().unwrap());
    let handler = Handler::start(&[("DRAWBRIDGE_UPSTREAM", &address)]).await;
    let token = format!("Bearer {}", handler.token("billing", "invoices:read").await);
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = upstream.accept().await.unwrap();
            let _ = connection.read(&mut [0; 4096]).await;
            let _ = connection
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nsome\r\n")
                .await;
        }
    });
    let answer = raw(&handler, "GET", "/api/proxy/invoices/7", &[("Authorization", &token)], "").await;
    assert!(answer.contains("some") && !answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[test]
fn a_line_on_stdout_joins_the_trace_to_the_decision() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let upstream = Upstream::start(described).await;
        let store = Handler::start(&[]).await;
        let port = free_port();
        let mut process = Command::new(env!("CARGO_BIN_EXE_drawbridge-azure-functions"))
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("DRAWBRIDGE_BACKEND", "billing")
            .env("DRAWBRIDGE_CONFIG", store.folder.path().join("drawbridge.yaml"))
            .env("DRAWBRIDGE_UPSTREAM", format!("http://{}", upstream.authority))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let handler = Handler { port, ..store };
        let token = format!("Bearer {}", handler.token("billing", "invoices:read").await);
        let host = "0f8fad5b-d9cb-469f-a165-70867728950e";
        let headers = [
            ("authorization", token.as_str()),
            ("x-original-method", "GET"),
            ("x-original-uri", "/invoices/7"),
            ("x-azure-functions-invocationid", host),
            ("x-ms-invocation-id", host),
        ];
        let traced = [&headers[..], &[("traceparent", TRACE)]].concat();
        assert_eq!(handler.get("/api/authorize", &traced).await.status, 200);
        let proxied = handler.get("/api/proxy/invoices/7", &headers).await;
        let made = serde_json::from_str::<Value>(&proxied.body).unwrap()["headers"]["traceparent"].clone();
        assert_eq!(handler.get("/api/proxy/nothing", &headers).await.status, 403);
        process.kill().unwrap();
        process.wait().unwrap();

        let lines: Vec<Value> = stdout
            .lines()
            .map(|line| serde_json::from_str(&line.unwrap()).expect("JSON and nothing else"))
            .collect();
        let answered: Vec<_> = lines.iter().filter(|line| line["message"] == "answered").collect();
        let brief: Vec<_> = answered.iter().map(|line| (&line["function"], &line["status"])).collect();
        let expected =
            [("authorize", 200), ("proxy", 200), ("proxy", 403)].map(|(a, b)| (a.into(), b.into()));
        assert_eq!(brief, expected.each_ref().map(|(a, b): &(Value, Value)| (a, b)));
        assert!(answered.iter().all(|line| line["request_id"] == host), "{answered:?}");
        assert_eq!(answered[0]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(made.as_str().unwrap().get(3..35), answered[1]["trace_id"].as_str());
        assert_ne!(answered[1]["trace_id"], answered[2]["trace_id"]);
        let audit = std::fs::read_to_string(handler.folder.path().join("audit.log")).unwrap();
        assert_eq!((audit.lines().count(), audit.matches(host).count() >= 3), (3, true), "{audit}");
    });
}

type Body = UnsyncBoxBody<Bytes, hyper::Error>;

/// An upstream, and what it was asked.
struct Upstream {
    authority: String,
    lines: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Upstream {
    async fn start<F>(answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = Response<Body>> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let lines = Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = Arc::clone(&lines);
        let service = service_fn(move |request: Request<Incoming>| {
            seen.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
            let answer = answer(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        tokio::spawn(serve(listener, service, std::future::pending()));
        Self { authority, lines }
    }

    async fn handler(&self, path: &str, settings: &[(&str, &str)]) -> Handler {
        let address = format!("http://{}{path}", self.authority);
        Handler::start(&[&[("DRAWBRIDGE_UPSTREAM", address.as_str())], settings].concat()).await
    }
}

/// Says what it was asked; the values of a header have `|` between them.
async fn described(request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes().len();
    let told = json!({ "line": format!("{} {}", parts.method, parts.uri), "headers": told(&parts.headers), "bytes": bytes });
    let body = Full::from(told.to_string()).map_err(|never: Infallible| match never {}).boxed_unsync();
    Response::builder().header("x-upstream", "yes").header(header::CONNECTION, "close").body(body).unwrap()
}

fn told(headers: &HeaderMap) -> Value {
    let told = headers.keys().map(|name| {
        let values: Vec<_> = headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        (name.to_string(), Value::from(values.join("|")))
    });
    Value::Object(told.collect())
}

async fn echo(request: Request<Incoming>) -> Response<Body> {
    Response::new(request.into_body().boxed_unsync())
}

/// One request as it is written here, with a body that has a length, and its answer to the end of the connection.
async fn raw(handler: &Handler, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    let stream = TcpStream::connect(("127.0.0.1", handler.port)).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let writing = tokio::spawn(async move {
        let _ = to.write_all(request.as_bytes()).await;
        to
    });
    let mut answer = Vec::new();
    let _ = from.read_to_end(&mut answer).await;
    drop(writing.await);
    String::from_utf8_lossy(&answer).into_owned()
}
