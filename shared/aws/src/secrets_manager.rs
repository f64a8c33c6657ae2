use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::{
    Client,
    operation::get_secret_value::GetSecretValueOutput,
    types::{Filter, FilterNameStringType, SecretVersionsListEntry, Tag},
};
use drawbridge_keys::{
    BackendName, Clock, Decrypter, KeyAlgorithm, KeyState, KeyStore, KeyVersion, Kid, PrivateJwk,
    RETIRE_AFTER, Signer, StoreError, SystemClock, Version,
};
use drawbridge_verify::{KeyUse, PublicJwk, UnixTime};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{ACTIVE, ALGORITHM, connect::Connection, error::refused};

/// `stores: { NAME: { secrets_manager: { prefix: PREFIX } } }`: private JWKs in secrets `<prefix>/<backend>/<use>`, one for each version.
///
/// A version is published and used while it carries `AWSCURRENT`, `AWSPREVIOUS` or [`ACTIVE`]; without one it is retired.
pub struct SecretsManager {
    prefix: String,
    connection: Connection<Client>,
    clock: Arc<dyn Clock>,
}

/// The label of the version that signs and is encrypted to.
const CURRENT: &str = "AWSCURRENT";

/// The label that the service moves to the version that loses [`CURRENT`].
const PREVIOUS: &str = "AWSPREVIOUS";

impl SecretsManager {
    /// The secrets below `prefix`, in `region` or in the one that the SDK finds. The SDK is loaded by the first request.
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

    fn secret(&self, backend: &BackendName, key_use: KeyUse) -> String {
        format!("{}/{backend}/{}", self.prefix, key_use.name())
    }

    /// The backend whose secret has this name.
    fn backend(&self, secret: &str) -> Option<BackendName> {
        let (backend, key_use) = secret.strip_prefix(&self.prefix)?.strip_prefix('/')?.split_once('/')?;
        if key_use == "sig" || key_use == "enc" { backend.parse().ok() } else { None }
    }

    /// The key of one published version.
    async fn version(&self, kid: &Kid) -> Result<PrivateJwk, StoreError> {
        if !is_native(&kid.version) {
            return Err(StoreError::NotFound);
        }
        let name = self.secret(&kid.backend, kid.key_use);
        let ask = self.connection.serving().await?.get_secret_value().secret_id(&name);
        let answer = ask.version_id(kid.version.as_str()).send().await.map_err(refused)?;
        let (version, key) = read(answer, &name, kid.key_use)?;
        if version != kid.version {
            return Err(malformed(&name, "another version was answered than was asked for"));
        }
        Ok(key)
    }

    /// The current version. Asked for by its label: what stands there without one is the service's to say.
    async fn current(&self, backend: &BackendName, key_use: KeyUse) -> Result<(Kid, PrivateJwk), StoreError> {
        let name = self.secret(backend, key_use);
        let ask = self.connection.serving().await?.get_secret_value().secret_id(&name);
        let answer = ask.version_stage(CURRENT).send().await.map_err(refused)?;
        let (version, key) = read(answer, &name, key_use)?;
        Ok((Kid::new(backend.clone(), key_use, version), key))
    }

    /// What the secret's keys are made for: what its tag says or, without one, what its current key is made for.
    async fn algorithm(
        &self,
        secret: &Described,
        backend: &BackendName,
        key_use: KeyUse,
    ) -> Result<KeyAlgorithm, StoreError> {
        match secret.algorithm {
            Some(algorithm) => Ok(algorithm),
            None => Ok(self.current(backend, key_use).await?.1.algorithm()),
        }
    }

    /// Makes the version that a rotation is about to supersede for the second time keep its place for as long as a token of it can be valid.
    async fn keep(
        &self,
        client: &Client,
        name: &str,
        versions: &Versions,
        rotated: Option<UnixTime>,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let within = |since: UnixTime| now.since(since) <= RETIRE_AFTER;
        let needed = |at: &Listed| versions.superseded(at).is_some_and(within);
        let active = versions.labelled(ACTIVE);
        // A version that a rotation function made may have waited before it became current.
        let recently = rotated.is_some_and(within);
        let previous = versions.labelled(PREVIOUS).filter(|previous| recently || needed(previous));
        let change = client.update_secret_version_stage().secret_id(name).version_stage(ACTIVE);
        let change = match (previous, active) {
            (Some(previous), Some(active)) if previous.version == active.version => return Ok(()),
            (Some(_), Some(active)) if needed(active) => {
                return Err(StoreError::Unsupported(format!(
                    "`{name}` was rotated twice within the hour, and `{}` is still needed to verify with; wait, or revoke it",
                    active.version
                )));
            }
            (Some(previous), active) => change
                .move_to_version_id(previous.version.as_str())
                .set_remove_from_version_id(active.map(|active| active.version.to_string())),
            (None, Some(active)) if !needed(active) => change.remove_from_version_id(active.version.as_str()),
            (None, _) => return Ok(()),
        };
        change.send().await.map_err(refused)?;
        Ok(())
    }
}

#[async_trait]
impl KeyStore for SecretsManager {
    async fn public(&self, kid: &Kid) -> Result<PublicJwk, StoreError> {
        Ok(self.version(kid).await?.published(kid))
    }

    async fn signer(&self, backend: &BackendName) -> Result<Arc<dyn Signer>, StoreError> {
        let (kid, key) = self.current(backend, KeyUse::Signing).await?;
        key.signer(kid)
    }

    async fn encryption_key(&self, backend: &BackendName) -> Result<PublicJwk, StoreError> {
        let (kid, key) = self.current(backend, KeyUse::Encryption).await?;
        Ok(key.published(&kid))
    }

    async fn decrypter(&self, kid: &Kid) -> Result<Arc<dyn Decrypter>, StoreError> {
        self.version(kid).await?.decrypter(kid)
    }

    /// The algorithm is that of the secret's tag, so that no key is read for a list.
    async fn versions(&self, backend: &BackendName, key_use: KeyUse) -> Result<Vec<KeyVersion>, StoreError> {
        let (client, name) = (self.connection.managing().await?, self.secret(backend, key_use));
        let secret = match Described::of(client, &name).await {
            Err(StoreError::NotFound) => return Ok(Vec::new()),
            secret => secret?,
        };
        let versions = Versions::list(client, &name).await?;
        if versions.0.is_empty() {
            return Ok(Vec::new());
        }
        let algorithm = self.algorithm(&secret, backend, key_use).await?;
        let versions = versions.0.into_iter().map(|Listed { version, state, created, .. }| KeyVersion {
            kid: Kid::new(backend.clone(), key_use, version),
            algorithm,
            created,
            state,
        });
        Ok(versions.collect())
    }

    async fn backends(&self) -> Result<Vec<BackendName>, StoreError> {
        let below =
            Filter::builder().key(FilterNameStringType::Name).values(format!("{}/", self.prefix)).build();
        let ask = self.connection.managing().await?.list_secrets().filters(below);
        let mut pages = ask.into_paginator().send();
        let mut backends = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(refused)?;
            backends.extend(page.secret_list().iter().filter_map(|secret| self.backend(secret.name()?)));
        }
        backends.sort();
        backends.dedup();
        Ok(backends)
    }

    /// A secret that is there without a version, as infrastructure code makes one, is filled.
    async fn create(
        &self,
        backend: &BackendName,
        key_use: KeyUse,
        algorithm: KeyAlgorithm,
    ) -> Result<Kid, StoreError> {
        if algorithm.key_use() != key_use {
            return Err(StoreError::Unsupported(format!(
                "`{algorithm}` is not an algorithm for `{}` keys",
                key_use.name()
            )));
        }
        let (client, name) = (self.connection.managing().await?, self.secret(backend, key_use));
        let key = generate(algorithm).await?;
        let made = client
            .create_secret()
            .name(&name)
            .description(match key_use {
                KeyUse::Signing => format!("Drawbridge: signs the bridged tokens of {backend}"),
                KeyUse::Encryption => format!("Drawbridge: decrypts the bridged tokens of {backend}"),
            })
            .tags(tag(algorithm))
            .client_request_token(Uuid::now_v7().to_string())
            .secret_string(key.to_json().as_str())
            .send()
            .await;
        let version = match made {
            Ok(made) => named(&name, made.version_id)?,
            Err(error) => match refused(error) {
                StoreError::Exists => fill(client, &name, algorithm, &key).await?,
                error => return Err(error),
            },
        };
        Ok(Kid::new(backend.clone(), key_use, version))
    }

    /// `Unsupported` for a third rotation within the hour: there are labels for three versions.
    async fn rotate(&self, backend: &BackendName, key_use: KeyUse) -> Result<Kid, StoreError> {
        let (client, name) = (self.connection.managing().await?, self.secret(backend, key_use));
        let secret = Described::of(client, &name).await?;
        let versions = Versions::list(client, &name).await?;
        versions.labelled(CURRENT).ok_or(StoreError::NotFound)?;
        let key = generate(self.algorithm(&secret, backend, key_use).await?).await?;
        self.keep(client, &name, &versions, secret.rotated).await?;
        let version = put(client, &name, &key).await?;
        Ok(Kid::new(backend.clone(), key_use, version))
    }

    async fn revoke(&self, kid: &Kid) -> Result<(), StoreError> {
        let (client, name) = (self.connection.managing().await?, self.secret(&kid.backend, kid.key_use));
        let versions = Versions::list(client, &name).await?;
        let listed = versions.0.iter().find(|listed| listed.version == kid.version);
        let listed = listed.ok_or(StoreError::NotFound)?;
        if listed.state == KeyState::Current {
            return Err(StoreError::InUse);
        }
        for label in &listed.labels {
            let change = client.update_secret_version_stage().secret_id(&name).version_stage(label);
            change.remove_from_version_id(kid.version.as_str()).send().await.map_err(refused)?;
        }
        Ok(())
    }
}

/// What a secret says of itself.
struct Described {
    /// By its tag.
    algorithm: Option<KeyAlgorithm>,
    /// When a rotation function last finished.
    rotated: Option<UnixTime>,
}

impl Described {
    async fn of(client: &Client, name: &str) -> Result<Self, StoreError> {
        let secret = client.describe_secret().secret_id(name).send().await.map_err(refused)?;
        let tag = secret.tags().iter().find(|tag| tag.key() == Some(ALGORITHM)).and_then(Tag::value);
        let unknown = || malformed(name, &format!("its tag `{ALGORITHM}` names no algorithm"));
        let algorithm = tag.map(|tag| tag.parse().map_err(|()| unknown())).transpose()?;
        let rotated = secret.last_rotated_date().map(|at| UnixTime::from_secs(at.secs()));
        Ok(Self { algorithm, rotated })
    }
}

/// The versions of a secret, newest first. One that is only pending is none yet.
struct Versions(Vec<Listed>);

struct Listed {
    version: Version,
    labels: Vec<String>,
    state: KeyState,
    created: UnixTime,
}

impl Versions {
    async fn list(client: &Client, name: &str) -> Result<Self, StoreError> {
        let ask = client.list_secret_version_ids().secret_id(name).include_deprecated(true);
        let mut pages = ask.into_paginator().send();
        let mut versions = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(refused)?;
            versions.extend(page.versions.unwrap_or_default().into_iter().filter_map(Listed::of));
        }
        // Within a second the labels tell which is newer.
        versions.sort_by_key(|listed| {
            let newest = [CURRENT, PREVIOUS, ACTIVE].iter().position(|label| listed.carries(label));
            (-listed.created.as_secs(), newest.unwrap_or(usize::MAX))
        });
        Ok(Self(versions))
    }

    fn labelled(&self, label: &str) -> Option<&Listed> {
        self.0.iter().find(|listed| listed.carries(label))
    }

    /// When the version that came after this one was made.
    fn superseded(&self, listed: &Listed) -> Option<UnixTime> {
        let newer = self.0.iter().take_while(|other| other.version != listed.version);
        newer.last().map(|newer| newer.created)
    }
}

impl Listed {
    fn of(entry: SecretVersionsListEntry) -> Option<Self> {
        let version = entry.version_id?.parse().ok()?;
        let created = UnixTime::from_secs(entry.created_date.map_or(0, |at| at.secs()));
        let labels = entry.version_stages.unwrap_or_default();
        let carries = |label: &str| labels.iter().any(|carried| carried == label);
        let state = if carries(CURRENT) {
            KeyState::Current
        } else if carries(PREVIOUS) || carries(ACTIVE) {
            KeyState::Previous
        } else if labels.is_empty() {
            KeyState::Revoked
        } else {
            return None;
        };
        Some(Self { version, labels, state, created })
    }

    fn carries(&self, label: &str) -> bool {
        self.labels.iter().any(|carried| carried == label)
    }
}

/// The key of an answer that is about a published version.
fn read(
    answer: GetSecretValueOutput,
    name: &str,
    key_use: KeyUse,
) -> Result<(Version, PrivateJwk), StoreError> {
    // First of all into a text that is wiped, whatever is wrong with the rest.
    let value = answer.secret_string.map(Zeroizing::new);
    if answer.name.as_deref() != Some(name) {
        return Err(malformed(name, "another secret was answered than was asked for"));
    }
    let labels = answer.version_stages.unwrap_or_default();
    if !labels.iter().any(|label| [CURRENT, PREVIOUS, ACTIVE].contains(&label.as_str())) {
        return Err(StoreError::NotFound);
    }
    let version = named(name, answer.version_id)?;
    let value = value.ok_or_else(|| malformed(name, "it is binary"))?;
    let key = PrivateJwk::parse(value.as_bytes()).map_err(|error| match error {
        StoreError::Malformed(what) => malformed(name, &what),
        error => error,
    })?;
    if key.algorithm().key_use() != key_use {
        return Err(malformed(name, "its key is for another use"));
    }
    Ok((version, key))
}

/// Makes the first version of a secret that has none.
async fn fill(
    client: &Client,
    name: &str,
    algorithm: KeyAlgorithm,
    key: &PrivateJwk,
) -> Result<Version, StoreError> {
    if Versions::list(client, name).await?.labelled(CURRENT).is_some() {
        return Err(StoreError::Exists);
    }
    match Described::of(client, name).await?.algorithm {
        Some(tagged) if tagged != algorithm => {
            return Err(StoreError::Unsupported(format!(
                "the secret `{name}` is tagged `{ALGORITHM}` = `{tagged}`; make a key for that, or change the tag"
            )));
        }
        Some(_) => {}
        None => {
            client.tag_resource().secret_id(name).tags(tag(algorithm)).send().await.map_err(refused)?;
        }
    }
    put(client, name, key).await
}

/// Adds a version, which becomes the current one. The token makes a request that the SDK repeats the same one.
async fn put(client: &Client, name: &str, key: &PrivateJwk) -> Result<Version, StoreError> {
    let ask = client.put_secret_value().secret_id(name).client_request_token(Uuid::now_v7().to_string());
    let put = ask.version_stages(CURRENT).secret_string(key.to_json().as_str()).send().await;
    named(name, put.map_err(refused)?.version_id)
}

/// Whether a version can be one of a secret's: of 32 to 64 characters. The service calls others a mistake of the caller's, which says
/// nothing of the key.
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#SecretsManager-GetSecretValue-request-VersionId>
fn is_native(version: &Version) -> bool {
    (32..=64).contains(&version.as_str().len())
}

/// The name of a version as a kid has it.
fn named(name: &str, version: Option<String>) -> Result<Version, StoreError> {
    let version = version.and_then(|version| version.parse().ok());
    version.ok_or_else(|| malformed(name, "its version has no name that a kid can have"))
}

fn tag(algorithm: KeyAlgorithm) -> Tag {
    Tag::builder().key(ALGORITHM).value(algorithm.to_string()).build()
}

/// An RSA key takes up to half a second of a processor.
async fn generate(algorithm: KeyAlgorithm) -> Result<PrivateJwk, StoreError> {
    let made = tokio::task::spawn_blocking(move || PrivateJwk::generate(algorithm)).await;
    made.unwrap_or_else(|_| Err(StoreError::Unavailable("the making of a key was abandoned".to_owned())))
}

fn malformed(name: &str, what: &str) -> StoreError {
    StoreError::Malformed(format!("secret `{name}`: {what}"))
}
