//! Log lines beside the audit: one JSON object a line on stdout.

use std::io::{self, Write};

/// Something an operator may want to know.
pub(crate) fn info(message: &str) {
    line("info", message);
}

/// Why the bridge did not start or stopped.
pub fn log_error(message: &str) {
    line("error", message);
}

fn line(level: &str, message: &str) {
    let line = serde_json::json!({ "level": level, "message": message });
    // A log that cannot be written must not stop a decision.
    let _ = writeln!(io::stdout().lock(), "{line}");
}
