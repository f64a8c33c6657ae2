use drawbridge_verify::{
    TokenError, Unverified,
    jwe::{ContentEncryption, KeyManagement},
};
use serde_json::{Value, json};

use super::{
    PRIVATE, decrypt, decryption_key, encryption_key, header_of, p256, parse, public, signed, with_segment,
};
use crate::make::{claims, encode, with};

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
