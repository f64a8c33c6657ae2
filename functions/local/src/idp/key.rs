use std::{fs, io, path::Path};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
        EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair,
    },
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD};
use drawbridge_verify::{Algorithm, Algorithms, PublicJwk};
use jsonwebtoken::{
    EncodingKey, Header,
    jwk::{Jwk, PublicKeyUse, ThumbprintHash},
};
use serde_json::{Value, json};
use thiserror::Error;

use crate::files::write_private;

/// The key of the identity provider.
pub struct SigningKey {
    private: Private,
    public: Value,
}

/// By who signs with it.
enum Private {
    /// The signing library.
    Library(jsonwebtoken::Algorithm, EncodingKey),
    /// It does not know this algorithm.
    Es512(EcdsaKeyPair),
    /// It knows this one by its older name alone.
    Ed25519(Ed25519KeyPair),
}

/// A key that cannot be made, kept or used.
#[derive(Debug, Error)]
pub enum KeyError {
    /// None of the configured algorithms can be signed with here.
    #[error("the identity provider has no algorithm to sign with; add RS256 or ES256")]
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
    /// The same, of an algorithm that is signed with here.
    #[error(
        "the key of the identity provider for {0} cannot be used; remove the state folder to make a new one"
    )]
    Rejected(Algorithm),
}

impl SigningKey {
    /// The key in `folder` for RS256 where it is allowed, otherwise for the first algorithm that is; made if there is none.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open(folder: &Path, allowed: Algorithms) -> Result<Self, KeyError> {
        let algorithm = [Algorithm::RS256]
            .into_iter()
            .filter(|preferred| allowed.contains(*preferred))
            .chain(allowed.iter())
            .next()
            .ok_or(KeyError::NoAlgorithm)?;

        let file = folder.join(format!("idp-{algorithm}.der"));
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

        let rejected = || KeyError::Rejected(algorithm);
        match algorithm {
            Algorithm::ES512 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P521_SHA512_FIXED_SIGNING, &der)
                    .map_err(|_| rejected())?;
                let point = pair.public_key().as_ref();
                // Behind the byte that says that both follow (SEC 1 section 2.3.3).
                let (x, y) = point
                    .get(1..)
                    .and_then(|both| both.split_at_checked(both.len() / 2))
                    .ok_or_else(rejected)?;
                let public =
                    json!({ "kty": "EC", "crv": "P-521", "x": encode(x), "y": encode(y), "alg": "ES512" });
                let public = published(public).ok_or_else(rejected)?;
                Ok(Self { private: Private::Es512(pair), public })
            }
            Algorithm::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| rejected())?;
                let x = encode(pair.public_key().as_ref());
                let public = json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "alg": "Ed25519" });
                let public = published(public).ok_or_else(rejected)?;
                Ok(Self { private: Private::Ed25519(pair), public })
            }
            _ => {
                let named = algorithm.name().parse()?;
                let private = match algorithm {
                    Algorithm::ES256 | Algorithm::ES384 => EncodingKey::from_ec_der(&der),
                    Algorithm::EdDSA => EncodingKey::from_ed_der(&der),
                    _ => EncodingKey::from_rsa_der(&der),
                };
                let mut public = Jwk::from_encoding_key(&private, named)?;
                public.common.key_id = Some(public.thumbprint(ThumbprintHash::SHA256)?);
                public.common.public_key_use = Some(PublicKeyUse::Signature);
                let public = serde_json::to_value(public).map_err(|_| rejected())?;
                Ok(Self { private: Private::Library(named, private), public })
            }
        }
    }

    /// The public half, as a JWK.
    pub fn public(&self) -> &Value {
        &self.public
    }

    fn kid(&self) -> Option<&str> {
        self.public.get("kid")?.as_str()
    }

    /// A compact JWS of the claims.
    ///
    /// # Errors
    /// `Unusable`, `Rejected`.
    pub fn sign(&self, typ: &str, claims: &Value) -> Result<String, KeyError> {
        let compact = |algorithm: Algorithm| {
            let header = json!({ "alg": algorithm.name(), "typ": typ, "kid": self.kid() });
            format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()))
        };
        match &self.private {
            Private::Library(algorithm, key) => {
                let mut header = Header::new(*algorithm);
                header.typ = Some(typ.to_owned());
                header.kid = self.kid().map(str::to_owned);
                Ok(jsonwebtoken::encode(&header, claims, key)?)
            }
            Private::Es512(pair) => {
                let input = compact(Algorithm::ES512);
                let signature = pair.sign(&SystemRandom::new(), input.as_bytes());
                let signature = signature.map_err(|_| KeyError::Rejected(Algorithm::ES512))?;
                Ok(format!("{input}.{}", encode(signature.as_ref())))
            }
            Private::Ed25519(pair) => {
                let input = compact(Algorithm::Ed25519);
                let signature = encode(pair.sign(input.as_bytes()).as_ref());
                Ok(format!("{input}.{signature}"))
            }
        }
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid()).finish_non_exhaustive()
    }
}

/// A public key with its use, and its thumbprint as its kid.
fn published(mut public: Value) -> Option<Value> {
    let thumbprint = PublicJwk::parse(public.to_string().as_bytes()).ok()?.thumbprint();
    let members = public.as_object_mut()?;
    members.insert("kid".to_owned(), json!(thumbprint.to_string()));
    members.insert("use".to_owned(), json!("sig"));
    Some(public)
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A new private key in the form that the signing library reads: PKCS#1 for RSA, PKCS#8 v1 for the others.
fn generate(algorithm: Algorithm) -> Option<Vec<u8>> {
    let random = SystemRandom::new();
    let document = match algorithm {
        Algorithm::ES256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
        Algorithm::ES384 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random),
        Algorithm::ES512 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P521_SHA512_FIXED_SIGNING, &random),
        Algorithm::EdDSA | Algorithm::Ed25519 => Ed25519KeyPair::generate_pkcs8v1(&random),
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
