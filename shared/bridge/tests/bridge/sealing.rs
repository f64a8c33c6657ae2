use std::sync::Arc;

use drawbridge_gate::{Decision, Reason};
use drawbridge_keys::{KeyAlgorithm, KeyStore, Kid};
use drawbridge_verify::{
    KeyUse,
    jwe::{ContentEncryption, EncryptionKey, Jwe},
};
use serde_json::json;
use tokio::time::{Duration, advance};

use crate::support::{House, bridge, header, name};

/// The house, with an encryption of this kind for `billing`, and a key for it where one is named.
async fn house(encryption: &str, key: Option<KeyAlgorithm>) -> House {
    let house = House::new().await;
    let policy = format!("    path: /money\n    encryption: {encryption}\n");
    let config = house.config(|config| config.replace("    path: /money\n", &policy));
    if let Some(key) = key {
        house.store.create(&name("billing"), KeyUse::Encryption, key).await.unwrap();
    }
    let bridge = bridge(&config, &house.store, Arc::clone(&house.ledger)).unwrap();
    House { config, bridge, ..house }
}

const TARGET: &str = "/money/invoices/1";

async fn minted(house: &House) -> Result<String, Reason> {
    let consumer = house.token(json!({})).await;
    house.bridged(&consumer, TARGET).await.map(|bridged| bridged.token).map_err(|deny| deny.reason)
}

async fn decided(house: &House, token: &str) -> Reason {
    house.gate("billing", token, "/invoices/1").await.reason()
}

/// What is inside, with the backend's own key.
async fn opened(house: &House, token: &str) -> String {
    let kid: Kid = header(token)["kid"].as_str().unwrap().parse().unwrap();
    let decrypter = house.store.decrypter(&kid).await.unwrap();
    let sealed = Jwe::parse(token, 16 * 1024).unwrap().admit(decrypter.recipient()).unwrap();
    let key = decrypter.unwrap(&sealed).await.unwrap();
    sealed.open(key).unwrap().as_str().to_owned()
}

fn algorithm(name: &str) -> Option<KeyAlgorithm> {
    Some(name.parse().unwrap())
}

#[tokio::test]
async fn a_token_in_every_algorithm_goes_from_the_bridge_through_the_gate() {
    let algorithms = KeyAlgorithm::all().filter(|algorithm| algorithm.key_use() == KeyUse::Encryption);
    let mut met = 0;
    for algorithm in algorithms {
        let house = house("required", Some(algorithm)).await;
        let token = minted(&house).await.unwrap();
        assert_eq!(header(&token)["alg"], algorithm.name());
        assert_eq!(header(&token)["enc"], "A256GCM");
        assert_eq!(header(&token)["cty"], "JWT");
        assert_eq!(decided(&house, &token).await, Reason::Allowed, "{algorithm}");

        let signed = opened(&house, &token).await;
        let public = house.store.encryption_key(&name("billing")).await.unwrap();
        for encryption in ContentEncryption::ALL {
            let key = EncryptionKey::bind(&public, public.kid().unwrap(), encryption).unwrap();
            let token = key.encrypt(&signed).unwrap();
            assert_eq!(header(&token)["enc"], encryption.name());
            assert_eq!(decided(&house, &token).await, Reason::Allowed, "{algorithm} {encryption}");
            met += 1;
        }
    }
    assert_eq!(met, 11 * 4);
}

#[tokio::test]
async fn the_content_is_encrypted_as_the_backend_is_configured_for() {
    for content in ContentEncryption::ALL {
        let house =
            house(&format!("required\n    content_encryption: {content}"), algorithm("ECDH-ES")).await;
        let token = minted(&house).await.unwrap();
        assert_eq!(header(&token)["enc"], content.name());
        assert_eq!(decided(&house, &token).await, Reason::Allowed, "{content}");
    }
}

#[tokio::test]
async fn what_a_backend_gets_is_what_it_is_configured_for() {
    let key = "ECDH-ES+A256KW";
    for (encryption, key, segments) in [
        ("refused", None, Ok(3)),
        ("refused", algorithm(key), Ok(3)),
        ("accepted", None, Ok(3)),
        ("accepted", algorithm(key), Ok(5)),
        ("required", None, Err(Reason::MintFailed)),
        ("required", algorithm(key), Ok(5)),
    ] {
        let house = house(encryption, key).await;
        let token = minted(&house).await;
        assert_eq!(token.clone().map(|token| token.split('.').count()), segments, "{encryption} {key:?}");
        match token {
            Ok(token) => assert_eq!(decided(&house, &token).await, Reason::Allowed, "{encryption} {key:?}"),
            Err(_) => assert_eq!(house.ledger.reasons(), [Reason::Allowed, Reason::MintFailed]),
        }
    }
}

#[tokio::test]
async fn inside_is_the_signed_token_and_outside_is_nothing_of_it() {
    let house = house("required", algorithm("ECDH-ES")).await;
    let token = minted(&house).await.unwrap();
    let outside = header(&token);
    let mut members: Vec<_> = outside.keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "cty", "enc", "epk", "kid"]);
    assert!(outside["kid"].as_str().unwrap().starts_with("billing.enc."));
    let inside = opened(&house, &token).await;
    assert!(header(&inside)["kid"].as_str().unwrap().starts_with("billing.sig."));
    assert_eq!(decided(&house, &inside).await, Reason::TokenEncryptionRequired);
    assert_ne!(
        header(&minted(&house).await.unwrap())["epk"],
        outside["epk"],
        "each token has a key of its own"
    );
}

#[tokio::test(start_paused = true)]
async fn a_rotated_encryption_key_is_picked_up_within_seconds_and_the_old_one_still_opens_until_it_is_revoked()
 {
    let house = house("required", algorithm("ECDH-ES+A128KW:X25519")).await;
    let before = minted(&house).await.unwrap();
    let first: Kid = header(&before)["kid"].as_str().unwrap().parse().unwrap();
    let second = house.store.rotate(&name("billing"), KeyUse::Encryption).await.unwrap();
    assert_eq!(header(&minted(&house).await.unwrap())["kid"], first.to_string());
    advance(Duration::from_secs(11)).await;
    let after = minted(&house).await.unwrap();
    assert_eq!(header(&after)["kid"], second.to_string());
    assert_eq!(decided(&house, &before).await, Reason::Allowed);
    assert_eq!(decided(&house, &after).await, Reason::Allowed);
    house.store.revoke(&first).await.unwrap();
    assert_eq!(decided(&house, &before).await, Reason::KeyUnknown);
    assert_eq!(decided(&house, &after).await, Reason::Allowed);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_never_turns_an_encrypted_token_into_a_plain_one() {
    for encryption in ["accepted", "required"] {
        let house = house(encryption, algorithm("ECDH-ES+A256KW:P-384")).await;
        house.store.down(true);
        assert_eq!(minted(&house).await, Err(Reason::MintFailed), "{encryption}");
        house.store.down(false);
        advance(Duration::from_secs(1)).await;
        assert_eq!(minted(&house).await.unwrap().split('.').count(), 5);
        house.store.down(true);
        advance(Duration::from_secs(30)).await;
        assert_eq!(minted(&house).await.unwrap().split('.').count(), 5, "{encryption}");
        advance(Duration::from_secs(60)).await;
        assert_eq!(minted(&house).await, Err(Reason::MintFailed), "{encryption}");
    }
}

#[tokio::test]
async fn a_key_of_another_backend_is_not_encrypted_to() {
    let house = house("required", algorithm("ECDH-ES")).await;
    let others = house.store.create(&name("orders"), KeyUse::Encryption, algorithm("ECDH-ES").unwrap()).await;
    house.store.confuse_encryption(others.unwrap());
    assert_eq!(minted(&house).await, Err(Reason::MintFailed));
}

#[tokio::test]
async fn a_token_encrypted_to_another_backend_or_signed_for_another_is_refused() {
    let house = house("required", algorithm("ECDH-ES+A256KW")).await;
    let orders = house.store.create(&name("orders"), KeyUse::Encryption, algorithm("ECDH-ES").unwrap()).await;
    let to = async |kid: &Kid, text: &str| {
        let public = house.store.public(kid).await.unwrap();
        let key = EncryptionKey::bind(&public, &kid.to_string(), ContentEncryption::A256Gcm).unwrap();
        key.encrypt(text).unwrap()
    };
    let for_billing = minted(&house).await.unwrap();
    let billing: Kid = header(&for_billing)["kid"].as_str().unwrap().parse().unwrap();
    let signed = opened(&house, &for_billing).await;
    let consumer = house.token(json!({})).await;
    let for_orders = house.bridged(&consumer, "/orders/customers/1").await.unwrap().token;

    // Encrypted to another, though it has the right content.
    assert_eq!(decided(&house, &to(&orders.unwrap(), &signed).await).await, Reason::KeyForeign);
    // For another, though it is encrypted to this one: anybody can do that with the published key.
    assert_eq!(decided(&house, &to(&billing, &for_orders).await).await, Reason::KeyForeign);
    assert_eq!(decided(&house, &to(&billing, &consumer).await).await, Reason::TokenTypeNotAllowed);
    assert_eq!(decided(&house, &to(&billing, &signed).await).await, Reason::Allowed);
}

#[tokio::test]
async fn the_largest_claims_fit_the_headers_that_api_gateway_takes() {
    let house = house("required", algorithm("RSA-OAEP-256")).await;
    let config = house.config(|config| {
        config.replace(
            "    path: /money\n",
            "    path: /money\n    encryption: required\n    claims: { pad: /pad }\n",
        )
    });
    let bridge = bridge(&config, &house.store, Arc::clone(&house.ledger)).unwrap();
    let house = House { config, bridge, ..house };
    let mut longest = 0;
    for pad in (3000..6000).step_by(50) {
        let consumer = house.token(json!({ "pad": "x".repeat(pad) })).await;
        match house.bridged(&consumer, TARGET).await {
            Ok(bridged) => longest = bridged.token.len(),
            Err(deny) => assert_eq!(deny.reason, Reason::ContextTooLarge),
        }
    }
    assert!((8 * 1024..9728).contains(&longest), "{longest}");
}

#[tokio::test]
async fn the_kid_on_record_is_that_of_the_signature() {
    let house = house("required", algorithm("ECDH-ES")).await;
    let token = minted(&house).await.unwrap();
    let Decision::Allow(allow) = house.gate("billing", &token, "/invoices/1").await else { panic!() };
    assert!(allow.kid.starts_with("billing.sig."), "{}", allow.kid);
}
