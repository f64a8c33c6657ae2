use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;
use url::Url;

use crate::{Fetched, KeySource, SourceError};

/// The one HTTP client of a process: TLS only (unless loopback is allowed by name), no redirects, bounded answers.
#[derive(Clone)]
pub struct HttpClient {
    _private: (),
}

/// An address or client that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct RemoteError(pub String);

impl HttpClient {
    /// Connect and total time limits are inside the authorizer's budget.
    ///
    /// # Errors
    /// When the TLS library cannot start.
    pub fn new(timeout: Duration, allow_http_on_loopback: bool) -> Result<Self, RemoteError> {
        let _ = (timeout, allow_http_on_loopback);
        todo!()
    }
}

/// `keys: { jwks: URL }`: with `{backend}` and `{kid}` in the path one key at a time, without them a whole set.
pub struct JwksUrl {
    _private: (),
}

impl JwksUrl {
    /// # Errors
    /// When the address is not `https` (or allowed loopback), or has placeholders outside its path.
    pub fn new(client: HttpClient, template: &str, backend: Option<&str>) -> Result<Self, RemoteError> {
        let _ = (client, template, backend);
        todo!()
    }
}

#[async_trait]
impl KeySource for JwksUrl {
    async fn fetch(&self, kid: &str) -> Result<Fetched, SourceError> { let _ = kid; todo!() }
}

/// `keys: discovery`: the issuer's `/.well-known/openid-configuration` (its `issuer` must be ours exactly), then its `jwks_uri`.
pub struct Discovery {
    _private: (),
}

impl Discovery {
    /// # Errors
    /// As [`JwksUrl::new`].
    pub fn new(client: HttpClient, issuer: &Url) -> Result<Self, RemoteError> { let _ = (client, issuer); todo!() }
}

#[async_trait]
impl KeySource for Discovery {
    async fn fetch(&self, kid: &str) -> Result<Fetched, SourceError> { let _ = kid; todo!() }
}
