use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use drawbridge_keys::{
    BackendName, Decrypter, Decrypters, KeyAlgorithm, KeyLimits, KeyStore, KeyVersion, Kid, PrivateJwk,
    ResolveError, Signer, StoreError,
};
use drawbridge_verify::{KeyUse, PublicJwk, jwe::KeyManagement};

use crate::support::{cheap_jwk, settle};

/// Has one key of every kid, and a public one of every other use, until it is told otherwise.
pub(crate) struct Vault {
    key: PrivateJwk,
    asked: AtomicUsize,
    failing: Mutex<Option<StoreError>>,
    takes: Mutex<Duration>,
}

impl Vault {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            key: PrivateJwk::generate(KeyAlgorithm::from(KeyManagement::EcdhEsA256Kw)).unwrap(),
            asked: AtomicUsize::new(0),
            failing: Mutex::default(),
            takes: Mutex::default(),
        })
    }

    pub(crate) fn fails(&self, error: Option<StoreError>) {
        *self.failing.lock().unwrap() = error;
    }

    pub(crate) fn takes(&self, duration: Duration) {
        *self.takes.lock().unwrap() = duration;
    }

    /// The public half of what decrypts for every kid.
    pub(crate) fn published(&self, kid: &str) -> PublicJwk {
        self.key.published(&kid.parse().unwrap())
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::Relaxed)
    }

    async fn answer(&self) -> Result<(), StoreError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (failing, takes) = (self.failing.lock().unwrap().clone(), *self.takes.lock().unwrap());
        tokio::time::sleep(takes).await;
        failing.map_or(Ok(()), Err)
    }
}

#[async_trait]
impl KeyStore for Vault {
    async fn decrypter(&self, kid: &Kid) -> Result<Arc<dyn Decrypter>, StoreError> {
        self.answer().await.and_then(|()| self.key.decrypter(kid))
    }
    async fn public(&self, kid: &Kid) -> Result<PublicJwk, StoreError> {
        self.answer().await.map(|()| cheap_jwk(&kid.to_string()))
    }
    async fn signer(&self, _: &BackendName) -> Result<Arc<dyn Signer>, StoreError> {
        Err(StoreError::NotFound)
    }
    async fn versions(&self, _: &BackendName, _: KeyUse) -> Result<Vec<KeyVersion>, StoreError> {
        Ok(Vec::new())
    }
    async fn backends(&self) -> Result<Vec<BackendName>, StoreError> {
        Ok(Vec::new())
    }
    async fn create(&self, _: &BackendName, _: KeyUse, _: KeyAlgorithm) -> Result<Kid, StoreError> {
        Err(StoreError::Exists)
    }
    async fn rotate(&self, _: &BackendName, _: KeyUse) -> Result<Kid, StoreError> {
        Err(StoreError::NotFound)
    }
    async fn revoke(&self, _: &Kid) -> Result<(), StoreError> {
        Err(StoreError::NotFound)
    }
}

const KID: &str = "billing.enc.1";

fn decrypters(vault: &Arc<Vault>) -> Decrypters {
    Decrypters::new(Arc::clone(vault) as _, "billing".parse().unwrap(), &KeyLimits::default())
}

async fn resolved(decrypters: &Decrypters, kid: &str) -> Result<String, ResolveError> {
    decrypters.resolve(kid, None).await.map(|decrypter| decrypter.recipient().kid().to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_kid_of_another_backend_or_use_reaches_no_store() {
    let vault = Vault::new();
    let decrypters = decrypters(&vault);
    for kid in ["orders.enc.1", "billing.sig.1", "billing.enc", "1", "", "billing.enc.1.1", "Billing.enc.1"] {
        assert_eq!(resolved(&decrypters, kid).await, Err(ResolveError::Foreign), "{kid}");
    }
    assert_eq!(vault.asked(), 0);
    assert_eq!(resolved(&decrypters, KID).await.as_deref(), Ok(KID));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_read_once_in_ten_seconds_for_everybody_who_wants_it() {
    let vault = Vault::new();
    let decrypters = decrypters(&vault);
    vault.takes(Duration::from_millis(50));
    // More than one source may ask for: those who wait spend nothing.
    let all = (0..100).map(|_| resolved(&decrypters, KID));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
    tokio::time::advance(Duration::from_secs(9)).await;
    assert!(resolved(&decrypters, KID).await.is_ok());
    assert_eq!(vault.asked(), 1);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(resolved(&decrypters, KID).await.is_ok());
    assert_eq!(vault.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_is_gone_within_ten_seconds() {
    let vault = Vault::new();
    let decrypters = decrypters(&vault);
    assert!(resolved(&decrypters, KID).await.is_ok());
    vault.fails(Some(StoreError::NotFound));
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(resolved(&decrypters, KID).await, Err(ResolveError::Unknown));
    vault.fails(Some(StoreError::Unavailable("down".to_owned())));
    tokio::time::advance(Duration::from_secs(10)).await;
    assert!(
        matches!(resolved(&decrypters, KID).await, Err(ResolveError::Unavailable(_))),
        "it does not come back"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_outlives_its_store_by_a_minute_at_most() {
    let vault = Vault::new();
    let decrypters = decrypters(&vault);
    assert!(resolved(&decrypters, KID).await.is_ok());
    for failure in failures() {
        vault.fails(Some(failure));
        tokio::time::advance(Duration::from_secs(11)).await;
        vault.asked();
        for _ in 0..10 {
            assert!(resolved(&decrypters, KID).await.is_ok());
        }
        assert_eq!(vault.asked(), 1, "a failing store is left alone");
    }
    tokio::time::advance(Duration::from_secs(6)).await;
    assert!(matches!(resolved(&decrypters, KID).await, Err(ResolveError::Unavailable(_))));
    vault.fails(None);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(resolved(&decrypters, KID).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn while_one_caller_waits_for_a_store_that_hangs_the_others_use_the_key_that_there_is() {
    let vault = Vault::new();
    let decrypters = Arc::new(decrypters(&vault));
    assert!(resolved(&decrypters, KID).await.is_ok());
    vault.takes(Duration::from_secs(3600));
    vault.asked();
    // In every round another caller finds out that the store hangs still.
    for seconds in [11, 4, 4, 4] {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        let one = tokio::spawn({
            let decrypters = Arc::clone(&decrypters);
            async move { resolved(&decrypters, KID).await }
        });
        settle().await;
        for _ in 0..100 {
            let others = tokio::time::timeout(Duration::from_millis(1), resolved(&decrypters, KID));
            assert!(others.await.expect("answered at once").is_ok());
        }
        assert!(one.await.unwrap().is_ok());
        assert_eq!(vault.asked(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_key_all_who_wait_for_a_store_that_hangs_are_told_after_one_look_up() {
    let vault = Vault::new();
    let decrypters = decrypters(&vault);
    vault.takes(Duration::from_secs(3600));
    let began = tokio::time::Instant::now();
    let all = futures_util::future::join_all((0..100).map(|_| resolved(&decrypters, KID))).await;
    assert!(all.iter().all(|answer| matches!(answer, Err(ResolveError::Unavailable(_)))));
    assert!(began.elapsed() <= Duration::from_millis(3100), "{:?}", began.elapsed());
    assert!(matches!(resolved(&decrypters, KID).await, Err(ResolveError::Unavailable(_))));
    assert_eq!(vault.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_kid_is_remembered_for_ten_seconds_and_a_failure_for_one() {
    let vault = Vault::new();
    let decrypters = decrypters(&vault);
    let failure = StoreError::Unavailable("down".to_owned());
    for (error, seconds) in [(StoreError::NotFound, 10), (failure, 1), (StoreError::NotFound, 10)] {
        vault.fails(Some(error));
        for _ in 0..100 {
            assert!(resolved(&decrypters, KID).await.is_err());
        }
        assert_eq!(vault.asked(), 1);
        tokio::time::advance(Duration::from_millis(seconds * 1000 - 1)).await;
        assert!(resolved(&decrypters, KID).await.is_err());
        assert_eq!(vault.asked(), 0);
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    vault.fails(None);
    assert!(resolved(&decrypters, KID).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_may_not_look_a_kid_up_keeps_nobody_else_from_it() {
    let vault = Vault::new();
    let decrypters = decrypters(&vault);
    let attacker = Some([192, 0, 2, 66].into());
    for kid in 0..100 {
        let _ = decrypters.resolve(&format!("billing.enc.x{kid}"), attacker).await;
    }
    assert!(matches!(decrypters.resolve(KID, attacker).await, Err(ResolveError::Unavailable(_))));
    assert!(decrypters.resolve(KID, Some([192, 0, 2, 1].into())).await.is_ok());
    assert!(decrypters.resolve(KID, attacker).await.is_ok(), "what is known costs nothing");
}

/// What says nothing of a key, although it is not had.
pub(crate) fn failures() -> [StoreError; 5] {
    let what = || "what the operator is told".to_owned();
    [
        StoreError::Denied(what()),
        StoreError::Throttled(what()),
        StoreError::Deleted(what()),
        StoreError::Undecryptable(what()),
        StoreError::Unavailable(what()),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_keeps_nobody_longer_than_three_seconds() {
    let vault = Vault::new();
    let decrypters = decrypters(&vault);
    vault.takes(Duration::from_secs(3600));
    let began = tokio::time::Instant::now();
    assert!(matches!(resolved(&decrypters, KID).await, Err(ResolveError::Unavailable(_))));
    assert!(began.elapsed() <= Duration::from_secs(4), "of the clock that tests can stop");
}

#[tokio::test(start_paused = true)]
async fn random_kids_cost_a_source_its_share_and_leave_known_keys_alone() {
    let vault = Vault::new();
    let decrypters = decrypters(&vault);
    assert!(resolved(&decrypters, KID).await.is_ok());
    vault.fails(Some(StoreError::NotFound));
    vault.asked();
    let attacker = Some([192, 0, 2, 66].into());
    for kid in 0..1000 {
        let answer = decrypters.resolve(&format!("billing.enc.x{kid}"), attacker).await.err();
        assert!(matches!(answer, Some(ResolveError::Unknown | ResolveError::Unavailable(_))));
    }
    assert_eq!(vault.asked(), 20);
    vault.fails(None);
    tokio::time::advance(Duration::from_secs(10)).await;
    assert!(decrypters.resolve(KID, attacker).await.is_ok(), "a known key is on no budget");
    assert!(
        decrypters.resolve("billing.enc.2", Some([192, 0, 2, 1].into())).await.is_ok(),
        "nor is another source"
    );
}
