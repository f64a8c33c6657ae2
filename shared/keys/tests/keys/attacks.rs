//! The attack classes that concern keys, by number.

use std::{net::IpAddr, sync::Arc};

use drawbridge_keys::{JwksUrl, KeyLimits, KeySource, ResolveError};

use crate::support::{Fake, Server, after, cheap_jwk, client, jwk, of_anybody, of_orders, settle};

#[tokio::test(start_paused = true)]
async fn attack_18_one_kid_of_two_issuers_names_two_keys() {
    let (one, other) = (Fake::of_kids(&["key-1"]), Fake::of_kids(&["key-1"]));
    let of_one = of_anybody(&one, KeyLimits::default());
    let of_other = of_anybody(&other, KeyLimits::default());
    let first = of_one.resolve("key-1", None).await.unwrap();
    let second = of_other.resolve("key-1", None).await.unwrap();
    assert_ne!(first.thumbprint(), second.thumbprint());
    other.remove("key-1");
    of_other.revoke("key-1");
    assert!(of_one.resolve("key-1", None).await.is_ok());
    assert_eq!(of_other.resolve("key-1", None).await.err(), Some(ResolveError::Unknown));
}

#[tokio::test(start_paused = true)]
async fn attack_19_a_valid_key_of_another_backend_is_refused_before_anything_is_asked() {
    let kids = ["orders.sig.1", "billing.sig.1", "orders.enc.1", "order.sig.1", "orders2.sig.1", "login-key"];
    for source in [Fake::of_kids(&kids), Fake::of_sets(&kids)] {
        let resolver = of_orders(&source, KeyLimits::default());
        for kid in [
            &kids[1..],
            &["ORDERS.sig.1", "orders.sig", "orders.sig.1.1", "orders.sig.", "", "../orders.sig.1"],
        ]
        .concat()
        {
            assert_eq!(resolver.resolve(kid, None).await.err(), Some(ResolveError::Foreign), "{kid}");
        }
        assert_eq!(source.fetches(), 0);
        assert!(resolver.resolve(kids[0], None).await.is_ok());
        for kid in &kids[1..] {
            assert_eq!(resolver.resolve(kid, None).await.err(), Some(ResolveError::Foreign), "{kid}");
        }
        assert_eq!(source.fetches(), 1, "also when a set brought the key along");
    }
}

#[tokio::test(start_paused = true)]
async fn attack_06_a_kid_outside_the_grammar_is_not_asked_for() {
    let long = "a".repeat(10_240);
    let kids =
        ["../../dev/null", "' UNION SELECT 1 --", "a\r\nX: 1", "a\0", "a/b", "a%2fb", "a b", "é", "", &long];
    for source in [Fake::of_kids(&[]), Fake::of_sets(&[])] {
        let resolver = of_anybody(&source, KeyLimits::default());
        for kid in kids {
            assert_eq!(resolver.resolve(kid, None).await.err(), Some(ResolveError::Unknown), "{kid}");
        }
        assert_eq!(source.fetches(), 0);
    }
}

#[tokio::test]
async fn attack_05_a_kid_that_looks_like_an_address_is_a_name_below_the_configured_address_or_nothing() {
    let server = Server::answering(|_| axum::http::StatusCode::NOT_FOUND).await;
    let source = JwksUrl::new(client(), &format!("{}/jwks/{{kid}}", server.address), None).unwrap();
    for kid in [
        "http://169.254.169.254/latest",
        "//evil.example.com/x",
        "..",
        ".",
        "evil.example.com",
        "a",
        "a?b",
        "@evil",
    ] {
        assert!(source.fetch(kid).await.is_err());
    }
    assert_eq!(server.paths(), ["/jwks/evil.example.com", "/jwks/a"]);
}

fn peer(number: u32) -> Option<IpAddr> {
    Some(IpAddr::V4((0x0a00_0000 | number).into()))
}

#[tokio::test(start_paused = true)]
async fn attack_29_ten_thousand_random_kids_cost_sixty_fetches_and_no_key() {
    let source = Fake::of_kids(&["orders.sig.good"]);
    let resolver = of_orders(&source, KeyLimits::default());
    let good = resolver.resolve("orders.sig.good", peer(0)).await.unwrap();
    // From a thousand addresses, so that no share but the issuer's budget is what holds.
    for number in 0..10_000 {
        let answer = resolver.resolve(&format!("orders.sig.random-{number}"), peer(1 + number % 1000)).await;
        assert!(matches!(answer, Err(ResolveError::Unknown | ResolveError::Unavailable(_))));
        if number % 100 == 0 {
            assert!(
                Arc::ptr_eq(&good, &resolver.resolve("orders.sig.good", None).await.unwrap()),
                "it survives"
            );
        }
    }
    assert_eq!(source.fetches(), 1 + 59, "the budget of 60, of which the good key took one");

    // A minute brings another sixty.
    after(60.0).await;
    for number in 10_000..20_000 {
        let _ = resolver.resolve(&format!("orders.sig.random-{number}"), peer(1 + number % 1000)).await;
    }
    assert_eq!(source.fetches(), 60 + 60);

    // The budget is gone, and the key that is known is fetched again all the same: ahead of time, and when it is too late for that.
    source.put(jwk("orders.sig.good"));
    after(181.0).await;
    for number in 20_000..21_000 {
        let _ = resolver.resolve(&format!("orders.sig.random-{number}"), peer(1 + number % 1000)).await;
    }
    resolver.resolve("orders.sig.good", None).await.unwrap();
    settle().await;
    assert_eq!(source.fetches_of("orders.sig.good"), 2);
    after(301.0).await;
    for number in 21_000..22_000 {
        let _ = resolver.resolve(&format!("orders.sig.random-{number}"), peer(1 + number % 1000)).await;
    }
    assert!(resolver.resolve("orders.sig.good", None).await.is_ok());
    assert_eq!(source.fetches_of("orders.sig.good"), 3);
}

#[tokio::test(start_paused = true)]
async fn attack_29_one_address_has_its_share_and_leaves_the_rest_to_the_others() {
    let source = Fake::of_kids(&[]);
    for number in 0..100 {
        source.put(cheap_jwk(&format!("orders.sig.good-{number}")));
    }
    let resolver = of_orders(&source, KeyLimits::default());
    for number in 0..1000 {
        let _ = resolver.resolve(&format!("orders.sig.random-{number}"), peer(1)).await;
    }
    assert_eq!(source.fetches(), 20);
    for number in 0..20 {
        let kid = format!("orders.sig.good-{number}");
        assert!(resolver.resolve(&kid, peer(2)).await.is_ok(), "another address is served");
    }
    let spent = resolver.resolve("orders.sig.good-99", peer(1)).await;
    assert!(matches!(spent, Err(ResolveError::Unavailable(_))));
    assert!(resolver.resolve("orders.sig.good-0", peer(1)).await.is_ok(), "what is known costs nothing");
}

#[tokio::test(start_paused = true)]
async fn attack_29_where_no_address_is_known_random_kids_leave_a_new_key_most_of_the_budget() {
    let source = Fake::of_kids(&["orders.sig.good", "orders.sig.rotated"]);
    let resolver = of_orders(&source, KeyLimits::default());
    resolver.resolve("orders.sig.good", None).await.unwrap();
    for number in 0..58 {
        let answer = resolver.resolve(&format!("orders.sig.random-{number}"), None).await;
        assert_eq!(answer.err(), Some(ResolveError::Unknown), "{number}");
    }
    assert!(resolver.resolve("orders.sig.rotated", None).await.is_ok());

    // When all of it is spent, what is known is on no budget: it is fetched again ahead of time, and later.
    for number in 0..1000 {
        let _ = resolver.resolve(&format!("orders.sig.more-{number}"), None).await;
    }
    assert_eq!(source.fetches(), 60);
    for (seconds, fetches) in [(241.0, 2), (301.0, 3)] {
        after(seconds).await;
        for number in 0..1000 {
            let _ = resolver.resolve(&format!("orders.sig.at-{fetches}-{number}"), None).await;
        }
        assert!(resolver.resolve("orders.sig.good", None).await.is_ok());
        settle().await;
        assert_eq!(source.fetches_of("orders.sig.good"), fetches);
    }
}

#[tokio::test(start_paused = true)]
async fn attack_29_a_network_of_ipv6_addresses_has_one_share() {
    let source = Fake::of_kids(&[]);
    let resolver = of_orders(&source, KeyLimits::default());
    for number in 0..1000_u16 {
        let address: IpAddr = [0x2001, 0xdb8, 0, 1, 0, 0, number, number].into();
        let _ = resolver.resolve(&format!("orders.sig.a-{number}"), Some(address)).await;
    }
    assert_eq!(source.fetches(), 20);
    for number in 0..1000_u32 {
        // The same IPv4 address in two notations.
        let v4 = std::net::Ipv4Addr::from(0x0a00_0001);
        let address: IpAddr = if number % 2 == 0 { v4.into() } else { v4.to_ipv6_mapped().into() };
        let _ = resolver.resolve(&format!("orders.sig.b-{number}"), Some(address)).await;
    }
    assert_eq!(source.fetches(), 40);
}

#[tokio::test(start_paused = true)]
async fn attack_29_random_kids_read_a_whole_set_once_in_ten_seconds() {
    let source = Fake::of_sets(&["good"]);
    let resolver = of_anybody(&source, KeyLimits::default());
    for seconds in 1..=6 {
        for number in 0..1000 {
            let answer = resolver.resolve(&format!("random-{number}"), peer(number)).await;
            assert_eq!(answer.err(), Some(ResolveError::Unknown));
        }
        assert!(resolver.resolve("good", None).await.is_ok());
        assert_eq!(source.fetches(), seconds);
        after(10.0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn attack_29_slow_answers_to_random_kids_keep_no_known_key_from_being_fetched() {
    let source = Fake::of_kids(&["orders.sig.good"]);
    let resolver = Arc::new(of_orders(&source, KeyLimits::default()));
    resolver.resolve("orders.sig.good", None).await.unwrap();
    after(300.0).await;
    source.stop();
    for number in 0..1000 {
        let resolver = Arc::clone(&resolver);
        tokio::spawn(
            async move { resolver.resolve(&format!("orders.sig.random-{number}"), peer(number)).await },
        );
    }
    settle().await;
    assert_eq!(source.fetches(), 1 + 6, "the places for new kids are taken");
    let known = tokio::spawn({
        let resolver = Arc::clone(&resolver);
        async move { resolver.resolve("orders.sig.good", None).await }
    });
    settle().await;
    assert_eq!(source.fetches_of("orders.sig.good"), 2, "the place for a known key is not");
    source.go_on();
    assert!(known.await.unwrap().is_ok());
}
