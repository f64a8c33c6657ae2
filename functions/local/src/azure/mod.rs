//! The Azure gateway of `drawbridge up`: an API Management-like front that guards the backends, and behind it one Function App
//! per backend on an emulated Functions host, which runs the custom handler that is deployed.
//!
//! | module | follows |
//! | --- | --- |
//! | `front` | an API Management policy that asks an authorizer and lets only an explicit allow go on |
//! | `host` | the Functions host: which function, and the form in which the handler is called |
//! | `worker` | the host's life with its handler: readiness, restarts, the end |
//! | `forwarding`, `proxying`, `invocation` | the three forms |
//! | `functions` | `host.json` and `function.json`, as deployed |
//!
//! What it does not do: function keys and Easy Auth, scaling, the consumption plan's cold start, bindings other than HTTP, and
//! API Management's own features beyond that policy.

mod forwarding;
mod front;
mod functions;
mod handler;
mod host;
mod invocation;
mod proxying;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod worker;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    response::Response,
};
use drawbridge_config::{AzureMode, Local};
use drawbridge_keys::BackendName;
use http::{HeaderName, HeaderValue};
use thiserror::Error;
use tokio::net::TcpListener;
use url::Url;

use crate::{
    azure::{
        front::Api,
        functions::Functions,
        handler::HandlerProcess,
        host::FunctionApp,
        worker::{Launch, Worker},
    },
    proxy,
    tls::{Certificates, Incoming, Peer, TlsError, strip_certificates},
};

/// The gateway of the backends behind Azure.
#[derive(Debug)]
pub struct AzureGateway {
    /// Where it listens. The API of a backend is at `/<backend>/…`; the functions of the first backend's app at `/api/…`.
    pub listen: SocketAddr,
    /// The backends; none that is called `api`.
    pub backends: Vec<AzureBackend>,
    /// How the handler is called.
    pub settings: Local,
    /// What the handlers read.
    pub config_file: PathBuf,
    /// For mutual TLS.
    pub certificates: Option<Certificates>,
}

/// A backend behind the gateway.
#[derive(Clone, Debug)]
pub struct AzureBackend {
    /// Its name, which is also the suffix of its API.
    pub name: BackendName,
    /// Where the application itself listens.
    pub upstream: Url,
}

/// A gateway that cannot be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AzureError {
    /// The address cannot be listened on, or the listener failed.
    #[error("the Azure gateway cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The files of the Function App are not what the host reads.
    #[error("the Function App is broken: {0}")]
    App(String),
    /// The name of a backend is the prefix of the functions.
    #[error("a backend behind the Azure gateway cannot be called `{0}`: that is where its functions are")]
    Name(BackendName),
    /// There is no certificate for it.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The TLS library did not start.
    #[error("no HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

impl AzureGateway {
    /// Starts the handlers and serves until the listener fails. Dropping it ends the handlers.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn serve(self) -> Result<(), AzureError> {
        let listener =
            TcpListener::bind(self.listen).await.map_err(|error| AzureError::Listen(self.listen, error))?;
        self.serve_on(listener).await
    }

    /// As [`serve`](Self::serve), on a listener that is open already; `listen` is not looked at.
    ///
    /// # Errors
    /// [`AzureError`].
    pub async fn serve_on(self, listener: TcpListener) -> Result<(), AzureError> {
        let incoming = Incoming::new(listener, self.certificates.as_ref())?;
        let config = self.config_file;
        let launch = |backend: &AzureBackend| -> Arc<dyn Launch> {
            Arc::new(HandlerProcess::new(backend.clone(), config.clone()))
        };
        let router = Router::new().fallback(route).with_state(Arc::new(Gateway::new(
            self.backends,
            self.settings.azure,
            launch,
        )?));
        axum::serve(incoming, router.into_make_service_with_connect_info::<Peer>())
            .await
            .map_err(|error| AzureError::Listen(self.listen, error))
    }
}

/// The running parts.
struct Gateway {
    apis: BTreeMap<String, Api>,
    /// The first backend's app.
    functions: Option<Arc<FunctionApp>>,
    prefix: String,
}

impl Gateway {
    fn new(
        backends: Vec<AzureBackend>,
        mode: AzureMode,
        launch: impl Fn(&AzureBackend) -> Arc<dyn Launch>,
    ) -> Result<Self, AzureError> {
        let functions = Arc::new(Functions::deployed().map_err(AzureError::App)?);
        let client = proxy::client()?;
        let mut gateway =
            Self { apis: BTreeMap::new(), functions: None, prefix: functions.prefix().to_owned() };
        for backend in backends {
            let launch = launch(&backend);
            let AzureBackend { name, upstream } = backend;
            if name.as_str() == gateway.prefix {
                return Err(AzureError::Name(name));
            }
            let worker = Worker::start(launch, client.clone(), functions.initialization_timeout());
            let app = Arc::new(FunctionApp::new(Arc::clone(&functions), worker, mode, client.clone()));
            gateway.functions.get_or_insert_with(|| Arc::clone(&app));
            gateway.apis.insert(name.to_string(), Api::new(app, upstream, client.clone()));
        }
        Ok(gateway)
    }
}

async fn route(State(gateway): State<Arc<Gateway>>, mut request: Request) -> Response {
    // As App Service's front end: whatever a client says of its certificate goes, and that of its connection is set.
    strip_certificates(request.headers_mut());
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    let shown = peer.and_then(|ConnectInfo(peer)| peer.certificate.as_ref());
    if let Some(Ok(certificate)) = shown.map(|shown| HeaderValue::from_str(&shown.base64())) {
        request.headers_mut().insert(CLIENT_CERTIFICATE, certificate);
    }
    let path = request.uri().path();
    let suffix = path.strip_prefix('/').and_then(|path| path.split('/').next()).unwrap_or_default();
    if let Some(api) = gateway.apis.get(suffix) {
        return api.handle(suffix.len().saturating_add(1), request).await;
    }
    match &gateway.functions {
        Some(app) if suffix == gateway.prefix => app.handle(request).await,
        _ => front::not_found(),
    }
}

/// The header in which App Service's front end tells an app its client's certificate.
/// <https://learn.microsoft.com/azure/app-service/app-service-web-configure-tls-mutual-auth>
const CLIENT_CERTIFICATE: HeaderName = HeaderName::from_static("x-arr-clientcert");
