use std::borrow::Cow;

use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode;

/// The consumer's certificate, in the one header in which the gateway writes it over whatever the client sent under that name. Two
/// of them are none: at most one is the gateway's.
///
/// Gateways write it in one of three ways: base64 of its DER, the same between colons (RFC 9440 section 2.1), or PEM,
/// percent-encoded because a header has one line. What is none of them is for the gate to refuse.
pub(crate) fn of<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Cow<'h, [u8]>> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.as_bytes()).filter(|value| !value.is_empty())?;
    if values.next().is_some() {
        return None;
    }
    Some(match value {
        [b':', sequence @ .., b':'] => Cow::Borrowed(sequence),
        [b'-', ..] => percent_decode(value).into(),
        _ => Cow::Borrowed(value),
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn every_way_to_write_one_certificate_is_read_and_two_are_none() {
        let name = HeaderName::from_static("client-cert");
        let table: [(&[&str], Option<&str>); 9] = [
            (&[":TUlJ+/8=:"], Some("TUlJ+/8=")),
            (&["TUlJ+/8="], Some("TUlJ+/8=")),
            (
                &["-----BEGIN%20C-----%0AAb+/%3D%0A-----END%20C-----%0A"],
                Some("-----BEGIN C-----\nAb+/=\n-----END C-----\n"),
            ),
            (&["::"], Some("")),
            (&[":"], Some(":")),
            (&["a%2Bb"], Some("a%2Bb")),
            (&[""], None),
            (&["a", "a"], None),
            (&[], None),
        ];
        for (values, expected) in table {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(&name, HeaderValue::from_static(value));
            }
            let certificate = of(&headers, &name);
            assert_eq!(certificate.as_deref(), expected.map(str::as_bytes), "{values:?}");
        }
    }
}
