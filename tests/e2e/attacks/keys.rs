//! Which key is taken, from where, and how often it is asked for.

use std::net::TcpListener;

use axum::http::StatusCode;
use drawbridge_tests::{
    binary::drawbridge,
    corpus::{self, Forge},
    forge::ChainForge,
    http::{get, send},
};
use serde_json::{Value, json};

use crate::{
    house::{House, IdpForge, config, now},
    parts::{Fake, Part},
};

#[tokio::test]
async fn attack_05_an_address_of_a_key_in_the_header_is_refused_and_nothing_connects_to_it() {
    let house = House::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    for door in house.doors().await {
        for (header, reason) in [
            (json!({ "jku": url }), "token.header_refused"),
            (json!({ "x5u": url }), "token.header_refused"),
            (json!({ "jku": url, "kid": url }), "token.header_refused"),
            (json!({ "kid": url }), "token.kid_malformed"),
            (json!({ "kid": format!("@{}", listener.local_addr().unwrap()) }), "token.kid_malformed"),
        ] {
            door.refuses(&header.to_string(), &door.token(&header, &json!({})), reason).await;
        }
        door.allows(&door.good()).await;
    }
    let nobody = listener.accept().unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock, "nobody came");
}

#[tokio::test]
async fn attack_06_a_kid_that_is_more_than_a_name_reaches_neither_store_nor_log() {
    let house = House::start().await;
    for door in house.doors().await {
        for kid in [
            "../../dev/null",
            "/etc/passwd",
            "..\\..\\windows\\win.ini",
            "' UNION SELECT 'secret",
            "*)(uid=*",
            "orders.sig.1\r\nx: y",
            "orders.sig.1\u{0}",
            "%2e%2e%2fdev%2fnull",
            "$(id)",
            "${jndi:ldap://127.0.0.1:9/a}",
            "",
        ] {
            let token = door.token(&json!({ "kid": kid }), &json!({}));
            let bearer = format!("Bearer {token}");
            let answer = door.send("GET", &door.target(), &[("authorization", &bearer)]).await;
            let record = door.record().await;
            assert_eq!(record["reason"], "token.kid_malformed", "{}: {kid:?}", door.name);
            assert_eq!(answer.status, 401, "{}: {kid:?}", door.name);
            assert_eq!(record["kid"], Value::Null, "{}: {kid:?} is not on record", door.name);
        }
        let token = door.token(&json!({ "kid": "k".repeat(10 * 1024) }), &json!({}));
        door.refuses("a kid of 10 KB", &token, "token.malformed").await;
        door.allows(&door.good()).await;
    }
    let keys = house.chain.address("keys");
    let own = house.aws().await.forge.kid();
    assert_eq!(get(keys, &format!("/jwks/orders/{own}"), None).await.status, 200);
    for kid in ["..%2f..%2fkeys", "../orders", "%00", "'--", "orders.sig.1%0d%0a", &"k".repeat(10 * 1024)] {
        let answer = get(keys, &format!("/jwks/orders/{kid}"), None).await;
        assert_eq!(answer.status, 404, "{kid:.40}");
    }
}

#[tokio::test]
async fn attack_18_one_kid_of_two_issuers_names_two_keys() {
    let house = House::start().await;
    let idp = IdpForge::open(&house.chain).await;
    // On the chain: the kid of one issuer under the key of the other.
    for door in house.gates().await {
        let token = door.signed_by(&json!({}), |input| idp.sign(input));
        door.refuses("the gate's kid, the provider's key", &token, "token.signature_invalid").await;
        door.allows(&door.good()).await;
    }
    let edge = house.edge().await;
    let orders = house.aws().await;
    let token = edge.signed_by(&json!({}), |input| orders.forge.sign(input));
    edge.refuses("the provider's kid, the gate's key", &token, "token.signature_invalid").await;
    edge.allows(&edge.good()).await;

    // Two issuers of the same kind whose keys have the same kid: each verifies its own and nothing else.
    let store = house.chain.folder().join("two");
    std::fs::create_dir(&store).unwrap();
    let (ours, theirs) =
        (ChainForge::open(&house.chain, "orders").await, ChainForge::open(&house.chain, "billing").await);
    let published =
        |set: Value| move |_: &str| ([("content-type", "application/jwk-set+json")], set.to_string());
    let set_of = async |backend: &str, kid: &str| {
        let mut set = get(house.chain.address("keys"), &format!("/jwks/{backend}/{kid}"), None).await.json();
        set["keys"][0]["kid"] = SHARED_KID.into();
        set
    };
    let one = Fake::start(published(set_of("orders", &ours.kid()).await)).await;
    let other = Fake::start(published(set_of("billing", &theirs.kid()).await)).await;
    let configured = |name: &str, keys: &Fake| {
        let mut config = config(&json!({}));
        config["issuers"]["edge"]["issuer"] = format!("https://{name}.example.com").into();
        config["issuers"]["edge"]["keys"]["jwks"] =
            format!("http://{}/{{backend}}/{{kid}}", keys.address).into();
        config["issuers"]["edge"]["relax"] = json!(["allow_http_on_loopback"]);
        let file = store.join(format!("{name}.json"));
        std::fs::write(&file, config.to_string()).unwrap();
        file
    };
    let files = [configured("one", &one), configured("other", &other)];
    let now = now();
    let token = |forge: &ChainForge, issuer: &str| {
        let claims = json!({ "iss": format!("https://{issuer}.example.com") });
        corpus::token(forge, now, &json!({ "kid": SHARED_KID }), &claims)
    };
    let tokens = [token(&ours, "one"), token(&theirs, "one"), token(&ours, "other"), token(&theirs, "other")];
    const FORGED: &str = "token.signature_invalid";
    // A signature that does not hold says nothing about the claims, so that theirs comes first.
    for (config, expected) in [
        (&files[0], ["allowed", FORGED, "token.issuer_mismatch", FORGED]),
        (&files[1], [FORGED, "token.issuer_mismatch", FORGED, "allowed"]),
    ] {
        assert_eq!(decide(config, now, &tokens).await, expected, "{}", config.display());
    }
    assert_eq!((one.asked(), other.asked()), (1, 1));
}

#[tokio::test]
async fn attack_19_a_valid_key_of_another_backend_signs_nothing_here() {
    let house = House::start().await;
    let [orders, billing] = house.gates().await;
    for (door, other) in [(&orders, &billing), (&billing, &orders)] {
        let foreign = door.signed_by(&json!({ "kid": other.forge.kid() }), |input| other.forge.sign(input));
        door.refuses("another backend's kid and key", &foreign, "key.foreign").await;
        let stolen = door.signed_by(&json!({}), |input| other.forge.sign(input));
        door.refuses("another backend's key", &stolen, "token.signature_invalid").await;
        let named = door.token(&json!({ "kid": other.forge.kid() }), &json!({}));
        door.refuses("another backend's kid", &named, "key.foreign").await;
        let encryption = door.forge.kid().replace(".sig.", ".enc.");
        let token = door.token(&json!({ "kid": encryption }), &json!({}));
        door.refuses("a kid for encryption", &token, "key.foreign").await;
        door.allows(&door.good()).await;
    }
}

#[tokio::test]
async fn attack_20_a_token_for_another_audience_is_refused() {
    let house = House::start().await;
    let [orders, billing] = house.gates().await;
    orders.refuses("a right token of billing", &billing.good(), "key.foreign").await;
    billing.refuses("a right token of orders", &orders.good(), "key.foreign").await;
    for (door, other) in [(&orders, "billing"), (&billing, "orders")] {
        for aud in [
            json!(other),
            json!([other]),
            json!([door.backend, other]),
            json!([]),
            json!("*"),
            json!(""),
            json!(format!("{} ", door.backend)),
            json!(door.backend.to_uppercase()),
        ] {
            let token = door.token(&json!({}), &json!({ "aud": aud }));
            door.refuses(&format!("aud {aud}"), &token, "token.audience_mismatch").await;
        }
        let token = door.token(&json!({}), &json!({ "aud": null }));
        door.refuses("no aud", &token, "token.claim_missing").await;
        door.allows(&door.good()).await;
    }
    let edge = house.edge().await;
    for aud in ["orders", "https://api.example.com/", "https://other.example.com"] {
        let token = edge.token(&json!({}), &json!({ "aud": aud }));
        edge.refuses(&format!("aud {aud}"), &token, "token.audience_mismatch").await;
    }
    edge.allows(&edge.good()).await;
}

#[tokio::test]
async fn attack_29_random_kids_cost_a_share_of_fetches_and_no_known_key() {
    let house = House::start().await;
    let billing = house.azure().await;
    let kid = billing.forge.kid();
    let known = get(house.chain.address("keys"), &format!("/jwks/billing/{kid}"), None).await.text();
    let keys = Fake::start(move |path: &str| {
        let found = path == format!("/jwks/billing/{kid}");
        let (status, body) =
            if found { (StatusCode::OK, known.clone()) } else { (StatusCode::NOT_FOUND, "{}".into()) };
        (status, [("content-type", "application/jwk-set+json")], body)
    })
    .await;
    let mut config = config(&json!({}));
    config["issuers"]["edge"]["keys"]["jwks"] =
        format!("http://{}/jwks/{{backend}}/{{kid}}", keys.address).into();
    config["issuers"]["edge"]["relax"] = json!(["allow_http_on_loopback"]);
    let behind = Fake::start(|_: &str| "{}").await;
    let backend = format!("billing=http://{}", behind.address);
    let mut gateway = Part::serve("azure-gateway", &config, &["--backend", &backend]).await;
    let base = format!("{}/billing", gateway.address);

    let good = billing.good();
    assert_eq!(get(&base, "/invoices/42", Some(&good)).await.status, 200);
    assert_eq!(gateway.reason().await, "allowed");
    assert_eq!(keys.asked(), 1);
    let mut unknown = 0;
    for number in 0..300 {
        let token = billing.token(&json!({ "kid": format!("billing.sig.{number}") }), &json!({}));
        let bearer = format!("Bearer {token}");
        // Who says to be somebody else every time has no share more.
        let source = format!("192.0.2.{}", number % 250);
        let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", &source)];
        let answer = send("GET", &base, "/invoices/42", &headers, "").await;
        match (answer.status.as_u16(), gateway.reason().await.as_str()) {
            (401, "key.unknown") => unknown += 1,
            (503, "key.unavailable") => {}
            other => panic!("{number}: {other:?}"),
        }
    }
    let asked = keys.asked() - 1;
    assert_eq!(asked, unknown, "nothing else was fetched");
    // The default share of one source is 20 in a minute; some of it may have come back in the meantime.
    assert!((1..=60).contains(&asked), "{asked} fetches for 300 kids");
    assert_eq!(get(&base, "/invoices/42", Some(&good)).await.status, 200, "the known key is still there");
    assert_eq!(gateway.reason().await, "allowed");
    assert_eq!(keys.asked() - 1, asked);
    assert_eq!(behind.asked(), 2, "only what was allowed reached the backend");
}

/// The reasons for which the gate of `orders` decides about tokens.
async fn decide(config: &std::path::Path, now: i64, tokens: &[String]) -> Vec<String> {
    let lines: String = tokens
        .iter()
        .map(|token| {
            let request = json!({
                "method": "GET", "uri": "/customers/42", "headers": { "authorization": [format!("Bearer {token}")] },
            });
            format!("{request}\n")
        })
        .collect();
    let mut process = tokio::process::Command::new(drawbridge())
        .args(["decide", "--backend", "orders", "--at", &now.to_string(), "--config"])
        .arg(config)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut input, lines.as_bytes()).await.unwrap();
    drop(input);
    let output = process.wait_with_output().await.unwrap();
    let decisions = String::from_utf8(output.stdout).unwrap();
    let reason = |line| serde_json::from_str::<Value>(line).unwrap()["reason"].as_str().unwrap().to_owned();
    decisions.lines().map(reason).collect()
}

const SHARED_KID: &str = "orders.sig.shared";
