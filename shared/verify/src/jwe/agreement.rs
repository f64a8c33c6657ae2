//! Key agreement with an ephemeral key (RFC 7518 section 4.6, RFC 8037 section 3.2).

use aws_lc_rs::{
    agreement::{self, ECDH_P256, ECDH_P384, ParsedPublicKey, PrivateKey, UnparsedPublicKey, X25519},
    kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest},
};
use zeroize::Zeroizing;

use super::{ContentEncryption, KeyManagement};
use crate::{KeyType, TokenError, base64, header, json::Value};

/// What a token's author brought to the agreement: `epk`, `apu` and `apv`.
pub(crate) struct Agreed {
    pub(crate) curve: Curve,
    /// The ephemeral public key as the library reads it. Whether it is on its curve is found at the agreement.
    pub(crate) point: Vec<u8>,
    pub(crate) apu: Vec<u8>,
    pub(crate) apv: Vec<u8>,
}

/// A curve that keys are agreed on over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    X25519,
}

impl Agreed {
    /// Reads the members of a header.
    pub(crate) fn read(header: &Value<'_>) -> Result<Self, TokenError> {
        const EPK: TokenError = TokenError::Malformed("epk");
        let epk = header.member("epk").ok_or(EPK)?;
        if epk.member("d").is_some() {
            return Err(EPK);
        }
        let text = |name| epk.member(name).and_then(Value::as_str).ok_or(EPK);
        let curve = Curve::named(text("kty")?, text("crv")?).ok_or(EPK)?;
        let coordinate = |name| {
            let bytes = base64::decode(text(name)?).ok_or(EPK)?;
            if bytes.len() == curve.length() { Ok(bytes) } else { Err(EPK) }
        };
        let point = match curve {
            Curve::X25519 => coordinate("x")?,
            Curve::P256 | Curve::P384 => [vec![UNCOMPRESSED], coordinate("x")?, coordinate("y")?].concat(),
        };
        let party = |name| match header::text(header, name)? {
            None => Ok(Vec::new()),
            Some(text) => base64::decode(text).ok_or(TokenError::Malformed("apu or apv is not base64url")),
        };
        Ok(Self { curve, point, apu: party("apu")?, apv: party("apv")? })
    }
}

impl Curve {
    pub(crate) const fn of(key_type: KeyType) -> Option<Self> {
        match key_type {
            KeyType::P256 => Some(Self::P256),
            KeyType::P384 => Some(Self::P384),
            KeyType::X25519 => Some(Self::X25519),
            KeyType::Rsa | KeyType::P521 | KeyType::Ed25519 => None,
        }
    }

    fn named(kty: &str, crv: &str) -> Option<Self> {
        [Self::P256, Self::P384, Self::X25519].into_iter().find(|curve| curve.names() == (kty, crv))
    }

    /// `kty` and `crv`.
    pub(crate) const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::P256 => ("EC", "P-256"),
            Self::P384 => ("EC", "P-384"),
            Self::X25519 => ("OKP", "X25519"),
        }
    }

    /// Bytes of a coordinate, and of the private number.
    pub(crate) const fn length(self) -> usize {
        match self {
            Self::P256 | Self::X25519 => 32,
            Self::P384 => 48,
        }
    }

    /// As the library names it.
    pub(crate) const fn algorithm(self) -> &'static agreement::Algorithm {
        match self {
            Self::P256 => &ECDH_P256,
            Self::P384 => &ECDH_P384,
            Self::X25519 => &X25519,
        }
    }

    /// Reads a point; none when it is not on the curve.
    pub(crate) fn parse(self, point: &[u8]) -> Option<ParsedPublicKey> {
        ParsedPublicKey::try_from(UnparsedPublicKey::new(self.algorithm(), point)).ok()
    }
}

/// The key that both sides derive: the content key itself, or the one that wraps it.
///
/// A point that is not on the private key's curve fails (SP 800-56A section 5.6.2.3.4), as does an X25519 key of low order.
pub(crate) fn agree(
    private: &PrivateKey,
    public: ParsedPublicKey,
    algorithm: KeyManagement,
    encryption: ContentEncryption,
    (apu, apv): (&[u8], &[u8]),
) -> Option<Zeroizing<Vec<u8>>> {
    let (name, length) = match algorithm {
        KeyManagement::EcdhEs => (encryption.name(), encryption.key_length()),
        KeyManagement::EcdhEsA128Kw => (algorithm.name(), 16),
        KeyManagement::EcdhEsA256Kw => (algorithm.name(), 32),
        KeyManagement::RsaOaep | KeyManagement::RsaOaep256 => return None,
    };
    agreement::agree(private, public, (), |secret| concat_kdf(secret, name, apu, apv, length).ok_or(())).ok()
}

/// The Concat KDF with SHA-256 (RFC 7518 section 4.6.2, SP 800-56C).
pub(crate) fn concat_kdf(
    secret: &[u8],
    name: &str,
    apu: &[u8],
    apv: &[u8],
    length: usize,
) -> Option<Zeroizing<Vec<u8>>> {
    let mut info = Vec::with_capacity(16 + name.len() + apu.len() + apv.len());
    for part in [name.as_bytes(), apu, apv] {
        info.extend_from_slice(&u32::try_from(part.len()).ok()?.to_be_bytes());
        info.extend_from_slice(part);
    }
    info.extend_from_slice(&u32::try_from(length.checked_mul(8)?).ok()?.to_be_bytes());
    let sha256 = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256)?;
    let mut key = Zeroizing::new(vec![0; length]);
    sskdf_digest(sha256, secret, &info, &mut key).ok()?;
    Some(key)
}

/// SEC 1 section 2.3.3: the first byte of a point that is written with both coordinates.
pub(crate) const UNCOMPRESSED: u8 = 4;
