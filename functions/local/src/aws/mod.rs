//! API Gateway and Lambda on this machine: the real functions behind the documented rules of the real gateway.
//!
//! ```text
//! client ─▶ HTTP listener ─▶ authorizer ─▶ integration ─▶ backend
//!           (stage = backend) │ identity sources          (x-drawbridge-<claim> from the context)
//!                             │ result cache
//!                             │ policy evaluation
//!                             └▶ Runtime API ◀─polls─ `drawbridge function aws-authorizer`
//! ```
//!
//! Each backend is one stage, `http://<listen>/<backend>/…`, with an authorizer and a function of its own; what follows the stage
//! is the path that the function sees. The API has a route for each configured one and a catch-all with the same authorizer, so
//! that what no route names is asked about as well. A second listener is the key endpoint: an HTTP API in front of the JWKS
//! function.
//!
//! | rule | file | source (API Gateway and Lambda developer guides) |
//! | --- | --- | --- |
//! | events of the five kinds | `event.rs` | [input], [HTTP APIs], [WebSocket APIs] |
//! | identity sources; missing or not matching: 401 without a call | `identity.rs` | [configure], [HTTP APIs] |
//! | result cache: key, TTL, the cached result for every route | `cache.rs` | [configure], [HTTP APIs] |
//! | forms of the answer, types of context values, 8 KiB for WebSocket | `verdict.rs` | [output], [HTTP APIs], [limits] |
//! | explicit deny, `*` and `?`, nothing matching is a deny | `policy.rs` | [policies] |
//! | statuses and bodies | `gateway_response.rs` | [gateway responses] |
//! | 10 s for the authorizer, 29 s for the integration | `authorizer.rs`, `integration.rs` | [limits], [HTTP quotas] |
//! | one invocation at a time, deadlines, errors, restarts | `runtime_api.rs`, `function.rs` | [runtime API] |
//!
//! Not emulated: throttling, API keys and usage plans, the limit of 10 KiB on all headers (so that the gate's own limits can be
//! seen), custom domains, stage variables, what a mutual TLS domain says of a client certificate beside its PEM, policy conditions (a policy with one is refused), header names as
//! the client wrote them (they are lower case), and the freeze of idle functions.
//!
//! [input]: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
//! [output]: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html
//! [configure]: https://docs.aws.amazon.com/apigateway/latest/developerguide/configure-api-gateway-lambda-authorization.html
//! [HTTP APIs]: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
//! [WebSocket APIs]: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html
//! [policies]: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html
//! [gateway responses]: https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
//! [limits]: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
//! [HTTP quotas]: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
//! [runtime API]: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html

mod authorizer;
mod cache;
mod call;
mod event;
mod function;
mod gateway;
mod gateway_response;
mod identity;
mod integration;
mod keys;
mod policy;
mod process;
mod runtime_api;
mod verdict;
mod websocket;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use drawbridge_config::{AwsAuthorizer, Config, Local, load_file};
use drawbridge_keys::BackendName;
use thiserror::Error;
use tokio::net::TcpListener;
use url::Url;

use crate::{
    proxy,
    tls::{Certificates, Incoming, TlsError},
};
use authorizer::Authorizer;
use function::Function;
use gateway::{Api, Gateway};
use keys::KeysApi;

/// The AWS side of the chain.
#[derive(Debug)]
pub struct AwsGateway {
    /// Where the APIs listen.
    pub listen: SocketAddr,
    /// Where the key endpoint listens.
    pub keys_listen: SocketAddr,
    /// The backends behind it.
    pub backends: Vec<AwsBackend>,
    /// Which authorizer it runs, and how.
    pub settings: Local,
    /// The configuration that the functions read.
    pub config_file: PathBuf,
    /// For mutual TLS on the listener of the APIs; the keys are for everybody.
    pub certificates: Option<Certificates>,
}

/// A backend and where it listens.
#[derive(Clone, Debug)]
pub struct AwsBackend {
    /// Its name, which is also that of its stage.
    pub name: BackendName,
    /// The integration.
    pub upstream: Url,
}

/// A gateway that cannot start, or that stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AwsError {
    /// An address is in use or not this machine's.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// A listener failed.
    #[error("the AWS gateway stopped: {0}")]
    Stopped(#[from] std::io::Error),
    /// The TLS library did not start.
    #[error("no HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// There is no certificate for it.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The configuration cannot be used.
    #[error("{0}")]
    Configuration(String),
}

impl AwsGateway {
    /// Starts the functions and serves both listeners until one fails. Dropping the future ends the functions.
    ///
    /// # Errors
    /// [`AwsError`].
    pub async fn serve(self) -> Result<(), AwsError> {
        let incoming = Incoming::new(listen(self.listen).await?, self.certificates.as_ref())?;
        let keys_listener = listen(self.keys_listen).await?;
        let mut config =
            load_file(&self.config_file).map_err(|mistakes| AwsError::Configuration(mistakes.to_string()))?;
        let mut apis = BTreeMap::new();
        for backend in &self.backends {
            apis.insert(backend.name.to_string(), self.api(backend, &mut config)?);
        }
        let gateway = Gateway::new(apis, self.settings.authorizer, proxy::client()?);
        let keys = KeysApi::new(self.function("aws-jwks", Vec::new(), INTEGRATION_LIMIT));
        tokio::try_join!(gateway.serve(incoming), keys.serve(keys_listener))?;
        Ok(())
    }

    fn api(&self, backend: &AwsBackend, config: &mut Config) -> Result<Api, AwsError> {
        let AwsBackend { name, upstream } = backend;
        let configured = config.backends.remove(name);
        let configured =
            configured.ok_or_else(|| AwsError::Configuration(format!("no backend is called `{name}`")))?;
        let response = match self.settings.authorizer {
            AwsAuthorizer::Http20Iam => "iam",
            _ => "simple",
        };
        let environment = vec![
            ("DRAWBRIDGE_BACKEND".to_owned(), name.to_string()),
            ("DRAWBRIDGE_HTTP_RESPONSE".to_owned(), response.to_owned()),
        ];
        let function = self.function("aws-authorizer", environment, AUTHORIZER_LIMIT);
        let authorizer = Authorizer::new(&self.settings, function).map_err(AwsError::Configuration)?;
        Ok(Api {
            authorizer,
            upstream: upstream.clone(),
            routes: configured.routes,
            context: configured.context,
        })
    }

    /// A function of this binary with the environment that Lambda gives it.
    fn function(&self, name: &'static str, settings: Vec<(String, String)>, limit: Duration) -> Function {
        let fixed = [
            ("AWS_LAMBDA_FUNCTION_NAME", name),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_REGION", call::REGION),
        ];
        let mut environment: Vec<_> = fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        environment.push(("DRAWBRIDGE_CONFIG".to_owned(), self.config_file.display().to_string()));
        environment.extend(settings);
        Function::start(name, process::launch(name, environment), CONCURRENCY, limit)
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, AwsError> {
    TcpListener::bind(address).await.map_err(|error| AwsError::Listen(address, error))
}

/// How long API Gateway waits for a Lambda authorizer of an HTTP API; kept for all kinds.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const AUTHORIZER_LIMIT: Duration = Duration::from_secs(10);

/// How long it waits for an integration.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>
const INTEGRATION_LIMIT: Duration = Duration::from_secs(29);

/// Processes of one function at the same time. Lambda starts one for each concurrent invocation; two show that as well.
const CONCURRENCY: usize = 2;
