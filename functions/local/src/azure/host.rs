//! The Functions host: which function a request is for, and the form in which the handler gets it.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use drawbridge_azure_functions::contract;
use drawbridge_config::AzureMode;
use http::{HeaderName, HeaderValue, StatusCode};
use url::Url;
use uuid::Uuid;

use crate::{
    azure::{
        forwarding,
        functions::{Found, Functions},
        invocation, proxying,
        worker::Worker,
    },
    proxy::ForwardError,
};

/// A running Function App.
pub(super) struct FunctionApp {
    functions: Arc<Functions>,
    worker: Worker,
    mode: AzureMode,
    client: reqwest::Client,
}

/// One invocation of a function.
pub(super) struct Call<'a> {
    pub(super) client: &'a reqwest::Client,
    /// Where the handler listens, with the request's path as the host understood it.
    pub(super) url: Url,
    pub(super) found: &'a Found<'a>,
    /// The invocation's id.
    pub(super) id: HeaderValue,
    pub(super) request: Request,
}

impl FunctionApp {
    pub(super) fn new(
        functions: Arc<Functions>,
        worker: Worker,
        mode: AzureMode,
        client: reqwest::Client,
    ) -> Self {
        Self { functions, worker, mode, client }
    }

    /// The path of a function whose route is its name.
    pub(super) fn address(&self, function: &str) -> String {
        match self.functions.prefix() {
            "" => format!("/{function}"),
            prefix => format!("/{prefix}/{function}"),
        }
    }

    /// Invokes the function at the request's path.
    pub(super) async fn handle(&self, request: Request) -> Response {
        let Some(mut url) = understood(request.uri()) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let Some(found) = self.functions.find(request.method(), url.path()) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let port = self.worker.port().await;
        if port.is_none_or(|port| url.set_port(Some(port)).is_err()) {
            return (StatusCode::SERVICE_UNAVAILABLE, "Function host is not running.").into_response();
        }
        let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let call = Call { client: &self.client, url, found: &found, id, request };
        match self.mode {
            AzureMode::Forward => failed(forwarding::forward(call).await),
            AzureMode::Proxy => failed(proxying::proxy(call).await),
            AzureMode::Invoke => invocation::invoke(call).await,
        }
    }
}

/// The path as ASP.NET Core reads it, dot segments collapsed, for whichever port the handler has; the query as it came.
fn understood(uri: &http::Uri) -> Option<Url> {
    let mut url = Url::parse("http://127.0.0.1/").ok()?;
    if !uri.path().starts_with('/') {
        return None;
    }
    url.set_path(uri.path());
    url.set_query(uri.query());
    Some(url)
}

/// An exchange that failed is a failed invocation.
fn failed(answer: Result<Response, ForwardError>) -> Response {
    answer.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// The header of `contract::INVOCATION_ID`.
pub(super) const INVOCATION_ID: HeaderName = HeaderName::from_static(contract::INVOCATION_ID);

/// `HttpWorkerConstants.HostVersionHeaderName`.
pub(super) const HOST_VERSION: HeaderName = HeaderName::from_static("x-azure-functions-hostversion");

/// Some version, so that there is one.
pub(super) const VERSION: HeaderValue = HeaderValue::from_static("4.0.0");

/// `HttpWorkerConstants.UserAgentHeaderValue` with the version.
pub(super) const USER_AGENT: &str = "Azure-Functions-Host/4.0.0";

/// What the HTTP front end waits for an answer.
pub(super) const FRONT_END: Duration = Duration::from_secs(230);
