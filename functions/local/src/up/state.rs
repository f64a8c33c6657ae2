use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use drawbridge_config::{Config, Encryption, Store};
use drawbridge_gate::open_directory;
use drawbridge_keys::{BackendName, KeyAlgorithm, KeyState, KeyStore, KeyVersion, Kid, StoreError};
use drawbridge_verify::jwe::KeyManagement;

use crate::{
    exit::Failure,
    files::{private_folder, write_private},
};

/// The folder of one `drawbridge up`: its keys, its effective configuration, and a lock for as long as it runs.
#[derive(Debug)]
pub(super) struct State {
    folder: PathBuf,
    _lock: File,
}

impl State {
    /// Makes the folder, if it is not there, and takes it for this process alone.
    ///
    /// # Errors
    /// One line that says what to do.
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let refused = |error: io::Error| {
            Failure::new(format!(
                "cannot write to the state folder `{}`: {error}; name one that can be written with `--state`",
                folder.display()
            ))
        };
        private_folder(folder).map_err(refused)?;
        let folder = folder.canonicalize().map_err(refused)?;
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join("lock"))
            .map_err(refused)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::new(format!(
                    "another `drawbridge up` uses the state folder `{}`: stop it, or name another folder with `--state`",
                    folder.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(refused(error)),
        }
        let state = Self { folder, _lock: lock };
        private_folder(&state.keys()).map_err(refused)?;
        // Private keys are not for version control.
        state.write(".gitignore", b"*\n")?;
        Ok(state)
    }

    /// The folder, absolute.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The directory store.
    pub(super) fn keys(&self) -> PathBuf {
        self.folder.join("keys")
    }

    /// Writes a file for the owner alone.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, Failure> {
        let file = self.folder.join(name);
        let written =
            file.parent().map_or(Ok(()), private_folder).and_then(|()| write_private(&file, content));
        written.map_err(|error| {
            Failure::new(format!(
                "cannot write `{}`: {error}; name another state folder with `--state`",
                file.display()
            ))
        })?;
        Ok(file)
    }

    /// The current keys of every backend, made where there are none: one to sign with and, where it takes encrypted tokens, one to
    /// encrypt to.
    ///
    /// # Errors
    /// When the store cannot be used, or holds a key that the configuration does not allow (any more).
    pub(super) async fn current_keys(&self, config: &Config) -> Result<Vec<Kid>, Failure> {
        // A store that is not there is a mistake everywhere but here, where it is the first start.
        private_folder(&self.keys()).map_err(|error| self.unusable(error))?;
        let store = open_directory(&Store::Directory(self.keys())).map_err(Failure::new)?;
        let mut kids = Vec::new();
        for backend in config.backends.values() {
            let allowed =
                config.issuers.get(&backend.issuer).map(|issuer| issuer.algorithms).unwrap_or_default();
            let preferred = allowed.iter().next().ok_or_else(|| {
                Failure::invalid(format!("the issuer of `{}` has no algorithm", backend.name))
            })?;
            let signing = self.current(store.as_ref(), &backend.name, preferred.into()).await?;
            if let KeyAlgorithm::Signature(algorithm) = signing.algorithm
                && !allowed.contains(algorithm)
            {
                return Err(Failure::new(format!(
                    "the key of `{}` in `{}` is for {algorithm}, which its issuer may not use: remove the folder, \
                     or name another one with `--state`",
                    backend.name,
                    self.folder.display()
                )));
            }
            kids.push(signing.kid);
            if backend.encryption != Encryption::Refused {
                kids.push(self.current(store.as_ref(), &backend.name, ENCRYPTION.into()).await?.kid);
            }
        }
        Ok(kids)
    }

    /// The current key of one use, made with `algorithm` where there is none.
    async fn current(
        &self,
        store: &dyn KeyStore,
        backend: &BackendName,
        algorithm: KeyAlgorithm,
    ) -> Result<KeyVersion, Failure> {
        let have = async || match store.versions(backend, algorithm.key_use()).await {
            Ok(versions) => Ok(versions.into_iter().find(|version| version.state == KeyState::Current)),
            Err(StoreError::NotFound) => Ok(None),
            Err(error) => Err(self.unusable(error)),
        };
        if let Some(version) = have().await? {
            return Ok(version);
        }
        let made = store.create(backend, algorithm.key_use(), algorithm).await;
        made.map_err(|error| self.unusable(error))?;
        have().await?.ok_or_else(|| self.unusable("a new key is not there"))
    }

    fn unusable(&self, error: impl std::fmt::Display) -> Failure {
        Failure::new(format!("the keys in `{}` cannot be used: {error}", self.keys().display()))
    }
}

/// What tokens are encrypted with on this machine: on P-256, which every vault has.
const ENCRYPTION: KeyManagement = KeyManagement::EcdhEsA256Kw;
