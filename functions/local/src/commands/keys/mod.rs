//! `drawbridge keys`.

mod listing;
mod store;

use clap::{Args, Subcommand, ValueEnum};
use drawbridge_keys::{BackendName, KeyAlgorithm, Kid, StoreError};
use drawbridge_verify::{Algorithm, KeyUse};
use serde_json::Value;

use self::{
    listing::{line, object},
    store::{StoreArguments, Whose},
};
use super::{listed, runtime};
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
A kid is `<backend>.<use>.<version>`. Private keys are never printed. Keys are in the store that `drawbridge.yaml` names for their
backend, unless `--config` or `--directory` says otherwise.

Examples:
  drawbridge keys create --backend orders
  drawbridge keys create --directory keys --backend orders --alg PS256
  drawbridge keys create --directory keys --backend billing --use enc --alg ECDH-ES+A256KW
  drawbridge keys rotate --directory keys --backend orders
  drawbridge keys rotate --config deploy/drawbridge.yaml --backend orders
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
    #[command(after_long_help = "Example:\n  drawbridge keys list --store aws --format json")]
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

impl Of {
    fn whose(&self) -> Whose<'_> {
        Whose::Backend(&self.backend, KeyUse::from(self.key_use).name())
    }
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
                let opened = store.open(Some(&of.backend))?;
                let rotated = opened.keys.rotate(&of.backend, of.key_use.into()).await;
                let kid = rotated.map_err(|error| opened.refused(error, &of.whose()))?;
                Ok(store.said("rotated", &kid))
            }
            Command::Revoke { store, kid } => {
                let opened = store.open(Some(&kid.backend))?;
                let revoked = opened.keys.revoke(&kid).await;
                revoked.map_err(|error| opened.refused(error, &Whose::Kid(&kid)))?;
                Ok(store.said("revoked", &kid))
            }
            Command::List { store, backend, key_use } => list(store, backend, key_use).await,
            Command::Show { store, kid } => {
                let opened = store.open(Some(&kid.backend))?;
                let jwk = opened.keys.public(&kid).await;
                let jwk = jwk.map_err(|error| opened.refused(error, &Whose::Kid(&kid)))?;
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
    let opened = store.open(Some(&of.backend))?;
    let first = opened.allowed.as_ref().and_then(|(_, allowed)| allowed.iter().next());
    let usual = match of.key_use {
        Use::Sig => first.unwrap_or(Algorithm::ES256).into(),
        Use::Enc => opened.encrypts_with.into(),
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
    if let (KeyAlgorithm::Signature(algorithm), Some((issuer, allowed))) = (algorithm, &opened.allowed)
        && !allowed.contains(algorithm)
    {
        return Err(Failure::invalid(format!(
            "what a key for `{algorithm}` signs would be refused: the issuer `{issuer}` of `{}` has the algorithms {}; name one of them, \
             or add it there",
            of.backend,
            listed(allowed.iter().map(Algorithm::name))
        )));
    }
    let created = opened.keys.create(&of.backend, of.key_use.into(), algorithm).await;
    let kid = created.map_err(|error| opened.refused(error, &of.whose()))?;
    Ok(store.said("created", &kid))
}

async fn list(
    store: StoreArguments,
    backend: Option<BackendName>,
    key_use: Option<Use>,
) -> Result<String, Failure> {
    let keys = store.open(backend.as_ref())?.keys;
    let backends = match backend {
        Some(backend) => vec![backend],
        None => keys.backends().await.map_err(Failure::new)?,
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
                Err(error) => return Err(Failure::new(error)),
            }
        }
    }
    Ok(match store.format {
        Format::Human if versions.is_empty() => "no keys".to_owned(),
        Format::Human => versions.iter().map(line).collect::<Vec<_>>().join("\n"),
        Format::Json => Value::Array(versions.iter().map(object).collect()).to_string(),
    })
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
