//! What a store unwraps, for whom, and how much of it at a time.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use drawbridge_keys::{Decrypter, Decrypters, KeyLimits, StoreError};
use drawbridge_verify::jwe::{ContentEncryption, ContentKey, EncryptionKey, Jwe, Recipient, Sealed};
use futures_util::future::join_all;

use crate::{decrypters::Vault, support::settle};

const KID: &str = "billing.enc.1";

/// A key in a store that takes 50 ms to unwrap with it.
struct Remote {
    key: Arc<dyn Decrypter>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    local: bool,
}

#[async_trait]
impl Decrypter for Remote {
    fn recipient(&self) -> &Recipient {
        self.key.recipient()
    }

    fn is_local(&self) -> bool {
        self.local
    }

    async fn unwrap(&self, sealed: &Sealed<'_>) -> Result<ContentKey, StoreError> {
        let at_once = self.at_once.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(50)).await;
        self.at_once.fetch_sub(1, Ordering::Relaxed);
        self.key.unwrap(sealed).await
    }
}

struct Gate {
    decrypters: Decrypters,
    remote: Remote,
    token: String,
}

impl Gate {
    async fn new(local: bool) -> Self {
        let vault = Vault::new();
        let decrypters =
            Decrypters::new(Arc::clone(&vault) as _, "billing".parse().unwrap(), &KeyLimits::default());
        let key = decrypters.resolve(KID, None).await.unwrap();
        assert!(key.is_local());
        let public = EncryptionKey::bind(&vault.published(KID), KID, ContentEncryption::A256Gcm).unwrap();
        let token = public.encrypt("a.b.c").unwrap();
        let remote = Remote { key, at_once: 0.into(), most_at_once: 0.into(), local };
        Self { decrypters, remote, token }
    }

    async fn unwrap(&self, peer: Option<IpAddr>) {
        let sealed = Jwe::parse(&self.token, 4096).unwrap().admit(self.remote.recipient()).unwrap();
        let key = self.decrypters.unwrap(&self.remote, &sealed, peer).await.unwrap();
        assert_eq!(sealed.open(key).unwrap().as_str(), "a.b.c");
    }

    fn forges(&self, peer: Option<IpAddr>, tokens: usize) {
        (0..tokens).for_each(|_| self.decrypters.did_not_open(&self.remote, peer));
    }

    /// How many of a hundred tokens are unwrapped at the same time.
    async fn at_once(&self, peer: impl Fn(u8) -> Option<IpAddr>) -> usize {
        join_all((0..100).map(|number| self.unwrap(peer(number)))).await;
        self.remote.most_at_once.swap(0, Ordering::Relaxed)
    }
}

fn peer(number: u8) -> Option<IpAddr> {
    Some([192, 0, 2, number].into())
}

#[tokio::test(start_paused = true)]
async fn a_store_unwraps_thirty_two_at_a_time_and_this_process_as_many_as_there_are() {
    assert_eq!(Gate::new(false).await.at_once(peer).await, 32);
    let local = Gate::new(true).await;
    local.forges(peer(1), 100);
    assert_eq!(local.at_once(|_| peer(1)).await, 100);
}

#[tokio::test(start_paused = true)]
async fn tokens_of_a_peer_that_sent_forged_ones_go_two_at_a_time_for_a_minute_and_keep_nobody_waiting() {
    let gate = Gate::new(false).await;
    gate.forges(peer(1), 20);
    assert_eq!(gate.at_once(|_| peer(1)).await, 32);
    gate.forges(peer(1), 1);
    let mut forger = std::pin::pin!(gate.at_once(|_| peer(1)));
    assert!(tokio::time::timeout(Duration::ZERO, &mut forger).await.is_err());
    let began = tokio::time::Instant::now();
    gate.unwrap(peer(2)).await;
    assert!(began.elapsed() < Duration::from_millis(60), "beside a hundred that wait");
    assert_eq!(forger.await, 3, "two, and the one of somebody else");
    assert_eq!(gate.at_once(|_| peer(1)).await, 2);
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(gate.at_once(|_| peer(1)).await, 32);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_found_out_while_its_tokens_wait_waits_with_its_like() {
    let gate = Gate::new(false).await;
    let mut forger = std::pin::pin!(gate.at_once(|_| peer(1)));
    assert!(tokio::time::timeout(Duration::ZERO, &mut forger).await.is_err());
    gate.forges(peer(1), 21);
    gate.remote.most_at_once.store(0, Ordering::Relaxed);
    let other = gate.unwrap(peer(2));
    let began = tokio::time::Instant::now();
    tokio::join!(&mut forger, async {
        other.await;
        assert!(began.elapsed() < Duration::from_millis(110), "{:?}", began.elapsed());
    });
}

#[tokio::test(start_paused = true)]
async fn a_peer_without_an_address_is_charged_nothing_because_it_may_be_everybody() {
    let gate = Gate::new(false).await;
    gate.forges(None, 1000);
    assert_eq!(gate.at_once(|_| None).await, 32);
    settle().await;
}
