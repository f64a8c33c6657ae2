//! The pipeline as one table, for whoever explains a decision. The gate decides without it.

use drawbridge_config::Encryption;
use drawbridge_verify::{Relaxation, TokenError};

use crate::{Gate, Reason, context, credentials, refusal::Refusal};

/// Declares [`Check`] from one table, in the order of the pipeline: variant, name, what must hold, and what a deny says where
/// it does not.
macro_rules! checks {
    ($($check:ident $name:literal $holds:literal [$($fault:expr),*])*) => {
        /// One check of the pipeline. The gate makes them in this order, and the first that fails decides.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Check {
            $(#[doc = concat!("`", $name, "`: ", $holds)] $check,)*
        }

        impl Check {
            /// All of them, in the order of the pipeline.
            pub const ALL: &'static [Self] = &[$(Self::$check,)*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$check => $name,)* }
            }

            /// What must hold.
            pub const fn holds(self) -> &'static str {
                match self { $(Self::$check => $holds,)* }
            }

            const fn faults(self) -> &'static [Fault] {
                match self { $(Self::$check => &[$($fault),*],)* }
            }
        }
    };
}

checks! {
    Method "request.method" "no header asks for another method" [Fault::Reason(Reason::MethodOverride)]
    Identity "request.identity" "no header says who the caller is, but under a name that gateways replace" [
        Fault::Reason(Reason::IdentityHeader)
    ]
    Path "request.path" "the path can be read in one way only" [Fault::Reason(Reason::PathRefused)]
    Credentials "credentials" "one bearer token, in one `Authorization` header" [
        Fault::Reason(Reason::CredentialsAmbiguous),
        Fault::Reason(Reason::CredentialsMissing),
        Fault::Reason(Reason::CredentialsScheme)
    ]
    Characters "token.characters" "nothing but the characters of a token" [Fault::Silent(Reason::TokenMalformed)]
    Encryption "token.encryption" "encrypted where it must be" [Fault::Reason(Reason::TokenEncryptionRequired)]
    Decryption "token.decryption" "where it is encrypted: well-formed, to a key of this backend, and that key opens it" [
        Fault::Envelope,
        Fault::Reason(Reason::TokenDecryptionFailed)
    ]
    Size "token.size" "no longer than the bound" [Fault::Reason(Reason::TokenTooLarge)]
    Form "token.form" "a signed token: three segments of base64url" [
        Fault::Reason(Reason::TokenMalformed),
        Fault::Reason(Reason::TokenEncryptionRefused)
    ]
    Header "header.form" "a strict JSON object within its bound" [
        Fault::Error(TokenError::Malformed("the header is longer than allowed")),
        Fault::Error(TokenError::Malformed("the header is not base64url")),
        Fault::Error(TokenError::Malformed("the header is not a strict JSON object"))
    ]
    Members "header.members" "no member that is refused on sight" [Fault::Reason(Reason::TokenHeaderRefused)]
    Texts "header.text" "`alg`, `typ` and `kid` are text, and there is an `alg`" [
        Fault::Error(TokenError::Malformed("a header member is not a string")),
        Fault::Error(TokenError::Malformed("the header has no alg"))
    ]
    Algorithm "header.alg" "one of the issuer's algorithms" [Fault::Reason(Reason::TokenAlgNotAllowed)]
    Type "header.typ" "one of the issuer's types" [Fault::Reason(Reason::TokenTypeNotAllowed)]
    Kid "header.kid" "there, and within the grammar" [
        Fault::Reason(Reason::TokenKidMissing),
        Fault::Reason(Reason::TokenKidMalformed)
    ]
    KeyOwner "key.owner" "the key is this backend's and for signing, where kids say so" [Fault::Reason(Reason::KeyForeign)]
    KeySource "key.source" "the key source answers, or need not be asked" [Fault::Reason(Reason::KeyUnavailable)]
    KeyKnown "key.known" "there is such a key, and it is not revoked" [Fault::Reason(Reason::KeyUnknown)]
    KeyUsable "key.usable" "the key's use, algorithm, strength and pin allow it" [Fault::Reason(Reason::KeyUnusable)]
    KeyAlgorithm "key.alg" "the token's algorithm is the key's" [Fault::Late(TokenError::AlgorithmNotAllowed)]
    Signature "token.signature" "the key signed the token" [Fault::Reason(Reason::TokenSignatureInvalid)]
    Claims "claims.form" "a strict JSON object within its bounds" [
        Fault::Reason(Reason::TokenClaimsMalformed),
        Fault::Reason(Reason::TokenClaimMissing)
    ]
    Issuer "claims.iss" "the issuer's, byte for byte" [
        Fault::Error(TokenError::ClaimsMalformed("iss")),
        Fault::Error(TokenError::ClaimMissing("iss")),
        Fault::Reason(Reason::TokenIssuerMismatch)
    ]
    Audience "claims.aud" "this audience" [
        Fault::Error(TokenError::ClaimsMalformed("aud")),
        Fault::Error(TokenError::ClaimMissing("aud")),
        Fault::Reason(Reason::TokenAudienceMismatch)
    ]
    Kind "claims.kind" "not the claims of another kind of token, where `typ` does not say" [
        Fault::Late(TokenError::TypeNotAllowed)
    ]
    Times "claims.times" "`exp` and `iat` are there, and these and `nbf` are times" [
        Fault::Error(TokenError::ClaimsMalformed("exp")),
        Fault::Error(TokenError::ClaimMissing("exp")),
        Fault::Error(TokenError::ClaimsMalformed("iat")),
        Fault::Error(TokenError::ClaimMissing("iat")),
        Fault::Error(TokenError::ClaimsMalformed("nbf")),
        Fault::Error(TokenError::ClaimsMalformed("exp is before iat"))
    ]
    Lifetime "claims.lifetime" "`exp - iat` is no longer than the issuer may sign for" [
        Fault::Reason(Reason::TokenLifetimeTooLong)
    ]
    Expiry "claims.exp" "it has not passed" [Fault::Reason(Reason::TokenExpired)]
    NotBefore "claims.nbf" "it has come" [Fault::Reason(Reason::TokenNotYetValid)]
    IssuedAt "claims.iat" "it has come" [Fault::Reason(Reason::TokenIssuedInFuture)]
    Subject "claims.sub" "text, and there" [
        Fault::Error(TokenError::ClaimsMalformed("sub")),
        Fault::Error(TokenError::ClaimMissing("sub"))
    ]
    TokenId "claims.jti" "text, and there where it must be" [
        Fault::Error(TokenError::ClaimsMalformed("jti")),
        Fault::Error(TokenError::ClaimMissing("jti"))
    ]
    Client "claims.client_id" "text, as `azp` is, and there where it must be" [
        Fault::Error(TokenError::ClaimsMalformed("client_id")),
        Fault::Error(TokenError::ClaimMissing("client_id")),
        Fault::Error(TokenError::ClaimsMalformed("azp"))
    ]
    Scope "claims.scope" "scopes, where it is there" [Fault::Error(TokenError::ClaimsMalformed("scope"))]
    Confirmation "claims.cnf" "an object, where it is there" [Fault::Error(TokenError::ClaimsMalformed("cnf"))]
    Sender "sender" "who sends the token is who it is bound to" [
        Fault::Reason(Reason::SenderUnsupported),
        Fault::Reason(Reason::SenderUnbound),
        Fault::Reason(Reason::SenderMismatch)
    ]
    Route "route" "a configured route has this path and method" [Fault::Reason(Reason::RouteUnknown)]
    Scopes "route.scopes" "the token has every scope that the route needs" [Fault::Reason(Reason::ScopeMissing)]
    Policy "route.policy" "a policy permits it and none forbids it, where the route asks for one" [
        Fault::Reason(Reason::PolicyDenied),
        Fault::Reason(Reason::PolicyError)
    ]
    Context "context" "what the backend is to be told fits" [Fault::Reason(Reason::ContextTooLarge)]
    Record "record" "the decision is on record" [Fault::Reason(Reason::Internal)]
}

/// What a deny says where a check failed.
enum Fault {
    /// This reason, with any detail that no other check claims.
    Reason(Reason),
    /// This reason without a detail.
    Silent(Reason),
    /// Any reason, with a detail of what the envelope of the token failed.
    Envelope,
    /// The reason and the detail of this error.
    Error(TokenError),
    /// As `Error`, where the key or the claims failed what the header had passed.
    Late(TokenError),
}

impl Check {
    /// The check that a decision failed: what an audit line has as its reason and its detail. None for an allow, and for what
    /// is decided before or behind the gate.
    pub fn failed(reason: Reason, detail: Option<&str>) -> Option<Self> {
        let exact = |fault: &Fault| match fault {
            Fault::Reason(_) => false,
            Fault::Envelope => detail.is_some_and(Refusal::is_of_envelope),
            Fault::Silent(silent) => *silent == reason && detail.is_none(),
            Fault::Error(error) => Refusal::from(*error).says(reason, detail),
            Fault::Late(error) => Refusal::late(*error).says(reason, detail),
        };
        let any = |fault: &Fault| matches!(fault, Fault::Reason(any) if *any == reason);
        let by = |claims: &dyn Fn(&Fault) -> bool| {
            Self::ALL.iter().copied().find(|check| check.faults().iter().any(claims))
        };
        by(&exact).or_else(|| by(&any))
    }
}

impl Gate {
    /// What a check compares with, where that is a limit: from the configuration, or a bound of this gate. `route` is the
    /// template that the audit line names.
    pub fn limit(&self, check: Check, method: Option<&str>, route: Option<&str>) -> Option<String> {
        let rules = &self.rules;
        let seconds = |duration: std::time::Duration| format!("{} s", duration.as_secs());
        let matched = || {
            let mut routes = self.routes.iter();
            routes.find(|have| {
                Some(have.template.as_str()) == route
                    && have.methods.iter().any(|have| Some(have.as_str()) == method)
            })
        };
        Some(match check {
            Check::Method => format!("none of {}", credentials::METHOD_OVERRIDES.join(", ")),
            Check::Identity => joined(self.replaced.iter().map(String::as_str)),
            Check::Size => format!("{} bytes", rules.max_token_bytes),
            Check::Encryption | Check::Decryption => match self.decryption.encryption() {
                Encryption::Refused => "refused".to_owned(),
                Encryption::Accepted => "accepted".to_owned(),
                Encryption::Required => "required".to_owned(),
            },
            Check::Form => "3 segments".to_owned(),
            Check::Algorithm => joined(rules.algorithms.iter().map(|algorithm| algorithm.name())),
            Check::Type => {
                let untyped = rules.relaxed.contains(&Relaxation::UntypedTokens).then_some("any or none");
                joined(rules.types.iter().map(|typ| typ.as_typ()).chain(untyped))
            }
            Check::Kid => "1 to 128 of A-Z a-z 0-9 . _ -".to_owned(),
            Check::KeyOwner => format!("{}.sig", self.resolver.own()?),
            Check::Issuer => rules.issuer.clone(),
            Check::Audience => joined(rules.audiences.iter().map(String::as_str)),
            Check::Lifetime => rules.max_lifetime.map(seconds)?,
            Check::Expiry | Check::NotBefore | Check::IssuedAt => format!("skew {}", seconds(rules.skew)),
            Check::Sender => if self.must_be_bound { "bound" } else { "bound or not" }.to_owned(),
            Check::TokenId => if rules.require_jti { "required" } else { "optional" }.to_owned(),
            Check::Client => if rules.require_client_id { "required" } else { "optional" }.to_owned(),
            Check::Scopes => joined(matched()?.scopes.iter().map(String::as_str)),
            Check::Policy => if matched()?.policy { "permitted" } else { "not asked" }.to_owned(),
            Check::Context => {
                format!("{} bytes of {}", context::MAX_BYTES, joined(self.context.iter().map(String::as_str)))
            }
            Check::Path
            | Check::Credentials
            | Check::Characters
            | Check::Header
            | Check::Members
            | Check::Texts
            | Check::KeySource
            | Check::KeyKnown
            | Check::KeyUsable
            | Check::KeyAlgorithm
            | Check::Signature
            | Check::Claims
            | Check::Kind
            | Check::Times
            | Check::Subject
            | Check::Scope
            | Check::Confirmation
            | Check::Route
            | Check::Record => return None,
        })
    }
}

fn joined<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_is_of_a_check_or_of_another_part() {
        let elsewhere = [
            Reason::Allowed,
            Reason::RequestMalformed,
            Reason::BackendUnknown,
            Reason::RateLimited,
            Reason::MintFailed,
        ];
        for reason in Reason::ALL {
            let failed = Check::failed(*reason, Some("any detail"));
            assert_eq!(failed.is_none(), elsewhere.contains(reason), "{reason}");
        }
    }

    #[test]
    fn names_are_distinct_and_every_fault_is_of_one_check() {
        let names: HashSet<_> = Check::ALL.iter().map(|check| check.name()).collect();
        assert_eq!(names.len(), Check::ALL.len());
        for check in Check::ALL {
            for fault in check.faults() {
                let refusal = match fault {
                    Fault::Reason(reason) => {
                        Refusal { detail: Some("any".to_owned()), ..Refusal::from(*reason) }
                    }
                    Fault::Silent(reason) => Refusal::from(*reason),
                    Fault::Envelope => Refusal::from(TokenError::TooLarge).of_envelope(),
                    Fault::Error(error) => Refusal::from(*error),
                    Fault::Late(error) => Refusal::late(*error),
                };
                assert_eq!(
                    Check::failed(refusal.reason, refusal.detail.as_deref()),
                    Some(*check),
                    "{refusal:?}"
                );
            }
        }
    }
}
