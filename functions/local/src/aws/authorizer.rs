//! A Lambda authorizer: whether a request goes on, and what its integration may be told.
//!
//! 1. every identity source has a value, and a token matches its validation expression, or it is a 401 without a call;
//! 2. a remembered answer is taken, or the function invoked and its answer remembered;
//! 3. the answer is evaluated for this request.
//!
//! An error with the message `Unauthorized` is a 401; any other, a time-out or a crash is a 500.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use bytes::Bytes;
use drawbridge_config::{AwsAuthorizer, Local};
use regex::Regex;

use super::{
    cache::Cache,
    call::Call,
    event,
    function::{Function, InvokeError},
    gateway_response::GatewayResponse,
    identity::Source,
    policy::Evaluation,
    verdict::Verdict,
};

/// One authorizer and its function.
pub(crate) struct Authorizer {
    kind: AwsAuthorizer,
    sources: Vec<Source>,
    validation: Option<Regex>,
    cache: Cache<Verdict>,
    function: Function,
}

/// An answer that was evaluated, and allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowed(Arc<Verdict>);

impl Allowed {
    /// `$context.authorizer.<key>`.
    pub(crate) fn context(&self) -> &BTreeMap<String, String> {
        self.0.context()
    }
}

impl Authorizer {
    /// # Errors
    /// An identity source or expression that the local gateway cannot have.
    pub(crate) fn new(settings: &Local, function: Function) -> Result<Self, String> {
        let Local { authorizer, cache_ttl, identity_sources, identity_validation, .. } = settings;
        let sources =
            identity_sources.iter().map(|source| Source::parse(source)).collect::<Result<Vec<_>, _>>()?;
        if *authorizer == AwsAuthorizer::RestToken && !matches!(sources.as_slice(), [Source::Header(_)]) {
            return Err("local.aws.identity_sources: a token authorizer has exactly one, a header".to_owned());
        }
        let validation = identity_validation.as_deref().map(|expression| {
            // The whole token must match.
            Regex::new(&format!("^(?:{expression})$"))
                .map_err(|error| format!("local.aws.identity_validation: {error}"))
        });
        Ok(Self {
            kind: *authorizer,
            sources,
            validation: validation.transpose()?,
            cache: Cache::new(*cache_ttl),
            function,
        })
    }

    /// Decides about one request.
    ///
    /// # Errors
    /// What to answer instead.
    pub(crate) async fn authorize(&self, call: &Call) -> Result<Allowed, GatewayResponse> {
        let identities = self.identities(call).ok_or(GatewayResponse::Unauthorized)?;
        let verdict = match self.cache.find(&identities, Instant::now()) {
            Some(verdict) => verdict,
            None => {
                let verdict = Arc::new(self.ask(call, &identities).await?);
                self.cache.remember(&identities, &verdict, Instant::now());
                verdict
            }
        };
        match verdict.evaluate(&call.arn()) {
            Evaluation::Allowed => Ok(Allowed(verdict)),
            Evaluation::ExplicitlyDenied => Err(GatewayResponse::AccessDenied { explicit: true }),
            Evaluation::Denied => Err(GatewayResponse::AccessDenied { explicit: false }),
        }
    }

    /// The values of all identity sources, which are also the key of the result; None when one is missing or does not match.
    fn identities(&self, call: &Call) -> Option<Vec<String>> {
        let identities: Vec<_> =
            self.sources.iter().map(|source| source.value(call)).collect::<Option<_>>()?;
        match &self.validation {
            Some(validation) if !identities.iter().all(|token| validation.is_match(token)) => None,
            _ => Some(identities),
        }
    }

    async fn ask(&self, call: &Call, identities: &[String]) -> Result<Verdict, GatewayResponse> {
        let event = event::authorizer(self.kind, call, identities).to_string();
        match self.function.invoke(Bytes::from(event)).await {
            Ok(answer) => {
                Verdict::parse(self.kind, &answer).map_err(|_| GatewayResponse::AuthorizerConfigurationError)
            }
            Err(InvokeError::Function { message }) if message == "Unauthorized" => {
                Err(GatewayResponse::Unauthorized)
            }
            Err(_) => Err(GatewayResponse::AuthorizerFailure),
        }
    }
}

#[cfg(test)]
mod tests;
