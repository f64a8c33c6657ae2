//! The listening side: addresses, limits and the two forms.

use std::{convert::Infallible, sync::Arc, time::Duration};

use drawbridge_forward::AnswerBody;
use drawbridge_gate::{Deny, Reason, problem, request_id};
use drawbridge_serve::{log, serve};
use http::{HeaderMap, Request, Response, StatusCode, request::Parts};
use http_body_util::{BodyExt, Either, Full};
use hyper::{
    body::{Bytes, Incoming},
    service::service_fn,
};
use tokio::{
    net::TcpListener,
    sync::SetOnce,
    time::{Instant, timeout},
};

use crate::{
    app::{App, Call, invocation_id},
    invocation::{Invocation, output},
    proxy,
    settings::{Function, Route, Routes},
    trace::Trace,
};

/// Serves the functions of one app.
pub(crate) struct Server {
    routes: Routes,
    app: Arc<SetOnce<App>>,
}

/// What is answered: something of ours, or the upstream's as it comes.
pub(crate) type Answer = Response<Either<Full<Bytes>, AnswerBody>>;

/// A request, as log lines name it.
struct Asked {
    function: Function,
    /// In the audit log too.
    id: String,
    trace: Trace,
    at: Instant,
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

    async fn handle(&self, request: Request<Incoming>) -> Answer {
        let (parts, body) = request.into_parts();
        match self.routes.find(&parts.method, parts.uri.path()) {
            Route::Ready => whole(Response::new(String::new())),
            Route::Unknown => whole(status(StatusCode::NOT_FOUND)),
            Route::Http(Function::Proxy, path) => {
                let asked = Asked::new(Function::Proxy, &parts.headers);
                let target = proxy::target(path, parts.uri.query());
                let answer = self.proxy(&asked, &target, parts, body).await;
                asked.answered(answer.status());
                answer
            }
            Route::Http(function, path) => {
                let asked = Asked::new(function, &parts.headers);
                let answer = self.within(&asked, self.http(&asked, path, &parts, body)).await;
                let answer = answer.unwrap_or_else(|refused| refused);
                asked.answered(answer.status());
                whole(answer)
            }
            Route::Invocation(function) => {
                let mut asked = Asked::new(function, &parts.headers);
                let answer = match self.invocation(body).await {
                    Some(Invocation { method, uri, headers }) => {
                        asked.trace = Trace::of(&headers);
                        let work = async {
                            let path = self.routes.below(uri.path()).unwrap_or_default();
                            let call = asked.call(&method, &uri, path, &headers);
                            self.app.wait().await.answer(call).await
                        };
                        self.within(&asked, work).await
                    }
                    None => {
                        let refuse =
                            async { self.app.wait().await.refuse(Reason::RequestMalformed, &asked.id) };
                        self.within(&asked, refuse).await
                    }
                };
                let answer = answer.unwrap_or_else(|refused| refused);
                asked.answered(answer.status());
                whole(output(answer))
            }
        }
    }

    async fn http(&self, asked: &Asked, path: &str, parts: &Parts, body: Incoming) -> Response<String> {
        // Neither function has a use for a body, but the connection has, for the next request.
        if read(body).await.is_none() {
            return status(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let call = asked.call(&parts.method, &parts.uri, path, &parts.headers);
        self.app.wait().await.answer(call).await
    }

    async fn proxy(&self, asked: &Asked, target: &str, mut parts: Parts, body: Incoming) -> Answer {
        let granted = async {
            let app = self.app.wait().await;
            let proxy = app.proxy().ok_or_else(|| status(StatusCode::NOT_FOUND))?;
            if let Some(refused) = proxy.refuse(&parts) {
                return Err(refused);
            }
            let call = asked.call(&parts.method, &parts.uri, "", &parts.headers);
            Ok((proxy, app.grant(call, target).await?))
        };
        match self.within(asked, granted).await {
            Ok(Ok((proxy, context))) => {
                asked.trace.set(&mut parts.headers);
                proxy.send(Request::from_parts(parts, body), target, context).await.unwrap_or_else(|error| {
                    asked.line("warn", &error.to_string(), &[]);
                    proxy::failed(error)
                })
            }
            Ok(Err(refused)) | Err(refused) => {
                // A client that still writes would lose the answer with the connection; a body without an end it may lose.
                let _ = timeout(PATIENCE, read(body)).await;
                whole(refused)
            }
        }
    }

    /// None for what is not of the documented form, or takes too long to come.
    async fn invocation(&self, body: Incoming) -> Option<Invocation> {
        Invocation::parse(&timeout(DECISION, read(body)).await.ok()??)
    }

    /// A time limit over everything: the gate still being built, a body that does not come, a store that hangs.
    async fn within<T>(&self, asked: &Asked, work: impl Future<Output = T>) -> Result<T, Response<String>> {
        timeout(DECISION, work).await.map_err(|_| match self.app.get() {
            Some(app) => app.refuse(Reason::Internal, &asked.id),
            None => {
                asked.line("warn", "a request was refused because the gate is not ready yet", &[]);
                problem(&Deny::new(Reason::Internal, asked.id.as_str()))
            }
        })
    }
}

impl Asked {
    fn new(function: Function, headers: &HeaderMap) -> Self {
        let id = request_id(invocation_id(headers)).into_owned();
        Self { function, id, trace: Trace::of(headers), at: Instant::now() }
    }

    fn call<'a>(
        &'a self,
        method: &'a http::Method,
        uri: &'a http::Uri,
        path: &'a str,
        headers: &'a HeaderMap,
    ) -> Call<'a> {
        Call { function: self.function, method, uri, path, headers, request_id: &self.id }
    }

    /// The line that joins the decision in the audit log to the trace. Keys are public and have neither.
    fn answered(&self, status: StatusCode) {
        if self.function != Function::Jwks {
            let took = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.line("info", "answered", &[("status", status.as_u16().into()), ("ms", took.into())]);
        }
    }

    fn line(&self, level: &str, message: &str, more: &[(&str, serde_json::Value)]) {
        let mut fields = vec![
            ("function", self.function.name().into()),
            ("request_id", self.id.as_str().into()),
            ("trace_id", self.trace.id().into()),
        ];
        fields.extend_from_slice(more);
        log::line(level, message, &fields);
    }
}

/// An answer of ours.
pub(crate) fn whole(answer: Response<String>) -> Answer {
    answer.map(|body| Either::Left(Full::from(body)))
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

/// How long the body of a refused request is read for its sender's sake.
const PATIENCE: Duration = Duration::from_secs(1);

/// The invocation form has the headers and the client's body in its own.
const MAX_BODY: usize = 256 * 1024;
