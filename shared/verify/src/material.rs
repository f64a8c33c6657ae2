use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents,
};

use crate::{Algorithm, JwkError, KeyType, base64, json::Value, jwk::text};

/// The numbers of a public key, checked: a value of this type is a key of the strength and on the curve that it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Material {
    /// Big-endian, without leading zeros.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    /// Coordinates of exactly the curve's length.
    Ec { curve: Curve, x: Vec<u8>, y: Vec<u8> },
    /// RFC 8032 section 5.1.5.
    Ed25519([u8; 32]),
    /// RFC 7748 section 5.
    X25519([u8; 32]),
}

/// A curve of RFC 7518 section 6.2.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

impl Material {
    /// Reads `kty`, `crv` and the key's own members.
    pub(crate) fn read(jwk: &Value<'_>) -> Result<Self, JwkError> {
        let material = match text(jwk, "kty")?.ok_or(JwkError::Malformed("kty"))? {
            "RSA" => Self::rsa(number(jwk, "n")?, number(jwk, "e")?)?,
            "EC" => {
                let curve = Curve::named(text(jwk, "crv")?.ok_or(JwkError::Malformed("crv"))?)?;
                Self::Ec { curve, x: coordinate(jwk, "x", curve)?, y: coordinate(jwk, "y", curve)? }
            }
            "OKP" => match text(jwk, "crv")?.ok_or(JwkError::Malformed("crv"))? {
                "Ed25519" => Self::ed25519(&bytes(jwk, "x")?)?,
                "X25519" => Self::X25519(bytes(jwk, "x")?.try_into().map_err(|_| JwkError::Malformed("x"))?),
                _ => return Err(JwkError::Unsupported),
            },
            _ => return Err(JwkError::Unsupported),
        };
        // What is left to check, a point on its curve, the library checks.
        if let Some(algorithm) = material.some_algorithm() {
            material.verifier(algorithm)?;
        }
        Ok(material)
    }

    /// The key ready to verify signatures of one algorithm.
    pub(crate) fn verifier(&self, algorithm: Algorithm) -> Result<ParsedPublicKey, JwkError> {
        match self {
            Self::Rsa { modulus: n, exponent: e } => {
                let parameters = rsa_parameters(algorithm).ok_or(JwkError::AlgorithmNotAllowed)?;
                let key = RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters);
                key.map_err(|_| JwkError::Weak("not an RSA key"))
            }
            Self::Ec { curve, x, y } => {
                let parameters = match curve {
                    Curve::P256 => &ECDSA_P256_SHA256_FIXED,
                    Curve::P384 => &ECDSA_P384_SHA384_FIXED,
                    Curve::P521 => &ECDSA_P521_SHA512_FIXED,
                };
                let point = uncompressed(x, y);
                ParsedPublicKey::new(parameters, point)
                    .map_err(|_| JwkError::Weak("not a point on the curve"))
            }
            Self::Ed25519(x) => {
                ParsedPublicKey::new(&ED25519, x).map_err(|_| JwkError::Weak("not an Ed25519 key"))
            }
            Self::X25519(_) => Err(JwkError::AlgorithmNotAllowed),
        }
    }

    /// How long a signature is, in bytes: exactly the modulus, or exactly two scalars (RFC 7518 section 3.4, RFC 8032).
    pub(crate) fn signature_length(&self) -> usize {
        match self {
            Self::Rsa { modulus, .. } => modulus.len(),
            Self::Ec { curve, .. } => 2 * curve.length(),
            Self::Ed25519(_) => 64,
            Self::X25519(_) => 0,
        }
    }

    /// The point of a curve as the library reads it.
    pub(crate) fn point(&self) -> Option<Vec<u8>> {
        match self {
            Self::Rsa { .. } => None,
            Self::Ec { x, y, .. } => Some(uncompressed(x, y)),
            Self::Ed25519(x) | Self::X25519(x) => Some(x.to_vec()),
        }
    }

    pub(crate) fn key_type(&self) -> KeyType {
        match self {
            Self::Rsa { .. } => KeyType::Rsa,
            Self::Ec { curve: Curve::P256, .. } => KeyType::P256,
            Self::Ec { curve: Curve::P384, .. } => KeyType::P384,
            Self::Ec { curve: Curve::P521, .. } => KeyType::P521,
            Self::Ed25519(_) => KeyType::Ed25519,
            Self::X25519(_) => KeyType::X25519,
        }
    }

    /// `kty` and `crv`.
    pub(crate) fn names(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Rsa { .. } => ("RSA", None),
            Self::Ec { curve, .. } => ("EC", Some(curve.name())),
            Self::Ed25519(_) => ("OKP", Some("Ed25519")),
            Self::X25519(_) => ("OKP", Some("X25519")),
        }
    }

    /// `n`, `e`, `x` and `y`.
    pub(crate) fn numbers(&self) -> [Option<&[u8]>; 4] {
        match self {
            Self::Rsa { modulus, exponent } => [Some(modulus), Some(exponent), None, None],
            Self::Ec { x, y, .. } => [None, None, Some(x), Some(y)],
            Self::Ed25519(x) | Self::X25519(x) => [None, None, Some(x), None],
        }
    }

    /// The required members in lexical order, without white space (RFC 7638 section 3.2, RFC 8037 section 2).
    pub(crate) fn canonical(&self) -> String {
        match self {
            Self::Rsa { modulus, exponent } => {
                format!(
                    r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
                    base64::encode(exponent),
                    base64::encode(modulus)
                )
            }
            Self::Ec { curve, x, y } => format!(
                r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#,
                curve.name(),
                base64::encode(x),
                base64::encode(y)
            ),
            Self::Ed25519(x) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64::encode(x)),
            Self::X25519(x) => format!(r#"{{"crv":"X25519","kty":"OKP","x":"{}"}}"#, base64::encode(x)),
        }
    }

    fn rsa(modulus: Vec<u8>, exponent: Vec<u8>) -> Result<Self, JwkError> {
        let leading_zeros = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&(modulus.len() * 8 - leading_zeros)) {
            return Err(JwkError::Weak("an RSA modulus of fewer than 2048 or more than 8192 bits"));
        }
        if modulus.last().is_none_or(|byte| byte % 2 == 0) {
            return Err(JwkError::Weak("an even RSA modulus"));
        }
        let value = exponent
            .iter()
            .fold(0_u64, |value, byte| value.saturating_mul(256).saturating_add((*byte).into()));
        if value % 2 == 0 || !(65537..=u32::MAX.into()).contains(&value) {
            return Err(JwkError::Weak("an RSA exponent that is even, under 65537 or over 32 bits"));
        }
        Ok(Self::Rsa { modulus, exponent })
    }

    fn ed25519(x: &[u8]) -> Result<Self, JwkError> {
        let key = <[u8; 32]>::try_from(x).map_err(|_| JwkError::Malformed("x"))?;
        let mut y = key;
        if let Some(sign) = y.last_mut() {
            *sign &= 0x7f;
        }
        if LOW_ORDER.contains(&y) {
            return Err(JwkError::Weak("an Ed25519 point of low order"));
        }
        Ok(Self::Ed25519(key))
    }

    /// A signature algorithm that the key works with, for trying whether it loads.
    fn some_algorithm(&self) -> Option<Algorithm> {
        match self.key_type() {
            KeyType::Rsa => Some(Algorithm::RS256),
            KeyType::P256 => Some(Algorithm::ES256),
            KeyType::P384 => Some(Algorithm::ES384),
            KeyType::P521 => Some(Algorithm::ES512),
            KeyType::Ed25519 => Some(Algorithm::Ed25519),
            KeyType::X25519 => None,
        }
    }
}

impl Curve {
    fn named(name: &str) -> Result<Self, JwkError> {
        [Self::P256, Self::P384, Self::P521]
            .into_iter()
            .find(|curve| curve.name() == name)
            .ok_or(JwkError::Unsupported)
    }

    /// `crv`
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// Bytes of a coordinate, and of a scalar.
    pub(crate) const fn length(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::ES512 | Algorithm::Ed25519 | Algorithm::EdDSA => {
            None
        }
    }
}

fn uncompressed(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[UNCOMPRESSED], x, y].concat()
}

fn bytes(jwk: &Value<'_>, name: &'static str) -> Result<Vec<u8>, JwkError> {
    text(jwk, name)?.and_then(base64::decode).ok_or(JwkError::Malformed(name))
}

/// A `Base64urlUInt`: as many octets as it needs, so that a thumbprint is that of one key (RFC 7518 section 2).
fn number(jwk: &Value<'_>, name: &'static str) -> Result<Vec<u8>, JwkError> {
    let bytes = bytes(jwk, name)?;
    if bytes.first().is_none_or(|first| *first == 0) { Err(JwkError::Malformed(name)) } else { Ok(bytes) }
}

fn coordinate(jwk: &Value<'_>, name: &'static str, curve: Curve) -> Result<Vec<u8>, JwkError> {
    let bytes = bytes(jwk, name)?;
    if bytes.len() == curve.length() { Ok(bytes) } else { Err(JwkError::Malformed(name)) }
}

/// RFC 7518 section 3.3.
const MIN_RSA_BITS: usize = 2048;

/// What AWS-LC verifies with; the work grows with the square of the length.
const MAX_RSA_BITS: usize = 8192;

/// SEC 1 section 2.3.3: the first byte of a point that is written with both coordinates.
const UNCOMPRESSED: u8 = 4;

/// The y coordinates of the points of order 1, 2, 4 and 8, in every encoding without the sign: under such a key a signature
/// holds for messages that nobody signed, and the library's check of a key does not find them.
const LOW_ORDER: [[u8; 32]; 7] = {
    let zero = [0; 32];
    let mut one = zero;
    one[0] = 1;
    let mut p = [0xff; 32];
    p[0] = 0xed;
    p[31] = 0x7f;
    let (mut below_p, mut above_p) = (p, p);
    below_p[0] = 0xec;
    above_p[0] = 0xee;
    let eighth = [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ];
    let minus_eighth = [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ];
    [zero, one, eighth, minus_eighth, below_p, p, above_p]
};
