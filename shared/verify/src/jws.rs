use crate::{Algorithm, PublicKey, Rules, TokenError, UnixTime, Verified};

/// A compact JWS that is well-formed and within bounds; nothing in it is trusted, and its claims are out of reach.
#[derive(Debug)]
pub struct Unverified<'t> {
    _t: &'t str,
}

/// A token that passed every header rule of an issuer and now needs its key.
#[derive(Debug)]
pub struct Admitted<'r, 't> {
    _r: &'r Rules,
    _t: Unverified<'t>,
}

/// A payload whose signature held under the issuer's key. Its claims are not checked yet.
#[derive(Debug)]
pub struct Authentic<'r> {
    _r: &'r Rules,
    _payload: Vec<u8>,
}

impl<'t> Unverified<'t> {
    /// Parses a compact JWS: alphabet, three segments, bounds, strict base64url, strict header JSON, refused header members.
    ///
    /// # Errors
    /// `TooLarge`, `Malformed`, `HeaderRefused`, `AlgorithmNotAllowed` for an `alg` that is no [`Algorithm`].
    pub fn parse(token: &'t str, max_bytes: usize) -> Result<Self, TokenError> {
        let _ = (token, max_bytes);
        todo!()
    }
}

impl<'r> Admitted<'r, '_> {
    /// The key that the token names; within the kid grammar.
    pub fn kid(&self) -> &str {
        todo!()
    }

    /// The algorithm that the token names; one that the issuer is configured for.
    pub fn algorithm(&self) -> Algorithm {
        todo!()
    }

    /// Checks the signature. The key's one algorithm must be the token's, and the key's kid the token's.
    ///
    /// # Errors
    /// `AlgorithmNotAllowed`, `SignatureInvalid`.
    pub fn verify(self, key: &PublicKey) -> Result<Authentic<'r>, TokenError> {
        let _ = key;
        todo!()
    }
}

impl Authentic<'_> {
    /// Parses the claims strictly and applies the issuer's rules to them.
    ///
    /// # Errors
    /// `ClaimsMalformed`, `ClaimMissing`, `IssuerMismatch`, `AudienceMismatch`, `Expired`, `NotYetValid`, `IssuedInFuture`,
    /// `LifetimeTooLong`.
    pub fn claims(&self, now: UnixTime) -> Result<Verified<'_>, TokenError> {
        let _ = now;
        todo!()
    }
}
