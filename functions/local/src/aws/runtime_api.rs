//! The Lambda Runtime API, version 2018-06-01: what a function's process polls and answers to.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderName, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    call::{ACCOUNT, REGION},
    function::{Answer, Environment, Invocation, InvokeError, Shared},
};
use crate::output::error_line;

/// The API of one execution environment.
pub(crate) fn router(function: Arc<Shared>, environment: Arc<Environment>) -> Router {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .with_state(Runtime { function, environment })
}

#[derive(Clone)]
struct Runtime {
    function: Arc<Shared>,
    environment: Arc<Environment>,
}

/// Answers when there is something to do; that may take for ever, and the process has no time-out.
async fn next(State(Runtime { function, environment }): State<Runtime>) -> Response {
    let Some(Invocation { id, payload, deadline, answer }) = function.next().await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    if !environment.begin(&id, deadline, answer) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let name = function.name;
    let headers = [
        (REQUEST_ID, id),
        (DEADLINE_MS, unix_millis(deadline).to_string()),
        (FUNCTION_ARN, format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")),
        (TRACE_ID, trace_id()),
        (header::CONTENT_TYPE, "application/json".to_owned()),
    ];
    (headers, payload).into_response()
}

async fn response(State(runtime): State<Runtime>, Path(id): Path<String>, body: Body) -> Response {
    match to_bytes(body, MAX_PAYLOAD).await {
        Ok(payload) => runtime.finish(&id, Ok(payload)),
        Err(_) => {
            runtime.finish(&id, Err(InvokeError::TooLarge));
            problem(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge")
        }
    }
}

async fn error(State(runtime): State<Runtime>, Path(id): Path<String>, body: Body) -> Response {
    let body = to_bytes(body, MAX_PAYLOAD).await.unwrap_or_default();
    let FunctionError { message } = serde_json::from_slice(&body).unwrap_or_default();
    runtime.finish(&id, Err(InvokeError::Function { message }))
}

/// The process ends by itself after this.
async fn init_error(State(runtime): State<Runtime>, body: Body) -> Response {
    let body = to_bytes(body, MAX_PAYLOAD).await.unwrap_or_default();
    let FunctionError { message } = serde_json::from_slice(&body).unwrap_or_default();
    error_line(&format!("the function `{}` could not start: {message}", runtime.function.name));
    accepted()
}

impl Runtime {
    fn finish(&self, id: &str, answer: Answer) -> Response {
        if self.environment.finish(id, answer) {
            accepted()
        } else {
            problem(StatusCode::BAD_REQUEST, "InvalidRequestID")
        }
    }
}

#[derive(Default, Deserialize)]
struct FunctionError {
    #[serde(default, rename = "errorMessage")]
    message: String,
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, axum::Json(json!({ "status": "OK" }))).into_response()
}

fn problem(status: StatusCode, error_type: &str) -> Response {
    let body = json!({ "errorMessage": status.canonical_reason(), "errorType": error_type });
    (status, axum::Json(body)).into_response()
}

fn unix_millis(deadline: Instant) -> u128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now + deadline.saturating_duration_since(Instant::now())).as_millis()
}

/// `Root=1-<time>-<id>`; nothing is sampled here.
fn trace_id() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let id = Uuid::new_v4().simple().to_string();
    format!(
        "Root=1-{seconds:08x}-{};Parent={};Sampled=0",
        id.get(..24).unwrap_or_default(),
        id.get(16..).unwrap_or_default()
    )
}

const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE_MS: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");

/// What a synchronous invocation may answer.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const MAX_PAYLOAD: usize = 6 * 1024 * 1024;
