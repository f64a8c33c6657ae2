use crate::{UnixTime, json::Value};

/// Claims that were signed by the issuer's key and kept every rule. Only the verifier builds one.
#[derive(Debug)]
pub struct Verified<'a> {
    _claims: Value<'a>,
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
    pub fn issuer(&self) -> &str { todo!() }
    /// `sub`; never empty.
    pub fn subject(&self) -> &str { todo!() }
    /// `exp`.
    pub fn expires_at(&self) -> UnixTime { todo!() }
    /// `iat`.
    pub fn issued_at(&self) -> UnixTime { todo!() }
    /// `jti`.
    pub fn jti(&self) -> Option<&str> { todo!() }
    /// `client_id`, or `azp` where that is missing.
    pub fn client_id(&self) -> Option<&str> { todo!() }
    /// The kid of the key that signed.
    pub fn kid(&self) -> &str { todo!() }
    /// The scopes of `scope` (RFC 6749 section 3.3): space-delimited, exact, case-sensitive. None when there is no claim.
    pub fn scopes(&self) -> impl Iterator<Item = &str> { std::iter::empty() }
    /// `cnf`.
    pub fn confirmation(&self) -> Option<Confirmation<'_>> { todo!() }
    /// A claim by name.
    pub fn claim(&self, name: &str) -> Option<&Value<'a>> { let _ = name; todo!() }
    /// A value by JSON Pointer (RFC 6901), for example `/realm_access/roles`.
    pub fn pointer(&self, pointer: &str) -> Option<&Value<'a>> { let _ = pointer; todo!() }
}
