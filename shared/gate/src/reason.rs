use std::fmt;

/// Declares [`Reason`] from one table: variant, stable code, status, and what it means.
macro_rules! reasons {
    ($($name:ident $code:literal $status:literal $description:literal)*) => {
        /// Why a request was decided as it was: the stable code of the audit log, `decide` and `explain`.
        ///
        /// The caller is told only the status and one of a few codes ([`error_code`](Self::error_code)).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $(#[doc = concat!("`", $code, "`: ", $description)] $name,)*
        }

        impl Reason {
            /// All of them, in the order of the pipeline.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status that a forward-auth client is answered with.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// What it means, for the reader of a log.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$name => $description,)* }
            }
        }
    };
}

reasons! {
    Allowed "allowed" 200 "every check held"

    RequestMalformed "request.malformed" 400 "no request of the documented form"
    MethodOverride "request.method_override" 400 "a header asks for another method than the request's"
    IdentityHeader "request.identity_header" 400 "a header says who the caller is, under a name that no gateway replaces"
    PathRefused "request.path_refused" 400 "two parsers may read the path differently"

    CredentialsMissing "credentials.missing" 401 "no token"
    CredentialsAmbiguous "credentials.ambiguous" 400 "more than one token, or one in the query"
    CredentialsScheme "credentials.scheme" 401 "an `Authorization` scheme other than `Bearer`"

    TokenTooLarge "token.too_large" 401 "the token is longer than the issuer's bound"
    TokenMalformed "token.malformed" 401 "no compact JWS, or not strict base64url and JSON"
    TokenHeaderRefused "token.header_refused" 401 "the token header has a member that is refused on sight, such as `jwk` or `crit`"
    TokenAlgNotAllowed "token.alg_not_allowed" 401 "the algorithm is not one of the issuer's, or not the key's"
    TokenTypeNotAllowed "token.type_not_allowed" 401 "`typ` is not one of the issuer's"
    TokenKidMissing "token.kid_missing" 401 "the token names no key"
    TokenKidMalformed "token.kid_malformed" 401 "the `kid` breaks the grammar"
    TokenEncryptionRefused "token.encryption_refused" 401 "an encrypted token where plain ones are configured"
    TokenEncryptionRequired "token.encryption_required" 401 "a plain token where encrypted ones are configured"
    TokenDecryptionFailed "token.decryption_failed" 401 "the token could not be decrypted"

    KeyForeign "key.foreign" 401 "the `kid` is another backend's or for another use; no source was asked"
    KeyUnknown "key.unknown" 401 "there is no such key, or it was revoked"
    KeyUnusable "key.unusable" 401 "there is such a key, but it may not be used: its use, algorithm, strength or pin"
    KeyUnavailable "key.unavailable" 503 "the key source is down or slow, or the fetch budget is used up"

    TokenSignatureInvalid "token.signature_invalid" 401 "the signature does not hold"
    TokenClaimsMalformed "token.claims_malformed" 401 "the claims are no strict JSON object, or one has the wrong type"
    TokenClaimMissing "token.claim_missing" 401 "a claim that the issuer's rules need is missing"
    TokenIssuerMismatch "token.issuer_mismatch" 401 "`iss` is another issuer"
    TokenAudienceMismatch "token.audience_mismatch" 401 "`aud` is another audience, or names more than one where one is required"
    TokenExpired "token.expired" 401 "`exp` has passed"
    TokenNotYetValid "token.not_yet_valid" 401 "`nbf` has not come"
    TokenIssuedInFuture "token.issued_in_future" 401 "`iat` has not come"
    TokenLifetimeTooLong "token.lifetime_too_long" 401 "`exp - iat` is longer than the issuer may sign for"

    SenderUnsupported "sender.unsupported" 401 "the token is bound to something that cannot be checked here"
    SenderMismatch "sender.mismatch" 401 "the token is bound to a client certificate, and its sender has shown another one or none"
    SenderUnbound "sender.unbound" 401 "the token is bound to nobody, and the backend takes bound tokens alone"

    BackendUnknown "backend.unknown" 403 "the edge has no backend at this path"
    RouteUnknown "route.unknown" 403 "no configured route has this path and method"
    ScopeMissing "scope.missing" 403 "the token lacks a scope that the route needs"
    PolicyDenied "policy.denied" 403 "no policy permits the request, or one forbids it"
    PolicyError "policy.error" 403 "a policy could not be evaluated on this request"
    ContextTooLarge "context.too_large" 403 "what the backend is to be told exceeds 4 KiB"

    RateLimited "rate.limited" 429 "too many requests"
    MintFailed "mint.failed" 503 "the bridge could not sign"
    Internal "internal" 503 "a failure inside Drawbridge, such as an audit line that could not be written"
}

impl Reason {
    /// What the caller is told: a code of RFC 6750 section 3.1 where one fits, else of RFC 6749 section 4.1.2.1. None when the
    /// request was allowed, or brought no credentials of a kind that is known here.
    pub const fn error_code(self) -> Option<&'static str> {
        match (self, self.status()) {
            (Self::Allowed | Self::CredentialsMissing | Self::CredentialsScheme, _) => None,
            (Self::ScopeMissing, _) => Some("insufficient_scope"),
            (_, 400) => Some("invalid_request"),
            (_, 401) => Some("invalid_token"),
            (_, 403) => Some("access_denied"),
            _ => Some("temporarily_unavailable"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::Reason;

    #[test]
    fn the_readme_has_every_reason_and_no_other() {
        let rows: Vec<_> =
            include_str!("../README.md").lines().filter(|line| line.starts_with("| `")).collect();
        let expected: Vec<_> = Reason::ALL
            .iter()
            .map(|reason| format!("| `{reason}` | {} | {} |", reason.status(), reason.description()))
            .collect();
        assert_eq!(rows, expected, "write:\n{}", expected.join("\n"));
    }

    #[test]
    fn codes_are_distinct() {
        let codes: HashSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
    }

    #[test]
    fn only_an_allow_has_status_200() {
        for reason in Reason::ALL {
            assert_eq!(reason.status() == 200, *reason == Reason::Allowed, "{reason}");
            assert!(matches!(reason.status(), 200 | 400 | 401 | 403 | 429 | 503), "{reason}");
        }
    }
}
