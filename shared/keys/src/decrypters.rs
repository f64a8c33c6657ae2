use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use drawbridge_verify::{
    KeyUse,
    jwe::{ContentKey, Sealed},
};

use crate::{
    BackendName, Decrypter, Keeping, KeptByKid, KeyLimits, KeyStore, Kid, ResolveError, StoreError,
    resolver::Budget, unwraps::Unwraps,
};

/// The decryption keys of one backend, by kid: what a [`Resolver`](crate::Resolver) is for public keys.
///
/// A key is asked for again after 10 seconds, so that one that was revoked is gone by then; while its store cannot be asked it is
/// used for up to a minute. There is one look-up for a kid at a time, and it ends within 3 seconds; whoever has a key goes on
/// with it meanwhile. 64 keys are kept. Kids that are not known here cost what the limits of the issuer allow, as its signing keys
/// do, and are remembered as long as these.
pub struct Decrypters {
    store: Arc<dyn KeyStore>,
    backend: BackendName,
    kept: KeptByKid<Arc<dyn Decrypter>>,
    budget: Mutex<Budget>,
    unwraps: Unwraps,
}

impl Decrypters {
    /// `store`: where the keys of `backend` are.
    pub fn new(store: Arc<dyn KeyStore>, backend: BackendName, limits: &KeyLimits) -> Self {
        let keeping = Keeping { absent: limits.absent, failing: limits.failing, ..Keeping::default() };
        Self {
            store,
            backend,
            kept: KeptByKid::new(keeping, KEPT, limits.absents),
            budget: Mutex::new(Budget::new(limits)),
            unwraps: Unwraps::default(),
        }
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
        let admit = || {
            let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
            budget.spend(peer).map_err(|why| ResolveError::Unavailable(why.to_owned()))
        };
        self.kept.get(&kid, admit, self.read(&kid)).await
    }

    /// The content key of a token that what [`resolve`](Self::resolve) gave admitted. In a store 32 are unwrapped at a time; tokens of a
    /// peer that sent more than 20 within a minute that did not open go two at a time, beside the others.
    ///
    /// # Errors
    /// As [`Decrypter::unwrap`].
    pub async fn unwrap(
        &self,
        decrypter: &dyn Decrypter,
        sealed: &Sealed<'_>,
        peer: Option<IpAddr>,
    ) -> Result<ContentKey, StoreError> {
        if decrypter.is_local() {
            return decrypter.unwrap(sealed).await;
        }
        let _place = self.unwraps.place(peer).await?;
        decrypter.unwrap(sealed).await
    }

    /// To be told of a token that the content key did not open: anybody can make one, and it costs the store an unwrapping.
    pub fn did_not_open(&self, decrypter: &dyn Decrypter, peer: Option<IpAddr>) {
        if !decrypter.is_local() {
            self.unwraps.count(peer);
        }
    }

    async fn read(&self, kid: &Kid) -> Result<Arc<dyn Decrypter>, StoreError> {
        let decrypter = self.store.decrypter(kid).await?;
        if decrypter.recipient().kid() != kid.to_string() {
            return Err(StoreError::Malformed("it gave another key than it was asked for".to_owned()));
        }
        Ok(decrypter)
    }
}

impl From<StoreError> for ResolveError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::Unknown,
            StoreError::Malformed(what) | StoreError::Unsupported(what) => Self::Unusable(what),
            error => Self::Unavailable(error.to_string()),
        }
    }
}

/// Keys that are kept. There is one in use, and its predecessor for the minutes after a rotation.
const KEPT: usize = 64;
