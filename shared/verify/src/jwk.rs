use crate::{Algorithm, Algorithms, JwkError, KeyType};

/// What a key is for: JWK `use` (RFC 7517 section 4.2), and the middle part of our kids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyUse {
    /// `sig`
    Signing,
    /// `enc`
    Encryption,
}

impl KeyUse {
    /// `sig` or `enc`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signing => "sig",
            Self::Encryption => "enc",
        }
    }
}

/// A public JWK: built of public members only, so that it may be published as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicJwk {
    _private: (),
}

impl PublicJwk {
    /// Parses one JWK strictly.
    ///
    /// # Errors
    /// `Malformed`, `NotPublic`, `Unsupported`, `Weak`.
    pub fn parse(json: &[u8]) -> Result<Self, JwkError> { let _ = json; todo!() }
    /// `kid`
    pub fn kid(&self) -> Option<&str> { todo!() }
    /// `alg`, where it names a signature algorithm known here.
    pub fn algorithm(&self) -> Option<Algorithm> { todo!() }
    /// `use`
    pub fn key_use(&self) -> Option<KeyUse> { todo!() }
    /// `kty` and `crv` in one.
    pub fn key_type(&self) -> KeyType { todo!() }
    /// RFC 7638.
    pub fn thumbprint(&self) -> Thumbprint { todo!() }
    /// The same key under a name, with its use and algorithm stated, as a key endpoint publishes it.
    #[must_use]
    pub fn named(self, kid: &str, key_use: KeyUse, algorithm: Algorithm) -> Self { let _ = (kid, key_use, algorithm); todo!() }
    /// The JWK as compact JSON.
    pub fn to_json(&self) -> String { todo!() }
}

/// RFC 7638 SHA-256 thumbprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Thumbprint([u8; 32]);

impl std::fmt::Display for Thumbprint {
    /// base64url without padding.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { let _ = (self.0, f); todo!() }
}

/// A JWK Set (RFC 7517 section 5) of public keys. Keys of a type or use that is not supported here are passed over.
#[derive(Clone, Debug)]
pub struct JwkSet(Vec<PublicJwk>);

impl JwkSet {
    /// The largest set that is read, in bytes and keys.
    pub const MAX_BYTES: usize = 64 * 1024;
    /// The most keys in a set.
    pub const MAX_KEYS: usize = 64;

    /// Parses a set strictly.
    ///
    /// # Errors
    /// `TooLarge`, `Malformed`, `NotPublic` and `DuplicateKid` refuse the whole set.
    pub fn parse(json: &[u8]) -> Result<Self, JwkError> { let _ = json; todo!() }
    /// The keys, in order.
    pub fn into_keys(self) -> Vec<PublicJwk> { self.0 }
    /// The JSON of a set of exactly one key.
    pub fn of_one(key: &PublicJwk) -> String { let _ = key; todo!() }
}

/// A public key ready to verify: parsed once, bound to one kid and one algorithm.
#[derive(Debug)]
pub struct PublicKey {
    _private: (),
}

impl PublicKey {
    /// Binds a JWK to the kid it was asked for and to its one algorithm.
    ///
    /// The JWK's `alg` must be in `allowed`. Where it has none and `without_alg` is set, the single member of `allowed` that
    /// fits the key type is taken; none or several is an error.
    ///
    /// # Errors
    /// `WrongUse`, `AlgorithmNotAllowed`, `Weak`, `Malformed` when the JWK's kid is not `kid`.
    pub fn bind(jwk: &PublicJwk, kid: &str, allowed: Algorithms, without_alg: bool) -> Result<Self, JwkError> {
        let _ = (jwk, kid, allowed, without_alg);
        todo!()
    }
    /// The kid.
    pub fn kid(&self) -> &str { todo!() }
    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm { todo!() }
    /// RFC 7638.
    pub fn thumbprint(&self) -> Thumbprint { todo!() }
}
