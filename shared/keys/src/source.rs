use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use drawbridge_verify::PublicJwk;
use thiserror::Error;
use tokio::time::timeout;

use crate::{KeyStore, Kid, StoreError};

/// Where a verifier gets public keys of one issuer (and, where keys are per backend, of one backend).
#[async_trait]
pub trait KeySource: Send + Sync {
    /// Fetches the key that `kid` names. A source that reads whole sets returns the whole set.
    ///
    /// # Errors
    /// [`SourceError`]. A source that reads whole sets has no `NotFound`: no set is a failure, never "no keys".
    async fn fetch(&self, kid: &str) -> Result<Fetched, SourceError>;

    /// Whether [`fetch`](Self::fetch) answers every kid with the same whole set, so that one fetch answers for all kids.
    fn reads_whole_sets(&self) -> bool {
        false
    }
}

/// What a source answered.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The keys; at least the asked one where the source has it.
    pub keys: Vec<PublicJwk>,
    /// How long the source says they are fresh (`Cache-Control: max-age`).
    pub max_age: Option<Duration>,
}

/// Why a source gave no key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The source answered that there is no such key.
    #[error("no such key")]
    NotFound,
    /// The source could not be asked or did not answer in time; says nothing about the key. The text is for the log.
    #[error("the key source is unavailable: {0}")]
    Unavailable(String),
    /// The source answered with something that is refused.
    #[error("the key source's answer is refused: {0}")]
    Refused(String),
}

/// A key store as a key source: for a gate that stands next to its store, which has 3 seconds to answer.
pub struct StoreSource(pub Arc<dyn KeyStore>);

#[async_trait]
impl KeySource for StoreSource {
    async fn fetch(&self, kid: &str) -> Result<Fetched, SourceError> {
        let kid: Kid = kid.parse().map_err(|_| SourceError::NotFound)?;
        let late = StoreError::Unavailable("no answer in time".to_owned());
        match timeout(STORE, self.0.public(&kid)).await.unwrap_or(Err(late)) {
            Ok(key) => Ok(Fetched { keys: vec![key], max_age: None }),
            Err(StoreError::NotFound) => Err(SourceError::NotFound),
            Err(StoreError::Malformed(what)) => Err(SourceError::Refused(what)),
            Err(error) => Err(SourceError::Unavailable(error.to_string())),
        }
    }
}

/// How long a store may take, wherever a request waits for it.
pub const STORE: Duration = Duration::from_secs(3);
