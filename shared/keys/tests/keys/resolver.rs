use std::{sync::Arc, time::Duration};

use drawbridge_keys::{KeyLimits, KeySource, ResolveError, Resolver, SourceError};
use drawbridge_verify::{Algorithm, KeyUse};

use crate::support::{Fake, after, cheap_jwk, es256, jwk, of_anybody, of_orders, settle};

const A: &str = "orders.sig.a";
const B: &str = "orders.sig.b";

fn unavailable<T>(result: &Result<T, ResolveError>) -> bool {
    matches!(result, Err(ResolveError::Unavailable(_)))
}

#[tokio::test(start_paused = true)]
async fn a_key_is_fetched_once_while_it_is_fresh() {
    let source = Fake::of_kids(&[A]);
    let resolver = of_orders(&source, KeyLimits::default());
    let first = resolver.resolve(A, None).await.unwrap();
    for _ in 0..1000 {
        assert!(Arc::ptr_eq(&first, &resolver.resolve(A, None).await.unwrap()), "it is parsed once");
    }
    assert_eq!(source.fetches(), 1);
    assert_eq!((first.kid(), first.algorithm()), (A, Algorithm::ES256));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_who_want_one_key_make_one_fetch() {
    let source = Fake::of_kids(&[A]);
    let resolver = Arc::new(of_orders(&source, KeyLimits::default()));
    source.stop();
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let resolver = Arc::clone(&resolver);
            tokio::spawn(async move { resolver.resolve(A, None).await })
        })
        .collect();
    settle().await;
    source.go_on();
    for task in waiting {
        assert!(task.await.unwrap().is_ok());
    }
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_who_want_the_keys_of_one_set_make_one_fetch() {
    let kids: Vec<String> = (0..10).map(|number| format!("key-{number}")).collect();
    let source = Fake::of_sets(&kids.iter().map(String::as_str).collect::<Vec<_>>());
    let resolver = Arc::new(of_anybody(&source, KeyLimits::default()));
    source.stop();
    let waiting: Vec<_> = (0..100)
        .map(|number| {
            let (resolver, kid) = (Arc::clone(&resolver), kids[number % 10].clone());
            tokio::spawn(async move { resolver.resolve(&kid, None).await })
        })
        .collect();
    settle().await;
    source.go_on();
    for task in waiting {
        assert!(task.await.unwrap().is_ok());
    }
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_takes_nothing_from_those_who_wait() {
    let source = Fake::of_kids(&[A]);
    let resolver = Arc::new(of_orders(&source, KeyLimits::default()));
    source.stop();
    let spawn = || {
        let resolver = Arc::clone(&resolver);
        tokio::spawn(async move { resolver.resolve(A, None).await })
    };
    let first = spawn();
    settle().await;
    let second = spawn();
    settle().await;
    first.abort();
    settle().await;
    source.go_on();
    assert!(second.await.unwrap().is_ok());
    assert!(resolver.resolve(A, None).await.is_ok());
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn when_all_who_waited_went_away_the_next_one_finds_the_key() {
    let source = Fake::of_kids(&[A]);
    let resolver = Arc::new(of_orders(&source, KeyLimits::default()));
    source.stop();
    let alone = tokio::spawn({
        let resolver = Arc::clone(&resolver);
        async move { resolver.resolve(A, None).await }
    });
    settle().await;
    alone.abort();
    source.go_on();
    settle().await;
    assert!(resolver.resolve(A, None).await.is_ok());
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_answers_ends_after_five_seconds() {
    let source = Fake::of_kids(&[A]);
    let resolver = of_orders(&source, KeyLimits::default());
    source.stop();
    let before = tokio::time::Instant::now();
    assert!(unavailable(&resolver.resolve(A, None).await));
    assert_eq!(before.elapsed().as_secs(), 5);
    source.go_on();
    after(1.1).await;
    assert!(resolver.resolve(A, None).await.is_ok(), "and poisons nothing");
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_a_frozen_process_left_behind_says_nothing() {
    for source in [Fake::of_kids(&[A]), Fake::of_sets(&[A])] {
        for answered in [false, true] {
            source.put(jwk(A));
            let resolver = of_orders(&source, KeyLimits::default());
            resolver.resolve(A, None).await.unwrap();
            after(241.0).await;
            // The last request before the freeze starts a fetch in the background.
            source.stop();
            resolver.resolve(A, None).await.unwrap();
            settle().await;
            // Its answer comes and is not read before the freeze, or never comes.
            if answered {
                source.go_on();
            }
            after(1800.0).await;
            if !answered {
                source.go_on();
            }
            source.remove(A);
            let after = resolver.resolve(A, None).await;
            assert_eq!(after.err(), Some(ResolveError::Unknown), "answered: {answered}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_waited_while_the_process_was_frozen_asks_again() {
    let source = Fake::of_kids(&[A]);
    let resolver = Arc::new(of_orders(&source, KeyLimits::default()));
    source.stop();
    let waiting = tokio::spawn({
        let resolver = Arc::clone(&resolver);
        async move { resolver.resolve(A, None).await }
    });
    settle().await;
    tokio::time::advance(Duration::from_secs(1800)).await;
    source.go_on();
    assert!(waiting.await.unwrap().is_ok());
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_ages_from_when_it_was_asked_for() {
    let source = Fake::of_kids(&[A]);
    let resolver = Arc::new(of_orders(&source, KeyLimits::default()));
    source.stop();
    let waiting = tokio::spawn({
        let resolver = Arc::clone(&resolver);
        async move { resolver.resolve(A, None).await }
    });
    settle().await;
    after(4.0).await;
    source.go_on();
    assert!(waiting.await.unwrap().is_ok());
    source.remove(A);
    after(296.0).await;
    assert_eq!(resolver.resolve(A, None).await.err(), Some(ResolveError::Unknown));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_panics_is_one_that_fails() {
    struct Panics;
    #[async_trait::async_trait]
    impl KeySource for Panics {
        async fn fetch(&self, _: &str) -> Result<drawbridge_keys::Fetched, SourceError> {
            panic!("as asked for by the test")
        }
    }
    let resolver = Resolver::new(Arc::new(Panics), None, es256(), false, Vec::new(), KeyLimits::default());
    assert!(unavailable(&resolver.resolve(A, None).await));
    after(1.1).await;
    assert!(unavailable(&resolver.resolve(A, None).await));
}

#[test]
fn without_a_runtime_there_is_an_answer_and_no_panic() {
    let resolver = of_orders(&Fake::of_kids(&[A]), KeyLimits::default());
    let mut resolving = std::pin::pin!(resolver.resolve(A, None));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let polled = std::future::Future::poll(resolving.as_mut(), &mut context);
    assert!(matches!(polled, std::task::Poll::Ready(Err(ResolveError::Unavailable(_)))));
}

#[tokio::test(start_paused = true)]
async fn a_key_in_use_is_fetched_again_before_its_freshness_ends_and_nobody_waits() {
    let source = Fake::of_kids(&[A]);
    let resolver = of_orders(&source, KeyLimits::default());
    let old = resolver.resolve(A, None).await.unwrap();
    after(239.0).await;
    resolver.resolve(A, None).await.unwrap();
    settle().await;
    assert_eq!(source.fetches(), 1, "not before 80 % of five minutes");
    source.put(jwk(A));
    source.stop();
    after(2.0).await;
    for _ in 0..10 {
        assert!(Arc::ptr_eq(&old, &resolver.resolve(A, None).await.unwrap()));
    }
    settle().await;
    assert_eq!(source.fetches(), 2, "once, in the background");
    source.go_on();
    settle().await;
    assert!(!Arc::ptr_eq(&old, &resolver.resolve(A, None).await.unwrap()));
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_ahead_that_fails_is_tried_again() {
    let source = Fake::of_kids(&[A]);
    let resolver = of_orders(&source, KeyLimits::default());
    resolver.resolve(A, None).await.unwrap();
    source.go_down();
    after(241.0).await;
    for seconds in 0..10 {
        resolver.resolve(A, None).await.unwrap();
        settle().await;
        assert_eq!(source.fetches(), 2 + seconds, "once a second");
        for _ in 0..5 {
            resolver.resolve(A, None).await.unwrap();
        }
        after(1.0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_says_how_long_its_key_is_fresh_within_our_bounds() {
    for (says, fresh) in [(60, 60.0), (10_000, 300.0), (0, 1.0)] {
        let source = Fake::of_kids(&[A]);
        source.say_fresh_for(says);
        let resolver = of_orders(&source, KeyLimits::default());
        resolver.resolve(A, None).await.unwrap();
        source.remove(A);
        after(fresh * 0.79).await;
        resolver.resolve(A, None).await.unwrap();
        settle().await;
        assert_eq!(source.fetches(), 1, "max-age={says}");
        after(fresh * 0.22).await;
        assert_eq!(resolver.resolve(A, None).await.err(), Some(ResolveError::Unknown), "max-age={says}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_version_is_gone_within_the_maximum_age() {
    for asked_meanwhile in [false, true] {
        let source = Fake::of_kids(&[A, B]);
        let resolver = of_orders(&source, KeyLimits::default());
        resolver.resolve(A, None).await.unwrap();
        source.remove(A);
        if asked_meanwhile {
            after(241.0).await;
            let _ = resolver.resolve(A, None).await;
            settle().await;
            assert_eq!(
                resolver.resolve(A, None).await.err(),
                Some(ResolveError::Unknown),
                "at once when it is seen"
            );
            after(59.0).await;
        } else {
            after(300.0).await;
        }
        assert_eq!(resolver.resolve(A, None).await.err(), Some(ResolveError::Unknown));
        assert!(resolver.resolve(B, None).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_left_its_set_is_gone_within_the_maximum_age() {
    let source = Fake::of_sets(&["one", "two"]);
    let resolver = of_anybody(&source, KeyLimits::default());
    resolver.resolve("one", None).await.unwrap();
    source.remove("one");
    after(300.0).await;
    assert_eq!(resolver.resolve("one", None).await.err(), Some(ResolveError::Unknown));
    assert!(resolver.resolve("two", None).await.is_ok());
    assert_eq!(source.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn while_its_source_is_down_a_key_is_used_up_to_the_hard_limit_and_not_a_moment_longer() {
    for failure in [SourceError::Unavailable("down".to_owned()), SourceError::Refused("not a set".to_owned())]
    {
        let source = Fake::of_kids(&[A]);
        let resolver = of_orders(&source, KeyLimits::default());
        resolver.resolve(A, None).await.unwrap();
        source.fail(Some(failure));
        after(301.0).await;
        assert!(resolver.resolve(A, None).await.is_ok());
        after(3298.0).await;
        assert!(resolver.resolve(A, None).await.is_ok(), "59 minutes and 59 seconds");
        after(1.0).await;
        assert!(unavailable(&resolver.resolve(A, None).await), "one hour");
        after(2.0).await;
        assert!(unavailable(&resolver.resolve(A, None).await));
        source.fail(None);
        after(2.0).await;
        assert!(resolver.resolve(A, None).await.is_ok(), "and it is back when its source is");
    }
}

#[tokio::test(start_paused = true)]
async fn while_its_source_is_down_a_set_is_used_up_to_the_hard_limit() {
    let source = Fake::of_sets(&["one", "two"]);
    let resolver = of_anybody(&source, KeyLimits::default());
    resolver.resolve("one", None).await.unwrap();
    source.go_down();
    after(3599.0).await;
    let fetches = source.fetches();
    assert!(resolver.resolve("one", None).await.is_ok());
    assert!(resolver.resolve("two", None).await.is_ok());
    assert_eq!(source.fetches(), fetches + 1, "what failed for one key failed for the other");
    after(1.0).await;
    assert!(unavailable(&resolver.resolve("one", None).await));
    assert!(unavailable(&resolver.resolve("three", None).await), "a failure is never `no such key`");
}

#[tokio::test(start_paused = true)]
async fn past_its_freshness_a_key_is_not_used_on_the_word_of_an_old_failure() {
    let source = Fake::of_kids(&[A]);
    let resolver = of_orders(&source, KeyLimits::default());
    resolver.resolve(A, None).await.unwrap();
    source.go_down();
    after(300.0).await;
    assert!(resolver.resolve(A, None).await.is_ok());
    // The source came back and the key was revoked; nobody asked for half an hour.
    source.fail(None);
    source.remove(A);
    after(1800.0).await;
    assert_eq!(resolver.resolve(A, None).await.err(), Some(ResolveError::Unknown));
}

#[tokio::test(start_paused = true)]
async fn while_a_failing_source_is_tried_again_only_one_request_waits() {
    let source = Fake::of_kids(&[A]);
    let resolver = Arc::new(of_orders(&source, KeyLimits::default()));
    resolver.resolve(A, None).await.unwrap();
    source.go_down();
    after(300.0).await;
    assert!(resolver.resolve(A, None).await.is_ok());
    after(1.0).await;
    source.stop();
    let one = tokio::spawn({
        let resolver = Arc::clone(&resolver);
        async move { resolver.resolve(A, None).await }
    });
    settle().await;
    assert!(!one.is_finished());
    let other = tokio::time::timeout(Duration::from_millis(1), resolver.resolve(A, None)).await;
    assert!(other.expect("answered at once").is_ok());
    source.go_on();
    assert!(one.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_kid_is_remembered_briefly_and_a_failure_more_briefly() {
    let source = Fake::of_kids(&[]);
    let resolver = of_orders(&source, KeyLimits::default());
    for (moment, fetches) in [(0.0, 1), (9.9, 1), (0.2, 2)] {
        after(moment).await;
        assert_eq!(resolver.resolve(A, None).await.err(), Some(ResolveError::Unknown));
        assert_eq!(source.fetches(), fetches);
    }
    source.go_down();
    for (moment, fetches) in [(10.0, 3), (0.9, 3), (0.2, 4)] {
        after(moment).await;
        assert!(unavailable(&resolver.resolve(A, None).await));
        assert_eq!(source.fetches(), fetches);
    }
    source.fail(None);
    source.put(jwk(A));
    after(1.0).await;
    assert!(resolver.resolve(A, None).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_kid_that_is_new_to_a_set_is_found_within_the_time_that_absence_is_remembered() {
    let source = Fake::of_sets(&["one"]);
    let resolver = of_anybody(&source, KeyLimits::default());
    resolver.resolve("one", None).await.unwrap();
    source.put(jwk("two"));
    assert_eq!(resolver.resolve("two", None).await.err(), Some(ResolveError::Unknown));
    after(10.0).await;
    assert!(resolver.resolve("two", None).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn revoking_a_kid_holds_at_once_and_whatever_the_source_says() {
    for source in [Fake::of_kids(&[A, B]), Fake::of_sets(&[A, B])] {
        let resolver = of_orders(&source, KeyLimits::default());
        resolver.resolve(A, None).await.unwrap();
        resolver.revoke(A);
        let fetches = source.fetches();
        assert_eq!(resolver.resolve(A, None).await.err(), Some(ResolveError::Unknown));
        assert_eq!(source.fetches(), fetches, "nothing is asked");
        for _ in 0..10 {
            after(301.0).await;
            assert!(resolver.resolve(B, None).await.is_ok());
            assert_eq!(resolver.resolve(A, None).await.err(), Some(ResolveError::Unknown));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_kid_that_is_revoked_while_it_is_fetched_is_not_used() {
    for source in [Fake::of_kids(&[A]), Fake::of_sets(&[A])] {
        let resolver = Arc::new(of_orders(&source, KeyLimits::default()));
        source.stop();
        let waiting = tokio::spawn({
            let resolver = Arc::clone(&resolver);
            async move { resolver.resolve(A, None).await }
        });
        settle().await;
        resolver.revoke(A);
        source.go_on();
        assert_eq!(waiting.await.unwrap().err(), Some(ResolveError::Unknown));
    }
}

#[tokio::test(start_paused = true)]
async fn only_pinned_keys_are_used_where_there_are_pins() {
    let source = Fake::of_kids(&[A, B]);
    let pinned = jwk(A);
    source.put(pinned.clone());
    let of = |pins| {
        let source = Arc::clone(&source) as Arc<dyn KeySource>;
        Resolver::new(source, "orders".parse().ok(), es256(), false, pins, KeyLimits::default())
    };
    let resolver = of(vec![pinned.thumbprint()]);
    assert!(resolver.resolve(A, None).await.is_ok());
    assert!(matches!(resolver.resolve(B, None).await, Err(ResolveError::Unusable(_))));
    assert!(of(Vec::new()).resolve(B, None).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_may_not_be_used_is_not_asked_for_again_and_again() {
    let source = Fake::of_kids(&[A]);
    let others = [Algorithm::RS256].into_iter().collect();
    let resolver = Resolver::new(
        Arc::clone(&source) as Arc<dyn KeySource>,
        "orders".parse().ok(),
        others,
        false,
        Vec::new(),
        KeyLimits::default(),
    );
    for _ in 0..100 {
        assert!(matches!(resolver.resolve(A, None).await, Err(ResolveError::Unusable(_))));
    }
    assert_eq!(source.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_for_encryption_does_not_verify() {
    let source = Fake::of_kids(&[]);
    source.put(cheap_jwk(A).named(A, KeyUse::Encryption, Algorithm::ES256));
    let resolver = of_orders(&source, KeyLimits::default());
    assert!(matches!(resolver.resolve(A, None).await, Err(ResolveError::Unusable(_))));
}

#[tokio::test(start_paused = true)]
async fn keys_are_bounded_and_the_one_that_nobody_uses_goes_first() {
    let kids: Vec<String> = (0..20).map(|number| format!("orders.sig.{number}")).collect();
    let source = Fake::of_kids(&kids.iter().map(String::as_str).collect::<Vec<_>>());
    let limits = KeyLimits {
        keys: 4,
        fetches_per_minute: 1000,
        fetches_per_minute_and_source: 1000,
        ..KeyLimits::default()
    };
    let resolver = of_orders(&source, limits);
    resolver.resolve(&kids[0], None).await.unwrap();
    for kid in &kids[1..] {
        after(241.0).await;
        resolver.resolve(&kids[0], None).await.unwrap();
        settle().await;
        resolver.resolve(kid, None).await.unwrap();
    }
    let fetches = source.fetches();
    for kid in [&kids[0], &kids[19]] {
        resolver.resolve(kid, None).await.unwrap();
    }
    assert_eq!(source.fetches(), fetches, "the key in use was kept");
    assert_eq!(source.fetches_of(&kids[1]), 1);
    resolver.resolve(&kids[1], None).await.unwrap();
    assert_eq!(source.fetches_of(&kids[1]), 2, "the one that nobody used was not");
}

#[tokio::test(start_paused = true)]
async fn fetches_at_the_same_time_are_bounded() {
    let kids: Vec<String> = (0..50).map(|number| format!("orders.sig.{number}")).collect();
    let source = Fake::of_kids(&kids.iter().map(String::as_str).collect::<Vec<_>>());
    let limits = KeyLimits { fetches_per_minute_and_source: 60, ..KeyLimits::default() };
    let resolver = Arc::new(of_orders(&source, limits));
    source.stop();
    let waiting: Vec<_> = kids
        .iter()
        .map(|kid| {
            let (resolver, kid) = (Arc::clone(&resolver), kid.clone());
            tokio::spawn(async move { resolver.resolve(&kid, None).await })
        })
        .collect();
    settle().await;
    source.go_on();
    for task in waiting {
        assert!(task.await.unwrap().is_ok());
    }
    assert_eq!(source.most_under_way(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_answers_with_another_key_or_two_of_one_kid_is_refused() {
    struct Answers(Vec<&'static str>, bool);
    #[async_trait::async_trait]
    impl KeySource for Answers {
        async fn fetch(&self, _: &str) -> Result<drawbridge_keys::Fetched, SourceError> {
            let keys = self.0.iter().map(|kid| cheap_jwk(kid)).collect();
            Ok(drawbridge_keys::Fetched { keys, max_age: None })
        }
        fn reads_whole_sets(&self) -> bool {
            self.1
        }
    }
    for (kids, whole_sets) in [(vec![B], false), (vec![], false), (vec![A, A], false), (vec![A, B, B], true)]
    {
        let source = Arc::new(Answers(kids, whole_sets));
        let resolver = Resolver::new(source, None, es256(), false, Vec::new(), KeyLimits::default());
        assert!(unavailable(&resolver.resolve(A, None).await));
    }
}
