use std::time::Duration;

use drawbridge_verify::{Algorithm, Confirmation, Relaxation, TokenError, Unverified};
use serde_json::{Value, json};

use crate::make::{NOW, claiming, claims, header, key, rules, token, token_of, verify, with};

const MALFORMED: fn(&'static str) -> Result<(), TokenError> = |name| Err(TokenError::ClaimsMalformed(name));

fn at(seconds: i64) -> Value {
    json!(NOW.as_secs() + seconds)
}

#[test]
fn a_claim_that_the_rules_need_must_be_there() {
    for name in ["iss", "aud", "sub", "exp", "iat"] {
        assert_eq!(claiming(&with(claims(), name, None), &rules()), Err(TokenError::ClaimMissing(name)));
    }
    for name in ["jti", "client_id"] {
        let mut needing = rules();
        needing.require_jti = true;
        needing.require_client_id = true;
        assert_eq!(claiming(&with(claims(), name, None), &rules()), Ok(()));
        assert_eq!(claiming(&with(claims(), name, None), &needing), Err(TokenError::ClaimMissing(name)));
    }
}

#[test]
fn a_claim_of_another_type_is_an_error_and_never_absent() {
    let texts = [json!(null), json!(1), json!(true), json!([]), json!({}), json!(["ada"]), json!("")];
    for name in ["iss", "sub", "jti", "client_id", "azp"] {
        for value in &texts {
            assert_eq!(
                claiming(&with(claims(), name, value.clone()), &rules()),
                MALFORMED(name),
                "{name}: {value}"
            );
        }
    }
    for value in [json!(null), json!(1), json!({}), json!([1]), json!(["https://api.example.com", null])] {
        assert_eq!(claiming(&with(claims(), "aud", value.clone()), &rules()), MALFORMED("aud"), "{value}");
    }
    for value in [json!(null), json!(1), json!({}), json!(["customers:read"])] {
        assert_eq!(
            claiming(&with(claims(), "scope", value.clone()), &rules()),
            MALFORMED("scope"),
            "{value}"
        );
    }
    for value in [json!(null), json!(1), json!("x"), json!([]), json!({"jkt": 1}), json!({"x5t#S256": null})]
    {
        assert_eq!(claiming(&with(claims(), "cnf", value.clone()), &rules()), MALFORMED("cnf"), "{value}");
    }
}

#[test]
fn attack_15_claim_type_confusion_is_refused() {
    for name in ["exp", "nbf", "iat"] {
        let values = [
            json!(null),
            json!(true),
            json!("1800000100"),
            json!([1_800_000_100]),
            json!({}),
            json!({"value": 1_800_000_100}),
            json!(-1),
            json!(-0.5),
            json!(1e300),
            json!(1_800_000_000_000_i64),
            json!(u64::MAX),
            json!(i64::MIN),
        ];
        for value in values {
            assert_eq!(
                claiming(&with(claims(), name, value.clone()), &rules()),
                MALFORMED(name),
                "{name}: {value}"
            );
        }
        // Not numbers of JSON at all, or ones that no float can hold.
        for number in
            ["1e400", "-1e400", "NaN", "Infinity", "0x6b49d200", "01800000100", "+1800000100", "1800000100."]
        {
            let payload = with(claims(), name, json!("HERE")).to_string().replace("\"HERE\"", number);
            let token = token_of(Algorithm::ES256, &header(Algorithm::ES256).to_string(), payload.as_bytes());
            assert!(matches!(verify(&token), Err(TokenError::ClaimsMalformed(_))), "{name}: {number}");
        }
    }
}

#[test]
fn the_issuer_is_compared_byte_for_byte() {
    for issuer in [
        "https://login.example.com/",
        "https://LOGIN.example.com",
        "login.example.com",
        "https://login.example.com\0",
    ] {
        assert_eq!(
            claiming(&with(claims(), "iss", json!(issuer)), &rules()),
            Err(TokenError::IssuerMismatch),
            "{issuer}"
        );
    }
}

#[test]
fn attack_20_a_token_for_another_audience_is_refused() {
    const OURS: &str = "https://api.example.com";
    let mismatch = Err(TokenError::AudienceMismatch);
    let cases = [
        (json!(OURS), Ok(()), Ok(())),
        (json!([OURS]), Ok(()), Ok(())),
        (json!([OURS, "https://other.example.com"]), Ok(()), mismatch),
        (json!(["https://other.example.com", OURS]), Ok(()), mismatch),
        (json!([OURS, OURS]), Ok(()), mismatch),
        (json!("https://other.example.com"), mismatch, mismatch),
        (json!(["https://other.example.com"]), mismatch, mismatch),
        (json!([]), mismatch, mismatch),
        (json!(""), mismatch, mismatch),
        (json!("https://api.example.com/"), mismatch, mismatch),
        (json!("https://API.example.com"), mismatch, mismatch),
        (json!("https://api.example.com https://other.example.com"), mismatch, mismatch),
    ];
    let mut single = rules();
    single.single_audience = true;
    for (aud, among_others, alone) in cases {
        assert_eq!(claiming(&with(claims(), "aud", aud.clone()), &rules()), among_others, "{aud}");
        assert_eq!(
            claiming(&with(claims(), "aud", aud.clone()), &single),
            alone,
            "{aud} where it must stand alone"
        );
    }
    assert_eq!(claiming(&with(claims(), "aud", json!(vec![OURS; 32])), &rules()), Ok(()));
    assert_eq!(claiming(&with(claims(), "aud", json!(vec![OURS; 33])), &rules()), MALFORMED("aud"));

    let mut nobody = rules();
    nobody.audiences.clear();
    assert_eq!(claiming(&claims(), &nobody), mismatch);
}

#[test]
fn the_times_of_a_token_are_exact_to_the_second() {
    // Skew is 30 s and the longest life 3600 s.
    let cases = [
        ("exp", at(0), Ok(())),
        ("exp", at(-29), Ok(())),
        ("exp", at(-30), Err(TokenError::Expired)),
        ("exp", json!(NOW.as_secs() as f64 - 29.0), Ok(())),
        ("exp", json!(NOW.as_secs() as f64 - 29.5), Err(TokenError::Expired)),
        ("exp", at(3500), Ok(())),
        ("exp", at(3501), Err(TokenError::LifetimeTooLong)),
        ("exp", at(1_000_000_000), Err(TokenError::LifetimeTooLong)),
        ("exp", json!(0), MALFORMED("exp is before iat")),
        ("nbf", at(30), Ok(())),
        ("nbf", at(31), Err(TokenError::NotYetValid)),
        ("nbf", json!(0), Ok(())),
        ("iat", at(30), Ok(())),
        ("iat", at(31), Err(TokenError::IssuedInFuture)),
        ("iat", at(-3200), Ok(())),
        ("iat", at(-3600), Err(TokenError::LifetimeTooLong)),
        ("iat", json!(0), Err(TokenError::LifetimeTooLong)),
    ];
    for (name, value, expected) in cases {
        let base = with(with(claims(), "iat", at(-100)), "exp", at(400));
        assert_eq!(claiming(&with(base, name, value.clone()), &rules()), expected, "{name} {value}");
    }
}

#[test]
fn more_skew_than_a_minute_counts_as_a_minute() {
    let mut lenient = rules();
    lenient.skew = Duration::from_secs(86_400);
    assert_eq!(claiming(&with(claims(), "exp", at(-9)), &lenient), Ok(()));
    assert_eq!(claiming(&with(with(claims(), "iat", at(-90)), "exp", at(-59)), &lenient), Ok(()));
    assert_eq!(
        claiming(&with(with(claims(), "iat", at(-90)), "exp", at(-60)), &lenient),
        Err(TokenError::Expired)
    );
}

#[test]
fn an_issuer_whose_lifetime_is_not_ours_to_bound_may_sign_for_long() {
    let mut unbounded = rules();
    unbounded.max_lifetime = None;
    assert_eq!(claiming(&with(claims(), "exp", json!(253_402_300_799_i64)), &unbounded), Ok(()));
    assert_eq!(claiming(&with(claims(), "exp", json!(253_402_300_800_i64)), &unbounded), MALFORMED("exp"));
}

#[test]
fn scopes_are_exact_tokens_between_single_spaces() {
    let cases: [(Option<&str>, Option<&[&str]>); 13] = [
        (None, Some(&[])),
        (Some(""), Some(&[])),
        (Some("a"), Some(&["a"])),
        (Some("a b"), Some(&["a", "b"])),
        (Some("a:b/c?d=[e]"), Some(&["a:b/c?d=[e]"])),
        (Some("A a"), Some(&["A", "a"])),
        (Some(" a"), None),
        (Some("a "), None),
        (Some("a  b"), None),
        (Some("a\tb"), None),
        (Some("a\"b"), None),
        (Some("a\\b"), None),
        (Some("\u{fc}"), None),
    ];
    for (scope, expected) in cases {
        let rules = rules();
        let token = token(
            Algorithm::ES256,
            &header(Algorithm::ES256),
            &with(claims(), "scope", scope.map(|s| json!(s))),
        );
        let admitted = rules.admit(Unverified::parse(&token, rules.max_token_bytes).unwrap()).unwrap();
        let authentic = admitted.verify(&key(Algorithm::ES256)).unwrap();
        let verified = authentic.claims(NOW);
        assert_eq!(
            verified.as_ref().ok().map(|verified| verified.scopes().collect::<Vec<_>>()).as_deref(),
            expected,
            "{scope:?}"
        );
    }
}

#[test]
fn a_confirmation_that_is_not_understood_says_so() {
    let cases = [
        (None, None),
        (Some(json!({"x5t#S256": "abc"})), Some(Confirmation::CertificateThumbprint("abc"))),
        (Some(json!({"jkt": "abc"})), Some(Confirmation::KeyThumbprint("abc"))),
        (Some(json!({})), Some(Confirmation::Unknown)),
        (Some(json!({"jwk": {}})), Some(Confirmation::Unknown)),
        (Some(json!({"kid": "abc"})), Some(Confirmation::Unknown)),
        (Some(json!({"jkt": "abc", "x5t#S256": "abc"})), Some(Confirmation::Unknown)),
        (Some(json!({"jkt": "abc", "kid": "abc"})), Some(Confirmation::Unknown)),
    ];
    for (cnf, expected) in cases {
        let rules = rules();
        let token = token(Algorithm::ES256, &header(Algorithm::ES256), &with(claims(), "cnf", cnf.clone()));
        let admitted = rules.admit(Unverified::parse(&token, rules.max_token_bytes).unwrap()).unwrap();
        let authentic = admitted.verify(&key(Algorithm::ES256)).unwrap();
        assert_eq!(authentic.claims(NOW).unwrap().confirmation(), expected, "{cnf:?}");
    }
}

#[test]
fn the_client_is_client_id_before_azp() {
    let cases = [
        (Some("a"), Some("b"), Some("a")),
        (Some("a"), None, Some("a")),
        (None, Some("b"), Some("b")),
        (None, None, None),
    ];
    for (client_id, azp, expected) in cases {
        let rules = rules();
        let claims =
            with(with(claims(), "client_id", client_id.map(|id| json!(id))), "azp", azp.map(|id| json!(id)));
        let token = token(Algorithm::ES256, &header(Algorithm::ES256), &claims);
        let admitted = rules.admit(Unverified::parse(&token, rules.max_token_bytes).unwrap()).unwrap();
        let authentic = admitted.verify(&key(Algorithm::ES256)).unwrap();
        assert_eq!(authentic.claims(NOW).unwrap().client_id(), expected);
    }
}

#[test]
fn attack_21_another_kind_of_token_is_refused() {
    let typed = [
        ("ID token", "JWT"),
        ("DPoP proof", "dpop+jwt"),
        ("logout token", "logout+jwt"),
        ("security event", "secevent+jwt"),
        ("bridged token", "bridged+jwt"),
        ("transaction token", "txntoken+jwt"),
        ("client assertion", "client-authentication+jwt"),
    ];
    for (kind, typ) in typed {
        let token = token(Algorithm::ES256, &with(header(Algorithm::ES256), "typ", json!(typ)), &claims());
        assert_eq!(verify(&token), Err(TokenError::TypeNotAllowed), "{kind}");
    }
    // Where untyped tokens are let through, the claims that only other kinds have tell them apart.
    let mut relaxed = rules();
    relaxed.relaxed.push(Relaxation::UntypedTokens);
    for (name, value) in [("at_hash", json!("x")), ("c_hash", json!("x")), ("events", json!({}))] {
        for typ in [None, Some(json!("JWT"))] {
            let token = token(
                Algorithm::ES256,
                &with(header(Algorithm::ES256), "typ", typ),
                &with(claims(), name, value.clone()),
            );
            let refused = crate::make::verify_with(&token, &relaxed, &key(Algorithm::ES256));
            assert_eq!(refused, Err(TokenError::TypeNotAllowed), "{name}");
        }
        assert_eq!(
            claiming(&with(claims(), name, value), &relaxed),
            Ok(()),
            "typed, {name} is a claim like any other"
        );
    }
}

#[test]
fn attack_33_odd_claims_are_no_panic() {
    let odd = [
        json!({}),
        with(claims(), "roles", json!([1, null, {"a": []}])),
        with(claims(), "sub", json!("\u{1f980}\u{200f}\0")),
        with(claims(), "", json!("")),
        with(claims(), "\u{1f980}", json!(f64::MIN_POSITIVE)),
        with(claims(), "deep", (0..14).fold(json!(1), |value, _| json!([value]))),
    ];
    for claims in &odd[1..] {
        assert_eq!(claiming(claims, &rules()), Ok(()), "{claims}");
    }
    assert_eq!(claiming(&odd[0], &rules()), Err(TokenError::ClaimMissing("iss")));
    let too_deep = with(claims(), "deep", (0..16).fold(json!(1), |value, _| json!([value])));
    assert!(matches!(claiming(&too_deep, &rules()), Err(TokenError::ClaimsMalformed(_))));
    let too_many = with(claims(), "many", json!(vec![0; 2048]));
    assert!(matches!(claiming(&too_many, &rules()), Err(TokenError::ClaimsMalformed(_))));
}
