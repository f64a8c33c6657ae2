//! WebSocket APIs: `$connect` is authorized when the connection is asked for, messages are handed to the backend one by one.
//!
//! Each message is a `POST` to the integration with the connection's id and what the authorizer said at `$connect`; what the backend
//! answers goes back as a message, as with a route response. A backend that fails is a message that says so; the connection stays.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-overview.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, to_bytes},
    extract::{
        FromRequestParts, Request,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::json;
use tokio::time::timeout;

use super::{
    call::Call,
    gateway::{Api, Gateway},
    gateway_response::GatewayResponse,
    integration,
};

/// Answers a request for a connection. The path of a WebSocket API is its stage, and nothing after it.
///
/// # Errors
/// What to answer instead.
pub(crate) async fn connect(
    gateway: &Gateway,
    api: &Arc<Api>,
    call: Call,
    request: Request,
) -> Result<Response, GatewayResponse> {
    let (mut parts, _) = request.into_parts();
    if call.path != "/" {
        return Err(GatewayResponse::NoStage);
    }
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &())
        .await
        .map_err(|_| GatewayResponse::BadRequest)?;
    let allowed = api.authorizer.authorize(&call).await?;
    let mut headers = integration::mapped(&allowed, &api.context);
    if let Ok(id) = HeaderValue::from_str(&call.request_id) {
        headers.insert(CONNECTION_ID, id);
    }
    let connection = Connection { client: gateway.client.clone(), api: Arc::clone(api), call, headers };
    Ok(upgrade.max_message_size(MAX_MESSAGE).on_upgrade(move |socket| connection.run(socket)))
}

struct Connection {
    client: reqwest::Client,
    api: Arc<Api>,
    call: Call,
    headers: HeaderMap,
}

impl Connection {
    async fn run(self, mut socket: WebSocket) {
        while let Ok(Some(Ok(message))) = timeout(IDLE, socket.recv()).await {
            let body = match message {
                Message::Text(text) => Bytes::from(text),
                Message::Binary(bytes) => bytes,
                Message::Ping(_) | Message::Pong(_) => continue,
                Message::Close(_) => return,
            };
            let answer = self.message(body).await.unwrap_or_else(|_| Bytes::from(self.failure()));
            let answer = match String::from_utf8(answer.into()) {
                Ok(text) if text.is_empty() => continue,
                Ok(text) => Message::Text(text.into()),
                Err(error) => Message::Binary(error.into_bytes().into()),
            };
            if socket.send(answer).await.is_err() {
                return;
            }
        }
    }

    /// What the backend answers to one message.
    async fn message(&self, body: Bytes) -> Result<Bytes, GatewayResponse> {
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = Method::POST;
        let answer =
            integration::forward(&self.client, &self.api.upstream, &self.call, request, self.headers.clone())
                .await?;
        to_bytes(answer.into_body(), MAX_MESSAGE).await.map_err(|_| GatewayResponse::IntegrationFailure)
    }

    fn failure(&self) -> String {
        let id = &self.call.request_id;
        json!({ "message": "Internal server error", "connectionId": id, "requestId": id }).to_string()
    }
}

const CONNECTION_ID: HeaderName = HeaderName::from_static("connectionid");

/// A message may be 128 KiB.
const MAX_MESSAGE: usize = 128 * 1024;

/// A connection that says nothing ends after 10 minutes.
const IDLE: Duration = Duration::from_secs(600);
