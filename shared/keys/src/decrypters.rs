use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use drawbridge_verify::KeyUse;
use quick_cache::sync::Cache;
use tokio::time::{Instant, timeout};

use crate::{
    BackendName, Decrypter, KeyLimits, KeyStore, Kid, ResolveError, StoreError, resolver::Budget,
    source::STORE,
};

/// The decryption keys of one backend, by kid: what a [`Resolver`](crate::Resolver) is for public keys.
///
/// A key is asked for again after 10 seconds, so that one that was revoked is gone by then; while its store cannot be asked it is
/// used for up to a minute. There is one look-up for a kid at a time, which all who want it share, and it ends within 3
/// seconds. 64 keys are kept. Kids that are not known here cost what the limits of the issuer allow, as its signing keys do.
pub struct Decrypters {
    store: Arc<dyn KeyStore>,
    backend: BackendName,
    kept: Cache<Kid, Kept>,
    budget: Mutex<Budget>,
}

#[derive(Clone)]
struct Kept {
    decrypter: Arc<dyn Decrypter>,
    read: Instant,
    /// When the store is to be asked next.
    next: Instant,
}

impl Decrypters {
    /// `store`: where the keys of `backend` are.
    pub fn new(store: Arc<dyn KeyStore>, backend: BackendName, limits: &KeyLimits) -> Self {
        Self { store, backend, kept: Cache::new(KEPT), budget: Mutex::new(Budget::new(limits)) }
    }

    /// What decrypts for a kid. `peer` is who asked, for its fair share of look-ups.
    ///
    /// # Errors
    /// [`ResolveError`]; `Foreign` for everything but `<backend>.enc.<version>`, before the store is asked.
    pub async fn resolve(&self, kid: &str, peer: Option<IpAddr>) -> Result<Arc<dyn Decrypter>, ResolveError> {
        let kid: Kid = kid.parse().map_err(|_| ResolveError::Foreign)?;
        if kid.backend != self.backend || kid.key_use != KeyUse::Encryption {
            return Err(ResolveError::Foreign);
        }
        let before = self.kept.get(&kid);
        if let Some(kept) = before.as_ref().filter(|kept| kept.is_fresh()) {
            return Ok(Arc::clone(&kept.decrypter));
        }
        self.kept.remove_if(&kid, |kept| !kept.is_fresh());
        let known = before.is_some();
        let look_up = self.kept.get_or_insert_async(&kid, self.read(&kid, known, peer));
        let late = ResolveError::Unavailable("the key store did not answer in time".to_owned());
        match (timeout(STORE, look_up).await.unwrap_or(Err(late)), before) {
            (Ok(kept), _) => Ok(kept.decrypter),
            (Err(ResolveError::Unavailable(_)), Some(before)) if before.read.elapsed() < STALE => {
                let decrypter = Arc::clone(&before.decrypter);
                self.kept.insert(kid, Kept { next: Instant::now() + AGAIN, ..before });
                Ok(decrypter)
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Asks the store. Whoever only waits for this spends nothing.
    async fn read(&self, kid: &Kid, known: bool, peer: Option<IpAddr>) -> Result<Kept, ResolveError> {
        if !known {
            let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
            budget.spend(peer).map_err(|why| ResolveError::Unavailable(why.to_owned()))?;
        }
        let decrypter = self.store.decrypter(kid).await.map_err(|error| match error {
            StoreError::NotFound => ResolveError::Unknown,
            StoreError::Malformed(what) | StoreError::Unsupported(what) => ResolveError::Unusable(what),
            error => ResolveError::Unavailable(error.to_string()),
        })?;
        if decrypter.recipient().kid() != kid.to_string() {
            return Err(ResolveError::Unusable("the key store gave another key".to_owned()));
        }
        let read = Instant::now();
        Ok(Kept { decrypter, read, next: read + REFRESH })
    }
}

impl Kept {
    fn is_fresh(&self) -> bool {
        Instant::now() < self.next
    }
}

/// Keys that are kept. There is one in use, and its predecessor for the minutes after a rotation.
const KEPT: usize = 64;

/// How long a key is used before the store is asked again.
const REFRESH: Duration = Duration::from_secs(10);

/// How soon a store that failed is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a key is used while the store cannot be asked.
const STALE: Duration = Duration::from_secs(60);
