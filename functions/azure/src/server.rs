//! The listening side: addresses, limits and the two forms.

use std::{convert::Infallible, sync::Arc, time::Duration};

use drawbridge_gate::{Deny, Reason, problem, request_id};
use drawbridge_serve::{log, serve};
use http::{Request, Response, StatusCode, request::Parts};
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use tokio::{net::TcpListener, sync::SetOnce, time::timeout};

use crate::{
    app::{App, Call, invocation_id},
    invocation::{Invocation, output},
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
        let service = service_fn(move |request| {
            let server = Arc::clone(&server);
            async move { Ok::<_, Infallible>(server.handle(request).await) }
        });
        serve(listener, service, std::future::pending()).await;
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

/// The invocation form has the headers and the client's body in its own.
const MAX_BODY: usize = 256 * 1024;
