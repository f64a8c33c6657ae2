//! `enableForwardingHttpRequest`: the host makes a new request out of the one it got (`DefaultHttpWorkerService.cs` and
//! `HttpRequestExtensions.cs` of azure-functions-host).
//!
//! * The path is the one that .NET's `Uri` makes of it, dot segments collapsed.
//! * A query key that is there more than once is there once, its values joined by a comma; keys are compared without case.
//! * A header with several values is one with the values joined by `, `, as .NET's client writes it.
//! * The body goes along only when there is a `Content-Length`, and of the content headers only that and `Content-Type`.
//! * The host adds its version, the invocation's id after whatever the client sent under that name, and its user agent.
//! * Redirects are not followed.

use axum::{body::Body, extract::Request, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

use crate::{
    azure::host::{Call, FRONT_END, HOST_VERSION, INVOCATION_ID, USER_AGENT, VERSION},
    proxy::{self, ForwardError, Limits},
};

pub(super) async fn forward(call: Call<'_>) -> Result<Response, ForwardError> {
    let Call { client, mut url, id, request, .. } = call;
    join_query(&mut url);
    let (parts, body) = rebuilt(request, &id);
    proxy::exchange(client, parts.method, url, parts.headers, body, Limits::idle(FRONT_END)).await
}

/// The host's own request.
fn rebuilt(request: Request, id: &HeaderValue) -> (http::request::Parts, Body) {
    let (mut parts, body) = request.into_parts();
    proxy::strip_hop_by_hop(&mut parts.headers);
    let has_body = parts
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok())
        .is_some_and(|length| length > 0);
    let mut headers = HeaderMap::new();
    for name in parts.headers.keys() {
        let content = name.as_str().starts_with("content-")
            || *name == header::EXPIRES
            || *name == header::LAST_MODIFIED;
        let kept = *name == header::CONTENT_LENGTH || *name == header::CONTENT_TYPE;
        if !content || (has_body && kept) {
            headers.insert(name, joined(&parts.headers, name, b", "));
        }
    }
    append(&mut headers, INVOCATION_ID, id.as_bytes(), b", ");
    append(&mut headers, HOST_VERSION, VERSION.as_bytes(), b", ");
    append(&mut headers, header::USER_AGENT, USER_AGENT.as_bytes(), b" ");
    parts.headers = headers;
    (parts, if has_body { body } else { Body::empty() })
}

/// Each key once, where it was first.
fn join_query(url: &mut Url) {
    let mut joined: Vec<(String, String)> = Vec::new();
    for (key, value) in url.query_pairs() {
        match joined.iter_mut().find(|(have, _)| have.eq_ignore_ascii_case(&key)) {
            Some((_, values)) => {
                values.push(',');
                values.push_str(&value);
            }
            None => joined.push((key.into_owned(), value.into_owned())),
        }
    }
    url.set_query(None);
    if !joined.is_empty() {
        url.query_pairs_mut().extend_pairs(joined);
    }
}

fn append(headers: &mut HeaderMap, name: HeaderName, value: &[u8], separator: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(value) {
        headers.append(&name, value);
        let all = joined(headers, &name, separator);
        headers.insert(name, all);
    }
}

fn joined(headers: &HeaderMap, name: &HeaderName, separator: &[u8]) -> HeaderValue {
    let values: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    // Header values with a comma or space between them are a header value.
    HeaderValue::from_bytes(&values.join(separator)).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use drawbridge_config::AzureMode;
    use http::Method;

    use crate::azure::testing::{Fake, app, described, get, send, text};

    #[tokio::test]
    async fn the_path_is_collapsed_and_repeated_query_keys_are_joined() {
        let app = app(AzureMode::Forward, echo());
        let answer = app.handle(get("/api/x/../jwks/./a/b%2Fc?q=1&r=a%20b&Q=2&q=3")).await;
        assert_eq!(described(&text(answer).await)["uri"], "/api/jwks/a/b%2Fc?q=1%2C2%2C3&r=a+b");
        let answer = app.handle(get("/api/%2e%2e/api/authorize?")).await;
        assert_eq!(described(&text(answer).await)["uri"], "/api/authorize");
    }

    #[tokio::test]
    async fn a_body_without_a_content_length_is_dropped() {
        let app = app(AzureMode::Forward, echo());
        let chunked = send(Method::POST, "/api/authorize", &[("content-type", "text/plain")], "lost");
        let seen = described(&text(app.handle(chunked).await).await);
        assert_eq!((&seen["body"], &seen["headers"]["content-type"]), (&"".into(), &serde_json::Value::Null));
        let sized = [("content-type", "text/plain"), ("content-length", "4"), ("content-language", "en")];
        let sized = send(Method::POST, "/api/authorize", &sized, "kept");
        let seen = described(&text(app.handle(sized).await).await);
        assert_eq!((&seen["body"], &seen["headers"]["content-type"]), (&"kept".into(), &"text/plain".into()));
        assert_eq!(seen["headers"]["content-language"], serde_json::Value::Null);
    }

    #[tokio::test]
    async fn the_invocation_id_comes_after_what_the_client_sent_under_that_name() {
        let app = app(AzureMode::Forward, echo());
        let headers = [
            ("x-azure-functions-invocationid", "of-the-client"),
            ("user-agent", "curl/8"),
            ("authorization", "Bearer a"),
            ("authorization", "Bearer b"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
        ];
        let seen =
            described(&text(app.handle(send(Method::GET, "/api/authorize", &headers, "")).await).await);
        let headers = &seen["headers"];
        let id = headers["x-azure-functions-invocationid"].as_str().unwrap();
        assert!(id.starts_with("of-the-client, ") && id.len() == "of-the-client, ".len() + 36, "{id}");
        assert_eq!(headers["x-azure-functions-hostversion"], "4.0.0");
        assert_eq!(headers["user-agent"], "curl/8 Azure-Functions-Host/4.0.0");
        assert_eq!(headers["authorization"], "Bearer a, Bearer b");
        assert_eq!(headers["x-hop"], serde_json::Value::Null);
        assert_eq!(headers["x-ms-invocation-id"], serde_json::Value::Null);
    }

    #[tokio::test]
    async fn the_handlers_answer_is_the_functions() {
        let handler = Router::new()
            .fallback(|| async { (http::StatusCode::FOUND, [("location", "/x"), ("x-a", "b")], "text") });
        let answer = app(AzureMode::Forward, Fake::new(handler)).handle(get("/api/authorize")).await;
        assert_eq!(answer.status(), 302);
        assert_eq!(answer.headers()["x-a"], "b");
        assert_eq!(text(answer).await, "text");
    }

    fn echo() -> std::sync::Arc<Fake> {
        Fake::echo()
    }
}
