use std::{net::IpAddr, sync::Arc, time::Duration};

use drawbridge_verify::{Algorithms, PublicKey, Thumbprint};
use thiserror::Error;

use crate::{BackendName, KeySource};

/// Bounds of one resolver. The defaults are those of the documentation.
#[derive(Clone, Debug)]
pub struct KeyLimits {
    /// How long a key is fresh when the source does not say; also the most that a source may ask for. Default 5 minutes.
    pub fresh: Duration,
    /// The hard limit: a key older than this is not used, whatever the source's state. Default 1 hour.
    pub stale: Duration,
    /// How long "no such key" is remembered. Default 10 seconds.
    pub absent: Duration,
    /// How long a failing source is left alone. Default 1 second.
    pub failing: Duration,
    /// Keys kept. Default 256.
    pub keys: usize,
    /// Unknown kids remembered, apart from the keys. Default 1024.
    pub absents: usize,
    /// Fetches for kids never seen before, per minute and issuer. Default 60.
    pub fetches_per_minute: u32,
    /// Of those, for one source address. Default 20.
    pub fetches_per_minute_and_source: u32,
    /// Fetches at the same time. Default 8.
    pub concurrent: usize,
}

impl Default for KeyLimits {
    fn default() -> Self {
        Self {
            fresh: Duration::from_secs(300),
            stale: Duration::from_secs(3600),
            absent: Duration::from_secs(10),
            failing: Duration::from_secs(1),
            keys: 256,
            absents: 1024,
            fetches_per_minute: 60,
            fetches_per_minute_and_source: 20,
            concurrent: 8,
        }
    }
}

/// The caching resolver of one (issuer, backend): bounded, single-flight, budgeted, fails closed.
pub struct Resolver {
    _private: (),
}

/// Why there is no key to verify with.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// Our kids: the kid names another backend or another use. Nothing was asked.
    #[error("the kid names a key of another backend or use")]
    Foreign,
    /// There is no such key (any more).
    #[error("no such key")]
    Unknown,
    /// There is one, but it may not be used: wrong use, algorithm, weak, not pinned.
    #[error("the key may not be used: {0}")]
    Unusable(String),
    /// The source is down, slow, or the fetch budget is used up.
    #[error("the key cannot be had now: {0}")]
    Unavailable(String),
}

impl Resolver {
    /// `own`: kids are ours and must be `<own>.sig.<version>`; otherwise they are opaque.
    /// `pinned`: where not empty, only keys of these thumbprints are used.
    pub fn new(
        source: Arc<dyn KeySource>,
        own: Option<BackendName>,
        algorithms: Algorithms,
        without_alg: bool,
        pinned: Vec<Thumbprint>,
        limits: KeyLimits,
    ) -> Self {
        let _ = (source, own, algorithms, without_alg, pinned, limits);
        todo!()
    }

    /// The key of a kid that passed the kid grammar. `peer` is who asked, for its fair share of fetches.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub async fn resolve(&self, kid: &str, peer: Option<IpAddr>) -> Result<Arc<PublicKey>, ResolveError> {
        let _ = (kid, peer);
        todo!()
    }

    /// Forgets a key at once and refuses it from now on.
    pub fn revoke(&self, kid: &str) { let _ = kid; todo!() }
}
