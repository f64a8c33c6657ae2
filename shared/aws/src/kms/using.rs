//! Keys that are used where they are.

use async_trait::async_trait;
use aws_lc_rs::digest::{self, SHA256, SHA384};
use aws_sdk_kms::{
    Client,
    operation::decrypt::DecryptError,
    primitives::Blob,
    types::{EncryptionAlgorithmSpec, MessageType, SigningAlgorithmSpec},
};
use drawbridge_keys::{Decrypter, KeyAlgorithm, Kid, Signer, StoreError};
use drawbridge_verify::{
    Algorithm,
    jwe::{ContentEncryption, ContentKey, Recipient, Sealed},
};
use zeroize::Zeroizing;

use super::{der, key::Key, malformed};
use crate::error::refused;

/// Signs in KMS. What goes there is a digest: `RAW` messages end at 4096 bytes, and a token may be longer.
pub(super) struct KmsSigner {
    client: Client,
    kid: Kid,
    algorithm: Algorithm,
    way: Way,
}

/// How KMS is asked for the signature of an algorithm.
struct Way {
    spec: SigningAlgorithmSpec,
    digest: &'static digest::Algorithm,
    /// The bytes of r and of s, which KMS answers in DER.
    scalar: Option<usize>,
}

/// Decrypts content keys in KMS.
pub(super) struct KmsDecrypter {
    client: Client,
    id: String,
    modulus: usize,
    recipient: Recipient,
}

impl KmsSigner {
    pub(super) fn new(client: Client, kid: Kid, algorithm: KeyAlgorithm) -> Result<Self, StoreError> {
        let way = |spec, digest, scalar| Way { spec, digest, scalar };
        let (algorithm, way) = match algorithm {
            KeyAlgorithm::Signature(algorithm) => match algorithm {
                Algorithm::ES256 => (algorithm, way(SigningAlgorithmSpec::EcdsaSha256, &SHA256, Some(32))),
                Algorithm::ES384 => (algorithm, way(SigningAlgorithmSpec::EcdsaSha384, &SHA384, Some(48))),
                Algorithm::PS256 => (algorithm, way(SigningAlgorithmSpec::RsassaPssSha256, &SHA256, None)),
                Algorithm::RS256 => {
                    (algorithm, way(SigningAlgorithmSpec::RsassaPkcs1V15Sha256, &SHA256, None))
                }
                _ => return Err(malformed(kid.version.as_str(), "its kind is none that is used here")),
            },
            _ => return Err(malformed(kid.version.as_str(), "it does not sign")),
        };
        Ok(Self { client, kid, algorithm, way })
    }
}

#[async_trait]
impl Signer for KmsSigner {
    fn kid(&self) -> &Kid {
        &self.kid
    }

    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    async fn sign(&self, input: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (id, digest) = (self.kid.version.as_str(), digest::digest(self.way.digest, input));
        let ask = self.client.sign().key_id(id).signing_algorithm(self.way.spec.clone());
        let ask = ask.message_type(MessageType::Digest).message(Blob::new(digest.as_ref()));
        let answer = ask.send().await.map_err(refused)?;
        let signature = answer.signature.ok_or_else(|| malformed(id, "no signature was answered"))?;
        match self.way.scalar {
            Some(length) => der::fixed_signature(signature.as_ref(), length)
                .ok_or_else(|| malformed(id, "what was answered is not a signature of its kind")),
            None => Ok(signature.into_inner()),
        }
    }
}

impl KmsDecrypter {
    pub(super) fn new(client: Client, kid: &Kid, key: &Key) -> Result<Self, StoreError> {
        let id = key.version.to_string();
        let (KeyAlgorithm::Encryption(algorithm, _), Some(modulus)) = (key.algorithm, key.modulus()) else {
            return Err(malformed(&id, "it does not decrypt"));
        };
        let recipient = Recipient::new(&kid.to_string(), algorithm, &ContentEncryption::ALL);
        Ok(Self { client, id, modulus, recipient })
    }
}

#[async_trait]
impl Decrypter for KmsDecrypter {
    fn recipient(&self) -> &Recipient {
        &self.recipient
    }

    async fn unwrap(&self, sealed: &Sealed<'_>) -> Result<ContentKey, StoreError> {
        // What cannot be a ciphertext of the key is not worth a request, and KMS would call it a mistake of the caller's.
        if sealed.encrypted_key().len() != self.modulus {
            return Ok(sealed.content_key(None));
        }
        let ask = self.client.decrypt().key_id(&self.id).ciphertext_blob(Blob::new(sealed.encrypted_key()));
        match ask.encryption_algorithm(EncryptionAlgorithmSpec::RsaesOaepSha256).send().await {
            Ok(answer) => {
                let key = answer.plaintext.map(|plain| Zeroizing::new(plain.into_inner()));
                Ok(sealed.content_key(key))
            }
            Err(error) => match error.as_service_error() {
                Some(DecryptError::InvalidCiphertextException(_)) => Ok(sealed.content_key(None)),
                _ => Err(refused(error)),
            },
        }
    }
}
