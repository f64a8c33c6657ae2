use std::sync::Arc;

use drawbridge_config::Config;
use drawbridge_gate::{AuditSink, Deny, OpenStore, Request};
use drawbridge_keys::{BackendName, HttpClient};
use drawbridge_verify::UnixTime;
use thiserror::Error;

/// The bridge of an edge: checks consumer tokens, mints bridged ones.
pub struct Bridge {
    _private: (),
}

/// A bridge that cannot be put together.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct BridgeError(pub String);

/// A consumer's request, bridged.
#[derive(Debug)]
pub struct Bridged {
    /// For whom the token is.
    pub backend: BackendName,
    /// The path and query below the backend's prefix, for the upstream.
    pub target: String,
    /// The compact bridged token.
    pub token: String,
    /// `txn`: kept from the consumer's token or made new.
    pub txn: String,
    /// Id of this request in the audit log.
    pub request_id: String,
}

impl Bridge {
    /// # Errors
    /// When the configuration names no consumers, or a backend's gate or store cannot be built.
    pub fn new(config: &Config, http: &HttpClient, open: OpenStore<'_>, audit: Arc<dyn AuditSink>) -> Result<Self, BridgeError> {
        let _ = (config, http, open, audit);
        todo!()
    }

    /// Picks the backend by the path prefix, checks the consumer's token on its routes, mints. The audit line is written.
    ///
    /// # Errors
    /// The deny to answer with.
    pub async fn bridge(&self, request: &Request<'_>, now: UnixTime) -> Result<Bridged, Deny> {
        let _ = (request, now);
        todo!()
    }
}
