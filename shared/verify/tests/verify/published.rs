//! The examples of the RFCs that are refused: symmetric algorithms, no algorithm, algorithms that are not done here, and tokens that
//! are not compact. Those that are accepted stand beside the code that they are tried on, without the rules that they do not keep.

use drawbridge_verify::{TokenError, Unverified, jwe::Jwe};
use serde_json::{Value, json};

use crate::{
    jwe::{header_of, with_segment},
    make::with,
};

const BYTES: usize = 64 * 1024;

/// Example, what is said of it as a signed token, and as an encrypted one.
const REFUSED: [(&str, TokenError, TokenError); 27] = {
    use TokenError::{
        AlgorithmNotAllowed, Encrypted, HeaderRefused, KidMalformed, KidMissing, Malformed, TypeNotAllowed,
    };
    const NOT_THREE: TokenError = Malformed("not three segments");
    const NOT_FIVE: TokenError = Malformed("not five segments");
    [
        ("RFC 7515 A.1", AlgorithmNotAllowed, NOT_FIVE),
        ("RFC 7515 A.5", AlgorithmNotAllowed, NOT_FIVE),
        ("RFC 7515 A.6", NOT_THREE, NOT_FIVE),
        ("RFC 7515 A.7", NOT_THREE, NOT_FIVE),
        ("RFC 7516 A.2", Encrypted, KidMissing),
        ("RFC 7516 A.3", Encrypted, KidMissing),
        ("RFC 7516 A.4", NOT_THREE, NOT_FIVE),
        ("RFC 7516 A.5", NOT_THREE, NOT_FIVE),
        ("RFC 7519 3.1", AlgorithmNotAllowed, NOT_FIVE),
        ("RFC 7519 6.1", AlgorithmNotAllowed, NOT_FIVE),
        ("RFC 7519 A.1", Encrypted, KidMissing),
        ("RFC 7519 A.2", Encrypted, KidMissing),
        ("RFC 7520 4.4", AlgorithmNotAllowed, NOT_FIVE),
        ("RFC 7520 4.5", AlgorithmNotAllowed, NOT_FIVE),
        ("RFC 7520 4.6", NOT_THREE, NOT_FIVE),
        ("RFC 7520 4.7", NOT_THREE, NOT_FIVE),
        ("RFC 7520 4.8", NOT_THREE, Malformed("a segment is not base64url")),
        ("RFC 7520 5.1", Encrypted, KidMalformed),
        ("RFC 7520 5.3", Encrypted, HeaderRefused("p2s")),
        ("RFC 7520 5.6", Encrypted, TypeNotAllowed),
        ("RFC 7520 5.7", Encrypted, HeaderRefused("tag")),
        ("RFC 7520 5.8", Encrypted, TypeNotAllowed),
        ("RFC 7520 5.9", Encrypted, HeaderRefused("zip")),
        ("RFC 7520 5.10", NOT_THREE, NOT_FIVE),
        ("RFC 7520 5.11", NOT_THREE, NOT_FIVE),
        ("RFC 7520 5.12", NOT_THREE, NOT_FIVE),
        ("RFC 7520 5.13", NOT_THREE, Malformed("a segment is not base64url")),
    ]
};

#[test]
fn the_examples_of_rfc_7515_7516_7519_and_7520_that_are_not_for_us_are_refused_for_what_they_are() {
    let examples: Vec<Value> = serde_json::from_str(include_str!("refused.json")).unwrap();
    assert_eq!(examples.len(), REFUSED.len());
    for (example, (name, as_signed, as_encrypted)) in examples.iter().zip(REFUSED) {
        assert_eq!(example["example"], name);
        let token = example["token"].as_str().unwrap();
        assert_eq!(Unverified::parse(token, BYTES).map(|_| ()), Err(as_signed), "{name}");
        assert_eq!(Jwe::parse(token, BYTES).map(|_| ()), Err(as_encrypted), "{name}");
    }
}

#[test]
fn with_a_kid_and_a_type_of_ours_the_algorithm_of_an_encrypted_example_is_what_is_refused() {
    let examples: Vec<Value> = serde_json::from_str(include_str!("refused.json")).unwrap();
    let mut tried = 0;
    for example in &examples {
        let (name, token) = (&example["example"], example["token"].as_str().unwrap());
        if token.starts_with('{') || token.split('.').count() != 5 {
            continue;
        }
        let refused_member = |name: &str| ["p2s", "p2c", "iv", "tag", "zip"].contains(&name);
        let mut header = header_of(token);
        header.as_object_mut().unwrap().retain(|name, _| !refused_member(name));
        let header = with(with(header, "kid", json!("billing.enc.1")), "cty", json!("JWT"));
        let token = with_segment(token, 0, header.to_string());
        assert_eq!(Jwe::parse(&token, BYTES).map(|_| ()), Err(TokenError::AlgorithmNotAllowed), "{name}");
        tried += 1;
    }
    assert_eq!(tried, 10);
}
