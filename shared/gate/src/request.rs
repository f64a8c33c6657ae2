use std::{borrow::Cow, net::IpAddr};

use uuid::Uuid;

use crate::context::HEADER_PREFIX;

/// One request as a gateway saw it, borrowed from the native event.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The HTTP method, upper case. `GET` for a WebSocket `$connect`.
    pub method: &'a str,
    /// Path and, where there is one, `?query`, as received.
    pub target: &'a str,
    /// The headers.
    pub headers: Headers<'a>,
    /// Who connected to the gateway.
    pub source_ip: Option<IpAddr>,
    /// The one client certificate of the gateway's own TLS layer: PEM, DER, or base64 of DER; at most 32 KiB are looked at. Never
    /// from a header that a client can send.
    pub client_certificate: Option<&'a [u8]>,
    /// The gateway's id of this request, for the audit line. A new one is made when there is none.
    pub request_id: Option<&'a str>,
}

/// Header names (any case) and values, in order, repeats kept.
#[derive(Clone, Debug, Default)]
pub struct Headers<'a>(Vec<(&'a str, &'a [u8])>);

impl<'a> Headers<'a> {
    /// Every value of a header.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [u8]> + 's {
        self.0.iter().filter(move |(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + '_ {
        self.0.iter().copied()
    }
}

impl<'a> FromIterator<(&'a str, &'a [u8])> for Headers<'a> {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a [u8])>>(headers: I) -> Self {
        Self(headers.into_iter().collect())
    }
}

impl<'a> From<&'a http::HeaderMap> for Headers<'a> {
    fn from(headers: &'a http::HeaderMap) -> Self {
        headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
    }
}

/// The id of a request in the audit log: the gateway's where it is `[A-Za-z0-9._:=-]{1,64}`, else a new UUID.
pub fn request_id(given: Option<&str>) -> Cow<'_, str> {
    let safe = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:=-".contains(&byte))
    };
    given.filter(safe).map_or_else(|| Cow::Owned(Uuid::new_v4().to_string()), Cow::Borrowed)
}

/// Whether a header tells a backend about its caller, so that a gateway must drop a client's copy of it.
///
/// Any case; `_` counts as `-`, because CGI and its descendants do not tell them apart (CVE-2025-64484).
pub fn is_identity_header(name: &str) -> bool {
    name.get(..HEADER_PREFIX.len()).is_some_and(|prefix| same_header(prefix, HEADER_PREFIX))
}

/// Whether two header names are the same to any server behind: any case, `_` as `-`. `canonical` has neither.
pub(crate) fn same_header(name: &str, canonical: &str) -> bool {
    name.len() == canonical.len()
        && name
            .bytes()
            .zip(canonical.bytes())
            .all(|(have, want)| have.to_ascii_lowercase() == want || (have == b'_' && want == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateways_request_id_is_kept_where_it_is_safe() {
        let long = "a".repeat(64);
        for safe in ["JKJaXmPLvHcESHA=", "1-67891233-abcdef012345678912345678", "a:b.c-d", &long] {
            assert_eq!(request_id(Some(safe)), safe);
        }
        let longer = "a".repeat(65);
        for unsafe_id in ["", " ", "a b", "a\nb", "\"", "{}", "\u{e9}", &longer, "a/b"] {
            let id = request_id(Some(unsafe_id));
            assert!(Uuid::parse_str(&id).is_ok(), "{unsafe_id:?} became {id}");
        }
        assert_ne!(request_id(None), request_id(None));
    }

    #[test]
    fn attack_22_every_spelling_of_an_identity_header_is_one() {
        for name in [
            "x-drawbridge-sub",
            "X-Drawbridge-Sub",
            "X_DRAWBRIDGE_SUB",
            "x-drawbridge_roles",
            "X-DRAWBRIDGE-",
            "x_drawbridge-x",
            "x-drawbridge-request-id",
        ] {
            assert!(is_identity_header(name), "{name}");
        }
        for name in [
            "",
            "x-drawbridge",
            "x-drawbridges-sub",
            "drawbridge-sub",
            "authorization",
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
        ] {
            assert!(!is_identity_header(name), "{name}");
        }
    }

    #[test]
    fn headers_are_found_in_any_case_and_repeats_are_kept() {
        let headers: Headers<'_> =
            [("Accept", &b"a"[..]), ("accept", b"b"), ("accepts", b"c")].into_iter().collect();
        assert_eq!(headers.all("ACCEPT").collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(headers.iter().count(), 3);
    }
}
