//! An audit event as OCSF names things, as one line of JSON.
//!
//! Every decision writes one, so that it is written as it stands, member by member: what never changes is text here, and only what
//! comes from configuration, gateway or token is looked at for what JSON must escape.

use std::fmt::Write as _;

use crate::{AuditEvent, Reason};

/// Writes the event as one JSON object. Optional members are left out rather than null.
pub(crate) fn write(line: &mut String, event: &AuditEvent<'_>) {
    let allowed = event.reason == Reason::Allowed;
    let status = event.reason.status();
    let (activity_id, activity) = match event.method {
        Some("POST") => ('1', "Create"),
        Some("GET" | "HEAD" | "OPTIONS") => ('2', "Read"),
        Some("PUT" | "PATCH") => ('3', "Update"),
        Some("DELETE") => ('4', "Delete"),
        _ => ('0', "Unknown"),
    };

    line.push_str(r#"{"time":"#);
    number(line, event.at.as_secs().saturating_mul(1000));
    line.push_str(concat!(
        r#","metadata":{"version":"1.3.0","product":{"name":"Drawbridge","vendor_name":"Drawbridge","version":""#,
        env!("CARGO_PKG_VERSION"),
        r#""},"profiles":["security_control"],"log_name":"decisions""#,
    ));
    member(line, r#","correlation_uid":"#, event.txn);
    line.push_str(
        r#"},"category_uid":6,"category_name":"Application Activity","class_uid":6003,"class_name":"API Activity","activity_id":"#,
    );
    line.push(activity_id);
    line.push_str(r#","activity_name":""#);
    line.push_str(activity);
    line.push_str(r#"","type_uid":60030"#);
    line.push(activity_id);
    line.push_str(match status {
        200 => r#","severity_id":1,"severity":"Informational""#,
        500.. => r#","severity_id":3,"severity":"Medium""#,
        _ => r#","severity_id":2,"severity":"Low""#,
    });
    line.push_str(if allowed {
        r#","status_id":1,"status":"Success","status_code":"#
    } else {
        r#","status_id":2,"status":"Failure","status_code":"#
    });
    text(line, event.reason.code());
    member(line, r#","status_detail":"#, event.detail);
    line.push_str(if allowed {
        r#","action_id":1,"action":"Allowed","disposition_id":1,"disposition":"Allowed","#
    } else {
        r#","action_id":2,"action":"Denied","disposition_id":2,"disposition":"Blocked","#
    });

    line.push_str(r#""actor":{"user":"#);
    match event.principal {
        Some(principal) => {
            line.push_str(r#"{"uid":"#);
            text(line, principal);
        }
        None => line.push_str(r#"{"name":"unauthenticated""#),
    }
    line.push('}');
    if let Some(issuer) = event.issuer {
        line.push_str(r#","session":{"issuer":"#);
        text(line, issuer);
        member(line, r#","uid":"#, event.jti);
        member(line, r#","credential_uid":"#, event.kid);
        line.push('}');
    }
    authorizations(line, event.policies, allowed);

    line.push_str(r#"},"api":{"operation":""#);
    escaped(line, event.method.unwrap_or("-"));
    line.push(' ');
    escaped(line, event.route.unwrap_or("-"));
    line.push_str(r#"","service":{"name":"#);
    text(line, event.backend);
    line.push_str(r#"},"request":{"uid":"#);
    text(line, event.request_id);
    line.push_str(r#"},"response":{"code":"#);
    number(line, i64::from(status));
    member(line, r#","error":"#, event.reason.error_code());

    match event.source_ip {
        Some(address) => {
            line.push_str(r#"}},"src_endpoint":{"ip":""#);
            // Digits, letters, dots and colons.
            let _ = write!(line, "{address}");
        }
        None => line.push_str(r#"}},"src_endpoint":{"name":"unknown"#),
    }

    // What OCSF has no place for.
    line.push_str(r#""},"unmapped":{"decided_by":"#);
    text(line, event.subject.name());
    member(line, r#","route":"#, event.route);
    for (index, relaxation) in event.relaxed.iter().enumerate() {
        line.push_str(if index == 0 { r#","relaxed":["# } else { "," });
        text(line, relaxation.name());
    }
    line.push_str(if event.relaxed.is_empty() { "}}" } else { "]}}" });
}

/// One for each policy that decided; one without a policy where none did.
fn authorizations(line: &mut String, policies: &[String], allowed: bool) {
    let decision = if allowed { r#"{"decision":"allowed""# } else { r#"{"decision":"denied""# };
    line.push_str(r#","authorizations":["#);
    line.push_str(decision);
    for (index, policy) in policies.iter().enumerate() {
        if index > 0 {
            line.push_str("},");
            line.push_str(decision);
        }
        line.push_str(r#","policy":{"uid":"#);
        text(line, policy);
        line.push('}');
    }
    line.push_str("}]");
}

fn member(line: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        line.push_str(name);
        text(line, value);
    }
}

fn text(line: &mut String, value: &str) {
    line.push('"');
    escaped(line, value);
    line.push('"');
}

/// The inside of a JSON string (RFC 8259 section 7).
fn escaped(line: &mut String, value: &str) {
    let must = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    // To the end in any case: a loop without a way out is done many bytes at a time, and nearly every text is plain.
    if !value.bytes().fold(false, |any, byte| any | must(byte)) {
        line.push_str(value);
        return;
    }
    for character in value.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            control if control < ' ' => {
                let _ = write!(line, "\\u{:04x}", u32::from(control));
            }
            plain => line.push(plain),
        }
    }
}

fn number(line: &mut String, value: i64) {
    // Writing to a string does not fail.
    let _ = write!(line, "{value}");
}

#[cfg(test)]
mod tests {
    use drawbridge_verify::{Relaxation, UnixTime};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::Subject;

    fn written(event: &AuditEvent<'_>) -> Value {
        let mut line = String::new();
        write(&mut line, event);
        assert!(!line.contains('\n'), "{line}");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    fn event(reason: Reason) -> AuditEvent<'static> {
        AuditEvent::new(UnixTime::from_secs(1_800_000_000), Subject::Gate, "orders", "r-1", reason)
    }

    #[test]
    fn an_allow_has_every_member() {
        let policies = ["own-region".to_owned(), "admins".to_owned()];
        let allow = AuditEvent {
            method: Some("GET"),
            route: Some("/customers/{customer}"),
            policies: &policies,
            principal: Some("ada"),
            issuer: Some("https://edge.example.com"),
            kid: Some("orders.sig.1"),
            jti: Some("j"),
            txn: Some("t"),
            source_ip: "2001:db8::1".parse().ok(),
            relaxed: &[Relaxation::UntypedTokens, Relaxation::HttpOnLoopback],
            ..event(Reason::Allowed)
        };
        let expected = json!({
            "time": 1_800_000_000_000_i64,
            "metadata": {
                "version": "1.3.0",
                "product": { "name": "Drawbridge", "vendor_name": "Drawbridge", "version": env!("CARGO_PKG_VERSION") },
                "profiles": ["security_control"], "log_name": "decisions", "correlation_uid": "t",
            },
            "category_uid": 6, "category_name": "Application Activity", "class_uid": 6003, "class_name": "API Activity",
            "activity_id": 2, "activity_name": "Read", "type_uid": 600_302, "severity_id": 1, "severity": "Informational",
            "status_id": 1, "status": "Success", "status_code": "allowed",
            "action_id": 1, "action": "Allowed", "disposition_id": 1, "disposition": "Allowed",
            "actor": {
                "user": { "uid": "ada" },
                "session": { "uid": "j", "issuer": "https://edge.example.com", "credential_uid": "orders.sig.1" },
                "authorizations": [
                    { "decision": "allowed", "policy": { "uid": "own-region" } },
                    { "decision": "allowed", "policy": { "uid": "admins" } },
                ],
            },
            "api": {
                "operation": "GET /customers/{customer}", "service": { "name": "orders" },
                "request": { "uid": "r-1" }, "response": { "code": 200 },
            },
            "src_endpoint": { "ip": "2001:db8::1" },
            "unmapped": {
                "decided_by": "gate", "route": "/customers/{customer}",
                "relaxed": ["accept_untyped_tokens", "allow_http_on_loopback"],
            },
        });
        assert_eq!(written(&allow), expected);
    }

    #[test]
    fn a_deny_of_nobody_has_no_empty_members() {
        let deny = AuditEvent { detail: Some("no token"), ..event(Reason::CredentialsMissing) };
        let expected = json!({
            "time": 1_800_000_000_000_i64,
            "metadata": {
                "version": "1.3.0",
                "product": { "name": "Drawbridge", "vendor_name": "Drawbridge", "version": env!("CARGO_PKG_VERSION") },
                "profiles": ["security_control"], "log_name": "decisions",
            },
            "category_uid": 6, "category_name": "Application Activity", "class_uid": 6003, "class_name": "API Activity",
            "activity_id": 0, "activity_name": "Unknown", "type_uid": 600_300, "severity_id": 2, "severity": "Low",
            "status_id": 2, "status": "Failure", "status_code": "credentials.missing", "status_detail": "no token",
            "action_id": 2, "action": "Denied", "disposition_id": 2, "disposition": "Blocked",
            "actor": { "user": { "name": "unauthenticated" }, "authorizations": [{ "decision": "denied" }] },
            "api": {
                "operation": "- -", "service": { "name": "orders" },
                "request": { "uid": "r-1" }, "response": { "code": 401 },
            },
            "src_endpoint": { "name": "unknown" },
            "unmapped": { "decided_by": "gate" },
        });
        assert_eq!(written(&deny), expected);
    }

    #[test]
    fn every_reason_and_method_is_written_with_its_numbers() {
        for reason in Reason::ALL {
            for (method, activity) in [
                ("POST", 1),
                ("GET", 2),
                ("HEAD", 2),
                ("OPTIONS", 2),
                ("PUT", 3),
                ("PATCH", 3),
                ("DELETE", 4),
            ] {
                let line = written(&AuditEvent { method: Some(method), ..event(*reason) });
                assert_eq!(line["activity_id"], activity);
                assert_eq!(line["type_uid"], 600_300 + activity);
                assert_eq!(line["status_code"], reason.code());
                assert_eq!(line["api"]["response"]["code"], reason.status());
                assert_eq!(line["api"]["response"].get("error").and_then(Value::as_str), reason.error_code());
                let severity = match reason.status() {
                    200 => 1,
                    500.. => 3,
                    _ => 2,
                };
                assert_eq!(line["severity_id"], severity, "{reason}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_can_end_its_string_or_its_line(text in any::<String>(), other in "[\"\\\\\u{0}-\u{1f}\u{7f}a\u{2028}é]{0,12}") {
            let policies = [text.clone(), other.clone()];
            let line = written(&AuditEvent {
                principal: Some(&text),
                issuer: Some(&other),
                kid: Some(&text),
                jti: Some(&other),
                txn: Some(&text),
                detail: Some(&other),
                route: Some(&text),
                policies: &policies,
                ..AuditEvent::new(UnixTime::from_secs(0), Subject::Edge, &other, &text, Reason::PolicyDenied)
            });
            let at = |pointer: &str| line.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            for (pointer, value) in [
                ("/actor/user/uid", &text),
                ("/actor/session/issuer", &other),
                ("/actor/session/credential_uid", &text),
                ("/actor/session/uid", &other),
                ("/metadata/correlation_uid", &text),
                ("/status_detail", &other),
                ("/unmapped/route", &text),
                ("/actor/authorizations/0/policy/uid", &text),
                ("/actor/authorizations/1/policy/uid", &other),
                ("/api/service/name", &other),
                ("/api/request/uid", &text),
            ] {
                prop_assert_eq!(at(pointer), Some(value.clone()), "{}", pointer);
            }
            prop_assert_eq!(at("/api/operation"), Some(format!("- {text}")));
        }
    }
}
