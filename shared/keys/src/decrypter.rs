use std::sync::Arc;

use async_trait::async_trait;
use drawbridge_verify::jwe::{ContentEncryption, ContentKey, DecryptionKey, Recipient, Sealed};

use crate::{Decrypter, Kid, StoreError};

/// Decrypts with a key that is in this process.
pub(crate) struct LocalDecrypter {
    recipient: Recipient,
    key: Arc<DecryptionKey>,
}

impl LocalDecrypter {
    pub(crate) fn new(kid: &Kid, key: Arc<DecryptionKey>) -> Self {
        let algorithm = key.recipient().algorithm();
        Self { recipient: Recipient::new(&kid.to_string(), algorithm, &ContentEncryption::ALL), key }
    }
}

#[async_trait]
impl Decrypter for LocalDecrypter {
    fn recipient(&self) -> &Recipient {
        &self.recipient
    }

    fn is_local(&self) -> bool {
        true
    }

    async fn unwrap(&self, sealed: &Sealed<'_>) -> Result<ContentKey, StoreError> {
        Ok(sealed.unwrap(&self.key))
    }
}
