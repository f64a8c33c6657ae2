use std::{
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use quick_cache::unsync::Cache;
use tokio::time::Instant;

use super::KeyLimits;

/// How often kids that were never seen before may cost a fetch. Known kids are not on it, and have places of their own among the
/// fetches at the same time, so that whoever spends it all keeps no key in use from being fetched again.
pub(crate) struct Budget {
    issuer: Limiter,
    share: NonZeroU32,
    /// Addresses are for free to who has enough of them, so there are never more than [`PEERS`] of these.
    peers: Cache<Peer, Limiter>,
    clock: TokioClock,
}

/// Source addresses that are told apart. One that is forgotten starts with a new share; the issuer's budget still holds.
const PEERS: usize = 1024;

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// Who asked. A host commonly has a whole IPv6 /64, so that is the unit there.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Peer {
    V4(Ipv4Addr),
    V6([u16; 4]),
}

impl Budget {
    pub(crate) fn new(limits: &KeyLimits) -> Self {
        let clock = TokioClock(Instant::now());
        let per_minute = |fetches| NonZeroU32::new(fetches).unwrap_or(NonZeroU32::MIN);
        Self {
            issuer: limiter(per_minute(limits.fetches_per_minute), clock),
            share: per_minute(limits.fetches_per_minute_and_source),
            peers: Cache::new(PEERS),
            clock,
        }
    }

    /// Takes one fetch, from the share of `peer` first, so that one that has had its share takes nothing from the others. Who has no
    /// address has no share: where a gateway tells of none, that is everybody.
    pub(crate) fn spend(&mut self, peer: Option<IpAddr>) -> Result<(), &'static str> {
        if peer.is_some_and(|peer| !self.has_share(peer.into())) {
            return Err("this source address has had its share of fetches");
        }
        self.issuer.check().map_err(|_| "the fetch budget of the issuer is used up")
    }

    fn has_share(&mut self, peer: Peer) -> bool {
        if let Some(share) = self.peers.get(&peer) {
            return share.check().is_ok();
        }
        let share = limiter(self.share, self.clock);
        let within = share.check().is_ok();
        self.peers.insert(peer, share);
        within
    }
}

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// `fetches` at once, and again as many in the course of a minute.
fn limiter(fetches: NonZeroU32, clock: TokioClock) -> Limiter {
    RateLimiter::direct_with_clock(Quota::per_minute(fetches), clock)
}

/// Time as Tokio has it, which tests can stop.
#[derive(Clone, Copy)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}
