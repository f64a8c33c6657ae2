use std::sync::Arc;

use drawbridge_bridge::{KeyAnswer, KeyEndpoint};
use drawbridge_gate::open_directory;
use drawbridge_keys::{KeyStore, Kid};
use drawbridge_verify::KeyUse;
use proptest::prelude::*;
use serde_json::Value;
use tokio::time::Duration;

use crate::support::{House, Watched, name};

#[tokio::test]
async fn a_published_key_is_a_set_of_exactly_one() {
    let (house, endpoint) = published().await;
    let store = &house.store;
    let kid = store.rotate(&name("orders"), KeyUse::Signing).await.unwrap();
    let answer = get(&endpoint, &path(&kid)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(header(&answer, "Content-Type"), Some("application/jwk-set+json"));
    assert_eq!(header(&answer, "Cache-Control"), Some("public, max-age=60"));
    let set: Value = serde_json::from_str(&answer.body).unwrap();
    let keys = set["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0]["kid"], kid.to_string());
    assert_eq!((&keys[0]["use"], &keys[0]["alg"]), (&Value::from("sig"), &Value::from("ES256")));
    let mut members: Vec<_> = keys[0].as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"], "public members and nothing else");
}

#[tokio::test]
async fn every_kind_of_no_is_the_very_same_404() {
    let (house, endpoint) = published().await;
    let store = &house.store;
    let revoked = current(store, "orders").await;
    let kid = store.rotate(&name("orders"), KeyUse::Signing).await.unwrap();
    store.revoke(&revoked).await.unwrap();
    let foreign = current(store, "billing").await;
    let version = &kid.version;
    let never = format!("orders.sig.{}", uuid::Uuid::now_v7());
    let table = [
        ("revoked", path(&revoked)),
        ("never made", format!("/jwks/orders/{never}")),
        ("of another form", "/jwks/orders/orders.sig.1".to_owned()),
        ("another backend's", format!("/jwks/orders/{foreign}")),
        ("another backend's address", format!("/jwks/billing/{kid}")),
        ("another use", format!("/jwks/orders/orders.enc.{version}")),
        ("no such backend", format!("/jwks/nobody/nobody.sig.{version}")),
        ("malformed", "/jwks/orders/x".to_owned()),
        ("no backend", "/jwks/orders.sig.1".to_owned()),
        ("a list", "/jwks/orders".to_owned()),
        ("a list with a slash", "/jwks/orders/".to_owned()),
        ("the whole set", "/jwks".to_owned()),
        ("the root", "/".to_owned()),
        ("nothing", String::new()),
        ("more", format!("/jwks/orders/{kid}/more")),
        ("a slash after", format!("/jwks/orders/{kid}/")),
        ("a slash more", format!("/jwks//orders/{kid}")),
        ("a query", format!("/jwks/orders/{kid}?x=1")),
        ("elsewhere", format!("/keys/orders/{kid}")),
        ("another case", format!("/JWKS/orders/{kid}")),
        ("another case of the backend", format!("/jwks/Orders/{kid}")),
        ("percent-encoded", format!("/jwks/%6frders/{kid}")),
    ];
    let expected = get(&endpoint, "/jwks/orders/orders.sig.nobody").await;
    assert_eq!(expected.status, 404);
    assert_eq!(header(&expected, "Cache-Control"), Some("public, max-age=5"));
    for (what, path) in table {
        assert_eq!(get(&endpoint, &path).await, expected, "{what}: {path}");
    }
    assert_eq!(get(&endpoint, &path(&kid)).await.status, 200);
}

#[tokio::test]
async fn attack_06_a_hostile_kid_never_reaches_a_store() {
    let (house, endpoint) = published().await;
    let store = &house.store;
    let kid = current(store, "billing").await;
    store.asked();
    let long = format!("/jwks/orders/orders.sig.{}", "a".repeat(10 * 1024));
    for path in [
        "/jwks/orders/../../../etc/passwd",
        "/jwks/orders/..%2f..%2fetc%2fpasswd",
        "/jwks/orders/orders.sig.../../x",
        "/jwks/orders/' UNION SELECT 1--",
        "/jwks/orders/orders.sig.1\r\nX: 1",
        "/jwks/orders/orders.sig.1\0",
        "/jwks/orders/orders.sig.\u{e9}",
        "/jwks/orders/orders.sig.1#",
        &long,
        &format!("/jwks/orders/{kid}"),
        &format!("/jwks/orders\0/{kid}"),
        &format!("/jwks/../billing/{kid}"),
    ] {
        assert_eq!(get(&endpoint, path).await.status, 404, "{path:?}");
    }
    assert_eq!(store.asked(), 0);
}

#[tokio::test]
async fn only_get_and_head_are_methods_here_and_head_is_get_without_its_body() {
    let (house, endpoint) = published().await;
    let store = &house.store;
    let kid = current(store, "orders").await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", ""] {
        for path in [path(&kid), "/jwks/orders/x".to_owned()] {
            let answer = endpoint.answer(method, &path, None).await;
            assert_eq!(
                (answer.status, header(&answer, "Allow")),
                (405, Some("GET, HEAD")),
                "{method} {path}"
            );
            assert_eq!(header(&answer, "Cache-Control"), Some("no-store"));
        }
    }
    for path in [path(&kid), "/jwks/orders/x".to_owned()] {
        let full = get(&endpoint, &path).await;
        let head = endpoint.answer("HEAD", &path, None).await;
        assert_eq!(head, KeyAnswer { body: String::new(), ..full });
    }
}

#[tokio::test]
async fn a_caller_who_has_the_key_is_told_that_it_is_the_same() {
    let (house, endpoint) = published().await;
    let store = &house.store;
    let kid = current(store, "orders").await;
    let path = path(&kid);
    let tag = header(&get(&endpoint, &path).await, "ETag").unwrap().to_owned();
    let table = [
        (tag.clone(), 304),
        (format!("W/{tag}"), 304),
        (format!("\"other\", {tag}"), 304),
        ("*".to_owned(), 304),
        ("\"other\"".to_owned(), 200),
        (tag.trim_matches('"').to_owned(), 200),
        (String::new(), 200),
    ];
    for (tags, status) in table {
        let answer = endpoint.answer("GET", &path, Some(&tags)).await;
        assert_eq!(answer.status, status, "{tags}");
        assert_eq!(answer.body.is_empty(), status == 304);
        assert_eq!(header(&answer, "ETag"), Some(tag.as_str()));
        assert_eq!(header(&answer, "Cache-Control"), Some("public, max-age=60"));
    }
    let other = current(store, "billing").await;
    let other = get(&endpoint, &self::path(&other)).await;
    assert_ne!(header(&other, "ETag"), Some(tag.as_str()), "a tag names one key");
    assert_eq!(endpoint.answer("GET", "/jwks/orders/x", Some("*")).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_says_nothing_about_the_key() {
    let (house, endpoint) = published().await;
    let store = &house.store;
    let kid = path(&current(store, "orders").await);
    store.down(true);
    let answer = get(&endpoint, &kid).await;
    assert_eq!((answer.status, header(&answer, "Cache-Control")), (503, Some("no-store")));
    assert!(!answer.body.contains("down"));
    store.down(false);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(get(&endpoint, &kid).await.status, 200);
    store.down(true);
    assert_eq!(get(&endpoint, &kid).await.status, 200, "kept for a few seconds");
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(get(&endpoint, &kid).await.status, 503);
    store.down(false);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(get(&endpoint, &kid).await.status, 200);
}

#[tokio::test]
async fn a_store_that_gives_another_key_is_not_believed() {
    let (house, endpoint) = published().await;
    let store = &house.store;
    let kid = current(store, "orders").await;
    store.confuse(current(store, "billing").await);
    assert_eq!(get(&endpoint, &path(&kid)).await.status, 503);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_is_gone_when_the_few_seconds_are_over() {
    let (house, endpoint) = published().await;
    let store = &house.store;
    let kid = current(store, "orders").await;
    assert_eq!(get(&endpoint, &path(&kid)).await.status, 200);
    store.rotate(&name("orders"), KeyUse::Signing).await.unwrap();
    store.revoke(&kid).await.unwrap();
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(get(&endpoint, &path(&kid)).await.status, 404);
}

#[tokio::test]
async fn many_who_ask_at_once_are_one_lookup() {
    let (house, endpoint) = published().await;
    let store = &house.store;
    let endpoint = Arc::new(endpoint);
    let kid = path(&current(store, "orders").await);
    store.asked();
    // More than there may be look-ups at once for kids that are not known.
    let asking: Vec<_> = (0..500)
        .map(|_| {
            let (endpoint, kid) = (Arc::clone(&endpoint), kid.clone());
            tokio::spawn(async move { get(&endpoint, &kid).await.status })
        })
        .collect();
    for asking in asking {
        assert_eq!(asking.await.unwrap(), 200);
    }
    assert_eq!(store.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_kid_that_is_not_there_is_looked_up_once_in_five_seconds() {
    let (house, endpoint) = published().await;
    let never = format!("/jwks/orders/orders.sig.{}", uuid::Uuid::now_v7());
    house.store.asked();
    for _ in 0..2 {
        for _ in 0..1000 {
            assert_eq!(get(&endpoint, &never).await.status, 404);
        }
        assert_eq!(house.store.asked(), 1);
        tokio::time::advance(Duration::from_secs(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn attack_29_a_flood_of_random_kids_is_bounded_and_known_keys_are_served_through_it() {
    let (house, endpoint) = published().await;
    let store = &house.store;
    let known = path(&current(store, "orders").await);
    assert_eq!(get(&endpoint, &known).await.status, 200);
    store.asked();
    for _ in 0..10_000 {
        let status =
            get(&endpoint, &format!("/jwks/orders/orders.sig.{}", uuid::Uuid::now_v7())).await.status;
        assert!(matches!(status, 404 | 503));
    }
    // The budget is of real time, of which some passes meanwhile.
    assert!(store.asked() < 5_000);
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(get(&endpoint, &known).await.status, 200);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_path_is_answered_with_anything_but_the_404(path in prop_oneof![
        any::<String>(),
        "/jwks/(orders|billing|[a-z]{0,3})/(orders|billing)?[.](sig|enc|x)?[.][a-zA-Z0-9./%-]{0,20}",
    ]) {
        let endpoint = KeyEndpoint::new([]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        prop_assert_eq!(runtime.block_on(get(&endpoint, &path)).status, 404);
    }
}

#[tokio::test]
async fn an_app_publishes_the_keys_of_the_stores_that_it_knows_and_names_the_others() {
    let house = House::new().await;
    let config = house.config(|text| {
        let aws = "  keys: { directory: keys }\n  aws: { secrets_manager: { region: eu-west-1 } }";
        text.replace("  keys: { directory: keys }", aws).replacen("    store: keys\n", "    store: aws\n", 1)
    });
    let mut elsewhere = Vec::new();
    let endpoint =
        KeyEndpoint::open_known(&config, &open_directory, |store| elsewhere.push(store.to_owned())).unwrap();
    assert_eq!(elsewhere, ["aws"]);
    for (backend, status) in [("billing", 200), ("orders", 404)] {
        let answer = get(&endpoint, &path(&current(&house.store, backend).await)).await;
        assert_eq!(answer.status, status, "{backend}");
    }
    assert!(
        KeyEndpoint::open(&config, &open_directory).is_err(),
        "where all of them are meant, none is missing"
    );
}

async fn published() -> (House, KeyEndpoint) {
    let house = House::new().await;
    let store = |backend| (name(backend), Arc::clone(&house.store) as Arc<dyn KeyStore>);
    let endpoint = KeyEndpoint::new(["orders", "billing"].map(store));
    (house, endpoint)
}

async fn current(store: &Watched, backend: &str) -> Kid {
    store.versions(&name(backend), KeyUse::Signing).await.unwrap()[0].kid.clone()
}

async fn get(endpoint: &KeyEndpoint, path: &str) -> KeyAnswer {
    endpoint.answer("GET", path, None).await
}

fn path(kid: &Kid) -> String {
    format!("/jwks/{}/{kid}", kid.backend)
}

fn header<'a>(answer: &'a KeyAnswer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(have, _)| *have == name).map(|(_, value)| value.as_str())
}

#[test]
fn several_tags_are_read_as_one_list_wherever_they_stand() {
    let read = |values: &[&[u8]]| KeyEndpoint::if_none_match(values.iter().copied());
    assert_eq!(read(&[]), None);
    assert_eq!(read(&[b"\"a\""]).as_deref(), Some("\"a\""));
    assert_eq!(read(&[b"\"a\", \"b\"", b"\xff", b"\"c\""]).as_deref(), Some("\"a\", \"b\",\"c\""));
}
