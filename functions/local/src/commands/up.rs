//! `drawbridge up`.

use std::path::PathBuf;

use clap::Args;

use super::runtime;
use crate::{cli::Format, exit::Outcome, up};

/// Start the whole chain on this machine: identity provider, edge, bridge, gateways, functions and backends.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    /// The configuration to run, with its issuers, stores and upstreams replaced by local ones. Default: `drawbridge.yaml` in
    /// this folder, or else a built-in sample.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where keys and the effective configuration are kept.
    #[arg(long, value_name = "DIR", default_value = ".drawbridge")]
    state: PathBuf,
    /// The edge's port; everything else gets the ports after it. 0 takes free ones.
    #[arg(long, value_name = "BASE", default_value_t = 8080)]
    port: u16,
    /// Put the edge and the gateways under mutual TLS, with certificates of a development authority made for it, and bind every
    /// bridged token to the edge's certificate. Always so where a backend of the configuration is `bound_to` one.
    #[arg(long)]
    mtls: bool,
    /// How to print what happens: text, or one JSON object a line (`ready` first, then a `decision` for each).
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const EXAMPLES: &str = "\
Everything listens on loopback only and stops with Ctrl-C. Ports from the base on: edge, AWS gateway, key endpoint, Azure
gateway, identity provider, bridge, backends. A backend whose keys are in Key Vault stands behind the Azure gateway, the others
behind the AWS gateway.

Examples:
  drawbridge up
  drawbridge up --config drawbridge.yaml --port 9080
  drawbridge up --port 0 --format json --state /tmp/drawbridge
  drawbridge up --mtls";

/// Runs it until it is stopped.
///
/// # Errors
/// When it cannot start, or a part of it stops.
pub fn run(arguments: Arguments) -> Outcome {
    let Arguments { config, state, port, mtls, format } = arguments;
    runtime()?.block_on(up::up(up::Options { config, state, mtls, port, format }))
}
