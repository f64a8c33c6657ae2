use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_config::{Backend, Issuer, RESERVED_CLAIMS};
use drawbridge_keys::{KeyStore, STORE, StoreError};
use drawbridge_verify::{MediaType, UnixTime, Verified, json::Value};
use serde_json::{Map, json};
use thiserror::Error;
use uuid::Uuid;

use crate::{
    binding::{Binding, BindingError},
    sealing::SealingKey,
    signing::SigningKey,
};

/// Mints the bridged tokens of one backend: issuer, audience, type, key and mapping are the backend's, never the caller's.
pub struct Minter {
    issuer: String,
    audience: String,
    typ: MediaType,
    lifetime: std::time::Duration,
    /// What the routes of the backend ask for.
    scopes: BTreeSet<String>,
    mapping: Mapping,
    key: SigningKey,
    /// None where tokens are not encrypted.
    sealing: Option<SealingKey>,
    /// None where tokens are not bound to their sender.
    binding: Option<Binding>,
}

/// Bridged claim → JSON Pointer (RFC 6901) to where it stands in the consumer's claims. Cannot name one of [`RESERVED_CLAIMS`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping(BTreeMap<String, String>);

/// A mapping that may not be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the claim `{0}` is set by the bridge and cannot be mapped")]
pub struct MappingError(pub String);

/// A backend that no tokens can be minted for.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct MinterError(MinterProblem);

#[derive(Debug, Error)]
enum MinterProblem {
    #[error(transparent)]
    Mapping(#[from] MappingError),
    #[error("`bound_to`: {0}")]
    Binding(#[from] BindingError),
}

/// The claims of one bridged token, not signed yet.
pub struct Claims {
    json: String,
    pub(crate) txn: String,
    pub(crate) expires_at: UnixTime,
    pub(crate) scope: Option<String>,
}

/// Why no bridged claims can be made from a consumer's token, although it was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Refused {
    /// The consumer's token ends within a second: the skew let it in.
    #[error("the consumer's token has no time left")]
    Expired,
    /// `scope` is not a string, so that nobody can say what an equal or lesser one is.
    #[error("the scope of the consumer's token cannot be determined")]
    Scope,
    /// A scope was asked for that the consumer does not have, or no route of the backend asks for.
    #[error("a scope was asked for that cannot be given")]
    ScopeAsked,
    /// `act` is not an object.
    #[error("the actor of the consumer's token cannot be determined")]
    Actor,
    /// More than [`Minter::MAX_CLAIMS_BYTES`], or [`Minter::MAX_SEALED_CLAIMS_BYTES`].
    #[error("the bridged claims are larger than allowed")]
    TooLarge,
}

/// Why a token was not signed, or not encrypted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MintError {
    /// The store refused, or has no key.
    #[error(transparent)]
    Store(StoreError),
    /// The store could not be asked; says nothing about the key.
    #[error("{0}")]
    Unavailable(String),
    /// The key may not be used for these tokens.
    #[error("{0}")]
    Unfit(&'static str),
}

impl Minter {
    /// The most bytes of bridged claims as JSON: 6 KiB, so that the token stays near 8 KiB and fits the 10 240 bytes that API Gateway
    /// takes for all headers of a request.
    pub const MAX_CLAIMS_BYTES: usize = 6 * 1024;

    /// As [`MAX_CLAIMS_BYTES`](Self::MAX_CLAIMS_BYTES), for a backend that takes encrypted tokens: 4.5 KiB, because these are in base64
    /// twice.
    pub const MAX_SEALED_CLAIMS_BYTES: usize = 4 * 1024 + 512;

    /// # Errors
    /// When a mapping is of a reserved claim, or the certificate that its tokens are bound to cannot be read.
    pub fn new(backend: &Backend, issuer: &Issuer, store: Arc<dyn KeyStore>) -> Result<Self, MinterError> {
        let mapping = Mapping::new(backend.claims.clone()).map_err(|error| MinterError(error.into()))?;
        let binding = backend.bound_to.as_deref().map(Binding::open).transpose();
        Ok(Self {
            issuer: issuer.issuer.clone(),
            audience: backend.audience.clone(),
            typ: issuer.types.first().cloned().unwrap_or_else(|| MediaType::new("bridged+jwt")),
            lifetime: backend.lifetime,
            scopes: backend.routes.iter().flat_map(|route| route.scopes.iter().cloned()).collect(),
            mapping,
            key: SigningKey::new(Arc::clone(&store), backend.name.clone(), issuer.algorithms),
            sealing: SealingKey::new(store, backend),
            binding: binding.map_err(|error| MinterError(error.into()))?,
        })
    }

    /// `aud` of the tokens.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The bridged claims for a consumer whose request was granted at `now`.
    ///
    /// * `iss`, `aud` (one string), `iat`: the bridge's; `jti`: new.
    /// * `exp`: after the backend's lifetime, and never later than the consumer's `exp`.
    /// * `sub`, `client_id`: the consumer's.
    /// * `scope`: those of the consumer's scopes that a route of the backend asks for, in the consumer's order; left out when the
    ///   consumer's token has none. Of these only what `asked` names, space-delimited, where it is given.
    /// * `txn`: the consumer's, where it is 1 to 128 characters of `A-Za-z0-9._:-`; otherwise the request's id, so that the
    ///   audit lines of both sides can be joined.
    /// * `act`: the bridge's issuer as the actor, with the consumer's `act` nested in it (RFC 8693 section 4.1).
    /// * `cnf`: the certificate that the edge shows the backend's gateway (RFC 8705 section 3.1), where the backend is `bound_to` one.
    /// * What the backend's mapping finds; what it does not find is left out.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn claims(
        &self,
        consumer: &Verified<'_>,
        request_id: &str,
        asked: Option<&str>,
        now: UnixTime,
    ) -> Result<Claims, Refused> {
        let expires_at = now.after(self.lifetime).min(consumer.expires_at());
        if expires_at <= now {
            return Err(Refused::Expired);
        }
        let scope = self.scope(consumer, asked)?;
        let txn = transaction(consumer).unwrap_or(request_id).to_owned();
        let mut claims: Map<String, serde_json::Value> = self
            .mapping
            .0
            .iter()
            .filter_map(|(claim, pointer)| Some((claim.clone(), consumer.pointer(pointer)?.to_json())))
            .collect();
        // After the mapped ones, so that these stand whatever a mapping says.
        claims.insert("iss".to_owned(), json!(self.issuer));
        claims.insert("aud".to_owned(), json!(self.audience));
        claims.insert("sub".to_owned(), json!(consumer.subject()));
        claims.insert("iat".to_owned(), json!(now.as_secs()));
        claims.insert("exp".to_owned(), json!(expires_at.as_secs()));
        claims.insert("jti".to_owned(), json!(Uuid::new_v4().to_string()));
        claims.insert("txn".to_owned(), json!(txn));
        claims.insert("act".to_owned(), self.actor(consumer)?);
        if let Some(binding) = &self.binding {
            claims.insert("cnf".to_owned(), binding.confirmation());
        }
        if let Some(scope) = &scope {
            claims.insert("scope".to_owned(), json!(scope));
        }
        if let Some(client) = consumer.client_id() {
            claims.insert("client_id".to_owned(), json!(client));
        }
        let json = serde_json::Value::Object(claims).to_string();
        let most =
            if self.sealing.is_some() { Self::MAX_SEALED_CLAIMS_BYTES } else { Self::MAX_CLAIMS_BYTES };
        if json.len() > most {
            return Err(Refused::TooLarge);
        }
        Ok(Claims { json, txn, expires_at, scope })
    }

    /// The token of these claims: signed with the backend's current key (RFC 7515 section 7.1) and, where the backend takes
    /// encrypted tokens, encrypted to its current encryption key (RFC 7516 section 7.1).
    ///
    /// # Errors
    /// [`MintError`].
    pub async fn mint(&self, claims: &Claims) -> Result<String, MintError> {
        let token = self.sign(claims).await?;
        match &self.sealing {
            Some(key) => key.seal(token).await,
            None => Ok(token),
        }
    }

    async fn sign(&self, claims: &Claims) -> Result<String, MintError> {
        let signer = self.key.current().await?;
        let header = json!({
            "alg": signer.algorithm().name(),
            "kid": signer.kid().to_string(),
            "typ": self.typ.as_typ(),
        });
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&claims.json, &mut token);
        let signature = tokio::time::timeout(STORE, signer.sign(token.as_bytes()))
            .await
            .map_err(|_| MintError::Unavailable("the key store did not sign in time".to_owned()))??;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn scope(&self, consumer: &Verified<'_>, asked: Option<&str>) -> Result<Option<String>, Refused> {
        match consumer.claim("scope") {
            None if asked.is_none() => return Ok(None),
            None | Some(Value::String(_)) => {}
            Some(_) => return Err(Refused::Scope),
        }
        let mut kept: Vec<&str> = Vec::new();
        for scope in consumer.scopes() {
            if self.scopes.contains(scope) && !kept.contains(&scope) {
                kept.push(scope);
            }
        }
        if let Some(asked) = asked {
            let asked: Vec<&str> = asked.split(' ').collect();
            if !asked.iter().all(|scope| kept.contains(scope)) {
                return Err(Refused::ScopeAsked);
            }
            kept.retain(|scope| asked.contains(scope));
        }
        Ok(Some(kept.join(" ")))
    }

    fn actor(&self, consumer: &Verified<'_>) -> Result<serde_json::Value, Refused> {
        let mut actor = json!({ "sub": self.issuer });
        match consumer.claim("act") {
            None => {}
            Some(before @ Value::Object(_)) => {
                if let Some(actor) = actor.as_object_mut() {
                    actor.insert("act".to_owned(), before.to_json());
                }
            }
            // To leave it out would make a delegated call look like a direct one.
            Some(_) => return Err(Refused::Actor),
        }
        Ok(actor)
    }
}

impl Mapping {
    /// # Errors
    /// The first claim that is reserved.
    pub fn new(claims: BTreeMap<String, String>) -> Result<Self, MappingError> {
        match claims.keys().find(|claim| RESERVED_CLAIMS.contains(&claim.as_str())) {
            Some(reserved) => Err(MappingError(reserved.clone())),
            None => Ok(Self(claims)),
        }
    }
}

impl From<StoreError> for MintError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(text) | StoreError::Throttled(text) => Self::Unavailable(text),
            error => Self::Store(error),
        }
    }
}

impl fmt::Debug for Minter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Minter")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

/// The consumer's `txn`, where it is safe in a header and a log line.
fn transaction<'c>(consumer: &'c Verified<'_>) -> Option<&'c str> {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    let txn = consumer.claim("txn").and_then(Value::as_str)?;
    ((1..=128).contains(&txn.len()) && txn.bytes().all(safe)).then_some(txn)
}
