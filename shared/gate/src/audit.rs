use std::{
    io::Write,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use drawbridge_verify::{Relaxation, UnixTime};
use serde::Serialize;
use thiserror::Error;

use crate::Reason;

/// One decision on record. Nothing in it comes from an unverified token.
#[derive(Clone, Debug)]
pub struct AuditEvent<'a> {
    /// When.
    pub at: UnixTime,
    /// `gate` or `edge`: which side decided.
    pub subject: Subject,
    /// The backend.
    pub backend: &'a str,
    /// The request's id.
    pub request_id: &'a str,
    /// Allowed, or why not.
    pub reason: Reason,
    /// A detail for operators: which key failure, which claim. Never token text.
    pub detail: Option<&'a str>,
    /// Method, when it is a known one.
    pub method: Option<&'a str>,
    /// The matched route template; never the request's path.
    pub route: Option<&'a str>,
    /// Ids of the policies that decided.
    pub policies: &'a [String],
    /// Verified `sub`.
    pub principal: Option<&'a str>,
    /// Verified `iss`.
    pub issuer: Option<&'a str>,
    /// The kid that verified.
    pub kid: Option<&'a str>,
    /// Verified `jti`.
    pub jti: Option<&'a str>,
    /// Verified `txn`.
    pub txn: Option<&'a str>,
    /// Who connected.
    pub source_ip: Option<IpAddr>,
    /// Named weakenings in force.
    pub relaxed: &'a [Relaxation],
}

/// Which side of the bridge decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The gate of a backend.
    Gate,
    /// The edge, on a consumer's token.
    Edge,
}

/// The decision could not be put on record.
#[derive(Debug, Error)]
#[error("the audit line could not be written")]
pub struct AuditError(#[from] std::io::Error);

/// Where decisions go. Must not block for long and must not panic.
pub trait AuditSink: Send + Sync {
    /// Records one decision.
    ///
    /// # Errors
    /// When the decision is not on record. A gate then denies what it would have allowed: nobody passes unseen.
    fn record(&self, event: &AuditEvent<'_>) -> Result<(), AuditError>;
}

/// Records nothing: for `decide`, which prints its decisions.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAudit;

/// One object of OCSF's API Activity class a line, to a writer.
///
/// [API Activity](https://schema.ocsf.io/1.3.0/classes/api_activity) (class 6003) is the class that has a request's method and
/// route as `api.operation` and an authorisation decision with its policy in `actor.authorizations`. Authorize Session (3003)
/// is about privileges given to a new session, and Authentication (3002) about logging on. The profile `security_control` says
/// whether the request was let through.
pub struct OcsfLines<W> {
    output: Mutex<Output<W>>,
}

struct Output<W> {
    writer: W,
    /// The last line may have been written in part: the next one starts on a line of its own.
    torn: bool,
}

impl<'a> AuditEvent<'a> {
    /// An event that says no more than it must.
    pub fn new(
        at: UnixTime,
        subject: Subject,
        backend: &'a str,
        request_id: &'a str,
        reason: Reason,
    ) -> Self {
        Self {
            at,
            subject,
            backend,
            request_id,
            reason,
            detail: None,
            method: None,
            route: None,
            policies: &[],
            principal: None,
            issuer: None,
            kid: None,
            jti: None,
            txn: None,
            source_ip: None,
            relaxed: &[],
        }
    }
}

impl Subject {
    /// `gate` or `edge`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gate => "gate",
            Self::Edge => "edge",
        }
    }
}

impl AuditSink for NoAudit {
    fn record(&self, _event: &AuditEvent<'_>) -> Result<(), AuditError> {
        Ok(())
    }
}

impl<W: Write + Send> OcsfLines<W> {
    /// Writes to `writer`, each line in one call, and flushes it.
    pub fn new(writer: W) -> Self {
        Self { output: Mutex::new(Output { writer, torn: false }) }
    }
}

impl<W: Write + Send> AuditSink for OcsfLines<W> {
    fn record(&self, event: &AuditEvent<'_>) -> Result<(), AuditError> {
        let mut line = vec![b'\n'];
        serde_json::to_writer(&mut line, &Ocsf::from(event)).map_err(std::io::Error::from)?;
        line.push(b'\n');
        // A panic of the writer leaves nothing behind that `torn` does not cover.
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let start = usize::from(!output.torn);
        output.torn = true;
        output.writer.write_all(line.get(start..).unwrap_or_default())?;
        output.torn = false;
        output.writer.flush()?;
        Ok(())
    }
}

/// The event as OCSF names things. Optional members are left out rather than null.
#[derive(Serialize)]
struct Ocsf<'a> {
    time: i64,
    metadata: Metadata<'a>,
    category_uid: u32,
    category_name: &'static str,
    class_uid: u32,
    class_name: &'static str,
    activity_id: u32,
    activity_name: &'static str,
    type_uid: u32,
    severity_id: u32,
    severity: &'static str,
    status_id: u32,
    status: &'static str,
    status_code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_detail: Option<&'a str>,
    action_id: u32,
    action: &'static str,
    disposition_id: u32,
    disposition: &'static str,
    actor: Actor<'a>,
    api: Api<'a>,
    src_endpoint: Endpoint,
    unmapped: Unmapped<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    version: &'static str,
    product: Product,
    profiles: [&'static str; 1],
    log_name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_uid: Option<&'a str>,
}

#[derive(Serialize)]
struct Product {
    name: &'static str,
    vendor_name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Actor<'a> {
    user: User<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Session<'a>>,
    authorizations: Vec<Authorization<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum User<'a> {
    Uid(&'a str),
    Name(&'static str),
}

#[derive(Serialize)]
struct Session<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    issuer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential_uid: Option<&'a str>,
}

#[derive(Serialize)]
struct Authorization<'a> {
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<Policy<'a>>,
}

#[derive(Serialize)]
struct Policy<'a> {
    uid: &'a str,
}

#[derive(Serialize)]
struct Api<'a> {
    operation: String,
    service: Service<'a>,
    request: ApiRequest<'a>,
    response: ApiResponse,
}

#[derive(Serialize)]
struct Service<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct ApiRequest<'a> {
    uid: &'a str,
}

#[derive(Serialize)]
struct ApiResponse {
    code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Endpoint {
    Ip(IpAddr),
    Name(&'static str),
}

/// What OCSF has no place for.
#[derive(Serialize)]
struct Unmapped<'a> {
    decided_by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    relaxed: Vec<&'static str>,
}

impl<'a> From<&AuditEvent<'a>> for Ocsf<'a> {
    fn from(event: &AuditEvent<'a>) -> Self {
        let allowed = event.reason == Reason::Allowed;
        let status = event.reason.status();
        let (activity_id, activity_name) = match event.method {
            Some("POST") => (1, "Create"),
            Some("GET" | "HEAD" | "OPTIONS") => (2, "Read"),
            Some("PUT" | "PATCH") => (3, "Update"),
            Some("DELETE") => (4, "Delete"),
            _ => (0, "Unknown"),
        };
        let (severity_id, severity) = match status {
            200 => (1, "Informational"),
            500.. => (3, "Medium"),
            _ => (2, "Low"),
        };
        let (status_id, status_name) = if allowed { (1, "Success") } else { (2, "Failure") };
        let (action_id, action) = if allowed { (1, "Allowed") } else { (2, "Denied") };
        let (disposition_id, disposition) = if allowed { (1, "Allowed") } else { (2, "Blocked") };
        let decision = if allowed { "allowed" } else { "denied" };
        let authorizations = match event.policies {
            [] => vec![Authorization { decision, policy: None }],
            policies => {
                policies.iter().map(|uid| Authorization { decision, policy: Some(Policy { uid }) }).collect()
            }
        };
        Self {
            time: event.at.as_secs().saturating_mul(1000),
            metadata: Metadata {
                version: "1.3.0",
                product: Product {
                    name: "Drawbridge",
                    vendor_name: "Drawbridge",
                    version: env!("CARGO_PKG_VERSION"),
                },
                profiles: ["security_control"],
                log_name: "decisions",
                correlation_uid: event.txn,
            },
            category_uid: 6,
            category_name: "Application Activity",
            class_uid: 6003,
            class_name: "API Activity",
            activity_id,
            activity_name,
            type_uid: 600_300 + activity_id,
            severity_id,
            severity,
            status_id,
            status: status_name,
            status_code: event.reason.code(),
            status_detail: event.detail,
            action_id,
            action,
            disposition_id,
            disposition,
            actor: Actor {
                user: event.principal.map_or(User::Name("unauthenticated"), User::Uid),
                session: event.issuer.map(|issuer| Session {
                    uid: event.jti,
                    issuer,
                    credential_uid: event.kid,
                }),
                authorizations,
            },
            api: Api {
                operation: format!("{} {}", event.method.unwrap_or("-"), event.route.unwrap_or("-")),
                service: Service { name: event.backend },
                request: ApiRequest { uid: event.request_id },
                response: ApiResponse { code: status, error: event.reason.error_code() },
            },
            src_endpoint: event.source_ip.map_or(Endpoint::Name("unknown"), Endpoint::Ip),
            unmapped: Unmapped {
                decided_by: event.subject.name(),
                route: event.route,
                relaxed: event.relaxed.iter().map(|relaxation| relaxation.name()).collect(),
            },
        }
    }
}
