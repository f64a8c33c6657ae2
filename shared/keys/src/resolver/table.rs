use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use drawbridge_verify::PublicKey;
use tokio::time::Instant;

use super::ResolveError;

/// The keys that the source vouched for, by kid. Never changed: a change makes a new one, which costs one reference count a key.
#[derive(Clone, Default)]
pub(super) struct Table(HashMap<Box<str>, Arc<Entry>>);

/// What the source said of one kid, and for how long it holds. `refresh_at <= fresh_until <= stale_at`, unless it failed.
pub(super) struct Entry {
    key: Result<Arc<PublicKey>, String>,
    /// When the next fetch may start.
    pub(super) refresh_at: Instant,
    pub(super) fresh_until: Instant,
    /// The hard limit.
    pub(super) stale_at: Instant,
    /// Whether the last fetch failed.
    pub(super) failed: bool,
    refreshing: AtomicBool,
}

impl Entry {
    /// What a source said of a question asked at `now`, and holds fresh for `fresh`.
    pub(super) fn new(
        key: Result<Arc<PublicKey>, String>,
        now: Instant,
        fresh: Duration,
        stale: Duration,
    ) -> Self {
        let fresh = fresh.min(stale);
        Self {
            key,
            refresh_at: now + fresh.mul_f64(0.8),
            fresh_until: now + fresh,
            stale_at: now + stale,
            failed: false,
            refreshing: AtomicBool::new(false),
        }
    }

    /// The same after a fetch that failed: nothing lasts longer for it.
    pub(super) fn after_failure(&self, retry_at: Instant) -> Self {
        Self { refresh_at: retry_at, failed: true, ..self.after_nothing() }
    }

    /// The same after a fetch that says nothing.
    pub(super) fn after_nothing(&self) -> Self {
        Self { key: self.key.clone(), refreshing: AtomicBool::new(false), ..*self }
    }

    pub(super) fn key(&self) -> Result<Arc<PublicKey>, ResolveError> {
        self.key.clone().map_err(ResolveError::Unusable)
    }

    /// The key of a source that fails, up to the hard limit.
    pub(super) fn stale_key(&self, now: Instant) -> Result<Arc<PublicKey>, ResolveError> {
        if now < self.stale_at {
            return self.key();
        }
        Err(ResolveError::Unavailable("the key source fails, and the key that it gave is too old".to_owned()))
    }

    /// Whether the caller is the one who starts the fetch.
    pub(super) fn claim_refresh(&self) -> bool {
        !self.refreshing.load(Ordering::Relaxed) && !self.refreshing.swap(true, Ordering::Relaxed)
    }
}

impl Table {
    pub(super) fn get(&self, kid: &str) -> Option<&Entry> {
        self.0.get(kid).map(Arc::as_ref)
    }

    /// A table of a whole set.
    pub(super) fn of_set(entries: HashMap<Box<str>, Arc<Entry>>) -> Self {
        Self(entries)
    }

    /// With `kid`, and for each key over `most` without the one whose last fetch is the longest ago: a key in use is fetched
    /// again before its freshness ends, so that this is one that nobody uses.
    pub(super) fn with(&self, kid: &str, entry: Entry, most: usize) -> Self {
        let mut table = self.clone();
        table.0.insert(kid.into(), Arc::new(entry));
        while table.0.len() > most.max(1) {
            let others = table.0.iter().filter(|(other, _)| other.as_ref() != kid);
            let Some(oldest) =
                others.min_by_key(|(_, entry)| entry.stale_at).map(|(oldest, _)| oldest.clone())
            else {
                break;
            };
            table.0.remove(&oldest);
        }
        table
    }

    pub(super) fn without(&self, kid: &str) -> Self {
        let mut table = self.clone();
        table.0.remove(kid);
        table
    }

    /// With another entry for `kid`, or for every kid where there is none.
    pub(super) fn with_changed(&self, kid: Option<&str>, change: impl Fn(&Entry) -> Entry) -> Self {
        let mut table = self.clone();
        for (_, entry) in table.0.iter_mut().filter(|(other, _)| kid.is_none_or(|kid| other.as_ref() == kid))
        {
            *entry = Arc::new(change(entry));
        }
        table
    }
}
