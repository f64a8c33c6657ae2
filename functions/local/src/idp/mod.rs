//! An identity provider for development: discovery, JWKS and a client-credentials token endpoint, on loopback only.
//!
//! Its clients and their secrets stand in this repository for all to read. It signs with another library than the one that
//! verifies here, so that the two cannot share a mistake.

mod clients;
mod key;

use std::{future::IntoFuture, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::{ConnectInfo, DefaultBodyLimit, Form, State, rejection::FormRejection},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::Listener,
};
use drawbridge_config::{Config, Issuer};
use drawbridge_keys::{Clock, SystemClock};
use drawbridge_verify::UnixTime;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::tls::{ClientCertificate, Incoming, Peer};

pub use clients::{CLIENTS, Client};
use clients::{Presented, Refused};
pub use key::{KeyError, SigningKey};

/// What the identity provider issues.
#[derive(Debug)]
pub struct IdentityProvider {
    /// `iss`, and where the provider is reached.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// `typ`.
    pub token_type: String,
    /// What a client gets that asks for no scope in particular: every scope that some route needs.
    pub scopes: Vec<String>,
    /// `exp - iat` of its tokens, in seconds.
    pub lifetime: i64,
    /// Signs the tokens.
    pub key: SigningKey,
    /// Where it is reached over mutual TLS, if it is: tokens that are asked for there with a certificate are bound to it.
    pub mtls: Option<SocketAddr>,
}

/// An identity provider that cannot be.
#[derive(Debug, Error)]
pub enum IdpError {
    /// The configuration has no `consumers`, so there is nobody whose part to play.
    #[error("the configuration names no `consumers`, so there are no tokens to issue")]
    NoConsumers,
    /// Every secret of it is public.
    #[error("the identity provider is for development and listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    /// No key to sign with.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The listener failed.
    #[error("cannot listen: {0}")]
    Listen(#[from] std::io::Error),
}

impl IdentityProvider {
    /// The issuer that `consumers` names, with a key kept in `state`.
    ///
    /// # Errors
    /// `NoConsumers`, `Key`.
    pub fn of(config: &Config, state: PathBuf) -> Result<Self, IdpError> {
        let Issuer { issuer, audiences, algorithms, types, max_lifetime, .. } = config
            .consumers
            .as_ref()
            .and_then(|name| config.issuers.get(name))
            .ok_or(IdpError::NoConsumers)?;
        let mut scopes: Vec<String> = config
            .backends
            .values()
            .flat_map(|backend| backend.routes.iter())
            .flat_map(|route| route.scopes.iter().cloned())
            .collect();
        scopes.sort();
        scopes.dedup();
        Ok(Self {
            issuer: issuer.clone(),
            audience: audiences.first().cloned().unwrap_or_else(|| issuer.clone()),
            token_type: types.first().map_or("at+jwt", |typ| typ.as_typ()).to_owned(),
            scopes,
            lifetime: max_lifetime.map_or(LIFETIME, |most| most.min(LIFETIME)).as_secs().cast_signed(),
            key: SigningKey::open(&state, *algorithms)?,
            mtls: None,
        })
    }

    /// Serves until the listener fails.
    ///
    /// # Errors
    /// `NotLoopback`, `Listen`.
    pub async fn serve(self, listener: TcpListener) -> Result<(), IdpError> {
        loopback(listener.local_addr()?)?;
        Ok(axum::serve(listener, self.router()).await?)
    }

    /// As [`serve`](Self::serve), and over mutual TLS as well (RFC 8705 section 5).
    ///
    /// # Errors
    /// `NotLoopback`, `Listen`.
    pub async fn serve_with(mut self, listener: TcpListener, mtls: Incoming) -> Result<(), IdpError> {
        loopback(listener.local_addr()?)?;
        let address = mtls.local_addr()?.address;
        loopback(address)?;
        self.mtls = Some(address);
        let router = self.router();
        let plain = axum::serve(listener, router.clone());
        let bound = axum::serve(mtls, router.into_make_service_with_connect_info::<Peer>());
        tokio::try_join!(plain.into_future(), bound.into_future())?;
        Ok(())
    }

    /// The endpoints.
    pub fn router(self) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .layer(DefaultBodyLimit::max(MAX_FORM))
            .with_state(Arc::new(self))
    }

    /// An access token by RFC 9068.
    fn issue(
        &self,
        client: &Client,
        scope: &str,
        certificate: Option<&ClientCertificate>,
        now: UnixTime,
    ) -> Result<String, KeyError> {
        let mut claims = client.claims();
        if let Some(claims) = claims.as_object_mut() {
            claims.extend([
                ("iss".to_owned(), json!(self.issuer)),
                ("aud".to_owned(), json!(self.audience)),
                ("sub".to_owned(), json!(client.id)),
                ("client_id".to_owned(), json!(client.id)),
                ("iat".to_owned(), json!(now.as_secs())),
                ("exp".to_owned(), json!(now.as_secs() + self.lifetime)),
                ("jti".to_owned(), json!(Uuid::new_v4().to_string())),
                ("scope".to_owned(), json!(scope)),
            ]);
            if let Some(certificate) = certificate {
                claims.insert("cnf".to_owned(), json!({ "x5t#S256": certificate.thumbprint() }));
            }
        }
        self.key.sign(&self.token_type, &claims)
    }
}

async fn discovery(State(idp): State<Arc<IdentityProvider>>) -> Json<Value> {
    let issuer = &idp.issuer;
    let mut metadata = json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/jwks"),
        "token_endpoint": format!("{issuer}/token"),
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": idp.scopes,
        "service_documentation": "for development only: its clients and their secrets are public",
    });
    if let (Some(mtls), Some(metadata)) = (idp.mtls, metadata.as_object_mut()) {
        metadata.insert("tls_client_certificate_bound_access_tokens".to_owned(), json!(true));
        let aliases = json!({ "token_endpoint": format!("https://{mtls}/token") });
        metadata.insert("mtls_endpoint_aliases".to_owned(), aliases);
    }
    Json(metadata)
}

async fn jwks(State(idp): State<Arc<IdentityProvider>>) -> Response {
    ([(header::CONTENT_TYPE, "application/jwk-set+json")], json!({ "keys": [idp.key.public()] }).to_string())
        .into_response()
}

/// RFC 6749 section 4.4. `Accept: text/plain` is answered with the bare token, for a shell to paste.
async fn token(
    State(idp): State<Arc<IdentityProvider>>,
    peer: Option<Extension<ConnectInfo<Peer>>>,
    headers: HeaderMap,
    form: Result<Form<TokenRequest>, FormRejection>,
) -> Response {
    let Ok(Form(request)) = form else {
        return oauth_error(StatusCode::BAD_REQUEST, "invalid_request");
    };
    let presented = Presented {
        authorization: headers.get(header::AUTHORIZATION),
        client_id: request.client_id.as_deref(),
        client_secret: request.client_secret.as_deref(),
    };
    let client = match presented.client() {
        Ok(client) => client,
        Err(Refused::Ambiguous) => return oauth_error(StatusCode::BAD_REQUEST, "invalid_request"),
        Err(Refused::Unknown) => {
            let mut answer = oauth_error(StatusCode::UNAUTHORIZED, "invalid_client");
            answer.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                header::HeaderValue::from_static("Basic realm=\"drawbridge development\""),
            );
            return answer;
        }
    };
    if request.grant_type != "client_credentials" {
        return oauth_error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    let Some(scope) = client.grant(request.scope.as_deref(), &idp.scopes) else {
        return oauth_error(StatusCode::BAD_REQUEST, "invalid_scope");
    };
    let certificate = peer.and_then(|Extension(ConnectInfo(peer))| peer.certificate);
    let Ok(token) = idp.issue(client, &scope, certificate.as_ref(), SystemClock.now()) else {
        return oauth_error(StatusCode::INTERNAL_SERVER_ERROR, "server_error");
    };
    let plain = headers.get(header::ACCEPT).is_some_and(|accept| accept == "text/plain");
    let body = if plain {
        token.into_response()
    } else {
        let answer = json!({ "access_token": token, "token_type": "Bearer", "expires_in": idp.lifetime, "scope": scope });
        Json(answer).into_response()
    };
    ([(header::CACHE_CONTROL, "no-store")], body).into_response()
}

/// Every secret of it is public.
fn loopback(address: SocketAddr) -> Result<(), IdpError> {
    if address.ip().is_loopback() { Ok(()) } else { Err(IdpError::NotLoopback(address)) }
}

/// The form of a client-credentials request.
#[derive(Deserialize)]
struct TokenRequest {
    grant_type: String,
    scope: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// RFC 6749 section 5.2.
fn oauth_error(status: StatusCode, code: &str) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(json!({ "error": code }))).into_response()
}

/// Of its tokens, where the issuer is not configured for a shorter one.
const LIFETIME: Duration = Duration::from_secs(300);

/// A client-credentials form is a few hundred bytes.
const MAX_FORM: usize = 16 * 1024;

#[cfg(test)]
mod tests;
