//! The rules of a key store on a vault, the same for keys and secrets.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use drawbridge_keys::{
    BackendName, Clock, Decrypter, KeyAlgorithm, KeyState, KeyStore, KeyVersion, Kid, RETIRE_AFTER, Signer,
    StoreError, SystemClock, Version,
};
use drawbridge_verify::{KeyUse, PublicJwk, UnixTime};

use crate::{
    form::{Form, Held, Listed, newest_first},
    name::{self, name},
};

/// A key store on a vault. Nothing is kept here: every question is one to the vault.
pub(crate) struct KeyVault<F>(F);

impl<F: Form> KeyVault<F> {
    pub(crate) fn new(form: F) -> Self {
        Self(form)
    }

    /// A version that may be used now.
    async fn held(&self, kid: &Kid) -> Result<F::Held, StoreError> {
        if !name::is_native(&kid.version) {
            return Err(StoreError::NotFound);
        }
        let held = self.0.at(&name(&kid.backend, kid.key_use), Some(&kid.version)).await?;
        held.filter(|held| held.attributes().usable(now())).ok_or(StoreError::NotFound)
    }

    /// The newest version that may be used now. Mostly it is the newest one, for which the vault is asked once.
    async fn current(&self, backend: &BackendName, key_use: KeyUse) -> Result<(Kid, F::Held), StoreError> {
        let name = name(backend, key_use);
        let newest = self.0.at(&name, None).await?.filter(|held| held.attributes().usable(now()));
        let held = match newest {
            Some(held) => held,
            None => {
                let versions = self.versions_of(&name).await?;
                let usable = current(&versions, now()).ok_or(StoreError::NotFound)?;
                self.0.at(&name, Some(usable)).await?.ok_or(StoreError::NotFound)?
            }
        };
        Ok((Kid::new(backend.clone(), key_use, held.version().clone()), held))
    }

    /// Every version, newest first. None for a name that is not there.
    async fn versions_of(&self, name: &str) -> Result<Vec<Listed>, StoreError> {
        let mut versions = match self.0.list(name).await {
            Err(StoreError::NotFound) => Vec::new(),
            listed => listed?,
        };
        newest_first(&mut versions, None);
        if let [first, second, ..] = versions.as_slice()
            && first.attributes.created == second.attributes.created
        {
            let newest = self.0.at(name, None).await?.map(|held| held.version().clone());
            newest_first(&mut versions, newest.as_ref());
        }
        Ok(versions)
    }
}

#[async_trait]
impl<F: Form> KeyStore for KeyVault<F> {
    async fn public(&self, kid: &Kid) -> Result<PublicJwk, StoreError> {
        Ok(self.held(kid).await?.published(kid))
    }

    async fn signer(&self, backend: &BackendName) -> Result<Arc<dyn Signer>, StoreError> {
        let (kid, held) = self.current(backend, KeyUse::Signing).await?;
        held.signer(kid)
    }

    async fn encryption_key(&self, backend: &BackendName) -> Result<PublicJwk, StoreError> {
        let (kid, held) = self.current(backend, KeyUse::Encryption).await?;
        Ok(held.published(&kid))
    }

    async fn decrypter(&self, kid: &Kid) -> Result<Arc<dyn Decrypter>, StoreError> {
        self.held(kid).await?.decrypter(kid)
    }

    async fn versions(&self, backend: &BackendName, key_use: KeyUse) -> Result<Vec<KeyVersion>, StoreError> {
        let name = name(backend, key_use);
        let versions = self.versions_of(&name).await?;
        let now = now();
        let current = current(&versions, now).cloned();
        let mut list = Vec::new();
        for Listed { version, attributes, algorithm } in versions {
            let state = match attributes.usable(now) {
                true if current.as_ref() == Some(&version) => KeyState::Current,
                true => KeyState::Previous,
                false => KeyState::Revoked,
            };
            let algorithm = match algorithm {
                Some(algorithm) => algorithm,
                None => match self.0.at(&name, Some(&version)).await? {
                    Some(held) => held.algorithm(),
                    // A version that the vault does not give out, and that does not say what it was for.
                    None => continue,
                },
            };
            let kid = Kid::new(backend.clone(), key_use, version);
            list.push(KeyVersion { kid, algorithm, created: attributes.created, state });
        }
        Ok(list)
    }

    async fn backends(&self) -> Result<Vec<BackendName>, StoreError> {
        let names = self.0.names().await?;
        let backends: BTreeSet<_> =
            names.iter().filter_map(|name| name::parse(name)).map(|(backend, _)| backend).collect();
        Ok(backends.into_iter().collect())
    }

    async fn create(
        &self,
        backend: &BackendName,
        key_use: KeyUse,
        algorithm: KeyAlgorithm,
    ) -> Result<Kid, StoreError> {
        if algorithm.key_use() != key_use {
            let what = format!("`{algorithm}` is not an algorithm for `{}` keys", key_use.name());
            return Err(StoreError::Unsupported(what));
        }
        let name = name(backend, key_use);
        if current(&self.versions_of(&name).await?, now()).is_some() {
            return Err(StoreError::Exists);
        }
        let version = self.0.add(&name, algorithm, None).await?;
        Ok(Kid::new(backend.clone(), key_use, version))
    }

    async fn rotate(&self, backend: &BackendName, key_use: KeyUse) -> Result<Kid, StoreError> {
        let name = name(backend, key_use);
        let (_, held) = self.current(backend, key_use).await?;
        // Before the new version: what fails here has changed nothing that a second attempt would do twice.
        for version in outlived(&self.versions_of(&name).await?, now()) {
            self.0.disable(&name, version).await?;
        }
        let version = self.0.add(&name, held.algorithm(), Some(&held)).await?;
        Ok(Kid::new(backend.clone(), key_use, version))
    }

    async fn revoke(&self, kid: &Kid) -> Result<(), StoreError> {
        let name = name(&kid.backend, kid.key_use);
        let versions = self.versions_of(&name).await?;
        let listed = versions.iter().find(|listed| listed.version == kid.version);
        match listed.ok_or(StoreError::NotFound)?.attributes.enabled {
            true if current(&versions, now()) == Some(&kid.version) => Err(StoreError::InUse),
            true => self.0.disable(&name, &kid.version).await,
            false => Ok(()),
        }
    }
}

/// Of versions that are sorted newest first, the one that signs or is encrypted to.
fn current(versions: &[Listed], now: UnixTime) -> Option<&Version> {
    versions.iter().find(|listed| listed.attributes.usable(now)).map(|listed| &listed.version)
}

/// Of versions that are sorted newest first, those that another has stood in for for so long that no token of theirs is valid.
fn outlived(versions: &[Listed], now: UnixTime) -> impl Iterator<Item = &Version> {
    let usable = || versions.iter().filter(move |listed| listed.attributes.usable(now));
    usable().zip(usable().skip(1)).filter_map(move |(newer, older)| {
        (now.since(newer.attributes.effective()) > RETIRE_AFTER).then_some(&older.version)
    })
}

fn now() -> UnixTime {
    SystemClock.now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::Attributes;

    /// Version name, when it was made, from when, until when, enabled.
    type Row = (&'static str, i64, Option<i64>, Option<i64>, bool);

    fn versions(rows: &[Row]) -> Vec<Listed> {
        let at = UnixTime::from_secs;
        let mut versions: Vec<_> = rows
            .iter()
            .map(|(version, created, from, until, enabled)| Listed {
                version: version.parse().unwrap(),
                attributes: Attributes {
                    enabled: *enabled,
                    created: at(*created),
                    not_before: from.map(at),
                    expires: until.map(at),
                },
                algorithm: None,
            })
            .collect();
        newest_first(&mut versions, None);
        versions
    }

    #[test]
    fn the_newest_version_that_may_be_used_now_is_the_current_one() {
        let now = UnixTime::from_secs(10_000);
        for (rows, expected) in [
            (&[][..], None),
            (&[("a", 1, None, None, true)], Some("a")),
            (&[("a", 1, None, None, true), ("b", 2, None, None, true)], Some("b")),
            (&[("a", 1, None, None, true), ("b", 2, None, None, false)], Some("a")),
            (&[("a", 1, None, None, true), ("b", 2, Some(10_001), None, true)], Some("a")),
            (&[("a", 1, None, None, true), ("b", 2, None, Some(10_000), true)], Some("a")),
            (&[("a", 1, None, Some(9), true), ("b", 2, None, None, false)], None),
        ] {
            let versions = versions(rows);
            assert_eq!(current(&versions, now).map(Version::as_str), expected, "{rows:?}");
        }
    }

    #[test]
    fn a_rotation_disables_what_another_version_has_stood_in_for_until_no_token_of_it_is_valid() {
        let retire_after = i64::try_from(RETIRE_AFTER.as_secs()).unwrap();
        let now = UnixTime::from_secs(10_000);
        for (rows, expected) in [
            (&[("a", 1, None, None, true)][..], &[][..]),
            // Superseded as long ago as that, and a second longer.
            (&[("a", 1, None, None, true), ("b", 10_000 - retire_after, None, None, true)], &[]),
            (&[("a", 1, None, None, true), ("b", 9999 - retire_after, None, None, true)], &["a"]),
            // The newer one has only been active for a while, or is not yet.
            (&[("a", 1, None, None, true), ("b", 2, Some(9000), None, true)], &[]),
            (&[("a", 1, None, None, true), ("b", 2, Some(20_000), None, true)], &[]),
            // One that may not be used supersedes nothing, and is not disabled again.
            (&[("a", 1, None, None, true), ("b", 2, None, None, false)], &[]),
            (&[("a", 1, None, None, false), ("b", 2, None, None, true)], &[]),
            (
                &[("a", 1, None, None, true), ("b", 2, None, None, true), ("c", 3, None, None, true)],
                &["b", "a"],
            ),
            (
                &[("a", 1, None, None, true), ("b", 2, None, None, true), ("c", 9999, None, None, true)],
                &["a"],
            ),
        ] {
            let versions = versions(rows);
            let outlived: Vec<_> = outlived(&versions, now).map(Version::as_str).collect();
            assert_eq!(outlived, expected, "{rows:?}");
        }
    }
}
