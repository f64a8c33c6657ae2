//! Log lines beside the audit: one JSON object a line on stdout, which clouds read as structured logs.

use std::io::{self, Write};

use serde_json::{Map, Value};

/// Something an operator may want to know.
pub fn info(message: &str) {
    line("info", message, &[]);
}

/// Something an operator should look at.
pub fn warn(message: &str) {
    line("warn", message, &[]);
}

/// Why a process did not start, or stopped.
pub fn error(message: &str) {
    line("error", message, &[]);
}

/// A line with more than its message: fields of the caller's own, `level` and `message` not among them.
pub fn line(level: &str, message: &str, fields: &[(&str, Value)]) {
    // A log that cannot be written must not stop a decision.
    let _ = writeln!(io::stdout().lock(), "{}", object(level, message, fields));
}

fn object(level: &str, message: &str, fields: &[(&str, Value)]) -> Value {
    let mut line: Map<String, Value> = [("level", level), ("message", message)]
        .map(|(name, value)| (name.to_owned(), value.into()))
        .into_iter()
        .collect();
    line.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_said_stays_one_line() {
        let text = "a\r\n{\"level\":\"error\"}\u{2028}";
        let line = object("info", text, &[("status", 200.into()), ("id", text.into())]).to_string();
        assert_eq!(line.lines().count(), 1);
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read, serde_json::json!({ "level": "info", "message": text, "status": 200, "id": text }));
    }
}
