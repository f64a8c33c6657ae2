use std::{sync::Arc, time::Duration};

use drawbridge_keys::{BackendName, Keeping, Kept, KeyStore, Signer, StoreError};
use drawbridge_verify::{Algorithms, KeyUse};

use crate::MintError;

/// The current signing key of one backend.
pub(crate) struct SigningKey {
    store: Arc<dyn KeyStore>,
    backend: BackendName,
    algorithms: Algorithms,
    current: Kept<Fit<Arc<dyn Signer>>>,
}

/// What a store gave, or why it may not be used.
pub(crate) type Fit<K> = Result<K, &'static str>;

/// For how long a current key is used. One that is made is there at the next second.
pub(crate) fn keeping() -> Keeping {
    Keeping { absent: Duration::from_secs(1), ..Keeping::default() }
}

impl SigningKey {
    /// `algorithms`: what the verifiers of these tokens accept; a key of another is not signed with.
    pub(crate) fn new(store: Arc<dyn KeyStore>, backend: BackendName, algorithms: Algorithms) -> Self {
        Self { store, backend, algorithms, current: Kept::new(keeping()) }
    }

    /// The key to sign with now.
    ///
    /// # Errors
    /// Those of the store; `Unfit` when it is not a key of this backend, use and issuer.
    pub(crate) async fn current(&self) -> Result<Arc<dyn Signer>, MintError> {
        let signer = self.current.get(|| Ok::<_, MintError>(self.read())).await?;
        signer.map_err(MintError::Unfit)
    }

    async fn read(&self) -> Result<Fit<Arc<dyn Signer>>, StoreError> {
        let signer = self.store.signer(&self.backend).await?;
        let kid = signer.kid();
        if kid.backend != self.backend || kid.key_use != KeyUse::Signing {
            return Ok(Err("the key store gave a key of another backend or use"));
        }
        if !self.algorithms.contains(signer.algorithm()) {
            return Ok(Err("the key's algorithm is not one that the issuer is configured for"));
        }
        Ok(Ok(signer))
    }
}
