//! Rotation of a key in Secrets Manager, by the four steps of its contract.
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html>
//!
//! Secrets Manager makes an empty version labelled `AWSPENDING` and asks for one step after the other; where one fails it begins
//! anew with the first, several times. Every step can therefore be done again, and be interrupted between any two requests.
//!
//! | step | what it does | after it |
//! | --- | --- | --- |
//! | `createSecret` | makes a key for the pending version, once | `AWSPENDING` has a key |
//! | `setSecret` | nothing: who verifies asks for the key by its kid | |
//! | `testSecret` | signs and verifies, or encrypts and decrypts, with the pending key | |
//! | `finishSecret` | keeps what still verifies, moves `AWSCURRENT` | the old version is `AWSPREVIOUS` |
//!
//! At no moment is a version without a label that may have signed a token which is still valid: one that would lose `AWSPREVIOUS`
//! too early is labelled [`ACTIVE`] before. A label is on one version at a time, so that of three rotations within
//! [`RETIRE_AFTER`] the third waits.

use std::{str::FromStr, sync::Arc};

use aws_sdk_secretsmanager::{Client, primitives::DateTime, types::SecretVersionsListEntry};
use drawbridge_keys::{Clock, KeyAlgorithm, Kid, PrivateJwk, RETIRE_AFTER, StoreError, SystemClock, Version};
use drawbridge_verify::{KeyUse, UnixTime};
use thiserror::Error;
use zeroize::Zeroizing;

use self::proof::works;
use crate::{ACTIVE, ALGORITHM, connect::Connection, error::refused};

mod proof;

/// Rotates any secret `<prefix>/<backend>/<use>` that Secrets Manager asks it to.
#[derive(Clone)]
pub struct Rotation {
    secrets: Client,
    clock: Arc<dyn Clock>,
}

/// What Secrets Manager asks for, by the name that it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `createSecret`
    Create,
    /// `setSecret`
    Set,
    /// `testSecret`
    Test,
    /// `finishSecret`
    Finish,
}

/// Why a step was not done. Secrets Manager shows the text in its event and tries again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RotationError {
    /// The event names a step that there is not.
    #[error(
        "there is no such step; `createSecret`, `setSecret`, `testSecret` and `finishSecret` are those of a rotation"
    )]
    Step,
    /// The secret is not one of ours.
    #[error("the secret's name is not `<prefix>/<backend>/<use>` with a use of `sig` or `enc`")]
    Name,
    /// Nobody enabled rotation for the secret.
    #[error("rotation is not enabled for the secret")]
    NotEnabled,
    /// The version is not the one that a rotation is under way for.
    #[error("the version is not staged `AWSPENDING`")]
    NotPending,
    /// There is nothing to tell which key to make.
    #[error("the secret has neither the tag `{ALGORITHM}` nor a current key whose algorithm could be kept")]
    NoAlgorithm,
    /// The tag is no algorithm, or one of another use.
    #[error("the tag `{ALGORITHM}` does not name an algorithm for keys of the secret's use")]
    Algorithm,
    /// `testSecret` or `finishSecret` without a key.
    #[error("the pending version holds no key")]
    NoKey,
    /// The pending key does not undo what it did.
    #[error("the pending key does not work: what one half does the other does not undo")]
    Broken,
    /// The third rotation within [`RETIRE_AFTER`].
    #[error(
        "the version `{0}` may have signed tokens that are still valid and would lose its last label; wait an hour or revoke it"
    )]
    StillVerifying(String),
    /// Secrets Manager did not do what it was asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";
const PREVIOUS: &str = "AWSPREVIOUS";

impl Rotation {
    /// With region, credentials and endpoint as the SDK finds them in the environment.
    ///
    /// # Errors
    /// `Unavailable` where there is no region.
    pub async fn from_environment() -> Result<Self, StoreError> {
        let connection = Connection::new(None, Client::new);
        Ok(Self::new(connection.managing().await?.clone()))
    }

    /// With the client that it asks.
    pub fn new(secrets: Client) -> Self {
        Self { secrets, clock: Arc::new(SystemClock) }
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Does one step for the version that Secrets Manager is rotating to. `secret` is a name or an ARN.
    ///
    /// # Errors
    /// [`RotationError`]. Nothing is lost by any of them: the current and the previous key are what they were.
    pub async fn step(&self, step: Step, secret: &str, version: &Version) -> Result<(), RotationError> {
        let rotating = self.rotating(secret, version).await?;
        match step {
            Step::Create if rotating.is_current => Ok(()),
            Step::Create => self.create(&rotating).await,
            Step::Set => Ok(()),
            Step::Test => self.test(&rotating).await,
            Step::Finish => self.finish(&rotating).await,
        }
    }

    /// What the contract asks every step to check.
    async fn rotating(&self, id: &str, version: &Version) -> Result<Rotating, RotationError> {
        let secret = self.secrets.describe_secret().secret_id(id).send().await.map_err(refused)?;
        if secret.rotation_enabled != Some(true) {
            return Err(RotationError::NotEnabled);
        }
        let labels = secret.version_ids_to_stages().and_then(|versions| versions.get(version.as_str()));
        let has = |label: &str| labels.is_some_and(|labels| labels.iter().any(|is| is == label));
        let (is_current, is_pending) = (has(CURRENT), has(PENDING));
        if !is_current && !is_pending {
            return Err(RotationError::NotPending);
        }
        let tag = secret.tags().iter().find(|tag| tag.key() == Some(ALGORITHM)).and_then(|tag| tag.value());
        Ok(Rotating {
            id: id.to_owned(),
            kid: kid(secret.name().unwrap_or_default(), version)?,
            is_current,
            is_pending,
            algorithm: tag.map(|tag| tag.parse().map_err(|_| RotationError::Algorithm)).transpose()?,
            rotated: secret.last_rotated_date().map(unix),
        })
    }

    async fn create(&self, rotating: &Rotating) -> Result<(), RotationError> {
        if self.key(rotating, Which::Rotating).await?.is_some() {
            return Ok(());
        }
        let algorithm = match rotating.algorithm {
            Some(algorithm) => algorithm,
            None => {
                let current = self.key(rotating, Which::Current).await?;
                current.ok_or(RotationError::NoAlgorithm)?.algorithm()
            }
        };
        if algorithm.key_use() != rotating.kid.key_use {
            return Err(RotationError::Algorithm);
        }
        let key = tokio::task::spawn_blocking(move || PrivateJwk::generate(algorithm)).await.unwrap_or_else(
            |_| Err(StoreError::Unavailable("the making of a key was abandoned".to_owned())),
        )?;
        // The first version of a secret is current as soon as it is there.
        works(&key, &rotating.kid).await?;
        let put = self
            .secrets
            .put_secret_value()
            .secret_id(&rotating.id)
            .client_request_token(rotating.version())
            .secret_string(key.to_json().as_str())
            .version_stages(PENDING)
            .send()
            .await;
        match put {
            // Somebody else does the same step, and was first.
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_resource_exists_exception()) =>
            {
                Ok(())
            }
            answer => answer.map(drop).map_err(|error| refused(error).into()),
        }
    }

    async fn test(&self, rotating: &Rotating) -> Result<(), RotationError> {
        let key = self.key(rotating, Which::Rotating).await?.ok_or(RotationError::NoKey)?;
        works(&key, &rotating.kid).await
    }

    async fn finish(&self, rotating: &Rotating) -> Result<(), RotationError> {
        if !rotating.is_current {
            // What is current signs: an empty or broken version never becomes that, in whatever order the steps come.
            self.test(rotating).await?;
            let listed = self.secrets.list_secret_version_ids().secret_id(&rotating.id).send().await;
            let versions = Versions(listed.map_err(refused)?.versions.unwrap_or_default());
            self.keep(rotating, &versions).await?;
            self.label(rotating, CURRENT, Some(rotating.version()), versions.labelled(CURRENT)).await?;
        }
        if rotating.is_pending {
            self.label(rotating, PENDING, None, Some(rotating.version())).await?;
        }
        Ok(())
    }

    /// Before `AWSCURRENT` moves, which takes `AWSPREVIOUS` from the version that has it: keeps that version published where it may
    /// have signed a token that is still valid, and retires the one that was kept so the last time.
    async fn keep(&self, rotating: &Rotating, versions: &Versions) -> Result<(), RotationError> {
        let (previous, active) = (versions.labelled(PREVIOUS), versions.labelled(ACTIVE));
        if !self.recent(rotating, versions) {
            return match active {
                Some(_) => self.label(rotating, ACTIVE, None, active).await,
                None => Ok(()),
            };
        }
        if previous.is_none() || previous == active {
            return Ok(());
        }
        match active.filter(|active| versions.has_no_other_label(active)) {
            Some(active) => Err(RotationError::StillVerifying(active.to_owned())),
            None => self.label(rotating, ACTIVE, previous, active).await,
        }
    }

    /// Whether the previous version was superseded less than [`RETIRE_AFTER`] ago. Secrets Manager does not say when a label moved: it was
    /// at the latest when a rotation was last finished or, where the key was put by hand, when the current version was made.
    fn recent(&self, rotating: &Rotating, versions: &Versions) -> bool {
        let made = versions.current().map(|current| current.created_date().map(unix));
        let superseded = match made {
            Some(Some(made)) => Some(rotating.rotated.map_or(made, |rotated| rotated.max(made))),
            // A version that does not say when it was made may be a new one.
            Some(None) => None,
            None => rotating.rotated,
        };
        superseded.is_none_or(|superseded| self.clock.now().since(superseded) <= RETIRE_AFTER)
    }

    async fn key(&self, rotating: &Rotating, which: Which) -> Result<Option<PrivateJwk>, RotationError> {
        let request = self.secrets.get_secret_value().secret_id(&rotating.id);
        let request = match which {
            Which::Rotating => request.version_id(rotating.version()),
            Which::Current => request.version_stage(CURRENT),
        };
        match request.send().await {
            Ok(answer) => {
                let value = answer.secret_string.map(Zeroizing::new);
                Ok(value.map(|value| PrivateJwk::parse(value.as_bytes())).transpose()?)
            }
            // The secret is there; it is the version that has no value yet.
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(refused(error).into()),
        }
    }

    async fn label(
        &self,
        rotating: &Rotating,
        label: &str,
        to: Option<&str>,
        from: Option<&str>,
    ) -> Result<(), RotationError> {
        self.secrets
            .update_secret_version_stage()
            .secret_id(&rotating.id)
            .version_stage(label)
            .set_move_to_version_id(to.map(str::to_owned))
            .set_remove_from_version_id(from.map(str::to_owned))
            .send()
            .await
            .map(drop)
            .map_err(|error| refused(error).into())
    }
}

/// A secret, and the version that it is being rotated to.
struct Rotating {
    /// Name or ARN, as it was given.
    id: String,
    /// What the version is called as a key.
    kid: Kid,
    is_current: bool,
    is_pending: bool,
    /// What the tag asks for.
    algorithm: Option<KeyAlgorithm>,
    /// When a rotation was last finished.
    rotated: Option<UnixTime>,
}

#[derive(Clone, Copy)]
enum Which {
    Rotating,
    Current,
}

/// The versions that have labels.
struct Versions(Vec<SecretVersionsListEntry>);

impl Rotating {
    fn version(&self) -> &str {
        self.kid.version.as_str()
    }
}

impl Versions {
    fn labelled(&self, label: &str) -> Option<&str> {
        self.with(label).and_then(SecretVersionsListEntry::version_id)
    }

    fn current(&self) -> Option<&SecretVersionsListEntry> {
        self.with(CURRENT)
    }

    fn has_no_other_label(&self, version: &str) -> bool {
        let labels = self
            .0
            .iter()
            .find(|entry| entry.version_id() == Some(version))
            .map(|entry| entry.version_stages());
        labels.is_some_and(|labels| labels.len() <= 1)
    }

    fn with(&self, label: &str) -> Option<&SecretVersionsListEntry> {
        self.0.iter().find(|entry| entry.version_stages().iter().any(|is| is == label))
    }
}

impl FromStr for Step {
    type Err = RotationError;

    fn from_str(text: &str) -> Result<Self, RotationError> {
        match text {
            "createSecret" => Ok(Self::Create),
            "setSecret" => Ok(Self::Set),
            "testSecret" => Ok(Self::Test),
            "finishSecret" => Ok(Self::Finish),
            _ => Err(RotationError::Step),
        }
    }
}

/// `<prefix>/<backend>/<use>` and a version; the prefix may have slashes of its own.
fn kid(secret: &str, version: &Version) -> Result<Kid, RotationError> {
    let mut parts = secret.rsplit('/');
    let key_use = match parts.next() {
        Some("sig") => KeyUse::Signing,
        Some("enc") => KeyUse::Encryption,
        _ => return Err(RotationError::Name),
    };
    let backend = parts.next().and_then(|name| name.parse().ok()).ok_or(RotationError::Name)?;
    if parts.next().is_none_or(str::is_empty) {
        return Err(RotationError::Name);
    }
    Ok(Kid::new(backend, key_use, version.clone()))
}

fn unix(time: &DateTime) -> UnixTime {
    UnixTime::from_secs(time.secs())
}
