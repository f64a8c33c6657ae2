use std::sync::Arc;

use drawbridge_gate::Reason;
use drawbridge_keys::{Keeping, KeyStore, RETIRE_AFTER};
use drawbridge_verify::KeyUse;
use serde_json::json;
use tokio::time::{Duration, advance};

use crate::support::{House, header, name};

#[tokio::test(start_paused = true)]
async fn a_rotation_is_picked_up_within_seconds_and_the_store_is_not_asked_for_every_token() {
    let house = House::new().await;
    let consumer = house.token(json!({})).await;
    let first = kid(&house, &consumer).await.unwrap();
    let second = house.store.rotate(&name("orders"), KeyUse::Signing).await.unwrap().to_string();
    house.store.asked();
    assert_eq!(kid(&house, &consumer).await, Ok(first));
    assert_eq!(house.store.asked(), 0);
    advance(Duration::from_secs(11)).await;
    assert_eq!(kid(&house, &consumer).await, Ok(second));
    assert_eq!(house.store.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_key_signs_for_a_minute_while_the_store_is_down_and_no_longer() {
    let house = House::new().await;
    let consumer = house.token(json!({})).await;
    let first = kid(&house, &consumer).await.unwrap();
    house.store.down(true);
    house.store.asked();
    advance(Duration::from_secs(11)).await;
    assert_eq!(kid(&house, &consumer).await, Ok(first.clone()));
    assert_eq!(kid(&house, &consumer).await, Ok(first.clone()));
    assert_eq!(house.store.asked(), 1, "a store that is down is left alone for a second");
    advance(Duration::from_secs(40)).await;
    assert_eq!(kid(&house, &consumer).await, Ok(first.clone()));
    advance(Duration::from_secs(10)).await;
    assert_eq!(kid(&house, &consumer).await, Err(Reason::MintFailed));
    house.store.down(false);
    advance(Duration::from_secs(1)).await;
    assert_eq!(kid(&house, &consumer).await, Ok(first));
}

#[tokio::test]
async fn a_store_that_is_down_from_the_start_is_a_deny() {
    let house = House::new().await;
    house.store.down(true);
    let consumer = house.token(json!({})).await;
    assert_eq!(kid(&house, &consumer).await, Err(Reason::MintFailed));
}

#[tokio::test(start_paused = true)]
async fn while_a_store_hangs_from_the_start_nobody_waits_longer_than_it_may_take_and_it_is_asked_once() {
    let house = Arc::new(House::new().await);
    let consumer = house.token(json!({})).await;
    house.store.hangs(true);
    let began = tokio::time::Instant::now();
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let (house, consumer) = (Arc::clone(&house), consumer.clone());
            tokio::spawn(async move { kid(&house, &consumer).await })
        })
        .collect();
    for asking in asking {
        assert_eq!(asking.await.unwrap(), Err(Reason::MintFailed));
    }
    assert!(began.elapsed() <= Duration::from_millis(3100), "{:?}", began.elapsed());
    assert_eq!(kid(&house, &consumer).await, Err(Reason::MintFailed));
    assert_eq!(house.store.asked(), 1, "what went wrong is remembered");
    house.store.hangs(false);
    advance(Duration::from_secs(1)).await;
    assert!(kid(&house, &consumer).await.is_ok());
}

#[tokio::test]
async fn many_at_once_ask_the_store_once() {
    let house = Arc::new(House::new().await);
    let consumer = house.token(json!({})).await;
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let (house, consumer) = (Arc::clone(&house), consumer.clone());
            tokio::spawn(async move { kid(&house, &consumer).await })
        })
        .collect();
    for asking in asking {
        asking.await.unwrap().unwrap();
    }
    assert_eq!(house.store.asked(), 1);
}

#[tokio::test]
async fn a_key_is_published_for_longer_than_any_token_that_it_signed_is_valid_whatever_is_configured() {
    let house = House::new().await;
    let loads = |lifetime: u64, skew: u64| {
        let bounds = format!("max_lifetime: {lifetime}s\n    skew: {skew}s\n    types: [bridged+jwt]");
        house.try_config(|config| config.replace("types: [bridged+jwt]", &bounds)).is_ok()
    };
    assert!(loads(3600, 60));
    assert!(!loads(3601, 60));
    assert!(!loads(3600, 61));
    let stale = Keeping::default().stale;
    assert!(RETIRE_AFTER > Duration::from_secs(3600 + 60) + stale);
}

/// The kid that signs now.
async fn kid(house: &House, consumer: &str) -> Result<String, Reason> {
    let bridged = house.bridged(consumer, "/orders/customers/1").await.map_err(|deny| deny.reason)?;
    Ok(header(&bridged.token)["kid"].as_str().unwrap().to_owned())
}
