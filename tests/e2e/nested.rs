//! Nested tokens on the running chain: `billing` takes no other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what breaks must fail loudly"
)]

use std::{
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_keys::{KeyStore, directory::DirectoryStore};
use drawbridge_tests::{
    binary::drawbridge,
    chain::Chain,
    corpus::token,
    forge::ChainForge,
    http::{Answer, get},
};
use drawbridge_verify::{
    KeyUse, PublicJwk,
    jwe::{ContentEncryption, EncryptionKey},
};
use serde_json::{Value, json};

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// A signed token for `billing`, as its bridge signs.
async fn signed(chain: &Chain) -> String {
    let forge = ChainForge::open(chain, "billing").await;
    token(&forge, now(), &json!({}), &json!({ "aud": "billing", "scope": "invoices:read" }))
}

/// The key to encrypt to, as anybody gets it from the key endpoint.
async fn published(chain: &Chain, backend: &str) -> PublicJwk {
    let store = DirectoryStore::new(chain.state().join("keys"));
    let versions = store.versions(&backend.parse().unwrap(), KeyUse::Encryption).await.unwrap();
    let kid = &versions.first().expect("`up` made it").kid;
    let set = get(chain.address("keys"), &format!("/jwks/{backend}/{kid}"), None).await.json();
    assert_eq!(set["keys"].as_array().map(Vec::len), Some(1), "{set}");
    PublicJwk::parse(set["keys"][0].to_string().as_bytes()).unwrap()
}

fn sealed(key: &PublicJwk, text: &str) -> String {
    let key = EncryptionKey::bind(key, key.kid().unwrap(), ContentEncryption::A256Gcm).unwrap();
    key.encrypt(text).unwrap()
}

/// At the gateway of `billing`, without the edge.
async fn at_billing(chain: &Chain, token: &str) -> Answer {
    get(&format!("{}/billing", chain.address("azure")), "/invoices/1", Some(token)).await
}

/// What the gate of `billing` put on record.
async fn reason(chain: &Chain) -> String {
    let decision = chain.decision(|decision| decision["subject"] == "gate").await;
    assert_eq!(decision["backend"], "billing", "{decision}");
    decision["reason"].as_str().unwrap().to_owned()
}

fn header(token: &str) -> Value {
    let header = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

#[tokio::test]
async fn billing_refuses_a_plain_token_and_takes_the_same_one_encrypted_to_it() {
    let chain = Chain::start().await;
    let plain = signed(&chain).await;
    let key = published(&chain, "billing").await;

    assert_eq!(at_billing(&chain, &plain).await.status, 401);
    assert_eq!(reason(&chain).await, "token.encryption_required");
    let answer = at_billing(&chain, &sealed(&key, &plain)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(reason(&chain).await, "allowed");

    let consumer = chain.token("demo", "invoices:read").await;
    let through = chain.through_edge("/billing/invoices/7", Some(&consumer)).await;
    assert_eq!(through.status, 200, "{}", through.text());
    assert_eq!(through.json()["caller"]["sub"], "demo");
    assert_eq!(reason(&chain).await, "allowed");
}

#[tokio::test]
async fn every_way_to_fail_is_one_answer_outwardly_and_has_its_reason_on_record() {
    let chain = Chain::start().await;
    let plain = signed(&chain).await;
    let key = published(&chain, "billing").await;
    let good = sealed(&key, &plain);
    let orders = ChainForge::open(&chain, "orders").await;
    let for_orders = token(&orders, now(), &json!({}), &json!({}));

    let segment = |at: usize, change: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let mut segments: Vec<_> = good.split('.').map(str::to_owned).collect();
        segments[at] = URL_SAFE_NO_PAD.encode(change(URL_SAFE_NO_PAD.decode(&segments[at]).unwrap()));
        segments.join(".")
    };
    let flipped = |at| {
        segment(at, &|mut bytes| {
            *bytes.last_mut().unwrap() ^= 1;
            bytes
        })
    };
    let headed = |name: &str, value: Value| {
        segment(0, &|header| {
            let mut header: Value = serde_json::from_slice(&header).unwrap();
            header[name] = value.clone();
            header.to_string().into_bytes()
        })
    };
    let unknown = "billing.enc.0198c5e2-7a10-7cc2-9d4e-3f6f0f1f2a11";
    let table = [
        ("the key changed", flipped(1), "token.decryption_failed"),
        ("the iv changed", flipped(2), "token.decryption_failed"),
        ("the content changed", flipped(3), "token.decryption_failed"),
        ("the tag changed", flipped(4), "token.decryption_failed"),
        ("a short tag", segment(4, &|tag| tag[..12].to_vec()), "token.decryption_failed"),
        ("a header that was not authenticated", headed("x", json!(1)), "token.decryption_failed"),
        ("another algorithm than the key's", headed("alg", json!("ECDH-ES+A128KW")), "token.alg_not_allowed"),
        ("passwords", headed("alg", json!("PBES2-HS256+A128KW")), "token.alg_not_allowed"),
        ("compression", headed("zip", json!("DEF")), "token.header_refused"),
        ("not a token inside", headed("cty", json!("json")), "token.type_not_allowed"),
        ("a kid that never was", headed("kid", json!(unknown)), "key.unknown"),
        (
            "the kid of another backend",
            headed("kid", json!(unknown.replace("billing", "orders"))),
            "key.foreign",
        ),
        ("the kid of a signing key", headed("kid", json!(unknown.replace("enc", "sig"))), "key.foreign"),
        ("claims that nobody signed", sealed(&key, r#"{"sub":"root"}"#), "token.malformed"),
        ("encrypted twice", sealed(&key, &good), "token.encryption_refused"),
        ("the token of another backend", sealed(&key, &for_orders), "key.foreign"),
    ];
    let mut answers = Vec::new();
    for (what, token, expected) in table {
        let answer = at_billing(&chain, &token).await;
        assert_eq!(reason(&chain).await, expected, "{what}");
        let mut body = answer.json();
        body.as_object_mut().unwrap().remove("instance");
        answers.push((answer.status, body));
    }
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
    assert_eq!(answers[0].0, 401);
    assert_eq!(at_billing(&chain, &good).await.status, 200);
}

#[tokio::test]
async fn a_rotated_encryption_key_is_encrypted_to_and_the_previous_one_still_opens() {
    let chain = Chain::start().await;
    let plain = signed(&chain).await;
    let before = published(&chain, "billing").await;
    let consumer = chain.token("demo", "invoices:read").await;
    let bridged = async || {
        let answer = get(chain.address("bridge"), "/ext-authz/billing/invoices/1", Some(&consumer)).await;
        answer.header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned()
    };
    assert_eq!(header(&bridged().await)["kid"], before.kid().unwrap());

    let rotate = Command::new(drawbridge())
        .args(["keys", "rotate", "--backend", "billing", "--use", "enc", "--format", "json", "--directory"])
        .arg(chain.state().join("keys"))
        .output()
        .unwrap();
    assert!(rotate.status.success(), "{rotate:?}");
    let new: Value = serde_json::from_slice(&rotate.stdout).unwrap();

    assert_eq!(at_billing(&chain, &sealed(&before, &plain)).await.status, 200);
    let mut token = bridged().await;
    for _ in 0..100 {
        if header(&token)["kid"] == new["kid"] {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        token = bridged().await;
    }
    assert_eq!(header(&token)["kid"], new["kid"], "the bridge encrypts to the new version");
    assert_eq!(at_billing(&chain, &token).await.status, 200);
}

#[tokio::test]
async fn a_backend_behind_api_gateway_takes_encrypted_tokens_as_well() {
    let config = json!({
        "issuers": {
            "login": {
                "issuer": "https://login.example.com", "audience": "https://api.example.com",
                "keys": "discovery", "algorithms": ["RS256"],
            },
            "edge": {
                "issuer": "https://edge.example.com",
                "keys": { "jwks": "https://keys.example.com/jwks/{backend}/{kid}" },
                "algorithms": ["ES256"], "types": ["bridged+jwt"], "max_lifetime": "5m",
            },
        },
        "stores": { "aws": { "secrets_manager": { "prefix": "drawbridge", "region": "eu-west-1" } } },
        "backends": { "orders": {
            "issuer": "edge", "store": "aws", "upstream": "https://orders.example.com",
            "encryption": "accepted", "context": ["sub"],
            "routes": [{ "path": "/customers/{customer}", "methods": ["GET"], "scopes": ["customers:read"] }],
        } },
        "consumers": "login",
    });
    let chain = Chain::start_with(&config.to_string()).await;
    let plain = token(&ChainForge::open(&chain, "orders").await, now(), &json!({}), &json!({}));
    let key = published(&chain, "orders").await;
    let good = sealed(&key, &plain);
    let tampered = format!("{}.AAAAAAAAAAAAAAAAAAAAAA", good.rsplit_once('.').unwrap().0);
    let aws = format!("{}/orders", chain.address("aws"));
    for (token, status, reason) in
        [(&plain, 200, "allowed"), (&good, 200, "allowed"), (&tampered, 401, "token.decryption_failed")]
    {
        assert_eq!(get(&aws, "/customers/42", Some(token)).await.status, status, "{reason}");
        let decision = chain.decision(|decision| decision["subject"] == "gate").await;
        assert_eq!(decision["reason"], reason);
    }
    let consumer = chain.token("demo", "customers:read").await;
    let through = chain.through_edge("/orders/customers/42", Some(&consumer)).await;
    assert_eq!((through.status.as_u16(), &through.json()["caller"]["sub"]), (200, &json!("demo")));
}
