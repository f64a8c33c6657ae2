use std::fmt;

use crate::{Algorithm, PublicKey, Rules, TokenError, UnixTime, Verified, base64, header::Header};

/// A compact JWS that is well-formed and within bounds; nothing in it is trusted, and its claims are out of reach.
pub struct Unverified<'t> {
    pub(crate) token: &'t str,
    /// What the signature is over: header and payload as they were sent.
    pub(crate) signed: &'t str,
    pub(crate) header: Header,
    pub(crate) decoded: Decoded,
}

/// A token that passed every header rule of an issuer and now needs its key.
pub struct Admitted<'r, 't> {
    pub(crate) rules: &'r Rules,
    pub(crate) algorithm: Algorithm,
    /// Whether `typ` is one of the rules' types, and not merely let through by a relaxation.
    pub(crate) typed: bool,
    pub(crate) kid: String,
    pub(crate) signed: &'t str,
    pub(crate) decoded: Decoded,
}

/// A payload whose signature held under the issuer's key. Its claims are not checked yet.
pub struct Authentic<'r> {
    pub(crate) rules: &'r Rules,
    pub(crate) typed: bool,
    pub(crate) kid: String,
    pub(crate) payload: Vec<u8>,
}

/// Payload and signature, decoded into one allocation.
pub(crate) struct Decoded {
    bytes: Vec<u8>,
    /// Where the payload ends and the signature begins.
    payload: usize,
}

impl<'t> Unverified<'t> {
    /// Parses a compact JWS: bounds, three segments, strict base64url, strict header JSON, refused header members.
    ///
    /// `max_bytes` bounds the whole token and is checked before anything else. The payload is decoded but not looked at.
    ///
    /// # Errors
    /// `TooLarge`, `Encrypted`, `Malformed`, `HeaderRefused`, `AlgorithmNotAllowed` for an `alg` that is no [`Algorithm`].
    pub fn parse(token: &'t str, max_bytes: usize) -> Result<Self, TokenError> {
        if token.len() > max_bytes {
            return Err(TokenError::TooLarge);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(NOT_THREE)?;
        let (header, payload) = signed.split_once('.').ok_or(NOT_THREE)?;
        let decoded = match Decoded::new(payload, signature) {
            // A dot is no base64url either, but there are too many segments then.
            Err(_) if payload.contains('.') => {
                return Err(if is_encrypted(token) { TokenError::Encrypted } else { NOT_THREE });
            }
            decoded => decoded?,
        };
        Ok(Self { token, signed, header: Header::parse(header)?, decoded })
    }
}

impl<'r> Admitted<'r, '_> {
    /// The key that the token names; within the kid grammar.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm that the token names; one that the issuer is configured for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks the signature. The key's one algorithm must be the token's, and the key's kid the token's.
    ///
    /// # Errors
    /// `AlgorithmNotAllowed`, `SignatureInvalid`.
    pub fn verify(self, key: &PublicKey) -> Result<Authentic<'r>, TokenError> {
        self.verify_where(key, |token| key.holds(token.signed.as_bytes(), token.decoded.signature()))
    }

    /// `holds` is asked whether the signature holds, once all else about key and token is checked.
    pub(crate) fn verify_where(
        self,
        key: &PublicKey,
        holds: impl FnOnce(&Self) -> bool,
    ) -> Result<Authentic<'r>, TokenError> {
        if key.algorithm() != self.algorithm {
            return Err(TokenError::AlgorithmNotAllowed);
        }
        if key.kid() != self.kid {
            return Err(TokenError::SignatureInvalid);
        }
        if !holds(&self) {
            return Err(TokenError::SignatureInvalid);
        }
        Ok(Authentic {
            rules: self.rules,
            typed: self.typed,
            kid: self.kid,
            payload: self.decoded.into_payload(),
        })
    }
}

impl Authentic<'_> {
    /// Parses the claims strictly and applies the issuer's rules to them.
    ///
    /// # Errors
    /// `ClaimsMalformed`, `ClaimMissing`, `IssuerMismatch`, `AudienceMismatch`, `Expired`, `NotYetValid`, `IssuedInFuture`,
    /// `LifetimeTooLong`; `TypeNotAllowed` for an untyped token whose claims are those of another kind of token.
    pub fn claims(&self, now: UnixTime) -> Result<Verified<'_>, TokenError> {
        Verified::check(self, now)
    }
}

impl Decoded {
    fn new(payload: &str, signature: &str) -> Result<Self, TokenError> {
        let mut bytes = Vec::with_capacity((payload.len() + signature.len()) / 4 * 3 + 4);
        base64::decode_append(payload, &mut bytes)
            .ok_or(TokenError::Malformed("the payload is not base64url"))?;
        let payload = bytes.len();
        base64::decode_append(signature, &mut bytes)
            .ok_or(TokenError::Malformed("the signature is not base64url"))?;
        Ok(Self { bytes, payload })
    }

    pub(crate) fn signature(&self) -> &[u8] {
        self.bytes.get(self.payload..).unwrap_or_default()
    }

    fn into_payload(mut self) -> Vec<u8> {
        self.bytes.truncate(self.payload);
        self.bytes
    }
}

// None of the stages prints what the token says: what is not verified is nobody's, and what is verified is personal.

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").finish_non_exhaustive()
    }
}

impl fmt::Debug for Admitted<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted")
            .field("algorithm", &self.algorithm)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Authentic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authentic").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Five segments of the token alphabet. Whether they are a good JWE is not looked at here.
fn is_encrypted(token: &str) -> bool {
    let dots = token.bytes().filter(|byte| *byte == b'.').count();
    dots == 4 && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

const NOT_THREE: TokenError = TokenError::Malformed("not three segments");
