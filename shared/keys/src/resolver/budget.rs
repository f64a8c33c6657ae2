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

/// How often kids that were never seen before may cost a fetch. Known kids are not on it.
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
enum Peer {
    Unknown,
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

    /// Takes one fetch, from the share of `peer` first, so that one that has had its share takes nothing from the others.
    pub(crate) fn spend(&mut self, peer: Option<IpAddr>) -> Result<(), &'static str> {
        let peer = Peer::from(peer);
        let within = match self.peers.get(&peer) {
            Some(share) => share.check().is_ok(),
            None => {
                let share = limiter(self.share, self.clock);
                let within = share.check().is_ok();
                self.peers.insert(peer, share);
                within
            }
        };
        if !within {
            return Err("this source address has had its share of fetches");
        }
        self.issuer.check().map_err(|_| "the fetch budget of the issuer is used up")
    }
}

impl From<Option<IpAddr>> for Peer {
    fn from(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            None => Self::Unknown,
            Some(IpAddr::V4(address)) => Self::V4(address),
            Some(IpAddr::V6(address)) => {
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
