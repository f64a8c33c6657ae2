//! The one place where the errors of the lower floors become reasons.

use drawbridge_keys::ResolveError;
use drawbridge_policy::{Denied, PathRefused};
use drawbridge_verify::TokenError;

use crate::Reason;

/// Why the pipeline stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    /// For the log: what exactly, in words that are ours or the key source's. Never the token's.
    pub(crate) detail: Option<String>,
    /// The scopes that the route needs.
    pub(crate) required_scope: Option<String>,
}

impl Refusal {
    fn because(reason: Reason, cause: &impl ToString) -> Self {
        let mut detail = cause.to_string();
        if let Some((end, _)) = detail.char_indices().nth(MAX_DETAIL) {
            detail.truncate(end);
        }
        Self { reason, detail: Some(detail), required_scope: None }
    }
}

/// The longest detail, in characters: a key source's error text is not ours to bound.
const MAX_DETAIL: usize = 300;

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, detail: None, required_scope: None }
    }
}

impl From<PathRefused> for Refusal {
    fn from(error: PathRefused) -> Self {
        Self::because(Reason::PathRefused, &error)
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        let reason = match error {
            TokenError::TooLarge => Reason::TokenTooLarge,
            TokenError::Encrypted => Reason::TokenEncryptionRefused,
            TokenError::Malformed(_) => Reason::TokenMalformed,
            TokenError::HeaderRefused(_) => Reason::TokenHeaderRefused,
            TokenError::AlgorithmNotAllowed => Reason::TokenAlgNotAllowed,
            TokenError::TypeNotAllowed => Reason::TokenTypeNotAllowed,
            TokenError::KidMissing => Reason::TokenKidMissing,
            TokenError::KidMalformed => Reason::TokenKidMalformed,
            TokenError::SignatureInvalid => Reason::TokenSignatureInvalid,
            TokenError::ClaimsMalformed(_) => Reason::TokenClaimsMalformed,
            TokenError::ClaimMissing(_) => Reason::TokenClaimMissing,
            TokenError::IssuerMismatch => Reason::TokenIssuerMismatch,
            TokenError::AudienceMismatch => Reason::TokenAudienceMismatch,
            TokenError::Expired => Reason::TokenExpired,
            TokenError::NotYetValid => Reason::TokenNotYetValid,
            TokenError::IssuedInFuture => Reason::TokenIssuedInFuture,
            TokenError::LifetimeTooLong => Reason::TokenLifetimeTooLong,
            _ => Reason::Internal,
        };
        Self::because(reason, &error)
    }
}

impl From<ResolveError> for Refusal {
    fn from(error: ResolveError) -> Self {
        let reason = match error {
            ResolveError::Foreign => Reason::KeyForeign,
            ResolveError::Unknown => Reason::KeyUnknown,
            ResolveError::Unusable(_) => Reason::KeyUnusable,
            ResolveError::Unavailable(_) => Reason::KeyUnavailable,
            _ => Reason::Internal,
        };
        Self::because(reason, &error)
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::UnknownRoute => Reason::RouteUnknown.into(),
            Denied::MissingScope { required } => {
                Self { reason: Reason::ScopeMissing, detail: None, required_scope: Some(required) }
            }
            _ => Reason::Internal.into(),
        }
    }
}
