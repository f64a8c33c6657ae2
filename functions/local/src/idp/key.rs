use std::{fs, io, path::Path};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
        RsaKeyPair,
    },
};
use drawbridge_verify::{Algorithm, Algorithms};
use jsonwebtoken::{
    EncodingKey, Header,
    jwk::{Jwk, PublicKeyUse, ThumbprintHash},
};
use serde_json::Value;
use thiserror::Error;

use crate::files::write_private;

/// The key of the identity provider.
pub struct SigningKey {
    algorithm: jsonwebtoken::Algorithm,
    private: EncodingKey,
    public: Jwk,
}

/// A key that cannot be made, kept or used.
#[derive(Debug, Error)]
pub enum KeyError {
    /// None of the configured algorithms can be signed with here.
    #[error("the identity provider cannot sign with any of the configured algorithms; add RS256 or ES256")]
    NoAlgorithm,
    /// The random generator failed.
    #[error("no key could be made")]
    NotMade,
    /// The file cannot be read or written.
    #[error("`{0}`: {1}")]
    File(String, io::Error),
    /// The file holds no such key, or signing failed.
    #[error(
        "the key of the identity provider cannot be used ({0}); remove the state folder to make a new one"
    )]
    Unusable(#[from] jsonwebtoken::errors::Error),
}

impl SigningKey {
    /// The key in `folder` for RS256 where it is allowed, otherwise for the first algorithm that is; made if there is none.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(folder: &Path, allowed: Algorithms) -> Result<Self, KeyError> {
        let (name, algorithm) = [Algorithm::RS256]
            .into_iter()
            .filter(|preferred| allowed.contains(*preferred))
            .chain(allowed.iter())
            .find_map(|algorithm| Some((algorithm.name(), signable(algorithm)?)))
            .ok_or(KeyError::NoAlgorithm)?;

        let file = folder.join(format!("idp-{name}.der"));
        let failed = |error| KeyError::File(file.display().to_string(), error);
        let der = match fs::read(&file) {
            Ok(der) => der,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let der = generate(algorithm).ok_or(KeyError::NotMade)?;
                write_private(&file, &der).map_err(failed)?;
                der
            }
            Err(error) => return Err(failed(error)),
        };

        let private = match algorithm {
            jsonwebtoken::Algorithm::ES256 | jsonwebtoken::Algorithm::ES384 => EncodingKey::from_ec_der(&der),
            jsonwebtoken::Algorithm::EdDSA => EncodingKey::from_ed_der(&der),
            _ => EncodingKey::from_rsa_der(&der),
        };
        let mut public = Jwk::from_encoding_key(&private, algorithm)?;
        public.common.key_id = Some(public.thumbprint(ThumbprintHash::SHA256)?);
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { algorithm, private, public })
    }

    /// The public half.
    pub fn public(&self) -> &Jwk {
        &self.public
    }

    /// A compact JWS of the claims.
    ///
    /// # Errors
    /// `Unusable`.
    pub fn sign(&self, typ: &str, claims: &Value) -> Result<String, KeyError> {
        let mut header = Header::new(self.algorithm);
        header.typ = Some(typ.to_owned());
        header.kid.clone_from(&self.public.common.key_id);
        Ok(jsonwebtoken::encode(&header, claims, &self.private)?)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.public.common.key_id).finish_non_exhaustive()
    }
}

/// The same algorithm in the signing library, which knows neither ES512 nor the name `Ed25519`.
fn signable(algorithm: Algorithm) -> Option<jsonwebtoken::Algorithm> {
    algorithm.name().parse().ok()
}

/// A new private key in the form that the signing library reads: PKCS#1 for RSA, PKCS#8 v1 for the others.
fn generate(algorithm: jsonwebtoken::Algorithm) -> Option<Vec<u8>> {
    let random = SystemRandom::new();
    let document = match algorithm {
        jsonwebtoken::Algorithm::ES256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
        }
        jsonwebtoken::Algorithm::ES384 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random)
        }
        jsonwebtoken::Algorithm::EdDSA => Ed25519KeyPair::generate_pkcs8v1(&random),
        _ => {
            let pkcs8 = RsaKeyPair::generate(KeySize::Rsa2048).ok()?.as_der().ok()?;
            return Some(pkcs8.as_ref().get(PKCS8_HEADER..)?.to_vec());
        }
    };
    Some(document.ok()?.as_ref().to_vec())
}

/// What stands before the PKCS#1 key in the PKCS#8 of a 2048-bit RSA key: SEQUENCE (4), version (3), AlgorithmIdentifier (15),
/// OCTET STRING (4). RFC 5208 section 5.
const PKCS8_HEADER: usize = 26;
