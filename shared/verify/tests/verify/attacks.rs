//! Attack classes that belong to the verifier alone; the others stand with what they attack.

use aws_lc_rs::hmac;
use drawbridge_verify::{Algorithm, JwkSet, KeyType, TokenError, Unverified};
use serde_json::{Value, json};

use crate::make::{
    KID, Private, claims, encode, headed, header, key, rules, token, token_of, verify, verify_with, with,
};

#[test]
fn attack_01_alg_none_is_refused_in_any_case() {
    for alg in ["none", "None", "NONE", "nOnE", "", " none", "none\0", "null"] {
        let header = with(header(Algorithm::ES256), "alg", json!(alg)).to_string();
        let signed = format!("{}.{}", encode(&header), encode(claims().to_string()));
        for signature in [
            "".to_owned(),
            encode([0; 64]),
            encode(Private::of(KeyType::P256).sign(Algorithm::ES256, signed.as_bytes())),
        ] {
            assert_eq!(
                verify(&format!("{signed}.{signature}")),
                Err(TokenError::AlgorithmNotAllowed),
                "{alg:?}"
            );
        }
    }
    let header = with(header(Algorithm::ES256), "alg", None).to_string();
    assert_eq!(headed(&header, &rules()), Err(TokenError::Malformed("the header has no alg")));
}

#[test]
fn attack_02_hmac_with_the_public_key_as_secret_is_refused() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::Ed25519] {
        let private = Private::of(algorithm.key_type());
        let jwk = private.members().to_string();
        let der = private.der();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", encode(&der));
        for secret in [jwk.as_bytes(), &der, pem.as_bytes(), b""] {
            for alg in ["HS256", "HS384", "HS512", "hs256"] {
                let header = with(header(algorithm), "alg", json!(alg)).to_string();
                let signed = format!("{}.{}", encode(&header), encode(claims().to_string()));
                let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
                let token = format!("{signed}.{}", encode(tag));
                assert_eq!(
                    verify_with(&token, &rules(), &key(algorithm)),
                    Err(TokenError::AlgorithmNotAllowed),
                    "{alg}"
                );
            }
        }
    }
}

#[test]
fn attack_03_json_serialisation_is_refused() {
    let good = token(Algorithm::ES256, &header(Algorithm::ES256), &claims());
    let mut parts = good.split('.');
    let (protected, payload, signature) =
        (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let flattened = json!({
        "protected": protected, "header": {"alg": "none"}, "payload": payload, "signature": signature,
    });
    let general =
        json!({"payload": payload, "signatures": [{"protected": protected, "signature": signature}]});
    for serialised in [flattened, general] {
        for text in [
            serialised.to_string(),
            format!("{serialised:#}"),
            format!("{serialised}.."),
            format!("{serialised}...."),
        ] {
            assert!(matches!(verify(&text), Err(TokenError::Malformed(_))), "{text}");
        }
    }
}

#[test]
fn attack_04_a_key_in_the_header_is_refused() {
    let header = with(header(Algorithm::ES256), "jwk", Private::of(KeyType::P256).members());
    assert_eq!(headed(&header.to_string(), &rules()), Err(TokenError::HeaderRefused("jwk")));
}

#[test]
fn attack_05_an_address_of_a_key_in_the_header_is_refused() {
    for name in ["jku", "x5u", "x5c"] {
        for value in
            [json!("https://evil.example.com/keys"), json!(["MIIB"]), json!(""), json!(null), json!(1)]
        {
            let header = with(header(Algorithm::ES256), name, value).to_string();
            assert_eq!(headed(&header, &rules()), Err(TokenError::HeaderRefused(name)), "{header}");
        }
    }
}

#[test]
fn attack_06_a_kid_that_is_more_than_a_name_is_refused() {
    let kids = [
        "",
        "../../dev/null",
        "..\\..\\boot.ini",
        "/etc/passwd",
        "orders.sig.1/../billing.sig.1",
        "orders%2e%2e",
        "' UNION SELECT 'key' --",
        "\" OR \"\"=\"",
        "*)(uid=*",
        "${jndi:ldap://evil.example.com}",
        "orders.sig.1\r\nSet-Cookie: a=b",
        "orders.sig.1\nallow",
        "orders.sig.1\0",
        "orders.sig.1 ",
        "orders.sig.1?x",
        "orders.sig.1#x",
        "https://evil.example.com/",
        "orders.sig.\u{661}",
        "\u{202e}gis.sredro",
    ];
    for kid in kids {
        let header = with(header(Algorithm::ES256), "kid", json!(kid)).to_string();
        assert_eq!(headed(&header, &rules()), Err(TokenError::KidMalformed), "{kid:?}");
    }
    let long = with(header(Algorithm::ES256), "kid", json!("k".repeat(129))).to_string();
    assert_eq!(headed(&long, &rules()), Err(TokenError::KidMalformed));
    let huge = with(header(Algorithm::ES256), "kid", json!("k".repeat(10 * 1024))).to_string();
    assert!(matches!(headed(&huge, &rules()), Err(TokenError::Malformed(_))));
}

#[test]
fn attack_07_psychic_signatures_are_refused() {
    for (algorithm, length, order) in [
        (Algorithm::ES256, 32, P256_ORDER),
        (Algorithm::ES384, 48, P384_ORDER),
        (Algorithm::ES512, 66, P521_ORDER),
    ] {
        let zero = vec![0; length];
        let one = [vec![0; length - 1], vec![1]].concat();
        let order = bytes(order);
        assert_eq!(order.len(), length);
        let good = Private::of(algorithm.key_type()).sign(algorithm, b"another message");
        let (r, s) = good.split_at(length);
        let signatures = [
            [zero.as_slice(), &zero].concat(),
            [zero.as_slice(), s].concat(),
            [r, zero.as_slice()].concat(),
            [zero.as_slice(), &one].concat(),
            [one.as_slice(), &zero].concat(),
            [one.as_slice(), &one].concat(),
            [order.as_slice(), &order].concat(),
            [order.as_slice(), s].concat(),
            [r, order.as_slice()].concat(),
            [order.as_slice(), &zero].concat(),
            vec![0xff; 2 * length],
            vec![0; 2 * length - 1],
            vec![0; 2 * length + 1],
            vec![0x30, 6, 2, 1, 0, 2, 1, 0],
            vec![],
            good,
        ];
        let signed = format!("{}.{}", encode(header(algorithm).to_string()), encode(claims().to_string()));
        for signature in signatures {
            let token = format!("{signed}.{}", encode(&signature));
            let refused = verify_with(&token, &rules(), &key(algorithm));
            assert_eq!(refused, Err(TokenError::SignatureInvalid), "{algorithm} {signature:x?}");
        }
    }
}

#[test]
fn attack_07_a_good_signature_of_another_length_or_form_is_refused() {
    for algorithm in Algorithm::ALL {
        let good = token(algorithm, &header(algorithm), &claims());
        let (signed, _) = good.rsplit_once('.').unwrap();
        let signature = Private::of(algorithm.key_type()).sign(algorithm, signed.as_bytes());
        let half = signature.len() / 2;
        let forms = [
            signature[1..].to_vec(),
            signature[..signature.len() - 1].to_vec(),
            [&[0], signature.as_slice()].concat(),
            [signature.as_slice(), &[0]].concat(),
            [signature.as_slice(), &signature].concat(),
            [&[0], &signature[..half], &[0], &signature[half..]].concat(),
        ];
        assert_eq!(
            verify_with(&format!("{signed}.{}", encode(&signature)), &rules(), &key(algorithm)),
            Ok(())
        );
        for form in forms {
            let refused = verify_with(&format!("{signed}.{}", encode(&form)), &rules(), &key(algorithm));
            assert_eq!(refused, Err(TokenError::SignatureInvalid), "{algorithm}");
        }
    }
}

#[test]
fn attack_12_what_amplifies_in_a_parser_is_refused_cheaply() {
    const MILLION: usize = 1_000_000;
    assert_eq!(verify(&".".repeat(MILLION)), Err(TokenError::TooLarge));
    let unbounded = |token: &str| Unverified::parse(token, usize::MAX).map(|_| ());
    assert!(matches!(unbounded(&".".repeat(MILLION)), Err(TokenError::Malformed(_))));
    assert!(matches!(unbounded(&"a".repeat(MILLION)), Err(TokenError::Malformed(_))));

    for open in ["[", "{\"a\":", "[{\"a\":"] {
        let nested = open.repeat(MILLION);
        let in_the_header = format!("{}.{}.{}", encode(&nested), encode("{}"), encode([0; 64]));
        assert!(matches!(unbounded(&in_the_header), Err(TokenError::Malformed(_))));
        let short = &nested[..2000];
        let in_the_header = format!("{}.{}.{}", encode(short), encode("{}"), encode([0; 64]));
        assert!(matches!(unbounded(&in_the_header), Err(TokenError::Malformed(_))));

        let mut wide = rules();
        wide.max_token_bytes = usize::MAX;
        let in_the_payload =
            token_of(Algorithm::ES256, &header(Algorithm::ES256).to_string(), nested.as_bytes());
        let refused = verify_with(&in_the_payload, &wide, &key(Algorithm::ES256));
        assert!(matches!(refused, Err(TokenError::ClaimsMalformed(_))));
        assert!(JwkSet::parse(&nested.as_bytes()[..JwkSet::MAX_BYTES]).is_err());
    }
}

#[test]
fn attack_14_crit_is_refused_whatever_it_says() {
    let values = [
        json!(["exp"]),
        json!(["b64"]),
        json!(["http://example.com/UNDEFINED"]),
        json!([]),
        json!(null),
        json!("exp"),
        json!({}),
    ];
    for value in values {
        let header = with(with(header(Algorithm::ES256), "crit", value), "exp", json!(1)).to_string();
        assert_eq!(headed(&header, &rules()), Err(TokenError::HeaderRefused("crit")), "{header}");
    }
    let unencoded = with(header(Algorithm::ES256), "b64", json!(false)).to_string();
    assert_eq!(headed(&unencoded, &rules()), Err(TokenError::HeaderRefused("b64")));
}

#[test]
fn members_of_an_encrypted_token_are_refused_in_a_signed_one() {
    for name in ["zip", "enc", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c"] {
        for value in [json!("DEF"), json!({}), json!(1_000_000_000), Value::Null] {
            let header = with(header(Algorithm::ES256), name, value).to_string();
            assert_eq!(headed(&header, &rules()), Err(TokenError::HeaderRefused(name)), "{header}");
        }
    }
}

#[test]
fn attack_16_duplicate_members_are_refused() {
    let headers = [
        r#"{"alg":"ES256","alg":"ES256","typ":"at+jwt","kid":"orders.sig.1"}"#,
        r#"{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"orders.sig.1"}"#,
        r#"{"alg":"ES256","typ":"at+jwt","kid":"orders.sig.1","\u0061lg":"none"}"#,
        r#"{"alg":"ES256","typ":"at+jwt","kid":"orders.sig.1","kid":"orders.sig.2"}"#,
        r#"{"alg":"ES256","typ":"at+jwt","kid":"orders.sig.1","x":{"a":1,"a":2}}"#,
        r#"{"alg":"ES256","typ":"at+jwt","kid":"orders.sig.1","x":[{"":1,"":2}]}"#,
    ];
    for header in headers {
        assert!(matches!(headed(header, &rules()), Err(TokenError::Malformed(_))), "{header}");
    }
    let good = claims().to_string();
    let again = [
        r#""exp":1800000290"#,
        r#""exp":9999999999"#,
        r#""aud":"https://api.example.com""#,
        r#""\u0073ub":"eve""#,
        r#""nested":{"role":"user","role":"admin"}"#,
        r#""nested":[[{"a":{"b":1,"\u0062":2}}]]"#,
    ];
    for member in again {
        let payload = good.replacen('{', &format!("{{{member},"), 1);
        let token = token_of(Algorithm::ES256, &header(Algorithm::ES256).to_string(), payload.as_bytes());
        assert!(matches!(verify(&token), Err(TokenError::ClaimsMalformed(_))), "{payload}");
    }
    // The same name in two objects is no duplicate, and neither is another case.
    let payload = good.replacen('{', r#"{"Sub":"x","a":{"sub":1},"b":{"sub":2},"#, 1);
    assert_eq!(
        verify(&token_of(Algorithm::ES256, &header(Algorithm::ES256).to_string(), payload.as_bytes())),
        Ok(())
    );
}

#[test]
fn a_kid_may_be_written_with_escapes_and_is_compared_as_what_it_means() {
    let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"\u006f{}"}}"#, &KID[1..]);
    assert_eq!(headed(&header, &rules()), Ok(()));
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

// The order of each curve's base point (SP 800-186 section 3.2.1).
const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const P384_ORDER: &str =
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973";
const P521_ORDER: &str = "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409";
