//! A decision as API Gateway takes it.
//!
//! | decision | answer | the client sees |
//! | --- | --- | --- |
//! | allow | an allow policy, or `isAuthorized: true`, with the context | the backend's answer |
//! | deny of status 401 | the error `Unauthorized` | 401 |
//! | deny of status 400 or 403 | a deny policy, or `isAuthorized: false` | 403 |
//! | anything else | the error `Authorizer failure` | 500 |
//!
//! The message of an error is what API Gateway goes by: exactly `Unauthorized` is a 401, everything else a 500.

use std::collections::BTreeMap;

use drawbridge_gate::{Allow, Decision, Deny};
use drawbridge_policy::Routes;
use lambda_runtime::Diagnostic;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use thiserror::Error;

use crate::{
    event::{Event, Kind},
    policy::Policy,
    settings::HttpResponse,
};

/// The answers that are errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
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

/// The answer to an event, at most [`MAX_ANSWER`] bytes.
///
/// # Errors
/// [`Refusal`].
pub(crate) fn answer(
    event: &Event<'_>,
    decision: &Decision,
    routes: &Routes,
    http_response: HttpResponse,
) -> Result<Box<RawValue>, Refusal> {
    let simple = event.kind == Kind::Http20 && http_response == HttpResponse::Simple;
    match decision {
        Decision::Allow(allow) if simple => rendered(&Simple { is_authorized: true, context: told(allow) }),
        Decision::Allow(allow) => {
            let arn = event.arn().map_err(|_| Refusal::Failure)?;
            let policy = Policy::allow(&arn, routes, event.method(), &allow.route).ok_or(Refusal::Failure)?;
            rendered(&WithPolicy {
                principal_id: &allow.principal,
                policy_document: policy,
                context: told(allow),
            })
        }
        Decision::Deny(deny) => match deny.reason.status() {
            401 => Err(Refusal::Unauthorized),
            400 | 403 if simple => rendered(&Simple { is_authorized: false, context: refused(deny) }),
            400 | 403 => {
                let arn = event.arn().map_err(|_| Refusal::Failure)?;
                let principal_id = deny.principal.as_deref().unwrap_or(NOBODY);
                rendered(&WithPolicy {
                    principal_id,
                    policy_document: Policy::deny(&arn),
                    context: refused(deny),
                })
            }
            _ => Err(Refusal::Failure),
        },
    }
}

/// What the backend is told. All values are strings: REST and WebSocket APIs take no objects or lists, and hand on numbers and
/// booleans as strings.
fn told(allow: &Allow) -> BTreeMap<&str, &str> {
    let claims = allow.context.iter().map(|(claim, value)| (claim.as_str(), value.as_str()));
    claims.chain([(PRINCIPAL, allow.principal.as_str())]).collect()
}

/// What the access log may show of a deny. API Gateway does not pass it on to the client.
fn refused(deny: &Deny) -> BTreeMap<&str, &str> {
    let error = deny.reason.error_code().map(|code| ("error", code));
    [("request_id", deny.request_id.as_str())].into_iter().chain(error).collect()
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
struct Simple<'a> {
    is_authorized: bool,
    context: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WithPolicy<'a> {
    principal_id: &'a str,
    policy_document: Policy,
    context: BTreeMap<&'a str, &'a str>,
}

fn rendered(answer: &impl Serialize) -> Result<Box<RawValue>, Refusal> {
    to_raw_value(answer).ok().filter(|answer| answer.get().len() <= MAX_ANSWER).ok_or(Refusal::Failure)
}
