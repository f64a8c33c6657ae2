use std::{fmt, str::FromStr};

use crate::KeyType;

/// How the content key reaches the recipient (RFC 7518 section 4.1). RSA1_5, PBES2, `dir` and AES key wrap alone do not exist
/// here.
#[allow(missing_docs, reason = "the names are the registered ones")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyManagement {
    /// With SHA-1, which RSA-OAEP does not lean on for collision resistance; for what knows nothing newer.
    RsaOaep,
    RsaOaep256,
    /// The agreed key is the content key.
    EcdhEs,
    EcdhEsA128Kw,
    EcdhEsA256Kw,
}

/// How the content is encrypted and authenticated (RFC 7518 section 5.1).
#[allow(missing_docs, reason = "the names are the registered ones")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentEncryption {
    A128Gcm,
    A256Gcm,
    A128CbcHs256,
    A256CbcHs512,
}

impl KeyManagement {
    /// All of them, in the order of the registry.
    pub const ALL: [Self; 5] =
        [Self::RsaOaep, Self::RsaOaep256, Self::EcdhEs, Self::EcdhEsA128Kw, Self::EcdhEsA256Kw];

    /// The registered name, exact case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaOaep => "RSA-OAEP",
            Self::RsaOaep256 => "RSA-OAEP-256",
            Self::EcdhEs => "ECDH-ES",
            Self::EcdhEsA128Kw => "ECDH-ES+A128KW",
            Self::EcdhEsA256Kw => "ECDH-ES+A256KW",
        }
    }

    /// Whether a key of this type can be used.
    pub const fn fits(self, key_type: KeyType) -> bool {
        match key_type {
            KeyType::Rsa => !self.agrees(),
            KeyType::P256 | KeyType::P384 | KeyType::X25519 => self.agrees(),
            KeyType::P521 | KeyType::Ed25519 => false,
        }
    }

    /// Whether the key is agreed on with an ephemeral one (RFC 7518 section 4.6).
    pub(crate) const fn agrees(self) -> bool {
        matches!(self, Self::EcdhEs | Self::EcdhEsA128Kw | Self::EcdhEsA256Kw)
    }
}

impl ContentEncryption {
    /// All of them, in the order of the registry.
    pub const ALL: [Self; 4] = [Self::A128CbcHs256, Self::A256CbcHs512, Self::A128Gcm, Self::A256Gcm];

    /// The registered name, exact case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::A128Gcm => "A128GCM",
            Self::A256Gcm => "A256GCM",
            Self::A128CbcHs256 => "A128CBC-HS256",
            Self::A256CbcHs512 => "A256CBC-HS512",
        }
    }

    /// Bytes of the content key. For CBC with HMAC that is both keys.
    pub const fn key_length(self) -> usize {
        match self {
            Self::A128Gcm => 16,
            Self::A256Gcm | Self::A128CbcHs256 => 32,
            Self::A256CbcHs512 => 64,
        }
    }
}

impl fmt::Display for KeyManagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for ContentEncryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyManagement {
    /// The name was none of these.
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name).ok_or(())
    }
}

impl FromStr for ContentEncryption {
    /// The name was none of these.
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|encryption| encryption.name() == name).ok_or(())
    }
}
