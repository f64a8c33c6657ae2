//! The invocation form: `Data` and `Metadata` to the handler, `Outputs`, `Logs` and `ReturnValue` back
//! (`DefaultHttpWorkerService.cs` and `HttpScriptInvocationResultExtensions.cs` of azure-functions-host).
//!
//! * Any answer but a 2xx, or one that is no JSON of this form, is a failed invocation: 500.
//! * An HTTP output is an object with `statusCode` or `status`, `headers` and `body`; without a status it is a 200, and so is one
//!   that is not there at all. One that is no object is a failed invocation.
//! * A `$return` output may be a string; one that happens to be base64 is decoded.
//! * Header names keep the client's casing. It is lost here; they are written as most clients write them.

use std::io::Write;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    azure::host::{Call, FRONT_END, HOST_VERSION, INVOCATION_ID, USER_AGENT, VERSION},
    proxy::{self, Limits},
};

pub(super) async fn invoke(call: Call<'_>) -> Response {
    let name = call.found.function.output.clone();
    match result(call).await {
        Some(result) => {
            for line in &result.logs {
                // A log that nobody reads must not stop the gateway.
                let _ = writeln!(std::io::stdout().lock(), "{line}");
            }
            let answer = match name.as_str() {
                "$return" => returned(result.return_value.unwrap_or_default()),
                name => output(result.outputs.get(name).cloned().unwrap_or_default()),
            };
            answer.unwrap_or_else(|| StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InvocationResult {
    #[serde(default)]
    outputs: Map<String, Value>,
    #[serde(default)]
    logs: Vec<String>,
    #[serde(default)]
    return_value: Option<Value>,
}

/// What the handler made of it; None where it failed.
async fn result(call: Call<'_>) -> Option<InvocationResult> {
    let Call { client, mut url, found, id, request } = call;
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MAX_BODY).await.ok()?;
    let parameters: Map<String, Value> =
        found.parameters.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let payload = json!({
        "Data": {
            found.function.input.as_str(): {
                "Url": format!("http://{host}{}{query}", url.path()),
                "Method": parts.method.as_str(),
                "Query": self::query(&url),
                "Headers": dictionary(&parts.headers),
                "Params": parameters,
                "Identities": [],
                "Body": String::from_utf8_lossy(&body),
            },
        },
        "Metadata": parameters,
    });
    url.set_path(&found.function.name);
    url.set_query(None);
    let headers = HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8")),
        (header::USER_AGENT, HeaderValue::from_static(USER_AGENT)),
        (HOST_VERSION, VERSION),
        (INVOCATION_ID, id),
    ]);
    let answer = proxy::exchange(
        client,
        Method::POST,
        url,
        headers,
        Body::from(payload.to_string()),
        Limits::idle(FRONT_END),
    )
    .await
    .ok()?;
    if !answer.status().is_success() {
        return None;
    }
    let body = axum::body::to_bytes(answer.into_body(), MAX_BODY).await.ok()?;
    // An object: as an array of members it would be read as well.
    let result: Map<String, Value> = serde_json::from_slice(&body).ok()?;
    serde_json::from_value(result.into()).ok()
}

/// The answer that a return value stands for.
fn returned(value: Value) -> Option<Response> {
    match value {
        Value::String(text) => Some(match BASE64_STANDARD.decode(&text) {
            Ok(bytes) => bytes.into_response(),
            Err(_) => text.into_response(),
        }),
        value => output(value),
    }
}

/// The answer that an HTTP output stands for.
fn output(value: Value) -> Option<Response> {
    match value {
        Value::Null => Some(StatusCode::OK.into_response()),
        Value::Object(output) => http_answer(&output),
        // The host reads the text of whatever it got as JSON.
        Value::String(text) => http_answer(&serde_json::from_str(&text).ok()?),
        _ => None,
    }
}

/// Members are found without case.
fn http_answer(output: &Map<String, Value>) -> Option<Response> {
    let member =
        |name: &str| output.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let status = match member("statusCode").or_else(|| member("status")) {
        None | Some(Value::Null) => StatusCode::OK,
        Some(Value::String(text)) => text.parse().ok()?,
        Some(value) => StatusCode::from_u16(value.as_u64()?.try_into().ok()?).ok()?,
    };
    let body = match member("body") {
        None | Some(Value::Null) => Body::empty(),
        Some(Value::String(text)) => Body::from(text.clone()),
        Some(value) => Body::from(value.to_string()),
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    match member("headers") {
        None | Some(Value::Null) => {}
        Some(headers) => {
            for (name, value) in headers.as_object()? {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                answer.headers_mut().insert(name.parse::<HeaderName>().ok()?, value.parse().ok()?);
            }
        }
    }
    proxy::strip_hop_by_hop(answer.headers_mut());
    Some(answer)
}

/// `{"Name": ["value", …]}`
fn dictionary(headers: &HeaderMap) -> Map<String, Value> {
    headers
        .keys()
        .map(|name| {
            let values: Vec<_> =
                headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            (usual_case(name), json!(values))
        })
        .collect()
}

/// `x-original-uri` as `X-Original-Uri`.
fn usual_case(name: &HeaderName) -> String {
    let mut start = true;
    name.as_str()
        .chars()
        .map(|char| {
            let upper = std::mem::replace(&mut start, char == '-');
            if upper { char.to_ascii_uppercase() } else { char }
        })
        .collect()
}

fn query(url: &url::Url) -> Map<String, Value> {
    let mut query: Map<String, Value> = Map::new();
    for (key, value) in url.query_pairs() {
        let joined = match query.get(key.as_ref()).and_then(Value::as_str) {
            Some(before) => format!("{before},{value}"),
            None => value.into_owned(),
        };
        query.insert(key.into_owned(), joined.into());
    }
    query
}

/// What the host keeps in memory of a request or an answer of this form; it is for small ones.
const MAX_BODY: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use axum::{Json, Router, extract::Request, routing::post};
    use drawbridge_config::AzureMode;

    use super::*;
    use crate::azure::testing::{Fake, app, get, send, text};

    #[tokio::test]
    async fn the_handler_gets_the_request_as_data() {
        let handler = Router::new().route(
            "/jwks",
            post(|headers: HeaderMap, Json(payload): Json<Value>| async move {
                let id = headers["x-azure-functions-invocationid"].to_str().unwrap().len();
                Json(json!({ "Outputs": { "res": { "body": { "payload": payload, "id": id } } } }))
            }),
        );
        let request = send(
            Method::GET,
            "/api/x/../jwks/billing/k%201?q=1&q=2",
            &[("host", "localhost:7"), ("x-original-uri", "/a"), ("x-twice", "1"), ("x-twice", "2")],
            "",
        );
        let seen: Value = serde_json::from_str(
            &text(app(AzureMode::Invoke, Fake::new(handler)).handle(request).await).await,
        )
        .unwrap();
        assert_eq!(seen["id"], 36);
        assert_eq!(
            seen["payload"]["Data"]["req"],
            json!({
                "Url": "http://localhost:7/api/jwks/billing/k%201?q=1&q=2",
                "Method": "GET",
                "Query": { "q": "1,2" },
                "Headers": { "Host": ["localhost:7"], "X-Original-Uri": ["/a"], "X-Twice": ["1", "2"] },
                "Params": { "backend": "billing", "kid": "k 1" },
                "Identities": [],
                "Body": "",
            })
        );
    }

    #[tokio::test]
    async fn an_answer_that_is_no_success_or_not_of_the_form_is_a_failed_invocation() {
        for (status, body) in [
            (401, r#"{"Outputs":{"res":{"statusCode":401}}}"#),
            (404, ""),
            (302, "{}"),
            (200, ""),
            (200, "<html>"),
            (200, "[]"),
            (200, r#"{"Outputs":{"res":7}}"#),
            (200, r#"{"Outputs":{"res":{"statusCode":"x"}}}"#),
            (200, r#"{"Outputs":{"res":{"statusCode":99}}}"#),
            (200, r#"{"Outputs":{"res":{"headers":{"a b":"c"}}}}"#),
        ] {
            let handler = Router::new().fallback(move |_: Request| async move {
                (StatusCode::from_u16(status).unwrap(), [("content-type", "application/json")], body)
            });
            let answer = app(AzureMode::Invoke, Fake::new(handler)).handle(get("/api/authorize")).await;
            assert_eq!(answer.status(), 500, "{status} {body}");
        }
    }

    #[tokio::test]
    async fn an_output_is_answered_by_its_status_headers_and_body() {
        for (value, status, body) in [
            (json!({ "statusCode": 403, "headers": { "X-A": "b" }, "body": "no" }), 403, "no"),
            (json!({ "status": "401", "headers": { "x-a": "b" } }), 401, ""),
            (json!({ "StatusCode": 200, "Headers": { "x-a": "b" }, "Body": { "a": 1 } }), 200, r#"{"a":1}"#),
            (json!(r#"{"statusCode":403,"headers":{"x-a":"b"}}"#), 403, ""),
        ] {
            let answer = output(value).unwrap();
            assert_eq!(answer.status(), status);
            assert_eq!(answer.headers()["x-a"], "b");
            assert_eq!(text(answer).await, body);
        }
        assert_eq!(output(Value::Null).unwrap().status(), 200, "an output that is not there");
        assert_eq!(output(json!({ "body": "x" })).unwrap().status(), 200, "an output without a status");
    }

    #[tokio::test]
    async fn a_returned_string_that_happens_to_be_base64_is_decoded() {
        assert_eq!(text(returned("bm90IG1lYW50".into()).unwrap()).await, "not meant");
        assert_eq!(text(returned("a plain text".into()).unwrap()).await, "a plain text");
        assert!(output("a plain text".into()).is_none(), "only what is returned may be a string");
    }
}
