use std::{collections::BTreeMap, fs::OpenOptions, io, sync::Arc, time::Duration};

use drawbridge_config::{Audit, Backend, Config, Encryption, Issuer, Keys, Store};
use drawbridge_keys::{
    BackendName, Decrypters, Discovery, HttpClient, JwksUrl, KeySource, KeyStore, Resolver, StoreError,
    StoreSource, directory::DirectoryStore,
};
use drawbridge_verify::{MediaType, Relaxation, Rules};
use thiserror::Error;

use crate::{AuditSink, Gate, OcsfLines, Subject, context, decryption::Decryption, seen::Seen};

/// Opens a configured store. Each function passes one that knows its own cloud; [`open_directory`] knows none.
pub type OpenStore<'a> = &'a (dyn Fn(&Store) -> Result<Arc<dyn KeyStore>, StoreError> + Sync);

/// A gate that cannot be put together.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct AssembleError(pub String);

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
    let backend = configured(config, backend)?;
    let issuer = named_issuer(config, &backend.issuer)?;
    let source = source(config, &backend.issuer, issuer, Some(&backend.name), http, open)?;
    let gate = guard(backend, issuer, source, decrypters(config, backend, issuer, open)?, audit);
    Ok(Gate { must_be_bound: backend.bound_to.is_some(), ..gate })
}

/// As [`gate_for_backend`], with the keys of the backend's issuer from `source` and not from where the configuration has them:
/// for tokens that were made to be tried. They need not be bound to the edge's certificate, which whoever makes them has not.
///
/// # Errors
/// When the backend is not configured.
pub fn gate_over(
    config: &Config,
    backend: &BackendName,
    source: Arc<dyn KeySource>,
    audit: Arc<dyn AuditSink>,
) -> Result<Gate, AssembleError> {
    let backend = configured(config, backend)?;
    Ok(guard(backend, named_issuer(config, &backend.issuer)?, source, None, audit))
}

fn guard(
    backend: &Backend,
    issuer: &Issuer,
    source: Arc<dyn KeySource>,
    decrypters: Option<Decrypters>,
    audit: Arc<dyn AuditSink>,
) -> Gate {
    let rules = Rules {
        audiences: vec![backend.audience.clone()],
        single_audience: true,
        max_lifetime: Some(issuer.max_lifetime.unwrap_or(MAX_LIFETIME)),
        require_jti: true,
        ..rules(issuer)
    };
    Gate {
        subject: Subject::Gate,
        backend: backend.name.clone(),
        rules,
        replaced: context::replaced(&backend.context),
        must_be_bound: false,
        decryption: match backend.encryption {
            Encryption::Refused => Decryption::Refused,
            Encryption::Accepted => Decryption::Accepted(decrypters),
            Encryption::Required => Decryption::Required(decrypters),
        },
        resolver: Arc::new(resolver(issuer, source, Some(&backend.name))),
        seen: Seen::default(),
        routes: backend.routes.clone(),
        policies: Some(backend.policies.clone()),
        context: backend.context.clone(),
        audit,
    }
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
    let backend = configured(config, backend)?;
    Ok(Consumers::new(config, http, open)?.gate(backend, audit))
}

/// The gates at the edge for all backends. They share one resolver: the consumers' issuer has one set of keys, one cache of
/// them and one budget for asking.
///
/// # Errors
/// As [`gate_for_consumers`].
pub fn gates_for_consumers(
    config: &Config,
    http: &HttpClient,
    open: OpenStore<'_>,
    audit: &Arc<dyn AuditSink>,
) -> Result<BTreeMap<BackendName, Gate>, AssembleError> {
    let consumers = Consumers::new(config, http, open)?;
    let gates = config.backends.iter();
    Ok(gates.map(|(name, backend)| (name.clone(), consumers.gate(backend, Arc::clone(audit)))).collect())
}

/// Opens `directory` stores and nothing else.
///
/// # Errors
/// `Unsupported` for any other store.
pub fn open_directory(store: &Store) -> Result<Arc<dyn KeyStore>, StoreError> {
    match store {
        Store::Directory(path) => Ok(Arc::new(DirectoryStore::new(path))),
        _ => Err(StoreError::Unsupported("only `directory` stores can be opened here".to_owned())),
    }
}

/// Opens what `audit` names in the configuration. A file is appended to.
///
/// # Errors
/// When the file cannot be opened.
pub fn open_audit(audit: &Audit) -> Result<Arc<dyn AuditSink>, AssembleError> {
    match audit {
        Audit::OcsfStdout => Ok(Arc::new(OcsfLines::new(io::stdout()))),
        Audit::OcsfFile(path) => match OpenOptions::new().append(true).create(true).open(path) {
            Ok(file) => Ok(Arc::new(OcsfLines::new(file))),
            Err(error) => {
                Err(AssembleError(format!("audit.ocsf: `{}` cannot be opened: {error}", path.display())))
            }
        },
        _ => Err(AssembleError("audit: this sink is not known here".to_owned())),
    }
}

/// What the gates at the edge have in common.
struct Consumers {
    rules: Rules,
    resolver: Arc<Resolver>,
}

impl Consumers {
    fn new(config: &Config, http: &HttpClient, open: OpenStore<'_>) -> Result<Self, AssembleError> {
        let name = config.consumers.as_deref().ok_or_else(|| {
            AssembleError(
                "consumers: not configured; name the issuer whose tokens the edge accepts".to_owned(),
            )
        })?;
        let issuer = named_issuer(config, name)?;
        if issuer.audiences.is_empty() {
            return Err(AssembleError(format!(
                "issuers.{name}.audience: not configured; write the `aud` of its tokens"
            )));
        }
        let rules = Rules {
            audiences: issuer.audiences.clone(),
            single_audience: false,
            max_lifetime: issuer.max_lifetime,
            require_jti: is_access_token(issuer),
            ..rules(issuer)
        };
        let source = source(config, name, issuer, None, http, open)?;
        Ok(Self { rules, resolver: Arc::new(resolver(issuer, source, None)) })
    }

    /// The context stays empty: the edge tells a backend nothing but the bridged token.
    fn gate(&self, backend: &Backend, audit: Arc<dyn AuditSink>) -> Gate {
        Gate {
            subject: Subject::Edge,
            backend: backend.name.clone(),
            rules: self.rules.clone(),
            replaced: context::replaced(&backend.context),
            must_be_bound: false,
            decryption: Decryption::Refused,
            resolver: Arc::clone(&self.resolver),
            seen: Seen::default(),
            routes: backend.routes.clone(),
            policies: None,
            context: Vec::new(),
            audit,
        }
    }
}

/// The longest life of a bridged token where the issuer's is not configured.
const MAX_LIFETIME: Duration = Duration::from_secs(300);

fn configured<'c>(config: &'c Config, backend: &BackendName) -> Result<&'c Backend, AssembleError> {
    config.backends.get(backend).ok_or_else(|| {
        let known: Vec<_> = config.backends.keys().map(BackendName::as_str).collect();
        AssembleError(format!(
            "backends.{backend}: not configured; the configured ones are {}",
            known.join(", ")
        ))
    })
}

fn named_issuer<'c>(config: &'c Config, name: &str) -> Result<&'c Issuer, AssembleError> {
    config.issuers.get(name).ok_or_else(|| AssembleError(format!("issuers.{name}: not configured")))
}

/// What an issuer's tokens owe whoever they are for.
fn rules(issuer: &Issuer) -> Rules {
    Rules {
        issuer: issuer.issuer.clone(),
        audiences: Vec::new(),
        single_audience: true,
        algorithms: issuer.algorithms,
        types: issuer.types.clone(),
        max_lifetime: issuer.max_lifetime,
        skew: issuer.skew,
        require_jti: true,
        require_client_id: is_access_token(issuer),
        max_token_bytes: issuer.max_token_bytes,
        relaxed: issuer.relax.clone(),
    }
}

/// Whether the issuer's tokens are those of RFC 9068 and so owe the claims of its section 2.2.
fn is_access_token(issuer: &Issuer) -> bool {
    issuer.types.contains(&MediaType::new("at+jwt")) && !issuer.relax.contains(&Relaxation::UntypedTokens)
}

/// `backend`: whose keys the issuer signs with, where it has keys of its own for each backend.
fn resolver(issuer: &Issuer, source: Arc<dyn KeySource>, backend: Option<&BackendName>) -> Resolver {
    // One key at a time, each of one backend: the kids are ours, and a foreign one is refused before it is asked for.
    let ours = match &issuer.keys {
        Keys::Discovery => false,
        Keys::Jwks(template) => template.contains("{backend}") && template.contains("{kid}"),
        Keys::Store(_) => true,
    };
    Resolver::new(
        source,
        backend.filter(|_| ours).cloned(),
        issuer.algorithms,
        issuer.relax.contains(&Relaxation::KeysWithoutAlg),
        issuer.thumbprints.clone(),
        issuer.key_limits.clone(),
    )
}

/// The private keys that encrypted tokens are opened with, from the backend's own store; None where there are to be no such tokens.
fn decrypters(
    config: &Config,
    backend: &Backend,
    issuer: &Issuer,
    open: OpenStore<'_>,
) -> Result<Option<Decrypters>, AssembleError> {
    if backend.encryption == Encryption::Refused {
        return Ok(None);
    }
    let failed = |message: String| AssembleError(format!("backends.{}.store: {message}", backend.name));
    let name = backend.store.as_deref();
    let name =
        name.ok_or_else(|| failed("not configured; name the one with the keys to decrypt with".to_owned()))?;
    let store = config.stores.get(name).ok_or_else(|| failed(format!("there is no store `{name}`")))?;
    let store = open(store).map_err(|error| failed(error.to_string()))?;
    Ok(Some(Decrypters::new(store, backend.name.clone(), &issuer.key_limits)))
}

/// Where the configuration has the keys of an issuer.
fn source(
    config: &Config,
    name: &str,
    issuer: &Issuer,
    backend: Option<&BackendName>,
    http: &HttpClient,
    open: OpenStore<'_>,
) -> Result<Arc<dyn KeySource>, AssembleError> {
    let failed = |message: String| AssembleError(format!("issuers.{name}.keys: {message}"));
    let secure = |url: &str| {
        if url.starts_with("https:") || issuer.relax.contains(&Relaxation::HttpOnLoopback) {
            return Ok(());
        }
        Err(failed(format!(
            "`{url}` is not `https`; write `https`, or `relax: [allow_http_on_loopback]` on one machine"
        )))
    };
    Ok(match &issuer.keys {
        Keys::Discovery => {
            secure(&issuer.issuer)?;
            let source =
                Discovery::new(http.clone(), &issuer.issuer).map_err(|error| failed(error.to_string()))?;
            Arc::new(source)
        }
        Keys::Jwks(template) => {
            secure(template)?;
            let source = JwksUrl::new(http.clone(), template, backend.map(BackendName::as_str))
                .map_err(|error| failed(error.to_string()))?;
            Arc::new(source)
        }
        Keys::Store(store) => {
            let configured = config.stores.get(store);
            let configured = configured.ok_or_else(|| failed(format!("there is no store `{store}`")))?;
            Arc::new(StoreSource(open(configured).map_err(|error| failed(error.to_string()))?))
        }
    })
}
