//! The form in which private keys never leave the vault: vault keys, which sign and unwrap there.

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use azure_security_keyvault_keys::{
    KeyClient, KeyClientOptions,
    models::{
        CreateKeyParameters, CurveName, EncryptionAlgorithm, Key, KeyAttributes, KeyClientGetKeyOptions,
        KeyClientSignOptions, KeyClientUpdateKeyPropertiesOptions, KeyOperation, KeyOperationParameters,
        KeyProperties, KeyType as VaultType, SignParameters, SignatureAlgorithm,
        UpdateKeyPropertiesParameters,
    },
};
use drawbridge_keys::{Decrypter, KeyAlgorithm, Kid, Signer, StoreError, Version};
use drawbridge_verify::{
    Algorithm, KeyType, KeyUse, PublicJwk,
    jwe::{ContentEncryption, ContentKey, KeyManagement, Recipient, Sealed},
};
use futures_util::TryStreamExt;
use url::Url;
use zeroize::Zeroizing;

use crate::{
    error::{Failure, Kind},
    form::{Attributes, Form, Held, Listed, tagged, tags},
    jwk::VaultKey,
    name,
    vault::{Access, Patience, Vault},
};

/// The keys of a vault.
pub(crate) struct Keys(Arc<Vault<Arc<KeyClient>>>);

/// A version of a key.
pub(crate) struct HeldKey {
    vault: Arc<Vault<Arc<KeyClient>>>,
    name: String,
    version: Version,
    attributes: Attributes,
    key: VaultKey,
}

impl Keys {
    pub(crate) fn new(url: &Url, access: Access) -> Self {
        Self(Arc::new(Vault::new(url, access, |url, credential, client_options| {
            let options = KeyClientOptions { client_options, ..KeyClientOptions::default() };
            KeyClient::new(url, credential, Some(options)).map(Arc::new)
        })))
    }

    fn held(&self, name: &str, key: &Key) -> Result<HeldKey, StoreError> {
        let malformed = |why: &str| StoreError::Malformed(format!("key `{name}`: {why}"));
        let jwk = key.key.as_ref().ok_or_else(|| malformed("the answer has no key"))?;
        let version = name::version_of(jwk.kid.as_deref(), COLLECTION, name)
            .ok_or_else(|| malformed("the answer is a key of another name"))?;
        let attributes =
            attributes(key.attributes.as_ref()).ok_or_else(|| malformed("the answer has no attributes"))?;
        let (_, key_use) = name::parse(name).ok_or_else(|| malformed("the name is none of ours"))?;
        let tagged = tagged(key.tags.as_ref()).map_err(malformed)?;
        let key = VaultKey::read(jwk, key_use, tagged).map_err(malformed)?;
        Ok(HeldKey { vault: Arc::clone(&self.0), name: name.to_owned(), version, attributes, key })
    }
}

#[async_trait]
impl Form for Keys {
    type Held = HeldKey;

    async fn at(&self, name: &str, version: Option<&Version>) -> Result<Option<HeldKey>, StoreError> {
        let read = self
            .0
            .ask(&format!("get key `{name}`"), Patience::REQUEST, |client| async move {
                let key_version = version.map(Version::to_string);
                let options = KeyClientGetKeyOptions { key_version, ..KeyClientGetKeyOptions::default() };
                client.get_key(name, Some(options)).await?.into_model()
            })
            .await;
        let held = match read {
            Ok(key) => self.held(name, &key)?,
            Err(Failure { kind: Kind::Retired, .. }) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        };
        match version {
            Some(asked) if *asked != held.version => {
                Err(StoreError::Malformed(format!("key `{name}`: the answer is another version")))
            }
            _ => Ok(Some(held)),
        }
    }

    async fn list(&self, name: &str) -> Result<Vec<Listed>, StoreError> {
        let what = format!("list versions of key `{name}`");
        let listed: Vec<KeyProperties> = self
            .0
            .ask(&what, Patience::OPERATOR, |client| async move {
                client.list_key_properties_versions(name, None)?.try_collect().await
            })
            .await?;
        let read = |item: &KeyProperties| {
            let version = name::version_of(item.kid.as_deref(), COLLECTION, name)?;
            let algorithm = tagged(item.tags.as_ref()).ok()?;
            Some(Listed { version, attributes: attributes(item.attributes.as_ref())?, algorithm })
        };
        let all: Option<_> = listed.iter().map(read).collect();
        all.ok_or_else(|| Failure::malformed(&what, "a version without name, attributes or known tag").into())
    }

    async fn names(&self) -> Result<Vec<String>, StoreError> {
        let listed: Vec<KeyProperties> = self
            .0
            .ask("list keys", Patience::OPERATOR, |client| async move {
                client.list_key_properties(None)?.try_collect().await
            })
            .await?;
        Ok(listed.iter().filter_map(|item| name::name_of(item.kid.as_deref(), COLLECTION)).collect())
    }

    async fn add(
        &self,
        name: &str,
        algorithm: KeyAlgorithm,
        like: Option<&HeldKey>,
    ) -> Result<Version, StoreError> {
        let parameters = parameters(algorithm, like.map(|held| &held.key))?;
        let made = self
            .0
            .ask(&format!("create key `{name}`"), Patience::ONCE, |client| {
                let parameters = parameters.clone();
                async move { client.create_key(name, parameters.try_into()?, None).await?.into_model() }
            })
            .await?;
        Ok(self.held(name, &made)?.version)
    }

    async fn disable(&self, name: &str, version: &Version) -> Result<(), StoreError> {
        let disabled = UpdateKeyPropertiesParameters {
            key_attributes: Some(KeyAttributes { enabled: Some(false), ..KeyAttributes::default() }),
            ..UpdateKeyPropertiesParameters::default()
        };
        self.0
            .ask(&format!("disable a version of key `{name}`"), Patience::OPERATOR, |client| {
                let disabled = disabled.clone();
                async move {
                    let options = KeyClientUpdateKeyPropertiesOptions {
                        key_version: Some(version.to_string()),
                        ..KeyClientUpdateKeyPropertiesOptions::default()
                    };
                    client.update_key_properties(name, disabled.try_into()?, Some(options)).await
                }
            })
            .await?;
        Ok(())
    }
}

impl Held for HeldKey {
    fn version(&self) -> &Version {
        &self.version
    }

    fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    fn algorithm(&self) -> KeyAlgorithm {
        self.key.algorithm
    }

    fn published(&self, kid: &Kid) -> PublicJwk {
        let (public, kid) = (self.key.public.clone(), kid.to_string());
        match self.key.algorithm {
            KeyAlgorithm::Encryption(algorithm, _) => public.named_for_encryption(&kid, algorithm),
            KeyAlgorithm::Signature(algorithm) => public.named(&kid, KeyUse::Signing, algorithm),
            // There is no third kind of algorithm, and what says nothing of itself is used for nothing.
            _ => public,
        }
    }

    fn signer(&self, kid: Kid) -> Result<Arc<dyn Signer>, StoreError> {
        let (algorithm, named) = match self.key.algorithm {
            KeyAlgorithm::Signature(algorithm) => (algorithm, signature(algorithm)?),
            other => return Err(unsupported(other)),
        };
        Ok(Arc::new(VaultSigner {
            vault: Arc::clone(&self.vault),
            name: self.name.clone(),
            kid,
            algorithm,
            named,
            length: self.key.length,
        }))
    }

    fn decrypter(&self, kid: &Kid) -> Result<Arc<dyn Decrypter>, StoreError> {
        let (algorithm, named) = match self.key.algorithm {
            KeyAlgorithm::Encryption(algorithm, _) => (algorithm, unwrapping(self.key.algorithm)?),
            other => return Err(unsupported(other)),
        };
        Ok(Arc::new(VaultDecrypter {
            vault: Arc::clone(&self.vault),
            name: self.name.clone(),
            version: self.version.clone(),
            recipient: Recipient::new(&kid.to_string(), algorithm, &ContentEncryption::ALL),
            named,
            length: self.key.length,
        }))
    }
}

/// Signs in the vault, to which the digest goes and nothing else.
struct VaultSigner {
    vault: Arc<Vault<Arc<KeyClient>>>,
    name: String,
    kid: Kid,
    algorithm: Algorithm,
    named: SignatureAlgorithm,
    length: usize,
}

#[async_trait]
impl Signer for VaultSigner {
    fn kid(&self) -> &Kid {
        &self.kid
    }

    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    async fn sign(&self, input: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (name, version) = (self.name.as_str(), &self.kid.version);
        let parameters = SignParameters {
            algorithm: Some(self.named.clone()),
            value: Some(hashed(self.algorithm, input)),
        };
        let what = format!("sign with key `{name}`");
        let signed = self
            .vault
            .ask(&what, Patience::REQUEST, |client| {
                let parameters = parameters.clone();
                async move {
                    let key_version = Some(version.to_string());
                    let options = KeyClientSignOptions { key_version, ..KeyClientSignOptions::default() };
                    client.sign(name, parameters.try_into()?, Some(options)).await?.into_model()
                }
            })
            .await?;
        if name::version_of(signed.kid.as_deref(), COLLECTION, name).as_ref() != Some(version) {
            return Err(Failure::malformed(&what, "the answer is of another key").into());
        }
        signed
            .result
            .filter(|signature| signature.len() == self.length)
            .ok_or_else(|| Failure::malformed(&what, "the signature has not the length of one").into())
    }
}

/// Unwraps content keys in the vault.
struct VaultDecrypter {
    vault: Arc<Vault<Arc<KeyClient>>>,
    name: String,
    version: Version,
    recipient: Recipient,
    named: EncryptionAlgorithm,
    length: usize,
}

#[async_trait]
impl Decrypter for VaultDecrypter {
    fn recipient(&self) -> &Recipient {
        &self.recipient
    }

    async fn unwrap(&self, sealed: &Sealed<'_>) -> Result<ContentKey, StoreError> {
        // What has not the length of the modulus is wrapped by no key of it; the vault need not be asked.
        if sealed.encrypted_key().len() != self.length {
            return Ok(sealed.content_key(None));
        }
        let (name, version) = (self.name.as_str(), self.version.as_str());
        let parameters = KeyOperationParameters {
            algorithm: Some(self.named.clone()),
            value: Some(sealed.encrypted_key().to_vec()),
            ..KeyOperationParameters::default()
        };
        let unwrapped =
            self.vault
                .ask(&format!("unwrap with key `{name}`"), Patience::REQUEST, |client| {
                    let parameters = parameters.clone();
                    async move {
                        client.unwrap_key(name, version, parameters.try_into()?, None).await?.into_model()
                    }
                })
                .await;
        match unwrapped {
            Ok(unwrapped) => Ok(sealed.content_key(unwrapped.result.map(Zeroizing::new))),
            // The vault's word for a key that does not unwrap.
            Err(Failure { kind: Kind::Invalid, .. }) => Ok(sealed.content_key(None)),
            Err(failure) => Err(failure.into()),
        }
    }
}

/// What to ask for to get a key of this algorithm, of the size and in the kind of protection that `like` has.
fn parameters(algorithm: KeyAlgorithm, like: Option<&VaultKey>) -> Result<CreateKeyParameters, StoreError> {
    let hardware = like.is_some_and(|key| key.hardware);
    let (kty, curve, key_size) = match algorithm.key_type() {
        KeyType::Rsa => {
            let bits = like.map_or(RSA_BITS, |key| key.length.saturating_mul(8));
            let bits = i32::try_from(bits).map_err(|_| unsupported(algorithm))?;
            (if hardware { VaultType::RsaHsm } else { VaultType::Rsa }, None, Some(bits))
        }
        curve => {
            let curve = match curve {
                KeyType::P256 => CurveName::P256,
                KeyType::P384 => CurveName::P384,
                KeyType::P521 => CurveName::P521,
                _ => return Err(unsupported(algorithm)),
            };
            (if hardware { VaultType::EcHsm } else { VaultType::Ec }, Some(curve), None)
        }
    };
    let operations = match algorithm {
        KeyAlgorithm::Signature(algorithm) => {
            signature(algorithm)?;
            vec![KeyOperation::Sign, KeyOperation::Verify]
        }
        other => {
            unwrapping(other)?;
            vec![KeyOperation::WrapKey, KeyOperation::UnwrapKey]
        }
    };
    Ok(CreateKeyParameters {
        kty: Some(kty),
        curve,
        key_size,
        key_ops: Some(operations),
        tags: Some(tags(algorithm)),
        ..CreateKeyParameters::default()
    })
}

fn signature(algorithm: Algorithm) -> Result<SignatureAlgorithm, StoreError> {
    Ok(match algorithm {
        Algorithm::RS256 => SignatureAlgorithm::Rs256,
        Algorithm::RS384 => SignatureAlgorithm::Rs384,
        Algorithm::RS512 => SignatureAlgorithm::Rs512,
        Algorithm::PS256 => SignatureAlgorithm::Ps256,
        Algorithm::PS384 => SignatureAlgorithm::Ps384,
        Algorithm::PS512 => SignatureAlgorithm::Ps512,
        Algorithm::ES256 => SignatureAlgorithm::Es256,
        Algorithm::ES384 => SignatureAlgorithm::Es384,
        Algorithm::ES512 => SignatureAlgorithm::Es512,
        Algorithm::Ed25519 | Algorithm::EdDSA => return Err(unsupported(algorithm.into())),
    })
}

fn unwrapping(algorithm: KeyAlgorithm) -> Result<EncryptionAlgorithm, StoreError> {
    match algorithm {
        KeyAlgorithm::Encryption(KeyManagement::RsaOaep, _) => Ok(EncryptionAlgorithm::RsaOaep),
        KeyAlgorithm::Encryption(KeyManagement::RsaOaep256, _) => Ok(EncryptionAlgorithm::RsaOaep256),
        other => Err(unsupported(other)),
    }
}

fn hashed(algorithm: Algorithm, input: &[u8]) -> Vec<u8> {
    let hash = match algorithm {
        Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => &SHA384,
        Algorithm::RS512 | Algorithm::PS512 | Algorithm::ES512 => &SHA512,
        _ => &SHA256,
    };
    digest(hash, input).as_ref().to_vec()
}

fn attributes(attributes: Option<&KeyAttributes>) -> Option<Attributes> {
    let KeyAttributes { enabled, created, not_before, expires, .. } = attributes?;
    Attributes::new(*enabled, *created, *not_before, *expires)
}

fn unsupported(algorithm: KeyAlgorithm) -> StoreError {
    StoreError::Unsupported(format!(
        "Key Vault keys do not do `{algorithm}` here; its secrets can hold such a key"
    ))
}

const COLLECTION: &str = "keys";

/// As long as the RSA keys that other stores make.
const RSA_BITS: usize = 2048;
