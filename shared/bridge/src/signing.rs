use std::sync::Arc;

use drawbridge_keys::{BackendName, KeyStore, Signer};
use drawbridge_verify::{Algorithms, KeyUse};

use crate::{MintError, current::Current};

/// The current signing key of one backend.
pub(crate) struct SigningKey {
    store: Arc<dyn KeyStore>,
    backend: BackendName,
    algorithms: Algorithms,
    current: Current<Arc<dyn Signer>>,
}

impl SigningKey {
    /// `algorithms`: what the verifiers of these tokens accept; a key of another is not signed with.
    pub(crate) fn new(store: Arc<dyn KeyStore>, backend: BackendName, algorithms: Algorithms) -> Self {
        Self { store, backend, algorithms, current: Current::new() }
    }

    /// The key to sign with now.
    ///
    /// # Errors
    /// Those of the store; `Unfit` when it is not a key of this backend, use and issuer.
    pub(crate) async fn current(&self) -> Result<Arc<dyn Signer>, MintError> {
        self.current.get(self.read()).await
    }

    async fn read(&self) -> Result<Arc<dyn Signer>, MintError> {
        let signer = self.store.signer(&self.backend).await?;
        let kid = signer.kid();
        if kid.backend != self.backend || kid.key_use != KeyUse::Signing {
            return Err(MintError::Unfit("the key store gave a key of another backend or use"));
        }
        if !self.algorithms.contains(signer.algorithm()) {
            return Err(MintError::Unfit("the key's algorithm is not one that the issuer is configured for"));
        }
        Ok(signer)
    }
}
