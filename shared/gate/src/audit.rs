use drawbridge_verify::{Relaxation, UnixTime};

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
    pub source_ip: Option<std::net::IpAddr>,
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

/// Where decisions go. Must not block and must not panic.
pub trait AuditSink: Send + Sync {
    /// Records one decision.
    fn record(&self, event: &AuditEvent<'_>);
}

/// Records nothing: for `decide`, which prints its decisions.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAudit;

impl AuditSink for NoAudit {
    fn record(&self, _event: &AuditEvent<'_>) {}
}

/// One OCSF `Authorize Session`/API Activity object a line, to a writer.
pub struct OcsfLines<W> {
    _writer: std::sync::Mutex<W>,
}

impl<W: std::io::Write + Send> OcsfLines<W> {
    /// Writes to `writer`.
    pub fn new(writer: W) -> Self { Self { _writer: std::sync::Mutex::new(writer) } }
}

impl<W: std::io::Write + Send> AuditSink for OcsfLines<W> {
    fn record(&self, event: &AuditEvent<'_>) { let _ = event; todo!() }
}
