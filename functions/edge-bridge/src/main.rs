//! The bridge beside an edge gateway. Exits with 0 when it was told to stop, 3 on a configuration with mistakes, 1 otherwise.

use std::process::ExitCode;

use drawbridge_config::{Mistakes, ProcessEnvironment};
use drawbridge_serve::log;

#[tokio::main]
async fn main() -> ExitCode {
    match drawbridge_edge_bridge::run(&ProcessEnvironment).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error(&error.to_string());
            if error.is::<Mistakes>() { ExitCode::from(3) } else { ExitCode::FAILURE }
        }
    }
}
