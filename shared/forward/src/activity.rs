use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::Limits;

/// What happened in one exchange so far, seen from both of its directions.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    start: Instant,
    limits: Limits,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// When something last moved: microseconds after the start.
    moved: AtomicU64,
    /// The client's body broke off.
    broken: AtomicBool,
}

impl Activity {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { start: Instant::now(), limits, seen: Arc::default() }
    }

    /// Something moved.
    pub(crate) fn moved(&self) {
        let micros = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.seen.moved.store(micros, Ordering::Relaxed);
    }

    /// The client's body broke off.
    pub(crate) fn broke(&self) {
        self.seen.broken.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.seen.broken.load(Ordering::Relaxed)
    }

    /// When the exchange is to be given up, if nothing moves until then.
    pub(crate) fn deadline(&self) -> Instant {
        let moved = Duration::from_micros(self.seen.moved.load(Ordering::Relaxed));
        let idle = moved.saturating_add(self.limits.idle);
        let after = self.limits.total.map_or(idle, |total| total.min(idle));
        self.start.checked_add(after).unwrap_or_else(|| self.start + LONG)
    }

    /// What `work` gives, or None where the deadline passes first.
    pub(crate) async fn bound<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let deadline = self.deadline();
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = sleep_until(deadline) => if self.deadline() <= deadline { return None },
            }
        }
    }
}

/// Where a limit is beyond what the clock can tell.
const LONG: Duration = Duration::from_secs(30 * 24 * 3600);

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn what_moves_goes_on_until_the_limit_of_all_of_it() {
        for (idle, total, moves, ends) in [
            (10, None, 0, Some(9)),
            (10, None, 0, None),
            (10, None, 4, Some(39)),
            (10, Some(30), 4, None),
            (10, Some(60), 4, Some(39)),
            (u64::MAX, None, 0, Some(100)),
        ] {
            let limits = Limits { idle: Duration::from_secs(idle), total: total.map(Duration::from_secs) };
            let activity = Activity::new(limits);
            let moving = activity.clone();
            let work = async move {
                for _ in 0..moves {
                    sleep(SECOND * 9).await;
                    moving.moved();
                }
                sleep(SECOND * ends.map_or(1000, |ends: u32| ends - moves * 9)).await;
            };
            let bound = activity.bound(work).await;
            assert_eq!(bound.is_some(), ends.is_some(), "{limits:?} {moves} {ends:?}");
        }
    }
}
