use serde::Serialize;

use crate::{
    Algorithm, JwkError, KeyType, Thumbprint, base64,
    json::{Bounds, Value},
    jwe::KeyManagement,
    material::Material,
    rules::is_kid,
};

/// A public JWK: built of public members only, so that it may be published as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicJwk {
    kid: Option<String>,
    key_use: Option<KeyUse>,
    operations: Option<Operations>,
    pub(crate) algorithm: Named,
    pub(crate) material: Material,
}

/// What a key is for: JWK `use` (RFC 7517 section 4.2), and the middle part of our kids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyUse {
    /// `sig`
    Signing,
    /// `enc`
    Encryption,
}

/// `alg`. A name that is unknown here is kept apart from no name: it binds the key to something that is not done here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Nothing,
    Signature(Algorithm),
    KeyManagement(KeyManagement),
    Other(String),
}

impl PublicJwk {
    /// Parses one JWK strictly.
    ///
    /// RSA keys have 2048 to 8192 bits and an odd exponent from 65537 to 2^32 - 1; points are on their curve; coordinates
    /// and numbers have exactly the length that RFC 7518 section 6 gives them; `kid` is within the kid grammar. Members
    /// without meaning here, such as `x5c`, are passed over.
    ///
    /// # Errors
    /// `Malformed`, `NotPublic`, `Unsupported`, `Weak`.
    pub fn parse(json: &[u8]) -> Result<Self, JwkError> {
        let jwk =
            Value::parse(json, BOUNDS).map_err(|_| JwkError::Malformed("not strict JSON within bounds"))?;
        refuse_private(&jwk)?;
        Self::read(&jwk)
    }

    /// `kid`
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// `alg`, where it names a signature algorithm known here.
    pub fn algorithm(&self) -> Option<Algorithm> {
        if let Named::Signature(algorithm) = self.algorithm { Some(algorithm) } else { None }
    }

    /// `alg`, where it names a key management algorithm known here that fits the key.
    pub fn key_management(&self) -> Option<KeyManagement> {
        let Named::KeyManagement(algorithm) = self.algorithm else { return None };
        Some(algorithm).filter(|algorithm| algorithm.fits(self.key_type()))
    }

    /// `use`
    pub fn key_use(&self) -> Option<KeyUse> {
        self.key_use
    }

    /// `kty` and `crv` in one.
    pub fn key_type(&self) -> KeyType {
        self.material.key_type()
    }

    /// RFC 7638.
    pub fn thumbprint(&self) -> Thumbprint {
        Thumbprint::of(&self.material.canonical())
    }

    /// The same key under a name, with its use and algorithm stated, as a key endpoint publishes it.
    #[must_use]
    pub fn named(self, kid: &str, key_use: KeyUse, algorithm: Algorithm) -> Self {
        Self {
            kid: Some(kid.to_owned()),
            key_use: Some(key_use),
            operations: None,
            algorithm: Named::Signature(algorithm),
            material: self.material,
        }
    }

    /// The same key under a name, stated to be for encryption, as a key endpoint publishes it.
    #[must_use]
    pub fn named_for_encryption(self, kid: &str, algorithm: KeyManagement) -> Self {
        Self {
            kid: Some(kid.to_owned()),
            key_use: Some(KeyUse::Encryption),
            operations: None,
            algorithm: Named::KeyManagement(algorithm),
            material: self.material,
        }
    }

    /// The JWK as compact JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.members()).unwrap_or_default()
    }

    /// Whether `use`, `key_ops` and `alg` let the key verify signatures. A key of which none of them says so is for nothing.
    pub(crate) fn may_verify(&self) -> bool {
        let by_use = self.key_use.map(|key_use| key_use == KeyUse::Signing);
        let by_operations = self.operations.map(Operations::may_verify);
        let by_algorithm = self.algorithm().map(|_| true);
        [by_use, by_operations].iter().all(|may| may.unwrap_or(true))
            && by_use.or(by_operations).or(by_algorithm).is_some()
    }

    /// Whether `key_ops` lists making or verifying signatures: such a key is never one to encrypt with.
    pub(crate) fn lists_signatures(&self) -> bool {
        self.operations.is_some_and(|listed| listed.0 & Operations::SIGN_OR_VERIFY != 0)
    }

    /// Reads the public members of a JWK.
    pub(crate) fn read(jwk: &Value<'_>) -> Result<Self, JwkError> {
        let kid = text(jwk, "kid")?;
        if kid.is_some_and(|kid| !is_kid(kid)) {
            return Err(JwkError::Malformed("kid"));
        }
        let key_use = match text(jwk, "use")? {
            None => None,
            Some("sig") => Some(KeyUse::Signing),
            Some("enc") => Some(KeyUse::Encryption),
            Some(_) => return Err(JwkError::Unsupported),
        };
        let algorithm = text(jwk, "alg")?.map_or(Named::Nothing, Named::read);
        Ok(Self {
            kid: kid.map(str::to_owned),
            key_use,
            operations: jwk.member("key_ops").map(Operations::read).transpose()?,
            algorithm,
            material: Material::read(jwk)?,
        })
    }

    fn members(&self) -> Members<'_> {
        let (kty, crv) = self.material.names();
        let [n, e, x, y] = self.material.numbers().map(|number| number.map(base64::encode));
        let alg = match &self.algorithm {
            Named::Nothing => None,
            Named::Signature(algorithm) => Some(algorithm.name()),
            Named::KeyManagement(algorithm) => Some(algorithm.name()),
            Named::Other(name) => Some(name.as_str()),
        };
        Members {
            kty,
            crv,
            n,
            e,
            x,
            y,
            key_use: self.key_use.map(KeyUse::name),
            key_ops: self.operations.map(Operations::names),
            alg,
            kid: self.kid(),
        }
    }
}

impl Named {
    fn read(name: &str) -> Self {
        let signature = name.parse().map(Self::Signature);
        let named = signature.or_else(|()| name.parse().map(Self::KeyManagement));
        named.unwrap_or_else(|()| Self::Other(name.to_owned()))
    }
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

/// Refuses private and symmetric members, whatever the key's type says of itself (RFC 7518 sections 6.2.2, 6.3.2 and 6.4).
pub(crate) fn refuse_private(jwk: &Value<'_>) -> Result<(), JwkError> {
    let private = PRIVATE.iter().any(|name| jwk.member(name).is_some());
    let symmetric = jwk.member("kty").and_then(Value::as_str) == Some("oct");
    if private || symmetric { Err(JwkError::NotPublic) } else { Ok(()) }
}

/// The text of a member; anything but a string is an error.
pub(crate) fn text<'v>(jwk: &'v Value<'_>, name: &'static str) -> Result<Option<&'v str>, JwkError> {
    match jwk.member(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(JwkError::Malformed(name)),
    }
}

/// `key_ops` (RFC 7517 section 4.3): which of the registered operations it lists. Others have no meaning here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Operations(u8);

impl Operations {
    const NAMES: [&str; 8] =
        ["sign", "verify", "encrypt", "decrypt", "wrapKey", "unwrapKey", "deriveKey", "deriveBits"];
    const VERIFY: u8 = 0b10;
    const SIGN_OR_VERIFY: u8 = 0b11;

    fn read(value: &Value<'_>) -> Result<Self, JwkError> {
        let malformed = JwkError::Malformed("key_ops");
        let Value::Array(items) = value else { return Err(malformed) };
        items.iter().try_fold(Self(0), |listed, item| {
            let name = item.as_str().ok_or(malformed)?;
            let bit = Self::NAMES.iter().position(|known| *known == name).map_or(0, |at| 1 << at);
            if listed.0 & bit == 0 { Ok(Self(listed.0 | bit)) } else { Err(malformed) }
        })
    }

    /// Lists `verify`, and nothing of another use (RFC 7517 section 4.3 warns of keys with unrelated operations).
    fn may_verify(self) -> bool {
        self.0 & Self::VERIFY != 0 && self.0 & !Self::SIGN_OR_VERIFY == 0
    }

    fn names(self) -> Vec<&'static str> {
        Self::NAMES
            .into_iter()
            .enumerate()
            .filter(|(at, _)| self.0 & 1 << at != 0)
            .map(|(_, name)| name)
            .collect()
    }
}

/// The members that are published. There is no place here for a private one.
#[derive(Serialize)]
struct Members<'a> {
    kty: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    key_use: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_ops: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
}

const BOUNDS: Bounds = Bounds { depth: 4, values: 128 };

const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];
