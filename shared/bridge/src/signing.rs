use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use drawbridge_keys::{BackendName, KeyStore, Signer};
use drawbridge_verify::{Algorithms, KeyUse};
use tokio::{sync::Mutex, time::Instant};

use crate::MintError;

/// The current signing key of one backend, read anew every few seconds so that a rotation is picked up.
///
/// Nobody waits for the store while there is a key that may still be used: one caller reads, the others sign with what is there.
pub(crate) struct SigningKey {
    store: Arc<dyn KeyStore>,
    backend: BackendName,
    algorithms: Algorithms,
    kept: RwLock<Option<Kept>>,
    reading: Mutex<()>,
}

#[derive(Clone)]
struct Kept {
    signer: Arc<dyn Signer>,
    read: Instant,
    /// When the store is to be asked next.
    next: Instant,
}

impl SigningKey {
    /// `algorithms`: what the verifiers of these tokens accept; a key of another is not signed with.
    pub(crate) fn new(store: Arc<dyn KeyStore>, backend: BackendName, algorithms: Algorithms) -> Self {
        Self { store, backend, algorithms, kept: RwLock::new(None), reading: Mutex::new(()) }
    }

    /// The key to sign with now.
    ///
    /// # Errors
    /// `Store` when the store has none, or has been failing for longer than [`STALE`]; `Unfit` when it is not a key of this
    /// backend, use and issuer.
    pub(crate) async fn current(&self) -> Result<Arc<dyn Signer>, MintError> {
        let usable = |kept: &Kept| kept.read.elapsed() < STALE;
        let kept = match self.kept().filter(usable) {
            Some(kept) if Instant::now() < kept.next => return Ok(kept.signer),
            kept => kept,
        };
        let (kept, _guard) = match kept {
            Some(kept) => match self.reading.try_lock() {
                Ok(guard) => (Some(kept), guard),
                Err(_) => return Ok(kept.signer),
            },
            None => {
                let guard = self.reading.lock().await;
                // Whoever was ahead may have read it.
                match self.kept().filter(usable) {
                    Some(kept) => return Ok(kept.signer),
                    None => (None, guard),
                }
            }
        };
        match (self.read().await, kept) {
            (Ok(signer), _) => {
                let read = Instant::now();
                self.keep(Kept { signer: Arc::clone(&signer), read, next: read + REFRESH });
                Ok(signer)
            }
            // A store that cannot be asked says nothing about the key; one that says what is wrong with it does.
            (Err(MintError::Unavailable(_)), Some(kept)) => {
                self.keep(Kept { next: Instant::now() + AGAIN, ..kept.clone() });
                Ok(kept.signer)
            }
            (Err(error), _) => {
                *self.kept.write().unwrap_or_else(PoisonError::into_inner) = None;
                Err(error)
            }
        }
    }

    async fn read(&self) -> Result<Arc<dyn Signer>, MintError> {
        let signer = tokio::time::timeout(STORE, self.store.signer(&self.backend))
            .await
            .map_err(|_| MintError::Unavailable("the key store did not answer in time".to_owned()))??;
        let kid = signer.kid();
        if kid.backend != self.backend || kid.key_use != KeyUse::Signing {
            return Err(MintError::Unfit("the key store gave a key of another backend or use"));
        }
        if !self.algorithms.contains(signer.algorithm()) {
            return Err(MintError::Unfit("the key's algorithm is not one that the issuer is configured for"));
        }
        Ok(signer)
    }

    fn kept(&self) -> Option<Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, kept: Kept) {
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }
}

/// How long a signing key is used before the store is asked again.
const REFRESH: Duration = Duration::from_secs(10);

/// How soon a store that failed is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a signing key is used while the store cannot be asked.
const STALE: Duration = Duration::from_secs(60);

/// How long the store may take.
pub(crate) const STORE: Duration = Duration::from_secs(3);
