use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use crate::MintError;

/// A key of a store that is in use, read anew every few seconds so that a rotation is picked up.
///
/// Nobody waits for the store while there is a key that may still be used: one caller reads, the others use what is there.
pub(crate) struct Current<K> {
    kept: RwLock<Option<Kept<K>>>,
    reading: Mutex<()>,
}

#[derive(Clone)]
struct Kept<K> {
    key: K,
    read: Instant,
    /// When the store is to be asked next.
    next: Instant,
}

impl<K: Clone> Current<K> {
    pub(crate) fn new() -> Self {
        Self { kept: RwLock::new(None), reading: Mutex::new(()) }
    }

    /// The key to use now. `read` asks the store.
    ///
    /// # Errors
    /// Those of `read`. An `Unavailable` one only when the store has been failing for longer than [`STALE`], or from the start.
    pub(crate) async fn get(&self, read: impl Future<Output = Result<K, MintError>>) -> Result<K, MintError> {
        let usable = |kept: &Kept<K>| kept.read.elapsed() < STALE;
        let kept = match self.kept().filter(usable) {
            Some(kept) if Instant::now() < kept.next => return Ok(kept.key),
            kept => kept,
        };
        let (kept, _guard) = match kept {
            Some(kept) => match self.reading.try_lock() {
                Ok(guard) => (Some(kept), guard),
                Err(_) => return Ok(kept.key),
            },
            None => {
                let guard = self.reading.lock().await;
                // Whoever was ahead may have read it.
                match self.kept().filter(usable) {
                    Some(kept) => return Ok(kept.key),
                    None => (None, guard),
                }
            }
        };
        let late = || MintError::Unavailable("the key store did not answer in time".to_owned());
        match (timeout(STORE, read).await.unwrap_or_else(|_| Err(late())), kept) {
            (Ok(key), _) => {
                let read = Instant::now();
                self.keep(Kept { key: key.clone(), read, next: read + REFRESH });
                Ok(key)
            }
            // A store that cannot be asked says nothing about the key; one that says what is wrong with it does.
            (Err(MintError::Unavailable(_)), Some(kept)) => {
                self.keep(Kept { next: Instant::now() + AGAIN, ..kept.clone() });
                Ok(kept.key)
            }
            (Err(error), _) => {
                *self.kept.write().unwrap_or_else(PoisonError::into_inner) = None;
                Err(error)
            }
        }
    }

    fn kept(&self) -> Option<Kept<K>> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, kept: Kept<K>) {
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }
}

/// How long a key is used before the store is asked again.
const REFRESH: Duration = Duration::from_secs(10);

/// How soon a store that failed is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a key is used while the store cannot be asked.
const STALE: Duration = Duration::from_secs(60);

/// How long the store may take.
pub(crate) const STORE: Duration = Duration::from_secs(3);
