//! Log lines: JSON on stdout, which the host logs as information.

use std::io::{self, Write};

/// Something an operator may want to know.
pub(crate) fn info(message: &str) {
    line("info", message);
}

/// Something an operator should look at.
pub(crate) fn warn(message: &str) {
    line("warn", message);
}

fn line(level: &str, message: &str) {
    let line = serde_json::json!({ "level": level, "message": message });
    // A log that cannot be written must not stop a decision.
    let _ = writeln!(io::stdout().lock(), "{line}");
}
