mod der;
mod key;
mod using;

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_kms::{
    Client,
    types::{AliasListEntry, Tag},
};
use drawbridge_keys::{
    BackendName, Clock, Decrypter, KeyAlgorithm, KeyState, KeyStore, KeyVersion, Kid, RETIRE_AFTER, Signer,
    StoreError, SystemClock, Version,
};
use drawbridge_verify::{KeyUse, PublicJwk};

use self::{
    key::{Key, NewKey},
    using::{KmsDecrypter, KmsSigner},
};
use crate::{ALGORITHM, KEY, connect::Connection, error::refused};

/// `stores: { NAME: { kms: { prefix: PREFIX } } }`: keys that never leave KMS. The id of a key is its version.
///
/// ```text
/// alias/<prefix>/<backend>/<use>             the current version
/// alias/<prefix>/<backend>/<use>/<key id>    each version
/// ```
///
/// What has no such alias is no key of the backend, whoever else's it is. A version is published while its key is enabled.
pub struct Kms {
    prefix: String,
    connection: Connection<Client>,
    clock: Arc<dyn Clock>,
}

impl Kms {
    /// The keys below `prefix`, in `region` or in the one that the SDK finds. The SDK is loaded by the first request.
    pub fn new(prefix: &str, region: Option<&str>) -> Self {
        Self::with(prefix, Connection::new(region, Client::new))
    }

    /// The same over a configuration of the caller's, whose retries and time limits are replaced by this store's.
    pub fn over(prefix: &str, config: &SdkConfig) -> Self {
        Self::with(prefix, Connection::over(config, Client::new))
    }

    /// The same store with another clock, by which a rotation knows which versions are still needed.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    fn with(prefix: &str, connection: Connection<Client>) -> Self {
        Self { prefix: prefix.to_owned(), connection, clock: Arc::new(SystemClock) }
    }

    /// `<prefix>/<backend>/<use>`.
    fn name(&self, backend: &BackendName, key_use: KeyUse) -> String {
        format!("{}/{backend}/{}", self.prefix, key_use.name())
    }

    fn current_alias(&self, backend: &BackendName, key_use: KeyUse) -> String {
        format!("alias/{}", self.name(backend, key_use))
    }

    fn version_alias(&self, backend: &BackendName, key_use: KeyUse, version: &Version) -> String {
        format!("alias/{}/{version}", self.name(backend, key_use))
    }

    /// The backend whose current key has this alias.
    fn backend(&self, alias: &str) -> Option<BackendName> {
        let name = alias.strip_prefix("alias/")?.strip_prefix(&self.prefix)?.strip_prefix('/')?;
        let (backend, key_use) = name.split_once('/')?;
        if key_use == "sig" || key_use == "enc" { backend.parse().ok() } else { None }
    }

    /// The key of a kid, whatever its state. That it is one of this backend and use is what an alias says, never its id.
    async fn find(&self, client: &Client, kid: &Kid) -> Result<Key, StoreError> {
        let Kid { backend, key_use, version } = kid;
        if !is_native(version) {
            return Err(StoreError::NotFound);
        }
        // A key that was not made here, but by infrastructure code, has the alias of the current version alone.
        let aliases = [self.version_alias(backend, *key_use, version), self.current_alias(backend, *key_use)];
        for alias in aliases {
            match Key::describe(client, &alias, *key_use).await {
                Ok(key) if key.version == *version => return Ok(key),
                Ok(_) | Err(StoreError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::NotFound)
    }

    async fn current(
        &self,
        client: &Client,
        backend: &BackendName,
        key_use: KeyUse,
    ) -> Result<Key, StoreError> {
        Key::describe(client, &self.current_alias(backend, key_use), key_use).await
    }

    /// Every version, newest first, and what it may do.
    async fn list(
        &self,
        client: &Client,
        backend: &BackendName,
        key_use: KeyUse,
    ) -> Result<Vec<(Key, KeyState)>, StoreError> {
        let name = self.current_alias(backend, key_use);
        let (mut current, mut ids) = (None, BTreeSet::new());
        let mut aliases = client.list_aliases().into_paginator().items().send();
        while let Some(alias) = aliases.next().await {
            let AliasListEntry { alias_name: Some(alias), target_key_id: Some(id), .. } =
                alias.map_err(refused)?
            else {
                continue;
            };
            match alias.strip_prefix(&name) {
                Some("") => {
                    current = Some(id.clone());
                    ids.insert(id);
                }
                Some(below) if below.strip_prefix('/') == Some(id.as_str()) => {
                    ids.insert(id);
                }
                _ => {}
            }
        }
        let mut versions = Vec::new();
        for id in &ids {
            let key = Key::describe(client, id, key_use).await?;
            let state = match key.usable() {
                Err(_) => KeyState::Revoked,
                Ok(()) if current.as_ref() == Some(id) => KeyState::Current,
                Ok(()) => KeyState::Previous,
            };
            versions.push((key, state));
        }
        // Within a second the state tells which is newer.
        versions.sort_by_key(|(key, state)| (-key.created.as_secs(), *state != KeyState::Current));
        Ok(versions)
    }

    /// Makes a key that is a version and not the current one yet.
    async fn make(
        &self,
        client: &Client,
        backend: &BackendName,
        key_use: KeyUse,
        key: NewKey,
    ) -> Result<Version, StoreError> {
        let name = self.name(backend, key_use);
        let tags =
            key.tags.into_iter().chain([tag(KEY, &name)?, tag(ALGORITHM, &key.algorithm.to_string())?]);
        let made = client
            .create_key()
            .description(match key_use {
                KeyUse::Signing => format!("Drawbridge: signs the bridged tokens of {backend}"),
                KeyUse::Encryption => format!("Drawbridge: decrypts the bridged tokens of {backend}"),
            })
            .key_spec(key.spec)
            .key_usage(key.usage)
            .set_tags(Some(tags.collect()))
            .send()
            .await
            .map_err(refused)?;
        let id = made.key_metadata.map(|metadata| metadata.key_id).unwrap_or_default();
        let version =
            id.parse().map_err(|_| malformed(&name, "the new key has no id that a kid can have"))?;
        self.name_version(client, backend, key_use, &version).await?;
        Ok(version)
    }

    /// Gives a version its alias, if it has none.
    async fn name_version(
        &self,
        client: &Client,
        backend: &BackendName,
        key_use: KeyUse,
        version: &Version,
    ) -> Result<(), StoreError> {
        let alias = self.version_alias(backend, key_use, version);
        let named = client.create_alias().alias_name(alias).target_key_id(version.as_str()).send().await;
        match named.map_err(refused) {
            Ok(_) | Err(StoreError::Exists) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl KeyStore for Kms {
    async fn public(&self, kid: &Kid) -> Result<PublicJwk, StoreError> {
        let client = self.connection.serving().await?;
        let key = self.find(client, kid).await?;
        key.usable()?;
        key.public(client, kid).await
    }

    async fn signer(&self, backend: &BackendName) -> Result<Arc<dyn Signer>, StoreError> {
        let client = self.connection.serving().await?;
        let key = self.current(client, backend, KeyUse::Signing).await?;
        key.usable()?;
        let kid = Kid::new(backend.clone(), KeyUse::Signing, key.version);
        Ok(Arc::new(KmsSigner::new(client.clone(), kid, key.algorithm)?))
    }

    async fn encryption_key(&self, backend: &BackendName) -> Result<PublicJwk, StoreError> {
        let client = self.connection.serving().await?;
        let key = self.current(client, backend, KeyUse::Encryption).await?;
        key.usable()?;
        let kid = Kid::new(backend.clone(), KeyUse::Encryption, key.version.clone());
        key.public(client, &kid).await
    }

    async fn decrypter(&self, kid: &Kid) -> Result<Arc<dyn Decrypter>, StoreError> {
        let client = self.connection.serving().await?;
        let key = self.find(client, kid).await?;
        key.usable()?;
        Ok(Arc::new(KmsDecrypter::new(client.clone(), kid, &key)?))
    }

    async fn versions(&self, backend: &BackendName, key_use: KeyUse) -> Result<Vec<KeyVersion>, StoreError> {
        let versions = self.list(self.connection.managing().await?, backend, key_use).await?;
        let versions = versions.into_iter().map(|(key, state)| KeyVersion {
            kid: Kid::new(backend.clone(), key_use, key.version),
            algorithm: key.algorithm,
            created: key.created,
            state,
        });
        Ok(versions.collect())
    }

    async fn backends(&self) -> Result<Vec<BackendName>, StoreError> {
        let mut aliases = self.connection.managing().await?.list_aliases().into_paginator().items().send();
        let mut backends = BTreeSet::new();
        while let Some(alias) = aliases.next().await {
            let alias = alias.map_err(refused)?;
            backends.extend(alias.alias_name().and_then(|alias| self.backend(alias)));
        }
        Ok(backends.into_iter().collect())
    }

    /// `Unsupported` for everything but ES256, ES384, PS256 and RS256, and RSA-OAEP-256. RSA keys have 3072 bits.
    async fn create(
        &self,
        backend: &BackendName,
        key_use: KeyUse,
        algorithm: KeyAlgorithm,
    ) -> Result<Kid, StoreError> {
        let key = NewKey::of(algorithm, key_use)?;
        let client = self.connection.managing().await?;
        match self.current(client, backend, key_use).await {
            Err(StoreError::NotFound) => {}
            Err(error) => return Err(error),
            Ok(_) => return Err(StoreError::Exists),
        }
        let version = self.make(client, backend, key_use, key).await?;
        let alias = self.current_alias(backend, key_use);
        let named = client.create_alias().alias_name(alias).target_key_id(version.as_str()).send().await;
        if let Err(error) = named.map_err(refused) {
            // Somebody else was first; this key is nobody's.
            if error == StoreError::Exists {
                client.disable_key().key_id(version.as_str()).send().await.map_err(refused)?;
            }
            return Err(error);
        }
        Ok(Kid::new(backend.clone(), key_use, version))
    }

    async fn rotate(&self, backend: &BackendName, key_use: KeyUse) -> Result<Kid, StoreError> {
        let client = self.connection.managing().await?;
        let current = self.current(client, backend, key_use).await?;
        let (mut newer, now) = (None, self.clock.now());
        for (key, state) in self.list(client, backend, key_use).await? {
            let needed = newer.is_none_or(|newer| now.since(newer) <= RETIRE_AFTER);
            if state == KeyState::Previous && !needed {
                client.disable_key().key_id(key.version.as_str()).send().await.map_err(refused)?;
            }
            newer = Some(key.created);
        }
        let key = NewKey::like(client, &current).await?;
        let version = self.make(client, backend, key_use, key).await?;
        // What was current stays published under a name of its own, before another takes its place.
        self.name_version(client, backend, key_use, &current.version).await?;
        let alias = self.current_alias(backend, key_use);
        client
            .update_alias()
            .alias_name(alias)
            .target_key_id(version.as_str())
            .send()
            .await
            .map_err(refused)?;
        Ok(Kid::new(backend.clone(), key_use, version))
    }

    async fn revoke(&self, kid: &Kid) -> Result<(), StoreError> {
        let client = self.connection.managing().await?;
        let key = self.find(client, kid).await?;
        match self.current(client, &kid.backend, kid.key_use).await {
            Ok(current) if current.version == kid.version => return Err(StoreError::InUse),
            Ok(_) | Err(StoreError::NotFound) => {}
            Err(error) => return Err(error),
        }
        if key.usable().is_ok() {
            client.disable_key().key_id(kid.version.as_str()).send().await.map_err(refused)?;
        }
        Ok(())
    }
}

/// Whether a version can be the id of a key: 36 of lower-case letters, digits and `-`, for a key of one region or of several (`mrk-…`).
/// Others are not asked for.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id-key-id>
fn is_native(version: &Version) -> bool {
    let id = version.as_str();
    id.len() == 36
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn tag(name: &str, value: &str) -> Result<Tag, StoreError> {
    let tag = Tag::builder().tag_key(name).tag_value(value).build();
    tag.map_err(|_| StoreError::Unavailable("a tag could not be written".to_owned()))
}

fn malformed(name: &str, what: &str) -> StoreError {
    StoreError::Malformed(format!("KMS key of `{name}`: {what}"))
}
