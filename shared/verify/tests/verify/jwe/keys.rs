use drawbridge_verify::{
    Algorithm, JwkError, JwkSet, KeyUse, PublicJwk, PublicKey,
    jwe::{ContentEncryption, DecryptionKey, EncryptionKey, KeyManagement},
};
use serde_json::{Value, json};

use super::{ENC_KID, PRIVATE, decryption_key, ec, encryption_key, p256, parse, public};
use crate::make::{KID, encode, only, with};

#[test]
fn private_keys_that_are_not_as_they_must_be_are_refused() {
    let rsa = with(with(PRIVATE[0].0.clone(), "alg", json!("RSA-OAEP-256")), "use", json!("enc"));
    let p256 = with(p256().clone(), "alg", json!("ECDH-ES"));
    let parse = |jwk: &Value| {
        DecryptionKey::parse(jwk.to_string().as_bytes(), ENC_KID, &ContentEncryption::ALL).map(|_| ())
    };
    assert_eq!(parse(&rsa), Ok(()));
    assert_eq!(parse(&p256), Ok(()));
    assert_eq!(parse(&with(p256.clone(), "kid", json!(ENC_KID))), Ok(()));

    const APART: JwkError = JwkError::Malformed("the parts of the private key do not belong together");
    let stranger = ec("P-256");
    let cases = [
        (with(p256.clone(), "d", None), JwkError::Malformed("d")),
        (with(p256.clone(), "d", json!(encode([0; 32]))), JwkError::Malformed("d")),
        (with(p256.clone(), "d", json!(encode([1; 31]))), JwkError::Malformed("d")),
        (with(p256.clone(), "d", stranger["d"].clone()), APART),
        (
            with(p256.clone(), "kid", json!("orders.enc.1")),
            JwkError::Malformed("the kid is not the one that was asked for"),
        ),
        (with(p256.clone(), "use", json!("sig")), JwkError::WrongUse),
        (with(p256.clone(), "key_ops", json!(["deriveKey", "sign"])), JwkError::WrongUse),
        (with(p256.clone(), "alg", None), JwkError::AlgorithmNotAllowed),
        (with(p256.clone(), "alg", json!("ES256")), JwkError::AlgorithmNotAllowed),
        (with(p256.clone(), "alg", json!("RSA-OAEP")), JwkError::AlgorithmNotAllowed),
        (with(p256.clone(), "alg", json!("dir")), JwkError::AlgorithmNotAllowed),
        (with(p256, "y", stranger["y"].clone()), JwkError::Weak("not a point on the curve")),
        (with(rsa.clone(), "alg", json!("ECDH-ES")), JwkError::AlgorithmNotAllowed),
        (with(rsa.clone(), "qi", None), JwkError::Malformed("qi")),
        (with(rsa.clone(), "d", rsa["p"].clone()), APART),
        (with(rsa.clone(), "p", rsa["q"].clone()), APART),
        (json!({"kty": "oct", "k": "AAAA", "alg": "dir"}), JwkError::Unsupported),
    ];
    for (jwk, error) in cases {
        assert_eq!(parse(&jwk), Err(error), "{jwk}");
    }
}

#[test]
fn a_key_is_for_signing_or_for_encrypting_and_never_both() {
    let jwk = public(p256(), KeyManagement::EcdhEs);
    let bound = PublicKey::bind(&jwk, ENC_KID, only(Algorithm::ES256), true);
    assert_eq!(bound.unwrap_err(), JwkError::WrongUse);
    assert!(JwkSet::parse(JwkSet::of_one(&jwk).as_bytes()).unwrap().into_keys().is_empty());

    let signing = jwk.clone().named(KID, KeyUse::Signing, Algorithm::ES256);
    assert!(matches!(
        EncryptionKey::bind(&signing, KID, ContentEncryption::A256Gcm),
        Err(JwkError::WrongUse)
    ));
    let mistaken = jwk.named(ENC_KID, KeyUse::Encryption, Algorithm::ES256);
    let bound = EncryptionKey::bind(&mistaken, ENC_KID, ContentEncryption::A256Gcm);
    assert!(matches!(bound, Err(JwkError::AlgorithmNotAllowed)));
    for algorithm in [KeyManagement::RsaOaep, KeyManagement::RsaOaep256] {
        let misfit = public(p256(), algorithm);
        let bound = EncryptionKey::bind(&misfit, ENC_KID, ContentEncryption::A256Gcm);
        assert!(matches!(bound, Err(JwkError::AlgorithmNotAllowed)));
    }
}

#[test]
fn an_encryption_key_is_printed_and_parsed_again() {
    for (jwk, algorithms) in PRIVATE.iter() {
        for algorithm in algorithms {
            let public = public(jwk, *algorithm);
            assert_eq!(public.key_management(), Some(*algorithm));
            assert_eq!(public.algorithm(), None);
            assert_eq!(PublicJwk::parse(public.to_json().as_bytes()), Ok(public));
        }
    }
}

#[test]
fn nothing_secret_is_printed() {
    let key = decryption_key(p256(), KeyManagement::EcdhEs, &[ContentEncryption::A256Gcm]);
    let nested =
        encryption_key(p256(), KeyManagement::EcdhEs, ContentEncryption::A256Gcm).encrypt("a.b.c").unwrap();
    let sealed = parse(&nested).unwrap().admit(key.recipient()).unwrap();
    let content_key = sealed.unwrap(&key);
    let mut printed = format!("{key:?} {sealed:?} {content_key:?}");
    printed += &format!("{:?}", sealed.open(content_key).unwrap());
    assert!(!printed.contains("a.b.c") && !printed.contains(p256()["d"].as_str().unwrap()), "{printed}");
}
