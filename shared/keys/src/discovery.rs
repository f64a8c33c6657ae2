use std::{sync::Mutex, sync::PoisonError, time::Duration};

use async_trait::async_trait;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use crate::{Fetched, HttpClient, KeySource, RemoteError, SourceError, http, jwks, unchanged::Unchanged};

/// `keys: discovery`: the issuer's `/.well-known/openid-configuration` (its `issuer` must be ours exactly), then its `jwks_uri`.
///
/// The document is kept for an hour, and read again after any failure to fetch the keys that it points to. Its `jwks_uri` may
/// be on another host, as it is with large issuers, but under the same rules as every address: TLS, no redirects.
pub struct Discovery {
    client: HttpClient,
    issuer: String,
    document: Url,
    jwks_uri: Mutex<Option<(Url, Instant)>>,
    unchanged: Unchanged,
}

/// How long a discovery document is kept.
const KEPT: Duration = Duration::from_secs(3600);

/// OpenID Connect Discovery 1.0 section 3, and RFC 8414 section 2: the two members that matter here. A member that is there
/// twice is an error.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

impl Discovery {
    /// `issuer` is the exact text of `iss`: a `Url` would add a slash to a bare host, and the document would not be taken.
    ///
    /// # Errors
    /// As [`JwksUrl::new`](crate::JwksUrl::new); also for an issuer with a query.
    pub fn new(client: HttpClient, issuer: impl AsRef<str>) -> Result<Self, RemoteError> {
        let issuer = issuer.as_ref().to_owned();
        if client.address(&issuer)?.query().is_some() {
            return Err(RemoteError(format!("the issuer `{issuer}` has a query")));
        }
        // OpenID Connect Discovery 1.0 section 4: any terminating slash is removed first.
        let base = issuer.strip_suffix('/').unwrap_or(&issuer);
        let document = client.address(&format!("{base}/.well-known/openid-configuration"))?;
        Ok(Self { client, issuer, document, jwks_uri: Mutex::new(None), unchanged: Unchanged::new() })
    }

    async fn jwks_uri(&self) -> Result<Url, SourceError> {
        if let Some((url, read)) = self.kept().as_ref()
            && read.elapsed() < KEPT
        {
            return Ok(url.clone());
        }
        let answer = self.client.get(&self.document, http::JSON).await.map_err(|error| match error {
            SourceError::NotFound => {
                SourceError::Unavailable("the issuer has no discovery document".to_owned())
            }
            other => other,
        })?;
        let document: Document = serde_json::from_slice(&answer.body).map_err(|_| {
            SourceError::Refused(
                "the discovery document is no JSON object with one `issuer` and one `jwks_uri`".to_owned(),
            )
        })?;
        if document.issuer != self.issuer {
            return Err(SourceError::Refused("the discovery document is another issuer's".to_owned()));
        }
        let url = self
            .client
            .address(&document.jwks_uri)
            .map_err(|error| SourceError::Refused(format!("the discovery document's `jwks_uri`: {error}")))?;
        *self.kept() = Some((url.clone(), Instant::now()));
        Ok(url)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<(Url, Instant)>> {
        self.jwks_uri.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl KeySource for Discovery {
    async fn fetch(&self, _kid: &str) -> Result<Fetched, SourceError> {
        let url = self.jwks_uri().await?;
        let fetched = jwks::whole_set(&self.client, &url, &self.unchanged).await;
        if fetched.is_err() {
            *self.kept() = None;
        }
        fetched
    }

    fn reads_whole_sets(&self) -> bool {
        true
    }
}
