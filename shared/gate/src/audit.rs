use std::{
    io::Write,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use drawbridge_verify::{Relaxation, UnixTime};
use thiserror::Error;

use crate::{Reason, ocsf};

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
    /// The last line, whose memory the next one takes.
    line: String,
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
        Self { output: Mutex::new(Output { writer, line: String::new(), torn: false }) }
    }
}

impl<W: Write + Send> AuditSink for OcsfLines<W> {
    fn record(&self, event: &AuditEvent<'_>) -> Result<(), AuditError> {
        // A panic of the writer leaves nothing behind that `torn` does not cover.
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let Output { writer, line, torn } = &mut *output;
        line.clear();
        line.push('\n');
        ocsf::write(line, event);
        line.push('\n');
        let start = usize::from(!*torn);
        *torn = true;
        writer.write_all(line.as_bytes().get(start..).unwrap_or_default())?;
        *torn = false;
        writer.flush()?;
        // A detail or a claim may have been long once.
        line.shrink_to(MAX_KEPT);
        Ok(())
    }
}

/// Bytes of memory that are kept for the next line: most have some 1100.
const MAX_KEPT: usize = 4096;
