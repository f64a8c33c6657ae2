use drawbridge_verify::UnixTime;

use crate::Reason;

/// What the gate decided about one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The request goes on.
    Allow(Allow),
    /// It does not.
    Deny(Deny),
}

/// Who the caller is and what the backend is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    /// `sub`.
    pub principal: String,
    /// `iss`.
    pub issuer: String,
    /// The kid that signed.
    pub kid: String,
    /// Claim → flat visible-ASCII string, in the order of `context` in the configuration. Header names are
    /// `x-drawbridge-<claim>` with `_` as `-`; in API Gateway's context the key is the claim.
    pub context: Vec<(String, String)>,
    /// The template of the matched route.
    pub route: String,
    /// `exp`: nothing may remember this decision for longer.
    pub expires_at: UnixTime,
    /// Id of this request in the audit log.
    pub request_id: String,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deny {
    /// The stable reason, for the log.
    pub reason: Reason,
    /// The scopes that the route needs, for `insufficient_scope`.
    pub required_scope: Option<String>,
    /// Known once the token was verified, for the log only.
    pub principal: Option<String>,
    /// As `principal`.
    pub issuer: Option<String>,
    /// As `principal`.
    pub kid: Option<String>,
    /// Id of this request in the audit log.
    pub request_id: String,
}

impl Deny {
    /// A deny that knows no more than its reason.
    pub fn new(reason: Reason, request_id: impl Into<String>) -> Self {
        Self {
            reason,
            required_scope: None,
            principal: None,
            issuer: None,
            kid: None,
            request_id: request_id.into(),
        }
    }
}

impl Decision {
    /// `Allowed`, or why not.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Allow(_) => Reason::Allowed,
            Self::Deny(deny) => deny.reason,
        }
    }
}
