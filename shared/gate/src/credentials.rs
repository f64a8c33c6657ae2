//! What can be said of a request before its token is read: hygiene, and where the token is.

use std::borrow::Cow;

use drawbridge_policy::Path;
use percent_encoding::percent_decode;

use crate::{
    Headers, Reason,
    refusal::Refusal,
    request::{is_identity_header, same_header},
};

/// Refuses a request that asks to be taken for another one, and reads its path.
///
/// Headers about the caller are for gateways to write. One that gateways do not replace by its exact name would reach the backend
/// where a gateway cannot drop headers by their prefix, as those of the clouds cannot (the class of CVE-2025-64484).
///
/// # Errors
/// `MethodOverride` (the class of CVE-2023-30845), `IdentityHeader`, `PathRefused`.
pub(crate) fn hygiene<'a>(
    target: &'a str,
    headers: &Headers<'_>,
    replaced: &[String],
) -> Result<Path<'a>, Refusal> {
    // All of either kind begin with an `x`, as few of a request do.
    let named = || headers.iter().map(|(name, _)| name).filter(|name| name.starts_with(['x', 'X']));
    if named().any(|name| METHOD_OVERRIDES.iter().any(|refused| same_header(name, refused))) {
        return Err(Reason::MethodOverride.into());
    }
    let kept =
        |name: &str| is_identity_header(name) && !replaced.iter().any(|safe| safe.eq_ignore_ascii_case(name));
    if named().any(kept) {
        return Err(Reason::IdentityHeader.into());
    }
    Ok(Path::parse(target)?)
}

/// The bearer token of a request, from the one place where it may stand (RFC 6750 section 2.1).
///
/// # Errors
/// `CredentialsAmbiguous` where there is more than one, or one in the query, whose value is never read; `CredentialsMissing`,
/// `CredentialsScheme`, `TokenMalformed`.
pub(crate) fn bearer<'a>(target: &str, headers: &Headers<'a>) -> Result<&'a str, Reason> {
    if has_token(target) {
        return Err(Reason::CredentialsAmbiguous);
    }
    let mut values = headers.all("authorization");
    let value = values.next().ok_or(Reason::CredentialsMissing)?;
    if values.next().is_some() {
        return Err(Reason::CredentialsAmbiguous);
    }
    // A gateway that joins repeated headers, as those of HTTP APIs do, writes a comma between them, and no token has one.
    if value.contains(&b',') {
        return Err(Reason::CredentialsAmbiguous);
    }
    if value.is_empty() {
        return Err(Reason::CredentialsMissing);
    }
    let value = std::str::from_utf8(value).map_err(|_| Reason::CredentialsScheme)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Reason::CredentialsScheme);
    }
    if is_b64token(token) { Ok(token) } else { Err(Reason::TokenMalformed) }
}

/// Headers that frameworks take a request's method from. `_` counts as `-`: CGI and its descendants do not tell them apart.
pub(crate) const METHOD_OVERRIDES: [&str; 3] =
    ["x-http-method-override", "x-http-method", "x-method-override"];

/// Whether the query has an `access_token` (RFC 6750 section 2.3), however its name is encoded.
fn has_token(target: &str) -> bool {
    let Some((_, query)) = target.split_once('?') else { return false };
    query.split(['&', ';', '?']).any(|pair| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        let name: Cow<'_, [u8]> = percent_decode(name.as_bytes()).into();
        name.trim_ascii().eq_ignore_ascii_case(b"access_token")
    })
}

/// `b64token` of RFC 6750 section 2.1.
fn is_b64token(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    // To the end in any case: a loop without a way out is done many bytes at a time, and nearly every token is good.
    !body.is_empty() && body.bytes().fold(true, |holds, byte| holds & is_b64(byte))
}

/// In as few comparisons as will do: `-`, `.` and `/` stand just before the digits.
fn is_b64(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'-'..=b'9' | b'_' | b'~' | b'+')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::HEADER_PREFIX;

    fn headers<'a>(headers: &[(&'a str, &'a [u8])]) -> Headers<'a> {
        headers.iter().copied().collect()
    }

    #[test]
    fn the_characters_of_a_token_are_those_of_rfc_6750() {
        let grammar = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/";
        for byte in 0..=u8::MAX {
            assert_eq!(is_b64(byte), grammar.bytes().any(|of| of == byte), "{byte:#x}");
        }
    }

    #[test]
    fn a_token_stands_in_one_authorization_header_and_nowhere_else() {
        let table: [(&[&[u8]], _); 30] = [
            (&[b"Bearer a.b.c"], Ok("a.b.c")),
            (&[b"bearer a.b.c"], Ok("a.b.c")),
            (&[b"BEARER aA0-._~+/=="], Ok("aA0-._~+/==")),
            (&[], Err(Reason::CredentialsMissing)),
            (&[b""], Err(Reason::CredentialsMissing)),
            (&[b"", b""], Err(Reason::CredentialsAmbiguous)),
            (&[b"Bearer a", b"Bearer a"], Err(Reason::CredentialsAmbiguous)),
            (&[b"Bearer a", b"Basic b"], Err(Reason::CredentialsAmbiguous)),
            (&[b"Bearer a, Bearer b"], Err(Reason::CredentialsAmbiguous)),
            (&[b"Bearer a,b"], Err(Reason::CredentialsAmbiguous)),
            (&[b"Basic a,Bearer b"], Err(Reason::CredentialsAmbiguous)),
            (&[b",Bearer b"], Err(Reason::CredentialsAmbiguous)),
            (&[b"\xff,Bearer b"], Err(Reason::CredentialsAmbiguous)),
            (&[b"Basic YTpi"], Err(Reason::CredentialsScheme)),
            (&[b"DPoP a.b.c"], Err(Reason::CredentialsScheme)),
            (&[b"a.b.c"], Err(Reason::CredentialsScheme)),
            (&[b" Bearer a"], Err(Reason::CredentialsScheme)),
            (&[b"Bearer\ta"], Err(Reason::CredentialsScheme)),
            (&[b"Bearer:a"], Err(Reason::CredentialsScheme)),
            (&[b"\xff\xfe"], Err(Reason::CredentialsScheme)),
            (&["Bearer\u{a0}a".as_bytes()], Err(Reason::CredentialsScheme)),
            (&[b"Bearer"], Err(Reason::TokenMalformed)),
            (&[b"Bearer "], Err(Reason::TokenMalformed)),
            (&[b"Bearer  a"], Err(Reason::TokenMalformed)),
            (&[b"Bearer a "], Err(Reason::TokenMalformed)),
            (&[b"Bearer a b"], Err(Reason::TokenMalformed)),
            (&[b"Bearer =="], Err(Reason::TokenMalformed)),
            (&[b"Bearer a=b"], Err(Reason::TokenMalformed)),
            (&[b"Bearer \"a\""], Err(Reason::TokenMalformed)),
            (&["Bearer \u{e9}".as_bytes()], Err(Reason::TokenMalformed)),
        ];
        for (values, expected) in table {
            let headers: Headers<'_> = values.iter().map(|value| ("AuThOrIzAtIoN", *value)).collect();
            assert_eq!(bearer("/", &headers), expected, "{values:?}");
        }
    }

    #[test]
    fn a_token_in_the_query_is_refused_with_or_without_a_header() {
        let targets = [
            "/?access_token=a",
            "/?x=1&access_token=a",
            "/?access_token",
            "/?x=1;access_token=a",
            "/?access%5Ftoken=a",
            "/?%61ccess_token=a",
            "/?ACCESS_TOKEN=a",
            "/??access_token=a",
            "/?access_token%20=a",
        ];
        for target in targets {
            for headers in [headers(&[]), headers(&[("authorization", b"Bearer a")])] {
                assert_eq!(bearer(target, &headers), Err(Reason::CredentialsAmbiguous), "{target}");
            }
        }
        for target in ["/access_token", "/?q=access_token", "/?my_access_token=a", "/?", "/?&&=&"] {
            assert_eq!(bearer(target, &headers(&[("authorization", b"Bearer a")])), Ok("a"), "{target}");
        }
    }

    #[test]
    fn attack_23_a_method_override_header_is_refused() {
        for name in [
            "X-HTTP-Method-Override",
            "x-http-method",
            "X-METHOD-OVERRIDE",
            "X_HTTP_Method_Override",
            "x-http_method-override",
        ] {
            let refused = hygiene("/", &headers(&[("accept", b"*/*"), (name, b"")]), &[]);
            assert_eq!(refused.map(|_| ()), Err(Reason::MethodOverride.into()), "{name}");
        }
        assert!(hygiene("/", &headers(&[("x-http-methods", b"GET")]), &[]).is_ok());
        assert!(METHOD_OVERRIDES.iter().chain(&[HEADER_PREFIX]).all(|name| name.starts_with('x')));
    }

    #[test]
    fn a_path_that_could_be_read_twice_is_refused() {
        assert_eq!(hygiene("/a//b", &headers(&[]), &[]).unwrap_err().reason, Reason::PathRefused);
    }
}
