//! That a signature held may be remembered, for these bytes under this key and for nothing else.

use drawbridge_verify::{
    Algorithm, Digested, KeyUse, Proof, PublicJwk, PublicKey, Rules, TokenError, Unverified,
};
use proptest::prelude::*;
use serde_json::json;

use crate::make::{KID, NOW, claims, encode, header, key, only, rules, token, with};

fn digested<'r, 't>(rules: &'r Rules, token: &'t str) -> Digested<'r, 't> {
    rules.admit(Unverified::parse(token, rules.max_token_bytes).unwrap()).unwrap().digested()
}

fn proof(rules: &Rules, token: &str, key: &PublicKey) -> Proof {
    digested(rules, token).verify(key, None).unwrap().1
}

/// Another key of the same kid and algorithm.
fn other_key(algorithm: Algorithm) -> PublicKey {
    let pair = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
    let public = aws_lc_rs::signature::KeyPair::public_key(&pair);
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(public)}).to_string();
    let jwk = PublicJwk::parse(jwk.as_bytes()).unwrap().named(KID, KeyUse::Signing, algorithm);
    PublicKey::bind(&jwk, KID, only(algorithm), false).unwrap()
}

#[test]
fn a_proof_stands_for_the_signature_and_is_the_same_again() {
    for algorithm in Algorithm::ALL {
        let (rules, key) = (rules(), key(algorithm));
        let token = token(algorithm, &header(algorithm), &claims());
        let proof = proof(&rules, &token, &key);
        let (authentic, again) = digested(&rules, &token).verify(&key, Some(&proof)).unwrap();
        assert_eq!(again, proof, "{algorithm}");
        assert_eq!(authentic.claims(NOW).unwrap().subject(), "ada", "{algorithm}");
    }
}

#[test]
fn behind_a_proof_the_claims_are_checked_as_ever() {
    let (rules, key) = (rules(), key(Algorithm::ES256));
    let token = token(Algorithm::ES256, &header(Algorithm::ES256), &claims());
    let proof = proof(&rules, &token, &key);
    let check = |rules: &Rules, after: u64| {
        let (authentic, _) = digested(rules, &token).verify(&key, Some(&proof)).unwrap();
        authentic.claims(NOW.after(std::time::Duration::from_secs(after))).map(drop)
    };
    assert_eq!(check(&rules, 0), Ok(()));
    assert_eq!(check(&rules, 320), Err(TokenError::Expired));
    let elsewhere = Rules { audiences: vec!["another".to_owned()], ..rules.clone() };
    assert_eq!(check(&elsewhere, 0), Err(TokenError::AudienceMismatch));
}

#[test]
fn a_proof_is_nothing_under_another_key() {
    let (rules, algorithm) = (rules(), Algorithm::EdDSA);
    let token = token(algorithm, &header(algorithm), &claims());
    let proof = proof(&rules, &token, &key(algorithm));
    let replaced = digested(&rules, &token).verify(&other_key(algorithm), Some(&proof));
    assert_eq!(replaced.unwrap_err(), TokenError::SignatureInvalid);
    // The same key material, bound to another algorithm or kid.
    let bound = |kid: &str, algorithm| {
        let jwk = crate::make::Private::of(drawbridge_verify::KeyType::Ed25519).jwk();
        PublicKey::bind(&jwk.named(kid, KeyUse::Signing, algorithm), kid, only(algorithm), false).unwrap()
    };
    let other_algorithm = digested(&rules, &token).verify(&bound(KID, Algorithm::Ed25519), Some(&proof));
    assert_eq!(other_algorithm.unwrap_err(), TokenError::AlgorithmNotAllowed);
    let other_kid = digested(&rules, &token).verify(&bound("orders.sig.2", algorithm), Some(&proof));
    assert_eq!(other_kid.unwrap_err(), TokenError::SignatureInvalid);
}

#[test]
fn a_proof_is_nothing_for_the_same_text_with_another_signature() {
    let (rules, key) = (rules(), key(Algorithm::ES256));
    let right = token(Algorithm::ES256, &header(Algorithm::ES256), &claims());
    let proof = proof(&rules, &right, &key);
    let (signed, _) = right.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", encode([7; 64]));
    assert_eq!(
        digested(&rules, &forged).verify(&key, Some(&proof)).unwrap_err(),
        TokenError::SignatureInvalid
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_proof_of_one_token_never_lets_another_through(subject in "[a-z]{1,8}", forged in any::<[u8; 32]>()) {
        let (rules, key) = (rules(), key(Algorithm::ES256));
        let known = token(Algorithm::ES256, &header(Algorithm::ES256), &claims());
        let proof = proof(&rules, &known, &key);
        let other = token(Algorithm::ES256, &header(Algorithm::ES256), &with(claims(), "sub", json!(format!("eve-{subject}"))));
        let (signed, _) = other.rsplit_once('.').unwrap();
        prop_assert_eq!(digested(&rules, &other).verify(&key, Some(&proof)).unwrap().1 == proof, false);
        // Its own text with the known token's signature, and with any other.
        let (_, known_signature) = known.rsplit_once('.').unwrap();
        for signature in [known_signature, &encode([forged, forged].concat()), &encode([forged, forged].concat().split_at(63).0)] {
            let forged = format!("{signed}.{signature}");
            prop_assert_eq!(
                digested(&rules, &forged).verify(&key, Some(&proof)).unwrap_err(),
                TokenError::SignatureInvalid
            );
        }
    }
}
