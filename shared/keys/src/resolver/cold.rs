use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use quick_cache::unsync::Cache;
use tokio::{sync::watch, time::Instant};

use super::{KeyLimits, ResolveError, Table, budget::Budget};

/// What a resolver remembers beside its keys.
pub(super) struct Cold {
    flights: HashMap<Box<str>, Flight>,
    /// Kids without a key. Apart from the keys, so that a flood of kids cannot push a key out.
    misses: Cache<Box<str>, Miss>,
    pub(super) revoked: HashSet<Box<str>>,
    pub(super) budget: Budget,
}

struct Miss {
    why: ResolveError,
    until: Instant,
}

/// A fetch under way, as those see it who wait for it.
#[derive(Clone)]
pub(super) struct Flight(watch::Receiver<Option<Landed>>);

/// How a fetch ended: the table as it was then, or why there is none.
#[derive(Clone)]
pub(super) enum Landed {
    Answered(Arc<Table>),
    Failed(Arc<str>),
    /// The process was frozen meanwhile; it is worth asking again.
    Overslept,
}

impl Cold {
    pub(super) fn new(limits: &KeyLimits) -> Self {
        Self {
            flights: HashMap::new(),
            misses: Cache::new(limits.absents.max(1)),
            revoked: HashSet::new(),
            budget: Budget::new(limits),
        }
    }

    pub(super) fn flight(&self, name: &str) -> Option<Flight> {
        self.flights.get(name).cloned()
    }

    pub(super) fn take_off(&mut self, name: &str) -> (Flight, watch::Sender<Option<Landed>>) {
        let (sender, receiver) = watch::channel(None);
        let flight = Flight(receiver);
        self.flights.insert(name.into(), flight.clone());
        (flight, sender)
    }

    pub(super) fn land(&mut self, name: &str) {
        self.flights.remove(name);
    }

    /// Whether it is known that there is nothing to ask.
    pub(super) fn remembered(&self, name: &str, now: Instant) -> Result<(), ResolveError> {
        match self.misses.get(name) {
            Some(miss) if now < miss.until => Err(miss.why.clone()),
            _ => Ok(()),
        }
    }

    pub(super) fn remember(&mut self, name: &str, why: ResolveError, until: Instant) {
        self.misses.insert(name.into(), Miss { why, until });
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.misses.remove(name);
    }
}

impl Flight {
    pub(super) async fn landed(mut self) -> Landed {
        match self.0.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(landed)) => landed.clone(),
            _ => Landed::Failed("the fetch was abandoned".into()),
        }
    }
}
