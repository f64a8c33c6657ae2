//! The listening side: addresses, limits and the two forms.

use std::{convert::Infallible, sync::Arc, time::Duration};

use drawbridge_gate::{Deny, Reason, problem, request_id};
use http::{Request, Response, StatusCode, request::Parts};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, SetOnce},
    time::timeout,
};

use crate::{
    app::{App, Call, invocation_id},
    invocation::{Invocation, MAX_HEADERS, output},
    log,
    settings::{Function, Route, Routes},
};

/// Serves the functions of one app.
pub(crate) struct Server {
    routes: Routes,
    app: Arc<SetOnce<App>>,
}

impl Server {
    pub(crate) fn new(routes: Routes, app: Arc<SetOnce<App>>) -> Self {
        Self { routes, app }
    }

    /// Until the process ends.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let server = Arc::new(self);
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let server = Arc::clone(&server);
                    tokio::spawn(async move {
                        server.connection(stream).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    log::warn(&format!("cannot accept a connection: {error}"));
                    // Out of file descriptors, as a rule: at once it would be the same again.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn connection(&self, stream: TcpStream) {
        let service = service_fn(|request| async move { Ok::<_, Infallible>(self.handle(request).await) });
        // A connection that breaks is the client's to notice.
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn handle(&self, request: Request<Incoming>) -> Response<String> {
        let (parts, body) = request.into_parts();
        let id = invocation_id(&parts.headers).map(str::to_owned);
        match self.routes.find(&parts.method, parts.uri.path()) {
            Route::Ready => Response::new(String::new()),
            Route::Unknown => status(StatusCode::NOT_FOUND),
            Route::Http(function, path) => {
                self.within(id.as_deref(), self.http(function, path, &parts, body, id.as_deref())).await
            }
            Route::Invocation(function) => {
                output(self.within(id.as_deref(), self.invocation(function, body, id.as_deref())).await)
            }
        }
    }

    async fn http(
        &self,
        function: Function,
        path: &str,
        parts: &Parts,
        body: Incoming,
        request_id: Option<&str>,
    ) -> Response<String> {
        // Neither function has a use for a body, but the connection has, for the next request.
        if read(body).await.is_none() {
            return status(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let Parts { method, uri, headers, .. } = parts;
        self.app.wait().await.answer(Call { function, method, uri, path, headers, request_id }).await
    }

    async fn invocation(
        &self,
        function: Function,
        body: Incoming,
        request_id: Option<&str>,
    ) -> Response<String> {
        let body = read(body).await;
        let app = self.app.wait().await;
        let Some(Invocation { method, uri, headers }) = body.and_then(|body| Invocation::parse(&body)) else {
            return app.refuse(Reason::RequestMalformed, request_id);
        };
        let path = self.routes.below(uri.path()).unwrap_or_default();
        app.answer(Call { function, method: &method, uri: &uri, path, headers: &headers, request_id }).await
    }

    /// A time limit over everything: the gate still being built, a body that does not come, a store that hangs.
    async fn within(
        &self,
        id: Option<&str>,
        work: impl Future<Output = Response<String>>,
    ) -> Response<String> {
        timeout(DECISION, work).await.unwrap_or_else(|_| match self.app.get() {
            Some(app) => app.refuse(Reason::Internal, id),
            None => {
                log::warn("a request was refused because the gate is not ready yet");
                problem(&Deny::new(Reason::Internal, request_id(id)))
            }
        })
    }
}

/// A body of at most [`MAX_BODY`]. A larger one is read to its end, as the time limit allows, and not kept: a connection that is
/// closed on a client that still writes takes the answer with it.
async fn read(mut body: Incoming) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let mut fits = true;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            fits = fits && kept.len().saturating_add(data.len()) <= MAX_BODY;
            if fits {
                kept.extend_from_slice(&data);
            }
        }
    }
    fits.then_some(kept)
}

fn status(status: StatusCode) -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = status;
    response
}

/// Less than the 5 s that API Management waits by the policy that ships with this project: the caller gets our 503, not a guess.
const DECISION: Duration = Duration::from_secs(4);

/// Longer than the host's client keeps a connection that it does not use (2 min), so that it is never the handler that closes
/// one just as a request comes.
const IDLE: Duration = Duration::from_secs(150);

/// The host is the only client; more than it opens under any load that one instance is given.
const MAX_CONNECTIONS: usize = 1024;

/// A token may be configured to have 64 KiB; the rest is for the other headers.
const MAX_HEAD: usize = 128 * 1024;

/// The invocation form has the headers and the client's body in its own.
const MAX_BODY: usize = 256 * 1024;
