use crate::{
    JwkError, KeyUse, PublicJwk,
    json::{Bounds, Value},
    jwk::{Named, refuse_private, text},
    rules::is_kid,
};

/// A JWK Set (RFC 7517 section 5) of public keys. Keys that cannot be used here are passed over.
#[derive(Clone, Debug)]
pub struct JwkSet(Vec<PublicJwk>);

impl JwkSet {
    /// The largest set that is read, in bytes and keys.
    pub const MAX_BYTES: usize = 64 * 1024;
    /// The most keys in a set.
    pub const MAX_KEYS: usize = 64;

    /// Parses a set strictly.
    ///
    /// Passed over are keys that no token can be verified with here: of another type, curve, algorithm or use, weak ones, ones
    /// whose members are missing or out of range (RFC 7517 section 5 asks for all of this), and ones whose kid is outside the kid
    /// grammar. One key that somebody got wrong takes no other down with it.
    ///
    /// # Errors
    /// `TooLarge`, `NotPublic` and `DuplicateKid` refuse the whole set; so does `Malformed`, for what is no strict JSON of a set, and
    /// for a set that has malformed keys and no other: that is a failure, and not a set of no keys.
    pub fn parse(json: &[u8]) -> Result<Self, JwkError> {
        if json.len() > Self::MAX_BYTES {
            return Err(JwkError::TooLarge);
        }
        let set =
            Value::parse(json, BOUNDS).map_err(|_| JwkError::Malformed("not strict JSON within bounds"))?;
        let Some(Value::Array(jwks)) = set.member("keys") else { return Err(JwkError::Malformed("keys")) };
        if jwks.len() > Self::MAX_KEYS {
            return Err(JwkError::TooLarge);
        }
        let mut kids = Vec::new();
        let mut keys = Vec::new();
        let mut malformed = Vec::new();
        for jwk in jwks {
            refuse_private(jwk)?;
            if let Ok(Some(kid)) = text(jwk, "kid") {
                if kids.contains(&kid) {
                    return Err(JwkError::DuplicateKid);
                }
                kids.push(kid);
                if !is_kid(kid) {
                    continue;
                }
            }
            match PublicJwk::read(jwk) {
                Ok(key) if may_sign(&key) => keys.push(key),
                Ok(_) | Err(JwkError::Unsupported | JwkError::Weak(_)) => {}
                Err(error) => malformed.push(error),
            }
        }
        match malformed.first() {
            Some(error) if malformed.len() == jwks.len() => Err(*error),
            _ => Ok(Self(keys)),
        }
    }

    /// The keys, in order.
    pub fn into_keys(self) -> Vec<PublicJwk> {
        self.0
    }

    /// The JSON of a set of exactly one key.
    pub fn of_one(key: &PublicJwk) -> String {
        format!(r#"{{"keys":[{}]}}"#, key.to_json())
    }
}

fn may_sign(key: &PublicJwk) -> bool {
    key.key_use() != Some(KeyUse::Encryption) && matches!(key.algorithm, Named::Nothing | Named::Signature(_))
}

/// A key has some ten members, and a certificate chain at most ten more values.
const BOUNDS: Bounds = Bounds { depth: 6, values: 2048 };
