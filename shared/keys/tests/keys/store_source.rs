use std::{sync::Arc, time::Duration};

use drawbridge_keys::{
    KeyLimits, KeySource, KeyStore, ResolveError, Resolver, SourceError, StoreError, StoreSource,
};
use tokio::time::{Instant, advance};

use crate::{
    decrypters::{Vault, failures},
    support::es256,
};

const KID: &str = "orders.sig.1";

fn of_orders(vault: &Arc<Vault>) -> Resolver {
    let source = Arc::new(StoreSource(Arc::clone(vault) as Arc<dyn KeyStore>));
    Resolver::new(source, "orders".parse().ok(), es256(), false, Vec::new(), KeyLimits::default())
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_a_failure_after_three_seconds() {
    let vault = Vault::new();
    vault.takes(Duration::from_secs(3600));
    let began = Instant::now();
    let fetched = StoreSource(Arc::clone(&vault) as Arc<dyn KeyStore>).fetch(KID).await;
    assert!(matches!(fetched, Err(SourceError::Unavailable(_))), "{fetched:?}");
    assert!(began.elapsed() < Duration::from_secs(4), "of the clock that tests can stop");
    let began = Instant::now();
    assert!(matches!(of_orders(&vault).resolve(KID, None).await, Err(ResolveError::Unavailable(_))));
    assert!(began.elapsed() < Duration::from_secs(4), "of the clock that tests can stop");
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_the_last_good_key_is_used_to_its_hard_limit_and_not_a_moment_longer() {
    let what = "what the operator is told";
    for failure in failures().into_iter().chain([StoreError::Malformed(what.to_owned())]) {
        let (vault, limit) = (Vault::new(), KeyLimits::default().stale);
        let resolver = of_orders(&vault);
        assert!(resolver.resolve(KID, None).await.is_ok());
        vault.fails(Some(failure.clone()));
        advance(limit - Duration::from_secs(1)).await;
        assert!(resolver.resolve(KID, None).await.is_ok(), "{failure}");
        advance(Duration::from_secs(1)).await;
        // Each for the reason that the store gave, and outwardly all the same.
        for resolver in [resolver, of_orders(&vault)] {
            let refused = resolver.resolve(KID, None).await.err();
            let Some(ResolveError::Unavailable(why)) = refused else { panic!("{failure}: {refused:?}") };
            assert!(why.contains(what), "{why}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_was_withdrawn_is_gone_with_the_next_answer() {
    let vault = Vault::new();
    let resolver = of_orders(&vault);
    assert!(resolver.resolve(KID, None).await.is_ok());
    vault.fails(Some(StoreError::NotFound));
    advance(KeyLimits::default().fresh).await;
    assert_eq!(resolver.resolve(KID, None).await.err(), Some(ResolveError::Unknown));
}
