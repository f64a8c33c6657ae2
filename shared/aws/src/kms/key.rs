use aws_sdk_kms::{
    Client,
    types::{KeyMetadata, KeySpec, KeyState, KeyUsageType, Tag},
};
use drawbridge_keys::{KeyAlgorithm, Kid, StoreError, Version};
use drawbridge_verify::{Algorithm, KeyUse, PublicJwk, UnixTime, jwe::KeyManagement};

use super::{der, malformed};
use crate::{ALGORITHM, KEY, error::refused};

/// What KMS says of a key that is of a kind used here.
pub(super) struct Key {
    pub(super) version: Version,
    pub(super) algorithm: KeyAlgorithm,
    pub(super) created: UnixTime,
    spec: KeySpec,
    usage: KeyUsageType,
    state: Option<KeyState>,
}

/// A key that is to be made.
pub(super) struct NewKey {
    pub(super) algorithm: KeyAlgorithm,
    pub(super) spec: KeySpec,
    pub(super) usage: KeyUsageType,
    /// Beside those that say what it is and whose.
    pub(super) tags: Vec<Tag>,
}

impl Key {
    /// `name`: an alias, or the id of a key that an alias led to.
    ///
    /// # Errors
    /// `Malformed` for a key that is not one of this use.
    pub(super) async fn describe(client: &Client, name: &str, key_use: KeyUse) -> Result<Self, StoreError> {
        let described = client.describe_key().key_id(name).send().await.map_err(refused)?;
        let KeyMetadata { key_id, key_spec, key_usage, key_state, creation_date, .. } =
            described.key_metadata.ok_or_else(|| malformed(name, "it is not described"))?;
        let version = key_id.parse().map_err(|_| malformed(name, "its id is none that a kid can have"))?;
        let (Some(spec), Some(usage)) = (key_spec, key_usage) else {
            return Err(malformed(name, "it is not described"));
        };
        let algorithm = match (&usage, &spec) {
            (KeyUsageType::SignVerify, KeySpec::EccNistP256) => Algorithm::ES256.into(),
            (KeyUsageType::SignVerify, KeySpec::EccNistP384) => Algorithm::ES384.into(),
            (KeyUsageType::SignVerify, spec) if modulus(spec).is_some() => {
                tagged(client, &key_id, name).await?
            }
            (KeyUsageType::EncryptDecrypt, spec) if modulus(spec).is_some() => {
                KeyManagement::RsaOaep256.into()
            }
            _ => return Err(malformed(name, "its kind is none that is used here")),
        };
        if algorithm.key_use() != key_use {
            return Err(malformed(name, "it is for another use"));
        }
        let created = UnixTime::from_secs(creation_date.map_or(0, |at| at.secs()));
        Ok(Self { version, algorithm, created, spec, usage, state: key_state })
    }

    /// # Errors
    /// `NotFound` for a disabled key, which is a withdrawn one; `Deleted`; `Unavailable`.
    pub(super) fn usable(&self) -> Result<(), StoreError> {
        match &self.state {
            Some(KeyState::Enabled) => Ok(()),
            Some(KeyState::Disabled) => Err(StoreError::NotFound),
            Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion) => {
                Err(StoreError::Deleted(format!("KMS key `{}`", self.version)))
            }
            state => {
                let state = state.as_ref().map_or("unknown", KeyState::as_str);
                Err(StoreError::Unavailable(format!("KMS key `{}` is in state {state}", self.version)))
            }
        }
    }

    /// The public half under its name, as it is published.
    pub(super) async fn public(&self, client: &Client, kid: &Kid) -> Result<PublicJwk, StoreError> {
        let id = self.version.as_str();
        let answer = client.get_public_key().key_id(id).send().await.map_err(refused)?;
        let spki = answer.public_key.ok_or_else(|| malformed(id, "its public half is not answered"))?;
        let public = der::public_key(spki.as_ref(), self.algorithm.key_type());
        let public = public.ok_or_else(|| malformed(id, "its public half is not a key of its kind"))?;
        let kid = kid.to_string();
        Ok(match self.algorithm {
            KeyAlgorithm::Encryption(algorithm, _) => public.named_for_encryption(&kid, algorithm),
            KeyAlgorithm::Signature(algorithm) => public.named(&kid, KeyUse::Signing, algorithm),
            _ => return Err(malformed(id, "its kind is none that is used here")),
        })
    }

    /// How long what is encrypted to it is, in bytes.
    pub(super) fn modulus(&self) -> Option<usize> {
        modulus(&self.spec)
    }
}

impl NewKey {
    /// # Errors
    /// `Unsupported` for what KMS, or this store, does not do.
    pub(super) fn of(algorithm: KeyAlgorithm, key_use: KeyUse) -> Result<Self, StoreError> {
        let spec = match algorithm {
            KeyAlgorithm::Signature(Algorithm::ES256) => Some(KeySpec::EccNistP256),
            KeyAlgorithm::Signature(Algorithm::ES384) => Some(KeySpec::EccNistP384),
            KeyAlgorithm::Signature(Algorithm::PS256 | Algorithm::RS256)
            | KeyAlgorithm::Encryption(KeyManagement::RsaOaep256, _) => Some(KeySpec::Rsa3072),
            _ => None,
        };
        let usage = match key_use {
            KeyUse::Signing => KeyUsageType::SignVerify,
            KeyUse::Encryption => KeyUsageType::EncryptDecrypt,
        };
        let spec = spec.filter(|_| algorithm.key_use() == key_use);
        let spec = spec.ok_or_else(|| {
            StoreError::Unsupported(format!(
                "`{algorithm}` is not an algorithm for `{}` keys in KMS; it has ES256, ES384, PS256 and RS256 to sign with, and \
                 RSA-OAEP-256 to decrypt with",
                key_use.name()
            ))
        })?;
        Ok(Self { algorithm, spec, usage, tags: Vec::new() })
    }

    /// Of the same kind as `key`, with the tags that it was given beside ours.
    pub(super) async fn like(client: &Client, key: &Key) -> Result<Self, StoreError> {
        let mut tags = tags(client, key.version.as_str()).await?;
        tags.retain(|tag| {
            !tag.tag_key.starts_with("aws:") && ![ALGORITHM, KEY].contains(&tag.tag_key.as_str())
        });
        let Key { algorithm, spec, usage, .. } = key;
        Ok(Self { algorithm: *algorithm, spec: spec.clone(), usage: usage.clone(), tags })
    }
}

/// What the tag of an RSA key says that it signs with: the key itself would sign with either padding.
async fn tagged(client: &Client, id: &str, name: &str) -> Result<KeyAlgorithm, StoreError> {
    let tags = tags(client, id).await?;
    let tag = tags.iter().find(|tag| tag.tag_key == ALGORITHM).and_then(|tag| tag.tag_value.parse().ok());
    match tag {
        Some(algorithm @ KeyAlgorithm::Signature(Algorithm::PS256 | Algorithm::RS256)) => Ok(algorithm),
        _ => Err(malformed(
            name,
            &format!("an RSA key needs the tag `{ALGORITHM}`, which is `PS256` or `RS256`"),
        )),
    }
}

/// At most 50, which is one page.
async fn tags(client: &Client, id: &str) -> Result<Vec<Tag>, StoreError> {
    let mut pages = client.list_resource_tags().key_id(id).into_paginator().items().send();
    let mut tags = Vec::new();
    while let Some(tag) = pages.next().await {
        tags.push(tag.map_err(refused)?);
    }
    Ok(tags)
}

/// The bytes of an RSA key's modulus.
fn modulus(spec: &KeySpec) -> Option<usize> {
    match spec {
        KeySpec::Rsa2048 => Some(256),
        KeySpec::Rsa3072 => Some(384),
        KeySpec::Rsa4096 => Some(512),
        _ => None,
    }
}
