//! The custom handler of an Azure Function App with two functions: `authorize`, the gate of one backend as forward-auth, and
//! `jwks`, the key endpoint.
//!
//! It speaks both forms of the [custom-handler contract] at once, because one `host.json` gives one or the other depending on
//! the version of the Functions host:
//!
//! * forwarded or proxied HTTP (`enableForwardingHttpRequest`, `enableProxyingHttpRequest`): the request itself, at
//!   `/api/authorize` and `/api/jwks/{backend}/{kid}`;
//! * the invocation form: `POST /authorize` and `POST /jwks` with `Data` and `Metadata`, answered with `Outputs`, `Logs` and
//!   `ReturnValue`. There the answer's own status is always 200 and the decision's is in `Outputs.res.statusCode`, since any
//!   other answer is a failed invocation, which the caller sees as a 500.
//!
//! `/` answers 200 as soon as the port is open: the host asks there every 25 ms whether the handler has started. It tells
//! nothing and decides nothing.
//!
//! `authorize` is asked about an original request that `X-Original-Method` and `X-Original-URI` describe (or
//! `X-Forwarded-Method` and `X-Forwarded-Uri`): 200 with the context headers, or 400, 401, 403, 429 or 503 with problem details.
//! Only a 200 is an allow.
//!
//! | setting | |
//! | --- | --- |
//! | `FUNCTIONS_CUSTOMHANDLER_PORT` | required; the host sets it |
//! | `DRAWBRIDGE_BACKEND` | required: the backend that the gate guards |
//! | `DRAWBRIDGE_CONFIG` | the configuration, or the file that holds it; default `drawbridge.yaml` |
//! | `DRAWBRIDGE_CREDENTIALS_HEADER` | the one header that carries the caller's token; default `Authorization`. With API Management's managed identity that is the gateway's own token, and the caller's travels in another header |
//! | `DRAWBRIDGE_ROUTE_PREFIX` | `extensions.http.routePrefix` of `host.json`; default `api`. `/` is none, and turns the invocation form off: the two would share an address, and the 200 of the one be read as the allow of the other |
//!
//! [custom-handler contract]: https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers
#![forbid(unsafe_code)]

mod app;
pub mod contract;
mod invocation;
mod log;
mod server;
mod settings;

use std::{error::Error, net::Ipv4Addr, sync::Arc};

use drawbridge_config::Environment;
use tokio::{net::TcpListener, sync::SetOnce, task::JoinSet};

use crate::{app::App, server::Server, settings::Settings};

/// Runs the handler until the process ends.
///
/// # Errors
/// One line that says what to do: a setting that is missing or wrong, a port in use, a configuration with mistakes.
pub async fn run(environment: &dyn Environment) -> Result<(), Box<dyn Error + Send + Sync>> {
    let settings = Settings::read(environment)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port))
        .await
        .map_err(|error| format!("cannot listen on 127.0.0.1:{}: {error}; is it in use?", settings.port))?;

    // The host must be answered while the gate is being built; requests wait for it.
    let app = Arc::new(SetOnce::new());
    let mut serving = JoinSet::new();
    serving.spawn(Server::new(settings.routes.clone(), Arc::clone(&app)).serve(listener));
    let built = App::build(&settings, &drawbridge_config::load_from_environment(environment)?)?;
    log::info(&format!("the gate of `{}` is ready", settings.backend));
    app.set(built).map_err(|_| "the gate was built twice")?;
    serving.join_all().await;
    Ok(())
}
