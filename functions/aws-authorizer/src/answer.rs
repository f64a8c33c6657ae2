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

use drawbridge_gate::{Decision, Deny, Standing};
use drawbridge_policy::Routes;
use lambda_runtime::Diagnostic;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use thiserror::Error;

use crate::{
    event::{Event, Kind},
    policy::{Kept, Policy, StageWide, may_allow},
    settings::HttpResponse,
};

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
        decision: &Decision,
        standing: Option<&Standing>,
        routes: &Routes,
    ) -> Result<Box<RawValue>, Refusal> {
        let simple = event.kind == Kind::Http20 && self.http_response == HttpResponse::Simple;
        if !simple && let Some(answer) = self.for_the_stage(event, decision, standing, routes) {
            return Ok(answer);
        }
        match decision {
            Decision::Allow(allow) if simple => {
                let context = Told { principal: &allow.principal, context: &allow.context };
                rendered(&Simple { is_authorized: true, context })
            }
            Decision::Allow(allow) => {
                let arn = event.arn().map_err(|_| Refusal::Failure)?;
                let policy = self.kept.allow(&arn, routes, event.method(), &allow.route);
                rendered(&WithPolicy {
                    principal_id: &allow.principal,
                    policy_document: &*policy.ok_or(Refusal::Failure)?,
                    context: Told { principal: &allow.principal, context: &allow.context },
                })
            }
            Decision::Deny(deny) => match deny.reason.status() {
                401 => Err(Refusal::Unauthorized),
                400 | 403 if simple => rendered(&Simple { is_authorized: false, context: Refused(deny) }),
                400 | 403 => {
                    let arn = event.arn().map_err(|_| Refusal::Failure)?;
                    let principal_id = deny.principal.as_deref().unwrap_or(NOBODY);
                    rendered(&WithPolicy {
                        principal_id,
                        policy_document: Policy::deny(&arn),
                        context: Refused(deny),
                    })
                }
                _ => Err(Refusal::Failure),
            },
        }
    }

    /// The answer that is right for every route, if there is one: it allows something, and not what was denied.
    fn for_the_stage(
        &self,
        event: &Event<'_>,
        decision: &Decision,
        standing: Option<&Standing>,
        routes: &Routes,
    ) -> Option<Box<RawValue>> {
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
        let policy = self.kept.for_the_stage(stage_wide, &arn, &standing.routes)?;
        let context = Told { principal: &standing.principal, context: &standing.context };
        rendered(&WithPolicy { principal_id: &standing.principal, policy_document: &*policy, context }).ok()
    }
}

/// What the backend is told. All values are strings: REST and WebSocket APIs take no objects or lists, and hand on numbers and
/// booleans as strings.
struct Told<'a> {
    principal: &'a str,
    context: &'a [(String, String)],
}

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let claims = self.context.iter().map(|(claim, value)| (claim.as_str(), value.as_str()));
        serializer.collect_map(claims.chain([(PRINCIPAL, self.principal)]))
    }
}

/// What the access log may show of a deny. API Gateway does not pass it on to the client.
struct Refused<'a>(&'a Deny);

impl Serialize for Refused<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let error = self.0.reason.error_code().map(|code| ("error", code));
        serializer.collect_map([("request_id", self.0.request_id.as_str())].into_iter().chain(error))
    }
}

/// Claims that cannot be named in `context`, because API Gateway or this function gives them another meaning.
pub(crate) const RESERVED: [&str; 3] = ["claims", "principalId", PRINCIPAL];

/// The key under which the verified `sub` always is.
const PRINCIPAL: &str = "principal";

/// A policy needs a principal, also where nobody is known.
const NOBODY: &str = "unknown";

/// What API Gateway takes from an authorizer of a WebSocket API; kept for all.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>
const MAX_ANSWER: usize = 8 * 1024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Simple<C> {
    is_authorized: bool,
    context: C,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WithPolicy<'a, P, C> {
    principal_id: &'a str,
    policy_document: P,
    context: C,
}

fn rendered(answer: &impl Serialize) -> Result<Box<RawValue>, Refusal> {
    to_raw_value(answer).ok().filter(|answer| answer.get().len() <= MAX_ANSWER).ok_or(Refusal::Failure)
}
