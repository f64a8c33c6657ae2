//! The table of checks with what became of each.

use std::fmt::Write;

use drawbridge_gate::{Check, Decision, Gate};
use serde_json::{Value, json};

use super::seen::Seen;

/// An explained decision.
pub(super) struct Report<'a> {
    pub(super) backend: &'a str,
    pub(super) seen: &'a Seen<'a>,
    pub(super) rows: Vec<Row>,
}

/// One check.
pub(super) struct Row {
    check: Check,
    result: CheckResult,
    value: Option<String>,
    limit: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CheckResult {
    Held,
    Failed,
    NotReached,
}

impl CheckResult {
    fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Failed => "failed",
            Self::NotReached => "not reached",
        }
    }
}

/// The whole table, split at the check that failed. `for_route`: whether there was a request, and not a token alone.
pub(super) fn rows(gate: &Gate, seen: &Seen<'_>, failed: Option<Check>, for_route: bool) -> Vec<Row> {
    let (method, route) = (seen.testimony.method.as_deref(), seen.testimony.route.as_deref());
    let row = |check: &Check| {
        let check = *check;
        let not_asked = match check {
            Check::Record => Some("nothing is recorded here"),
            _ if !for_route && OF_REQUESTS.contains(&check) => Some("no request"),
            _ => None,
        };
        let result = match failed {
            Some(failed) if failed == check => CheckResult::Failed,
            Some(failed) if failed < check => CheckResult::NotReached,
            _ if not_asked.is_some() => CheckResult::NotReached,
            _ if failed.is_none() && matches!(seen.decision, Decision::Deny(_)) => CheckResult::NotReached,
            _ => CheckResult::Held,
        };
        let value = match result {
            CheckResult::NotReached => not_asked.map(str::to_owned),
            CheckResult::Held | CheckResult::Failed => seen.value(check),
        };
        Row { check, result, value, limit: gate.limit(check, method, route) }
    };
    Check::ALL.iter().map(row).collect()
}

/// What cannot be asked of a token alone.
const OF_REQUESTS: [Check; 6] =
    [Check::Method, Check::Path, Check::Route, Check::Scopes, Check::Policy, Check::Context];

impl Report<'_> {
    pub(super) fn human(&self) -> String {
        let width =
            |text: fn(&Row) -> &str| self.rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0);
        let result = width(|row| row.result.name());
        let check = width(|row| row.check.name());
        let value = width(|row| row.value.as_deref().unwrap_or_default()).min(MAX_COLUMN);
        let mut text = format!("backend {}, at {}\n\n", self.backend, self.at());
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{:result$}  {:check$}  {:value$}  limit", "", "check", "value");
        for row in &self.rows {
            let (seen, limit) = (row.value.as_deref().unwrap_or("-"), row.limit.as_deref().unwrap_or("-"));
            let line =
                format!("{:result$}  {:check$}  {seen:value$}  {limit}", row.result.name(), row.check.name());
            let _ = writeln!(text, "{}", line.trim_end());
        }
        let reason = self.seen.decision.reason();
        let verdict = if matches!(self.seen.decision, Decision::Allow(_)) { "allowed" } else { "denied" };
        let _ = write!(text, "\n{verdict}: {reason} ({}): {}", reason.status(), reason.description());
        if let Some(failed) = self.failed() {
            let _ = write!(text, "\n  {}: {}", failed.check.name(), failed.check.holds());
        }
        if let Some(detail) = &self.seen.testimony.detail {
            let _ = write!(text, "\n  {detail}");
        }
        text
    }

    pub(super) fn json(&self) -> String {
        let reason = self.seen.decision.reason();
        let rows: Vec<_> = self.rows.iter().map(Row::object).collect();
        json!({
            "backend": self.backend,
            "at": self.seen.now.as_secs(),
            "decision": if matches!(self.seen.decision, Decision::Allow(_)) { "allow" } else { "deny" },
            "status": reason.status(),
            "reason": reason.code(),
            "detail": self.seen.testimony.detail,
            "checks": rows,
        })
        .to_string()
    }

    fn failed(&self) -> Option<&Row> {
        self.rows.iter().find(|row| row.result == CheckResult::Failed)
    }

    fn at(&self) -> String {
        let seconds = self.seen.now.as_secs();
        jiff::Timestamp::from_second(seconds)
            .map_or_else(|_| seconds.to_string(), |at| format!("{at} ({seconds})"))
    }
}

impl Row {
    fn object(&self) -> Value {
        json!({
            "check": self.check.name(),
            "holds": self.check.holds(),
            "result": self.result.name(),
            "value": self.value,
            "limit": self.limit,
        })
    }
}

/// Longer values push their limit to the right instead of all limits.
const MAX_COLUMN: usize = 40;
