//! Tokens on the fly: a key that is made for one run, and the source that has no other.

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_config::{Backend, Issuer};
use drawbridge_keys::{Fetched, KeyAlgorithm, KeySource, Kid, PrivateJwk, Signer, SourceError, StoreError};
use drawbridge_verify::{KeyUse, PublicJwk, UnixTime};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Mints the tokens that a backend's issuer would.
pub(super) struct Mint<'c> {
    backend: &'c Backend,
    issuer: &'c Issuer,
    signer: Arc<dyn Signer>,
}

/// Has one key.
struct OneKey {
    kid: String,
    key: PublicJwk,
}

impl<'c> Mint<'c> {
    /// Makes a key of the issuer's first algorithm, and the source that has its public half.
    ///
    /// # Errors
    /// When no key can be made.
    pub(super) fn new(
        backend: &'c Backend,
        issuer: &'c Issuer,
    ) -> Result<(Self, Arc<dyn KeySource>), StoreError> {
        let algorithm = issuer.algorithms.iter().next();
        let algorithm =
            algorithm.ok_or_else(|| StoreError::Unsupported("the issuer has no algorithm".to_owned()))?;
        let key = PrivateJwk::generate(KeyAlgorithm::Signature(algorithm))?;
        let kid = Kid::new(backend.name.clone(), KeyUse::Signing, Uuid::new_v4().into());
        let name = kid.to_string();
        let public = key.public().clone().named(&name, KeyUse::Signing, algorithm);
        let source = Arc::new(OneKey { kid: name, key: public });
        Ok((Self { backend, issuer, signer: key.signer(kid)? }, source))
    }

    /// A token that is right at `now`, but for the members of its header and the claims that are given: a null takes one out.
    ///
    /// # Errors
    /// When signing fails.
    pub(super) async fn token(
        &self,
        header: &Map<String, Value>,
        claims: &Map<String, Value>,
        now: UnixTime,
    ) -> Result<String, StoreError> {
        let right_header = json!({
            "alg": self.signer.algorithm().name(),
            "typ": self.issuer.types.first().map(|typ| typ.as_typ()),
            "kid": self.signer.kid().to_string(),
        });
        let right_claims = json!({
            "iss": self.issuer.issuer,
            "aud": self.backend.audience,
            "sub": "somebody",
            "client_id": "something",
            "jti": Uuid::new_v4().to_string(),
            "iat": now.as_secs(),
            "exp": now.after(self.backend.lifetime).as_secs(),
        });
        let mut token = URL_SAFE_NO_PAD.encode(over(right_header, header).to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(over(right_claims, claims).to_string(), &mut token);
        let signature = self.signer.sign(token.as_bytes()).await?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

/// `changes` over `right`, without what is null then.
fn over(mut right: Value, changes: &Map<String, Value>) -> Value {
    if let Some(members) = right.as_object_mut() {
        members.extend(changes.clone());
        members.retain(|_, value| !value.is_null());
    }
    right
}

#[async_trait]
impl KeySource for OneKey {
    async fn fetch(&self, kid: &str) -> Result<Fetched, SourceError> {
        if kid != self.kid {
            return Err(SourceError::NotFound);
        }
        Ok(Fetched { keys: vec![self.key.clone()], max_age: None })
    }
}
