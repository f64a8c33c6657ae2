//! `drawbridge serve`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::{Args, Subcommand};
use drawbridge_config::{Config, load_file};
use drawbridge_keys::BackendName;
use http::uri::Authority;
use tokio::net::TcpListener;
use url::Url;

use super::{broken, until_parent_ends};
use crate::{
    aws::{AwsBackend, AwsGateway},
    azure::{AzureBackend, AzureGateway},
    backend,
    edge::Edge,
    exit::{Failure, Outcome},
    files::private_folder,
    idp::IdentityProvider,
    tls::{Certificates, Incoming},
};

/// Run one piece of `drawbridge up`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    piece: Piece,
}

const EXAMPLES: &str = "\
Examples:
  drawbridge serve backend --name orders --listen 127.0.0.1:8087
  drawbridge serve idp --config .drawbridge/config.json --state .drawbridge --listen 127.0.0.1:8084
  drawbridge serve edge --config .drawbridge/config.json --bridge 127.0.0.1:8085 --listen 127.0.0.1:8080
  drawbridge serve aws-gateway --config .drawbridge/config.json --listen 127.0.0.1:8081 --keys-listen 127.0.0.1:8082 \\
    --backend orders=http://127.0.0.1:8087";

#[derive(Debug, Subcommand)]
enum Piece {
    /// The identity provider for development: its clients and secrets are public.
    Idp {
        #[command(flatten)]
        common: Common,
        /// Where its signing key is kept.
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
        /// Where to listen for mutual TLS as well.
        #[arg(long, value_name = "ADDRESS", requires = "tls")]
        mtls_listen: Option<SocketAddr>,
    },
    /// The edge gateway.
    Edge {
        #[command(flatten)]
        common: Common,
        /// Where the bridge listens.
        #[arg(long, value_name = "HOST:PORT")]
        bridge: Authority,
    },
    /// A sample backend.
    Backend {
        /// Its name.
        #[arg(long)]
        name: String,
        /// Where to listen.
        #[arg(long, value_name = "ADDRESS")]
        listen: SocketAddr,
    },
    /// The AWS gateway: API Gateway with its Lambda authorizers, and the key endpoint's Lambda.
    AwsGateway {
        #[command(flatten)]
        common: Common,
        /// Where the key endpoint listens.
        #[arg(long, value_name = "ADDRESS")]
        keys_listen: SocketAddr,
        /// A backend and where it listens.
        #[arg(long = "backend", value_name = "NAME=URL")]
        backends: Vec<Behind>,
    },
    /// The Azure gateway: an API Management front with Function Apps behind it.
    AzureGateway {
        #[command(flatten)]
        common: Common,
        /// A backend and where it listens.
        #[arg(long = "backend", value_name = "NAME=URL")]
        backends: Vec<Behind>,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// The configuration.
    #[arg(long, env = "DRAWBRIDGE_CONFIG", value_name = "FILE")]
    config: PathBuf,
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Serve mutual TLS with the certificates in this folder, and show them to other parts.
    #[arg(long, value_name = "DIR")]
    tls: Option<PathBuf>,
}

impl Common {
    fn certificates(&self) -> Option<Certificates> {
        self.tls.clone().map(Certificates::new)
    }
}

/// `orders=http://127.0.0.1:8087`
#[derive(Clone, Debug)]
struct Behind {
    name: BackendName,
    upstream: Url,
}

impl FromStr for Behind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, upstream) = text.split_once('=').ok_or("write NAME=URL")?;
        Ok(Self {
            name: name.parse().map_err(|_| format!("`{name}` is no name of a backend"))?,
            upstream: upstream.parse().map_err(|error| format!("`{upstream}`: {error}"))?,
        })
    }
}

/// Runs it until its parent ends it.
///
/// # Errors
/// When it cannot start, or stops.
pub fn run(arguments: Arguments) -> Outcome {
    match arguments.piece {
        Piece::Idp { common, state, mtls_listen } => {
            let (config, certificates) = (configuration(&common.config)?, common.certificates());
            private_folder(&state)
                .map_err(|error| Failure::new(format!("cannot write to `{}`: {error}", state.display())))?;
            until_parent_ends(async move {
                // The port is taken first: making an RSA key takes longer than everything else together.
                let listener = bound(common.listen).await?;
                let mtls = match mtls_listen {
                    Some(address) => Some(incoming(address, certificates.as_ref()).await?),
                    None => None,
                };
                let idp = IdentityProvider::of(&config, state).map_err(|error| error.to_string())?;
                match mtls {
                    Some(mtls) => idp.serve_with(listener, mtls).await,
                    None => idp.serve(listener).await,
                }
                .map_err(|error| error.to_string())
            })
        }
        Piece::Edge { common, bridge } => {
            let (config, certificates) = (configuration(&common.config)?, common.certificates());
            until_parent_ends(async move {
                let edge =
                    Edge::new(&config, bridge, certificates.as_ref()).map_err(|error| error.to_string())?;
                let incoming = incoming(common.listen, certificates.as_ref()).await?;
                edge.serve(incoming).await.map_err(|error| error.to_string())
            })
        }
        Piece::Backend { name, listen } => until_parent_ends(async move {
            backend::serve(name, bound(listen).await?).await.map_err(|error| error.to_string())
        }),
        Piece::AwsGateway { common, keys_listen, backends } => {
            let certificates = common.certificates();
            let Common { config, listen, .. } = common;
            let settings = configuration(&config)?.local;
            let backends =
                backends.into_iter().map(|Behind { name, upstream }| AwsBackend { name, upstream }).collect();
            until_parent_ends(
                AwsGateway { listen, keys_listen, backends, settings, config_file: config, certificates }
                    .serve(),
            )
        }
        Piece::AzureGateway { common, backends } => {
            let certificates = common.certificates();
            let Common { config, listen, .. } = common;
            let settings = configuration(&config)?.local;
            let backends = backends
                .into_iter()
                .map(|Behind { name, upstream }| AzureBackend { name, upstream })
                .collect();
            until_parent_ends(
                AzureGateway { listen, backends, settings, config_file: config, certificates }.serve(),
            )
        }
    }
}

fn configuration(file: &Path) -> Result<Config, Failure> {
    load_file(file).map_err(broken)
}

async fn incoming(address: SocketAddr, certificates: Option<&Certificates>) -> Result<Incoming, String> {
    Incoming::new(bound(address).await?, certificates).map_err(|error| error.to_string())
}

async fn bound(address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| format!("cannot listen on {address}: {error}"))
}
