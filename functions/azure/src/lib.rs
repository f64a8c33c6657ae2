#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod app;
pub mod contract;
mod invocation;
mod proxy;
mod server;
mod settings;
mod trace;

use std::{error::Error, net::Ipv4Addr, sync::Arc};

use drawbridge_config::Environment;
use drawbridge_serve::log;
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
