use aws_lc_rs::{
    agreement::{ParsedPublicKey, PrivateKey},
    key_wrap::KeyWrap,
    rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey},
    signature::RsaPublicKeyComponents,
};

use super::{
    ContentEncryption, ContentKey, KeyManagement,
    agreement::{Curve, UNCOMPRESSED, agree},
    content::seal,
    decrypt::kek,
};
use crate::{JwkError, KeyUse, PublicJwk, base64, material::Material, rules::is_kid};

/// A public key that tokens are encrypted to: bound to one kid, one algorithm and one content encryption.
pub struct EncryptionKey {
    kid: String,
    algorithm: KeyManagement,
    encryption: ContentEncryption,
    public: Public,
}

enum Public {
    Rsa(OaepPublicEncryptingKey),
    Agreement(Curve, ParsedPublicKey),
}

/// The library refused to encrypt, or the random generator failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token could not be encrypted")]
pub struct EncryptionFailed;

impl EncryptionKey {
    /// Binds a JWK to the kid it was asked for, to the algorithm that its `alg` names, and to `encryption`.
    ///
    /// # Errors
    /// `Malformed` when the JWK's kid is not `kid`, `WrongUse` unless its `use` is `enc`, `AlgorithmNotAllowed` without a
    /// fitting `alg`, `Weak`.
    pub fn bind(jwk: &PublicJwk, kid: &str, encryption: ContentEncryption) -> Result<Self, JwkError> {
        if jwk.kid() != Some(kid) || !is_kid(kid) {
            return Err(JwkError::Malformed("the kid is not the one that was asked for"));
        }
        if jwk.key_use() != Some(KeyUse::Encryption) || jwk.lists_signatures() {
            return Err(JwkError::WrongUse);
        }
        let algorithm = jwk.key_management().ok_or(JwkError::AlgorithmNotAllowed)?;
        let public = match (&jwk.material, Curve::of(jwk.key_type())) {
            (Material::Rsa { modulus: n, exponent: e }, _) => {
                let key: Result<PublicEncryptingKey, _> = RsaPublicKeyComponents { n, e }.try_into();
                let key = key.and_then(OaepPublicEncryptingKey::new);
                Public::Rsa(key.map_err(|_| JwkError::Weak("not an RSA key"))?)
            }
            (material, Some(curve)) => {
                let key = material.point().and_then(|point| curve.parse(&point));
                Public::Agreement(curve, key.ok_or(JwkError::Weak("not a point on the curve"))?)
            }
            _ => return Err(JwkError::Unsupported),
        };
        Ok(Self { kid: kid.to_owned(), algorithm, encryption, public })
    }

    /// The kid.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Encrypts a signed token as a nested one, in compact form.
    ///
    /// # Errors
    /// [`EncryptionFailed`].
    pub fn encrypt(&self, token: &str) -> Result<String, EncryptionFailed> {
        self.sealed(token.as_bytes()).ok_or(EncryptionFailed)
    }

    fn sealed(&self, plain: &[u8]) -> Option<String> {
        let Self { kid, algorithm, encryption, .. } = self;
        let (epk, key, encrypted_key) = match &self.public {
            Public::Rsa(public) => {
                let key = ContentKey::random(*encryption).ok()?;
                let encrypted_key = wrap_rsa(public, *algorithm, &key)?;
                (String::new(), key, encrypted_key)
            }
            Public::Agreement(curve, public) => {
                let ephemeral = PrivateKey::generate(curve.algorithm()).ok()?;
                let shared = agree(&ephemeral, public.clone(), *algorithm, *encryption, (&[], &[]))?;
                let epk =
                    format!(r#","epk":{}"#, epk(*curve, ephemeral.compute_public_key().ok()?.as_ref())?);
                if *algorithm == KeyManagement::EcdhEs {
                    (epk, ContentKey::new(shared), Vec::new())
                } else {
                    let key = ContentKey::random(*encryption).ok()?;
                    let mut encrypted_key = vec![0; encryption.key_length() + WRAP_OVERHEAD];
                    kek(*algorithm, &shared)?.wrap(key.as_bytes(), &mut encrypted_key).ok()?;
                    (epk, key, encrypted_key)
                }
            }
        };
        // Every text in it is of a grammar without quotes.
        let header =
            format!(r#"{{"alg":"{algorithm}","enc":"{encryption}","cty":"JWT","kid":"{kid}"{epk}}}"#);
        let protected = base64::encode(header.as_bytes());
        let (iv, ciphertext, tag) = seal(*encryption, &key, protected.as_bytes(), plain)?;
        let [encrypted_key, iv, ciphertext, tag] =
            [encrypted_key, iv, ciphertext, tag].map(|part| base64::encode(&part));
        Some(format!("{protected}.{encrypted_key}.{iv}.{ciphertext}.{tag}"))
    }
}

fn wrap_rsa(public: &OaepPublicEncryptingKey, algorithm: KeyManagement, key: &ContentKey) -> Option<Vec<u8>> {
    let oaep =
        if algorithm == KeyManagement::RsaOaep { &OAEP_SHA1_MGF1SHA1 } else { &OAEP_SHA256_MGF1SHA256 };
    let mut encrypted_key = vec![0; public.ciphertext_size()];
    public.encrypt(oaep, key.as_bytes(), &mut encrypted_key, None).ok()?;
    Some(encrypted_key)
}

/// The ephemeral public key as JSON.
fn epk(curve: Curve, point: &[u8]) -> Option<String> {
    let (kty, crv) = curve.names();
    if curve == Curve::X25519 {
        return Some(format!(r#"{{"kty":"{kty}","crv":"{crv}","x":"{}"}}"#, base64::encode(point)));
    }
    let (x, y) = point.strip_prefix(&[UNCOMPRESSED])?.split_at_checked(curve.length())?;
    let [x, y] = [x, y].map(base64::encode);
    Some(format!(r#"{{"kty":"{kty}","crv":"{crv}","x":"{x}","y":"{y}"}}"#))
}

/// RFC 3394 section 2.2.1: one more block of 64 bits.
const WRAP_OVERHEAD: usize = 8;
