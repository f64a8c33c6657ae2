//! The edge gateway: asks the bridge about every request, as Envoy's HTTP `ext_authz` does, and sends on what it allows with
//! the bridged token in place of the consumer's. Under mutual TLS it tells the bridge the consumer's certificate, and shows the
//! gateways behind it its own.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
};
use drawbridge_config::Config;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header, uri};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::json;
use thiserror::Error;
use url::Url;

use crate::{
    proxy::{self, Forward, Limits},
    tls::{Certificates, EDGE, Incoming, Peer, TlsError, strip_certificates},
};

/// The edge of all configured backends.
pub struct Edge {
    /// Where the bridge listens.
    bridge: uri::Authority,
    upstreams: BTreeMap<String, Url>,
    /// Sends any path as it came: what the bridge decides on must be what the client wrote.
    ask: Client<HttpConnector, Body>,
    send: reqwest::Client,
}

/// An edge that cannot be.
#[derive(Debug, Error)]
pub enum EdgeError {
    /// The TLS library did not start.
    #[error("no HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// There is no certificate for it.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The listener failed.
    #[error("cannot listen: {0}")]
    Listen(#[from] std::io::Error),
}

impl Edge {
    /// The edge in front of the configured upstreams, with its bridge at `bridge`. Where there are certificates it trusts their
    /// authority and shows its own.
    ///
    /// # Errors
    /// `Client`, `Tls`.
    pub fn new(
        config: &Config,
        bridge: uri::Authority,
        certificates: Option<&Certificates>,
    ) -> Result<Self, EdgeError> {
        let upstreams = config
            .backends
            .values()
            .filter_map(|backend| Some((backend.name.to_string(), backend.upstream.clone()?)))
            .collect();
        let ask = Client::builder(TokioExecutor::new()).build_http();
        let send = match certificates {
            Some(certificates) => {
                proxy::builder().tls_backend_preconfigured(certificates.client(Some(EDGE))?).build()?
            }
            None => proxy::client()?,
        };
        Ok(Self { bridge, upstreams, ask, send })
    }

    /// Serves until the listener fails.
    ///
    /// # Errors
    /// `Listen`.
    pub async fn serve(self, incoming: impl Into<Incoming>) -> Result<(), EdgeError> {
        let router = Router::new().fallback(answer).with_state(Arc::new(self));
        Ok(axum::serve(incoming.into(), router.into_make_service_with_connect_info::<Peer>()).await?)
    }

    /// What the bridge says: a grant, or the answer to give.
    async fn authorize(&self, question: http::Request<Body>) -> Result<Granted<'_>, Response> {
        let answer = match tokio::time::timeout(ASK, self.ask.request(question)).await {
            Ok(Ok(answer)) => answer.map(Body::new),
            Ok(Err(_)) | Err(_) => return Err(problem(StatusCode::SERVICE_UNAVAILABLE)),
        };
        match answer.status() {
            // Only an explicit and complete grant lets a request through.
            StatusCode::OK => {
                self.granted(answer.headers()).ok_or_else(|| problem(StatusCode::SERVICE_UNAVAILABLE))
            }
            status if status.is_client_error() || status.is_server_error() => {
                let (mut parts, body) = answer.into_parts();
                proxy::strip_hop_by_hop(&mut parts.headers);
                parts.headers.remove(header::CONTENT_LENGTH);
                let body = axum::body::to_bytes(body, MAX_PROBLEM)
                    .await
                    .map_err(|_| problem(StatusCode::SERVICE_UNAVAILABLE))?;
                Err(Response::from_parts(parts, Body::from(body)))
            }
            _ => Err(problem(StatusCode::SERVICE_UNAVAILABLE)),
        }
    }

    /// The original method, path and headers, without its body.
    fn question(&self, request: &Request, peer: &Peer) -> Option<http::Request<Body>> {
        let target = request.uri().path_and_query().filter(|target| target.as_str().starts_with('/'))?;
        let uri = Uri::builder()
            .scheme(uri::Scheme::HTTP)
            .authority(self.bridge.clone())
            .path_and_query(format!("{EXT_AUTHZ}{target}"))
            .build()
            .ok()?;
        let mut question = http::Request::new(Body::empty());
        *question.method_mut() = request.method().clone();
        *question.uri_mut() = uri;
        let headers = question.headers_mut();
        headers.clone_from(request.headers());
        proxy::strip_hop_by_hop(headers);
        strip_certificates(headers);
        for name in [header::CONTENT_LENGTH, header::EXPECT, header::FORWARDED, FORWARDED_FOR] {
            headers.remove(name);
        }
        headers.insert(FORWARDED_FOR, HeaderValue::from_str(&peer.address.ip().to_string()).ok()?);
        if let Some(certificate) = &peer.certificate {
            headers.insert(CLIENT_CERT, HeaderValue::from_str(&format!(":{}:", certificate.base64())).ok()?);
        }
        Some(question)
    }

    /// The parts of a complete grant.
    fn granted(&self, headers: &HeaderMap) -> Option<Granted<'_>> {
        let upstream = self.upstreams.get(headers.get(BACKEND)?.to_str().ok()?)?;
        let target = headers.get(TARGET)?.to_str().ok()?.to_owned();
        let authorization = headers.get(header::AUTHORIZATION)?.clone();
        Some(Granted { upstream, target, authorization })
    }
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edge").field("upstreams", &self.upstreams).finish_non_exhaustive()
    }
}

async fn answer(
    State(edge): State<Arc<Edge>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
) -> Response {
    let Some(question) = edge.question(&request, &peer) else {
        return problem(StatusCode::BAD_REQUEST);
    };
    let Granted { upstream, target, authorization } = match edge.authorize(question).await {
        Ok(granted) => granted,
        Err(refusal) => return refusal,
    };
    strip_certificates(request.headers_mut());
    let to = Forward {
        upstream,
        target: &target,
        add: HeaderMap::from_iter([(header::AUTHORIZATION, authorization)]),
        limits: Limits::idle(WAIT),
    };
    proxy::forward(&edge.send, request, to).await.unwrap_or_else(proxy::failed)
}

/// Where a request may go, and with which token.
struct Granted<'e> {
    upstream: &'e Url,
    target: String,
    authorization: HeaderValue,
}

fn problem(status: StatusCode) -> Response {
    let body =
        json!({ "type": "about:blank", "title": status.canonical_reason(), "status": status.as_u16() });
    let headers = [(header::CONTENT_TYPE, "application/problem+json"), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}

/// The bridge's surface that mirrors the original request.
const EXT_AUTHZ: &str = "/ext-authz";

const BACKEND: HeaderName = HeaderName::from_static("x-drawbridge-backend");
const TARGET: HeaderName = HeaderName::from_static("x-drawbridge-target");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The header in which the bridge is told the consumer's certificate (RFC 9440).
pub const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");

/// How long the bridge may take: a key fetch within its own limit, and a signature.
const ASK: Duration = Duration::from_secs(10);

/// How long an upstream may take until its status line; API Gateway's own limit for an integration is 29 s.
const WAIT: Duration = Duration::from_secs(35);

/// Problem details are a few hundred bytes.
const MAX_PROBLEM: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, path::Path};

    use drawbridge_config::load;
    use serde_json::Value;
    use tokio::net::TcpListener;

    use super::*;
    use crate::backend;

    /// An edge in front of the sample's backends, with `bridge` as its bridge; where it listens.
    async fn edge(bridge: Router) -> SocketAddr {
        let orders = serve(backend::router("orders".into())).await;
        let bridge = serve(bridge).await;
        edge_at(bridge, orders).await
    }

    async fn edge_at(bridge: SocketAddr, orders: SocketAddr) -> SocketAddr {
        let text = include_str!("../sample/drawbridge.yaml")
            .replace("https://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod", &format!("http://{orders}"));
        let config = load(&text, "drawbridge.yaml", Path::new("sample")).unwrap();
        let edge = Edge::new(&config, bridge.to_string().parse().unwrap(), None).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(edge.serve(listener));
        address
    }

    async fn serve(router: Router) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    type Headers = &'static [(&'static str, &'static str)];

    const GRANT: [(&str, &str); 3] = [
        ("authorization", "Bearer bridged"),
        ("x-drawbridge-backend", "orders"),
        ("x-drawbridge-target", "/customers/42?full=1"),
    ];

    fn answering(status: u16, headers: Headers) -> Router {
        Router::new().fallback(move || async move {
            let mut answer = Response::new(Body::from("{}"));
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in headers {
                answer.headers_mut().append(*name, HeaderValue::from_static(value));
            }
            answer
        })
    }

    #[tokio::test]
    async fn a_grant_sends_the_request_on_to_where_the_bridge_says() {
        let edge = edge(answering(200, &GRANT)).await;
        let answer = reqwest::Client::new()
            .post(format!("http://{edge}/orders/x"))
            .body("12345")
            .send()
            .await
            .unwrap();
        let told: Value = answer.json().await.unwrap();
        assert_eq!(told["path"], "/customers/42?full=1");
        assert_eq!((&told["method"], &told["body_bytes"]), (&json!("POST"), &json!(5)));
    }

    #[tokio::test]
    async fn only_a_complete_grant_lets_a_request_through() {
        let [token, backend, target] = GRANT;
        let incomplete: [(u16, Headers, u16); 9] = [
            (200, &[], 503),
            (200, Box::leak(Box::new([token, backend])), 503),
            (200, Box::leak(Box::new([token, target])), 503),
            (200, Box::leak(Box::new([backend, target])), 503),
            (200, Box::leak(Box::new([token, ("x-drawbridge-backend", "nobody"), target])), 503),
            (204, &GRANT, 503),
            (302, &GRANT, 503),
            (500, &GRANT, 500),
            (403, &GRANT, 403),
        ];
        for (status, headers, expected) in incomplete {
            let edge = edge(answering(status, headers)).await;
            let answer = reqwest::get(format!("http://{edge}/orders/x")).await.unwrap();
            assert_eq!(answer.status(), expected, "{status} {headers:?}");
            assert!(!answer.text().await.unwrap().contains("orders"), "{status} {headers:?}");
        }
    }

    #[tokio::test]
    async fn without_a_bridge_nothing_gets_through() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let edge = edge_at(free, serve(backend::router("orders".into())).await).await;
        let answer = reqwest::get(format!("http://{edge}/orders/x")).await.unwrap();
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
    }

    #[tokio::test]
    async fn a_denial_of_the_bridge_is_the_answer() {
        let edge = edge(answering(401, &[("www-authenticate", "Bearer error=\"invalid_token\"")])).await;
        let answer = reqwest::get(format!("http://{edge}/orders/x")).await.unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.headers()["www-authenticate"], "Bearer error=\"invalid_token\"");
    }

    #[tokio::test]
    async fn the_bridge_is_asked_about_what_was_sent_and_by_whom() {
        let bridge = Router::new().fallback(|request: Request| async move {
            let seen = format!(
                "{} {} {:?} {:?}",
                request.method(),
                request.uri(),
                request.headers().get_all("x-forwarded-for").iter().collect::<Vec<_>>(),
                request.headers().get_all("authorization").iter().collect::<Vec<_>>(),
            ) + &format!("{:?}", request.headers().get("client-cert"));
            (StatusCode::FORBIDDEN, seen)
        });
        let edge = edge(bridge).await;
        let mut stream = tokio::net::TcpStream::connect(edge).await.unwrap();
        let request = "DELETE /orders/../%2e%2e//a?b HTTP/1.1\r\nhost: a\r\nauthorization: one\r\nauthorization: two\r\n\
                       x-forwarded-for: 10.0.0.1\r\nclient-cert: :aGk=:\r\nconnection: close, authorization\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
        assert!(answer.contains("DELETE /ext-authz/orders/../%2e%2e//a?b [\"127.0.0.1\"]"), "{answer}");
        assert!(!answer.contains("10.0.0.1") && !answer.contains("aGk="), "{answer}");
    }
}
