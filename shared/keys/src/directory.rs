//! The directory store: private JWKs as files that only their owner can read. For a laptop and for tests.

use std::path::PathBuf;

/// `stores: { NAME: { directory: PATH } }`.
pub struct DirectoryStore {
    _root: PathBuf,
}

impl DirectoryStore {
    /// Opens the store; the folder is made on the first write.
    pub fn new(root: impl Into<PathBuf>) -> Self { Self { _root: root.into() } }
}
