//! `drawbridge keys`.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, Subcommand, ValueEnum};
use drawbridge_config::{Config, Store, load_file};
use drawbridge_keys::{BackendName, KeyAlgorithm, KeyState, KeyStore, KeyVersion, Kid, StoreError};
use drawbridge_verify::{Algorithm, KeyUse, jwe::KeyManagement};
use serde_json::{Value, json};

use super::{broken, listed, runtime};
use crate::{
    cli::Format,
    exit::{Exit, Failure, Outcome},
    output::print,
};

/// Make, rotate, revoke and look at the keys of a store.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
A kid is `<backend>.<use>.<version>`. Private keys are never printed.

Examples:
  drawbridge keys create --config drawbridge.yaml --store local --backend orders
  drawbridge keys create --directory keys --backend orders --alg PS256
  drawbridge keys create --directory keys --backend billing --use enc --alg ECDH-ES+A256KW
  drawbridge keys rotate --directory keys --backend orders
  drawbridge keys rotate --config drawbridge.yaml --store aws --backend orders
  drawbridge keys revoke --directory keys orders.sig.3f0c5a6e
  drawbridge keys list   --directory keys --format json
  drawbridge keys show   --directory keys orders.sig.3f0c5a6e";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the first key of a backend.
    #[command(
        after_long_help = "Example:\n  drawbridge keys create --directory keys --backend orders --alg ES256"
    )]
    Create {
        #[command(flatten)]
        store: StoreArguments,
        #[command(flatten)]
        of: Of,
        /// Its algorithm. Default: the first that the backend's issuer is configured for, or ES256; to encrypt, ECDH-ES+A256KW, which is
        /// on P-256 unless `:P-384` or `:X25519` stands behind it, or RSA-OAEP-256 where private keys do not leave their store.
        #[arg(long, value_name = "ALGORITHM", value_parser = algorithm)]
        alg: Option<KeyAlgorithm>,
    },
    /// Make a new current version. The previous one stays published, so that what it signed is still accepted.
    #[command(after_long_help = "Example:\n  drawbridge keys rotate --directory keys --backend orders")]
    Rotate {
        #[command(flatten)]
        store: StoreArguments,
        #[command(flatten)]
        of: Of,
    },
    /// Withdraw a version at once.
    #[command(after_long_help = "Example:\n  drawbridge keys revoke --directory keys orders.sig.3f0c5a6e")]
    Revoke {
        #[command(flatten)]
        store: StoreArguments,
        /// Which version.
        #[arg(value_parser = kid)]
        kid: Kid,
    },
    /// List versions, newest first.
    #[command(
        after_long_help = "Example:\n  drawbridge keys list --config drawbridge.yaml --store local --format json"
    )]
    List {
        #[command(flatten)]
        store: StoreArguments,
        /// Only of this backend.
        #[arg(long, value_name = "NAME", value_parser = backend)]
        backend: Option<BackendName>,
        /// Only of this use.
        #[arg(long = "use", value_enum, value_name = "USE")]
        key_use: Option<Use>,
    },
    /// Show the public half of a published version as a JWK.
    #[command(after_long_help = "Example:\n  drawbridge keys show --directory keys orders.sig.3f0c5a6e")]
    Show {
        #[command(flatten)]
        store: StoreArguments,
        /// Which version.
        #[arg(value_parser = kid)]
        kid: Kid,
    },
}

/// Which store.
#[derive(Debug, Args)]
struct StoreArguments {
    /// The configuration that names the store.
    #[arg(long, value_name = "FILE", required_unless_present = "directory")]
    config: Option<PathBuf>,
    /// The store's name in it. May be left out when there is only one.
    #[arg(long, value_name = "NAME", requires = "config")]
    store: Option<String>,
    /// A directory store, without a configuration.
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    directory: Option<PathBuf>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Whose key, and what for.
#[derive(Debug, Args)]
struct Of {
    /// The backend.
    #[arg(long, value_name = "NAME", value_parser = backend)]
    backend: BackendName,
    /// What the key is for.
    #[arg(long = "use", value_enum, value_name = "USE", default_value_t)]
    key_use: Use,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Use {
    /// Signing.
    #[default]
    Sig,
    /// Encryption.
    Enc,
}

impl From<Use> for KeyUse {
    fn from(key_use: Use) -> Self {
        match key_use {
            Use::Sig => Self::Signing,
            Use::Enc => Self::Encryption,
        }
    }
}

/// Runs one of the subcommands.
///
/// # Errors
/// When the store refuses, or is not there.
pub fn run(arguments: Arguments) -> Outcome {
    let printed = runtime()?.block_on(async {
        match arguments.command {
            Command::Create { store, of, alg } => create(store, of, alg).await,
            Command::Rotate { store, of } => {
                let Opened { keys, .. } = store.open()?;
                let kid = keys.rotate(&of.backend, of.key_use.into()).await.map_err(refused)?;
                Ok(store.said("rotated", &kid))
            }
            Command::Revoke { store, kid } => {
                let Opened { keys, .. } = store.open()?;
                keys.revoke(&kid).await.map_err(refused)?;
                Ok(store.said("revoked", &kid))
            }
            Command::List { store, backend, key_use } => list(store, backend, key_use).await,
            Command::Show { store, kid } => {
                let Opened { keys, .. } = store.open()?;
                let jwk = keys.public(&kid).await.map_err(refused)?;
                Ok(match store.format {
                    Format::Human => format!("{}\nthumbprint {}", jwk.to_json(), jwk.thumbprint()),
                    Format::Json => jwk.to_json(),
                })
            }
        }
    })?;
    print(&printed)?;
    Ok(Exit::Ok)
}

async fn create(store: StoreArguments, of: Of, alg: Option<KeyAlgorithm>) -> Result<String, Failure> {
    let Opened { config, encrypts_with, keys } = store.open()?;
    let configured = config.as_ref().and_then(|config| {
        let issuer = config.issuers.get(&config.backends.get(&of.backend)?.issuer)?;
        issuer.algorithms.iter().next()
    });
    let usual = match of.key_use {
        Use::Sig => configured.unwrap_or(Algorithm::ES256).into(),
        Use::Enc => encrypts_with.into(),
    };
    let algorithm = alg.unwrap_or(usual);
    if algorithm.key_use() != of.key_use.into() {
        let fit = KeyAlgorithm::all().filter(|fit| fit.key_use() == of.key_use.into());
        return Err(Failure::invalid(format!(
            "`{algorithm}` is not for `{}` keys: name one of {}",
            KeyUse::from(of.key_use).name(),
            listed(fit.map(|fit| fit.to_string()).collect::<Vec<_>>().iter().map(String::as_str))
        )));
    }
    let kid = keys.create(&of.backend, of.key_use.into(), algorithm).await.map_err(refused)?;
    Ok(store.said("created", &kid))
}

async fn list(
    store: StoreArguments,
    backend: Option<BackendName>,
    key_use: Option<Use>,
) -> Result<String, Failure> {
    let Opened { keys, .. } = store.open()?;
    let backends = match backend {
        Some(backend) => vec![backend],
        None => keys.backends().await.map_err(refused)?,
    };
    let uses = match key_use {
        Some(key_use) => vec![key_use.into()],
        None => vec![KeyUse::Signing, KeyUse::Encryption],
    };
    let mut versions = Vec::new();
    for backend in &backends {
        for key_use in &uses {
            match keys.versions(backend, *key_use).await {
                Ok(some) => versions.extend(some),
                Err(StoreError::NotFound) => {}
                Err(error) => return Err(refused(error)),
            }
        }
    }
    Ok(match store.format {
        Format::Human if versions.is_empty() => "no keys".to_owned(),
        Format::Human => versions.iter().map(line).collect::<Vec<_>>().join("\n"),
        Format::Json => Value::Array(versions.iter().map(object).collect()).to_string(),
    })
}

/// A store, and what is to be known of it here.
struct Opened {
    /// The configuration that named it.
    config: Option<Config>,
    /// What its keys for encryption are made for when nothing is said.
    encrypts_with: KeyManagement,
    keys: Arc<dyn KeyStore>,
}

impl Opened {
    fn new(store: &Store) -> Result<Self, Failure> {
        let encrypts_with = match store {
            Store::Kms { .. } | Store::KeyVault { secrets: false, .. } => KeyManagement::RsaOaep256,
            _ => KeyManagement::EcdhEsA256Kw,
        };
        Ok(Self { config: None, encrypts_with, keys: drawbridge_stores::open(store).map_err(refused)? })
    }
}

impl StoreArguments {
    fn open(&self) -> Result<Opened, Failure> {
        if let Some(directory) = &self.directory {
            return Opened::new(&Store::Directory(directory.clone()));
        }
        let file = self
            .config
            .as_ref()
            .ok_or_else(|| Failure::invalid("name a store with `--config` or `--directory`"))?;
        let config = load_file(file).map_err(broken)?;
        let names = || listed(config.stores.keys().map(String::as_str));
        let store = match (&self.store, config.stores.len()) {
            (Some(name), _) => config.stores.get(name).ok_or_else(|| {
                Failure::invalid(format!("there is no store `{name}`; the configuration has {}", names()))
            })?,
            (None, 1) => {
                config.stores.values().next().ok_or_else(|| Failure::invalid("there is no store"))?
            }
            (None, 0) => return Err(Failure::invalid("the configuration has no `stores`")),
            (None, _) => return Err(Failure::invalid(format!("name the store with `--store`: {}", names()))),
        };
        let opened = Opened::new(store)?;
        Ok(Opened { config: Some(config), ..opened })
    }

    fn said(&self, what: &str, kid: &Kid) -> String {
        match self.format {
            Format::Human => format!("{what} {kid}"),
            Format::Json => json!({ "done": what, "kid": kid.to_string() }).to_string(),
        }
    }
}

fn line(version: &KeyVersion) -> String {
    let KeyVersion { kid, algorithm, created, state } = version;
    let created =
        jiff::Timestamp::from_second(created.as_secs()).map_or_else(|_| "?".to_owned(), |at| at.to_string());
    format!("{kid}  {algorithm}  {}  {created}", state_name(*state))
}

fn object(version: &KeyVersion) -> Value {
    let KeyVersion { kid, algorithm, created, state } = version;
    json!({
        "kid": kid.to_string(),
        "backend": kid.backend.as_str(),
        "use": kid.key_use.name(),
        "alg": algorithm.to_string(),
        "created": created.as_secs(),
        "state": state_name(*state),
    })
}

fn state_name(state: KeyState) -> &'static str {
    match state {
        KeyState::Current => "current",
        KeyState::Previous => "previous",
        KeyState::Revoked => "revoked",
    }
}

fn refused(error: StoreError) -> Failure {
    Failure::new(error)
}

fn algorithm(text: &str) -> Result<KeyAlgorithm, String> {
    text.parse().map_err(|()| {
        let names: Vec<_> = KeyAlgorithm::all().map(|algorithm| algorithm.to_string()).collect();
        format!("one of {}", listed(names.iter().map(String::as_str)))
    })
}

fn backend(text: &str) -> Result<BackendName, String> {
    text.parse().map_err(|_| "lower-case letters, digits and `-`, at most 48 of them".to_owned())
}

fn kid(text: &str) -> Result<Kid, String> {
    text.parse().map_err(|error: drawbridge_keys::KidError| error.to_string())
}
