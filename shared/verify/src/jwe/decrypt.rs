use std::fmt;

use aws_lc_rs::{
    agreement::PrivateKey,
    encoding::AsDer,
    key_wrap::{AES_128, AES_256, AesKek, KeyWrap},
    rsa::{
        KeyPairComponents, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey,
        PrivateDecryptingKey,
    },
    signature::{RsaKeyPair, RsaPublicKeyComponents},
};
use zeroize::Zeroizing;

use super::{
    ContentEncryption, ContentKey, Jwe, KeyManagement, Nested,
    agreement::{Agreed, Curve, agree},
};
use crate::{
    JwkError, KeyUse, PublicJwk, TokenError, base64,
    json::{Bounds, Value},
    jwk::text,
    material::Material,
};

/// Whom tokens are encrypted to: one kid, one key management algorithm, and the content encryptions that are accepted with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    kid: String,
    algorithm: KeyManagement,
    encryptions: Vec<ContentEncryption>,
}

/// A private key that decrypts, in this process. Never printed.
pub struct DecryptionKey {
    recipient: Recipient,
    secret: Secret,
}

enum Secret {
    Rsa(OaepPrivateDecryptingKey),
    Agreement(Curve, PrivateKey),
}

impl Recipient {
    /// Names a recipient. `encryptions` has no default: what is not named is refused.
    pub fn new(kid: &str, algorithm: KeyManagement, encryptions: &[ContentEncryption]) -> Self {
        Self { kid: kid.to_owned(), algorithm, encryptions: encryptions.to_vec() }
    }

    /// The kid.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm.
    pub fn algorithm(&self) -> KeyManagement {
        self.algorithm
    }

    /// The content encryptions.
    pub fn encryptions(&self) -> &[ContentEncryption] {
        &self.encryptions
    }
}

impl DecryptionKey {
    /// Parses a private JWK strictly and binds it to its kid, the algorithm that its `alg` names, and `encryptions`.
    ///
    /// RSA keys need all of `p`, `q`, `dp`, `dq` and `qi`; curves are P-256, P-384 and X25519. The private half must be that
    /// of the public one.
    ///
    /// # Errors
    /// `Malformed`, `Unsupported`, `Weak`; `WrongUse` for a key that signs; `AlgorithmNotAllowed` without a fitting `alg`.
    pub fn parse(json: &[u8], kid: &str, encryptions: &[ContentEncryption]) -> Result<Self, JwkError> {
        let jwk =
            Value::parse(json, BOUNDS).map_err(|_| JwkError::Malformed("not strict JSON within bounds"))?;
        let public = PublicJwk::read(&jwk)?;
        if public.kid().is_some_and(|own| own != kid) {
            return Err(JwkError::Malformed("the kid is not the one that was asked for"));
        }
        if public.key_use() == Some(KeyUse::Signing) || public.lists_signatures() {
            return Err(JwkError::WrongUse);
        }
        let algorithm = public.key_management().ok_or(JwkError::AlgorithmNotAllowed)?;
        let secret = match Curve::of(public.key_type()) {
            Some(curve) => Secret::agreement(curve, &jwk, &public.material)?,
            None => Secret::rsa(&jwk, &public.material)?,
        };
        Ok(Self { recipient: Recipient::new(kid, algorithm, encryptions), secret })
    }

    /// Whom it decrypts for.
    pub fn recipient(&self) -> &Recipient {
        &self.recipient
    }

    /// Admits, unwraps and opens in one.
    ///
    /// # Errors
    /// `AlgorithmNotAllowed`, `DecryptionFailed`.
    pub fn decrypt(&self, token: Jwe<'_>) -> Result<Nested, TokenError> {
        let sealed = token.admit(&self.recipient)?;
        let key = sealed.unwrap(self);
        sealed.open(key)
    }

    /// The content key, or a random one where there is none to be had (RFC 7516 section 11.5).
    pub(crate) fn unwrap(
        &self,
        algorithm: KeyManagement,
        encryption: ContentEncryption,
        agreed: Option<&Agreed>,
        encrypted_key: &[u8],
    ) -> ContentKey {
        let key = match (&self.secret, agreed) {
            (Secret::Rsa(key), None) => unwrap_rsa(key, algorithm, encrypted_key),
            (Secret::Agreement(curve, key), Some(agreed)) if agreed.curve == *curve => {
                unwrap_agreed(*curve, key, agreed, algorithm, encryption, encrypted_key)
            }
            _ => None,
        };
        ContentKey::or_decoy(encryption, key)
    }
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecryptionKey").field("recipient", &self.recipient).finish_non_exhaustive()
    }
}

impl Secret {
    fn rsa(jwk: &Value<'_>, public: &Material) -> Result<Self, JwkError> {
        let Material::Rsa { modulus: n, exponent: e } = public else { return Err(JwkError::Unsupported) };
        const INCONSISTENT: JwkError =
            JwkError::Malformed("the parts of the private key do not belong together");
        let pair = RsaKeyPair::from_components(&KeyPairComponents {
            public_key: RsaPublicKeyComponents { n: n.as_slice(), e: e.as_slice() },
            d: secret(jwk, "d")?.as_slice(),
            p: secret(jwk, "p")?.as_slice(),
            q: secret(jwk, "q")?.as_slice(),
            dP: secret(jwk, "dp")?.as_slice(),
            dQ: secret(jwk, "dq")?.as_slice(),
            qInv: secret(jwk, "qi")?.as_slice(),
        });
        let der = pair.map_err(|_| INCONSISTENT)?.as_der().map_err(|_| INCONSISTENT)?;
        let key = PrivateDecryptingKey::from_pkcs8(der.as_ref()).map_err(|_| INCONSISTENT)?;
        OaepPrivateDecryptingKey::new(key).map(Self::Rsa).map_err(|_| INCONSISTENT)
    }

    fn agreement(curve: Curve, jwk: &Value<'_>, public: &Material) -> Result<Self, JwkError> {
        let key = PrivateKey::from_private_key(curve.algorithm(), &secret(jwk, "d")?)
            .map_err(|_| JwkError::Malformed("d"))?;
        let own = key.compute_public_key().map_err(|_| JwkError::Malformed("d"))?;
        if Some(own.as_ref()) != public.point().as_deref() {
            return Err(JwkError::Malformed("the parts of the private key do not belong together"));
        }
        Ok(Self::Agreement(curve, key))
    }
}

fn unwrap_rsa(
    key: &OaepPrivateDecryptingKey,
    algorithm: KeyManagement,
    encrypted_key: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let oaep = match algorithm {
        KeyManagement::RsaOaep => &OAEP_SHA1_MGF1SHA1,
        KeyManagement::RsaOaep256 => &OAEP_SHA256_MGF1SHA256,
        KeyManagement::EcdhEs | KeyManagement::EcdhEsA128Kw | KeyManagement::EcdhEsA256Kw => return None,
    };
    let mut buffer = Zeroizing::new(vec![0; key.min_output_size()]);
    let length = key.decrypt(oaep, encrypted_key, &mut buffer, None).ok()?.len();
    buffer.truncate(length);
    Some(buffer)
}

fn unwrap_agreed(
    curve: Curve,
    key: &PrivateKey,
    agreed: &Agreed,
    algorithm: KeyManagement,
    encryption: ContentEncryption,
    encrypted_key: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let shared = agree(key, curve.parse(&agreed.point)?, algorithm, encryption, (&agreed.apu, &agreed.apv))?;
    if algorithm == KeyManagement::EcdhEs {
        return Some(shared);
    }
    let mut content_key = Zeroizing::new(vec![0; encryption.key_length()]);
    let length = kek(algorithm, &shared)?.unwrap(encrypted_key, &mut content_key).ok()?.len();
    content_key.truncate(length);
    Some(content_key)
}

/// The key that wraps the content key (RFC 3394).
pub(crate) fn kek(algorithm: KeyManagement, shared: &[u8]) -> Option<AesKek> {
    let cipher = if algorithm == KeyManagement::EcdhEsA128Kw { &AES_128 } else { &AES_256 };
    AesKek::new(cipher, shared).ok()
}

/// A private number.
fn secret(jwk: &Value<'_>, name: &'static str) -> Result<Zeroizing<Vec<u8>>, JwkError> {
    text(jwk, name)?.and_then(base64::decode).map(Zeroizing::new).ok_or(JwkError::Malformed(name))
}

const BOUNDS: Bounds = Bounds { depth: 4, values: 128 };
