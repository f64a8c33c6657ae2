//! Tokens in an envelope: which are opened, by what, and what is said of the others.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod support;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_gate::{Check, Decision, Reason};
use drawbridge_verify::jwe::ContentEncryption;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{CONFIG, Case, House, Signs, sealed};

const GCM: ContentEncryption = ContentEncryption::A256Gcm;

fn house(encryption: &str) -> House {
    House::with_config(&CONFIG.replace("encryption: required", &format!("encryption: {encryption}")))
}

/// A token for `vault`, signed and not encrypted.
fn plain() -> Case {
    Case::of("vault", Signs::Vault)
}

fn nested(text: &str) -> String {
    sealed("vault.enc.1", GCM, text)
}

/// The token with other bytes in one of its segments.
fn changed(token: &str, segment: usize, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut segments: Vec<_> = token.split('.').map(str::to_owned).collect();
    let mut bytes = URL_SAFE_NO_PAD.decode(&segments[segment]).unwrap();
    change(&mut bytes);
    segments[segment] = URL_SAFE_NO_PAD.encode(bytes);
    segments.join(".")
}

/// The token with another header.
fn headed(token: &str, change: impl FnOnce(&mut Value)) -> String {
    changed(token, 0, |bytes| {
        let mut header = serde_json::from_slice(bytes).unwrap();
        change(&mut header);
        *bytes = header.to_string().into_bytes();
    })
}

fn with(token: &str, name: &str, value: Value) -> String {
    headed(token, |header| header[name] = value)
}

#[test]
fn a_gate_takes_the_tokens_that_it_is_configured_for() {
    use Reason::{Allowed, TokenDecryptionFailed, TokenEncryptionRefused, TokenEncryptionRequired};
    let token = plain().token();
    let good = nested(&token);
    let broken = changed(&good, 4, |tag| tag[0] ^= 1);
    for (encryption, of_plain, of_nested, of_broken) in [
        ("refused", Allowed, TokenEncryptionRefused, TokenEncryptionRefused),
        ("accepted", Allowed, Allowed, TokenDecryptionFailed),
        ("required", TokenEncryptionRequired, Allowed, TokenDecryptionFailed),
    ] {
        let house = house(encryption);
        for (text, expected) in [(&token, of_plain), (&good, of_nested), (&broken, of_broken)] {
            assert_eq!(house.reason(&plain().text(text)), expected, "{encryption}");
        }
    }
}

#[test]
fn a_nested_token_owes_everything_that_a_plain_one_does() {
    let (plainly, envelopes) = (house("refused"), house("required"));
    for case in [
        plain(),
        plain().signed_by(Signs::Stranger),
        plain().claim("aud", "orders"),
        plain().claim("exp", 1),
        plain().without("jti"),
        plain().header("alg", "none"),
        plain().header("typ", "at+jwt"),
        plain().header("jwk", json!({})),
        plain().header("kid", "orders.sig.1"),
        plain().header("kid", "vault.sig.9"),
        plain().claim("scope", ""),
        plain().to("POST", "/secrets/1"),
        plain().claim("cnf", json!({ "jkt": "a" })),
    ] {
        let expected = plainly.decide(&case);
        let text = nested(&case.token());
        let decision = envelopes.decide(&case.clone().text(text));
        assert_eq!(decision.reason(), expected.reason(), "{:?} {:?}", case.header, case.claims);
        if let (Decision::Allow(one), Decision::Allow(other)) = (&decision, &expected) {
            assert_eq!((&one.kid, &one.principal), (&other.kid, &other.principal));
        }
    }
}

#[test]
fn every_content_encryption_is_opened() {
    let house = house("required");
    for encryption in ContentEncryption::ALL {
        let token = sealed("vault.enc.1", encryption, &plain().token());
        assert_eq!(house.reason(&plain().text(token)), Reason::Allowed, "{encryption}");
    }
}

#[test]
fn a_kid_of_another_backend_or_use_reaches_no_store() {
    let house = house("required");
    let token = plain().token();
    for kid in ["orders.enc.1", "vault.sig.1", "vault.enc", "vault.enc.1.1", "1", "Vault.enc.1"] {
        let text = sealed(kid, GCM, &token);
        assert_eq!(house.reason(&plain().text(text)), Reason::KeyForeign, "{kid}");
    }
    for (kid, expected) in [
        (json!("../vault.enc.1"), Reason::TokenKidMalformed),
        (json!("vault.enc.1\r\nx: y"), Reason::TokenKidMalformed),
        (json!(1), Reason::TokenMalformed),
        (json!("k".repeat(129)), Reason::TokenKidMalformed),
    ] {
        assert_eq!(house.reason(&plain().text(with(&nested(&token), "kid", kid.clone()))), expected, "{kid}");
    }
    assert_eq!(house.shelf.asked(), 0);
}

#[test]
fn a_key_that_is_not_there_or_cannot_be_had_says_so_on_record() {
    let house = house("accepted");
    for (kid, expected) in [
        ("vault.enc.2", Reason::KeyUnknown),
        ("vault.enc.down", Reason::KeyUnavailable),
        ("vault.enc.odd", Reason::KeyUnusable),
    ] {
        let text = sealed(kid, GCM, &plain().token());
        assert_eq!(house.reason(&plain().text(text)), expected, "{kid}");
    }
    let lines = house.lines.read();
    assert!(lines.iter().all(|line| line["status_detail"].as_str().unwrap().starts_with("the encryption: ")));
    assert!(!house.lines.text().contains("vault.enc."), "what nobody authenticated is not on record");
}

#[test]
fn the_private_key_is_read_once_for_many_tokens() {
    let house = house("required");
    let gate = house.gate("vault");
    let asked = || {
        let case = plain().text(nested(&plain().token()));
        assert_eq!(case.decide(&gate).reason(), Reason::Allowed);
        house.shelf.asked()
    };
    let first = asked();
    assert_eq!([asked(), asked(), asked()], [first; 3]);
}

#[test]
fn from_the_encrypted_key_on_there_is_one_reason_and_one_detail() {
    let house = house("required");
    let good = nested(&plain().token());
    let cbc = sealed("vault.enc.1", ContentEncryption::A128CbcHs256, &plain().token());
    let not_text = |token: &str| {
        // Bytes that are no text cannot be encrypted with the bridge's key: the tag is wrong instead.
        changed(token, 3, |content| content.reverse())
    };
    for (what, token) in [
        ("the key changed", changed(&good, 1, |key| key[0] ^= 1)),
        ("the key shorter", changed(&good, 1, |key| key.truncate(24))),
        ("the key longer", changed(&good, 1, |key| key.extend([0; 8]))),
        ("the iv changed", changed(&good, 2, |iv| iv[0] ^= 1)),
        ("the iv shorter", changed(&good, 2, |iv| iv.truncate(8))),
        ("no iv", changed(&good, 2, Vec::clear)),
        ("the content changed", changed(&good, 3, |content| content[0] ^= 1)),
        ("no content", changed(&good, 3, Vec::clear)),
        ("other content", not_text(&good)),
        ("the tag changed", changed(&good, 4, |tag| tag[15] ^= 1)),
        ("the tag shorter", changed(&good, 4, |tag| tag.truncate(15))),
        ("the tag longer", changed(&good, 4, |tag| tag.push(0))),
        ("no tag", changed(&good, 4, Vec::clear)),
        ("a header that the tag does not cover", with(&good, "x", json!(1))),
        ("another content encryption", with(&good, "enc", json!("A128GCM"))),
        ("padding: the content changed", changed(&cbc, 3, |content| *content.last_mut().unwrap() ^= 1)),
        ("padding: the content shorter", changed(&cbc, 3, |content| content.truncate(content.len() - 16))),
        ("padding: half a block", changed(&cbc, 3, |content| content.truncate(content.len() - 8))),
        ("padding: the tag changed", changed(&cbc, 4, |tag| tag[0] ^= 1)),
    ] {
        assert_eq!(house.reason(&plain().text(token)), Reason::TokenDecryptionFailed, "{what}");
    }
    let lines = house.lines.read();
    assert!(
        lines.iter().all(|line| line["status_detail"] == lines[0]["status_detail"]),
        "{}",
        house.lines.text()
    );
}

#[test]
fn attack_09_a_point_off_the_curve_opens_nothing() {
    let house = house("required");
    let good = nested(&plain().token());
    let point = |x: &[u8], y: &[u8]| json!({"kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)});
    // A point of P-384 (RFC 7520 section 5.4).
    let p384 = json!({
        "kty": "EC", "crv": "P-384",
        "x": "uBo4kHPw6kbjx5l0xowrd_oYzBmaz-GKFZu4xAFFkbYiWgutEK6iuEDsQ6wNdNg3",
        "y": "sp3p5SGhZVC2faXumI-e9JU2Mo8KpoYrFDr5yPNVtW4PgEwZOyQTA-JdaY8tb7E0",
    });
    let low = json!({"kty": "OKP", "crv": "X25519", "x": URL_SAFE_NO_PAD.encode([0; 32])});
    for (what, epk, expected) in [
        ("off the curve", point(&[1; 32], &[2; 32]), Reason::TokenDecryptionFailed),
        ("the identity", point(&[0; 32], &[0; 32]), Reason::TokenDecryptionFailed),
        ("beyond the field", point(&[255; 32], &[255; 32]), Reason::TokenDecryptionFailed),
        ("another curve", p384, Reason::TokenDecryptionFailed),
        ("a point of low order", low, Reason::TokenDecryptionFailed),
        ("a short coordinate", point(&[1; 31], &[2; 32]), Reason::TokenMalformed),
        ("no point", json!({}), Reason::TokenMalformed),
        ("a private key", json!({"kty": "EC", "crv": "P-256", "d": "AA"}), Reason::TokenMalformed),
        ("text", json!("epk"), Reason::TokenMalformed),
    ] {
        assert_eq!(house.reason(&plain().text(with(&good, "epk", epk))), expected, "{what}");
    }
}

#[test]
fn attack_10_an_algorithm_that_is_not_the_keys_is_refused_and_a_password_before_any_work() {
    let house = house("required");
    let good = nested(&plain().token());
    for algorithm in
        ["PBES2-HS256+A128KW", "PBES2-HS512+A256KW", "RSA1_5", "dir", "A256KW", "none", "ES256", ""]
    {
        let token = with(&with(&good, "alg", json!(algorithm)), "x", json!(1));
        assert_eq!(house.reason(&plain().text(token)), Reason::TokenAlgNotAllowed, "{algorithm}");
    }
    for encryption in ["A192GCM", "none", "A256KW", "a256gcm"] {
        let token = with(&good, "enc", json!(encryption));
        assert_eq!(house.reason(&plain().text(token)), Reason::TokenAlgNotAllowed, "{encryption}");
    }
    let token = with(&good, "p2c", json!(2_000_000_000));
    assert_eq!(house.reason(&plain().text(token)), Reason::TokenHeaderRefused);
    assert_eq!(house.shelf.asked(), 0);
    // Known, but another than the key's.
    assert_eq!(
        house.reason(&plain().text(with(&good, "alg", json!("ECDH-ES+A128KW")))),
        Reason::TokenAlgNotAllowed
    );
}

#[test]
fn attack_11_compression_is_refused_whatever_it_would_expand_to() {
    let house = house("required");
    let good = nested(&plain().token());
    for zip in [json!("DEF"), json!("GZ"), json!(""), json!(null), json!(1)] {
        assert_eq!(
            house.reason(&plain().text(with(&good, "zip", zip.clone()))),
            Reason::TokenHeaderRefused,
            "{zip}"
        );
    }
    assert_eq!(house.shelf.asked(), 0);
}

#[test]
fn attack_13_what_anybody_can_encrypt_proves_nothing() {
    let house = house("required");
    let case = plain();
    let claims = Value::from(case.claims.clone()).to_string();
    let none = [r#"{"alg":"none","typ":"bridged+jwt","kid":"vault.sig.1"}"#, &claims]
        .map(|part| URL_SAFE_NO_PAD.encode(part));
    let token = case.token();
    for (what, inside, expected) in [
        ("claims alone", claims.clone(), Reason::TokenMalformed),
        ("no signature", format!("{}.{}.", none[0], none[1]), Reason::TokenAlgNotAllowed),
        (
            "a signature of nobody",
            case.clone().signed_by(Signs::Stranger).token(),
            Reason::TokenSignatureInvalid,
        ),
        ("an envelope in an envelope", nested(&token), Reason::TokenEncryptionRefused),
        ("nothing", String::new(), Reason::TokenMalformed),
        ("a token of another backend", Case::of("orders", Signs::Orders).token(), Reason::KeyForeign),
        ("more than a token", format!("{token} "), Reason::TokenMalformed),
    ] {
        assert_eq!(house.reason(&plain().text(nested(&inside))), expected, "{what}");
    }
    for cty in [json!("json"), json!("application/json"), json!(null), json!(""), json!(["JWT"])] {
        assert_ne!(
            house.reason(&plain().text(with(&nested(&token), "cty", cty.clone()))),
            Reason::Allowed,
            "{cty}"
        );
    }
    let without = headed(&nested(&token), |header| drop(header.as_object_mut().unwrap().remove("cty")));
    assert_eq!(house.reason(&plain().text(without)), Reason::TokenTypeNotAllowed);
}

#[test]
fn the_bound_of_a_token_is_that_of_its_envelope() {
    let token = plain().token();
    let good = nested(&token);
    for (bound, expected) in [(good.len(), Reason::Allowed), (good.len() - 1, Reason::TokenTooLarge)] {
        assert!(token.len() < bound);
        let bounded = format!("max_lifetime: 5m\n    max_token_bytes: {bound}");
        let house = House::with_config(&CONFIG.replacen("max_lifetime: 5m", &bounded, 1));
        assert_eq!(house.reason(&plain().text(&good)), expected);
        let asked = house.shelf.asked() > 0;
        assert_eq!(asked, expected == Reason::Allowed, "what is too long costs nothing");
    }
}

#[test]
fn what_an_envelope_failed_is_told_apart_from_what_was_inside() {
    let house = house("accepted");
    let good = nested(&plain().token());
    for (token, check) in [
        (with(&good, "zip", json!("DEF")), Check::Decryption),
        (with(&good, "kid", json!("vault.enc.9")), Check::Decryption),
        (changed(&good, 4, |tag| tag[0] ^= 1), Check::Decryption),
        (nested(&plain().header("jwk", json!({})).token()), Check::Members),
        (nested(&plain().header("kid", "vault.sig.9").token()), Check::KeyKnown),
        (nested("no token"), Check::Form),
    ] {
        let reason = house.reason(&plain().text(token));
        let lines = house.lines.read();
        let detail = lines.last().unwrap()["status_detail"].as_str();
        assert_eq!(Check::failed(reason, detail), Some(check), "{reason} {detail:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_change_to_an_envelope_is_allowed(at in any::<prop::sample::Index>(), to in 0_u8..64) {
        let good = nested(&plain().token());
        let mut bytes = good.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[usize::from(to)];
        let other = String::from_utf8(bytes).unwrap();
        prop_assume!(other != good);
        prop_assert_ne!(house("accepted").reason(&plain().text(other)), Reason::Allowed);
    }
}
