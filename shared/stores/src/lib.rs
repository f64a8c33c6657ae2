//! Opens whatever store the configuration names: for the bridge and the operator's commands, which deal with every cloud. A
//! gate links its own cloud's room alone.

use std::sync::Arc;

use drawbridge_config::Store;
use drawbridge_gate::open_directory;
use drawbridge_keys::{KeyStore, StoreError};

/// Opens a store of any kind. Nothing is asked of the network yet.
///
/// # Errors
/// When the store's description cannot be made into one, such as a URL that is none.
pub fn open(store: &Store) -> Result<Arc<dyn KeyStore>, StoreError> {
    match store {
        Store::SecretsManager { .. } | Store::Kms { .. } => drawbridge_aws::open(store),
        Store::KeyVault { .. } => drawbridge_azure::open(store),
        _ => open_directory(store),
    }
}
