use aws_lc_rs::{
    agreement::{ECDH_P256, ECDH_P384, PrivateKey, X25519},
    encoding::{AsBigEndian, Curve25519SeedBin, EcPrivateKeyBin},
};
use base64_simd::URL_SAFE_NO_PAD;
use drawbridge_verify::{
    Algorithm, JwkError, JwkSet, KeyUse, PublicJwk, PublicKey, TokenError, Unverified,
    jwe::{ContentEncryption, ContentKey, DecryptionKey, EncryptionKey, Jwe, KeyManagement, Recipient},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

use crate::make::{KID, claims, encode, header, key, only, rules, token, verify_with, with};

const ENC_KID: &str = "billing.enc.1";

/// A published private key of 2048 bits; its public half is all that it is good for outside of tests.
const RSA: &str = include_str!("rfc7516_a1.json");

/// The private keys that tokens are encrypted to: a JWK without `alg`, and the algorithms it may have.
static PRIVATE: LazyLock<Vec<(Value, Vec<KeyManagement>)>> = LazyLock::new(|| {
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

fn ec(crv: &str) -> Value {
    let key = PrivateKey::generate(if crv == "P-256" { &ECDH_P256 } else { &ECDH_P384 }).unwrap();
    let public = key.compute_public_key().unwrap();
    let (x, y) = public.as_ref()[1..].split_at(public.as_ref().len() / 2);
    let d: EcPrivateKeyBin<'_> = key.as_be_bytes().unwrap();
    json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y), "d": encode(d.as_ref())})
}

fn x25519() -> Value {
    let key = PrivateKey::generate(&X25519).unwrap();
    let d: Curve25519SeedBin<'_> = key.as_be_bytes().unwrap();
    json!({"kty": "OKP", "crv": "X25519", "x": encode(key.compute_public_key().unwrap()), "d": encode(d.as_ref())})
}

fn decryption_key(jwk: &Value, algorithm: KeyManagement, encryptions: &[ContentEncryption]) -> DecryptionKey {
    let jwk = with(with(jwk.clone(), "alg", json!(algorithm.name())), "use", json!("enc")).to_string();
    DecryptionKey::parse(jwk.as_bytes(), ENC_KID, encryptions).unwrap()
}

fn public(jwk: &Value, algorithm: KeyManagement) -> PublicJwk {
    let public =
        ["d", "p", "q", "dp", "dq", "qi"].into_iter().fold(jwk.clone(), |jwk, name| with(jwk, name, None));
    PublicJwk::parse(public.to_string().as_bytes()).unwrap().named_for_encryption(ENC_KID, algorithm)
}

fn encryption_key(jwk: &Value, algorithm: KeyManagement, encryption: ContentEncryption) -> EncryptionKey {
    EncryptionKey::bind(&public(jwk, algorithm), ENC_KID, encryption).unwrap()
}

/// Every key with every algorithm that it fits and every content encryption.
fn combinations() -> impl Iterator<Item = (&'static Value, KeyManagement, ContentEncryption)> {
    PRIVATE.iter().flat_map(|(jwk, algorithms)| {
        let pairs = algorithms
            .iter()
            .flat_map(|algorithm| ContentEncryption::ALL.map(|encryption| (*algorithm, encryption)));
        pairs.map(move |(algorithm, encryption)| (jwk, algorithm, encryption))
    })
}

fn p256() -> &'static Value {
    &PRIVATE[1].0
}

fn signed() -> String {
    token(Algorithm::ES256, &header(Algorithm::ES256), &claims())
}

fn parse(token: &str) -> Result<Jwe<'_>, TokenError> {
    Jwe::parse(token, 16 * 1024)
}

/// The whole way of a nested token.
fn decrypt(token: &str, key: &DecryptionKey) -> Result<String, TokenError> {
    key.decrypt(parse(token)?).map(|nested| nested.as_str().to_owned())
}

/// A token with one segment put in place of another.
fn with_segment(token: &str, at: usize, segment: impl AsRef<[u8]>) -> String {
    let mut segments: Vec<_> = token.split('.').map(str::to_owned).collect();
    segments[at] = encode(segment);
    segments.join(".")
}

fn segment(token: &str, at: usize) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode_to_vec(token.split('.').nth(at).unwrap()).unwrap()
}

fn header_of(token: &str) -> Value {
    serde_json::from_slice(&segment(token, 0)).unwrap()
}

#[test]
fn a_nested_token_of_every_algorithm_is_decrypted_and_verified() {
    for (jwk, algorithm, encryption) in combinations() {
        let signed = signed();
        let nested = encryption_key(jwk, algorithm, encryption).encrypt(&signed).unwrap();
        assert_eq!(Unverified::parse(&nested, 16 * 1024).unwrap_err(), TokenError::Encrypted);

        let parsed = parse(&nested).unwrap();
        assert_eq!((parsed.kid(), parsed.algorithm(), parsed.encryption()), (ENC_KID, algorithm, encryption));
        let opened = decryption_key(jwk, algorithm, &[encryption]).decrypt(parsed).unwrap();
        assert_eq!(opened.as_str(), signed, "{algorithm} {encryption}");
        assert_eq!(verify_with(opened.as_str(), &rules(), &key(Algorithm::ES256)), Ok(()));
    }
}

#[test]
fn two_encryptions_of_one_token_have_nothing_in_common() {
    for (jwk, algorithm, encryption) in combinations() {
        let key = encryption_key(jwk, algorithm, encryption);
        let (one, other) = (key.encrypt("a.b.c").unwrap(), key.encrypt("a.b.c").unwrap());
        for at in 2..5 {
            assert_ne!(segment(&one, at), segment(&other, at), "{algorithm} {encryption}");
        }
        assert!(header_of(&one).get("epk").is_none_or(|epk| *epk != header_of(&other)["epk"]));
    }
}

#[test]
fn a_token_opens_for_its_recipient_alone_and_only_by_the_algorithms_of_the_key() {
    for (jwk, algorithm, encryption) in combinations() {
        let nested = encryption_key(jwk, algorithm, encryption).encrypt("a.b.c").unwrap();
        let not_these =
            ContentEncryption::ALL.into_iter().filter(|other| *other != encryption).collect::<Vec<_>>();
        let refused = decrypt(&nested, &decryption_key(jwk, algorithm, &not_these));
        assert_eq!(refused, Err(TokenError::AlgorithmNotAllowed), "{algorithm} {encryption}");
        assert_eq!(
            decrypt(&nested, &decryption_key(jwk, algorithm, &[])),
            Err(TokenError::AlgorithmNotAllowed)
        );
    }
    for (jwk, algorithms) in PRIVATE.iter() {
        for algorithm in algorithms {
            let nested =
                encryption_key(jwk, *algorithm, ContentEncryption::A256Gcm).encrypt("a.b.c").unwrap();
            for other in algorithms.iter().filter(|other| *other != algorithm) {
                let refused = decrypt(&nested, &decryption_key(jwk, *other, &ContentEncryption::ALL));
                assert_eq!(refused, Err(TokenError::AlgorithmNotAllowed), "{algorithm} for a key of {other}");
            }
        }
    }
    let nested =
        encryption_key(p256(), KeyManagement::EcdhEs, ContentEncryption::A256Gcm).encrypt("a.b.c").unwrap();
    let strangers = decryption_key(&ec("P-256"), KeyManagement::EcdhEs, &ContentEncryption::ALL);
    assert_eq!(decrypt(&nested, &strangers), Err(TokenError::DecryptionFailed));
    let other_kid = Recipient::new("orders.enc.1", KeyManagement::EcdhEs, &ContentEncryption::ALL);
    assert_eq!(parse(&nested).unwrap().admit(&other_kid).unwrap_err(), TokenError::DecryptionFailed);
}

#[test]
fn whatever_fails_behind_the_header_fails_alike() {
    for (jwk, algorithm, encryption) in combinations() {
        let nested = encryption_key(jwk, algorithm, encryption).encrypt(&signed()).unwrap();
        let key = decryption_key(jwk, algorithm, &[encryption]);
        let failed = Err(TokenError::DecryptionFailed);
        for at in 1..5 {
            let whole = segment(&nested, at);
            if whole.is_empty() {
                continue;
            }
            let mut flipped = whole.clone();
            flipped[0] ^= 1;
            assert_eq!(
                decrypt(&with_segment(&nested, at, &flipped), &key),
                failed,
                "{algorithm} {encryption}: {at} flipped"
            );
            assert_eq!(
                decrypt(&with_segment(&nested, at, [&whole[..], &[0]].concat()), &key),
                failed,
                "{at} longer"
            );
            let zeros = vec![0; whole.len()];
            assert_eq!(decrypt(&with_segment(&nested, at, zeros), &key), failed, "{at} zeros");
            for shorter in [whole.len() - 1, whole.len() / 2, 4, 1] {
                let cut = with_segment(&nested, at, &whole[..shorter]);
                assert_eq!(decrypt(&cut, &key), failed, "{algorithm} {encryption}: {at} cut to {shorter}");
            }
        }
        for at in 2..5 {
            assert_eq!(
                decrypt(&with_segment(&nested, at, ""), &key),
                failed,
                "{algorithm} {encryption}: {at} empty"
            );
        }
    }
}

#[test]
fn the_header_is_authenticated() {
    for (jwk, algorithm, encryption) in combinations() {
        let nested = encryption_key(jwk, algorithm, encryption).encrypt(&signed()).unwrap();
        let with_more = with(header_of(&nested), "x", json!(1)).to_string();
        let refused =
            decrypt(&with_segment(&nested, 0, with_more), &decryption_key(jwk, algorithm, &[encryption]));
        assert_eq!(refused, Err(TokenError::DecryptionFailed));
    }
}

#[test]
fn a_content_key_of_another_length_opens_nothing() {
    let recipient = Recipient::new(ENC_KID, KeyManagement::RsaOaep256, &ContentEncryption::ALL);
    for encryption in ContentEncryption::ALL {
        let nested =
            encryption_key(&PRIVATE[0].0, KeyManagement::RsaOaep256, encryption).encrypt("a.b.c").unwrap();
        for length in [0, 1, 15, 16, 24, 32, 48, 63, 64, 65] {
            let sealed = parse(&nested).unwrap().admit(&recipient).unwrap();
            let opened = sealed.open(ContentKey::new(vec![0; length].into()));
            assert_eq!(opened.unwrap_err(), TokenError::DecryptionFailed, "{encryption} with {length} bytes");
        }
    }
}

#[test]
fn a_vault_can_unwrap_the_content_key() {
    let (jwk, algorithm) = (&PRIVATE[0].0, KeyManagement::RsaOaep256);
    let key = decryption_key(jwk, algorithm, &[ContentEncryption::A256Gcm]);
    let nested = encryption_key(jwk, algorithm, ContentEncryption::A256Gcm).encrypt("a.b.c").unwrap();
    let sealed = parse(&nested).unwrap().admit(key.recipient()).unwrap();
    assert_eq!(sealed.encrypted_key(), segment(&nested, 1));
    let unwrapped = sealed.unwrap(&key);
    assert_eq!(sealed.open(unwrapped).unwrap().as_str(), "a.b.c");
}

#[test]
fn attack_09_an_ephemeral_key_off_the_curve_is_refused() {
    let wide = |byte: u8, length: usize| encode(vec![byte; length]);
    for algorithm in [KeyManagement::EcdhEs, KeyManagement::EcdhEsA128Kw, KeyManagement::EcdhEsA256Kw] {
        let nested = encryption_key(p256(), algorithm, ContentEncryption::A256Gcm).encrypt("a.b.c").unwrap();
        let key = decryption_key(p256(), algorithm, &[ContentEncryption::A256Gcm]);
        let good = header_of(&nested);
        let with_epk =
            |epk: Value| decrypt(&with_segment(&nested, 0, with(good.clone(), "epk", epk).to_string()), &key);
        let epk = &good["epk"];

        let off = with(epk.clone(), "y", epk["x"].clone());
        let identity = json!({"kty": "EC", "crv": "P-256", "x": wide(0, 32), "y": wide(0, 32)});
        let beyond = with(epk.clone(), "x", json!(wide(0xff, 32)));
        let p384 = public(&PRIVATE[2].0, algorithm).to_json();
        let p384: Value = serde_json::from_str(&p384).unwrap();
        let x25519 = json!({"kty": "OKP", "crv": "X25519", "x": wide(9, 32)});
        for epk in [off, identity, beyond, p384, x25519] {
            assert_eq!(with_epk(epk.clone()), Err(TokenError::DecryptionFailed), "{epk}");
        }
        let malformed = [
            json!(null),
            json!("x"),
            json!({}),
            with(epk.clone(), "kty", json!("OKP")),
            with(epk.clone(), "crv", json!("P-521")),
            with(epk.clone(), "x", None),
            with(epk.clone(), "y", None),
            with(epk.clone(), "x", json!(wide(1, 31))),
            with(epk.clone(), "x", json!(wide(1, 33))),
            with(epk.clone(), "d", p256()["d"].clone()),
        ];
        for epk in malformed {
            assert_eq!(with_epk(epk.clone()), Err(TokenError::Malformed("epk")), "{epk}");
        }
        let without = with(good.clone(), "epk", None).to_string();
        assert_eq!(decrypt(&with_segment(&nested, 0, without), &key), Err(TokenError::Malformed("epk")));
    }
    let (jwk, algorithm) = (&PRIVATE[3].0, KeyManagement::EcdhEs);
    let nested = encryption_key(jwk, algorithm, ContentEncryption::A256Gcm).encrypt("a.b.c").unwrap();
    let key = decryption_key(jwk, algorithm, &[ContentEncryption::A256Gcm]);
    let mut one = [0; 32];
    one[0] = 1;
    for low_order in [[0; 32], one] {
        let epk = json!({"kty": "OKP", "crv": "X25519", "x": encode(low_order)});
        let header = with(header_of(&nested), "epk", epk).to_string();
        assert_eq!(decrypt(&with_segment(&nested, 0, header), &key), Err(TokenError::DecryptionFailed));
    }
}

#[test]
fn attack_10_password_based_and_other_key_management_is_refused_before_any_work() {
    let nested = encryption_key(p256(), KeyManagement::EcdhEsA256Kw, ContentEncryption::A256Gcm)
        .encrypt("a.b.c")
        .unwrap();
    let good = header_of(&nested);
    let others = [
        "PBES2-HS256+A128KW",
        "PBES2-HS384+A192KW",
        "PBES2-HS512+A256KW",
        "RSA1_5",
        "dir",
        "A128KW",
        "A256KW",
        "A128GCMKW",
        "ECDH-ES+A192KW",
        "ecdh-es",
        "RSA-OAEP-384",
        "none",
        "",
    ];
    for alg in others {
        let token = with_segment(&nested, 0, with(good.clone(), "alg", json!(alg)).to_string());
        assert_eq!(parse(&token).unwrap_err(), TokenError::AlgorithmNotAllowed, "{alg}");
    }
    for name in ["p2c", "p2s"] {
        let token = with_segment(&nested, 0, with(good.clone(), name, json!(u32::MAX)).to_string());
        assert_eq!(parse(&token).unwrap_err(), TokenError::HeaderRefused(name));
    }
    for enc in ["A192GCM", "A192CBC-HS384", "A128CBC", "a256gcm", "none", ""] {
        let token = with_segment(&nested, 0, with(good.clone(), "enc", json!(enc)).to_string());
        assert_eq!(parse(&token).unwrap_err(), TokenError::AlgorithmNotAllowed, "{enc}");
    }
}

#[test]
fn attack_11_compressed_content_is_refused() {
    let nested =
        encryption_key(p256(), KeyManagement::EcdhEs, ContentEncryption::A256Gcm).encrypt("a.b.c").unwrap();
    for zip in [json!("DEF"), json!(""), json!(null), json!(["DEF"])] {
        let token = with_segment(&nested, 0, with(header_of(&nested), "zip", zip).to_string());
        assert_eq!(parse(&token).unwrap_err(), TokenError::HeaderRefused("zip"));
    }
}

#[test]
fn attack_13_claims_that_are_encrypted_but_not_signed_are_refused() {
    let sealing = encryption_key(p256(), KeyManagement::EcdhEs, ContentEncryption::A256Gcm);
    let opening = decryption_key(p256(), KeyManagement::EcdhEs, &[ContentEncryption::A256Gcm]);
    let unsigned =
        format!("{}.{}.", encode(r#"{"alg":"none","typ":"at+jwt"}"#), encode(claims().to_string()));
    let twice = sealing.encrypt(&signed()).unwrap();
    let cases = [
        (claims().to_string(), TokenError::Malformed("not three segments")),
        (String::new(), TokenError::Malformed("not three segments")),
        (unsigned, TokenError::AlgorithmNotAllowed),
        (twice, TokenError::Encrypted),
    ];
    for (inner, error) in cases {
        let nested = sealing.encrypt(&inner).unwrap();
        let opened = opening.decrypt(parse(&nested).unwrap()).unwrap();
        assert_eq!(Unverified::parse(opened.as_str(), 16 * 1024).unwrap_err(), error, "{inner}");
    }
    // And a token that does not say that there is another one inside is not even decrypted.
    let nested = sealing.encrypt(&signed()).unwrap();
    for cty in [None, Some("json"), Some("application/json"), Some(""), Some("at+jwt")] {
        let header = with(header_of(&nested), "cty", cty.map(|cty| json!(cty))).to_string();
        assert_eq!(
            parse(&with_segment(&nested, 0, header)).unwrap_err(),
            TokenError::TypeNotAllowed,
            "{cty:?}"
        );
    }
    for cty in ["jwt", "application/JWT"] {
        let header = with(header_of(&nested), "cty", json!(cty)).to_string();
        assert!(parse(&with_segment(&nested, 0, header)).is_ok(), "{cty}");
    }
}

#[test]
fn what_the_header_of_an_encrypted_token_may_not_have_is_refused() {
    let nested =
        encryption_key(p256(), KeyManagement::EcdhEs, ContentEncryption::A256Gcm).encrypt("a.b.c").unwrap();
    let good = header_of(&nested);
    for name in ["crit", "jwk", "jku", "x5u", "x5c", "b64", "iv", "tag", "iss", "sub", "aud"] {
        for value in [json!("x"), json!([]), json!(null)] {
            let token = with_segment(&nested, 0, with(good.clone(), name, value).to_string());
            assert_eq!(parse(&token).unwrap_err(), TokenError::HeaderRefused(name));
        }
    }
    let cases = [
        ("kid", json!("../x"), TokenError::KidMalformed),
        ("kid", json!(""), TokenError::KidMalformed),
        ("apu", json!("="), TokenError::Malformed("apu or apv is not base64url")),
        ("apv", json!(1), TokenError::Malformed("a header member is not a string")),
        ("alg", json!(null), TokenError::Malformed("a header member is not a string")),
    ];
    for (name, value, error) in cases {
        let token = with_segment(&nested, 0, with(good.clone(), name, value.clone()).to_string());
        assert_eq!(parse(&token).unwrap_err(), error, "{name} {value}");
    }
    for (name, error) in [
        ("kid", TokenError::KidMissing),
        ("alg", TokenError::Malformed("the header names no algorithm")),
        ("enc", TokenError::Malformed("the header names no algorithm")),
    ] {
        let token = with_segment(&nested, 0, with(good.clone(), name, None).to_string());
        assert_eq!(parse(&token).unwrap_err(), error);
    }
    let rsa = encryption_key(&PRIVATE[0].0, KeyManagement::RsaOaep256, ContentEncryption::A256Gcm)
        .encrypt("a.b.c")
        .unwrap();
    for name in ["epk", "apu", "apv"] {
        let token = with_segment(&rsa, 0, with(header_of(&rsa), name, good["epk"].clone()).to_string());
        assert_eq!(parse(&token).unwrap_err(), TokenError::HeaderRefused(name));
    }
}

#[test]
fn an_encrypted_key_where_there_is_none_or_none_where_there_is_one_is_refused() {
    let misplaced = TokenError::Malformed("the encrypted key does not belong to the algorithm");
    let direct =
        encryption_key(p256(), KeyManagement::EcdhEs, ContentEncryption::A256Gcm).encrypt("a.b.c").unwrap();
    assert_eq!(parse(&with_segment(&direct, 1, [0; 40])).unwrap_err(), misplaced);
    for (jwk, algorithm, encryption) in
        combinations().filter(|(_, algorithm, _)| *algorithm != KeyManagement::EcdhEs)
    {
        let nested = encryption_key(jwk, algorithm, encryption).encrypt("a.b.c").unwrap();
        assert_eq!(parse(&with_segment(&nested, 1, "")).unwrap_err(), misplaced);
    }
}

#[test]
fn the_bounds_and_segments_of_an_encrypted_token_are_exact() {
    let nested =
        encryption_key(p256(), KeyManagement::EcdhEs, ContentEncryption::A256Gcm).encrypt("a.b.c").unwrap();
    assert!(Jwe::parse(&nested, nested.len()).is_ok());
    assert_eq!(Jwe::parse(&nested, nested.len() - 1).unwrap_err(), TokenError::TooLarge);
    for token in [
        signed(),
        String::new(),
        "....".to_owned(),
        format!("{nested}."),
        format!(".{nested}"),
        format!("{nested}="),
    ] {
        assert!(matches!(parse(&token), Err(TokenError::Malformed(_))), "{token}");
    }
    let dots = ".".repeat(1_000_000);
    assert!(matches!(Jwe::parse(&dots, usize::MAX), Err(TokenError::Malformed(_))));
}

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_single_byte_change_of_a_nested_token_is_refused(at in any::<prop::sample::Index>(), to in 0..=0x7f_u8, cbc in any::<bool>()) {
        let encryption = if cbc { ContentEncryption::A128CbcHs256 } else { ContentEncryption::A256Gcm };
        let nested = encryption_key(p256(), KeyManagement::EcdhEsA256Kw, encryption).encrypt("a.b.c").unwrap();
        let key = decryption_key(p256(), KeyManagement::EcdhEsA256Kw, &ContentEncryption::ALL);
        let mut changed = nested.clone().into_bytes();
        let at = at.index(changed.len());
        prop_assume!(changed[at] != to);
        changed[at] = to;
        prop_assert!(decrypt(&String::from_utf8(changed).unwrap(), &key).is_err());
        prop_assert_eq!(decrypt(&nested, &key), Ok("a.b.c".to_owned()));
    }

    #[test]
    fn what_is_encrypted_is_decrypted(text in any::<String>(), which in any::<prop::sample::Index>()) {
        let combinations = combinations().filter(|(jwk, ..)| jwk["kty"] != "RSA").collect::<Vec<_>>();
        let (jwk, algorithm, encryption) = *which.get(&combinations);
        let nested = encryption_key(jwk, algorithm, encryption).encrypt(&text).unwrap();
        prop_assert_eq!(decrypt(&nested, &decryption_key(jwk, algorithm, &[encryption])), Ok(text));
    }

    #[test]
    fn no_input_panics(text in any::<String>(), segments in prop::collection::vec(any::<Vec<u8>>(), 5), bytes in any::<Vec<u8>>()) {
        let _ = Jwe::parse(&text, usize::MAX);
        let encoded = segments.iter().map(encode).collect::<Vec<_>>().join(".");
        let _ = Jwe::parse(&encoded, usize::MAX);
        let _ = DecryptionKey::parse(&bytes, ENC_KID, &[]);
        let nested = encryption_key(p256(), KeyManagement::EcdhEs, ContentEncryption::A128CbcHs256).encrypt("a.b.c").unwrap();
        let key = decryption_key(p256(), KeyManagement::EcdhEs, &ContentEncryption::ALL);
        for at in 2..5 {
            prop_assert!(decrypt(&with_segment(&nested, at, &segments[at]), &key).is_err());
        }
    }
}
