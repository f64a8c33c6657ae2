use std::sync::LazyLock;

use drawbridge_verify::{
    Algorithm, JwkSet, KeyUse, MediaType, PublicJwk, PublicKey, Thumbprint, Unverified,
    json::{Bounds, Value},
};
use proptest::prelude::*;

use crate::make::{KID, NOW, Private, claims, encode, header, key, rules, token, token_of, verify_with};

/// One good token and its key for each kind of signature.
static GOOD: LazyLock<Vec<(String, PublicKey)>> = LazyLock::new(|| {
    let algorithms =
        [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::ES384, Algorithm::Ed25519];
    algorithms.map(|algorithm| (token(algorithm, &header(algorithm), &claims()), key(algorithm))).into()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_input_panics(text in any::<String>(), bytes in any::<Vec<u8>>(), max in any::<usize>()) {
        let _ = Unverified::parse(&text, max);
        let _ = PublicJwk::parse(&bytes);
        let _ = JwkSet::parse(&bytes);
        let _ = text.parse::<Thumbprint>();
        let _ = MediaType::new(&text).matches(&text);
        if let Ok(value) = Value::parse(text.as_bytes(), BOUNDS) {
            let _ = value.pointer(&text);
        }
    }

    #[test]
    fn no_token_of_any_header_and_payload_panics(header in json_text(), payload in json_text(), raw in any::<Vec<u8>>()) {
        for payload in [payload.as_bytes(), &raw] {
            let token = token_of(Algorithm::Ed25519, &header, payload);
            let _ = verify_with(&token, &rules(), &key(Algorithm::Ed25519));
        }
        let token = token_of(Algorithm::Ed25519, &crate::make::header(Algorithm::Ed25519).to_string(), payload.as_bytes());
        prop_assert!(verify_with(&token, &rules(), &key(Algorithm::Ed25519)).is_err());
    }

    #[test]
    fn any_single_byte_change_of_a_good_token_is_refused(which in 0..5_usize, at in any::<prop::sample::Index>(), to in 0..=0x7f_u8) {
        let (good, key) = &GOOD[which];
        let mut changed = good.clone().into_bytes();
        let at = at.index(changed.len());
        prop_assume!(changed[at] != to);
        changed[at] = to;
        let changed = String::from_utf8(changed).unwrap();
        prop_assert!(verify_with(&changed, &rules(), key).is_err(), "byte {} of {}", at, changed);
        prop_assert_eq!(verify_with(good, &rules(), key), Ok(()));
    }

    #[test]
    fn any_part_cut_out_of_a_good_token_or_put_in_is_refused(
        which in 0..5_usize, at in any::<prop::sample::Index>(), length in 1..40_usize, extra in "[A-Za-z0-9_.=-]{1,8}",
    ) {
        let (good, key) = &GOOD[which];
        let at = at.index(good.len());
        let end = (at + length).min(good.len());
        let cut = format!("{}{}", &good[..at], &good[end..]);
        prop_assert!(verify_with(&cut, &rules(), key).is_err());
        let longer = format!("{}{extra}{}", &good[..at], &good[at..]);
        prop_assert!(verify_with(&longer, &rules(), key).is_err());
    }

    #[test]
    fn what_one_token_signed_is_nothing_in_another(which in 0..5_usize, subject in "[a-z]{1,8}") {
        let (good, key) = &GOOD[which];
        let claims = crate::make::with(claims(), "sub", serde_json::json!(format!("{subject}-other")));
        let algorithm = key.algorithm();
        let signed = format!("{}.{}", encode(header(algorithm).to_string()), encode(claims.to_string()));
        let (_, signature) = good.rsplit_once('.').unwrap();
        let grafted = format!("{signed}.{signature}");
        prop_assert!(verify_with(&grafted, &rules(), key).is_err());
    }

    #[test]
    fn json_is_read_as_serde_json_reads_it(value in json_value()) {
        let text = value.to_string();
        let parsed = Value::parse(text.as_bytes(), BOUNDS).unwrap();
        prop_assert_eq!(parsed.to_json(), value);
    }

    #[test]
    fn json_that_is_printed_and_parsed_is_the_same(value in json_value()) {
        let text = value.to_string();
        let once = Value::parse(text.as_bytes(), BOUNDS).unwrap();
        let again = once.to_json().to_string();
        prop_assert_eq!(Value::parse(again.as_bytes(), BOUNDS).unwrap(), once.clone());
    }

    #[test]
    fn whatever_is_accepted_serde_json_accepts_too(text in json_text()) {
        if let Ok(value) = Value::parse(text.as_bytes(), BOUNDS) {
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value.to_json());
        }
    }

    #[test]
    fn a_key_that_is_printed_and_parsed_is_the_same(kid in "[A-Za-z0-9._-]{1,128}", at in 0..11_usize, enc in any::<bool>()) {
        let algorithm = Algorithm::ALL[at];
        let key_use = if enc { KeyUse::Encryption } else { KeyUse::Signing };
        let jwk = Private::of(algorithm.key_type()).jwk().named(&kid, key_use, algorithm);
        prop_assert_eq!(PublicJwk::parse(jwk.to_json().as_bytes()), Ok(jwk.clone()));
        let set = JwkSet::parse(JwkSet::of_one(&jwk).as_bytes()).unwrap().into_keys();
        prop_assert_eq!(set, if enc { vec![] } else { vec![jwk] });
    }

    #[test]
    fn media_types_are_normal_once_normalised(text in "([A-Za-z+.]{1,12}/)?[A-Za-z+.]{1,12}") {
        let once = MediaType::new(&text);
        prop_assert!(once.matches(&text));
        prop_assert!(once.matches(&text.to_ascii_uppercase()));
        prop_assert_eq!(&MediaType::new(once.as_typ()), &once);
    }

    #[test]
    fn a_token_is_good_from_iat_to_exp_give_or_take_the_skew(iat in -8000_i64..8000, life in 0_i64..4000, skew in 0_u64..=60) {
        let mut rules = rules();
        rules.skew = std::time::Duration::from_secs(skew);
        let claims = crate::make::with(claims(), "iat", serde_json::json!(NOW.as_secs() + iat));
        let claims = crate::make::with(claims, "exp", serde_json::json!(NOW.as_secs() + iat + life));
        let skew = i64::try_from(skew).unwrap();
        let good = iat <= skew && iat + life > -skew && life <= 3600;
        prop_assert_eq!(crate::make::claiming(&claims, &rules).is_ok(), good);
    }
}

#[test]
fn the_good_tokens_of_the_properties_name_their_key() {
    assert!(GOOD.iter().all(|(_, key)| key.kid() == KID));
}

const BOUNDS: Bounds = Bounds { depth: 8, values: 512 };

/// Any JSON within the bounds; halves, so that every float prints exactly.
fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<i32>().prop_map(|value| (f64::from(value) + 0.5).into()),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// Text that is nearly JSON: pieces of it in any order.
fn json_text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"alg\"",
        "\"ES256\"",
        "\"kid\"",
        "\"a\"",
        "\\u0061",
        "1",
        "-1",
        "1e400",
        "0.5",
        "null",
        "true",
        " ",
        "\u{e9}",
        "\"exp\"",
        "\"iss\"",
        "{\"a\":",
        "[1,",
    ]);
    prop_oneof![
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()),
        json_value().prop_map(|value| value.to_string())
    ]
}
