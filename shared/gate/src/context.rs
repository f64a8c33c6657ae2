//! What the backend is told: verified claims as flat strings that are safe in a header and in a gateway's context.

use std::borrow::Cow;

use drawbridge_verify::{Verified, json::Value};
use percent_encoding::{AsciiSet, CONTROLS, percent_encode_byte, utf8_percent_encode};

use crate::Reason;

/// The most that a backend is told, names and values together, in bytes. API Gateway bounds all headers of a request to
/// 10 240 bytes and the result of a WebSocket authorizer to 8 KB.
pub(crate) const MAX_BYTES: usize = 4096;

/// The prefix of every header that tells a backend about its caller.
pub(crate) const HEADER_PREFIX: &str = "x-drawbridge-";

/// The claims that `names` names and the token has, in that order.
///
/// # Errors
/// `ContextTooLarge`.
pub(crate) fn context(claims: &Verified<'_>, names: &[String]) -> Result<Vec<(String, String)>, Reason> {
    let mut budget = MAX_BYTES;
    let mut context = Vec::with_capacity(names.len());
    for name in names {
        let Some(value) = claims.claim(name) else { continue };
        let value = flat(value);
        budget = budget.checked_sub(name.len() + value.len()).ok_or(Reason::ContextTooLarge)?;
        context.push((name.clone(), value));
    }
    Ok(context)
}

/// `x-drawbridge-<claim>` with `_` as `-`.
pub(crate) fn header_name(claim: &str) -> String {
    format!("{HEADER_PREFIX}{}", claim.replace('_', "-"))
}

/// The headers about the caller that every gateway sets or drops by their exact names: what the backend is told, and what the bridge
/// tells an edge, which may pass it on.
pub(crate) fn replaced(names: &[String]) -> Vec<String> {
    let bridges = ["backend", "target", "txn", "request_id"];
    let mut replaced: Vec<_> = names.iter().map(String::as_str).chain(bridges).map(header_name).collect();
    replaced.sort();
    replaced.dedup();
    replaced
}

/// What is not visible ASCII, and `%`.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// A string as it is, anything else as compact JSON, percent-encoded to visible ASCII and single inner spaces.
fn flat(value: &Value<'_>) -> String {
    match value {
        Value::String(text) => encode(Cow::Borrowed(text)),
        // What was parsed can be written.
        other => encode(Cow::Owned(serde_json::to_string(other).unwrap_or_default())),
    }
}

fn encode(text: Cow<'_, str>) -> String {
    if is_plain(text.as_bytes()) {
        return text.into_owned();
    }
    let encoded = utf8_percent_encode(&text, ENCODED).to_string();
    let outer = encoded.starts_with(' ') || encoded.ends_with(' ') || encoded.contains("  ");
    // A header's outer white space is dropped on the way, and a run of it may be folded.
    if outer { encoded.replace(' ', percent_encode_byte(b' ')) } else { encoded }
}

/// Whether a text is the same when it is encoded, as nearly every one is: visible ASCII but `%`, which is looked at many bytes at a
/// time.
fn is_plain(text: &[u8]) -> bool {
    text.iter().fold(true, |plain, byte| plain & (matches!(byte, 0x21..=0x7e) & (*byte != b'%')))
}

#[cfg(test)]
mod tests {
    use drawbridge_verify::json::Bounds;
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_flat_and_visible() {
        let table = [
            (r#""alice""#, "alice"),
            (r#""""#, ""),
            (r#""a b""#, "a b"),
            (r#"" a""#, "%20a"),
            (r#""a  b""#, "a%20%20b"),
            (r#""100 %""#, "100 %25"),
            (r#""a\r\nX-Admin: 1""#, "a%0D%0AX-Admin: 1"),
            (r#""Zoë\u0000""#, "Zo%C3%AB%00"),
            (r#"["sales","é"]"#, r#"["sales","%C3%A9"]"#),
            (r#"{"a":{"b":[1,true,null]}}"#, r#"{"a":{"b":[1,true,null]}}"#),
            ("42", "42"),
            ("false", "false"),
            ("null", "null"),
        ];
        for (json, expected) in table {
            let value = Value::parse(json.as_bytes(), Bounds { depth: 8, values: 64 }).unwrap();
            assert_eq!(flat(&value), expected, "{json}");
        }
    }

    proptest! {
        #[test]
        fn an_encoded_value_decodes_to_what_it_was_and_survives_a_header(text in any::<String>()) {
            let encoded = encode(Cow::Borrowed(&text));
            prop_assert!(encoded.bytes().all(|byte| matches!(byte, 0x20..=0x7e)));
            prop_assert_eq!(encoded.trim(), encoded.as_str());
            prop_assert_eq!(percent_decode_str(&encoded).decode_utf8().unwrap(), text);
        }
    }
}
