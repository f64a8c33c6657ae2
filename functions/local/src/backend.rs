//! A sample backend: answers what it was told about the caller, and refuses nothing. Its gateway is what protects it.

use std::collections::BTreeMap;

use axum::{Json, Router, extract::State, response::Response};
use futures_util::StreamExt;
use http::{StatusCode, request::Parts, uri::PathAndQuery};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Serves a backend called `name` until the listener fails.
///
/// # Errors
/// Those of the listener.
pub async fn serve(name: String, listener: TcpListener) -> std::io::Result<()> {
    axum::serve(listener, router(name)).await
}

/// Answers every method and path.
pub fn router(name: String) -> Router {
    Router::new().fallback(answer).with_state(name)
}

async fn answer(
    State(name): State<String>,
    request: axum::extract::Request,
) -> Result<Json<Value>, Response> {
    let (parts, body) = request.into_parts();
    let mut bytes: u64 = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| bad_request())?;
        bytes = bytes.saturating_add(chunk.len().try_into().unwrap_or(u64::MAX));
    }
    Ok(Json(json!({
        "backend": name,
        "method": parts.method.as_str(),
        "path": parts.uri.path_and_query().map_or("", PathAndQuery::as_str),
        "caller": caller(&parts),
        "body_bytes": bytes,
    })))
}

/// What the gateway said about the caller: `x-drawbridge-<claim>`. A header said twice shows as both, so that nothing is hidden.
fn caller(parts: &Parts) -> BTreeMap<&str, String> {
    let mut told = BTreeMap::<&str, String>::new();
    for (name, value) in &parts.headers {
        let Some(claim) = name.as_str().strip_prefix(CONTEXT_PREFIX) else { continue };
        let value = String::from_utf8_lossy(value.as_bytes());
        told.entry(claim)
            .and_modify(|before| *before = format!("{before}, {value}"))
            .or_insert(value.into_owned());
    }
    told
}

/// The prefix of the headers in which a gateway tells its backend who calls.
const CONTEXT_PREFIX: &str = "x-drawbridge-";

fn bad_request() -> Response {
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_backend_answers_what_it_was_told_about_the_caller() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/customers/42?full=1", listener.local_addr().unwrap());
        tokio::spawn(serve("orders".into(), listener));
        let answer: Value = reqwest::Client::new()
            .post(url)
            .header("x-drawbridge-sub", "alice")
            .header("x-other", "not of the gateway")
            .body("seven b")
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        let expected = json!({
            "backend": "orders", "method": "POST", "path": "/customers/42?full=1",
            "caller": { "sub": "alice" }, "body_bytes": 7,
        });
        assert_eq!(answer, expected);
    }
}
