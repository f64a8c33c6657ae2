use std::path::Path;

use crate::{Config, Mistakes};

/// Reads environment variables; tests bring their own.
pub trait Environment {
    /// The value of `name`, if it is set and not empty.
    fn var(&self, name: &str) -> Option<String>;
}

/// The process's environment.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

/// Parses and checks a document. Paths in it are relative to `folder`.
///
/// # Errors
/// Every mistake in it.
pub fn load(text: &str, file: &str, folder: &Path) -> Result<Config, Mistakes> {
    let _ = (text, file, folder);
    todo!()
}

/// Reads, parses and checks a file.
///
/// # Errors
/// As [`load`]; also when the file cannot be read.
pub fn load_file(file: &Path) -> Result<Config, Mistakes> {
    let _ = file;
    todo!()
}

/// `DRAWBRIDGE_CONFIG`: names a file or holds the document; `./drawbridge.yaml` when not set.
///
/// # Errors
/// As [`load_file`].
pub fn load_from_environment(environment: &dyn Environment) -> Result<Config, Mistakes> {
    let _ = environment;
    todo!()
}
