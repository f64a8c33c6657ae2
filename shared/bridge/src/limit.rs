use std::{
    hash::{BuildHasher, RandomState},
    num::NonZeroU32,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// How many tokens one client may be given for one backend.
///
/// Clients share 65 536 cells by a keyed hash, so that the memory is bounded whatever the clients call themselves and nobody can
/// choose whom to share a cell with.
pub(crate) struct ClientLimit {
    cells: DefaultKeyedRateLimiter<u16>,
    hasher: RandomState,
}

impl ClientLimit {
    pub(crate) fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let cells = RateLimiter::keyed(Quota::per_second(per_second).allow_burst(burst));
        Self { cells, hasher: RandomState::new() }
    }

    /// Whether the client may have one more now.
    pub(crate) fn admits(&self, client: &str) -> bool {
        self.cells.check_key(&self.cell(client)).is_ok()
    }

    fn cell(&self, client: &str) -> u16 {
        let [low, high, ..] = self.hasher.hash_one(client).to_le_bytes();
        u16::from_le_bytes([low, high])
    }
}

impl Default for ClientLimit {
    fn default() -> Self {
        Self::new(PER_SECOND, BURST)
    }
}

/// Tokens a second for one client and backend, in the long run.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// Tokens at once for one client and backend.
const BURST: NonZeroU32 = NonZeroU32::new(200).unwrap();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_over_its_limit_is_refused_and_another_is_not() {
        let one = NonZeroU32::new(1).unwrap();
        let limit = ClientLimit::new(one, NonZeroU32::new(2).unwrap());
        // In another cell: the hash is keyed anew each time.
        let other =
            (0..).map(|n| format!("client-{n}")).find(|name| limit.cell(name) != limit.cell("greedy"));
        assert!(limit.admits("greedy"));
        assert!(limit.admits("greedy"));
        assert!(!limit.admits("greedy"));
        assert!(limit.admits(&other.unwrap()));
    }

    #[test]
    fn the_memory_does_not_grow_with_the_number_of_clients() {
        let limit = ClientLimit::default();
        for n in 0..100_000 {
            limit.admits(&n.to_string());
        }
        assert!(limit.cells.len() <= 1 << 16);
    }
}
