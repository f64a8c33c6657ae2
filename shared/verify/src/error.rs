use thiserror::Error;

/// Why a token was refused. Holds nothing that the token said, so that it may be shown and logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Longer than [`Rules::max_token_bytes`](crate::Rules::max_token_bytes).
    #[error("the token is longer than allowed")]
    TooLarge,
    /// Five segments, as an encrypted token has them; [`Unverified`](crate::Unverified) reads signed ones alone.
    #[error("the token is encrypted")]
    Encrypted,
    /// Not three base64url segments, bad base64url, header or payload that is not the strict JSON asked for.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// A header member that is refused on sight, such as `crit`, `jwk`, `jku`, `x5u`, `x5c`, `b64` or `zip`.
    #[error("the token header has a member that is not accepted: `{0}`")]
    HeaderRefused(&'static str),
    /// `alg` is not one that the issuer is configured for, or not the one that the key is bound to.
    #[error("the token's algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// `typ` is missing or not one that the issuer is configured for.
    #[error("the token's type is not allowed")]
    TypeNotAllowed,
    /// There is no `kid`.
    #[error("the token names no key")]
    KidMissing,
    /// The `kid` breaks the grammar.
    #[error("the token's kid is malformed")]
    KidMalformed,
    /// The token could not be decrypted; why is not told (RFC 7516 section 11.5).
    #[error("the token could not be decrypted")]
    DecryptionFailed,
    /// The signature does not hold.
    #[error("the signature does not hold")]
    SignatureInvalid,
    /// The signed payload is not a strict JSON object of claims, or a registered claim has the wrong type.
    #[error("the claims are malformed: {0}")]
    ClaimsMalformed(&'static str),
    /// A claim that the rules need is missing.
    #[error("the claim `{0}` is missing")]
    ClaimMissing(&'static str),
    /// `iss` is not the configured issuer.
    #[error("the token is from another issuer")]
    IssuerMismatch,
    /// `aud` names none of the configured audiences, or more than a single-audience rule allows.
    #[error("the token is for another audience")]
    AudienceMismatch,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iat` has not come.
    #[error("the token was issued in the future")]
    IssuedInFuture,
    /// `exp - iat` is longer than the issuer may sign for.
    #[error("the token lives longer than allowed")]
    LifetimeTooLong,
}

/// Why a JWK or a JWK Set was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JwkError {
    /// Not strict JSON of the expected members and types.
    #[error("the key is malformed: {0}")]
    Malformed(&'static str),
    /// The set is larger, or has more keys, than allowed.
    #[error("the key set is larger than allowed")]
    TooLarge,
    /// Private or symmetric material where a public key was expected.
    #[error("the key has private or symmetric members")]
    NotPublic,
    /// Two keys of one `kid`.
    #[error("two keys of the set have the same kid")]
    DuplicateKid,
    /// Key type or curve is not supported.
    #[error("the key type is not supported")]
    Unsupported,
    /// RSA modulus or exponent out of bounds, point not on the curve.
    #[error("the key is weak or invalid: {0}")]
    Weak(&'static str),
    /// `use` or `key_ops` do not allow what the key is asked for.
    #[error("the key is for another use")]
    WrongUse,
    /// `alg` is missing, contradicts the key type, or is not an accepted one.
    #[error("the key names no algorithm that is allowed")]
    AlgorithmNotAllowed,
}
