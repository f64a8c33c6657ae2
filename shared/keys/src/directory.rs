//! The directory store: private JWKs as files that only their owner can read. For a laptop, for tests, and for one machine.
//!
//! ```text
//! ROOT/                                            0700
//! └── orders.sig/                                  0700   one folder for each backend and use
//!     ├── 0198c5e2-7a10-7cc2-9d4e-3f6f0f1f2a11.jwk       0600   a published version: the private JWK
//!     ├── 0198c5f1-02b3-7e61-8f0a-51d2c3b4a596.jwk       0600   the newest of them is the current one
//!     ├── 0198b001-93d4-7a55-b2c8-7d1e2f3a4b5c.revoked   0600   a withdrawn version: its public half
//!     └── .lock                                    0600   held by whoever changes something
//! ```
//!
//! The folder is the whole state, and the name of a file is the state of its version: there is no index that could disagree. A
//! version is a UUID v7, which orders by the time at which it was made. Every change becomes visible by one rename, after the
//! file has reached the disk, so that readers in any number of processes need no lock and a crash leaves the old state or the
//! new one. Every read goes to the disk, so that a revocation holds for the next read.
//!
//! A rotation withdraws versions that were superseded more than [`RETIRE_AFTER`] ago: no token that was signed with them or encrypted to them is valid any more.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use drawbridge_verify::{KeyUse, PublicJwk};

use self::{folder::Folder, version::VersionId};
use crate::{
    BackendName, Clock, Decrypter, KeyAlgorithm, KeyState, KeyStore, KeyVersion, Kid, PrivateJwk,
    RETIRE_AFTER, Signer, StoreError, SystemClock,
};

mod file;
mod folder;
mod version;

/// `stores: { NAME: { directory: PATH } }`.
#[derive(Clone)]
pub struct DirectoryStore {
    root: PathBuf,
    clock: Arc<dyn Clock>,
}

impl DirectoryStore {
    /// Opens the store; the folder is made on the first write.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), clock: Arc::new(SystemClock) }
    }

    /// The same store with another clock for the names of new versions.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Runs `work` where blocking is allowed: files may be on a slow disk, and a new RSA key takes its time.
    async fn at<T: Send + 'static>(
        &self,
        backend: &BackendName,
        key_use: KeyUse,
        work: impl FnOnce(Folder) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let folder = Folder::new(&self.root, backend, key_use);
        blocking(move || work(folder)).await
    }
}

#[async_trait]
impl KeyStore for DirectoryStore {
    async fn public(&self, kid: &Kid) -> Result<PublicJwk, StoreError> {
        let version: VersionId = kid.version.as_str().parse()?;
        let named = kid.clone();
        self.at(&kid.backend, kid.key_use, move |folder| Ok(folder.private(version)?.published(&named))).await
    }

    async fn signer(&self, backend: &BackendName) -> Result<Arc<dyn Signer>, StoreError> {
        let of = backend.clone();
        self.at(backend, KeyUse::Signing, move |folder| {
            let (version, key) = folder.current()?;
            key.signer(version.of(of, KeyUse::Signing))
        })
        .await
    }

    async fn encryption_key(&self, backend: &BackendName) -> Result<PublicJwk, StoreError> {
        let of = backend.clone();
        self.at(backend, KeyUse::Encryption, move |folder| {
            let (version, key) = folder.current()?;
            Ok(key.published(&version.of(of, KeyUse::Encryption)))
        })
        .await
    }

    async fn decrypter(&self, kid: &Kid) -> Result<Arc<dyn Decrypter>, StoreError> {
        let version: VersionId = kid.version.as_str().parse()?;
        let named = kid.clone();
        self.at(&kid.backend, kid.key_use, move |folder| folder.private(version)?.decrypter(&named)).await
    }

    async fn versions(&self, backend: &BackendName, key_use: KeyUse) -> Result<Vec<KeyVersion>, StoreError> {
        let backend = backend.clone();
        self.at(&backend.clone(), key_use, move |folder| {
            let versions = folder.versions()?;
            let current = versions.current();
            let mut list = Vec::new();
            for (version, revoked) in versions.newest_first() {
                let state = match (revoked, Some(version) == current) {
                    (true, _) => KeyState::Revoked,
                    (false, true) => KeyState::Current,
                    (false, false) => KeyState::Previous,
                };
                let algorithm = folder.algorithm(version)?;
                list.push(KeyVersion {
                    kid: version.of(backend.clone(), key_use),
                    algorithm,
                    created: version.created(),
                    state,
                });
            }
            Ok(list)
        })
        .await
    }

    async fn backends(&self) -> Result<Vec<BackendName>, StoreError> {
        let root = self.root.clone();
        blocking(move || folder::backends(&root)).await
    }

    async fn create(
        &self,
        backend: &BackendName,
        key_use: KeyUse,
        algorithm: KeyAlgorithm,
    ) -> Result<Kid, StoreError> {
        fits(algorithm, key_use)?;
        let (backend, now) = (backend.clone(), self.clock.now());
        self.at(&backend.clone(), key_use, move |folder| {
            let folder = folder.made()?.locked()?;
            if folder.versions()?.current().is_some() {
                return Err(StoreError::Exists);
            }
            let version = VersionId::after(None, now);
            folder.add(version, &PrivateJwk::generate(algorithm)?)?;
            Ok(version.of(backend, key_use))
        })
        .await
    }

    async fn rotate(&self, backend: &BackendName, key_use: KeyUse) -> Result<Kid, StoreError> {
        let (backend, now) = (backend.clone(), self.clock.now());
        self.at(&backend.clone(), key_use, move |folder| {
            let folder = folder.locked()?;
            let versions = folder.versions()?;
            let current = versions.current().ok_or(StoreError::NotFound)?;
            let version = VersionId::after(Some(current), now);
            folder.add(version, &PrivateJwk::generate(folder.private(current)?.algorithm())?)?;
            for (older, superseded) in versions.superseded() {
                if now.since(superseded) > RETIRE_AFTER {
                    folder.withdraw(older)?;
                }
            }
            Ok(version.of(backend, key_use))
        })
        .await
    }

    async fn revoke(&self, kid: &Kid) -> Result<(), StoreError> {
        let version: VersionId = kid.version.as_str().parse()?;
        self.at(&kid.backend, kid.key_use, move |folder| {
            let folder = folder.locked()?;
            let versions = folder.versions()?;
            match versions.state(version) {
                Some(false) if versions.current() == Some(version) => Err(StoreError::InUse),
                Some(false) => folder.withdraw(version),
                // Done already, perhaps by somebody who was interrupted.
                Some(true) => folder.withdraw(version),
                None => Err(StoreError::NotFound),
            }
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable("the work on its files was abandoned".to_owned())))
}

fn fits(algorithm: KeyAlgorithm, key_use: KeyUse) -> Result<(), StoreError> {
    if algorithm.key_use() == key_use {
        return Ok(());
    }
    Err(StoreError::Unsupported(format!("`{algorithm}` is not an algorithm for `{}` keys", key_use.name())))
}
