//! A handler in this process, and requests to the host in front of it.

use std::{io, net::Ipv4Addr, sync::Arc};

use axum::{Json, Router, body::Body, extract::Request, response::Response};
use drawbridge_config::AzureMode;
use futures_util::{FutureExt, future::BoxFuture};
use http::Method;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use url::Url;

use super::{
    functions::Functions,
    host::FunctionApp,
    worker::{Launch, Worker},
};
use crate::proxy;

/// A handler that serves a router.
pub(super) struct Fake(Router);

impl Fake {
    pub(super) fn new(router: Router) -> Arc<Self> {
        Arc::new(Self(router))
    }

    /// A handler that answers with what it was asked; see [`described`].
    pub(super) fn echo() -> Arc<Self> {
        Self::new(Router::new().fallback(echo))
    }
}

impl Launch for Fake {
    fn launch(&self, port: u16, _worker_id: &str) -> io::Result<BoxFuture<'static, String>> {
        let router = self.0.clone();
        Ok(async move {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
            axum::serve(listener, router).await.unwrap();
            String::new()
        }
        .boxed())
    }

    fn name(&self) -> &str {
        "fake"
    }
}

/// The deployed functions on `handler`.
pub(super) fn app(mode: AzureMode, handler: Arc<impl Launch>) -> FunctionApp {
    let functions = Arc::new(Functions::deployed().unwrap());
    let client = proxy::client().unwrap();
    let worker = Worker::start(handler, client.clone(), functions.initialization_timeout());
    FunctionApp::new(functions, worker, mode, client)
}

pub(super) fn get(uri: &str) -> Request {
    send(Method::GET, uri, &[], "")
}

/// A request with no headers but these.
pub(super) fn send(method: Method, uri: &str, headers: &[(&str, &str)], body: &'static str) -> Request {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body)).unwrap()
}

pub(super) async fn text(answer: Response) -> String {
    String::from_utf8(axum::body::to_bytes(answer.into_body(), 65536).await.unwrap().to_vec()).unwrap()
}

/// Serves a router at the address that it gives.
pub(super) async fn serve(router: Router) -> Url {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// What an echo says: `uri`, `body` and `headers`, the values of one with `|` between them.
pub(super) fn described(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Answers with what it was asked; see [`described`].
pub(super) async fn echo(request: Request) -> Json<Value> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 65536).await.unwrap();
    let mut headers: Map<String, Value> = Map::new();
    for name in parts.headers.keys() {
        let values: Vec<_> =
            parts.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        headers.insert(name.to_string(), values.join("|").into());
    }
    Json(
        json!({ "uri": parts.uri.to_string(), "headers": headers, "body": String::from_utf8(body.to_vec()).unwrap() }),
    )
}
