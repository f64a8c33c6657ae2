//! Nested tokens (RFC 7516, RFC 7519 section 11.2): a signed token inside an encrypted one.
//!
//! ```text
//! &str ──Jwe::parse──▶ Jwe ──admit(recipient)──▶ Sealed ──unwrap(key)──▶ ContentKey ──Sealed::open──▶ Nested ──▶ Unverified
//! ```
//!
//! Encryption says nothing about who wrote a token: what comes out is text that still has everything to prove, and it has to
//! be a signed token. The content key is a value of its own, so that a key that never leaves its vault can unwrap it.
//!
//! # Errors
//! What is wrong with the public header has its own errors. From the encrypted key on there is one,
//! [`DecryptionFailed`](TokenError::DecryptionFailed), and one way there: an encrypted key that does not unwrap is replaced
//! by a random content key, under which the authentication tag fails (RFC 7516 section 11.5).

mod agreement;
mod algorithm;
mod content;
mod decrypt;
mod encrypt;
#[cfg(test)]
mod vectors;

use std::{fmt, mem::MaybeUninit};

use zeroize::{Zeroize, Zeroizing};

pub use algorithm::{ContentEncryption, KeyManagement};
pub use content::ContentKey;
pub use decrypt::{DecryptionKey, Recipient};
pub use encrypt::{EncryptionFailed, EncryptionKey};

use crate::{MediaType, TokenError, base64, header, json::Value, rules::is_kid};
use agreement::Agreed;

/// A compact JWE that is well-formed and within bounds, and whose header keeps every rule that does not depend on the key.
pub struct Jwe<'t> {
    /// The header as it was sent: what the tag authenticates beside the ciphertext.
    protected: &'t str,
    kid: String,
    algorithm: KeyManagement,
    encryption: ContentEncryption,
    /// What the author brought to the key agreement, where there is one.
    agreed: Option<Agreed>,
    parts: Parts,
}

/// A token of the algorithms that its recipient's key is for.
pub struct Sealed<'t>(Jwe<'t>);

/// What was inside: text that ought to be a signed token. Wiped when dropped.
pub struct Nested(Zeroizing<String>);

/// The four segments behind the header.
struct Parts {
    encrypted_key: Vec<u8>,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

impl<'t> Jwe<'t> {
    /// Parses a compact JWE: bounds, five segments, strict base64url, strict header JSON, refused header members.
    ///
    /// `cty` must be `JWT`, so that no claims are ever read from a token that is encrypted only. Claims replicated in the
    /// header (RFC 7519 section 5.3) are refused rather than compared.
    ///
    /// # Errors
    /// `TooLarge`, `Malformed`, `HeaderRefused`, `AlgorithmNotAllowed` for an `alg` or `enc` that is unknown here,
    /// `TypeNotAllowed` for another `cty`, `KidMissing`, `KidMalformed`.
    pub fn parse(token: &'t str, max_bytes: usize) -> Result<Self, TokenError> {
        if token.len() > max_bytes {
            return Err(TokenError::TooLarge);
        }
        let (protected, parts) = Parts::parse(token)?;
        let mut buffer = [MaybeUninit::uninit(); header::MAX_BYTES];
        let header = header::parse(protected, &mut buffer)?;
        header::refuse(&header, &REFUSED)?;

        let kid = header::text(&header, "kid")?.ok_or(TokenError::KidMissing)?;
        if !is_kid(kid) {
            return Err(TokenError::KidMalformed);
        }
        if !header::text(&header, "cty")?.is_some_and(|cty| MediaType::new("JWT").matches(cty)) {
            return Err(TokenError::TypeNotAllowed);
        }
        let algorithm: KeyManagement = named(&header, "alg")?;
        let encryption: ContentEncryption = named(&header, "enc")?;
        let agreed = if algorithm.agrees() {
            Some(Agreed::read(&header)?)
        } else {
            header::refuse(&header, &["epk", "apu", "apv"])?;
            None
        };
        if parts.encrypted_key.is_empty() != (algorithm == KeyManagement::EcdhEs) {
            return Err(TokenError::Malformed("the encrypted key does not belong to the algorithm"));
        }
        Ok(Self { protected, kid: kid.to_owned(), algorithm, encryption, agreed, parts })
    }

    /// The key that the token is encrypted to; within the kid grammar.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// `alg`
    pub fn algorithm(&self) -> KeyManagement {
        self.algorithm
    }

    /// `enc`
    pub fn encryption(&self) -> ContentEncryption {
        self.encryption
    }

    /// Checks that the token is for this recipient and of the algorithms that its key is for.
    ///
    /// # Errors
    /// `AlgorithmNotAllowed`; `DecryptionFailed` for another kid.
    pub fn admit(self, recipient: &Recipient) -> Result<Sealed<'t>, TokenError> {
        if self.kid != recipient.kid() {
            return Err(TokenError::DecryptionFailed);
        }
        if self.algorithm != recipient.algorithm() || !recipient.encryptions().contains(&self.encryption) {
            return Err(TokenError::AlgorithmNotAllowed);
        }
        Ok(Sealed(self))
    }
}

impl Sealed<'_> {
    /// The encrypted key, for a vault to unwrap; empty where the content key is agreed on directly.
    pub fn encrypted_key(&self) -> &[u8] {
        &self.0.parts.encrypted_key
    }

    /// The content key. Where it cannot be had it is a random one, which opens nothing.
    pub fn unwrap(&self, key: &DecryptionKey) -> ContentKey {
        key.unwrap(self.0.algorithm, self.0.encryption, self.0.agreed.as_ref(), &self.0.parts.encrypted_key)
    }

    /// The content key that a vault unwrapped; where it gave none, or one of another length, a random one, which opens nothing.
    pub fn content_key(&self, unwrapped: Option<Zeroizing<Vec<u8>>>) -> ContentKey {
        ContentKey::or_decoy(self.0.encryption, unwrapped)
    }

    /// Authenticates and decrypts the content.
    ///
    /// # Errors
    /// `DecryptionFailed`, whatever failed.
    pub fn open(self, key: ContentKey) -> Result<Nested, TokenError> {
        let Jwe { protected, encryption, parts: Parts { iv, ciphertext, tag, .. }, .. } = self.0;
        let plain = content::open(encryption, &key, protected.as_bytes(), &iv, ciphertext, &tag);
        let mut plain = plain.ok_or(TokenError::DecryptionFailed)?;
        match String::from_utf8(std::mem::take(&mut *plain)) {
            Ok(text) => Ok(Nested(Zeroizing::new(text))),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(TokenError::DecryptionFailed)
            }
        }
    }
}

impl Nested {
    /// The signed token, to be parsed as [`Unverified`](crate::Unverified) and verified like any other.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Parts {
    /// Splits five segments and decodes all but the first.
    fn parse(token: &str) -> Result<(&str, Self), TokenError> {
        let mut segments = token.split('.');
        let mut next = || segments.next().ok_or(NOT_FIVE);
        let (protected, encrypted_key, iv, ciphertext, tag) = (next()?, next()?, next()?, next()?, next()?);
        if segments.next().is_some() {
            return Err(NOT_FIVE);
        }
        let decode =
            |segment| base64::decode(segment).ok_or(TokenError::Malformed("a segment is not base64url"));
        let parts = Self {
            encrypted_key: decode(encrypted_key)?,
            iv: decode(iv)?,
            ciphertext: decode(ciphertext)?,
            tag: decode(tag)?,
        };
        Ok((protected, parts))
    }
}

impl fmt::Debug for Jwe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Jwe");
        debug
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("encryption", &self.encryption);
        debug.finish_non_exhaustive()
    }
}

impl fmt::Debug for Sealed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sealed").field(&self.0).finish()
    }
}

impl fmt::Debug for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nested").finish_non_exhaustive()
    }
}

/// A member that names an algorithm.
fn named<A: std::str::FromStr>(header: &Value<'_>, member: &'static str) -> Result<A, TokenError> {
    let name = header::text(header, member)?.ok_or(TokenError::Malformed("the header names no algorithm"))?;
    name.parse().map_err(|_| TokenError::AlgorithmNotAllowed)
}

const NOT_FIVE: TokenError = TokenError::Malformed("not five segments");

/// Beside what a signed token may not have: compression (RFC 8725 sections 2.4 and 3.6: it leaks, and it explodes), what
/// belongs to algorithms that are not here, and claims replicated outside.
const REFUSED: [&str; 14] =
    ["crit", "zip", "jwk", "jku", "x5u", "x5c", "b64", "iv", "tag", "p2s", "p2c", "iss", "sub", "aud"];
