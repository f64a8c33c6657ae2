use std::{
    collections::{HashMap, hash_map},
    sync::Arc,
    time::Duration,
};

use drawbridge_verify::{JwkSet, PublicJwk};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, watch},
    time::{Instant, timeout},
};

use super::{
    ResolveError, Shared,
    cold::{Cold, Flight, Landed},
    table::{Entry, Table},
};
use crate::{Fetched, SourceError};

/// The least time for which an answer is fresh, even one that says `max-age=0`: every request would be a fetch otherwise.
const LEAST_FRESH: Duration = Duration::from_secs(1);
/// The longest that a fetch may take, waiting for its turn included, whatever the source's own limits are.
const LONGEST: Duration = Duration::from_secs(5);
/// A fetch that took longer slept on the way: functions are frozen between requests, often with a fetch in the background.
const OVERSLEPT: Duration = Duration::from_secs(6);

/// Fetches at the same time. Keys that are known have their own places, which no flood of new kids can take.
pub(super) struct Pools {
    known: Semaphore,
    new: Semaphore,
}

#[derive(Clone, Copy)]
pub(super) enum Class {
    /// There is a key that gets old.
    Known,
    /// The kid was never seen before.
    New,
}

impl Pools {
    /// A quarter of the places, and at least one, is for known keys.
    pub(super) fn new(concurrent: usize) -> Self {
        let concurrent = concurrent.clamp(2, 1024);
        let known = (concurrent / 4).max(1);
        Self { known: Semaphore::new(known), new: Semaphore::new(concurrent - known) }
    }

    fn of(&self, class: Class) -> &Semaphore {
        match class {
            Class::Known => &self.known,
            Class::New => &self.new,
        }
    }
}

impl Shared {
    /// Announces a fetch, so that nobody else starts it. It starts when the lock of `cold` is free again.
    pub(super) fn take_off(self: &Arc<Self>, cold: &mut Cold, kid: &str, class: Class) -> Departure {
        let (flight, sender) = cold.take_off(self.flight_of(kid));
        let started = Instant::now();
        let landing = Landing { shared: Arc::clone(self), kid: kid.into(), sender, started, landed: false };
        Departure { landing, class, flight }
    }

    /// Takes what a fetch brought into the table, all at once. Keys age from when they were asked for.
    fn land(
        &self,
        cold: &mut Cold,
        kid: &str,
        fetched: Result<Fetched, SourceError>,
        started: Instant,
    ) -> Landed {
        let now = Instant::now();
        let name = self.flight_of(kid);
        let one = (!self.whole_sets).then_some(kid);
        cold.land(name);
        // What was asked so long ago says nothing of the source as it is now, be it a key or a failure.
        if now.duration_since(started) > OVERSLEPT {
            self.replace(self.table.load().with_changed(one, Entry::after_nothing));
            return Landed::Overslept;
        }
        let why = match fetched {
            Ok(fetched) if self.whole_sets => match self.of_set(cold, &fetched, started) {
                Ok(table) => {
                    // Whatever is not in the set does not exist; that needs no second look for a while.
                    cold.remember(name, ResolveError::Unknown, now + self.limits.absent);
                    return self.replace(table);
                }
                Err(why) => why,
            },
            Ok(fetched) => match self.of_kid(kid, &fetched, started) {
                Ok(_) if cold.revoked.contains(kid) => return self.replace(self.table.load().without(kid)),
                Ok(entry) => {
                    cold.forget(name);
                    return self.replace(self.table.load().with(kid, entry, self.limits.keys));
                }
                Err(why) => why,
            },
            Err(SourceError::NotFound) if !self.whole_sets => {
                cold.remember(name, ResolveError::Unknown, now + self.limits.absent);
                return self.replace(self.table.load().without(kid));
            }
            Err(error) => error.to_string(),
        };
        let retry_at = now + self.limits.failing;
        cold.remember(name, ResolveError::Unavailable(why.clone()), retry_at);
        self.replace(self.table.load().with_changed(one, |entry| entry.after_failure(retry_at)));
        Landed::Failed(why.into())
    }

    fn replace(&self, table: Table) -> Landed {
        let table = Arc::new(table);
        self.table.store(Arc::clone(&table));
        Landed::Answered(table)
    }

    fn of_kid(&self, kid: &str, fetched: &Fetched, now: Instant) -> Result<Entry, String> {
        let mut found = fetched.keys.iter().filter(|key| key.kid() == Some(kid));
        match (found.next(), found.next()) {
            (Some(key), None) => Ok(self.entry(kid, key, fetched.max_age, now)),
            (None, _) => Err("the key source answered with another key".to_owned()),
            (Some(_), Some(_)) => Err("the key source answered with two keys of one kid".to_owned()),
        }
    }

    fn of_set(&self, cold: &Cold, fetched: &Fetched, now: Instant) -> Result<Table, String> {
        if fetched.keys.len() > self.limits.keys.max(JwkSet::MAX_KEYS) {
            return Err("the key source answered with more keys than are kept".to_owned());
        }
        let mut entries = HashMap::new();
        let named = fetched.keys.iter().filter_map(|key| key.kid().map(|kid| (kid, key)));
        for (kid, key) in named {
            if self.admission.name(kid).is_err() || cold.revoked.contains(kid) {
                continue;
            }
            match entries.entry(kid.into()) {
                hash_map::Entry::Vacant(place) => {
                    place.insert(Arc::new(self.entry(kid, key, fetched.max_age, now)));
                }
                hash_map::Entry::Occupied(_) => {
                    return Err("the key source answered with two keys of one kid".to_owned());
                }
            }
        }
        Ok(Table::of_set(entries))
    }

    fn entry(&self, kid: &str, key: &PublicJwk, max_age: Option<Duration>, now: Instant) -> Entry {
        let most = self.limits.fresh;
        let fresh = max_age.map_or(most, |max_age| max_age.max(LEAST_FRESH).min(most));
        Entry::new(self.admission.key(key, kid), now, fresh, self.limits.stale)
    }
}

/// A fetch that was announced and has to start.
pub(super) struct Departure {
    landing: Landing,
    class: Class,
    flight: Flight,
}

impl Departure {
    /// Starts the fetch as a task of its own: those who wait for it may come and go. A runtime that is shutting down, or is none
    /// at all, drops the task at once, which lands it.
    pub(super) fn depart(self) -> Flight {
        let Self { landing, class, flight } = self;
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(landing.fly(class));
        }
        flight
    }
}

/// Lands a fetch however it ends, so that one that was abandoned stops nobody from trying again.
struct Landing {
    shared: Arc<Shared>,
    kid: Box<str>,
    sender: watch::Sender<Option<Landed>>,
    started: Instant,
    landed: bool,
}

impl Landing {
    async fn fly(mut self, class: Class) {
        let fetch = async {
            let _place = self.shared.pools.of(class).acquire().await;
            self.shared.source.fetch(&self.kid).await
        };
        let fetched = timeout(LONGEST, fetch).await.unwrap_or_else(|_| {
            Err(SourceError::Unavailable(format!("no answer within {} s", LONGEST.as_secs())))
        });
        self.land(fetched);
    }

    fn land(&mut self, fetched: Result<Fetched, SourceError>) {
        self.landed = true;
        let mut cold = self.shared.cold();
        let landed = self.shared.land(&mut cold, &self.kid, fetched, self.started);
        drop(cold);
        self.sender.send_replace(Some(landed));
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if !self.landed {
            self.land(Err(SourceError::Unavailable("the fetch was abandoned".to_owned())));
        }
    }
}
