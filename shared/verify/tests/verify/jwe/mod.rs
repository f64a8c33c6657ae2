//! Nested tokens: keys and tokens for the tests, which stand in the modules.

mod attacks;
mod keys;
mod rules;

use std::sync::LazyLock;

use aws_lc_rs::{
    agreement::{ECDH_P256, ECDH_P384, PrivateKey, X25519},
    encoding::{AsBigEndian, Curve25519SeedBin, EcPrivateKeyBin},
};
use base64_simd::URL_SAFE_NO_PAD;
use drawbridge_verify::{
    Algorithm, PublicJwk, TokenError,
    jwe::{ContentEncryption, DecryptionKey, EncryptionKey, Jwe, KeyManagement},
};
use serde_json::{Value, json};

use crate::make::{claims, encode, header, token, with};

pub(super) const ENC_KID: &str = "billing.enc.1";

/// A published private key of 2048 bits; its public half is all that it is good for outside of tests.
pub(super) const RSA: &str = include_str!("../rfc7516_a1.json");

/// The private keys that tokens are encrypted to: a JWK without `alg`, and the algorithms it may have.
pub(super) static PRIVATE: LazyLock<Vec<(Value, Vec<KeyManagement>)>> = LazyLock::new(|| {
    let (rsa, agreeing): (Vec<_>, Vec<_>) =
        KeyManagement::ALL.into_iter().partition(|algorithm| algorithm.name().starts_with("RSA"));
    let rsa_jwk = with(with(serde_json::from_str(RSA).unwrap(), "alg", None), "use", None);
    vec![
        (rsa_jwk, rsa),
        (ec("P-256"), agreeing.clone()),
        (ec("P-384"), agreeing.clone()),
        (x25519(), agreeing),
    ]
});

pub(super) fn ec(crv: &str) -> Value {
    let key = PrivateKey::generate(if crv == "P-256" { &ECDH_P256 } else { &ECDH_P384 }).unwrap();
    let public = key.compute_public_key().unwrap();
    let (x, y) = public.as_ref()[1..].split_at(public.as_ref().len() / 2);
    let d: EcPrivateKeyBin<'_> = key.as_be_bytes().unwrap();
    json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y), "d": encode(d.as_ref())})
}

pub(super) fn x25519() -> Value {
    let key = PrivateKey::generate(&X25519).unwrap();
    let d: Curve25519SeedBin<'_> = key.as_be_bytes().unwrap();
    json!({"kty": "OKP", "crv": "X25519", "x": encode(key.compute_public_key().unwrap()), "d": encode(d.as_ref())})
}

pub(super) fn decryption_key(
    jwk: &Value,
    algorithm: KeyManagement,
    encryptions: &[ContentEncryption],
) -> DecryptionKey {
    let jwk = with(with(jwk.clone(), "alg", json!(algorithm.name())), "use", json!("enc")).to_string();
    DecryptionKey::parse(jwk.as_bytes(), ENC_KID, encryptions).unwrap()
}

pub(super) fn public(jwk: &Value, algorithm: KeyManagement) -> PublicJwk {
    let public =
        ["d", "p", "q", "dp", "dq", "qi"].into_iter().fold(jwk.clone(), |jwk, name| with(jwk, name, None));
    PublicJwk::parse(public.to_string().as_bytes()).unwrap().named_for_encryption(ENC_KID, algorithm)
}

pub(super) fn encryption_key(
    jwk: &Value,
    algorithm: KeyManagement,
    encryption: ContentEncryption,
) -> EncryptionKey {
    EncryptionKey::bind(&public(jwk, algorithm), ENC_KID, encryption).unwrap()
}

/// Every key with every algorithm that it fits and every content encryption.
pub(super) fn combinations() -> impl Iterator<Item = (&'static Value, KeyManagement, ContentEncryption)> {
    PRIVATE.iter().flat_map(|(jwk, algorithms)| {
        let pairs = algorithms
            .iter()
            .flat_map(|algorithm| ContentEncryption::ALL.map(|encryption| (*algorithm, encryption)));
        pairs.map(move |(algorithm, encryption)| (jwk, algorithm, encryption))
    })
}

pub(super) fn p256() -> &'static Value {
    &PRIVATE[1].0
}

pub(super) fn signed() -> String {
    token(Algorithm::ES256, &header(Algorithm::ES256), &claims())
}

pub(super) fn parse(token: &str) -> Result<Jwe<'_>, TokenError> {
    Jwe::parse(token, 16 * 1024)
}

/// The whole way of a nested token.
pub(super) fn decrypt(token: &str, key: &DecryptionKey) -> Result<String, TokenError> {
    key.decrypt(parse(token)?).map(|nested| nested.as_str().to_owned())
}

/// A token with one segment put in place of another.
pub(super) fn with_segment(token: &str, at: usize, segment: impl AsRef<[u8]>) -> String {
    let mut segments: Vec<_> = token.split('.').map(str::to_owned).collect();
    segments[at] = encode(segment);
    segments.join(".")
}

pub(super) fn segment(token: &str, at: usize) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode_to_vec(token.split('.').nth(at).unwrap()).unwrap()
}

pub(super) fn header_of(token: &str) -> Value {
    serde_json::from_slice(&segment(token, 0)).unwrap()
}
