use std::time::Duration;

use crate::{Admitted, Algorithms, TokenError, Unverified, header::Header};

/// What a verifier demands of the tokens of one issuer for one audience. Built from configuration alone.
#[derive(Clone, Debug)]
pub struct Rules {
    /// `iss`, compared byte for byte (RFC 8725 section 3.8).
    pub issuer: String,
    /// `aud` must contain one of these.
    pub audiences: Vec<String>,
    /// Whether `aud` must be that one value alone, as in bridged tokens.
    pub single_audience: bool,
    /// Allowed `alg` values; no default.
    pub algorithms: Algorithms,
    /// Allowed `typ` values, compared as media types (RFC 8725 section 3.11).
    pub types: Vec<MediaType>,
    /// The longest `exp - iat`; `None` for issuers whose lifetime is not ours to bound.
    pub max_lifetime: Option<Duration>,
    /// Tolerated clock difference, for `exp`, `nbf` and `iat`. More than 60 seconds counts as 60.
    pub skew: Duration,
    /// Whether `jti` must be there.
    pub require_jti: bool,
    /// Whether `client_id` must be there (RFC 9068 section 2.2).
    pub require_client_id: bool,
    /// Bound of the whole compact token in bytes.
    pub max_token_bytes: usize,
    /// Named weakenings that the configuration asked for.
    pub relaxed: Vec<Relaxation>,
}

/// A named weakening of a safe default; every decision made under it is logged with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Relaxation {
    /// `accept_untyped_tokens`: the issuer sets no `typ`, or only `JWT`.
    UntypedTokens,
    /// `accept_keys_without_alg`: the issuer's keys name no `alg`; the one configured algorithm of the key type is taken.
    KeysWithoutAlg,
    /// `allow_http_on_loopback`: keys are fetched over plain HTTP from this machine.
    HttpOnLoopback,
}

impl Relaxation {
    /// The name in the configuration and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UntypedTokens => "accept_untyped_tokens",
            Self::KeysWithoutAlg => "accept_keys_without_alg",
            Self::HttpOnLoopback => "allow_http_on_loopback",
        }
    }
}

/// A `typ` value as a media type: lower case, with `application/` in front where the text has no slash (RFC 7515 section 4.1.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType(String);

impl MediaType {
    /// Normalises `text`.
    pub fn new(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        Self(if text.contains('/') { text } else { format!("application/{text}") })
    }

    /// Whether a token's `typ` names this type.
    pub fn matches(&self, typ: &str) -> bool {
        let full =
            if typ.contains('/') { Some(self.0.as_str()) } else { self.0.strip_prefix("application/") };
        full.is_some_and(|name| name.eq_ignore_ascii_case(typ))
    }

    /// The short form that a token carries: without `application/`.
    pub fn as_typ(&self) -> &str {
        self.0.strip_prefix("application/").unwrap_or(&self.0)
    }
}

impl Rules {
    /// Applies every rule that needs no key: algorithm, type, presence and grammar of the kid.
    ///
    /// # Errors
    /// `TooLarge`, `AlgorithmNotAllowed`, `TypeNotAllowed`, `KidMissing`, `KidMalformed`.
    pub fn admit<'r, 't>(&'r self, token: Unverified<'t>) -> Result<Admitted<'r, 't>, TokenError> {
        let Unverified { token, signed, header: Header { algorithm, typ, kid }, decoded } = token;
        if token.len() > self.max_token_bytes {
            return Err(TokenError::TooLarge);
        }
        if !self.algorithms.contains(algorithm) {
            return Err(TokenError::AlgorithmNotAllowed);
        }
        let typed = typ.as_deref().is_some_and(|typ| self.types.iter().any(|allowed| allowed.matches(typ)));
        if !typed && !self.admits_untyped(typ.as_deref()) {
            return Err(TokenError::TypeNotAllowed);
        }
        let kid = kid.ok_or(TokenError::KidMissing)?;
        if !is_kid(&kid) {
            return Err(TokenError::KidMalformed);
        }
        Ok(Admitted { rules: self, algorithm, typed, kid, signed, decoded })
    }

    /// Whether a relaxation lets through a `typ` that is missing, or that says no more than `JWT`.
    fn admits_untyped(&self, typ: Option<&str>) -> bool {
        let says_nothing = typ
            .is_none_or(|typ| typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("application/jwt"));
        says_nothing && self.relaxed.contains(&Relaxation::UntypedTokens)
    }
}

/// The grammar that every kid passes before it is looked up, written into a URL or logged: `[A-Za-z0-9._-]{1,128}`. RFC 8725
/// section 3.10 makes it ours to choose: a kid is what an attacker writes.
pub fn is_kid(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_compared_as_media_types() {
        let cases = [
            ("at+jwt", "at+jwt", true),
            ("at+jwt", "AT+JWT", true),
            ("at+jwt", "application/at+jwt", true),
            ("application/at+jwt", "at+jwt", true),
            ("Application/AT+jwt", "Application/at+JWT", true),
            ("at+jwt", "text/at+jwt", false),
            ("text/at+jwt", "at+jwt", false),
            ("text/at+jwt", "text/at+jwt", true),
            ("at+jwt", "jwt", false),
            ("at+jwt", "at+jwt ", false),
            ("at+jwt", "application/application/at+jwt", false),
            ("at+jwt", "", false),
            ("at+jwt", "at+jwt; charset=utf-8", false),
        ];
        for (allowed, typ, expected) in cases {
            assert_eq!(MediaType::new(allowed).matches(typ), expected, "{allowed} against {typ}");
        }
    }

    #[test]
    fn the_short_form_of_a_type_is_what_a_token_carries() {
        assert_eq!(MediaType::new("application/Bridged+JWT").as_typ(), "bridged+jwt");
        assert_eq!(MediaType::new("bridged+jwt").as_typ(), "bridged+jwt");
    }

    #[test]
    fn a_kid_is_1_to_128_letters_digits_dots_underscores_and_hyphens() {
        for kid in ["a", "orders.sig.0a1b-2c3d", "A_Z", &"k".repeat(128)] {
            assert!(is_kid(kid), "{kid}");
        }
        for kid in [
            "",
            &"k".repeat(129),
            "a b",
            "a/b",
            "a\\b",
            "a%2e",
            "a:b",
            "a@b",
            "a\0",
            "a\r\nb",
            "k\u{e9}",
            "a'--",
            "a=b",
            "~",
        ] {
            assert!(!is_kid(kid), "{kid:?}");
        }
    }
}
