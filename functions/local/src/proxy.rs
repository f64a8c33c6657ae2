//! One HTTP request streamed to an upstream and its answer streamed back, by the rules that every gateway here keeps.
//!
//! * Hop-by-hop headers end at this hop, in both directions, with every header that `Connection` names (RFC 9110 section 7.6.1).
//!   They go before the gateway's own headers are set, so that `Connection: x-drawbridge-sub` cannot take one of those away.
//! * The client's copies of what gateways say (`x-drawbridge-*`, also with `_` for `-`, which many servers read as the same name)
//!   never pass (CVE-2025-64484, CVE-2026-40575), nor do its claims about where a request came from (`Forwarded`,
//!   `X-Forwarded-*`, `X-Original-*`, `X-Real-IP`).
//! * The path that was authorised is the path that is sent: one that the URL parser would rewrite is refused.
//! * No redirect is followed, no proxy of the environment used, no body kept in memory.

use std::time::Duration;

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    response::{IntoResponse, Response},
};
use drawbridge_gate::is_identity_header;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use thiserror::Error;
use url::Url;

/// Where a request goes, and what the gateway says to the upstream.
#[derive(Debug)]
pub struct Forward<'a> {
    /// The upstream; its path, if it has one, goes before `target`.
    pub upstream: &'a Url,
    /// Path and query at the upstream, beginning with `/`.
    pub target: &'a str,
    /// Headers that the gateway sets, over the client's of the same name.
    pub add: HeaderMap,
    /// How long until the upstream's status line must be here.
    pub wait: Duration,
}

/// Why there is no answer of the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// The target is not one that arrives as it was written.
    #[error("the path is not one that can be forwarded as it is")]
    TargetRefused,
    /// Nobody answered, or not in HTTP.
    #[error("the upstream cannot be reached")]
    Unreachable,
    /// It took longer than [`Forward::wait`].
    #[error("the upstream did not answer in time")]
    TimedOut,
}

/// The client for [`forward`]; a process needs one.
///
/// # Errors
/// When the TLS library cannot start.
pub fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .http1_only()
        .connect_timeout(CONNECT)
        .build()
}

/// Sends `request` on and gives the upstream's answer, bodies streaming both ways.
///
/// # Errors
/// [`ForwardError`]; it renders as problem details where a gateway has no form of its own.
pub async fn forward(
    client: &reqwest::Client,
    request: Request,
    to: Forward<'_>,
) -> Result<Response, ForwardError> {
    let url = join(to.upstream, to.target)?;
    let (mut parts, body) = request.into_parts();
    strip_hop_by_hop(&mut parts.headers);
    strip_identity(&mut parts.headers);
    strip_provenance(&mut parts.headers);
    parts.headers.remove(header::HOST);
    parts.headers.remove(header::EXPECT);
    for name in to.add.keys() {
        parts.headers.remove(name);
    }
    parts.headers.extend(to.add);

    exchange(client, parts.method, url, parts.headers, body, to.wait).await
}

/// One request as it is and its answer, bodies streaming both ways; for what has rules of its own about headers.
///
/// # Errors
/// `Unreachable`, `TimedOut`.
pub async fn exchange(
    client: &reqwest::Client,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Body,
    wait: Duration,
) -> Result<Response, ForwardError> {
    let mut request = client.request(method, url).headers(headers);
    // Without this a request that has no body would be sent as a chunked one.
    if !body.is_end_stream() {
        request = request.body(reqwest::Body::wrap_stream(body.into_data_stream()));
    }
    let answer =
        tokio::time::timeout(wait, request.send()).await.map_err(|_| ForwardError::TimedOut)?.map_err(
            |error| if error.is_timeout() { ForwardError::TimedOut } else { ForwardError::Unreachable },
        )?;
    let mut answer = http::Response::from(answer).map(Body::new);
    strip_hop_by_hop(answer.headers_mut());
    Ok(answer)
}

/// Removes what is meant for one connection only, and what `Connection` says is (RFC 9110 section 7.6.1).
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Removes every header that a backend would read as said by its gateway.
pub fn strip_identity(headers: &mut HeaderMap) {
    strip(headers, is_identity_header);
}

/// Removes what says where a request came from: the client cannot know better than the gateway.
pub fn strip_provenance(headers: &mut HeaderMap) {
    strip(headers, |name| {
        let name = name.replace('_', "-");
        name == "forwarded"
            || name == "x-real-ip"
            || name.starts_with("x-forwarded-")
            || name.starts_with("x-original-")
    });
}

fn strip(headers: &mut HeaderMap, unwanted: impl Fn(&str) -> bool) {
    let named: Vec<HeaderName> = headers.keys().filter(|name| unwanted(name.as_str())).cloned().collect();
    for name in named {
        headers.remove(name);
    }
}

/// The upstream's address with the target after it, if the URL parser leaves the target's path as it is.
fn join(upstream: &Url, target: &str) -> Result<Url, ForwardError> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    if !path.starts_with('/') {
        return Err(ForwardError::TargetRefused);
    }
    let path = format!("{}{path}", upstream.path().trim_end_matches('/'));
    let mut url = upstream.clone();
    url.set_path(&path);
    url.set_query(query);
    if url.path() == path { Ok(url) } else { Err(ForwardError::TargetRefused) }
}

impl ForwardError {
    /// The status to answer with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::TargetRefused => StatusCode::BAD_REQUEST,
            Self::Unreachable => StatusCode::BAD_GATEWAY,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

impl IntoResponse for ForwardError {
    fn into_response(self) -> Response {
        let status = self.status();
        let problem = serde_json::json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": self.to_string(),
        });
        (status, [(header::CONTENT_TYPE, "application/problem+json")], problem.to_string()).into_response()
    }
}

const CONNECT: Duration = Duration::from_secs(5);

/// RFC 9110 section 7.6.1, and the two of RFC 9112 and RFC 9110 section 11.7 that concern the proxy alone.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

#[cfg(test)]
mod tests {
    use axum::Router;
    use futures_util::StreamExt;
    use http::HeaderValue;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_request_arrives_as_it_was_sent_below_the_upstreams_path() {
        let upstream = serve(Router::new().fallback(|request: Request| async move {
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
        let upstream = serve(Router::new().fallback(|request: Request| async move {
            Body::from_stream(request.into_body().into_data_stream())
        }))
        .await;
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<&'static str, std::io::Error>>(1);
        let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        let request = Request::builder().method(Method::POST).body(Body::from_stream(stream)).unwrap();
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
            serve(Router::new().fallback(|| async { (StatusCode::FOUND, [("location", "/elsewhere")]) }))
                .await;
        let answer = send(Request::new(Body::empty()), &upstream, "/").await.unwrap();
        assert_eq!(
            (answer.status(), answer.headers()["location"].as_bytes()),
            (StatusCode::FOUND, &b"/elsewhere"[..])
        );
    }

    #[tokio::test]
    async fn what_the_gateway_says_replaces_and_survives_what_the_client_says() {
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
        let to = Forward { upstream: &upstream, target: "/", add, wait: CONNECT };
        let answer = forward(&client().unwrap(), request, to).await.unwrap();
        assert_eq!(text(answer).await, "authorization=Bearer bridged x-drawbridge-sub=alice x-kept=2");
    }

    #[test]
    fn hop_by_hop_headers_go_with_those_that_connection_names() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Named"),
            ("connection", "x-other, , bad name"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authenticate", "Basic"),
            ("proxy-authorization", "Basic eA=="),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-named", "1"),
            ("x-other", "1"),
            ("content-type", "text/plain"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["content-type"]);
    }

    #[test]
    fn a_target_that_would_arrive_as_another_path_is_refused() {
        let upstream = Url::parse("http://127.0.0.1:9/base").unwrap();
        for target in [
            "",
            "a",
            "//evil.example\\",
            "/a/../b",
            "/a/./b",
            "/a/%2e%2e/b",
            "/a\\b",
            "/a b",
            "/a\tb",
            "/é",
            "*",
        ] {
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
        let to =
            Forward { upstream: &url, target: "/", add: HeaderMap::new(), wait: Duration::from_millis(50) };
        let silent = forward(&client().unwrap(), Request::new(Body::empty()), to).await.unwrap_err();
        assert_eq!(silent, ForwardError::TimedOut);
        drop(listener);
        let down = send(Request::new(Body::empty()), &url, "/").await.unwrap_err();
        assert_eq!(down, ForwardError::Unreachable);
        assert_eq!(down.into_response().status(), StatusCode::BAD_GATEWAY);
    }

    async fn send(request: Request, upstream: &Url, target: &str) -> Result<Response, ForwardError> {
        let to = Forward { upstream, target, add: HeaderMap::new(), wait: CONNECT };
        forward(&client().unwrap(), request, to).await
    }

    async fn serve(router: Router) -> Url {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    async fn text(answer: Response) -> String {
        String::from_utf8(axum::body::to_bytes(answer.into_body(), 4096).await.unwrap().to_vec()).unwrap()
    }
}
