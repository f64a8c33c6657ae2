//! The edge gateway: asks the bridge about every request, as Envoy's HTTP `ext_authz` does, and sends on what it allows with
//! the bridged token in place of the consumer's.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

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
use tokio::net::TcpListener;
use url::Url;

use crate::proxy::{self, Forward};

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
    /// The listener failed.
    #[error("cannot listen: {0}")]
    Listen(#[from] std::io::Error),
}

impl Edge {
    /// The edge in front of the configured upstreams, with its bridge at `bridge`.
    ///
    /// # Errors
    /// `Client`.
    pub fn new(config: &Config, bridge: uri::Authority) -> Result<Self, EdgeError> {
        let upstreams = config
            .backends
            .values()
            .filter_map(|backend| Some((backend.name.to_string(), backend.upstream.clone()?)))
            .collect();
        let ask = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { bridge, upstreams, ask, send: proxy::client()? })
    }

    /// Serves until the listener fails.
    ///
    /// # Errors
    /// `Listen`.
    pub async fn serve(self, listener: TcpListener) -> Result<(), EdgeError> {
        let router = Router::new().fallback(answer).with_state(Arc::new(self));
        Ok(axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await?)
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
    fn question(&self, request: &Request, peer: SocketAddr) -> Option<http::Request<Body>> {
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
        for name in [header::CONTENT_LENGTH, header::EXPECT, header::FORWARDED, FORWARDED_FOR] {
            headers.remove(name);
        }
        headers.insert(FORWARDED_FOR, HeaderValue::from_str(&peer.ip().to_string()).ok()?);
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
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let Some(question) = edge.question(&request, peer) else {
        return problem(StatusCode::BAD_REQUEST);
    };
    let Granted { upstream, target, authorization } = match edge.authorize(question).await {
        Ok(granted) => granted,
        Err(refusal) => return refusal,
    };
    let to = Forward {
        upstream,
        target: &target,
        add: HeaderMap::from_iter([(header::AUTHORIZATION, authorization)]),
        wait: WAIT,
    };
    proxy::forward(&edge.send, request, to).await.unwrap_or_else(IntoResponse::into_response)
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

/// How long the bridge may take: a key fetch within its own limit, and a signature.
const ASK: Duration = Duration::from_secs(10);

/// How long an upstream may take until its status line; API Gateway's own limit for an integration is 29 s.
const WAIT: Duration = Duration::from_secs(35);

/// Problem details are a few hundred bytes.
const MAX_PROBLEM: usize = 64 * 1024;
