//! The one place where the errors of the lower floors become reasons.

use drawbridge_keys::ResolveError;
use drawbridge_policy::{Denied, PathRefused};
use drawbridge_verify::TokenError;

use crate::{Reason, sender::SenderRefused};

/// Why the pipeline stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    /// For the log: what exactly, in words that are ours or the key source's. Never the token's.
    pub(crate) detail: Option<String>,
    /// The scopes that the route needs.
    pub(crate) required_scope: Option<String>,
    /// The policies that forbade the request, or could not be evaluated.
    pub(crate) policies: Vec<String>,
}

impl Refusal {
    pub(crate) fn because(reason: Reason, cause: &impl ToString) -> Self {
        let mut detail = cause.to_string();
        if let Some((end, _)) = detail.char_indices().nth(MAX_DETAIL) {
            detail.truncate(end);
        }
        Self { detail: Some(detail), ..Self::from(reason) }
    }

    /// What the key or the claims failed: told apart from the same error of the header.
    pub(crate) fn late(error: TokenError) -> Self {
        let detail = match error {
            TokenError::AlgorithmNotAllowed => "the token's algorithm is not the key's",
            TokenError::TypeNotAllowed => "the claims are those of another kind of token",
            other => return other.into(),
        };
        Self { detail: Some(detail.to_owned()), ..Self::from(error) }
    }

    /// What the envelope of an encrypted token failed: told apart from the same fault of the token inside.
    pub(crate) fn of_envelope(self) -> Self {
        let detail = self.detail.as_deref().unwrap_or(self.reason.description());
        Self { detail: Some(format!("{ENVELOPE}{detail}")), ..self }
    }

    /// Whether a detail is that of an envelope.
    pub(crate) fn is_of_envelope(detail: &str) -> bool {
        detail.starts_with(ENVELOPE)
    }

    /// Whether a deny with this reason and detail is this one.
    pub(crate) fn says(&self, reason: Reason, detail: Option<&str>) -> bool {
        self.reason == reason && self.detail.as_deref() == detail
    }
}

/// The longest detail, in characters: a key source's error text is not ours to bound.
const MAX_DETAIL: usize = 300;

/// How the detail of an envelope begins.
const ENVELOPE: &str = "the encryption: ";

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, detail: None, required_scope: None, policies: Vec::new() }
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
            TokenError::DecryptionFailed => Reason::TokenDecryptionFailed,
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

impl From<SenderRefused> for Refusal {
    fn from(error: SenderRefused) -> Self {
        let reason = match error {
            SenderRefused::Unsupported => Reason::SenderUnsupported,
            SenderRefused::Unbound => Reason::SenderUnbound,
            SenderRefused::NoCertificate | SenderRefused::Malformed | SenderRefused::Mismatch => {
                Reason::SenderMismatch
            }
        };
        Self::because(reason, &error)
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::ClaimType { .. } => Self::because(Reason::PolicyError, &denied),
            Denied::UnknownRoute => Reason::RouteUnknown.into(),
            Denied::MissingScope { required } => {
                Self { required_scope: Some(required), ..Self::from(Reason::ScopeMissing) }
            }
            Denied::Policy { policies } => Self { policies, ..Self::from(Reason::PolicyDenied) },
            Denied::PolicyError { policies } => Self { policies, ..Self::from(Reason::PolicyError) },
            _ => Reason::Internal.into(),
        }
    }
}
