//! The key endpoint: an HTTP API in front of the JWKS function, with one route, `$default`, to its Lambda proxy integration.
//!
//! With a catch-all the function gives every answer, so that a path without a key looks like a kid that never was.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Request, State},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;

use super::{
    call::{ApiKind, Call},
    event,
    function::{Function, InvokeError},
    gateway_response::GatewayResponse,
};

/// The API of the JWKS function.
pub(crate) struct KeysApi {
    function: Function,
}

impl KeysApi {
    pub(crate) fn new(function: Function) -> Self {
        Self { function }
    }

    /// Serves until the listener fails.
    pub(crate) async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let router = Router::new().fallback(answer).with_state(Arc::new(self));
        axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await
    }

    async fn handle(&self, peer: SocketAddr, request: Request) -> Result<Response, GatewayResponse> {
        let (parts, body) = request.into_parts();
        let call = Call::of_default_stage(&parts, peer.ip());
        let body = to_bytes(body, MAX_PAYLOAD).await.map_err(|_| GatewayResponse::RequestTooLarge)?;
        let event = event::integration(&call, &body).to_string();
        let answer = self.function.invoke(Bytes::from(event)).await.map_err(|error| match error {
            InvokeError::TimedOut => GatewayResponse::IntegrationTimeout,
            _ => GatewayResponse::AuthorizerFailure,
        })?;
        rendered(&answer).ok_or(GatewayResponse::AuthorizerFailure)
    }
}

async fn answer(
    State(api): State<Arc<KeysApi>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    api.handle(peer, request).await.unwrap_or_else(|response| response.into_response(ApiKind::Http))
}

/// The answer of a proxy integration with payload format 2.0. JSON without a `statusCode` is a body by itself, with status 200.
fn rendered(answer: &[u8]) -> Option<Response> {
    let value: Value = serde_json::from_slice(answer).ok()?;
    if value.get("statusCode").is_none_or(Value::is_null) {
        let body = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let json =
            HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        return Some(response(StatusCode::OK, json, Body::from(body)));
    }
    let ProxyAnswer { status_code, headers, cookies, body, is_base64_encoded } =
        serde_json::from_value(value).ok()?;
    let mut all = HeaderMap::new();
    for (name, value) in headers.unwrap_or_default() {
        all.append(HeaderName::try_from(name).ok()?, HeaderValue::try_from(text(value)?).ok()?);
    }
    for cookie in cookies.unwrap_or_default() {
        all.append(header::SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
    }
    let body = body.unwrap_or_default();
    let body = if is_base64_encoded { STANDARD.decode(body).ok()? } else { body.into_bytes() };
    Some(response(StatusCode::from_u16(status_code).ok()?, all, Body::from(body)))
}

fn response(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProxyAnswer {
    status_code: u16,
    headers: Option<BTreeMap<String, Value>>,
    cookies: Option<Vec<String>>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// What an HTTP API takes; a Lambda function takes less.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const MAX_PAYLOAD: usize = 6 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn parts(answer: Value) -> Option<(u16, Vec<(String, String)>, String)> {
        let response = rendered(answer.to_string().as_bytes())?;
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        let (status, headers) = (response.status().as_u16(), headers.collect());
        let body = to_bytes(response.into_body(), 1024).await.unwrap();
        Some((status, headers, String::from_utf8(body.to_vec()).unwrap()))
    }

    fn header(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[tokio::test]
    async fn an_answer_is_rendered_as_payload_format_2_0_says() {
        let json_type = header("content-type", "application/json");
        let table = [
            (
                json!({ "statusCode": 404, "headers": { "ETag": "x", "n": 1 }, "cookies": ["a=1", "b=2"], "body": "no" }),
                Some((
                    404,
                    vec![
                        header("etag", "x"),
                        header("n", "1"),
                        header("set-cookie", "a=1"),
                        header("set-cookie", "b=2"),
                    ],
                    "no".to_owned(),
                )),
            ),
            (
                json!({ "statusCode": 200, "body": "aGk=", "isBase64Encoded": true }),
                Some((200, vec![], "hi".to_owned())),
            ),
            (json!({ "statusCode": 304, "headers": null, "body": null }), Some((304, vec![], String::new()))),
            (json!("text"), Some((200, vec![json_type.clone()], "text".to_owned()))),
            (json!({ "a": 1 }), Some((200, vec![json_type], "{\"a\":1}".to_owned()))),
            (json!({ "statusCode": 2000 }), None),
            (json!({ "statusCode": "x" }), None),
            (json!({ "statusCode": 200, "headers": { "a b": "x" } }), None),
            (json!({ "statusCode": 200, "headers": { "a": ["x"] } }), None),
            (json!({ "statusCode": 200, "body": "%", "isBase64Encoded": true }), None),
        ];
        for (answer, expected) in table {
            assert_eq!(parts(answer.clone()).await, expected, "{answer}");
        }
        assert!(rendered(b"<html>").is_none());
    }
}
