use std::{borrow::Cow, fmt, time::Duration};

use crate::{
    Authentic, Rules, TokenError, UnixTime,
    json::{Bounds, Value},
};

/// Claims that were signed by the issuer's key and kept every rule. Only the verifier builds one.
pub struct Verified<'a> {
    rules: &'a Rules,
    kid: &'a str,
    subject: Cow<'a, str>,
    expires_at: UnixTime,
    issued_at: UnixTime,
    claims: Value<'a>,
}

/// What the token is bound to (`cnf`, RFC 7800).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Confirmation<'a> {
    /// `x5t#S256`: base64url SHA-256 of the client certificate (RFC 8705 section 3.1).
    CertificateThumbprint(&'a str),
    /// `jkt`: thumbprint of a DPoP key (RFC 9449 section 6.1).
    KeyThumbprint(&'a str),
    /// A `cnf` that is not understood; to be refused.
    Unknown,
}

impl<'a> Verified<'a> {
    /// `iss`.
    pub fn issuer(&self) -> &str {
        &self.rules.issuer
    }

    /// `sub`; never empty.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// `exp`.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// `iat`.
    pub fn issued_at(&self) -> UnixTime {
        self.issued_at
    }

    /// `jti`; never empty.
    pub fn jti(&self) -> Option<&str> {
        self.claim("jti").and_then(Value::as_str)
    }

    /// `client_id`, or `azp` where that is missing; never empty.
    pub fn client_id(&self) -> Option<&str> {
        self.claim("client_id").or_else(|| self.claim("azp")).and_then(Value::as_str)
    }

    /// The kid of the key that signed.
    pub fn kid(&self) -> &str {
        self.kid
    }

    /// The scopes of `scope` (RFC 6749 section 3.3): space-delimited, exact, case-sensitive. None when there is no claim.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let scope = self.claim("scope").and_then(Value::as_str).unwrap_or_default();
        scope.split(' ').filter(|token| !token.is_empty())
    }

    /// `cnf`.
    pub fn confirmation(&self) -> Option<Confirmation<'_>> {
        let Value::Object(members) = self.claim("cnf")? else { return Some(Confirmation::Unknown) };
        Some(match members.as_slice() {
            [(name, Value::String(text))] if name == "x5t#S256" => Confirmation::CertificateThumbprint(text),
            [(name, Value::String(text))] if name == "jkt" => Confirmation::KeyThumbprint(text),
            _ => Confirmation::Unknown,
        })
    }

    /// A claim by name.
    pub fn claim(&self, name: &str) -> Option<&Value<'a>> {
        self.claims.member(name)
    }

    /// A value by JSON Pointer (RFC 6901), for example `/realm_access/roles`; the empty pointer is the whole object.
    pub fn pointer(&self, pointer: &str) -> Option<&Value<'a>> {
        self.claims.pointer(pointer)
    }

    /// Parses the payload of an authentic token and applies the claim rules of its issuer at the moment `now`.
    pub(crate) fn check(token: &'a Authentic<'_>, now: UnixTime) -> Result<Self, TokenError> {
        let rules = token.rules;
        let claims = match Value::parse(&token.payload, BOUNDS) {
            Ok(claims @ Value::Object(_)) => claims,
            _ => return Err(TokenError::ClaimsMalformed("not a strict JSON object within bounds")),
        };

        if *text(&claims, "iss")?.ok_or(TokenError::ClaimMissing("iss"))? != rules.issuer {
            return Err(TokenError::IssuerMismatch);
        }
        check_audience(claims.member("aud").ok_or(TokenError::ClaimMissing("aud"))?, rules)?;
        if !token.typed && OTHER_KINDS.iter().any(|name| claims.member(name).is_some()) {
            return Err(TokenError::TypeNotAllowed);
        }
        let (issued_at, expires_at) = check_times(&claims, rules, now)?;
        let subject = text(&claims, "sub")?.cloned().ok_or(TokenError::ClaimMissing("sub"))?;
        if text(&claims, "jti")?.is_none() && rules.require_jti {
            return Err(TokenError::ClaimMissing("jti"));
        }
        if text(&claims, "client_id")?.is_none() && rules.require_client_id {
            return Err(TokenError::ClaimMissing("client_id"));
        }
        text(&claims, "azp")?;
        check_scope(claims.member("scope"))?;
        check_confirmation(claims.member("cnf"))?;

        Ok(Self { rules, kid: &token.kid, subject, expires_at, issued_at, claims })
    }
}

impl fmt::Debug for Verified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("issuer", &self.issuer())
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// `aud` is a string or an array of strings (RFC 7519 section 4.1.3), one of which is ours.
fn check_audience(aud: &Value<'_>, rules: &Rules) -> Result<(), TokenError> {
    let values = match aud {
        Value::Array(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    if values.len() > MAX_AUDIENCES || !values.iter().all(|value| matches!(value, Value::String(_))) {
        return Err(TokenError::ClaimsMalformed("aud"));
    }
    let ours =
        |value: &Value<'_>| value.as_str().is_some_and(|aud| rules.audiences.iter().any(|ours| ours == aud));
    let found =
        if rules.single_audience { matches!(values, [one] if ours(one)) } else { values.iter().any(ours) };
    if found { Ok(()) } else { Err(TokenError::AudienceMismatch) }
}

/// `exp`, `nbf` and `iat` against the clock and each other; the last of a token's life is the moment before `exp + skew`.
fn check_times(claims: &Value<'_>, rules: &Rules, now: UnixTime) -> Result<(UnixTime, UnixTime), TokenError> {
    let expires_at = time(claims, "exp")?.ok_or(TokenError::ClaimMissing("exp"))?;
    let issued_at = time(claims, "iat")?.ok_or(TokenError::ClaimMissing("iat"))?;
    let not_before = time(claims, "nbf")?;
    let skew = rules.skew.min(MAX_SKEW);

    if expires_at < issued_at {
        return Err(TokenError::ClaimsMalformed("exp is before iat"));
    }
    if rules.max_lifetime.is_some_and(|most| expires_at.since(issued_at) > most) {
        return Err(TokenError::LifetimeTooLong);
    }
    if now >= expires_at.after(skew) {
        return Err(TokenError::Expired);
    }
    if not_before.is_some_and(|not_before| now.after(skew) < not_before) {
        return Err(TokenError::NotYetValid);
    }
    if now.after(skew) < issued_at {
        return Err(TokenError::IssuedInFuture);
    }
    Ok((issued_at, expires_at))
}

/// `scope-token *( SP scope-token )` of RFC 6749 section 3.3; empty text, which some issuers send, is no scope.
fn check_scope(scope: Option<&Value<'_>>) -> Result<(), TokenError> {
    let holds = match scope {
        None => true,
        Some(Value::String(text)) => text.is_empty() || text.split(' ').all(is_scope_token),
        Some(_) => false,
    };
    if holds { Ok(()) } else { Err(TokenError::ClaimsMalformed("scope")) }
}

fn is_scope_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// `cnf` is an object, and those of its members that are understood are strings.
fn check_confirmation(cnf: Option<&Value<'_>>) -> Result<(), TokenError> {
    let holds = match cnf {
        None => true,
        Some(cnf @ Value::Object(_)) => ["x5t#S256", "jkt"]
            .iter()
            .all(|name| cnf.member(name).is_none_or(|value| value.as_str().is_some())),
        Some(_) => false,
    };
    if holds { Ok(()) } else { Err(TokenError::ClaimsMalformed("cnf")) }
}

/// A claim that is text where it is there at all. Empty text names nobody, so it is an error too.
fn text<'v, 'a>(claims: &'v Value<'a>, name: &'static str) -> Result<Option<&'v Cow<'a, str>>, TokenError> {
    match claims.member(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Some(_) => Err(TokenError::ClaimsMalformed(name)),
    }
}

/// A `NumericDate` (RFC 7519 section 2), fractions cut off downwards; a claim of another type is never "absent".
fn time(claims: &Value<'_>, name: &'static str) -> Result<Option<UnixTime>, TokenError> {
    let seconds = match claims.member(name) {
        None => return Ok(None),
        Some(Value::Integer(seconds)) => Some(*seconds),
        Some(Value::Float(seconds)) => {
            (0.0..=MAX_TIME as f64).contains(seconds).then(|| seconds.floor() as i64)
        }
        Some(_) => None,
    };
    match seconds {
        Some(seconds @ 0..=MAX_TIME) => Ok(Some(UnixTime::from_secs(seconds))),
        _ => Err(TokenError::ClaimsMalformed(name)),
    }
}

/// 9999-12-31T23:59:59Z: what lies beyond is a mistake of units, such as milliseconds.
const MAX_TIME: i64 = 253_402_300_799;

const MAX_SKEW: Duration = Duration::from_secs(60);

const MAX_AUDIENCES: usize = 32;

/// A token of 16 KiB has room for some 1500 short values; nesting beyond what issuers use is refused before it costs stack.
const BOUNDS: Bounds = Bounds { depth: 16, values: 2048 };

/// Claims that only ID tokens (OpenID Connect Core sections 3.1.3.6 and 3.3.2.11) and security event tokens (RFC 8417
/// section 2.2), such as logout tokens, have. Where `typ` does not tell kinds of token apart, these must.
const OTHER_KINDS: [&str; 3] = ["at_hash", "c_hash", "events"];
