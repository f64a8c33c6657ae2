//! What the store does while its vault does what it should.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use drawbridge_bridge::KeyEndpoint;
use drawbridge_keys::{KeyAlgorithm, KeyState, Kid, PrivateJwk, StoreError, conformance};
use drawbridge_tests::key_vault::KeyVault;
use drawbridge_verify::{
    Algorithm, KeyUse, TokenError,
    jwe::{ContentEncryption, EncryptionKey, Jwe},
};
use serde_json::{Value, json};

use crate::{of, orders, store};

const ES256: KeyAlgorithm = KeyAlgorithm::Signature(Algorithm::ES256);

fn algorithms(names: &[&str]) -> Vec<KeyAlgorithm> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn seconds_ago(seconds: i64) -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64 - seconds
}

#[tokio::test]
async fn vault_keys_keep_the_laws_of_a_store() {
    let vault = KeyVault::start().await;
    let all = ["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
    let all = [&all[..], &["RSA-OAEP", "RSA-OAEP-256"]].concat();
    conformance::holds(store(&vault, false).as_ref(), &algorithms(&all)).await;
}

#[tokio::test]
async fn vault_keys_keep_the_laws_of_a_store_also_where_a_disabled_key_cannot_be_read() {
    let vault = KeyVault::start().await;
    vault.hide_disabled_keys();
    conformance::holds(store(&vault, false).as_ref(), &algorithms(&["ES256", "RSA-OAEP-256"])).await;
}

#[tokio::test]
async fn secrets_keep_the_laws_of_a_store() {
    let vault = KeyVault::start().await;
    let all = ["ES256", "ES512", "PS256", "Ed25519", "RSA-OAEP-256", "ECDH-ES+A256KW", "ECDH-ES:X25519"];
    conformance::holds(store(&vault, true).as_ref(), &algorithms(&all)).await;
}

#[tokio::test]
async fn what_a_vault_signs_somebody_elses_library_verifies() {
    let vault = KeyVault::start().await;
    let store = store(&vault, false);
    for name in ["ES256", "ES384", "RS256", "RS512", "PS256", "PS384"] {
        let backend = name.to_lowercase().parse().unwrap();
        store.create(&backend, KeyUse::Signing, name.parse().unwrap()).await.unwrap();
        let signer = store.signer(&backend).await.unwrap();
        let token = format!(
            "{}.{}",
            BASE64URL.encode(json!({ "alg": name, "kid": signer.kid().to_string() }).to_string()),
            BASE64URL.encode(json!({ "sub": "alice" }).to_string())
        );
        let signature = signer.sign(token.as_bytes()).await.unwrap();
        let jwk = store.public(signer.kid()).await.unwrap().to_json();

        let key = jsonwebtoken::DecodingKey::from_jwk(
            &serde_json::from_str::<jsonwebtoken::jwk::Jwk>(&jwk).unwrap(),
        )
        .unwrap();
        let mut rules = jsonwebtoken::Validation::new(name.parse().unwrap());
        rules.required_spec_claims.clear();
        rules.validate_exp = false;
        let token = format!("{token}.{}", BASE64URL.encode(signature));
        let read = jsonwebtoken::decode::<Value>(&token, &key, &rules).unwrap();
        assert_eq!(read.claims["sub"], "alice", "{name}");
    }
}

#[tokio::test]
async fn a_private_key_is_in_no_answer_of_the_vault_and_its_digests_and_wrapped_keys_are_all_it_is_sent() {
    let vault = KeyVault::start().await;
    let store = store(&vault, false);
    let (sig, enc) = (KeyUse::Signing, KeyUse::Encryption);
    let signing = store.create(&orders(), sig, ES256).await.unwrap();
    let encryption = store.create(&orders(), enc, "RSA-OAEP-256".parse().unwrap()).await.unwrap();
    vault.requests();

    let signer = store.signer(&orders()).await.unwrap();
    signer.sign(b"input").await.unwrap();
    signer.sign(b"input").await.unwrap();
    let decrypter = store.decrypter(&encryption).await.unwrap();
    let key = store.encryption_key(&orders()).await.unwrap();
    let token = EncryptionKey::bind(&key, &encryption.to_string(), ContentEncryption::A256Gcm).unwrap();
    let token = token.encrypt("a signed token").unwrap();
    let sealed = Jwe::parse(&token, 4096).unwrap().admit(decrypter.recipient()).unwrap();
    let content = decrypter.unwrap(&sealed).await.unwrap();
    assert_eq!(sealed.open(content).unwrap().as_str(), "a signed token");

    let (sign, unwrap) = (&signing.version, &encryption.version);
    assert_eq!(
        vault.requests(),
        [
            "GET /keys/orders-sig/".to_owned(),
            format!("POST /keys/orders-sig/{sign}/sign"),
            format!("POST /keys/orders-sig/{sign}/sign"),
            format!("GET /keys/orders-enc/{unwrap}"),
            "GET /keys/orders-enc/".to_owned(),
            format!("POST /keys/orders-enc/{unwrap}/unwrapkey"),
        ]
    );
    assert_eq!(vault.tokens(), 1);
}

#[tokio::test]
async fn a_wrapped_key_that_does_not_unwrap_is_a_content_key_that_opens_nothing() {
    let vault = KeyVault::start().await;
    let store = store(&vault, false);
    for name in ["RSA-OAEP", "RSA-OAEP-256"] {
        let backend = name.to_lowercase().parse().unwrap();
        let kid = store.create(&backend, KeyUse::Encryption, name.parse().unwrap()).await.unwrap();
        let key = store.encryption_key(&backend).await.unwrap();
        let decrypter = store.decrypter(&kid).await.unwrap();
        let token = EncryptionKey::bind(&key, &kid.to_string(), ContentEncryption::A128CbcHs256).unwrap();
        let token = token.encrypt("a signed token").unwrap();
        let segments: Vec<&str> = token.split('.').collect();
        let wrapped = BASE64URL.decode(segments[1]).unwrap();
        let with = |wrapped: &[u8]| {
            let wrapped = BASE64URL.encode(wrapped);
            [segments[0], &wrapped, segments[2], segments[3], segments[4]].join(".")
        };
        let mut flipped = wrapped.clone();
        flipped[100] ^= 1;
        vault.requests();
        for (token, asked) in
            [(with(&flipped), 1), (with(&[7; 256]), 1), (with(&wrapped[1..]), 0), (with(&[0; 512]), 0)]
        {
            let sealed = Jwe::parse(&token, 4096).unwrap().admit(decrypter.recipient()).unwrap();
            let content = decrypter.unwrap(&sealed).await.expect("it is no error");
            assert_eq!(sealed.open(content).err(), Some(TokenError::DecryptionFailed));
            assert_eq!(vault.requests().len(), asked, "{name}");
        }
    }
}

#[tokio::test]
async fn a_version_that_is_disabled_expired_or_not_yet_active_is_a_retired_one() {
    for secrets in [false, true] {
        for hidden in [false, true] {
            let vault = KeyVault::start().await;
            if hidden {
                vault.hide_disabled_keys();
            }
            let store = store(&vault, secrets);
            for (key_use, algorithm) in [(KeyUse::Signing, "ES256"), (KeyUse::Encryption, "RSA-OAEP-256")] {
                let kid = store.create(&orders(), key_use, algorithm.parse().unwrap()).await.unwrap();
                let (name, version) = of(&kid);
                for attributes in [
                    json!({ "enabled": false }),
                    json!({ "exp": seconds_ago(0) }),
                    json!({ "exp": seconds_ago(9999) }),
                    json!({ "nbf": seconds_ago(-60) }),
                ] {
                    vault.set(&name, version, &attributes);
                    assert_eq!(store.public(&kid).await, Err(StoreError::NotFound), "{attributes}");
                    assert_eq!(store.decrypter(&kid).await.err(), Some(StoreError::NotFound), "{attributes}");
                    assert_eq!(
                        store.signer(&orders()).await.err(),
                        Some(StoreError::NotFound),
                        "{attributes}"
                    );
                    assert_eq!(store.encryption_key(&orders()).await.err(), Some(StoreError::NotFound));
                    assert_eq!(store.rotate(&orders(), key_use).await, Err(StoreError::NotFound));
                    let states: Vec<_> = store
                        .versions(&orders(), key_use)
                        .await
                        .unwrap()
                        .iter()
                        .map(|listed| listed.state)
                        .collect();
                    assert_eq!(states, [KeyState::Revoked], "{attributes}");

                    vault.set(&name, version, &json!({ "enabled": true, "exp": null, "nbf": null }));
                    assert!(store.public(&kid).await.is_ok());
                    vault.set(&name, version, &json!({ "exp": seconds_ago(-60), "nbf": seconds_ago(60) }));
                    assert!(store.public(&kid).await.is_ok());
                    vault.set(&name, version, &json!({ "exp": null, "nbf": null }));
                }
                store.create(&orders(), key_use, algorithm.parse().unwrap()).await.unwrap_err();
                vault.set(&name, version, &json!({ "enabled": false }));
            }
        }
    }
}

#[tokio::test]
async fn where_the_newest_version_may_not_be_used_the_one_before_it_is_the_current_one() {
    for secrets in [false, true] {
        let vault = KeyVault::start().await;
        let store = store(&vault, secrets);
        let first = store.create(&orders(), KeyUse::Signing, ES256).await.unwrap();
        let second = store.rotate(&orders(), KeyUse::Signing).await.unwrap();
        let (name, version) = of(&second);
        // Prepared for later, as a key that is imported ahead of its time; then it is time.
        vault.set(&name, version, &json!({ "nbf": seconds_ago(-60), "created": seconds_ago(-1) }));
        assert_eq!(store.signer(&orders()).await.unwrap().kid(), &first);
        assert_eq!(store.revoke(&first).await, Err(StoreError::InUse));
        vault.set(&name, version, &json!({ "nbf": seconds_ago(0) }));
        assert_eq!(store.signer(&orders()).await.unwrap().kid(), &second);
        assert_eq!(store.revoke(&first).await, Ok(()));
    }
}

#[tokio::test]
async fn of_versions_that_were_made_in_one_second_the_vault_says_which_is_the_newest() {
    for secrets in [false, true] {
        let vault = KeyVault::start().await;
        let store = store(&vault, secrets);
        let mut kids = vec![store.create(&orders(), KeyUse::Signing, ES256).await.unwrap()];
        for _ in 0..8 {
            kids.push(store.rotate(&orders(), KeyUse::Signing).await.unwrap());
            let (name, _) = of(&kids[0]);
            for kid in &kids {
                vault.set(&name, kid.version.as_str(), &json!({ "created": 1_700_000_000 }));
            }
            let newest = kids.last().unwrap();
            assert_eq!(store.signer(&orders()).await.unwrap().kid(), newest);
            let versions = store.versions(&orders(), KeyUse::Signing).await.unwrap();
            assert_eq!((&versions[0].kid, versions[0].state), (newest, KeyState::Current));
            assert_eq!(versions.len(), kids.len(), "all pages of the list were read");
            for kid in &kids {
                vault.set(&name, kid.version.as_str(), &json!({ "created": seconds_ago(0) }));
            }
        }
    }
}

#[tokio::test]
async fn a_rotation_retires_what_nobody_needs_any_more() {
    for secrets in [false, true] {
        let vault = KeyVault::start().await;
        let store = store(&vault, secrets);
        let first = store.create(&orders(), KeyUse::Signing, ES256).await.unwrap();
        let second = store.rotate(&orders(), KeyUse::Signing).await.unwrap();
        let (name, _) = of(&first);
        vault.set(&name, first.version.as_str(), &json!({ "created": seconds_ago(9000) }));
        vault.set(&name, second.version.as_str(), &json!({ "created": seconds_ago(3900) }));
        let third = store.rotate(&orders(), KeyUse::Signing).await.unwrap();
        let states: Vec<_> = store.versions(&orders(), KeyUse::Signing).await.unwrap();
        let states: Vec<_> = states.iter().map(|listed| (&listed.kid, listed.state)).collect();
        assert_eq!(
            states,
            [(&third, KeyState::Current), (&second, KeyState::Previous), (&first, KeyState::Revoked)]
        );
    }
}

#[tokio::test]
async fn backends_whose_names_have_hyphens_keep_their_keys_apart() {
    let vault = KeyVault::start().await;
    let store = store(&vault, false);
    let names = ["orders", "orders-sig", "orders-enc", "orders-sig-enc"];
    let mut kids = Vec::new();
    for name in names {
        kids.push(store.create(&name.parse().unwrap(), KeyUse::Signing, ES256).await.unwrap());
    }
    for (name, kid) in names.iter().zip(&kids) {
        let backend = name.parse().unwrap();
        assert_eq!(store.signer(&backend).await.unwrap().kid(), kid);
        assert_eq!(store.versions(&backend, KeyUse::Signing).await.unwrap().len(), 1);
        assert_eq!(store.versions(&backend, KeyUse::Encryption).await, Ok(Vec::new()));
    }
    vault.import("tls", json!({}));
    vault.import("Billing-sig", json!({}));
    let listed: Vec<_> = store.backends().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(listed, ["orders", "orders-enc", "orders-sig", "orders-sig-enc"]);
}

#[tokio::test]
async fn a_key_that_somebody_else_made_has_the_algorithm_of_its_type_and_a_use_of_its_own() {
    let vault = KeyVault::start().await;
    let store = store(&vault, false);
    let key = |algorithm: &str, operations: &[&str]| {
        let key = PrivateJwk::generate(algorithm.parse().unwrap()).unwrap();
        let mut jwk: Value = serde_json::from_str(&key.to_json()).unwrap();
        jwk["key_ops"] = json!(operations);
        jwk
    };
    let (signs, wraps) = (&["sign", "verify"][..], &["wrapKey", "unwrapKey"][..]);
    for (made, operations, key_use, expected) in [
        ("ES384", signs, KeyUse::Signing, Some("ES384")),
        ("RS256", signs, KeyUse::Signing, Some("RS256")),
        ("RS256", wraps, KeyUse::Encryption, Some("RSA-OAEP-256")),
        ("RS256", &["sign", "verify", "wrapKey", "unwrapKey", "encrypt", "decrypt"], KeyUse::Signing, None),
        (
            "RS256",
            &["sign", "verify", "wrapKey", "unwrapKey", "encrypt", "decrypt"],
            KeyUse::Encryption,
            None,
        ),
        ("RS256", wraps, KeyUse::Signing, None),
        ("ES256", wraps, KeyUse::Encryption, None),
    ] {
        let name = format!("made-{}", key_use.name());
        let version = vault.import(&name, key(made, operations));
        let kid: Kid = format!("made.{}.{version}", key_use.name()).parse().unwrap();
        let public = store.public(&kid).await;
        match expected {
            Some(name) => {
                let public = public.unwrap();
                assert_eq!(KeyAlgorithm::of(&public).unwrap().to_string(), name);
                assert_eq!(
                    store.versions(&kid.backend, key_use).await.unwrap()[0].algorithm.to_string(),
                    name
                );
            }
            None => {
                assert!(matches!(public, Err(StoreError::Malformed(_))), "{made} {operations:?} {public:?}")
            }
        }
        vault.delete(&name);
    }
}

#[tokio::test]
async fn a_secret_that_is_no_private_key_of_its_use_is_told_of_and_not_shown() {
    let vault = KeyVault::start().await;
    let store = store(&vault, true);
    let kid = store.create(&orders(), KeyUse::Signing, ES256).await.unwrap();
    let (name, version) = of(&kid);
    let key = |name: &str| PrivateJwk::generate(name.parse().unwrap()).unwrap().to_json().to_string();
    let good = key("ES256");
    for value in [
        String::new(),
        "hunter2-hunter2".to_owned(),
        good.replace("\"d\"", "\"secret\""),
        good.replace("ES256", "ES384"),
        key("ECDH-ES"),
        format!("{good} "),
    ] {
        vault.overwrite(&name, version, &value);
        let trailing_space_is_json = value.ends_with(' ');
        match store.public(&kid).await {
            Ok(_) => assert!(trailing_space_is_json, "{value}"),
            Err(StoreError::Malformed(why)) => {
                assert!(why.contains("`orders-sig`"), "{why}");
                assert!(!why.contains("hunter2"), "{why}");
            }
            Err(other) => panic!("{other}"),
        }
    }
    vault.overwrite(&name, version, &good);
    vault.untag(&name, version);
    assert!(store.signer(&orders()).await.is_ok());
    assert_eq!(store.versions(&orders(), KeyUse::Signing).await.unwrap()[0].algorithm, ES256);
}

#[tokio::test]
async fn a_kid_that_no_vault_could_have_made_is_not_asked_for() {
    let vault = KeyVault::start().await;
    let store = store(&vault, false);
    let kid = store.create(&orders(), KeyUse::Signing, ES256).await.unwrap();
    vault.requests();
    let upper = kid.version.as_str().to_uppercase();
    let (short, long) = (&kid.version.as_str()[1..], format!("{}0", kid.version));
    for version in
        [upper.as_str(), short, &long, "latest", "versions", "0198c5e2-7a10-7cc2-9d4e-3f6f0f1f2a11"]
    {
        let kid: Kid = format!("orders.sig.{version}").parse().unwrap();
        if version != kid.version.as_str().to_lowercase() || version.len() != 32 {
            assert_eq!(store.public(&kid).await, Err(StoreError::NotFound), "{kid}");
            assert_eq!(store.decrypter(&kid).await.err(), Some(StoreError::NotFound), "{kid}");
        }
    }
    assert_eq!(vault.requests(), [""; 0]);
}

#[tokio::test]
async fn the_key_endpoint_publishes_one_key_of_the_vault_and_answers_the_same_404_to_all_others() {
    for secrets in [false, true] {
        let vault = KeyVault::start().await;
        let store = store(&vault, secrets);
        let first = store.create(&orders(), KeyUse::Signing, ES256).await.unwrap();
        let second = store.rotate(&orders(), KeyUse::Signing).await.unwrap();
        store.revoke(&first).await.unwrap();
        let endpoint = KeyEndpoint::new([(orders(), std::sync::Arc::clone(&store))]);
        let get = |kid: String| {
            let endpoint = &endpoint;
            async move { endpoint.answer("GET", &format!("/jwks/orders/{kid}"), None).await }
        };
        let published = get(second.to_string()).await;
        let set: Value = serde_json::from_str(&published.body).unwrap();
        assert_eq!((published.status, set["keys"].as_array().unwrap().len()), (200, 1));
        let (key, expected) = (&set["keys"][0], store.public(&second).await.unwrap());
        assert_eq!(key.to_string(), serde_json::from_str::<Value>(&expected.to_json()).unwrap().to_string());
        assert_eq!(
            (key["kid"].as_str(), key["use"].as_str()),
            (Some(second.to_string().as_str()), Some("sig"))
        );
        assert!(key.get("d").is_none() && key.get("key_ops").is_none());

        let absent = get(format!("orders.sig.{}", "0".repeat(32))).await;
        let retired = get(first.to_string()).await;
        let foreign = get(second.to_string().replace("orders", "billing")).await;
        for answer in [&absent, &retired, &foreign] {
            assert_eq!((answer.status, &answer.body), (404, &absent.body));
        }
    }
}
