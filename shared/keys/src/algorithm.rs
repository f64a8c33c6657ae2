use std::{fmt, str::FromStr};

use drawbridge_verify::{Algorithm, KeyType, KeyUse, PublicJwk, jwe::KeyManagement};

/// What a private key is made for.
///
/// As text it is the registered name of its algorithm; where a key for agreement is on another curve than P-256, the curve stands
/// behind a colon: `ECDH-ES+A256KW`, `ECDH-ES+A256KW:P-384`, `ECDH-ES+A256KW:X25519`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// A signature algorithm.
    Signature(Algorithm),
    /// A key management algorithm, and the type of the key: one algorithm is used with several curves.
    Encryption(KeyManagement, KeyType),
}

impl KeyAlgorithm {
    /// Every one that keys are made for.
    pub fn all() -> impl Iterator<Item = Self> {
        let signature = Algorithm::ALL.into_iter().map(Self::Signature);
        let encryption = KeyManagement::ALL.into_iter().flat_map(|algorithm| {
            KEY_TYPES.into_iter().map(move |key_type| Self::Encryption(algorithm, key_type))
        });
        signature.chain(encryption.filter(|algorithm| algorithm.fits()))
    }

    /// What a public JWK says that it is for; None where it does not say, or not what is done here.
    pub fn of(key: &PublicJwk) -> Option<Self> {
        let signature = key.algorithm().filter(|algorithm| algorithm.key_type() == key.key_type());
        let encryption = key.key_management().map(|algorithm| Self::Encryption(algorithm, key.key_type()));
        signature.map(Self::Signature).or(encryption)
    }

    /// The registered name, which does not say the curve.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signature(algorithm) => algorithm.name(),
            Self::Encryption(algorithm, _) => algorithm.name(),
        }
    }

    /// The use that it implies.
    pub fn key_use(self) -> KeyUse {
        match self {
            Self::Signature(_) => KeyUse::Signing,
            Self::Encryption(..) => KeyUse::Encryption,
        }
    }

    /// The type of the key.
    pub fn key_type(self) -> KeyType {
        match self {
            Self::Signature(algorithm) => algorithm.key_type(),
            Self::Encryption(_, key_type) => key_type,
        }
    }

    /// Whether the algorithm is one for that type of key.
    pub(crate) fn fits(self) -> bool {
        match self {
            Self::Signature(_) => true,
            Self::Encryption(algorithm, key_type) => algorithm.fits(key_type),
        }
    }
}

/// The types of keys that tokens are encrypted to, the usual one of each algorithm first.
const KEY_TYPES: [KeyType; 4] = [KeyType::Rsa, KeyType::P256, KeyType::P384, KeyType::X25519];

impl From<Algorithm> for KeyAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        Self::Signature(algorithm)
    }
}

impl From<KeyManagement> for KeyAlgorithm {
    /// With the usual type of key: RSA, or P-256.
    fn from(algorithm: KeyManagement) -> Self {
        let usual = if algorithm.fits(KeyType::Rsa) { KeyType::Rsa } else { KeyType::P256 };
        Self::Encryption(algorithm, usual)
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Encryption(_, KeyType::P384) => f.write_str(":P-384"),
            Self::Encryption(_, KeyType::X25519) => f.write_str(":X25519"),
            _ => Ok(()),
        }
    }
}

impl FromStr for KeyAlgorithm {
    /// The name is not that of an algorithm that keys are made for.
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::all().find(|algorithm| algorithm.to_string() == name).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_algorithm_has_a_text_of_its_own_that_reads_back() {
        let names: HashSet<_> = KeyAlgorithm::all().map(|algorithm| algorithm.to_string()).collect();
        assert_eq!(names.len(), KeyAlgorithm::all().count());
        for algorithm in KeyAlgorithm::all() {
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
        for text in ["", "ECDH-ES:P-256", "ECDH-ES:P-521", "RSA-OAEP:X25519", "RSA1_5", "dir", "ecdh-es"] {
            assert_eq!(text.parse::<KeyAlgorithm>(), Err(()), "{text}");
        }
    }

    #[test]
    fn without_a_curve_the_usual_type_of_key_is_meant() {
        for algorithm in KeyManagement::ALL {
            assert_eq!(algorithm.name().parse(), Ok(KeyAlgorithm::from(algorithm)));
        }
    }
}
