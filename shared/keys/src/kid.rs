use std::{fmt, str::FromStr};

use drawbridge_verify::KeyUse;
use thiserror::Error;

/// The name of a backend: `[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?`, so that it is a DNS label, a secret's name and a key's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendName(String);

/// The version of a key: `[A-Za-z0-9-]{1,64}`, as Secrets Manager and Key Vault name theirs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(String);

/// `<backend>.<use>.<version>`: names exactly one key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kid {
    /// Whose key it is.
    pub backend: BackendName,
    /// What it is for.
    pub key_use: KeyUse,
    /// Which one it is.
    pub version: Version,
}

/// The text breaks the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a kid of the form `<backend>.<use>.<version>`")]
pub struct KidError;

impl BackendName {
    /// The text.
    pub fn as_str(&self) -> &str { &self.0 }
}
impl FromStr for BackendName {
    type Err = KidError;
    fn from_str(text: &str) -> Result<Self, KidError> { let _ = text; todo!() }
}
impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
}
impl Version {
    /// The text.
    pub fn as_str(&self) -> &str { &self.0 }
}
impl FromStr for Version {
    type Err = KidError;
    fn from_str(text: &str) -> Result<Self, KidError> { let _ = text; todo!() }
}
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&self.0) }
}
impl FromStr for Kid {
    type Err = KidError;
    fn from_str(text: &str) -> Result<Self, KidError> { let _ = text; todo!() }
}
impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.backend, self.key_use.name(), self.version)
    }
}
