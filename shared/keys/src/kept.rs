use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use quick_cache::sync::Cache;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout_at},
};

use crate::{Kid, StoreError, source::STORE};

/// What a store says of one thing, asked for anew every few seconds so that a change is picked up.
///
/// Nobody waits for the store while there is an answer that may still be used: one caller asks, the others use what is there. Where
/// there is none one caller asks and the others wait for what it is told, be it an error. Nobody waits longer than 3 seconds.
pub struct Kept<V> {
    keeping: Keeping,
    said: RwLock<Said<V>>,
    asking: Mutex<()>,
}

/// For how long what a store said is used.
#[derive(Clone, Copy, Debug)]
pub struct Keeping {
    /// Before the store is asked again. Default 10 seconds.
    pub fresh: Duration,
    /// While the store cannot be asked. Default 1 minute.
    pub stale: Duration,
    /// That there is no such key, or that it may not be used. Default 10 seconds.
    pub absent: Duration,
    /// That the store could not be asked. Default 1 second.
    pub failing: Duration,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            fresh: Duration::from_secs(10),
            stale: STALE,
            absent: Duration::from_secs(10),
            failing: Duration::from_secs(1),
        }
    }
}

/// How long a key is used while its store cannot be asked.
pub(crate) const STALE: Duration = Duration::from_secs(60);

struct Said<V> {
    /// The last answer, and when it was asked for.
    value: Option<(V, Instant)>,
    /// What went wrong since.
    failure: Option<StoreError>,
    /// When the store is to be asked next.
    next: Instant,
}

/// What can be answered without asking.
enum Standing<V> {
    Answered(Result<V, StoreError>),
    /// An answer that may be used, though the store is to be asked again.
    Old(V),
    Nothing,
}

impl<V: Clone> Kept<V> {
    /// Nothing yet.
    pub fn new(keeping: Keeping) -> Self {
        let said = Said { value: None, failure: None, next: Instant::now() };
        Self { keeping, said: RwLock::new(said), asking: Mutex::new(()) }
    }

    /// What the store says. `ask` begins to ask it, or says why this caller may not, of which nobody else is told.
    ///
    /// # Errors
    /// Those of `ask` and of the store. One that says nothing of the key, only when there is no answer that may still be used.
    pub async fn get<F, E>(&self, ask: impl FnOnce() -> Result<F, E>) -> Result<V, E>
    where
        F: Future<Output = Result<V, StoreError>>,
        E: From<StoreError>,
    {
        let old = match self.standing() {
            Standing::Answered(answer) => return Ok(answer?),
            Standing::Old(value) => Some(value),
            Standing::Nothing => None,
        };
        // One limit for waiting and asking together.
        let until = Instant::now() + STORE;
        let late = |_| StoreError::Unavailable("it did not answer in time".to_owned());
        let _asking = match (self.asking.try_lock(), old) {
            (Ok(asking), _) => asking,
            (Err(_), Some(old)) => return Ok(old),
            (Err(_), None) => timeout_at(until, self.asking.lock()).await.map_err(late)?,
        };
        // Whoever was ahead may have been answered.
        if let Standing::Answered(answer) = self.standing() {
            return Ok(answer?);
        }
        let (answer, asked) = (ask()?, Instant::now());
        let answer = timeout_at(until, answer).await.map_err(late).and_then(|answer| answer);
        Ok(self.keep(answer, asked)?)
    }

    fn standing(&self) -> Standing<V> {
        let said = self.said.read().unwrap_or_else(PoisonError::into_inner);
        let due = Instant::now() >= said.next;
        match (said.usable(self.keeping.stale), &said.failure) {
            (Some(value), _) if due => Standing::Old(value),
            (Some(value), _) => Standing::Answered(Ok(value)),
            (None, Some(failure)) if !due => Standing::Answered(Err(failure.clone())),
            (None, _) => Standing::Nothing,
        }
    }

    fn keep(&self, answer: Result<V, StoreError>, asked: Instant) -> Result<V, StoreError> {
        let Keeping { fresh, stale, absent, failing } = self.keeping;
        let now = Instant::now();
        let mut said = self.said.write().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(value) => {
                *said = Said { value: Some((value.clone(), asked)), failure: None, next: asked + fresh };
                Ok(value)
            }
            Err(failure) if failure.says_nothing_of_the_key() => {
                said.failure = Some(failure.clone());
                said.next = now + failing;
                said.usable(stale).ok_or(failure)
            }
            Err(failure) => {
                *said = Said { value: None, failure: Some(failure.clone()), next: now + absent };
                Err(failure)
            }
        }
    }

    fn is_absent(&self) -> bool {
        let said = self.said.read().unwrap_or_else(PoisonError::into_inner);
        said.failure == Some(StoreError::NotFound)
    }
}

impl<V: Clone> Said<V> {
    fn usable(&self, stale: Duration) -> Option<V> {
        let (value, asked) = self.value.as_ref()?;
        (asked.elapsed() < stale).then(|| value.clone())
    }
}

/// A [`Kept`] for each of many kids.
///
/// Kids that the store knows are kept apart from those that it does not, so that a flood of these pushes none of them out and is
/// all that a caller's budget has to bound.
pub struct KeptByKid<V> {
    keeping: Keeping,
    known: Cache<Kid, Arc<Kept<V>>>,
    strangers: Cache<Kid, Arc<Kept<V>>>,
}

impl<V: Clone> KeptByKid<V> {
    /// Nothing yet, and never more than so many kids of either sort.
    pub fn new(keeping: Keeping, known: usize, strangers: usize) -> Self {
        Self { keeping, known: Cache::new(known.max(1)), strangers: Cache::new(strangers.max(1)) }
    }

    /// As [`Kept::get`]. `admit` is asked before a look-up for a kid that the store is not known to have; who only waits for one,
    /// or is told what is remembered, spends nothing.
    ///
    /// # Errors
    /// As [`Kept::get`].
    pub async fn get<E: From<StoreError>>(
        &self,
        kid: &Kid,
        admit: impl FnOnce() -> Result<(), E>,
        look_up: impl Future<Output = Result<V, StoreError>>,
    ) -> Result<V, E> {
        let known = self.known.get(kid);
        let is_known = known.is_some();
        let kept = known.map_or_else(|| self.stranger(kid), Ok)?;
        let answer = kept
            .get(|| {
                if !is_known {
                    admit()?;
                }
                Ok(look_up)
            })
            .await;
        if answer.is_ok() && !is_known {
            self.known.insert(kid.clone(), kept);
            self.strangers.remove(kid);
        } else if answer.is_err() && is_known && kept.is_absent() {
            self.strangers.insert(kid.clone(), kept);
            self.known.remove(kid);
        }
        answer
    }

    fn stranger<E>(&self, kid: &Kid) -> Result<Arc<Kept<V>>, E> {
        self.strangers.get_or_insert_with(kid, || Ok(Arc::new(Kept::new(self.keeping))))
    }
}
