use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use quick_cache::unsync::Cache;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::Instant,
};

use crate::{StoreError, resolver::Peer};

/// Whose turn it is to have a store unwrap something. A forged token costs it as much as a good one, and shows only afterwards.
///
/// Peers that sent forged ones wait for places of their own, and are not turned away: behind one address there may be others.
pub(crate) struct Unwraps {
    places: Semaphore,
    suspects: Semaphore,
    peers: Mutex<Cache<Peer, Forged>>,
}

/// How many forged tokens a peer sent since when.
#[derive(Clone, Copy)]
struct Forged {
    since: Instant,
    tokens: u32,
}

impl Default for Unwraps {
    fn default() -> Self {
        Self {
            places: Semaphore::new(PLACES),
            suspects: Semaphore::new(SUSPECTS),
            peers: Mutex::new(Cache::new(PEERS)),
        }
    }
}

impl Unwraps {
    /// Waits for a place, of which nobody has two kinds: a peer that was found out meanwhile waits again.
    pub(crate) async fn place(&self, peer: Option<IpAddr>) -> Result<SemaphorePermit<'_>, StoreError> {
        let closed = |_| StoreError::Unavailable("nothing is unwrapped any more".to_owned());
        if !self.suspected(peer) {
            let place = self.places.acquire().await.map_err(closed)?;
            if !self.suspected(peer) {
                return Ok(place);
            }
        }
        self.suspects.acquire().await.map_err(closed)
    }

    /// Charges a peer with a forged token. One whose address is not known is charged nothing: that may be everybody.
    pub(crate) fn count(&self, peer: Option<IpAddr>) {
        let Some(peer) = peer.map(Peer::from) else { return };
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = peers.get(&peer).filter(|forged| forged.is_recent()).copied();
        let Forged { since, tokens } = tokens.unwrap_or(Forged { since: Instant::now(), tokens: 0 });
        peers.insert(peer, Forged { since, tokens: tokens.saturating_add(1) });
    }

    fn suspected(&self, peer: Option<IpAddr>) -> bool {
        let Some(peer) = peer.map(Peer::from) else { return false };
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.get(&peer).is_some_and(|forged| forged.is_recent() && forged.tokens > SHARE)
    }
}

impl Forged {
    fn is_recent(self) -> bool {
        self.since.elapsed() < MINUTE
    }
}

/// Unwrappings at the same time: with the 20 to 50 ms that a vault takes, as many as it allows in a second.
const PLACES: usize = 32;

/// The same for peers that sent forged tokens, all together.
const SUSPECTS: usize = 2;

/// Tokens of one peer in a minute that need not open.
const SHARE: u32 = 20;

const MINUTE: Duration = Duration::from_secs(60);

/// Peers that are told apart.
const PEERS: usize = 1024;
