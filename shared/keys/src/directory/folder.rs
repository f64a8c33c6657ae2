use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::ErrorKind,
    ops::Deref,
    path::{Path, PathBuf},
};

use drawbridge_verify::{KeyUse, PublicJwk, UnixTime};

use super::{file, version::VersionId};
use crate::{BackendName, KeyAlgorithm, PrivateJwk, StoreError};

/// The versions of one backend's keys of one use. Its path is made of grammars that know no `/`, `\` or leading dot.
pub(super) struct Folder {
    root: PathBuf,
    path: PathBuf,
}

/// A folder that nobody else changes for as long as this lives.
pub(super) struct Locked {
    folder: Folder,
    _lock: File,
}

/// Which versions a folder has, and whether they are revoked.
pub(super) struct Versions(BTreeMap<VersionId, bool>);

const PRIVATE: &str = "jwk";
const REVOKED: &str = "revoked";

/// The backends that have a folder with a version in it.
pub(super) fn backends(root: &Path) -> Result<Vec<BackendName>, StoreError> {
    let mut backends = BTreeSet::new();
    for entry in fs::read_dir(root).map_err(|error| unusable(root, &error))? {
        let name = entry.map_err(|error| unusable(root, &error))?.file_name();
        let Some((backend, key_use)) = name.to_str().and_then(|name| name.split_once('.')) else { continue };
        let key_use = match key_use {
            "sig" => KeyUse::Signing,
            "enc" => KeyUse::Encryption,
            _ => continue,
        };
        let Ok(backend) = backend.parse::<BackendName>() else { continue };
        if Folder::new(root, &backend, key_use).versions()?.current().is_some() {
            backends.insert(backend);
        }
    }
    Ok(backends.into_iter().collect())
}

impl Folder {
    pub(super) fn new(root: &Path, backend: &BackendName, key_use: KeyUse) -> Self {
        Self { root: root.to_owned(), path: root.join(format!("{backend}.{}", key_use.name())) }
    }

    /// Makes it where it is not there yet.
    pub(super) fn made(self) -> Result<Self, StoreError> {
        file::make_folder(&self.path)?;
        Ok(self)
    }

    /// Waits for everybody else who changes it. `NotFound` where it is not there.
    pub(super) fn locked(self) -> Result<Locked, StoreError> {
        if !self.exists()? {
            return Err(StoreError::NotFound);
        }
        let lock = file::lock(&self.path)?;
        Ok(Locked { folder: self, _lock: lock })
    }

    /// The private key of a version that is not revoked.
    pub(super) fn private(&self, version: VersionId) -> Result<PrivateJwk, StoreError> {
        if !self.exists()? {
            return Err(StoreError::NotFound);
        }
        let path = self.file(version, PRIVATE);
        let content = file::read(&path)?.ok_or(StoreError::NotFound)?;
        PrivateJwk::parse(&content).map_err(|error| not_a_key(&path, error))
    }

    /// The current version and its private key.
    pub(super) fn current(&self) -> Result<(VersionId, PrivateJwk), StoreError> {
        // A rotation may withdraw the version between the two steps; then there is a newer one.
        for _ in 0..3 {
            let current = self.versions()?.current().ok_or(StoreError::NotFound)?;
            match self.private(current) {
                Ok(key) => return Ok((current, key)),
                Err(StoreError::NotFound) => continue,
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::NotFound)
    }

    /// The algorithm of a version, revoked or not.
    pub(super) fn algorithm(&self, version: VersionId) -> Result<KeyAlgorithm, StoreError> {
        match self.private(version) {
            Ok(key) => return Ok(key.algorithm()),
            Err(StoreError::NotFound) => {}
            Err(error) => return Err(error),
        }
        let path = self.file(version, REVOKED);
        let content = file::read(&path)?.ok_or(StoreError::NotFound)?;
        // Whoever was interrupted while revoking left the private key, which is not used either way.
        if let Ok(key) = PrivateJwk::parse(&content) {
            return Ok(key.algorithm());
        }
        let public = PublicJwk::parse(&content).ok();
        public
            .and_then(|key| KeyAlgorithm::of(&key))
            .ok_or_else(|| file::malformed(&path, "not a public JWK", "it is a revoked version: remove it"))
    }

    /// Which versions there are; none where the folder is not there. Other files are nobody's business.
    pub(super) fn versions(&self) -> Result<Versions, StoreError> {
        let mut versions = BTreeMap::new();
        if !self.exists()? {
            return Ok(Versions(versions));
        }
        for entry in fs::read_dir(&self.path).map_err(|error| unusable(&self.path, &error))? {
            let name = entry.map_err(|error| unusable(&self.path, &error))?.file_name();
            let Some((version, state)) = name.to_str().and_then(|name| name.split_once('.')) else {
                continue;
            };
            let Ok(version) = version.parse::<VersionId>() else { continue };
            match state {
                PRIVATE => _ = versions.entry(version).or_insert(false),
                // Seen in both states while it is renamed: the later one counts.
                REVOKED => _ = versions.insert(version, true),
                _ => {}
            }
        }
        Ok(Versions(versions))
    }

    /// Whether the folder is there. The root must be, and neither may be changed by others.
    fn exists(&self) -> Result<bool, StoreError> {
        for folder in [&self.root, &self.path] {
            let metadata = match fs::metadata(folder) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == ErrorKind::NotFound && *folder == self.path => {
                    return Ok(false);
                }
                Err(error) => return Err(unusable(folder, &error)),
            };
            if !metadata.is_dir() {
                return Err(unusable(folder, &ErrorKind::NotADirectory.into()));
            }
            file::is_private(folder, &metadata, 0o022, "700")?;
        }
        Ok(true)
    }

    fn file(&self, version: VersionId, state: &str) -> PathBuf {
        self.path.join(format!("{version}.{state}"))
    }
}

impl Locked {
    /// Adds a version.
    pub(super) fn add(&self, version: VersionId, key: &PrivateJwk) -> Result<(), StoreError> {
        file::write(&self.path, &format!("{version}.{PRIVATE}"), key.to_json().as_bytes())
    }

    /// Withdraws a version by one rename; then its private half goes.
    pub(super) fn withdraw(&self, version: VersionId) -> Result<(), StoreError> {
        let (private, revoked) = (format!("{version}.{PRIVATE}"), format!("{version}.{REVOKED}"));
        file::rename(&self.path, &private, &revoked)?;
        let path = self.file(version, REVOKED);
        // What is no private key has no private half, and is revoked all the same.
        let content = file::read(&path)?.ok_or(StoreError::NotFound)?;
        match PrivateJwk::parse(&content) {
            Ok(key) => file::write(&self.path, &revoked, key.public().to_json().as_bytes()),
            Err(_) => Ok(()),
        }
    }
}

impl Deref for Locked {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}

impl Versions {
    /// The newest that is not revoked.
    pub(super) fn current(&self) -> Option<VersionId> {
        self.0.iter().rev().find(|(_, revoked)| !**revoked).map(|(version, _)| *version)
    }

    /// Whether a version is revoked; nothing for one that is not there.
    pub(super) fn state(&self, version: VersionId) -> Option<bool> {
        self.0.get(&version).copied()
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = (VersionId, bool)> {
        self.0.iter().rev().map(|(version, revoked)| (*version, *revoked))
    }

    /// The versions that are published but not current, each with the moment when the next one was made.
    pub(super) fn superseded(&self) -> impl Iterator<Item = (VersionId, UnixTime)> {
        let published = || self.0.iter().filter(|(_, revoked)| !**revoked).map(|(version, _)| *version);
        published().zip(published().skip(1)).map(|(older, newer)| (older, newer.created()))
    }
}

fn unusable(folder: &Path, error: &std::io::Error) -> StoreError {
    let path = folder.display();
    match error.kind() {
        ErrorKind::NotFound => StoreError::Unavailable(format!(
            "the folder `{path}` does not exist; mend `directory`, or make the first key with `drawbridge keys create`"
        )),
        ErrorKind::NotADirectory => StoreError::Unavailable(format!(
            "`{path}` is a file, not a folder; name a folder as the `directory` of the store"
        )),
        _ => file::refused(folder, error),
    }
}

fn not_a_key(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Malformed(what) => file::malformed(
            path,
            "not a private JWK",
            &format!("{what}: restore it from a backup, or move it away and rotate"),
        ),
        other => other,
    }
}
