use std::{io, sync::Arc, time::Instant};

use axum::{Router, body::Body};
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer},
};

use super::*;

type Incoming = Request<Body>;

#[tokio::test]
async fn a_request_arrives_as_it_was_sent_below_the_upstreams_path() {
    let upstream = serve(Router::new().fallback(|request: Incoming| async move {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1024).await.unwrap();
        let said = format!("{} {} ", parts.method, parts.uri);
        (StatusCode::CREATED, [("x-seen", "yes")], [said.as_bytes(), &body].concat())
    }))
    .await;
    let request = Request::builder().method(Method::PUT).body(Body::from("a body")).unwrap();
    let answer = send(request, &upstream.join("/prod/").unwrap(), "/a%20b/c?q=1&q=2").await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    assert_eq!(answer.headers()["x-seen"], "yes");
    assert_eq!(text(answer).await, "PUT /prod/a%20b/c?q=1&q=2 a body");
}

#[tokio::test]
async fn a_request_without_a_body_stays_one() {
    let upstream = serve(Router::new().fallback(|headers: HeaderMap| async move {
        let has = |name| headers.contains_key(name);
        format!("{} {}", has(header::TRANSFER_ENCODING), has(header::CONTENT_LENGTH))
    }))
    .await;
    let answer = send(Request::new(Body::empty()), &upstream, "/").await.unwrap();
    assert_eq!(text(answer).await, "false false");
}

#[tokio::test]
async fn both_bodies_stream() {
    let upstream = serve(echo()).await;
    let (sender, body) = channel();
    let request = Request::builder().method(Method::POST).body(body).unwrap();
    sender.send(Ok("first")).await.unwrap();
    let mut echoed = send(request, &upstream, "/").await.unwrap().into_body().into_data_stream();
    assert_eq!(echoed.next().await.unwrap().unwrap(), "first");
    sender.send(Ok("second")).await.unwrap();
    assert_eq!(echoed.next().await.unwrap().unwrap(), "second");
    drop(sender);
    assert!(echoed.next().await.is_none());
}

#[tokio::test]
async fn a_redirect_is_the_clients_to_follow() {
    let upstream =
        serve(Router::new().fallback(|| async { (StatusCode::FOUND, [("location", "/elsewhere")]) })).await;
    let answer = send(Request::new(Body::empty()), &upstream, "/").await.unwrap();
    assert_eq!(
        (answer.status(), answer.headers()["location"].as_bytes()),
        (StatusCode::FOUND, &b"/elsewhere"[..])
    );
}

#[tokio::test]
async fn attack_22_what_the_gateway_says_replaces_and_survives_what_the_client_says() {
    let upstream = serve(Router::new().fallback(|headers: HeaderMap| async move {
        let mut seen: Vec<String> = headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with('x') || *name == "authorization")
            .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
            .collect();
        seen.sort();
        seen.join(" ")
    }))
    .await;
    let mut request = Request::new(Body::empty());
    for (name, value) in [
        ("connection", "x-drawbridge-sub, x-hop, keep-alive"),
        ("authorization", "Bearer of-the-client"),
        ("x-drawbridge-sub", "eve"),
        ("x_drawbridge_sub", "eve"),
        ("x-drawbridge_roles", "admin"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-original-uri", "/admin"),
        ("x-hop", "1"),
        ("x-kept", "2"),
    ] {
        request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let mut add = HeaderMap::new();
    add.append("x-drawbridge-sub", HeaderValue::from_static("alice"));
    add.append("authorization", HeaderValue::from_static("Bearer bridged"));
    let to = Forward { upstream: &upstream, target: "/", add, limits: PATIENT };
    let answer = forward(&client().unwrap(), request, to).await.unwrap();
    assert_eq!(text(answer).await, "authorization=Bearer bridged x-drawbridge-sub=alice x-kept=2");
}

#[test]
fn attack_24_a_target_that_would_arrive_as_another_path_is_refused() {
    let upstream = Url::parse("http://127.0.0.1:9/base").unwrap();
    for target in
        ["", "a", "//evil.example\\", "/a/../b", "/a/./b", "/a/%2e%2e/b", "/a\\b", "/a b", "/a\tb", "/é", "*"]
    {
        assert_eq!(join(&upstream, target), Err(ForwardError::TargetRefused), "{target}");
    }
    for target in ["/", "/a%2Fb", "/a//b", "/a?b=../c", "/a:b@c", "/regions/a'b"] {
        assert_eq!(join(&upstream, target).unwrap().as_str(), format!("http://127.0.0.1:9/base{target}"));
    }
    let bare = Url::parse("http://127.0.0.1:9").unwrap();
    assert_eq!(join(&bare, "//evil.example/x").unwrap().host_str(), Some("127.0.0.1"));
}

#[tokio::test]
async fn an_upstream_that_is_down_or_silent_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let silent = within(Limits::idle(SHORT), Request::new(Body::empty()), &url).await.unwrap_err();
    assert_eq!(silent, ForwardError::TimedOut);
    drop(listener);
    let down = send(Request::new(Body::empty()), &url, "/").await.unwrap_err();
    assert_eq!(down, ForwardError::Unreachable);
    for (error, status) in [(silent, 504), (down, 502)] {
        let problem = error.problem();
        assert_eq!(problem.status(), status);
        assert_eq!(problem.headers()["content-type"], "application/problem+json");
        assert!(!problem.body().contains("127.0.0.1"), "{}", problem.body());
    }
}

#[tokio::test]
async fn an_answer_that_stops_moving_breaks_off_and_one_that_moves_does_not() {
    let (sender, body) = channel();
    let body = Arc::new(std::sync::Mutex::new(Some(body)));
    let upstream =
        serve(Router::new().fallback(move || std::future::ready(body.lock().unwrap().take().unwrap()))).await;
    let moves = tokio::spawn(async move {
        for _ in 0..4 {
            tokio::time::sleep(STEP).await;
            sender.send(Ok("more")).await.unwrap();
        }
        sender
    });
    let answer = within(Limits::idle(SHORT), Request::new(Body::empty()), &upstream).await.unwrap();
    let seen: Vec<_> = answer.into_body().into_data_stream().collect().await;
    let (last, before) = seen.split_last().unwrap();
    assert_eq!(before.iter().map(|chunk| chunk.as_ref().unwrap().len()).sum::<usize>(), 16);
    assert!(matches!(last, Err(crate::BodyError::TimedOut)), "{last:?}");
    drop(moves.await.unwrap());
}

#[tokio::test]
async fn an_answer_that_never_ends_is_ended() {
    let upstream =
        serve(Router::new().fallback(|| async { Body::from_stream(stream::repeat_with(chunk)) })).await;
    let limits = Limits { idle: Duration::from_secs(60), total: Some(SHORT) };
    let answer = within(limits, Request::new(Body::empty()), &upstream).await.unwrap();
    let last =
        answer.into_body().into_data_stream().filter_map(async |chunk| chunk.err()).boxed().next().await;
    assert!(matches!(last, Some(crate::BodyError::TimedOut)), "{last:?}");
}

#[tokio::test]
async fn a_slow_upload_is_an_exchange_in_which_something_moves() {
    let upstream = serve(Router::new().fallback(|request: Incoming| async move {
        request.into_body().collect().await.unwrap().to_bytes()
    }))
    .await;
    let steps = stream::unfold(0, |step| async move {
        tokio::time::sleep(STEP).await;
        (step < 4).then_some((Ok::<_, io::Error>("part "), step + 1))
    });
    let request = Request::builder().method(Method::POST).body(Body::from_stream(steps)).unwrap();
    let answer = within(Limits::idle(SHORT), request, &upstream).await.unwrap();
    assert_eq!(text(answer).await, "part part part part ");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_clients_fault_and_never_a_whole_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    for length in [None, Some("10")] {
        let broken = stream::iter([Ok("some"), Err(io::Error::other("reset"))]);
        let mut request = Request::builder().method(Method::POST).body(Body::from_stream(broken)).unwrap();
        request
            .headers_mut()
            .extend(length.map(|length| (header::CONTENT_LENGTH, HeaderValue::from_static(length))));
        let arriving = async {
            let mut arrived = String::new();
            let (mut connection, _) = listener.accept().await.unwrap();
            let _ = connection.read_to_string(&mut arrived).await;
            arrived
        };
        let (error, arrived) = tokio::join!(send(request, &upstream, "/"), arriving);
        let error = error.unwrap_err();
        assert_eq!((error, error.status().as_u16()), (ForwardError::RequestIncomplete, 400));
        let body = arrived.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        assert!(!body.ends_with("0\r\n\r\n") && body.len() < 10, "{arrived:?}");
    }
}

#[tokio::test]
async fn an_exchange_whose_client_goes_away_ends_at_the_upstream() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let asking = tokio::spawn(async move { send(Request::new(Body::empty()), &url, "/").await.map(|_| ()) });
    let (mut connection, _) = listener.accept().await.unwrap();
    let mut head = [0; 16];
    connection.read_exact(&mut head).await.unwrap();
    asking.abort();
    let mut rest = Vec::new();
    // Not before the other side has closed.
    let _ = connection.read_to_end(&mut rest).await;
    assert!(asking.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn trailers_end_at_this_hop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let answer = "HTTP/1.1 200 OK\r\ntrailer: x-drawbridge-sub\r\ntransfer-encoding: chunked\r\n\r\n\
                      4\r\ntext\r\n0\r\nx-drawbridge-sub: eve\r\n\r\n";
        assert!(connection.read(&mut [0; 4096]).await.unwrap() > 0);
        connection.write_all(answer.as_bytes()).await.unwrap();
        let _ = connection.read_to_end(&mut Vec::new()).await;
    });
    let answer = send(Request::new(Body::empty()), &url, "/").await.unwrap();
    assert!(!answer.headers().contains_key(header::TRAILER));
    let whole = answer.into_body().collect().await.unwrap();
    assert!(whole.trailers().is_none());
    assert_eq!(whole.to_bytes(), "text");
}

#[tokio::test]
async fn an_upstream_whose_certificate_nobody_vouches_for_gets_nothing() {
    let ours = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(ours.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![ours.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let url = Url::parse(&url).unwrap();
    let (asked, mut requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _): (TcpStream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 5];
            if stream.read_exact(&mut head).await.is_ok() {
                asked.send(head).unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
                let _ = stream.shutdown().await;
            }
        }
    });
    let refused = send(Request::new(Body::empty()), &url, "/").await.unwrap_err();
    assert_eq!(refused, ForwardError::Unreachable);
    assert!(requests.try_recv().is_err());

    let trusting = builder()
        .tls_certs_merge([reqwest::Certificate::from_der(ours.cert.der()).unwrap()])
        .build()
        .unwrap();
    let to = Forward { upstream: &url, target: "/", add: HeaderMap::new(), limits: PATIENT };
    let answer = forward(&trusting, Request::new(Body::empty()), to).await.unwrap();
    assert_eq!(text(answer).await, "ok");
    assert_eq!(requests.recv().await.as_ref(), Some(b"GET /"));
}

#[tokio::test]
async fn more_than_any_buffer_holds_passes_both_ways() {
    const CHUNKS: usize = 512;
    let upstream = serve(echo()).await;
    let body = Body::from_stream(stream::repeat_with(chunk).take(CHUNKS));
    let request = Request::builder().method(Method::POST).body(body).unwrap();
    let started = Instant::now();
    let answer = send(request, &upstream, "/").await.unwrap();
    let echoed = answer.into_body().into_data_stream();
    let length = echoed.fold(0, |length, chunk| std::future::ready(length + chunk.unwrap().len())).await;
    assert_eq!(length, CHUNKS * CHUNK, "after {:?}", started.elapsed());
}

fn chunk() -> Result<Bytes, io::Error> {
    static ZEROS: [u8; CHUNK] = [0; CHUNK];
    Ok(Bytes::from_static(&ZEROS))
}

/// A body that is what is sent, as it is sent.
fn channel() -> (mpsc::Sender<Result<&'static str, io::Error>>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, Body::from_stream(received(receiver)))
}

fn received<T>(receiver: mpsc::Receiver<T>) -> impl Stream<Item = T> {
    stream::unfold(receiver, |mut receiver| async move { receiver.recv().await.map(|item| (item, receiver)) })
}

fn echo() -> Router {
    Router::new().fallback(|request: Incoming| async move {
        Body::from_stream(request.into_body().into_data_stream())
    })
}

async fn send(request: Incoming, upstream: &Url, target: &str) -> Result<Response<AnswerBody>, ForwardError> {
    let to = Forward { upstream, target, add: HeaderMap::new(), limits: PATIENT };
    forward(&client().unwrap(), request, to).await
}

async fn within(
    limits: Limits,
    request: Incoming,
    upstream: &Url,
) -> Result<Response<AnswerBody>, ForwardError> {
    let to = Forward { upstream, target: "/", add: HeaderMap::new(), limits };
    forward(&client().unwrap(), request, to).await
}

async fn serve(router: Router) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn text(answer: Response<AnswerBody>) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

const PATIENT: Limits = Limits::idle(Duration::from_secs(30));
/// Long enough that a busy machine does not pass it between two steps; four steps together are longer.
const SHORT: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(600);
const CHUNK: usize = 64 * 1024;
