//! What API Gateway may remember of each backend's authorizer.

use std::fmt;

use drawbridge_aws_authorizer::{PerRoute, stage_wide};
use drawbridge_config::{AwsAuthorizer, Backend, Config, Local};
use serde_json::{Value, json};

use crate::{
    commands::listed,
    up::{Cloud, taken},
};

/// Whether one policy of a backend's authorizer is right for all its routes, or else why not.
pub(super) struct Caching<'c> {
    backend: &'c Backend,
    per_route: Option<PerRoute>,
}

impl<'c> Caching<'c> {
    pub(super) fn of(backend: &'c Backend) -> Self {
        Self { backend, per_route: stage_wide(&backend.routes).err() }
    }

    pub(super) fn json(&self) -> (String, Value) {
        let caching = json!({ "authorizer_policy": self.policy(), "because": self.because() });
        (self.backend.name.to_string(), caching)
    }

    fn policy(&self) -> &'static str {
        if self.per_route.is_none() { "stage-wide" } else { "per route" }
    }

    fn because(&self) -> String {
        match &self.per_route {
            None if self.bound() => {
                format!("one policy is right for every route, but {BOUND}; the cache TTL must be 0")
            }
            Some(why) if self.bound() => format!("{why}, and {BOUND}; the cache TTL must be 0"),
            None => {
                "one policy is right for every route, so API Gateway may cache it by token alone".to_owned()
            }
            Some(why @ PerRoute::Object(_)) => format!("{why}; the cache TTL must be 0"),
            Some(why) => {
                format!("{why}; the route must be part of the cache key, or the cache TTL be 0")
            }
        }
    }

    /// Whether it matters who sends a token, which no cache key says.
    fn bound(&self) -> bool {
        self.backend.bound_to.is_some()
    }

    /// What `up` refuses.
    fn taken(&self, config: &Config) -> Option<String> {
        let name = &self.backend.name;
        taken(config, self.backend).then(|| {
            format!("backends.{name}: `drawbridge up` has the functions of Azure below `/{name}`; give it another name")
        })
    }

    /// What the local gateway would never allow, because its authorizers are not told of certificates.
    fn unseen(&self, config: &Config) -> Option<String> {
        let behind = Cloud::of(config, self.backend) == Cloud::Aws;
        (behind && self.bound() && !config.local.authorizer.sees_certificates()).then(|| {
            format!(
                "local.aws.authorizer: the tokens of `{}` are bound to a client certificate, which API Gateway tells no authorizer of \
                 this kind; write another, such as `http-2.0-simple`",
                self.backend.name
            )
        })
    }

    /// What the local gateway would remember wrongly, where it is told to.
    fn warning(&self, config: &Config) -> Option<String> {
        let local = &config.local;
        if Cloud::of(config, self.backend) != Cloud::Aws {
            return None;
        }
        let name = &self.backend.name;
        let missing = unkeyed(local);
        let wrong = match (local.authorizer, &self.per_route) {
            _ if local.cache_ttl.is_zero() => return None,
            (AwsAuthorizer::WebSocket, _) => return None,
            _ if self.bound() => format!(
                "the tokens of `{name}` are bound to a client certificate, and an answer that is remembered for one is given to \
                 whoever sends the token, with another certificate or none; write `0s`"
            ),
            (_, Some(PerRoute::Object(_))) => {
                format!("the decisions of `{name}` depend on the object; write `0s`")
            }
            (AwsAuthorizer::Http20Simple, _) if !missing.is_empty() => format!(
                "a simple answer for one request to `{name}` is remembered for {}; write `0s`, or add {} to `identity_sources`",
                if missing == [PATH] {
                    "every path of its route, also for one that the gate refuses"
                } else {
                    "every other"
                },
                listed(missing),
            ),
            (AwsAuthorizer::Http20Simple, _) | (_, None) => return None,
            (AwsAuthorizer::RestToken, Some(_)) => {
                format!("an answer for one route of `{name}` is remembered for every other; write `0s`")
            }
            (_, Some(_)) if missing.is_empty() => return None,
            (_, Some(_)) => format!(
                "an answer for one route of `{name}` is remembered for others; write `0s`, or add {} to `identity_sources`",
                listed(missing),
            ),
        };
        Some(format!("local.aws.cache_ttl: {wrong}"))
    }
}

impl fmt::Display for Caching<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: authorizer policy {}: {}", self.backend.name, self.policy(), self.because())
    }
}

/// What each backend's authorizer may be remembered for, and what the local gateway is told to remember all the same.
pub(super) fn caching(config: &Config) -> (Vec<Caching<'_>>, Vec<String>) {
    let backends: Vec<_> = config.backends.values().map(Caching::of).collect();
    let warnings = backends
        .iter()
        .flat_map(|caching| [caching.taken(config), caching.unseen(config), caching.warning(config)])
        .flatten()
        .collect();
    (backends, warnings)
}

/// What the cache key lacks for an answer to be remembered only for what it is about.
///
/// A policy is about a route, in whatever words the key has it. A simple answer is about the request: of one route the gate refuses
/// paths that another reader may take for others, so the path itself has to be in the key as well.
fn unkeyed(local: &Local) -> Vec<&'static str> {
    let has = |name: &str| local.identity_sources.iter().any(|source| source.trim_start_matches('$') == name);
    let (method, path) = (has("context.httpMethod"), has("context.path"));
    let missing = match local.authorizer {
        AwsAuthorizer::RestToken | AwsAuthorizer::WebSocket => Vec::new(),
        AwsAuthorizer::RestRequest => vec![
            (!method).then_some("context.httpMethod"),
            (!path && !has("context.resourcePath")).then_some("context.resourcePath"),
        ],
        AwsAuthorizer::Http20Simple => {
            vec![(!method && !has("context.routeKey")).then_some(ROUTE_KEY), (!path).then_some(PATH)]
        }
        AwsAuthorizer::Http10 | AwsAuthorizer::Http20Iam => {
            let route = has("context.routeKey") || method && path;
            vec![(!route).then_some(ROUTE_KEY)]
        }
    };
    missing.into_iter().flatten().collect()
}

const ROUTE_KEY: &str = "$context.routeKey";
const PATH: &str = "$context.path";

const BOUND: &str = "its tokens are bound to a client certificate, which a cached answer does not look at";
