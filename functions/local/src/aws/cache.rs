//! Authorizer results that are remembered.
//!
//! The key is the values of all identity sources of the authorizer (of a `TOKEN` authorizer, the token), and nothing else: not the
//! method, not the path, unless they are among the sources. What is remembered is the function's answer, whether it allows or
//! denies, and it is applied to every request with the key. Errors are not remembered. A TTL of 0 remembers nothing.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/configure-api-gateway-lambda-authorization.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html>

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Results by key, each for the same time.
pub(crate) struct Cache<T> {
    ttl: Duration,
    entries: Mutex<Entries<T>>,
}

/// Until when, and what.
type Entries<T> = HashMap<Vec<String>, (Instant, Arc<T>)>;

impl<T> Cache<T> {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl, entries: Mutex::default() }
    }

    /// What is remembered for a key. Without identity sources there is no key, and nothing is remembered.
    pub(crate) fn find(&self, key: &[String], now: Instant) -> Option<Arc<T>> {
        let entries = self.lock();
        let (until, result) = entries.get(key)?;
        (now < *until).then(|| Arc::clone(result))
    }

    pub(crate) fn remember(&self, key: &[String], result: &Arc<T>, now: Instant) {
        if self.ttl.is_zero() || key.is_empty() {
            return;
        }
        let mut entries = self.lock();
        if entries.len() >= MAX_ENTRIES {
            entries.retain(|_, (until, _)| now < *until);
        }
        if entries.len() >= MAX_ENTRIES
            && let Some(oldest) =
                entries.iter().min_by_key(|(_, (until, _))| *until).map(|(key, _)| key.clone())
        {
            entries.remove(&oldest);
        }
        entries.insert(key.to_vec(), (now + self.ttl, Arc::clone(result)));
    }

    fn lock(&self) -> MutexGuard<'_, Entries<T>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// More than a developer's machine sees in an hour; what expires first goes first.
const MAX_ENTRIES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    #[test]
    fn a_result_is_remembered_for_its_ttl_under_all_of_its_key() {
        let cache = Cache::new(Duration::from_secs(300));
        let now = Instant::now();
        cache.remember(&key(&["a", "b"]), &Arc::new(1), now);
        assert_eq!(cache.find(&key(&["a", "b"]), now).as_deref(), Some(&1));
        for other in [&["a"][..], &["b", "a"], &["a", "c"], &["a,b"], &["ab", ""], &["a", "b", "c"]] {
            assert_eq!(cache.find(&key(other), now), None, "{other:?}");
        }
        assert!(cache.find(&key(&["a", "b"]), now + Duration::from_secs(299)).is_some());
        assert_eq!(cache.find(&key(&["a", "b"]), now + Duration::from_secs(300)), None);
    }

    #[test]
    fn nothing_is_remembered_without_a_ttl_or_a_key() {
        let now = Instant::now();
        let off = Cache::new(Duration::ZERO);
        off.remember(&key(&["a"]), &Arc::new(1), now);
        assert_eq!(off.find(&key(&["a"]), now), None);
        let on = Cache::new(Duration::from_secs(1));
        on.remember(&[], &Arc::new(1), now);
        assert_eq!(on.find(&[], now), None);
    }

    #[test]
    fn the_number_of_results_is_bounded_and_the_oldest_goes_first() {
        let cache = Cache::new(Duration::from_secs(300));
        let mut now = Instant::now();
        for index in 0..=MAX_ENTRIES {
            cache.remember(&key(&[&index.to_string()]), &Arc::new(index), now);
            now += Duration::from_millis(1);
        }
        assert_eq!(cache.lock().len(), MAX_ENTRIES);
        assert_eq!(cache.find(&key(&["0"]), now), None);
        assert_eq!(cache.find(&key(&["1"]), now).as_deref(), Some(&1));
    }
}
