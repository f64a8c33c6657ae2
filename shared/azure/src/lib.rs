#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod credential;
mod error;
mod form;
mod jwk;
mod keys;
mod name;
mod secrets;
mod store;
mod transport;
mod vault;

use std::sync::Arc;

use drawbridge_config::{ProcessEnvironment, Store};
use drawbridge_keys::{KeyStore, StoreError};
use url::Url;

pub use self::vault::Access;
use self::{keys::Keys, secrets::Secrets, store::KeyVault};

/// Opens a `key_vault` store with the [`Access`] that the process's environment names. Nothing is asked of the network, nothing is
/// loaded and no variable is read before the store is first used.
///
/// # Errors
/// `Unsupported` for any other store.
pub fn open(store: &Store) -> Result<Arc<dyn KeyStore>, StoreError> {
    match store {
        Store::KeyVault { url, secrets } => {
            Ok(open_with(url, *secrets, Access::environment(ProcessEnvironment)))
        }
        _ => Err(StoreError::Unsupported("only `key_vault` stores can be opened here".to_owned())),
    }
}

/// Opens the vault at `url`, in its form `secrets` or `keys`, with an access of one's own.
pub fn open_with(url: &Url, secrets: bool, access: Access) -> Arc<dyn KeyStore> {
    match secrets {
        false => Arc::new(KeyVault::new(Keys::new(url, access))),
        true => Arc::new(KeyVault::new(Secrets::new(url, access))),
    }
}
