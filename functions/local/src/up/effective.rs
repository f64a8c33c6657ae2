//! The configuration that the parts run with: the user's, with what is elsewhere replaced by what is on this machine.

use std::{path::Path, time::Duration};

use drawbridge_config::{
    AwsAuthorizer, AzureMode, Backend, Config, Encryption, Issuer, Keys, Local, PolicyFile, Store,
};
use drawbridge_policy::Route;
use drawbridge_verify::Relaxation;
use serde_json::{Map, Value, json};

use super::Addresses;
use crate::tls::{Certificates, EDGE};

/// In whose gateway a backend stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// Behind API Gateway.
    Aws,
    /// Behind Functions.
    Azure,
}

impl Cloud {
    /// Where its keys are is where it is; otherwise its upstream's address tells, and AWS is the default.
    pub fn of(config: &Config, backend: &Backend) -> Self {
        let upstream = backend.upstream.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
        match backend.store.as_ref().and_then(|name| config.stores.get(name)) {
            Some(Store::KeyVault { .. }) => Self::Azure,
            Some(Store::SecretsManager { .. } | Store::Kms { .. }) => Self::Aws,
            _ if AZURE_HOSTS.iter().any(|suffix| upstream.ends_with(suffix)) => Self::Azure,
            _ => Self::Aws,
        }
    }
}

/// The effective configuration as JSON, and the policy files that it names, by their place in the state folder.
#[derive(Debug)]
pub struct Effective {
    /// What `DRAWBRIDGE_CONFIG` names.
    pub config: Value,
    /// Name below `policies/` and text.
    pub policies: Vec<(String, String)>,
}

/// Why a configuration cannot run on one machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRunnable {
    /// The edge has nobody to accept tokens of.
    #[error("`consumers` is missing: name the issuer whose tokens the edge accepts")]
    NoConsumers,
    /// There is nothing to run.
    #[error("`backends` is empty: add one")]
    NoBackends,
    /// Bridged tokens and consumers' would be the same.
    #[error(
        "backend `{0}` accepts the consumers' own tokens: give it an issuer of its own, whose tokens the bridge signs"
    )]
    NotBridged(String),
    /// The Functions host has the name.
    #[error(
        "backend `{0}`: behind the Azure gateway `/{0}` is where the functions are; give it another name"
    )]
    Prefix(String),
    /// Nothing of a bound token would ever be allowed.
    #[error(
        "the tokens of `{0}` are bound to a client certificate, and API Gateway tells no authorizer of this kind about one: name \
         another `local.aws.authorizer`, such as `http-2.0-simple`"
    )]
    Unseen(String),
}

/// Replaces the issuers' addresses, the stores and the upstreams. With `certificates` the gateways are under mutual TLS, and every
/// backend's tokens are bound to the edge's.
///
/// # Errors
/// [`NotRunnable`].
pub fn effective(
    config: &Config,
    addresses: &Addresses,
    keys: &Path,
    certificates: Option<&Certificates>,
) -> Result<Effective, NotRunnable> {
    // Named one by one, so that a new part of the configuration is not forgotten here.
    let Config { issuers, stores: _, backends, consumers, audit: _, local } = config;
    let consumers = consumers.as_ref().ok_or(NotRunnable::NoConsumers)?;
    if backends.is_empty() {
        return Err(NotRunnable::NoBackends);
    }
    let mut policies = Vec::new();
    let backends = backends
        .values()
        .map(|backend| {
            if backend.issuer == *consumers {
                return Err(NotRunnable::NotBridged(backend.name.to_string()));
            }
            if taken(config, backend) {
                return Err(NotRunnable::Prefix(backend.name.to_string()));
            }
            let gateway = match Cloud::of(config, backend) {
                Cloud::Aws if certificates.is_some() && !local.authorizer.sees_certificates() => {
                    return Err(NotRunnable::Unseen(backend.name.to_string()));
                }
                Cloud::Aws => addresses.aws,
                Cloud::Azure => addresses.azure,
            };
            let scheme = if certificates.is_some() { "https" } else { "http" };
            let upstream = format!("{scheme}://{gateway}/{}", backend.name);
            let mut json = backend_json(backend, &upstream, &mut policies);
            if let Some(certificates) = certificates {
                set(&mut json, "bound_to", json!(certificates.certificate(EDGE)));
            }
            Ok((backend.name.to_string(), json))
        })
        .collect::<Result<Map<_, _>, _>>()?;
    let issuers: Map<_, _> = issuers
        .iter()
        .map(|(name, issuer)| {
            let place = if name == consumers {
                Place::Idp(format!("http://{}", addresses.idp))
            } else if config.backends.values().any(|backend| backend.issuer == *name) {
                Place::Bridge(format!("http://{}/jwks/{{backend}}/{{kid}}", addresses.keys))
            } else {
                Place::Elsewhere
            };
            (name.clone(), issuer_json(issuer, place))
        })
        .collect();
    let config = json!({
        "issuers": issuers,
        "stores": { STORE: { "directory": keys } },
        "backends": backends,
        "consumers": consumers,
        "audit": { "ocsf": "stdout" },
        "local": local_json(local),
    });
    Ok(Effective { config, policies })
}

/// Whether the backend's name is the path of the functions beside it (`routePrefix` in `host.json`).
pub(crate) fn taken(config: &Config, backend: &Backend) -> bool {
    Cloud::of(config, backend) == Cloud::Azure && backend.name.as_str() == PREFIX
}

/// Where the keys of an issuer are on this machine.
enum Place {
    Idp(String),
    Bridge(String),
    Elsewhere,
}

fn issuer_json(issuer: &Issuer, place: Place) -> Value {
    let Issuer {
        issuer,
        audiences,
        keys,
        algorithms,
        types,
        max_lifetime,
        skew,
        max_token_bytes,
        key_limits,
        thumbprints,
        relax,
    } = issuer;
    let local = !matches!(place, Place::Elsewhere);
    let (issuer, keys) = match place {
        Place::Idp(url) => (url, json!("discovery")),
        Place::Bridge(jwks) => (issuer.clone(), json!({ "jwks": jwks })),
        Place::Elsewhere => (
            issuer.clone(),
            match keys {
                Keys::Discovery => json!("discovery"),
                Keys::Jwks(url) => json!({ "jwks": url }),
                Keys::Store(_) => json!({ "store": STORE }),
            },
        ),
    };
    let mut relax: Vec<_> = relax.iter().map(|relaxation| relaxation.name()).collect();
    if local && !relax.contains(&Relaxation::HttpOnLoopback.name()) {
        relax.push(Relaxation::HttpOnLoopback.name());
    }
    let mut json = json!({
        "issuer": issuer,
        "keys": keys,
        "algorithms": algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>(),
        "types": types.iter().map(|typ| typ.as_typ()).collect::<Vec<_>>(),
        "skew": seconds(*skew),
        "max_token_bytes": max_token_bytes,
        "key_cache": {
            "fresh": seconds(key_limits.fresh),
            "stale": seconds(key_limits.stale),
            "fetches_per_minute": key_limits.fetches_per_minute,
            "fetches_per_minute_and_source": key_limits.fetches_per_minute_and_source,
        },
    });
    // A list that says nothing is left out, as one that is empty is a mistake. Keys made here have none of the pinned thumbprints.
    let pinned = thumbprints.iter().filter(|_| !local).map(ToString::to_string).collect::<Vec<_>>();
    let lists = [("audience", audiences.clone()), ("thumbprints", pinned)];
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        set(&mut json, name, json!(list));
    }
    if !relax.is_empty() {
        set(&mut json, "relax", json!(relax));
    }
    if let Some(max_lifetime) = max_lifetime {
        set(&mut json, "max_lifetime", json!(seconds(*max_lifetime)));
    }
    json
}

fn backend_json(backend: &Backend, upstream: &str, policies: &mut Vec<(String, String)>) -> Value {
    let Backend {
        name,
        issuer,
        audience,
        store: _,
        upstream: _,
        path,
        lifetime,
        claims,
        routes,
        owners,
        policy,
        policies: _,
        context,
        encryption,
        content_encryption,
        bound_to: _,
    } = backend;
    let routes: Vec<_> = routes
        .iter()
        .zip(owners)
        .map(|(Route { template, methods, scopes, policy }, owner)| {
            let mut route = json!({ "path": template, "methods": methods, "scopes": scopes });
            if *policy {
                set(&mut route, "policy", json!(true));
            }
            if let Some(owner) = owner {
                set(&mut route, "owner", json!(owner));
            }
            route
        })
        .collect();
    let files: Vec<_> = policy
        .iter()
        .enumerate()
        .map(|(index, PolicyFile { text, .. })| {
            let file = format!("{name}-{index}.cedar");
            policies.push((file.clone(), text.clone()));
            format!("policies/{file}")
        })
        .collect();
    let mut json = json!({
        "issuer": issuer,
        "audience": audience,
        "store": STORE,
        "upstream": upstream,
        "path": path,
        "lifetime": seconds(*lifetime),
        "routes": routes,
        "context": context,
        "encryption": match encryption {
            Encryption::Refused => "refused",
            Encryption::Accepted => "accepted",
            Encryption::Required => "required",
        },
    });
    if *encryption != Encryption::Refused {
        set(&mut json, "content_encryption", json!(content_encryption.name()));
    }
    if !claims.is_empty() {
        set(&mut json, "claims", json!(claims));
    }
    if !files.is_empty() {
        set(&mut json, "policy", json!(files));
    }
    json
}

fn local_json(local: &Local) -> Value {
    let Local { authorizer, cache_ttl, identity_sources, identity_validation, azure } = local;
    let mut aws = json!({
        "authorizer": match authorizer {
            AwsAuthorizer::RestToken => "rest-token",
            AwsAuthorizer::RestRequest => "rest-request",
            AwsAuthorizer::Http10 => "http-1.0",
            AwsAuthorizer::Http20Iam => "http-2.0-iam",
            AwsAuthorizer::Http20Simple => "http-2.0-simple",
            AwsAuthorizer::WebSocket => "websocket",
        },
        "cache_ttl": seconds(*cache_ttl),
    });
    if !identity_sources.is_empty() {
        set(&mut aws, "identity_sources", json!(identity_sources));
    }
    if let Some(expression) = identity_validation {
        set(&mut aws, "identity_validation", json!(expression));
    }
    let mode = match azure {
        AzureMode::Forward => "forward",
        AzureMode::Proxy => "proxy",
        AzureMode::Invoke => "invoke",
    };
    json!({ "aws": aws, "azure": { "mode": mode } })
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs())
}

/// The name of the one store.
const STORE: &str = "local";

/// What stands in front of the functions of an app that says nothing else.
const PREFIX: &str = "api";

const AZURE_HOSTS: [&str; 2] = [".azurewebsites.net", ".azure-api.net"];
