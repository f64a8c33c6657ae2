#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod connect;
mod error;
mod kms;
mod lambda;
pub mod rotation;
mod secrets_manager;

use std::sync::Arc;

use drawbridge_config::Store;
use drawbridge_keys::{KeyStore, StoreError};

pub use crate::{kms::Kms, lambda::started_by_lambda, secrets_manager::SecretsManager};

/// The staging label of a version that was superseded twice and is still to be verified with. A label is on one version at a time.
pub const ACTIVE: &str = "DRAWBRIDGE-ACTIVE";

/// The tag of a secret or a key that says what its keys are made for, as [`KeyAlgorithm`](drawbridge_keys::KeyAlgorithm) is written.
pub const ALGORITHM: &str = "drawbridge:algorithm";

/// The tag of a KMS key that says whose it is: `<prefix>/<backend>/<use>`. For permissions: it is there from the first moment.
pub const KEY: &str = "drawbridge:key";

/// Opens `secrets_manager` and `kms` stores. Nothing is loaded and nobody is asked before the first request.
///
/// # Errors
/// `Unsupported` for any other store.
pub fn open(store: &Store) -> Result<Arc<dyn KeyStore>, StoreError> {
    match store {
        Store::SecretsManager { prefix, region } => {
            Ok(Arc::new(SecretsManager::new(prefix, region.as_deref())))
        }
        Store::Kms { prefix, region } => Ok(Arc::new(Kms::new(prefix, region.as_deref()))),
        _ => Err(StoreError::Unsupported(
            "only `secrets_manager` and `kms` stores are of this cloud".to_owned(),
        )),
    }
}
