//! One file for each command.

pub mod check;
pub mod decide;
pub mod explain;
pub mod function;
pub mod keys;
pub mod package;
pub mod serve;
pub mod test;
pub mod up;

use std::time::Duration;

use drawbridge_config::{Config, Mistakes};
use tokio::runtime::{Builder, Runtime};

use crate::{
    exit::{Exit, Failure, Outcome},
    process::parent_gone,
};

/// The runtime of a command.
fn runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start: {error}")))
}

/// Runs a part of the chain until it stops, or the parent that started it does.
fn until_parent_ends<E: Into<Failure>>(part: impl Future<Output = Result<(), E>>) -> Outcome {
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            ended = part => match ended {
                Ok(()) => Ok(Exit::Ok),
                Err(error) => Err(error.into()),
            },
            () = parent_gone() => Ok(Exit::Ok),
        }
    });
    // Drops every task, and with the tasks the processes that they hold.
    runtime.shutdown_timeout(Duration::from_millis(500));
    outcome
}

/// The mistakes of a configuration as they are printed where another command needed one.
fn broken(mistakes: Mistakes) -> Failure {
    Failure::invalid(format!("the configuration cannot be used:\n{mistakes}"))
}

/// The configuration that a command reads when none is named.
const CONFIG: &str = "drawbridge.yaml";

/// Names, as an error message lists them.
fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The names of the configured backends.
fn backend_names(config: &Config) -> String {
    listed(config.backends.keys().map(|name| name.as_str()))
}
