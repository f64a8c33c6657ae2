use std::fmt;

/// Why a request was decided as it was: the stable code of the audit log, `decide` and `explain`.
///
/// The caller is told only the status and one of the few codes of RFC 6750 section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// `allowed`
    Allowed,
    /// `request.malformed`: no request of the documented form.
    RequestMalformed,
    /// `request.method_override`: a method-override header.
    MethodOverride,
    /// `request.path_refused`: a path that two parsers may read differently.
    PathRefused,
    /// `credentials.missing`
    CredentialsMissing,
    /// `credentials.ambiguous`: more than one.
    CredentialsAmbiguous,
    /// `credentials.scheme`: not `Bearer`.
    CredentialsScheme,
    /// `token.too_large`
    TokenTooLarge,
    /// `token.malformed`
    TokenMalformed,
    /// `token.header_refused`
    TokenHeaderRefused,
    /// `token.alg_not_allowed`
    TokenAlgNotAllowed,
    /// `token.type_not_allowed`
    TokenTypeNotAllowed,
    /// `token.kid_missing`
    TokenKidMissing,
    /// `token.kid_malformed`
    TokenKidMalformed,
    /// `token.encryption_refused`
    TokenEncryptionRefused,
    /// `token.encryption_required`
    TokenEncryptionRequired,
    /// `token.decryption_failed`
    TokenDecryptionFailed,
    /// `key.foreign`: the kid is another backend's; nothing was asked.
    KeyForeign,
    /// `key.unknown`
    KeyUnknown,
    /// `key.unusable`
    KeyUnusable,
    /// `key.unavailable`: the source is down or the budget used up.
    KeyUnavailable,
    /// `token.signature_invalid`
    TokenSignatureInvalid,
    /// `token.claims_malformed`
    TokenClaimsMalformed,
    /// `token.claim_missing`
    TokenClaimMissing,
    /// `token.issuer_mismatch`
    TokenIssuerMismatch,
    /// `token.audience_mismatch`
    TokenAudienceMismatch,
    /// `token.expired`
    TokenExpired,
    /// `token.not_yet_valid`
    TokenNotYetValid,
    /// `token.issued_in_future`
    TokenIssuedInFuture,
    /// `token.lifetime_too_long`
    TokenLifetimeTooLong,
    /// `sender.unsupported`: bound to something that cannot be checked here.
    SenderUnsupported,
    /// `sender.mismatch`: bound to another client certificate.
    SenderMismatch,
    /// `route.unknown`
    RouteUnknown,
    /// `scope.missing`
    ScopeMissing,
    /// `policy.denied`
    PolicyDenied,
    /// `policy.error`
    PolicyError,
    /// `context.too_large`
    ContextTooLarge,
    /// `backend.unknown`: the edge has no backend at this path.
    BackendUnknown,
    /// `rate.limited`
    RateLimited,
    /// `mint.failed`: the bridge could not sign.
    MintFailed,
    /// `internal`
    Internal,
}

impl Reason {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::RequestMalformed => "request.malformed",
            Self::MethodOverride => "request.method_override",
            Self::PathRefused => "request.path_refused",
            Self::CredentialsMissing => "credentials.missing",
            Self::CredentialsAmbiguous => "credentials.ambiguous",
            Self::CredentialsScheme => "credentials.scheme",
            Self::TokenTooLarge => "token.too_large",
            Self::TokenMalformed => "token.malformed",
            Self::TokenHeaderRefused => "token.header_refused",
            Self::TokenAlgNotAllowed => "token.alg_not_allowed",
            Self::TokenTypeNotAllowed => "token.type_not_allowed",
            Self::TokenKidMissing => "token.kid_missing",
            Self::TokenKidMalformed => "token.kid_malformed",
            Self::TokenEncryptionRefused => "token.encryption_refused",
            Self::TokenEncryptionRequired => "token.encryption_required",
            Self::TokenDecryptionFailed => "token.decryption_failed",
            Self::KeyForeign => "key.foreign",
            Self::KeyUnknown => "key.unknown",
            Self::KeyUnusable => "key.unusable",
            Self::KeyUnavailable => "key.unavailable",
            Self::TokenSignatureInvalid => "token.signature_invalid",
            Self::TokenClaimsMalformed => "token.claims_malformed",
            Self::TokenClaimMissing => "token.claim_missing",
            Self::TokenIssuerMismatch => "token.issuer_mismatch",
            Self::TokenAudienceMismatch => "token.audience_mismatch",
            Self::TokenExpired => "token.expired",
            Self::TokenNotYetValid => "token.not_yet_valid",
            Self::TokenIssuedInFuture => "token.issued_in_future",
            Self::TokenLifetimeTooLong => "token.lifetime_too_long",
            Self::SenderUnsupported => "sender.unsupported",
            Self::SenderMismatch => "sender.mismatch",
            Self::RouteUnknown => "route.unknown",
            Self::ScopeMissing => "scope.missing",
            Self::PolicyDenied => "policy.denied",
            Self::PolicyError => "policy.error",
            Self::ContextTooLarge => "context.too_large",
            Self::BackendUnknown => "backend.unknown",
            Self::RateLimited => "rate.limited",
            Self::MintFailed => "mint.failed",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status that a forward-auth client is answered with.
    pub const fn status(self) -> u16 {
        match self {
            Self::Allowed => 200,
            Self::RequestMalformed | Self::MethodOverride | Self::PathRefused | Self::CredentialsAmbiguous => 400,
            Self::RouteUnknown | Self::ScopeMissing | Self::PolicyDenied | Self::PolicyError | Self::ContextTooLarge
            | Self::BackendUnknown => 403,
            Self::RateLimited => 429,
            Self::KeyUnavailable | Self::MintFailed | Self::Internal => 503,
            _ => 401,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
