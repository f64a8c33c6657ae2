//! Decisions as people read them, from the audit lines of the parts.

use serde::Deserialize;
use serde_json::{Value, json};

/// What `up` shows of an audit line; the line itself is an OCSF API Activity.
#[derive(Debug)]
pub(super) struct DecisionLine {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    time: i64,
    subject: String,
    backend: String,
    allowed: bool,
    status: u16,
    reason: String,
    detail: Option<String>,
    operation: String,
    principal: Option<String>,
    issuer: Option<String>,
    kid: Option<String>,
    txn: Option<String>,
    request_id: Option<String>,
    policies: Vec<String>,
    relaxed: Vec<String>,
}

impl DecisionLine {
    /// The decision on an audit line; None for any other line.
    pub(super) fn parse(line: &str) -> Option<Self> {
        if !line.starts_with('{') {
            return None;
        }
        let Ocsf {
            time,
            class_uid: 6003,
            action_id,
            status_code,
            status_detail,
            metadata,
            actor,
            api,
            unmapped,
        } = serde_json::from_str(line).ok()?
        else {
            return None;
        };
        let session = actor.session.unwrap_or_default();
        Some(Self {
            time,
            subject: unmapped.decided_by,
            backend: api.service.name,
            allowed: action_id == 1,
            status: api.response.code,
            reason: status_code,
            detail: status_detail,
            operation: api.operation,
            principal: actor.user.uid,
            issuer: session.issuer,
            kid: session.credential_uid,
            txn: metadata.correlation_uid,
            request_id: api.request.uid,
            policies: actor
                .authorizations
                .into_iter()
                .filter_map(|by| by.policy)
                .map(|policy| policy.uid)
                .collect(),
            relaxed: unmapped.relaxed,
        })
    }

    /// For programs.
    pub(super) fn json(&self, part: &str) -> Value {
        json!({
            "event": "decision",
            "time": self.time,
            "process": part,
            "subject": self.subject,
            "backend": self.backend,
            "decision": if self.allowed { "allow" } else { "deny" },
            "status": self.status,
            "reason": self.reason,
            "detail": self.detail,
            "operation": self.operation,
            "principal": self.principal,
            "issuer": self.issuer,
            "kid": self.kid,
            "txn": self.txn,
            "request_id": self.request_id,
            "policies": self.policies,
            "relaxed": self.relaxed,
        })
    }

    /// For people: time, who decided, what, about whom and why.
    pub(super) fn human(&self, colour: bool) -> String {
        let at = jiff::Timestamp::from_millisecond(self.time)
            .map_or_else(|_| "--:--:--".to_owned(), |at| at.strftime("%H:%M:%S").to_string());
        let (word, paint) = if self.allowed { ("allow", GREEN) } else { ("deny ", RED) };
        let (paint, plain) = if colour { (paint, PLAIN) } else { ("", "") };
        let principal = self.principal.as_deref().unwrap_or("-");
        let mut line = format!(
            "{at} {paint}{word}{plain} {:<4} {:<12} {:<32} {principal:<12} {}",
            self.subject, self.backend, self.operation, self.reason
        );
        let policies = self.policies.iter().map(String::as_str);
        for said in self.detail.as_deref().into_iter().chain(policies).chain(self.kid.as_deref()) {
            line.push_str("  ");
            line.push_str(said);
        }
        line
    }
}

#[derive(Deserialize)]
struct Ocsf {
    time: i64,
    class_uid: u32,
    action_id: u32,
    status_code: String,
    status_detail: Option<String>,
    metadata: Metadata,
    actor: Actor,
    api: Api,
    unmapped: Unmapped,
}

#[derive(Deserialize)]
struct Metadata {
    correlation_uid: Option<String>,
}

#[derive(Deserialize)]
struct Actor {
    user: User,
    session: Option<Session>,
    #[serde(default)]
    authorizations: Vec<Authorization>,
}

#[derive(Deserialize)]
struct Authorization {
    policy: Option<Policy>,
}

#[derive(Deserialize)]
struct Policy {
    uid: String,
}

#[derive(Deserialize)]
struct User {
    uid: Option<String>,
}

#[derive(Default, Deserialize)]
struct Session {
    issuer: Option<String>,
    credential_uid: Option<String>,
}

#[derive(Deserialize)]
struct Api {
    operation: String,
    service: Service,
    request: ApiRequest,
    response: ApiResponse,
}

#[derive(Deserialize)]
struct Service {
    name: String,
}

#[derive(Deserialize)]
struct ApiRequest {
    uid: Option<String>,
}

#[derive(Deserialize)]
struct ApiResponse {
    code: u16,
}

#[derive(Deserialize)]
struct Unmapped {
    decided_by: String,
    #[serde(default)]
    relaxed: Vec<String>,
}

const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[31m";
const PLAIN: &str = "\u{1b}[0m";

#[cfg(test)]
mod tests {
    use drawbridge_gate::{AuditEvent, AuditSink, OcsfLines, Reason, Subject};
    use drawbridge_verify::UnixTime;

    use super::*;

    fn recorded(event: &AuditEvent<'_>) -> String {
        let mut line = Vec::new();
        OcsfLines::new(&mut line).record(event).unwrap();
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn an_audit_line_is_shown_as_one_readable_line() {
        let mut event =
            AuditEvent::new(UnixTime::from_secs(3661), Subject::Gate, "orders", "r-1", Reason::Allowed);
        event.method = Some("GET");
        event.route = Some("/customers/{customer}");
        event.principal = Some("demo");
        event.issuer = Some("https://edge.example.com");
        event.kid = Some("orders.sig.1");
        let decision = DecisionLine::parse(&recorded(&event)).unwrap();
        let line = decision.human(false);
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(
            words,
            [
                "01:01:01",
                "allow",
                "gate",
                "orders",
                "GET",
                "/customers/{customer}",
                "demo",
                "allowed",
                "orders.sig.1"
            ]
        );
        assert!(decision.human(true).contains(GREEN));
        let json = decision.json("aws-gateway");
        assert_eq!(json["decision"], "allow");
        assert_eq!(json["kid"], "orders.sig.1");
        assert_eq!(json["status"], 200);
    }

    #[test]
    fn a_denial_says_why() {
        let mut event =
            AuditEvent::new(UnixTime::from_secs(0), Subject::Edge, "orders", "r-1", Reason::ScopeMissing);
        event.detail = Some("customers:read");
        let line = DecisionLine::parse(&recorded(&event)).unwrap().human(false);
        assert!(line.contains("deny  edge") && line.contains("scope.missing  customers:read"), "{line}");
    }

    #[test]
    fn other_lines_are_no_decisions() {
        for line in
            ["", "listening", "{}", r#"{"class_uid":6003}"#, r#"{"class_uid":3002,"time":1}"#, "{\"a\":"]
        {
            assert!(DecisionLine::parse(line).is_none(), "{line}");
        }
    }
}
