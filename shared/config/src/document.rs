//! Other documents than the configuration, read with the same care: every mistake at once, with its place and the mend.
//!
//! A reader is a function of a [`Node`] and the [`Report`]. It reports what is wrong at the node's place and goes on;
//! [`Reported`] proves that there was something.

use std::path::Path;

use crate::{Mistakes, load, yaml};
pub use crate::{
    diagnostics::{Report, Reported, quote},
    tree::{Fields, Node, Place, Value, boolean, fields, items, word},
    values::text,
};

/// Reads a file of YAML or JSON. `least` says what to write into one that is empty.
///
/// # Errors
/// Every mistake in it; also when it cannot be read.
pub fn read_file<T>(
    file: &Path,
    least: &str,
    read: impl FnOnce(&Node, &Report) -> Result<T, Reported>,
) -> Result<T, Mistakes> {
    let report = Report::new(&file.display().to_string());
    let result = match load::read(file) {
        Ok(text) => yaml::parse(&text, least, &report).and_then(|root| read(&root, &report)),
        Err(error) => Err(report.whole(format!("cannot be read: {error}"))),
    };
    match result {
        Ok(read) if report.is_empty() => Ok(read),
        _ => Err(report.into_mistakes()),
    }
}
