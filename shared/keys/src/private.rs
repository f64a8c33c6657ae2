use drawbridge_verify::{Algorithm, KeyUse, PublicJwk};

use crate::StoreError;

/// What a private key is made for. Encryption algorithms come with nested JWE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// A signature algorithm.
    Signature(Algorithm),
}

impl KeyAlgorithm {
    /// The registered name.
    pub fn name(self) -> &'static str { match self { Self::Signature(algorithm) => algorithm.name() } }
    /// The use that it implies.
    pub fn key_use(self) -> KeyUse { match self { Self::Signature(_) => KeyUse::Signing } }
}

/// A private JWK: wiped when dropped, never printed.
pub struct PrivateJwk {
    _private: (),
}

impl PrivateJwk {
    /// Makes a new key.
    ///
    /// # Errors
    /// `Unavailable` when the random generator fails, `Unsupported` for an algorithm that cannot be made here.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, StoreError> { let _ = algorithm; todo!() }
    /// Parses a private JWK strictly.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn parse(json: &[u8]) -> Result<Self, StoreError> { let _ = json; todo!() }
    /// The JSON, for writing into a store.
    pub fn to_json(&self) -> zeroize::Zeroizing<String> { todo!() }
    /// The public half.
    pub fn public(&self) -> &PublicJwk { todo!() }
    /// Its algorithm.
    pub fn algorithm(&self) -> KeyAlgorithm { todo!() }
}
