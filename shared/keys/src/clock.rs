use std::time::{SystemTime, UNIX_EPOCH};

use drawbridge_verify::UnixTime;

/// Where the time comes from; tests and `decide --at` bring their own.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> UnixTime;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixTime::from_secs(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still.
impl Clock for UnixTime {
    fn now(&self) -> UnixTime {
        *self
    }
}
