//! What API Management does in front of a backend, by the policy of this project.
//!
//! * The client's copies of the context headers go first, also with `_` for `-`, and what it says of other hops.
//! * The `authorize` function is asked about the original method, target and headers, never with the body (`send-request` with
//!   `mode="copy"`, so that the gate sees every header that the backend would see), for at most 5 s.
//! * Only an explicit allow goes on: a 200 with the id of the decision. Of the rest, problem details of a 400, 401, 403, 429 or 503 are the
//!   client's answer, and everything else (no answer, a redirect, a login page, a 500) is a 503.
//! * The backend gets the context headers of the allow and not the token.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use drawbridge_azure_functions::contract;
use drawbridge_gate::is_identity_header;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::json;
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::{
    azure::host::FunctionApp,
    proxy::{self, Forward, Limits},
    tls::strip_certificates,
};

/// The API of one backend.
pub(super) struct Api {
    app: Arc<FunctionApp>,
    upstream: Url,
    client: reqwest::Client,
    patience: Duration,
}

impl Api {
    pub(super) fn new(app: Arc<FunctionApp>, upstream: Url, client: reqwest::Client) -> Self {
        Self { app, upstream, client, patience: SEND_REQUEST }
    }

    /// Guards one request; the first `suffix` bytes of its path are the API's, not the operation's.
    pub(super) async fn handle(&self, suffix: usize, request: Request) -> Response {
        let whole = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let target = match whole.get(suffix..) {
            Some(target) if target.starts_with('/') => target.to_owned(),
            // `/orders` and `/orders?q` are the root of the API.
            Some(query) => format!("/{query}"),
            None => return not_found(),
        };
        let Some(question) = question(&self.app.address(contract::AUTHORIZE), &request, &target) else {
            return unavailable();
        };
        match self.authorize(question).await {
            Ok(context) => self.pass(request, &target, context).await,
            Err(answer) => answer,
        }
    }

    /// The context headers of an allow, or what to answer.
    async fn authorize(&self, question: Request) -> Result<HeaderMap, Response> {
        let deadline = Instant::now() + self.patience;
        let answer = timeout_at(deadline, self.app.handle(question)).await.map_err(|_| unavailable())?;
        let (parts, body) = answer.into_parts();
        if parts.status == StatusCode::OK {
            let explicit = parts.headers.contains_key(REQUEST_ID);
            return if explicit { Ok(context(&parts.headers)) } else { Err(unavailable()) };
        }
        if !PASSED_ON.contains(&parts.status) || !is_problem(&parts.headers) {
            return Err(unavailable());
        }
        let body = timeout_at(deadline, axum::body::to_bytes(body, MAX_PROBLEM)).await;
        let body = body.ok().and_then(Result::ok).ok_or_else(unavailable)?;
        let mut answer = (parts.status, body).into_response();
        for name in PASSED_HEADERS {
            if let Some(value) = parts.headers.get(&name) {
                answer.headers_mut().insert(name, value.clone());
            }
        }
        Err(answer)
    }

    async fn pass(&self, mut request: Request, target: &str, add: HeaderMap) -> Response {
        request.headers_mut().remove(header::AUTHORIZATION);
        strip_certificates(request.headers_mut());
        let to = Forward { upstream: &self.upstream, target, add, limits: Limits::idle(BACKEND) };
        proxy::forward(&self.client, request, to).await.unwrap_or_else(proxy::failed)
    }
}

/// What API Management answers for a path that no API has.
pub(super) fn not_found() -> Response {
    let body = json!({ "statusCode": 404, "message": "Resource not found" }).to_string();
    (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// The request to the `authorize` function.
fn question(address: &str, request: &Request, target: &str) -> Option<Request> {
    let mut headers = request.headers().clone();
    proxy::strip_hop_by_hop(&mut headers);
    proxy::strip_provenance(&mut headers);
    for name in [header::CONTENT_LENGTH, header::CONTENT_TYPE, header::EXPECT] {
        headers.remove(name);
    }
    headers.insert(ORIGINAL_METHOD, HeaderValue::from_str(request.method().as_str()).ok()?);
    headers.insert(ORIGINAL_URI, HeaderValue::from_str(target).ok()?);
    let mut question = Request::new(Body::empty());
    *question.method_mut() = Method::GET;
    *question.uri_mut() = address.parse().ok()?;
    *question.headers_mut() = headers;
    Some(question)
}

/// Whatever its parameters.
fn is_problem(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(PROBLEM))
}

fn context(headers: &HeaderMap) -> HeaderMap {
    let mut context = HeaderMap::new();
    for (name, value) in headers {
        if is_identity_header(name.as_str()) {
            context.append(name, value.clone());
        }
    }
    context
}

fn unavailable() -> Response {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let body =
        json!({ "type": "about:blank", "title": status.canonical_reason(), "status": status.as_u16() });
    let headers = [(header::CONTENT_TYPE, PROBLEM), (header::CACHE_CONTROL, "no-store")];
    (status, headers, body.to_string()).into_response()
}

const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
/// On every allow, and nowhere else.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-drawbridge-request-id");
const PROBLEM: &str = "application/problem+json";

/// The statuses with which the gate denies.
const PASSED_ON: [StatusCode; 5] = [
    StatusCode::BAD_REQUEST,
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// What of a deny is the client's.
const PASSED_HEADERS: [HeaderName; 4] =
    [header::CONTENT_TYPE, header::CACHE_CONTROL, header::WWW_AUTHENTICATE, header::RETRY_AFTER];

/// `timeout` of `send-request` in the policy.
const SEND_REQUEST: Duration = Duration::from_secs(5);

/// `timeout` of `forward-request`; 300 s is the default.
const BACKEND: Duration = Duration::from_secs(300);

/// Problem details are a few hundred bytes.
const MAX_PROBLEM: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use axum::{Router, routing::get};
    use drawbridge_config::AzureMode;
    use futures_util::StreamExt;
    use serde_json::Value;

    use super::*;
    use crate::azure::testing::{Fake, app, described, echo, send, serve, text};

    #[tokio::test]
    async fn an_allowed_request_reaches_the_backend_with_its_context_and_without_its_token() {
        for mode in [AzureMode::Forward, AzureMode::Proxy] {
            let api = api(mode, allow()).await;
            let headers = [
                ("authorization", "Bearer of-the-client"),
                ("x-drawbridge-sub", "eve"),
                ("x_drawbridge_sub", "eve"),
                ("x-drawbridge_roles", "admin"),
                ("connection", "x-drawbridge-sub"),
                ("x-kept", "1"),
            ];
            let request = send(Method::POST, "/billing/invoices/a%20b?q=1&q=2", &headers, "a body");
            let seen = described(&text(api.handle("/billing".len(), request).await).await);
            assert_eq!(seen["uri"], "/invoices/a%20b?q=1&q=2");
            assert_eq!(seen["body"], "a body");
            let headers = &seen["headers"];
            assert_eq!(headers["x-drawbridge-sub"], "alice");
            assert_eq!(headers["x-kept"], "1");
            for gone in
                ["authorization", "x_drawbridge_sub", "x-drawbridge_roles", "x-drawbridge-roles", "x-said"]
            {
                assert_eq!(headers[gone], Value::Null, "{gone}");
            }
        }
    }

    #[tokio::test]
    async fn the_gate_is_asked_about_the_operation_with_the_headers_that_the_backend_would_see() {
        // The question comes back as the title of a deny.
        let api = api(
            AzureMode::Proxy,
            Router::new().fallback(|request: Request| async move {
                let asked = echo(request).await.0;
                (StatusCode::FORBIDDEN, [(header::CONTENT_TYPE, PROBLEM)], asked.to_string())
            }),
        )
        .await;
        let headers = [
            ("authorization", "Bearer a"),
            ("x-http-method-override", "DELETE"),
            ("x-original-uri", "/forged"),
            ("x-forwarded-uri", "/forged"),
            ("x_original_method", "GET"),
            ("content-length", "6"),
        ];
        for (uri, target) in [
            ("/billing/invoices/7?full=1", "/invoices/7?full=1"),
            ("/billing/../orders/1", "/../orders/1"),
            ("/billing//x", "//x"),
            ("/billing", "/"),
            ("/billing?q", "/?q"),
            ("/billing/", "/"),
        ] {
            let request = send(Method::PUT, uri, &headers, "a body");
            let answer = api.handle("/billing".len(), request).await;
            assert_eq!(answer.status(), 403);
            let asked = described(&text(answer).await);
            assert_eq!((&asked["uri"], &asked["body"]), (&"/api/authorize".into(), &"".into()));
            let headers = &asked["headers"];
            assert_eq!(headers["x-original-method"], "PUT");
            assert_eq!(headers["x-original-uri"], target);
            assert_eq!(headers["authorization"], "Bearer a");
            assert_eq!(headers["x-http-method-override"], "DELETE");
            for gone in ["x-forwarded-uri", "x_original_method", "content-length"] {
                assert_eq!(headers[gone], Value::Null, "{gone}");
            }
        }
    }

    #[tokio::test]
    async fn only_an_explicit_allow_goes_on() {
        for (status, kind, expected) in [
            (200, "text/html; charset=utf-8", 503),
            (200, "application/json", 503),
            (204, "", 503),
            (201, "", 503),
            (302, "", 503),
            (404, PROBLEM, 503),
            (500, PROBLEM, 503),
            (500, "", 503),
            (401, "text/html", 503),
            (403, "", 503),
            (400, PROBLEM, 400),
            (401, PROBLEM, 401),
            (403, PROBLEM, 403),
            (429, PROBLEM, 429),
            (503, PROBLEM, 503),
        ] {
            let api = api(
                AzureMode::Forward,
                Router::new().fallback(move || async move {
                    let headers = [
                        (header::CONTENT_TYPE, kind),
                        (header::LOCATION, "/"),
                        (header::WWW_AUTHENTICATE, "Bearer"),
                    ];
                    (StatusCode::from_u16(status).unwrap(), headers, "{}")
                }),
            )
            .await;
            let answer = api.handle(8, send(Method::GET, "/billing/x", &[], "")).await;
            assert_eq!(answer.status(), expected, "{status} {kind}");
            assert_eq!(answer.headers()[header::CONTENT_TYPE], PROBLEM, "{status} {kind}");
            assert!(!answer.headers().contains_key(header::LOCATION));
            let passed_on = kind == PROBLEM && status == expected;
            assert_eq!(answer.headers().contains_key(header::WWW_AUTHENTICATE), passed_on, "{status} {kind}");
        }
    }

    #[tokio::test]
    async fn a_success_without_the_id_of_a_decision_is_a_deny() {
        let api = api(AzureMode::Forward, Router::new().fallback(|| async {})).await;
        assert_eq!(api.handle(8, send(Method::GET, "/billing/x", &[], "")).await.status(), 503);
    }

    #[tokio::test]
    async fn a_gate_that_does_not_answer_in_time_is_a_deny() {
        let mut api = api(
            AzureMode::Proxy,
            Router::new().route("/", get(|| async {})).fallback(std::future::pending::<()>),
        )
        .await;
        api.patience = Duration::from_millis(300);
        assert_eq!(api.handle(8, send(Method::GET, "/billing/x", &[], "")).await.status(), 503);
    }

    #[tokio::test]
    async fn bodies_stream_to_the_backend_and_back() {
        let handler = allow();
        let upstream = serve(Router::new().fallback(|request: Request| async move {
            Body::from_stream(request.into_body().into_data_stream())
        }))
        .await;
        let api = Api::new(
            Arc::new(app(AzureMode::Forward, Fake::new(handler))),
            upstream,
            proxy::client().unwrap(),
        );
        let (sender, receiver) = tokio::sync::mpsc::channel::<Result<&'static str, std::io::Error>>(1);
        let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        let request = Request::builder()
            .method(Method::POST)
            .uri("/billing/x")
            .body(Body::from_stream(stream))
            .unwrap();
        sender.send(Ok("first")).await.unwrap();
        let mut echoed = api.handle(8, request).await.into_body().into_data_stream();
        assert_eq!(echoed.next().await.unwrap().unwrap(), "first");
        sender.send(Ok("second")).await.unwrap();
        assert_eq!(echoed.next().await.unwrap().unwrap(), "second");
    }

    async fn api(mode: AzureMode, handler: Router) -> Api {
        let upstream = serve(Router::new().fallback(echo)).await;
        Api::new(Arc::new(app(mode, Fake::new(handler))), upstream, proxy::client().unwrap())
    }

    fn allow() -> Router {
        Router::new().fallback(|| async {
            [
                ("x-drawbridge-request-id", "1"),
                ("x-drawbridge-sub", "alice"),
                ("x-said", "not for the backend"),
            ]
        })
    }
}
