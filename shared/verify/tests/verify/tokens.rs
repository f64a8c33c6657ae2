use drawbridge_verify::{Algorithm, KeyUse, MediaType, PublicKey, Relaxation, TokenError, Unverified};
use serde_json::json;

use crate::make::{
    KID, NOW, Private, claiming, claims, encode, headed, header, key, only, rules, token, token_of, verify,
    verify_with, with,
};

#[test]
fn a_good_token_of_every_algorithm_is_verified() {
    for algorithm in Algorithm::ALL {
        let rules = rules();
        let token = token(algorithm, &header(algorithm), &claims());
        let admitted = rules.admit(Unverified::parse(&token, rules.max_token_bytes).unwrap()).unwrap();
        assert_eq!((admitted.kid(), admitted.algorithm()), (KID, algorithm));

        let authentic = admitted.verify(&key(algorithm)).unwrap();
        let verified = authentic.claims(NOW).unwrap();
        assert_eq!(verified.issuer(), "https://login.example.com");
        assert_eq!(verified.subject(), "ada");
        assert_eq!(verified.client_id(), Some("shop"));
        assert_eq!(verified.jti(), Some("a-token"));
        assert_eq!(verified.kid(), KID);
        assert_eq!(verified.issued_at().as_secs(), NOW.as_secs() - 10);
        assert_eq!(verified.expires_at().as_secs(), NOW.as_secs() + 290);
        assert_eq!(verified.scopes().collect::<Vec<_>>(), ["customers:read", "orders:write"]);
        assert_eq!(verified.confirmation(), None);
        assert_eq!(verified.pointer("").unwrap().to_json(), claims());
    }
}

#[test]
fn a_token_of_one_algorithm_is_refused_by_a_key_of_every_other() {
    for algorithm in Algorithm::ALL {
        let token = token(algorithm, &header(algorithm), &claims());
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            let refused = verify_with(&token, &rules(), &key(other));
            assert_eq!(refused, Err(TokenError::AlgorithmNotAllowed), "{algorithm} under a key of {other}");
        }
    }
}

#[test]
fn an_algorithm_that_the_issuer_is_not_configured_for_is_refused_before_any_key() {
    for algorithm in Algorithm::ALL {
        let mut rules = rules();
        rules.algorithms = Algorithm::ALL.into_iter().filter(|other| *other != algorithm).collect();
        let token = token(algorithm, &header(algorithm), &claims());
        let parsed = Unverified::parse(&token, rules.max_token_bytes).unwrap();
        assert_eq!(rules.admit(parsed).unwrap_err(), TokenError::AlgorithmNotAllowed, "{algorithm}");
    }
}

#[test]
fn a_key_of_another_kid_is_refused_although_the_signature_would_hold() {
    let jwk = Private::of(Algorithm::ES256.key_type()).jwk().named(
        "billing.sig.1",
        KeyUse::Signing,
        Algorithm::ES256,
    );
    let key = PublicKey::bind(&jwk, "billing.sig.1", only(Algorithm::ES256), false).unwrap();
    let token = token(Algorithm::ES256, &header(Algorithm::ES256), &claims());
    assert_eq!(verify_with(&token, &rules(), &key), Err(TokenError::SignatureInvalid));
}

#[test]
fn the_bounds_of_a_token_are_exact() {
    let good = token(Algorithm::ES256, &header(Algorithm::ES256), &claims());
    assert!(Unverified::parse(&good, good.len()).is_ok());
    assert_eq!(Unverified::parse(&good, good.len() - 1).unwrap_err(), TokenError::TooLarge);
    // Whole-token bound first: what is too long is not looked at.
    assert_eq!(Unverified::parse("{}{}{}", 5).unwrap_err(), TokenError::TooLarge);

    let mut narrow = rules();
    narrow.max_token_bytes = good.len() - 1;
    let parsed = Unverified::parse(&good, usize::MAX).unwrap();
    assert_eq!(narrow.admit(parsed).unwrap_err(), TokenError::TooLarge);

    let padded = |length: usize| {
        let bare = with(header(Algorithm::ES256), "x", json!("")).to_string().len();
        with(header(Algorithm::ES256), "x", json!("x".repeat(length - bare))).to_string()
    };
    assert_eq!(headed(&padded(2048), &rules()), Ok(()));
    assert!(matches!(headed(&padded(2049), &rules()), Err(TokenError::Malformed(_))));
    assert!(matches!(headed(&padded(4000), &rules()), Err(TokenError::Malformed(_))));
}

#[test]
fn what_is_not_three_segments_is_refused_and_five_are_told_apart() {
    let encrypted = "eyJhbGciOiJSU0EtT0FFUCJ9.a2V5.aXY.Y2lwaGVydGV4dA.dGFn";
    assert_eq!(verify(encrypted), Err(TokenError::Encrypted));
    assert_eq!(verify("...."), Err(TokenError::Encrypted));

    let good = token(Algorithm::ES256, &header(Algorithm::ES256), &claims());
    let cases = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        ".....".to_owned(),
        "token".to_owned(),
        "a.b".to_owned(),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.a"),
        format!("{good}.a.b.c"),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{good}="),
        format!("Bearer {good}"),
        format!("\"{good}\""),
        good.replace('.', "..."),
        good.replace('.', ","),
        encrypted.replace("a2V5", "a2V5="),
        format!("{{{encrypted}}}"),
    ];
    for case in cases {
        assert!(matches!(verify(&case), Err(TokenError::Malformed(_))), "{case}");
    }
}

#[test]
fn a_signature_that_is_missing_is_refused() {
    let good = token(Algorithm::ES256, &header(Algorithm::ES256), &claims());
    let (signed, _) = good.rsplit_once('.').unwrap();
    assert_eq!(verify(&format!("{signed}.")), Err(TokenError::SignatureInvalid));
}

#[test]
fn the_type_must_be_one_of_the_issuers() {
    let not_allowed = Err(TokenError::TypeNotAllowed);
    let strict = rules();
    let mut relaxed = rules();
    relaxed.relaxed.push(Relaxation::UntypedTokens);
    let mut several = rules();
    several.types = vec![MediaType::new("bridged+jwt"), MediaType::new("application/at+jwt")];

    let cases = [
        (Some("at+jwt"), Ok(()), Ok(())),
        (Some("AT+JWT"), Ok(()), Ok(())),
        (Some("application/at+jwt"), Ok(()), Ok(())),
        (Some("JWT"), not_allowed, Ok(())),
        (Some("jwt"), not_allowed, Ok(())),
        (Some("application/jwt"), not_allowed, Ok(())),
        (None, not_allowed, Ok(())),
        (Some(""), not_allowed, not_allowed),
        (Some("dpop+jwt"), not_allowed, not_allowed),
        (Some("logout+jwt"), not_allowed, not_allowed),
        (Some("JOSE"), not_allowed, not_allowed),
    ];
    for (typ, strictly, relaxedly) in cases {
        let header = with(header(Algorithm::ES256), "typ", typ.map(|typ| json!(typ))).to_string();
        assert_eq!(headed(&header, &strict), strictly, "{typ:?}");
        assert_eq!(headed(&header, &several), strictly, "{typ:?}");
        assert_eq!(headed(&header, &relaxed), relaxedly, "{typ:?} with untyped tokens accepted");
    }
    // The slash may be escaped, as some JSON writers do.
    assert_eq!(
        headed(r#"{"alg":"ES256","typ":"application\/at+jwt","kid":"orders.sig.1"}"#, &strict),
        Ok(())
    );
}

#[test]
fn a_header_that_is_not_as_it_must_be_is_refused() {
    let malformed =
        ["[]", "null", "\"ES256\"", "1", "", " ", "{", "{}", "{'alg':'ES256'}", "\u{feff}{}", "{} {}", "{},"];
    for header in malformed {
        assert!(matches!(headed(header, &rules()), Err(TokenError::Malformed(_))), "{header}");
    }
    for name in ["alg", "typ", "kid"] {
        for value in [json!(null), json!(1), json!(true), json!([]), json!({}), json!(["ES256"])] {
            let header = with(header(Algorithm::ES256), name, value).to_string();
            assert!(matches!(headed(&header, &rules()), Err(TokenError::Malformed(_))), "{header}");
        }
    }
    let without_kid = with(header(Algorithm::ES256), "kid", None).to_string();
    assert_eq!(headed(&without_kid, &rules()), Err(TokenError::KidMissing));
}

#[test]
fn a_header_that_is_not_utf_8_is_refused() {
    for bytes in [
        &b"{\"alg\":\"ES256\",\"x\":\"\xff\"}"[..],
        b"{\"alg\":\"ES256\",\"x\":\"\xc0\xaf\"}",
        b"\xff\xfe{\0}\0",
    ] {
        let token = format!("{}.{}.{}", encode(bytes), encode("{}"), encode([0; 64]));
        assert!(matches!(verify(&token), Err(TokenError::Malformed(_))));
    }
}

#[test]
fn unknown_header_members_without_meaning_are_passed_over() {
    let header = with(header(Algorithm::ES256), "x5t", json!("c2hhMQ"));
    assert_eq!(headed(&with(header, "nonce", json!(7)).to_string(), &rules()), Ok(()));
}

#[test]
fn a_payload_that_is_not_a_json_object_is_refused_after_the_signature() {
    for payload in [
        &b""[..],
        b"null",
        b"[]",
        b"\"claims\"",
        b"1",
        b"{",
        b"{}}",
        b"\xef\xbb\xbf{}",
        b"{\"sub\":\"\xff\"}",
    ] {
        let token = token_of(Algorithm::ES256, &header(Algorithm::ES256).to_string(), payload);
        assert!(matches!(verify(&token), Err(TokenError::ClaimsMalformed(_))), "{payload:?}");
    }
}

#[test]
fn nothing_that_a_token_says_is_in_what_is_printed() {
    let secret = "a-very-particular-subject";
    let token = token(Algorithm::ES256, &header(Algorithm::ES256), &with(claims(), "sub", json!(secret)));
    let rules = rules();
    let parsed = Unverified::parse(&token, rules.max_token_bytes).unwrap();
    let mut printed = format!("{parsed:?}");
    let admitted = rules.admit(parsed).unwrap();
    printed += &format!("{admitted:?}");
    let authentic = admitted.verify(&key(Algorithm::ES256)).unwrap();
    printed += &format!("{authentic:?} {:?}", authentic.claims(NOW).unwrap());
    for said in [secret, "a-token", "shop", &token, &encode(secret)] {
        assert!(!printed.contains(said), "{printed}");
    }
}

#[test]
fn claims_are_read_by_name_and_by_pointer() {
    let claims = with(claims(), "realm_access", json!({"roles": ["sales", "a/b"], "a/b~c": 1}));
    assert_eq!(claiming(&claims, &rules()), Ok(()));
    let token = token(Algorithm::ES256, &header(Algorithm::ES256), &claims);
    let rules = rules();
    let admitted = rules.admit(Unverified::parse(&token, rules.max_token_bytes).unwrap()).unwrap();
    let authentic = admitted.verify(&key(Algorithm::ES256)).unwrap();
    let verified = authentic.claims(NOW).unwrap();
    assert_eq!(verified.pointer("/realm_access/roles/1").unwrap().as_str(), Some("a/b"));
    assert_eq!(verified.pointer("/realm_access/a~1b~0c").unwrap().to_json(), json!(1));
    assert_eq!(verified.claim("realm_access").unwrap().to_json(), claims["realm_access"]);
    assert_eq!(verified.claim("roles"), None);
}
