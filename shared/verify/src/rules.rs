use std::time::Duration;

use crate::{Admitted, Algorithms, TokenError, Unverified};

/// What a verifier demands of the tokens of one issuer for one audience. Built from configuration alone.
#[derive(Clone, Debug)]
pub struct Rules {
    /// `iss`, compared byte for byte (RFC 8725 section 3.8).
    pub issuer: String,
    /// `aud` must contain one of these.
    pub audiences: Vec<String>,
    /// Whether `aud` must be that one value alone, as in bridged tokens.
    pub single_audience: bool,
    /// Allowed `alg` values; no default.
    pub algorithms: Algorithms,
    /// Allowed `typ` values, compared as media types (RFC 8725 section 3.11).
    pub types: Vec<MediaType>,
    /// The longest `exp - iat`; `None` for issuers whose lifetime is not ours to bound.
    pub max_lifetime: Option<Duration>,
    /// Tolerated clock difference, for `exp`, `nbf` and `iat`. At most 60 seconds.
    pub skew: Duration,
    /// Whether `jti` must be there.
    pub require_jti: bool,
    /// Whether `client_id` must be there (RFC 9068 section 2.2).
    pub require_client_id: bool,
    /// Bound of the whole compact token in bytes.
    pub max_token_bytes: usize,
    /// Named weakenings that the configuration asked for.
    pub relaxed: Vec<Relaxation>,
}

/// A named weakening of a safe default; every decision made under it is logged with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Relaxation {
    /// `accept_untyped_tokens`: the issuer sets no `typ`, or only `JWT`.
    UntypedTokens,
    /// `accept_keys_without_alg`: the issuer's keys name no `alg`; the one configured algorithm of the key type is taken.
    KeysWithoutAlg,
    /// `allow_http_on_loopback`: keys are fetched over plain HTTP from this machine.
    HttpOnLoopback,
}

impl Relaxation {
    /// The name in the configuration and in the log.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UntypedTokens => "accept_untyped_tokens",
            Self::KeysWithoutAlg => "accept_keys_without_alg",
            Self::HttpOnLoopback => "allow_http_on_loopback",
        }
    }
}

/// A `typ` value as a media type: lower case, with `application/` in front where the text has no slash (RFC 7515 section 4.1.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType(String);

impl MediaType {
    /// Normalises `text`.
    pub fn new(text: &str) -> Self {
        todo!("{text}")
    }

    /// Whether a token's `typ` names this type.
    pub fn matches(&self, typ: &str) -> bool {
        todo!("{typ}")
    }

    /// The short form that a token carries: without `application/`.
    pub fn as_typ(&self) -> &str {
        self.0.strip_prefix("application/").unwrap_or(&self.0)
    }
}

impl Rules {
    /// Applies every rule that needs no key: algorithm, type, presence and grammar of the kid.
    ///
    /// # Errors
    /// `AlgorithmNotAllowed`, `TypeNotAllowed`, `KidMissing`, `KidMalformed`.
    pub fn admit<'r, 't>(&'r self, token: Unverified<'t>) -> Result<Admitted<'r, 't>, TokenError> {
        let _ = token;
        todo!()
    }
}
