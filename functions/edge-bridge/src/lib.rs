#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod certificate;
mod surface;
#[cfg(test)]
mod tests;
mod token;

use std::{error::Error, sync::Arc, time::Duration};

use drawbridge_bridge::Bridge;
use drawbridge_config::{Config, Environment};
use drawbridge_gate::open_audit;
use drawbridge_keys::{HttpClient, SystemClock};
use drawbridge_serve::{log, serve};
use drawbridge_verify::Relaxation;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

pub use crate::surface::router;

/// Runs the bridge until it is told to stop (SIGTERM or Ctrl-C), then answers what it has begun.
///
/// # Errors
/// A configuration with mistakes, an address that is no address or in use, an audit file that cannot be written.
pub async fn run(environment: &dyn Environment) -> Result<(), Box<dyn Error + Send + Sync>> {
    let config = drawbridge_config::load_from_environment(environment)?;
    let address = environment.var("DRAWBRIDGE_LISTEN").unwrap_or_else(|| LISTEN.to_owned());
    let bridge =
        Bridge::new(&config, &http_client(&config)?, &drawbridge_stores::open, open_audit(&config.audit)?)?;
    let certificate = environment
        .var(CLIENT_CERTIFICATE_HEADER)
        .map(|name| {
            name.parse()
                .map_err(|_| format!("{CLIENT_CERTIFICATE_HEADER} is no header name, such as `Client-Cert`"))
        })
        .transpose()?;
    let listener = TcpListener::bind(&address)
        .await
        .map_err(|error| format!("DRAWBRIDGE_LISTEN: cannot listen on `{address}`: {error}"))?;
    log::info(&format!("listening on http://{}", listener.local_addr()?));
    let router = router(Arc::new(bridge), Arc::new(SystemClock), certificate);
    serve(listener, TowerToHyperService::new(router), stop()).await;
    Ok(())
}

fn http_client(config: &Config) -> Result<HttpClient, Box<dyn Error + Send + Sync>> {
    let on_loopback = config
        .consumers
        .as_ref()
        .and_then(|name| config.issuers.get(name))
        .is_some_and(|issuer| issuer.relax.contains(&Relaxation::HttpOnLoopback));
    Ok(HttpClient::new(KEYS, on_loopback)?)
}

/// Resolves when the process is asked to stop.
async fn stop() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = interrupted.await;
}

/// Where it listens when nothing is said: on this machine alone, because whoever can ask is answered with bridged tokens.
const LISTEN: &str = "127.0.0.1:8181";

const CLIENT_CERTIFICATE_HEADER: &str = "DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER";

/// How long a fetch of the consumers' keys may take; less than [`surface`] gives a whole request.
const KEYS: Duration = Duration::from_secs(3);
