//! Writing to the terminal, or to whatever stands in its place.

use std::io::{self, Write};

use crate::exit::Failure;

/// Writes text and a newline to stdout at once.
///
/// # Errors
/// When nobody reads it any more.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::new(format!("cannot write to stdout: {error}")))
}

/// Writes `drawbridge: <message>` to stderr. Where that is closed too, there is nobody to tell.
pub fn error_line(message: &str) {
    let _ = writeln!(io::stderr().lock(), "drawbridge: {message}");
}
