use drawbridge_verify::{
    Algorithm, TokenError, Unverified,
    jwe::{ContentEncryption, ContentKey, DecryptionKey, Jwe, KeyManagement, Recipient},
};
use proptest::prelude::*;
use serde_json::json;

use super::{
    ENC_KID, PRIVATE, combinations, decrypt, decryption_key, ec, encryption_key, header_of, p256, parse,
    segment, signed, with_segment,
};
use crate::make::{encode, key, rules, verify_with, with};

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
        for (at, segment) in segments.iter().enumerate().skip(2) {
            prop_assert!(decrypt(&with_segment(&nested, at, segment), &key).is_err());
        }
    }
}
