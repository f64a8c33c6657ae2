//! The form in which a vault holds private keys and this process uses them: secrets, each a private JWK.

use std::sync::Arc;

use async_trait::async_trait;
use azure_security_keyvault_secrets::{
    SecretClient, SecretClientOptions,
    models::{
        Secret, SecretAttributes, SecretClientGetSecretOptions, SecretClientUpdateSecretPropertiesOptions,
        SecretProperties, SetSecretParameters, UpdateSecretPropertiesParameters,
    },
};
use drawbridge_keys::{Decrypter, KeyAlgorithm, Kid, PrivateJwk, Signer, StoreError, Version};
use drawbridge_verify::PublicJwk;
use futures_util::TryStreamExt;
use tokio::task::spawn_blocking;
use url::Url;
use zeroize::Zeroizing;

use crate::{
    error::{Failure, Kind},
    form::{Attributes, Form, Held, Listed, tagged, tags},
    name,
    vault::{Access, Patience, Vault},
};

/// The secrets of a vault.
pub(crate) struct Secrets(Vault<Arc<SecretClient>>);

/// A version of a secret.
pub(crate) struct HeldSecret {
    version: Version,
    attributes: Attributes,
    key: PrivateJwk,
}

impl Secrets {
    pub(crate) fn new(url: &Url, access: Access) -> Self {
        Self(Vault::new(url, access, |url, credential, client_options| {
            let options = SecretClientOptions { client_options, ..SecretClientOptions::default() };
            SecretClient::new(url, credential, Some(options)).map(Arc::new)
        }))
    }
}

#[async_trait]
impl Form for Secrets {
    type Held = HeldSecret;

    async fn at(&self, name: &str, version: Option<&Version>) -> Result<Option<HeldSecret>, StoreError> {
        let read = self
            .0
            .ask(&format!("get secret `{name}`"), Patience::REQUEST, |client| async move {
                let secret_version = version.map(Version::to_string);
                let options = SecretClientGetSecretOptions {
                    secret_version,
                    ..SecretClientGetSecretOptions::default()
                };
                client.get_secret(name, Some(options)).await?.into_model()
            })
            .await;
        let held = match read {
            Ok(secret) => held(name, secret)?,
            Err(Failure { kind: Kind::Retired, .. }) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        };
        match version {
            Some(asked) if *asked != held.version => {
                Err(StoreError::Malformed(format!("secret `{name}`: the answer is another version")))
            }
            _ => Ok(Some(held)),
        }
    }

    async fn list(&self, name: &str) -> Result<Vec<Listed>, StoreError> {
        let what = format!("list versions of secret `{name}`");
        let listed: Vec<SecretProperties> = self
            .0
            .ask(&what, Patience::OPERATOR, |client| async move {
                client.list_secret_properties_versions(name, None)?.try_collect().await
            })
            .await?;
        let read = |item: &SecretProperties| {
            let version = name::version_of(item.id.as_deref(), COLLECTION, name)?;
            let algorithm = tagged(item.tags.as_ref()).ok()?;
            Some(Listed { version, attributes: attributes(item.attributes.as_ref())?, algorithm })
        };
        let all: Option<_> = listed.iter().map(read).collect();
        all.ok_or_else(|| Failure::malformed(&what, "a version without name, attributes or known tag").into())
    }

    async fn names(&self) -> Result<Vec<String>, StoreError> {
        let listed: Vec<SecretProperties> = self
            .0
            .ask("list secrets", Patience::OPERATOR, |client| async move {
                client.list_secret_properties(None)?.try_collect().await
            })
            .await?;
        Ok(listed.iter().filter_map(|item| name::name_of(item.id.as_deref(), COLLECTION)).collect())
    }

    async fn add(
        &self,
        name: &str,
        algorithm: KeyAlgorithm,
        _like: Option<&HeldSecret>,
    ) -> Result<Version, StoreError> {
        // An RSA key takes its time.
        let key = spawn_blocking(move || PrivateJwk::generate(algorithm))
            .await
            .map_err(|_| StoreError::Unavailable("the making of a key was abandoned".to_owned()))??;
        let json = key.to_json();
        let made = self
            .0
            .ask(&format!("set secret `{name}`"), Patience::ONCE, |client| {
                let parameters = SetSecretParameters {
                    value: Some(json.to_string()),
                    content_type: Some(CONTENT_TYPE.to_owned()),
                    tags: Some(tags(algorithm)),
                    ..SetSecretParameters::default()
                };
                async move { client.set_secret(name, parameters.try_into()?, None).await?.into_model() }
            })
            .await?;
        Ok(held(name, made)?.version)
    }

    async fn disable(&self, name: &str, version: &Version) -> Result<(), StoreError> {
        let disabled = UpdateSecretPropertiesParameters {
            secret_attributes: Some(SecretAttributes { enabled: Some(false), ..SecretAttributes::default() }),
            ..UpdateSecretPropertiesParameters::default()
        };
        self.0
            .ask(&format!("disable a version of secret `{name}`"), Patience::OPERATOR, |client| {
                let disabled = disabled.clone();
                async move {
                    let options = SecretClientUpdateSecretPropertiesOptions {
                        secret_version: Some(version.to_string()),
                        ..SecretClientUpdateSecretPropertiesOptions::default()
                    };
                    client.update_secret_properties(name, disabled.try_into()?, Some(options)).await
                }
            })
            .await?;
        Ok(())
    }
}

impl Held for HeldSecret {
    fn version(&self) -> &Version {
        &self.version
    }

    fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    fn algorithm(&self) -> KeyAlgorithm {
        self.key.algorithm()
    }

    fn published(&self, kid: &Kid) -> PublicJwk {
        self.key.published(kid)
    }

    fn signer(&self, kid: Kid) -> Result<Arc<dyn Signer>, StoreError> {
        self.key.signer(kid)
    }

    fn decrypter(&self, kid: &Kid) -> Result<Arc<dyn Decrypter>, StoreError> {
        self.key.decrypter(kid)
    }
}

fn held(name: &str, secret: Secret) -> Result<HeldSecret, StoreError> {
    // Wiped also where what follows fails. The buffers that the answer came through are the SDK's, and are not.
    let value = secret.value.map(Zeroizing::new);
    let malformed = |why: &str| StoreError::Malformed(format!("secret `{name}`: {why}"));
    let version = name::version_of(secret.id.as_deref(), COLLECTION, name)
        .ok_or_else(|| malformed("the answer is a secret of another name"))?;
    let attributes =
        attributes(secret.attributes.as_ref()).ok_or_else(|| malformed("the answer has no attributes"))?;
    let (_, key_use) = name::parse(name).ok_or_else(|| malformed("the name is none of ours"))?;
    let value = value.ok_or_else(|| malformed("the answer has no value"))?;
    let key = PrivateJwk::parse(value.as_bytes()).map_err(|error| match error {
        StoreError::Malformed(why) => malformed(&why),
        other => other,
    })?;
    if key.algorithm().key_use() != key_use {
        return Err(malformed("its algorithm is not one of its use"));
    }
    Ok(HeldSecret { version, attributes, key })
}

fn attributes(attributes: Option<&SecretAttributes>) -> Option<Attributes> {
    let SecretAttributes { enabled, created, not_before, expires, .. } = attributes?;
    Attributes::new(*enabled, *created, *not_before, *expires)
}

const COLLECTION: &str = "secrets";

/// RFC 7517 section 8.5.1.
const CONTENT_TYPE: &str = "application/jwk+json";
