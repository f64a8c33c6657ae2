use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use drawbridge_verify::{Algorithms, PublicKey, Thumbprint};
use thiserror::Error;
use tokio::time::Instant;

pub(crate) use self::budget::{Budget, Peer};
use self::{
    admission::Admission,
    cold::{Cold, Flight, Landed},
    flight::{Class, Departure, Pools},
    table::Table,
};
use crate::{BackendName, KeySource};

mod admission;
mod budget;
mod cold;
mod flight;
mod table;

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
///
/// What it promises, with the numbers, is in the documentation of this crate. A resolver belongs to one issuer and, where keys
/// are per backend, to one backend: nothing in it is shared, so that a kid of one issuer never finds a key of another.
pub struct Resolver(Arc<Shared>);

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

struct Shared {
    source: Arc<dyn KeySource>,
    whole_sets: bool,
    admission: Admission,
    limits: KeyLimits,
    /// What every decision reads: one atomic load, no lock, no write. Replaced whole, under the lock of `cold`.
    table: ArcSwap<Table>,
    /// What only a miss, a refresh or a revocation touches. Never held across I/O.
    cold: Mutex<Cold>,
    pools: Pools,
}

/// What a kid without a fresh key costs.
enum Ticket {
    Answered(Result<Arc<PublicKey>, ResolveError>),
    Waiting(Flight),
    Departing(Departure),
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
        Self(Arc::new(Shared {
            whole_sets: source.reads_whole_sets(),
            source,
            admission: Admission { own, algorithms, without_alg, pinned },
            table: ArcSwap::default(),
            cold: Mutex::new(Cold::new(&limits)),
            pools: Pools::new(limits.concurrent),
            limits,
        }))
    }

    /// The key of a kid that passed the kid grammar. `peer` is who asked, for its fair share of fetches.
    ///
    /// Must be called on a Tokio runtime: fetches run as tasks of their own, so that one that is under way goes on when the
    /// request that asked for it goes away.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub async fn resolve(&self, kid: &str, peer: Option<IpAddr>) -> Result<Arc<PublicKey>, ResolveError> {
        // A second time where the process was frozen while the fetch was under way.
        for _ in 0..2 {
            let now = Instant::now();
            if let Some(key) = self.0.fresh(kid, now) {
                return key;
            }
            let ticket = {
                let mut cold = self.0.cold();
                self.0.ask(&mut cold, kid, peer, now)
            };
            let flight = match ticket {
                Ticket::Answered(answer) => return answer,
                Ticket::Waiting(flight) => flight,
                Ticket::Departing(departure) => departure.depart(),
            };
            match flight.landed().await {
                Landed::Answered(table) => {
                    return table.get(kid).map_or(Err(ResolveError::Unknown), |entry| entry.key());
                }
                Landed::Failed(why) => {
                    let table = self.0.table.load();
                    let stale = table.get(kid).filter(|entry| Instant::now() < entry.stale_at);
                    return stale
                        .map_or(Err(ResolveError::Unavailable(why.to_string())), |entry| entry.key());
                }
                Landed::Overslept => {}
            }
        }
        Err(ResolveError::Unavailable("the process was asleep".to_owned()))
    }

    /// Whose keys alone are asked for, where kids are ours.
    pub fn own(&self) -> Option<&BackendName> {
        self.0.admission.own.as_ref()
    }

    /// Forgets a key at once and refuses it from now on, for the life of this resolver.
    pub fn revoke(&self, kid: &str) {
        let mut cold = self.0.cold();
        cold.revoked.insert(kid.into());
        self.0.table.store(Arc::new(self.0.table.load().without(kid)));
    }
}

impl Shared {
    /// The hot path. A kid that is in the table has passed every check that needs no key.
    fn fresh(self: &Arc<Self>, kid: &str, now: Instant) -> Option<Result<Arc<PublicKey>, ResolveError>> {
        let table = self.table.load();
        let entry = table.get(kid).filter(|entry| now < entry.fresh_until)?;
        if now >= entry.refresh_at && entry.claim_refresh() {
            self.refresh_ahead(kid);
        }
        Some(entry.key())
    }

    /// Starts a fetch in the background, for a key that is still fresh but will not be for long.
    fn refresh_ahead(self: &Arc<Self>, kid: &str) {
        let departure = {
            let mut cold = self.cold();
            let under_way = cold.flight(self.flight_of(kid)).is_some();
            (!under_way).then(|| self.take_off(&mut cold, kid, Class::Known))
        };
        if let Some(departure) = departure {
            departure.depart();
        }
    }

    /// Decides what a kid costs: nothing, waiting for a fetch under way, or a new fetch.
    fn ask(self: &Arc<Self>, cold: &mut Cold, kid: &str, peer: Option<IpAddr>, now: Instant) -> Ticket {
        if cold.revoked.contains(kid) {
            return Ticket::Answered(Err(ResolveError::Unknown));
        }
        let name = self.flight_of(kid);
        if let Some(entry) = self.table.load().get(kid) {
            if now < entry.fresh_until {
                return Ticket::Answered(entry.key());
            }
            // Past its freshness a key is used only while its source fails, which the last attempt must have shown just now.
            let flight = cold.flight(name);
            if entry.failed && (now < entry.refresh_at || flight.is_some()) {
                return Ticket::Answered(entry.stale_key(now));
            }
            return match flight {
                Some(flight) => Ticket::Waiting(flight),
                None => Ticket::Departing(self.take_off(cold, kid, Class::Known)),
            };
        }
        if let Err(refused) = self.admission.name(kid).and_then(|()| cold.remembered(name, now)) {
            return Ticket::Answered(Err(refused));
        }
        if let Some(flight) = cold.flight(name) {
            return Ticket::Waiting(flight);
        }
        if let Err(refused) = cold.budget.spend(peer) {
            return Ticket::Answered(Err(ResolveError::Unavailable(refused.to_owned())));
        }
        Ticket::Departing(self.take_off(cold, kid, Class::New))
    }

    /// One fetch for each kid; one for all of them where the source reads whole sets. The empty text is no kid.
    fn flight_of<'k>(&self, kid: &'k str) -> &'k str {
        if self.whole_sets { "" } else { kid }
    }

    fn cold(&self) -> MutexGuard<'_, Cold> {
        self.cold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
