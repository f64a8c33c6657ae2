use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use drawbridge_keys::{
    Fetched, HttpClient, JwksUrl, KeyLimits, KeySource, PrivateJwk, ResolveError, Resolver, SourceError,
};
use drawbridge_verify::{JwkSet, PublicJwk};
use futures_util::stream;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use tokio_rustls::{TlsAcceptor, rustls};

use crate::support::{ES256, Server, cheap_jwk, client, es256, jwk};

const JWK_SET: &str = "application/jwk-set+json";

fn set(keys: &[PublicJwk]) -> String {
    let keys: Vec<_> = keys.iter().map(PublicJwk::to_json).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

fn ok(content_type: &str, body: impl Into<Body>) -> Response {
    Response::builder().header("content-type", content_type).body(body.into()).unwrap()
}

fn of_kid(server: &Server) -> JwksUrl {
    JwksUrl::new(client(), &format!("{}/jwks/{{backend}}/{{kid}}", server.address), Some("orders")).unwrap()
}

fn of_set(server: &Server) -> JwksUrl {
    JwksUrl::new(client(), &format!("{}/jwks.json", server.address), None).unwrap()
}

fn refused<T>(result: &Result<T, SourceError>) -> bool {
    matches!(result, Err(SourceError::Refused(_)))
}

fn unavailable<T>(result: &Result<T, SourceError>) -> bool {
    matches!(result, Err(SourceError::Unavailable(_)))
}

#[tokio::test]
async fn one_key_is_fetched_from_its_own_address() {
    let body = set(&[jwk("orders.sig.1")]);
    let server = Server::answering(move |_| {
        let mut answer = ok(JWK_SET, body.clone());
        answer.headers_mut().insert("cache-control", "public, max-age=60".parse().unwrap());
        answer
    })
    .await;
    let source = of_kid(&server);
    assert!(!source.reads_whole_sets());
    let fetched = source.fetch("orders.sig.1").await.unwrap();
    assert_eq!(fetched.keys.len(), 1);
    assert_eq!(fetched.max_age, Some(Duration::from_secs(60)));
    assert_eq!(server.paths(), ["/jwks/orders/orders.sig.1"]);
    assert_eq!(server.headers("accept"), ["application/jwk-set+json, application/json"]);
    assert!(server.headers("cookie").is_empty() && server.headers("authorization").is_empty());
}

#[tokio::test]
async fn what_has_an_entity_tag_is_not_sent_again_until_it_changes() {
    let (first, second) = (set(&[jwk("orders.sig.1")]), set(&[jwk("orders.sig.1")]));
    let turns = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let server = Server::answering(move |_| {
        let tagged = |body: &str, tag: &str| {
            let mut answer = ok(JWK_SET, body.to_owned());
            answer.headers_mut().insert("etag", tag.parse().unwrap());
            answer.headers_mut().insert("cache-control", "max-age=60".parse().unwrap());
            answer
        };
        match turns.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => tagged(&first, "\"one\""),
            1 => StatusCode::NOT_MODIFIED.into_response(),
            2 => (StatusCode::NOT_MODIFIED, [("cache-control", "max-age=7")]).into_response(),
            3 => tagged(&second, "W/\"two\""),
            4 => StatusCode::NOT_MODIFIED.into_response(),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    })
    .await;
    let source = of_kid(&server);
    let mut fetched = Vec::new();
    for _ in 0..5 {
        let Fetched { keys, max_age } = source.fetch("orders.sig.1").await.unwrap();
        fetched.push((keys[0].to_json(), max_age.unwrap().as_secs()));
    }
    let (one, two) = (fetched[0].0.clone(), fetched[3].0.clone());
    assert_ne!(one, two);
    assert_eq!(fetched, [(one.clone(), 60), (one.clone(), 60), (one, 7), (two.clone(), 60), (two, 60)]);
    assert_eq!(server.headers("if-none-match"), ["\"one\"", "\"one\"", "\"one\"", "W/\"two\""]);
    assert_eq!(
        source.fetch("orders.sig.1").await.err(),
        Some(SourceError::NotFound),
        "a revoked key is gone"
    );
    assert_eq!(server.headers("if-none-match").len(), 5);
    source.fetch("orders.sig.2").await.unwrap_err();
    assert_eq!(server.headers("if-none-match").len(), 5, "a tag is of one address");
}

#[tokio::test]
async fn what_was_never_sent_has_not_changed_either_and_what_is_refused_is_not_kept() {
    let server = Server::answering(|_| StatusCode::NOT_MODIFIED).await;
    for source in [of_kid(&server), of_set(&server)] {
        assert!(refused(&source.fetch("orders.sig.1").await));
    }
    let body = set(&[jwk("orders.sig.2")]);
    let server =
        Server::answering(move |_| ([("etag", "\"x\""), ("content-type", JWK_SET)], body.clone())).await;
    let source = of_kid(&server);
    for _ in 0..2 {
        assert!(refused(&source.fetch("orders.sig.1").await), "another key");
    }
    assert!(server.headers("if-none-match").is_empty());
}

#[tokio::test]
async fn an_answer_for_one_kid_is_a_set_of_exactly_that_key() {
    let key = "orders.sig.1";
    let unsupported = r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA","kid":"other"}"#;
    let two_with_one_unsupported = format!(r#"{{"keys":[{},{unsupported}]}}"#, jwk(key).to_json());
    for (what, body) in [
        ("no key", set(&[])),
        ("another key", set(&[jwk("orders.sig.2")])),
        ("two keys", set(&[jwk(key), jwk("orders.sig.2")])),
        ("one key twice", set(&[jwk(key), jwk(key)])),
        ("a second key of a type that is not supported", two_with_one_unsupported),
        ("a key without a kid", set(&[PrivateJwk::generate(ES256).unwrap().public().clone()])),
        ("a bare key", jwk(key).to_json()),
        ("no set", "{}".to_owned()),
        ("no JSON", "<html>".to_owned()),
        ("nothing", String::new()),
    ] {
        let server = Server::answering(move |_| ok(JWK_SET, body.clone())).await;
        assert!(refused(&of_kid(&server).fetch(key).await), "{what}");
    }
}

#[tokio::test]
async fn a_set_with_private_or_symmetric_key_material_is_refused_whole() {
    let private =
        PrivateJwk::generate(ES256).unwrap().to_json().replacen('{', r#"{"kid":"orders.sig.1","#, 1);
    let symmetric = r#"{"kty":"oct","k":"c2VjcmV0","kid":"orders.sig.1"}"#.to_owned();
    for leaked in [private, symmetric] {
        for keys in [leaked.clone(), format!("{},{leaked}", jwk("good").to_json())] {
            let server = Server::answering(move |_| ok(JWK_SET, format!(r#"{{"keys":[{keys}]}}"#))).await;
            assert!(refused(&of_kid(&server).fetch("orders.sig.1").await));
            assert!(refused(&of_set(&server).fetch("good").await));
        }
    }
}

#[tokio::test]
async fn a_set_with_two_keys_of_one_kid_is_refused_whole() {
    let body = set(&[jwk("good"), jwk("twice"), jwk("twice")]);
    let server = Server::answering(move |_| ok(JWK_SET, body.clone())).await;
    assert!(refused(&of_set(&server).fetch("good").await));
}

#[tokio::test]
async fn a_status_says_whether_there_is_no_key_or_no_answer() {
    for (status, of_one, of_all) in [
        (404, Some(SourceError::NotFound), None),
        (410, Some(SourceError::NotFound), None),
        (204, None, None),
        (206, None, None),
        (400, None, None),
        (401, None, None),
        (403, None, None),
        (429, None, None),
        (500, None, None),
        (503, None, None),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let body = set(&[jwk("orders.sig.1")]);
        let server =
            Server::answering(move |_| (status, [("content-type", JWK_SET)], body.clone()).into_response())
                .await;
        for (source, expected) in [(of_kid(&server), of_one), (of_set(&server), of_all)] {
            let fetched = source.fetch("orders.sig.1").await;
            match expected {
                Some(error) => assert_eq!(fetched.err(), Some(error), "{status}"),
                None => assert!(unavailable(&fetched), "{status}"),
            }
        }
    }
}

#[tokio::test]
async fn a_redirect_is_refused_and_not_followed() {
    let elsewhere = Server::answering(|_| ok(JWK_SET, set(&[cheap_jwk("orders.sig.1")]))).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("{}/jwks", elsewhere.address);
        let server = Server::answering(move |_| {
            (StatusCode::from_u16(status).unwrap(), [("location", location.clone())]).into_response()
        })
        .await;
        assert!(refused(&of_kid(&server).fetch("orders.sig.1").await), "{status}");
        assert!(refused(&of_set(&server).fetch("orders.sig.1").await), "{status}");
    }
    assert!(elsewhere.paths().is_empty());
}

#[tokio::test]
async fn only_a_content_type_of_keys_is_read() {
    for (content_type, accepted) in [
        (Some("application/jwk-set+json"), true),
        (Some("application/json"), true),
        (Some("Application/JSON; charset=utf-8"), true),
        (Some("application/jwk+json"), false),
        (Some("text/html"), false),
        (Some("text/plain"), false),
        (Some("application/json-seq"), false),
        (Some(""), false),
        (None, false),
    ] {
        let body = set(&[jwk("orders.sig.1")]);
        let server = Server::answering(move |_| {
            let mut answer = Response::new(Body::from(body.clone()));
            if let Some(content_type) = content_type {
                answer.headers_mut().insert("content-type", content_type.parse().unwrap());
            }
            answer
        })
        .await;
        let fetched = of_kid(&server).fetch("orders.sig.1").await;
        assert_eq!(fetched.is_ok(), accepted, "{content_type:?}");
        assert!(accepted || refused(&fetched));
    }
}

#[tokio::test]
async fn an_answer_of_more_than_64_kib_is_refused_with_and_without_its_length() {
    let good = set(&[jwk("orders.sig.1")]);
    for (padding, accepted) in
        [(JwkSet::MAX_BYTES - good.len(), true), (JwkSet::MAX_BYTES - good.len() + 1, false)]
    {
        let body = format!("{good}{}", " ".repeat(padding));
        let server = Server::answering(move |path| match path.as_str() {
            "/jwks.json" => ok(JWK_SET, body.clone()),
            _ => ok(JWK_SET, chunks(body.clone(), 1)),
        })
        .await;
        for fetched in
            [of_set(&server).fetch("orders.sig.1").await, of_kid(&server).fetch("orders.sig.1").await]
        {
            assert_eq!(fetched.is_ok(), accepted);
            assert!(accepted || refused(&fetched));
        }
    }
}

#[tokio::test]
async fn an_answer_without_end_is_refused_before_it_ends() {
    let server = Server::answering(|_| ok(JWK_SET, chunks(vec![b' '; 1024], usize::MAX))).await;
    assert!(refused(&of_set(&server).fetch("orders.sig.1").await));
}

#[tokio::test]
async fn a_server_that_does_not_answer_or_does_not_finish_times_out() {
    for (what, first) in
        [("nothing", ""), ("half an answer", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{")]
    {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1024]).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, first.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        });
        let client = HttpClient::new(Duration::from_millis(50), true).unwrap();
        let fetched = JwksUrl::new(client, &address, None).unwrap().fetch("a").await;
        let Err(SourceError::Unavailable(text)) = fetched else { panic!("{what}: {fetched:?}") };
        assert_eq!(text, "no answer within 50 ms", "{what}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    drop(listener);
    assert!(unavailable(&JwksUrl::new(client(), &address, None).unwrap().fetch("a").await));
}

#[tokio::test]
async fn localhost_is_this_machine_whatever_the_resolver_says() {
    let server = Server::answering(|_| ok(JWK_SET, set(&[cheap_jwk("a")]))).await;
    let address = server.address.replace("127.0.0.1", "localhost");
    let source = JwksUrl::new(client(), &format!("{address}/jwks.json"), None).unwrap();
    assert_eq!(source.fetch("a").await.unwrap().keys.len(), 1);
}

#[tokio::test]
async fn a_resolver_over_http_finds_rotates_and_forgets() {
    let keys = Arc::new(std::sync::Mutex::new(vec![jwk("orders.sig.1")]));
    let published = Arc::clone(&keys);
    let server = Server::answering(move |path| {
        let keys = published.lock().unwrap();
        let found = keys.iter().find(|key| path.ends_with(&format!("/{}", key.kid().unwrap())));
        found.map_or(StatusCode::NOT_FOUND.into_response(), |key| ok(JWK_SET, JwkSet::of_one(key)))
    })
    .await;
    let own = "orders".parse().ok();
    let source = Arc::new(of_kid(&server));
    let resolver = Resolver::new(source, own, es256(), false, Vec::new(), KeyLimits::default());
    assert!(resolver.resolve("orders.sig.1", None).await.is_ok());
    keys.lock().unwrap().push(jwk("orders.sig.2"));
    assert!(resolver.resolve("orders.sig.2", None).await.is_ok(), "a new version needs no propagation");
    assert_eq!(resolver.resolve("orders.sig.3", None).await.err(), Some(ResolveError::Unknown));
    assert_eq!(resolver.resolve("billing.sig.1", None).await.err(), Some(ResolveError::Foreign));
    assert_eq!(server.paths().len(), 3);
}

#[tokio::test]
async fn https_trusts_the_given_roots_and_no_others() {
    let server = TlsServer::start("localhost").await;
    let fetch = |client: HttpClient, host: &str| {
        let source =
            JwksUrl::new(client, &format!("https://{host}:{}/jwks.json", server.port), None).unwrap();
        async move { source.fetch("a").await }
    };
    let strict = || HttpClient::new(Duration::from_secs(10), false).unwrap();
    let trusting = strict().with_roots(server.root.as_bytes()).unwrap();
    trusting.warm().unwrap();
    assert_eq!(fetch(trusting.clone(), "localhost").await.unwrap().keys.len(), 1);
    assert!(unavailable(&fetch(trusting, "127.0.0.1").await), "the name must be that of the certificate");
    let other = TlsServer::start("localhost").await;
    let distrusting = strict().with_roots(other.root.as_bytes()).unwrap();
    assert!(unavailable(&fetch(distrusting, "localhost").await), "the root must be the given one");
}

/// A body whose length is not announced.
fn chunks(of: impl Into<axum::body::Bytes>, times: usize) -> Body {
    let chunk = of.into();
    Body::from_stream(stream::iter((0..times).map(move |_| Ok::<_, std::convert::Infallible>(chunk.clone()))))
}

/// An HTTPS server on loopback under a root certificate of its own.
struct TlsServer {
    port: u16,
    root: String,
}

impl TlsServer {
    async fn start(name: &str) -> Self {
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut leaf = CertificateParams::new([name.to_owned()]).unwrap();
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = leaf.signed_by(&key, &root).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], private)
            .unwrap();
        let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = tcp.local_addr().unwrap().port();
        let app = Router::new().route("/jwks.json", get(|| async { ok(JWK_SET, set(&[cheap_jwk("a")])) }));
        let listener = TlsListener { tcp, tls: TlsAcceptor::from(Arc::new(config)) };
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { port, root: root.pem() }
    }
}

struct TlsListener {
    tcp: tokio::net::TcpListener,
    tls: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = self.tcp.accept().await.unwrap();
            // A client that does not trust us goes away here.
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
