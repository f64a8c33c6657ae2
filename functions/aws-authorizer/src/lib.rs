//! The gate of one backend as a Lambda authorizer of API Gateway.
//!
//! One function serves every kind: REST APIs (`TOKEN` and `REQUEST`), HTTP APIs (payload formats 1.0 and 2.0) and `$connect` of
//! WebSocket APIs. The event says which one it is. Credentials are the `Authorization` header, for `TOKEN` authorizers whatever
//! header is their token source; a WebSocket's connection is asked for as `GET /$connect`.
//!
//! | setting | |
//! | --- | --- |
//! | `DRAWBRIDGE_BACKEND` | required: the backend that the gate guards |
//! | `DRAWBRIDGE_CONFIG` | the configuration, or the file that holds it; default `drawbridge.yaml` |
//! | `DRAWBRIDGE_HTTP_RESPONSE` | `simple` (default) or `iam`: what an HTTP API with payload format 2.0 is answered with, as its authorizer's `enableSimpleResponses` says |
//!
//! # Caching
//!
//! API Gateway keeps an answer for the authorizer's TTL, under the values of its identity sources, and applies it to every route
//! that uses the authorizer. It knows nothing of `exp`.
//!
//! * Where one policy can be right for every configured route, it is the answer ([`stage_wide`]; `drawbridge check` says for which
//!   backends that is so, and why not for the others): whatever the request was, the policy allows the routes that the token has the
//!   scopes for and denies all else, so that API Gateway may remember it by token alone. It is made of the configuration and the
//!   stage; nothing in it comes from the request. A deny that is about the route alone is answered with it too, and with the
//!   same context, so that it is no deny of the next request. Where it does not fit into an answer, the next holds.
//! * Otherwise a policy allows one configured route, for all values of its parameters, and denies what the wildcards in it cover
//!   beyond. A cached one can refuse another route that would have been allowed, never allow one that would have been refused.
//!   For both to be right the route must be part of the key: `$context.routeKey` for HTTP APIs, `context.resourcePath` and
//!   `context.httpMethod` for REST APIs (`REQUEST` authorizers alone can have them).
//! * A simple answer holds for whatever has the same identity source values: the route must be part of the key.
//! * A route with `policy: true` is decided on its parameters, which cannot be part of a key: its TTL must be 0.
//! * A token that is bound to a client certificate (`cnf`) is allowed for that certificate alone, which is no part of a key: where
//!   tokens are bound, the TTL must be 0. The certificate is that of the custom domain's mutual TLS; `TOKEN` authorizers and
//!   WebSocket APIs are not shown it, so that they refuse every bound token.
//! * What the gate refuses a request for its headers (another method, who the caller is) it does not see of a request that a
//!   remembered answer serves, and a `TOKEN` authorizer never: the integration drops what it knows by exact name
//!   (`infra/aws`), and where a backend reads other spellings the TTL must be 0.
//! * Denies are cached as well, `Unauthorized` and failures are not. A request that is refused for its form (400: its path, a second
//!   token) is a deny of the whole stage: nothing was decided about its token.
//! * The TTL adds to the time that a revoked key or an expired token is still accepted: keep it well under the token's life.
//!
//! Paths are read as they stand in the event, where `%` begins an encoded byte.
#![forbid(unsafe_code)]

mod answer;
mod arn;
mod checked;
mod event;
mod policy;
mod settings;
mod text;
mod unread;

use std::{error::Error, future::pending, sync::Arc, time::Duration};

use drawbridge_config::{Backend, Config, Environment, Store};
use drawbridge_gate::{
    AuditEvent, AuditSink, Gate, Reason, Subject, gate_for_backend, open_audit, open_directory,
};
use drawbridge_keys::{Clock, HttpClient, KeyStore, StoreError, SystemClock};
use drawbridge_verify::{Relaxation, UnixTime};
use lambda_runtime::{LambdaEvent, Runtime, layers::TracingLayer, service_fn, tower::util::MapRequestLayer};
use serde::de::IgnoredAny;

use crate::{
    answer::Answers,
    checked::Checked,
    event::Event,
    policy::{Kept, StageWide},
    settings::Settings,
    unread::Unread,
};
pub use crate::{
    answer::{Answer, Refusal},
    policy::{PerRoute, stage_wide},
};

/// Runs the function until Lambda ends the process.
///
/// # Errors
/// What to do, a line for each mistake: a setting that is missing or wrong, a configuration with mistakes. Of policies that fit no
/// request this is known only after the first poll; no event is answered before it is.
pub async fn run(environment: &dyn Environment) -> Result<(), Box<dyn Error + Send + Sync>> {
    let authorizer = &Authorizer::from_environment(environment)?;
    let unread = &Unread::default();
    let answer = |event: LambdaEvent<IgnoredAny>| async move {
        let invocation = &event.context.request_id;
        let event = unread.take(invocation).ok_or(Refusal::Failure)?;
        authorizer.answer(&event, invocation, SystemClock.now()).await
    };
    let served = Runtime::new(service_fn(answer))
        .layer(MapRequestLayer::new(|invocation| unread.keep(invocation)))
        .layer(TracingLayer::new())
        .run();
    let unfit = async {
        match authorizer.checked.hold().await {
            Ok(()) => pending().await,
            Err(unfit) => unfit,
        }
    };
    tokio::select! {
        served = served => served,
        unfit = unfit => Err(unfit.into()),
    }
}

/// The authorizer of one backend: from a native event to what API Gateway takes for an answer.
pub struct Authorizer {
    gate: Gate,
    checked: Checked,
    backend: Backend,
    answers: Answers,
    audit: Arc<dyn AuditSink>,
}

impl Authorizer {
    /// As the settings and the configuration say.
    ///
    /// # Errors
    /// As [`run`].
    pub fn from_environment(environment: &dyn Environment) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let settings = Settings::read(environment)?;
        let (config, policies) = drawbridge_config::load_leaving_policies(environment)?;
        let authorizer = Self::build(settings, config)?;
        Ok(Self { checked: Checked::begin(policies)?, ..authorizer })
    }

    /// Of a configuration whose policies were checked.
    fn build(settings: Settings, mut config: Config) -> Result<Self, Box<dyn Error + Send + Sync>> {
        // Lambda sends each line of stdout to the function's log.
        let audit = open_audit(&config.audit)?;
        let http = HttpClient::new(KEY_FETCH, http_on_loopback(&config, &settings))?;
        let gate = gate_for_backend(&config, &settings.backend, &http, &open, Arc::clone(&audit))?;
        let name = settings.backend;
        let backend =
            config.backends.remove(&name).ok_or_else(|| format!("no backend is called `{name}`"))?;
        let stage_wide = StageWide::new(&backend.routes).ok();
        let answers = Answers {
            stage_wide,
            told: backend.context.clone(),
            http_response: settings.http_response,
            kept: Kept::default(),
        };
        Ok(Self { gate, checked: Checked::already(), backend, answers, audit })
    }

    /// The answer to one event. `invocation` is Lambda's id of it.
    ///
    /// # Errors
    /// [`Refusal`], which API Gateway is answered as an error.
    pub async fn answer(&self, event: &[u8], invocation: &str, now: UnixTime) -> Result<Answer, Refusal> {
        let Some(event) = str::from_utf8(event).ok().and_then(|event| Event::parse(event).ok()) else {
            return Err(self.failure(Reason::RequestMalformed, invocation, now));
        };
        if self.checked.hold().await.is_err() {
            return Err(self.failure(Reason::Internal, invocation, now));
        }
        let request = event.request(invocation);
        let (decision, standing) = match self.answers.stage_wide {
            Some(_) => self.gate.decide_and_stand(&request, now).await,
            None => (self.gate.decide(&request, now).await, None),
        };
        self.answers.answer(&event, decision, standing, &self.backend.routes)
    }

    /// Records what is no decision of the gate.
    fn failure(&self, reason: Reason, invocation: &str, now: UnixTime) -> Refusal {
        let event = AuditEvent::new(now, Subject::Gate, self.backend.name.as_str(), invocation, reason);
        // A failure comes of it in any case; without the line it is only less well explained.
        let _ = self.audit.record(&event);
        Refusal::Failure
    }
}

/// The stores that this build knows: those of this cloud, and a directory.
fn open(store: &Store) -> Result<Arc<dyn KeyStore>, StoreError> {
    match store {
        Store::SecretsManager { .. } | Store::Kms { .. } => drawbridge_aws::open(store),
        _ => open_directory(store),
    }
}

/// Whether the backend's issuer may be asked for keys over plain HTTP on this machine.
fn http_on_loopback(config: &Config, settings: &Settings) -> bool {
    let issuer =
        config.backends.get(&settings.backend).and_then(|backend| config.issuers.get(&backend.issuer));
    issuer.is_some_and(|issuer| issuer.relax.contains(&Relaxation::HttpOnLoopback))
}

/// API Gateway waits 10 s for an HTTP API's authorizer: a slow key endpoint must be an answer long before.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const KEY_FETCH: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
