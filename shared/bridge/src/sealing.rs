use std::sync::Arc;

use drawbridge_config::{Backend, Encryption};
use drawbridge_keys::{BackendName, Kept, KeyStore, Kid, StoreError};
use drawbridge_verify::{
    KeyUse, PublicJwk,
    jwe::{ContentEncryption, EncryptionKey},
};

use crate::{
    MintError,
    signing::{Fit, keeping},
};

/// The current encryption key of one backend that takes encrypted tokens.
pub(crate) struct SealingKey {
    store: Arc<dyn KeyStore>,
    backend: BackendName,
    required: bool,
    content: ContentEncryption,
    current: Kept<Fit<Option<Arc<EncryptionKey>>>>,
}

impl SealingKey {
    /// None for a backend that refuses encrypted tokens.
    pub(crate) fn new(store: Arc<dyn KeyStore>, backend: &Backend) -> Option<Self> {
        let required = match backend.encryption {
            Encryption::Refused => return None,
            Encryption::Accepted => false,
            Encryption::Required => true,
        };
        Some(Self {
            store,
            backend: backend.name.clone(),
            required,
            content: backend.content_encryption,
            current: Kept::new(keeping()),
        })
    }

    /// Encrypts a signed token to the backend: a nested one (RFC 7519 section 11.2). A backend that also takes plain tokens gets the
    /// token as it is for as long as it has no key, and no other failure makes it a plain one.
    ///
    /// # Errors
    /// Those of the store; `Unfit` when it is not a key of this backend and use.
    pub(crate) async fn seal(&self, token: String) -> Result<String, MintError> {
        let key = self.current.get(|| Ok::<_, MintError>(self.read())).await?;
        match key.map_err(MintError::Unfit)? {
            Some(key) => key.encrypt(&token).map_err(|error| MintError::Unavailable(error.to_string())),
            None => Ok(token),
        }
    }

    async fn read(&self) -> Result<Fit<Option<Arc<EncryptionKey>>>, StoreError> {
        match self.store.encryption_key(&self.backend).await {
            Ok(key) => Ok(self.fit(&key).map(Some)),
            Err(StoreError::NotFound) if !self.required => Ok(Ok(None)),
            Err(error) => Err(error),
        }
    }

    fn fit(&self, key: &PublicJwk) -> Fit<Arc<EncryptionKey>> {
        let kid: Option<Kid> = key.kid().and_then(|kid| kid.parse().ok());
        let kid = kid.filter(|kid| kid.backend == self.backend && kid.key_use == KeyUse::Encryption);
        let kid = kid.ok_or("the key store gave a key of another backend or use")?;
        let key = EncryptionKey::bind(key, &kid.to_string(), self.content);
        key.map(Arc::new).map_err(|_| "the key is not one to encrypt to")
    }
}
