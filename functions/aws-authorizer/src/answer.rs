//! A decision as API Gateway takes it.
//!
//! | decision | answer | the client sees |
//! | --- | --- | --- |
//! | allow | an allow policy, or `isAuthorized: true`, with the context | the backend's answer |
//! | deny of status 401 | the error `Unauthorized` | 401 |
//! | deny of status 400 or 403 | a deny policy, or `isAuthorized: false` | 403 |
//! | anything else | the error `Authorizer failure` | 500 |
//!
//! Where one policy can be right for all routes, it is the answer to an allow and to a deny that is about the route alone, so that
//! neither is wrong for the next request that it is applied to.
//!
//! The message of an error is what API Gateway goes by: exactly `Unauthorized` is a 401, everything else a 500.

use std::{
    io::{self, Write},
    sync::Arc,
};

use drawbridge_gate::{Decision, Deny, Standing};
use drawbridge_policy::Routes;
use lambda_runtime::Diagnostic;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{
    event::{Event, Kind},
    policy::{Kept, Policy, StageWide, may_allow},
    settings::HttpResponse,
};

/// What API Gateway is answered. It is written once, by the runtime.
#[derive(Debug)]
pub struct Answer(Form);

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Form {
    Simple {
        #[serde(rename = "isAuthorized")]
        is_authorized: bool,
        context: Context,
    },
    WithPolicy {
        #[serde(rename = "principalId")]
        principal_id: String,
        #[serde(rename = "policyDocument")]
        policy_document: Arc<RawValue>,
        context: Context,
    },
}

/// What goes with it. All values are strings: REST and WebSocket APIs take no objects or lists, and hand on numbers and booleans
/// as strings.
#[derive(Debug)]
enum Context {
    /// What the backend is told.
    Told { principal: String, claims: Vec<(String, String)> },
    /// What the access log may show of a deny. API Gateway does not pass it on to the client.
    Refused { request_id: String, error: Option<&'static str> },
}

/// The answers that are errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The caller has not shown who it is.
    #[error("Unauthorized")]
    Unauthorized,
    /// There is no decision: the event is none, the key source is down, the answer too large.
    #[error("Authorizer failure")]
    Failure,
}

impl From<Refusal> for Diagnostic {
    fn from(refusal: Refusal) -> Self {
        let error_message = refusal.to_string();
        Self { error_type: format!("{refusal:?}"), error_message }
    }
}

/// What answers are made for: the routes of a backend, and what one policy can say of them.
pub(crate) struct Answers {
    /// None where an answer is right for one route only.
    pub(crate) stage_wide: Option<StageWide>,
    /// The claims that the backend is told.
    pub(crate) told: Vec<String>,
    pub(crate) http_response: HttpResponse,
    pub(crate) kept: Kept,
}

impl Answers {
    /// The answer to an event, at most [`MAX_ANSWER`] bytes. `standing` is that of the caller, where it is known.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(crate) fn answer(
        &self,
        event: &Event<'_>,
        decision: Decision,
        standing: Option<Standing>,
        routes: &Routes,
    ) -> Result<Answer, Refusal> {
        let simple = event.kind == Kind::Http20 && self.http_response == HttpResponse::Simple;
        if !simple && let Some(answer) = self.for_the_stage(event, &decision, standing, routes) {
            return Ok(answer);
        }
        let answer = match decision {
            Decision::Allow(allow) if simple => {
                Form::Simple { is_authorized: true, context: self.told(allow.principal, allow.context) }
            }
            Decision::Allow(allow) => {
                let arn = event.arn().map_err(|_| Refusal::Failure)?;
                let policy = self.kept.allow(&arn, routes, event.method(), &allow.route);
                Form::WithPolicy {
                    principal_id: allow.principal.clone(),
                    policy_document: policy.ok_or(Refusal::Failure)?,
                    context: self.told(allow.principal, allow.context),
                }
            }
            Decision::Deny(deny) => match deny.reason.status() {
                401 => return Err(Refusal::Unauthorized),
                400 | 403 if simple => Form::Simple { is_authorized: false, context: Context::refused(deny) },
                400 | 403 => {
                    let arn = event.arn().map_err(|_| Refusal::Failure)?;
                    Form::WithPolicy {
                        principal_id: deny.principal.clone().unwrap_or_else(|| NOBODY.to_owned()),
                        policy_document: Policy::deny(&arn).text().ok_or(Refusal::Failure)?,
                        context: Context::refused(deny),
                    }
                }
                _ => return Err(Refusal::Failure),
            },
        };
        Answer::new(answer).ok_or(Refusal::Failure)
    }

    /// The answer that is right for every route, if there is one: it allows something, and not what was denied.
    fn for_the_stage(
        &self,
        event: &Event<'_>,
        decision: &Decision,
        standing: Option<Standing>,
        routes: &Routes,
    ) -> Option<Answer> {
        let (stage_wide, standing) = (self.stage_wide.as_ref()?, standing?);
        let arn = event.arn().ok()?;
        // The gate decides on the event's path, API Gateway on the ARN's: under a base path they are not the same.
        let settled = match decision {
            Decision::Allow(_) => true,
            Decision::Deny(deny) => deny.reason.status() == 403 && !may_allow(&arn, routes, &standing.routes),
        };
        if !settled || standing.routes.is_empty() {
            return None;
        }
        Answer::new(Form::WithPolicy {
            principal_id: standing.principal.clone(),
            policy_document: self.kept.for_the_stage(stage_wide, &arn, &standing.routes)?,
            context: self.told(standing.principal, standing.context),
        })
    }

    /// With every claim that the backend is told, though it be of nothing: a header that is mapped from what is not there might stay
    /// as the client wrote it.
    fn told(&self, principal: String, mut claims: Vec<(String, String)>) -> Context {
        for claim in &self.told {
            if !claims.iter().any(|(have, _)| have == claim) {
                claims.push((claim.clone(), String::new()));
            }
        }
        Context::Told { principal, claims }
    }
}

impl Answer {
    /// None where it would be longer than [`MAX_ANSWER`].
    fn new(form: Form) -> Option<Self> {
        (form.bytes_at_most() <= MAX_ANSWER || form.bytes()? <= MAX_ANSWER).then_some(Self(form))
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Form {
    /// Without writing it: nearly every answer is known to fit by this.
    fn bytes_at_most(&self) -> usize {
        // As much as a byte may become in JSON, `\u0000`, and more than the names of members are long.
        let written = |text: &str| 6 * text.len() + 32;
        let context = |context: &Context| match context {
            Context::Told { principal, claims } => {
                let claims = claims.iter().map(|(claim, value)| written(claim) + written(value));
                written(principal) + claims.sum::<usize>()
            }
            Context::Refused { request_id, .. } => written(request_id) + 64,
        };
        match self {
            Self::Simple { context: told, .. } => 64 + context(told),
            Self::WithPolicy { principal_id, policy_document, context: told } => {
                64 + written(principal_id) + policy_document.get().len() + context(told)
            }
        }
    }

    /// By writing it to nowhere.
    fn bytes(&self) -> Option<usize> {
        struct Count(usize);

        impl Write for Count {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 += bytes.len();
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let mut count = Count(0);
        serde_json::to_writer(&mut count, self).ok()?;
        Some(count.0)
    }
}

impl Context {
    fn refused(deny: Deny) -> Self {
        Self::Refused { error: deny.reason.error_code(), request_id: deny.request_id }
    }
}

impl Serialize for Context {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Told { principal, claims } => {
                let claims = claims.iter().map(|(claim, value)| (claim.as_str(), value.as_str()));
                serializer.collect_map(claims.chain([(PRINCIPAL, principal.as_str())]))
            }
            Self::Refused { request_id, error } => {
                let error = error.map(|code| ("error", code));
                serializer.collect_map([("request_id", request_id.as_str())].into_iter().chain(error))
            }
        }
    }
}

/// The key under which the verified `sub` always is.
const PRINCIPAL: &str = "principal";

/// A policy needs a principal, also where nobody is known.
const NOBODY: &str = "unknown";

/// What API Gateway takes from an authorizer of a WebSocket API; kept for all.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>
const MAX_ANSWER: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::to_raw_value;

    use super::*;

    proptest! {
        #[test]
        fn what_is_known_to_fit_without_writing_it_fits(
            principal in any::<String>(),
            claims in prop::collection::vec(("[a-z_]{1,8}", "[\\x00-\\x7f]{0,300}"), 0..8),
            error in any::<bool>(),
        ) {
            let policy: Arc<RawValue> = Arc::from(to_raw_value(&[&principal]).unwrap());
            let told = || Context::Told { principal: principal.clone(), claims: claims.clone() };
            let refused = Context::Refused { request_id: principal.clone(), error: error.then_some("access_denied") };
            for form in [
                Form::Simple { is_authorized: true, context: told() },
                Form::Simple { is_authorized: false, context: refused },
                Form::WithPolicy { principal_id: principal.clone(), policy_document: policy, context: told() },
            ] {
                let written = serde_json::to_vec(&form).unwrap().len();
                prop_assert_eq!(form.bytes(), Some(written));
                prop_assert!(form.bytes_at_most() >= written);
                prop_assert_eq!(Answer::new(form).is_some(), written <= MAX_ANSWER);
            }
        }
    }
}
