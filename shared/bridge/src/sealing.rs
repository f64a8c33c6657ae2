use std::sync::Arc;

use drawbridge_config::{Backend, Encryption};
use drawbridge_keys::{BackendName, KeyStore, Kid, StoreError};
use drawbridge_verify::{
    KeyUse,
    jwe::{ContentEncryption, EncryptionKey},
};

use crate::{MintError, current::Current};

/// The current encryption key of one backend that takes encrypted tokens.
pub(crate) struct SealingKey {
    store: Arc<dyn KeyStore>,
    backend: BackendName,
    required: bool,
    content: ContentEncryption,
    current: Current<Option<Arc<EncryptionKey>>>,
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
            current: Current::new(),
        })
    }

    /// Encrypts a signed token to the backend: a nested one (RFC 7519 section 11.2). A backend that also takes plain tokens gets the
    /// token as it is for as long as it has no key, and no other failure makes it a plain one.
    ///
    /// # Errors
    /// Those of the store; `Unfit` when it is not a key of this backend and use.
    pub(crate) async fn seal(&self, token: String) -> Result<String, MintError> {
        match self.current.get(self.read()).await? {
            Some(key) => key.encrypt(&token).map_err(|error| MintError::Unavailable(error.to_string())),
            None => Ok(token),
        }
    }

    async fn read(&self) -> Result<Option<Arc<EncryptionKey>>, MintError> {
        let key = match self.store.encryption_key(&self.backend).await {
            Err(StoreError::NotFound) if !self.required => return Ok(None),
            key => key?,
        };
        let kid: Option<Kid> = key.kid().and_then(|kid| kid.parse().ok());
        let kid = kid.filter(|kid| kid.backend == self.backend && kid.key_use == KeyUse::Encryption);
        let kid = kid.ok_or(MintError::Unfit("the key store gave a key of another backend or use"))?;
        let key = EncryptionKey::bind(&key, &kid.to_string(), self.content)
            .map_err(|_| MintError::Unfit("the key is not one to encrypt to"))?;
        Ok(Some(Arc::new(key)))
    }
}
