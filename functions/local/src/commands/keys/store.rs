//! Which store a command is about, and what the configuration says of whose keys are in it.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use drawbridge_config::{Backend, Config, Store, load_file};
use drawbridge_keys::{BackendName, KeyStore, Kid, StoreError};
use drawbridge_verify::{Algorithms, jwe::KeyManagement};
use serde_json::json;

use super::super::{CONFIG, backend_names, broken, listed};
use crate::{cli::Format, exit::Failure};

/// Which store.
#[derive(Debug, Args)]
pub(super) struct StoreArguments {
    /// The configuration that names the store.
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
    /// The store's name in it. Default: the store of the backend, or else the only one.
    #[arg(long, value_name = "NAME")]
    store: Option<String>,
    /// A directory store, without a configuration.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["config", "store"])]
    directory: Option<PathBuf>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// A store, and what is to be known of it here.
pub(super) struct Opened {
    /// What its keys for encryption are made for when nothing is said.
    pub(super) encrypts_with: KeyManagement,
    pub(super) keys: Arc<dyn KeyStore>,
    /// What the issuer of the backend's tokens may sign with, and its name; where a configuration says so.
    pub(super) allowed: Option<(String, Algorithms)>,
    /// As it is named in messages, with the argument that chooses it.
    name: String,
    argument: String,
}

impl StoreArguments {
    /// The store that has, or shall have, the keys of this backend. Without a backend it has to be named where there are several.
    pub(super) fn open(&self, backend: Option<&BackendName>) -> Result<Opened, Failure> {
        if let Some(directory) = &self.directory {
            let place = directory.display();
            return Opened::new(
                &Store::Directory(directory.clone()),
                format!("`{place}`"),
                format!("--directory {place}"),
                None,
            );
        }
        let config = load_file(&self.config).map_err(broken)?;
        let backend = backend.map(|name| configured(&config, name)).transpose()?;
        let (name, store) = self.choose(&config, backend)?;
        let allowed = backend.and_then(|backend| {
            Some((backend.issuer.clone(), config.issuers.get(&backend.issuer)?.algorithms))
        });
        let argument = format!("--config {}", self.config.display());
        Opened::new(store, format!("the store `{name}`"), argument, allowed)
    }

    fn choose<'c>(
        &self,
        config: &'c Config,
        backend: Option<&'c Backend>,
    ) -> Result<(&'c str, &'c Store), Failure> {
        let names = || listed(config.stores.keys().map(String::as_str));
        let its = backend.and_then(|backend| Some((backend, backend.store.as_deref()?)));
        let name = match (self.store.as_deref(), its) {
            (Some(name), _) if !config.stores.contains_key(name) => {
                return Err(Failure::invalid(format!(
                    "there is no store `{name}`; the configuration has {}",
                    names()
                )));
            }
            (Some(name), Some((backend, its))) if name != its => {
                return Err(Failure::invalid(format!(
                    "the keys of `{}` are in `{its}`, not in `{name}`; leave out `--store`",
                    backend.name
                )));
            }
            (Some(name), _) | (None, Some((_, name))) => name,
            (None, None) => match config.stores.len() {
                0 => return Err(Failure::invalid("the configuration has no `stores`; add one")),
                1 => config.stores.keys().next().map_or("", String::as_str),
                _ => {
                    return Err(Failure::invalid(format!("name the store with `--store`: {}", names())));
                }
            },
        };
        let found = config.stores.get_key_value(name).map(|(name, store)| (name.as_str(), store));
        found.ok_or_else(|| Failure::invalid(format!("there is no store `{name}`")))
    }

    pub(super) fn said(&self, what: &str, kid: &Kid) -> String {
        match self.format {
            Format::Human => format!("{what} {kid}"),
            Format::Json => json!({ "done": what, "kid": kid.to_string() }).to_string(),
        }
    }
}

fn configured<'c>(config: &'c Config, name: &BackendName) -> Result<&'c Backend, Failure> {
    config.backends.get(name).ok_or_else(|| {
        let has = match config.backends.len() {
            0 => "the configuration has no `backends`".to_owned(),
            _ => format!("the configuration has {}", backend_names(config)),
        };
        Failure::invalid(format!("there is no backend `{name}`; {has}"))
    })
}

impl Opened {
    fn new(
        store: &Store,
        name: String,
        argument: String,
        allowed: Option<(String, Algorithms)>,
    ) -> Result<Self, Failure> {
        let encrypts_with = match store {
            Store::Kms { .. } | Store::KeyVault { secrets: false, .. } => KeyManagement::RsaOaep256,
            _ => KeyManagement::EcdhEsA256Kw,
        };
        let keys = drawbridge_stores::open(store).map_err(Failure::new)?;
        Ok(Self { encrypts_with, keys, allowed, name, argument })
    }

    /// Why the store did not do what it was asked about the keys of `whose`: a backend's of one use, or one kid.
    pub(super) fn refused(&self, error: StoreError, whose: &Whose<'_>) -> Failure {
        let Self { name, argument, .. } = self;
        match (error, whose) {
            (StoreError::NotFound, Whose::Backend(backend, key_use)) => Failure::new(format!(
                "`{backend}` has no key for `{key_use}` in {name}; make the first with `drawbridge keys create {argument} \
                 --backend {backend} --use {key_use}`"
            )),
            (StoreError::NotFound, Whose::Kid(kid)) => Failure::new(format!(
                "`{}` has no published key `{kid}` in {name}; `drawbridge keys list {argument} --backend {}` shows those that it has, \
                 and `drawbridge keys create` makes the first",
                kid.backend, kid.backend
            )),
            (error, _) => Failure::new(error),
        }
    }
}

/// Whose keys a command is about.
pub(super) enum Whose<'k> {
    /// Those of a backend, of one use.
    Backend(&'k BackendName, &'static str),
    /// One version.
    Kid(&'k Kid),
}
