//! jsonwebtoken, another implementation, makes tokens that are accepted here and accepts tokens made here.

use drawbridge_verify::{Algorithm, KeyType};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};

use crate::make::{KID, Private, claims, header, key, rules, token, verify_with};

#[test]
fn tokens_that_jsonwebtoken_makes_are_accepted() {
    for (ours, theirs) in ALGORITHMS {
        let private = Private::of(ours.key_type());
        let key_of = match ours.key_type() {
            KeyType::Rsa => EncodingKey::from_rsa_der,
            KeyType::Ed25519 => EncodingKey::from_ed_der,
            _ => EncodingKey::from_ec_der,
        };
        let header =
            Header { typ: Some("at+jwt".to_owned()), kid: Some(KID.to_owned()), ..Header::new(theirs) };
        let der = if ours.key_type() == KeyType::Rsa { pkcs1(&private.der()) } else { private.der() };
        let token = jsonwebtoken::encode(&header, &claims(), &key_of(&der)).unwrap();
        assert_eq!(verify_with(&token, &rules(), &key(ours)), Ok(()), "{ours}");
    }
}

#[test]
fn tokens_that_are_accepted_here_are_accepted_by_jsonwebtoken() {
    for (ours, theirs) in ALGORITHMS {
        let jwk = serde_json::from_value(Private::of(ours.key_type()).members()).unwrap();
        let mut validation = Validation::new(theirs);
        validation.set_audience(&["https://api.example.com"]);
        validation.set_issuer(&["https://login.example.com"]);
        // The tests take place in 2027.
        validation.validate_exp = false;
        let token = token(ours, &header(ours), &claims());
        let decoded = jsonwebtoken::decode::<serde_json::Value>(
            &token,
            &DecodingKey::from_jwk(&jwk).unwrap(),
            &validation,
        )
        .unwrap();
        assert_eq!(decoded.claims, claims(), "{ours}");
    }
}

/// The PKCS #1 key inside a PKCS #8 one: what follows the algorithm's identifier and the octet string's head.
fn pkcs1(pkcs8: &[u8]) -> Vec<u8> {
    pkcs8[26..].to_vec()
}

const ALGORITHMS: [(Algorithm, jsonwebtoken::Algorithm); 9] = [
    (Algorithm::RS256, jsonwebtoken::Algorithm::RS256),
    (Algorithm::RS384, jsonwebtoken::Algorithm::RS384),
    (Algorithm::RS512, jsonwebtoken::Algorithm::RS512),
    (Algorithm::PS256, jsonwebtoken::Algorithm::PS256),
    (Algorithm::PS384, jsonwebtoken::Algorithm::PS384),
    (Algorithm::PS512, jsonwebtoken::Algorithm::PS512),
    (Algorithm::ES256, jsonwebtoken::Algorithm::ES256),
    (Algorithm::ES384, jsonwebtoken::Algorithm::ES384),
    (Algorithm::EdDSA, jsonwebtoken::Algorithm::EdDSA),
];
