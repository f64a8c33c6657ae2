use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use drawbridge_verify::{
    Algorithm, KeyUse, PublicJwk, UnixTime,
    jwe::{ContentKey, Recipient, Sealed},
};
use thiserror::Error;

use crate::{BackendName, KeyAlgorithm, Kid, kept::STALE};

/// Where private keys live.
///
/// What it asks of a store is what the native stores have, so that a kid is one native look-up and needs no table:
///
/// | | versions are | signing and decrypting | withdrawing |
/// | --- | --- | --- | --- |
/// | directory | files | in this process | renames a file |
/// | Secrets Manager | secret versions | in this process | removes the staging labels |
/// | KMS | keys behind an alias | in KMS | disables the key |
/// | Key Vault keys, secrets | key or secret versions | in the vault, in this process | disables the version |
///
/// A private key need not leave its store: a [`Signer`] or a [`Decrypter`] is what a caller gets. Nothing is cached
/// here; callers that cannot pay for a read each time keep one of these for a bounded time, and public keys in a [`Resolver`](crate::Resolver).
///
/// The laws of an implementation are a test-suite, `conformance::holds`, behind the feature `conformance`.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// The public half of a published version, named by its kid, with `use` and `alg`. Retired and revoked versions,
    /// foreign ones and ones that never were are all `NotFound`.
    async fn public(&self, kid: &Kid) -> Result<PublicJwk, StoreError>;
    /// The current signing key of a backend.
    async fn signer(&self, backend: &BackendName) -> Result<Arc<dyn Signer>, StoreError>;
    /// The public half of the current encryption key of a backend, as [`public`](Self::public) gives it.
    async fn encryption_key(&self, backend: &BackendName) -> Result<PublicJwk, StoreError> {
        let versions = self.versions(backend, KeyUse::Encryption).await?;
        let current = versions.into_iter().find(|version| version.state == KeyState::Current);
        self.public(&current.ok_or(StoreError::NotFound)?.kid).await
    }
    /// What decrypts with a published version. `NotFound` for the same versions as [`public`](Self::public), `Unsupported` for a
    /// store that has no encryption keys.
    async fn decrypter(&self, _kid: &Kid) -> Result<Arc<dyn Decrypter>, StoreError> {
        Err(StoreError::Unsupported("it has no keys to decrypt with".to_owned()))
    }
    /// Every version that the store still knows, newest first. None for a backend without keys.
    async fn versions(&self, backend: &BackendName, key_use: KeyUse) -> Result<Vec<KeyVersion>, StoreError>;
    /// Every backend that has keys, in order.
    async fn backends(&self) -> Result<Vec<BackendName>, StoreError>;
    /// Makes the first key of a backend and use. `Exists` when there is one.
    async fn create(
        &self,
        backend: &BackendName,
        key_use: KeyUse,
        algorithm: KeyAlgorithm,
    ) -> Result<Kid, StoreError>;
    /// Makes a new current version of the same algorithm; the previous one stays published. `NotFound` when there is nothing to
    /// rotate.
    async fn rotate(&self, backend: &BackendName, key_use: KeyUse) -> Result<Kid, StoreError>;
    /// Withdraws a version at once. The current version cannot be revoked without a rotation first (`InUse`). Doing it again is
    /// fine; `NotFound` for a version that never was.
    async fn revoke(&self, kid: &Kid) -> Result<(), StoreError>;
}

/// For how long after it was superseded a version stays published: what a signer or an encrypter that had not heard of the rotation
/// used it for has no valid token left then, also by a clock that goes differently from the store's.
pub const RETIRE_AFTER: Duration =
    LONGEST_LIFETIME.saturating_add(STALE).saturating_add(LONGEST_SKEW).saturating_add(CLOCKS);

/// The longest that a bridged token may live, whatever is configured.
const LONGEST_LIFETIME: Duration = Duration::from_secs(3600);

/// The most skew that a verifier grants, whatever is configured.
const LONGEST_SKEW: Duration = Duration::from_secs(60);

/// How far the clock by which a store knows its versions may be from those of who signs and verifies.
const CLOCKS: Duration = Duration::from_secs(60);

/// A private signing key, wherever it is.
#[async_trait]
pub trait Signer: Send + Sync {
    /// Its kid.
    fn kid(&self) -> &Kid;
    /// Its one algorithm.
    fn algorithm(&self) -> Algorithm;
    /// The JWS signature over `input` (RFC 7515 section 5.1): for ECDSA r and s at fixed length, never DER.
    async fn sign(&self, input: &[u8]) -> Result<Vec<u8>, StoreError>;
}

/// A private decryption key, wherever it is.
#[async_trait]
pub trait Decrypter: Send + Sync {
    /// Its kid, its one algorithm, and the content encryptions that it is used with.
    fn recipient(&self) -> &Recipient;
    /// Whether it asks nobody, so that it costs no more than its arithmetic. `false` for a key that is in a store.
    fn is_local(&self) -> bool {
        false
    }
    /// The content key of a token that [`recipient`](Self::recipient) admitted. A key that does not unwrap is no error: it is a
    /// content key that opens nothing (RFC 7516 section 11.5). An error is a store that could not be asked.
    async fn unwrap(&self, sealed: &Sealed<'_>) -> Result<ContentKey, StoreError>;
}

/// One version of a key, as `drawbridge keys list` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyVersion {
    /// Its name.
    pub kid: Kid,
    /// Its algorithm.
    pub algorithm: KeyAlgorithm,
    /// When it was made.
    pub created: UnixTime,
    /// What it may do now.
    pub state: KeyState,
}

/// What a version may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Signs (or is encrypted to), and is published.
    Current,
    /// Published, so that what it signed can be verified.
    Previous,
    /// Neither.
    Revoked,
}

/// Why a store did not do what it was asked. Outwardly they are all one answer; these are for the log and the operator.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No such key, or none that is published.
    #[error("no such key")]
    NotFound,
    /// There is a key already.
    #[error("there is a key already; rotate it instead")]
    Exists,
    /// The current version is in use.
    #[error("this is the current version; rotate first, then revoke it")]
    InUse,
    /// The store refused the caller.
    #[error("access to the key store was denied: {0}")]
    Denied(String),
    /// The store asked to slow down.
    #[error("the key store is throttling: {0}")]
    Throttled(String),
    /// The store could not be reached or read.
    #[error("the key store is unavailable: {0}")]
    Unavailable(String),
    /// The key is marked for deletion, and can still be restored.
    #[error("the key is marked for deletion: {0}")]
    Deleted(String),
    /// The store cannot decrypt what it holds: the key that it encrypts with is gone or denied.
    #[error("the key store cannot decrypt what it holds: {0}")]
    Undecryptable(String),
    /// What the store holds is not a key of the expected form.
    #[error("the key store holds something that is not a key: {0}")]
    Malformed(String),
    /// The store cannot do that.
    #[error("the key store cannot do this: {0}")]
    Unsupported(String),
}

impl StoreError {
    /// Whether a store could not be asked: no word on the key, which may be used for as long as it is kept.
    pub(crate) fn says_nothing_of_the_key(&self) -> bool {
        match self {
            Self::Denied(_)
            | Self::Throttled(_)
            | Self::Unavailable(_)
            | Self::Deleted(_)
            | Self::Undecryptable(_) => true,
            Self::NotFound | Self::Exists | Self::InUse | Self::Malformed(_) | Self::Unsupported(_) => false,
        }
    }
}
