use std::sync::Arc;

use drawbridge_config::{Config, Store};
use drawbridge_keys::{BackendName, HttpClient, KeyStore, StoreError};
use thiserror::Error;

use crate::{AuditSink, Gate};

/// Opens a configured store. Each function passes one that knows its own cloud; [`open_directory`] knows none.
pub type OpenStore<'a> = &'a (dyn Fn(&Store) -> Result<Arc<dyn KeyStore>, StoreError> + Sync);

/// A gate that cannot be put together.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct AssembleError(pub String);

/// Opens `directory` stores and nothing else.
///
/// # Errors
/// `Unsupported` for any other store.
pub fn open_directory(store: &Store) -> Result<Arc<dyn KeyStore>, StoreError> {
    let _ = store;
    todo!()
}

/// The gate that guards one backend: accepts the tokens of the backend's `issuer`, for its audience.
///
/// # Errors
/// When the backend is not configured or its key source cannot be built.
pub fn gate_for_backend(
    config: &Config,
    backend: &BackendName,
    http: &HttpClient,
    open: OpenStore<'_>,
    audit: Arc<dyn AuditSink>,
) -> Result<Gate, AssembleError> {
    let _ = (config, backend, http, open, audit);
    todo!()
}

/// The gate at the edge for requests to one backend: accepts the consumers' tokens, on the backend's routes.
///
/// # Errors
/// As [`gate_for_backend`]; also when `consumers` is not configured.
pub fn gate_for_consumers(
    config: &Config,
    backend: &BackendName,
    http: &HttpClient,
    open: OpenStore<'_>,
    audit: Arc<dyn AuditSink>,
) -> Result<Gate, AssembleError> {
    let _ = (config, backend, http, open, audit);
    todo!()
}
