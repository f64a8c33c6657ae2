use drawbridge_policy::Match;
use drawbridge_verify::{UnixTime, Verified};

use crate::{Decision, Request};

/// The gate of one backend: everything parsed and ready.
pub struct Gate {
    _private: (),
}

/// A request that was granted, while its claims are still at hand.
pub struct Grant<'g> {
    /// The verified claims.
    pub claims: &'g Verified<'g>,
    /// The matched route.
    pub route: &'g Match<'g, 'g>,
}

impl Gate {
    /// Decides one request and records the decision. Never panics, never hangs; every failure is a deny.
    pub async fn decide(&self, request: &Request<'_>, now: UnixTime) -> Decision {
        self.decide_and(request, now, |_| ()).await.0
    }

    /// As [`decide`](Self::decide); `take` reads the verified claims of a granted request before they go.
    pub async fn decide_and<T>(
        &self,
        request: &Request<'_>,
        now: UnixTime,
        take: impl FnOnce(Grant<'_>) -> T + Send,
    ) -> (Decision, Option<T>)
    where
        T: Send,
    {
        let _ = (request, now, take);
        todo!()
    }
}
