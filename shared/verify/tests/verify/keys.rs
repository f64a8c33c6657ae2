use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use drawbridge_verify::{Algorithm, Algorithms, JwkError, JwkSet, KeyType, KeyUse, PublicJwk, PublicKey};
use serde_json::{Value, json};

use crate::make::{KID, Private, encode, only, with};

const TYPES: [KeyType; 5] = [KeyType::Rsa, KeyType::P256, KeyType::P384, KeyType::P521, KeyType::Ed25519];

fn parse(jwk: &Value) -> Result<PublicJwk, JwkError> {
    PublicJwk::parse(jwk.to_string().as_bytes())
}

fn set(keys: &[Value]) -> Result<Vec<PublicJwk>, JwkError> {
    JwkSet::parse(json!({"keys": keys}).to_string().as_bytes()).map(JwkSet::into_keys)
}

/// An ES256 key as an issuer publishes it.
fn published() -> Value {
    let mut jwk = Private::of(KeyType::P256).members();
    for (name, value) in [("kid", KID), ("use", "sig"), ("alg", "ES256")] {
        jwk = with(jwk, name, json!(value));
    }
    jwk
}

#[test]
fn a_key_of_every_type_is_read_and_printed_again() {
    for key_type in TYPES {
        let members = Private::of(key_type).members();
        let jwk = parse(&members).unwrap();
        assert_eq!(jwk.key_type(), key_type);
        assert_eq!((jwk.kid(), jwk.algorithm(), jwk.key_use()), (None, None, None));
        assert_eq!(serde_json::from_str::<Value>(&jwk.to_json()).unwrap(), members);
        assert_eq!(PublicJwk::parse(jwk.to_json().as_bytes()), Ok(jwk));
    }
}

#[test]
fn a_key_is_published_under_its_name_use_and_algorithm_and_nothing_else() {
    let jwk = parse(&with(published(), "key_ops", json!(["verify"]))).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&jwk.to_json()).unwrap(),
        with(published(), "key_ops", json!(["verify"]))
    );
    let named = jwk.named("orders.sig.2", KeyUse::Signing, Algorithm::ES256);
    assert_eq!(
        serde_json::from_str::<Value>(&named.to_json()).unwrap(),
        with(published(), "kid", json!("orders.sig.2"))
    );
    let of_one: Value = serde_json::from_str(&JwkSet::of_one(&named)).unwrap();
    assert_eq!(of_one, json!({"keys": [with(published(), "kid", json!("orders.sig.2"))]}));
    assert_eq!(JwkSet::parse(of_one.to_string().as_bytes()).unwrap().into_keys(), [named]);
}

#[test]
fn a_thumbprint_does_not_depend_on_what_a_key_is_called() {
    for key_type in TYPES {
        let jwk = Private::of(key_type).jwk();
        let named = jwk.clone().named("orders.sig.9", KeyUse::Signing, Algorithm::ES256);
        assert_eq!(jwk.thumbprint(), named.thumbprint());
        assert_eq!(jwk.thumbprint().to_string().parse(), Ok(jwk.thumbprint()));
    }
    for text in ["", "x", &"A".repeat(42), &"A".repeat(44), &"A".repeat(86), &format!("{}B", "A".repeat(42))]
    {
        assert!(text.parse::<drawbridge_verify::Thumbprint>().is_err(), "{text}");
    }
}

#[test]
fn private_and_symmetric_members_are_refused_whatever_the_type_says() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
        for value in [json!("AQ"), json!(""), json!(null), json!([])] {
            for key_type in TYPES {
                let jwk = with(Private::of(key_type).members(), name, value.clone());
                assert_eq!(parse(&jwk), Err(JwkError::NotPublic), "{name} in {key_type:?}");
                assert_eq!(set(&[published(), jwk]).map(|_| ()), Err(JwkError::NotPublic));
            }
            assert_eq!(set(&[json!({"kty": "unknown", name: value})]).map(|_| ()), Err(JwkError::NotPublic));
        }
    }
    let oct = json!({"kty": "oct"});
    assert_eq!(parse(&oct), Err(JwkError::NotPublic));
    assert_eq!(set(&[published(), oct]).map(|_| ()), Err(JwkError::NotPublic));
}

#[test]
fn keys_that_are_not_as_they_must_be_are_refused() {
    let p256 = Private::of(KeyType::P256).members();
    let rsa = Private::of(KeyType::Rsa).members();
    let ed25519 = Private::of(KeyType::Ed25519).members();
    let text = |jwk: &Value, name: &str| jwk[name].as_str().unwrap().to_owned();
    let malformed = JwkError::Malformed;
    let cases = [
        (json!([]), malformed("kty")),
        (json!({}), malformed("kty")),
        (with(p256.clone(), "kty", json!(1)), malformed("kty")),
        (with(p256.clone(), "kty", json!("ec")), JwkError::Unsupported),
        (with(p256.clone(), "crv", None), malformed("crv")),
        (with(p256.clone(), "crv", json!("secp256k1")), JwkError::Unsupported),
        (with(p256.clone(), "crv", json!("P-384")), malformed("x")),
        (with(p256.clone(), "x", None), malformed("x")),
        (with(p256.clone(), "y", None), malformed("y")),
        (with(p256.clone(), "y", json!(7)), malformed("y")),
        (with(p256.clone(), "x", json!(text(&p256, "x") + "=")), malformed("x")),
        (with(p256.clone(), "x", json!(encode([0; 31]))), malformed("x")),
        (with(p256.clone(), "x", json!(encode([0; 33]))), malformed("x")),
        (with(p256.clone(), "kid", json!(1)), malformed("kid")),
        (with(p256.clone(), "kid", json!("../x")), malformed("kid")),
        (with(p256.clone(), "use", json!(["sig"])), malformed("use")),
        (with(p256.clone(), "use", json!("sign")), JwkError::Unsupported),
        (with(p256.clone(), "alg", json!(null)), malformed("alg")),
        (with(p256.clone(), "key_ops", json!("verify")), malformed("key_ops")),
        (with(p256.clone(), "key_ops", json!([1])), malformed("key_ops")),
        (with(p256, "key_ops", json!(["verify", "verify"])), malformed("key_ops")),
        (with(rsa.clone(), "n", None), malformed("n")),
        (with(rsa.clone(), "e", json!("")), malformed("e")),
        (with(rsa.clone(), "e", json!(encode([0, 1, 0, 1]))), malformed("e")),
        (with(rsa, "n", json!(encode([vec![0], vec![0xff; 256]].concat()))), malformed("n")),
        (with(ed25519.clone(), "x", json!(encode([9; 31]))), malformed("x")),
        (with(ed25519.clone(), "crv", json!("Ed448")), JwkError::Unsupported),
        (with(ed25519, "crv", json!("P-256")), JwkError::Unsupported),
    ];
    for (jwk, error) in cases {
        assert_eq!(parse(&jwk), Err(error), "{jwk}");
    }
    for text in ["", "null", "{", "{\"kty\":\"EC\",\"kty\":\"EC\"}", "{}{}"] {
        assert!(matches!(PublicJwk::parse(text.as_bytes()), Err(JwkError::Malformed(_))), "{text}");
    }
}

#[test]
fn weak_rsa_keys_are_refused() {
    let rsa = |modulus: Vec<u8>, exponent: &[u8]| json!({"kty": "RSA", "n": encode(modulus), "e": encode(exponent)});
    let modulus = |bits: usize| {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] = 0xff >> (modulus.len() * 8 - bits);
        modulus
    };
    const F4: &[u8] = &[1, 0, 1];
    for (bits, exponent) in
        [(2048, F4), (3072, F4), (8192, F4), (2048, &[1, 0, 3]), (2048, &[0xff, 0xff, 0xff, 0xff])]
    {
        assert!(parse(&rsa(modulus(bits), exponent)).is_ok(), "{bits} {exponent:?}");
    }
    let weak: [(usize, &[u8]); 12] = [
        (8, F4),
        (512, F4),
        (1024, F4),
        (2040, F4),
        (2047, F4),
        (8193, F4),
        (16384, F4),
        (2048, &[1]),
        (2048, &[3]),
        (2048, &[1, 0, 0]),
        (2048, &[0xff, 0xff]),
        (2048, &[1, 0, 0, 0, 1]),
    ];
    for (bits, exponent) in weak {
        assert!(
            matches!(parse(&rsa(modulus(bits), exponent)), Err(JwkError::Weak(_))),
            "{bits} {exponent:?}"
        );
    }
    let mut even = modulus(2048);
    even[255] = 0xfe;
    assert!(matches!(parse(&rsa(even, F4)), Err(JwkError::Weak(_))));
}

#[test]
fn points_that_are_not_on_their_curve_are_refused() {
    for key_type in [KeyType::P256, KeyType::P384, KeyType::P521] {
        let jwk = Private::of(key_type).members();
        let other = with(jwk.clone(), "y", jwk["x"].clone());
        let length = jwk["x"].as_str().unwrap().len() * 3 / 4;
        let zero =
            with(with(jwk.clone(), "x", json!(encode(vec![0; length]))), "y", json!(encode(vec![0; length])));
        let beyond = with(jwk, "x", json!(encode(vec![0xff; length])));
        for jwk in [other, zero, beyond] {
            assert!(matches!(parse(&jwk), Err(JwkError::Weak(_))), "{jwk}");
        }
    }
}

#[test]
fn ed25519_keys_under_which_anything_verifies_are_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    // Why: with this key, everybody's signature over everything is R = the identity, s = 0.
    let forged = [identity, [0; 32]].concat();
    assert!(UnparsedPublicKey::new(&ED25519, identity).verify(b"nobody signed this", &forged).is_ok());

    let mut negative = identity;
    negative[31] = 0x80;
    let mut p = [0xff; 32];
    (p[0], p[31]) = (0xed, 0x7f);
    let mut below = p;
    below[0] = 0xec;
    for key in [identity, negative, [0; 32], p, below] {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(key)});
        assert!(matches!(parse(&jwk), Err(JwkError::Weak(_))), "{key:x?}");
    }
}

#[test]
fn a_key_is_bound_to_its_kid_use_and_one_algorithm() {
    let es256 = only(Algorithm::ES256);
    let all = Algorithm::ALL.into_iter().collect::<Algorithms>();
    let without = |name| with(published(), name, None);
    let ops = |jwk, ops: &[&str]| with(jwk, "key_ops", json!(ops));
    let (wrong_use, not_allowed) = (Err(JwkError::WrongUse), Err(JwkError::AlgorithmNotAllowed));
    let cases = [
        (published(), es256, false, Ok(Algorithm::ES256)),
        (published(), all, false, Ok(Algorithm::ES256)),
        (published(), Algorithms::default(), false, not_allowed),
        (published(), only(Algorithm::ES384), true, not_allowed),
        (with(published(), "alg", json!("ES384")), all, false, not_allowed),
        (with(published(), "alg", json!("RS256")), all, true, not_allowed),
        (with(published(), "alg", json!("es256")), all, true, not_allowed),
        (with(published(), "alg", json!("none")), all, true, not_allowed),
        (with(published(), "alg", json!("HS256")), all, true, not_allowed),
        (with(published(), "alg", json!("ECDH-ES")), all, true, not_allowed),
        (with(published(), "alg", json!("")), all, true, not_allowed),
        (without("alg"), es256, false, not_allowed),
        (without("alg"), es256, true, Ok(Algorithm::ES256)),
        (without("alg"), all, true, Ok(Algorithm::ES256)),
        (without("alg"), only(Algorithm::RS256), true, not_allowed),
        (without("use"), es256, false, Ok(Algorithm::ES256)),
        (with(without("use"), "alg", None), es256, true, wrong_use),
        (with(published(), "use", json!("enc")), es256, false, wrong_use),
        (ops(published(), &["verify"]), es256, false, Ok(Algorithm::ES256)),
        (ops(without("use"), &["sign", "verify"]), es256, false, Ok(Algorithm::ES256)),
        (ops(with(without("use"), "alg", None), &["verify"]), es256, true, Ok(Algorithm::ES256)),
        (ops(published(), &["sign"]), es256, false, wrong_use),
        (ops(published(), &[]), es256, false, wrong_use),
        (ops(published(), &["verify", "deriveKey"]), es256, false, wrong_use),
        (ops(with(published(), "use", json!("enc")), &["verify"]), es256, false, wrong_use),
        (with(published(), "kid", json!("orders.sig.2")), es256, false, Err(JwkError::Malformed(OTHER_KID))),
        (without("kid"), es256, false, Err(JwkError::Malformed(OTHER_KID))),
    ];
    for (jwk, allowed, without_alg, expected) in cases {
        let bound = PublicKey::bind(&parse(&jwk).unwrap(), KID, allowed, without_alg);
        assert_eq!(bound.map(|key| key.algorithm()), expected, "{jwk} for {allowed:?}");
    }
}

#[test]
fn a_key_without_alg_is_bound_only_where_one_algorithm_fits() {
    let rsa = with(with(Private::of(KeyType::Rsa).members(), "kid", json!(KID)), "use", json!("sig"));
    let jwk = parse(&rsa).unwrap();
    let fitting = [Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA].into_iter().collect();
    assert_eq!(PublicKey::bind(&jwk, KID, fitting, true).unwrap().algorithm(), Algorithm::PS256);
    let several = [Algorithm::PS256, Algorithm::RS256].into_iter().collect();
    assert_eq!(PublicKey::bind(&jwk, KID, several, true).unwrap_err(), JwkError::AlgorithmNotAllowed);
}

#[test]
fn keys_that_are_not_for_us_are_passed_over_in_a_set() {
    let named = |jwk: Value, kid: &str| with(jwk, "kid", json!(kid));
    let keys = [
        named(published(), "a"),
        named(with(published(), "use", json!("enc")), "b"),
        named(with(published(), "alg", json!("ECDH-ES")), "c"),
        named(with(published(), "crv", json!("secp256k1")), "d"),
        named(json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}), "e"),
        named(with(published(), "use", json!("tls")), "f"),
        named(json!({"kty": "RSA", "n": encode([0xff; 128]), "e": "AQAB"}), "g"),
        named(published(), "outside/the grammar"),
        named(with(published(), "x5c", json!(["MIIB"])), "i"),
        with(published(), "kid", None),
        named(with(published(), "x", None), "j"),
        named(with(published(), "y", json!("AA")), "k"),
        named(with(published(), "x", json!(["AA"])), "l"),
        named(with(published(), "alg", json!(256)), "m"),
        named(with(published(), "use", json!(["sig"])), "n"),
        named(with(published(), "key_ops", json!("verify")), "o"),
        named(with(published(), "kty", json!(1)), "p"),
        named(json!({}), "q"),
        with(published(), "kid", json!(1)),
        json!(1),
    ];
    let kids = set(&keys).unwrap().iter().map(|key| key.kid().map(str::to_owned)).collect::<Vec<_>>();
    assert_eq!(kids, [Some("a".to_owned()), Some("i".to_owned()), None]);
}

#[test]
fn a_set_that_cannot_be_trusted_is_refused_whole() {
    let again = with(published(), "use", json!("enc"));
    assert_eq!(set(&[published(), again]).map(|_| ()), Err(JwkError::DuplicateKid));
    assert_eq!(set(&[published(), with(published(), "x", None)]).map(|_| ()), Err(JwkError::DuplicateKid));
    let broken = with(with(published(), "kid", json!("other")), "x", None);
    assert_eq!(
        set(std::slice::from_ref(&broken)).map(|_| ()),
        Err(JwkError::Malformed("x")),
        "nothing is left"
    );
    for private in [with(broken.clone(), "d", json!("AA")), json!({"kty": "oct", "kid": "other"})] {
        assert_eq!(set(&[published(), private]).map(|_| ()), Err(JwkError::NotPublic), "not even broken");
    }

    let many = |count: usize| {
        (0..count).map(|at| with(published(), "kid", json!(format!("k{at}")))).collect::<Vec<_>>()
    };
    assert_eq!(set(&many(JwkSet::MAX_KEYS)).map(|keys| keys.len()), Ok(64));
    assert_eq!(set(&many(JwkSet::MAX_KEYS + 1)).map(|_| ()), Err(JwkError::TooLarge));
    let long = json!({"keys": [], "x": "x".repeat(JwkSet::MAX_BYTES)}).to_string();
    assert_eq!(JwkSet::parse(long.as_bytes()).map(|_| ()), Err(JwkError::TooLarge));

    for text in
        ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":null}", "{\"keys\":[1]}", "{\"keys\":[],\"keys\":[]}"]
    {
        assert!(matches!(JwkSet::parse(text.as_bytes()), Err(JwkError::Malformed(_))), "{text}");
    }
    assert_eq!(set(&[]), Ok(vec![]));
}

const OTHER_KID: &str = "the kid is not the one that was asked for";
