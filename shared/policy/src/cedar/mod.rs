//! Cedar: roles and attributes decide, where scopes are not enough.
//!
//! A request to a route with `policy: true` becomes a Cedar request:
//!
//! | Cedar | what it is | attributes |
//! | --- | --- | --- |
//! | `principal` | `User::"<sub>"` | `sub`, `client_id`, `scope` (a set), and every claim that the configuration maps |
//! | `action` | `Action::"GET /customers/{customer}"` | – |
//! | `resource` | one entity type per route | the path parameters, as strings |
//! | `context` | | `method`, `source_ip` (an `ipaddr`), `time` (seconds since 1970) |
//!
//! A mapped claim has the type that the policies use it with: a set of strings where it is asked for `contains`, `containsAll`,
//! `containsAny` or `isEmpty`; a number where it is calculated with or compared by size; a boolean where it is a condition; a
//! string otherwise. Policies that disagree are a mistake at load. A claim that a token lacks is an
//! attribute that the principal lacks: reading it is an evaluation error, and *any* evaluation error denies the request. So does a
//! claim that a token has with another type, whatever the policies would make of it. Where a claim may be missing, a policy asks first: `principal has region && principal.region == resource.region`. When one policy
//! asks for a claim, all that read it must. The same holds for `context.source_ip`, which not every gateway knows.

mod check;
mod load;
mod plan;
mod uses;

use std::net::IpAddr;

use drawbridge_verify::{UnixTime, Verified};

use self::{
    load::Loaded,
    plan::{Plan, Unbuildable},
    uses::ClaimType,
};
use crate::{Denied, Match, Routes};

pub use self::load::PolicyMistake;

/// The Cedar policies of one backend, ready to decide. Forbid wins, nothing permitted is denied, an error is a deny.
#[derive(Debug)]
pub struct CedarPolicies {
    plans: Vec<Plan>,
}

/// What a decision looks at besides the request's own route.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The caller's verified claims.
    pub claims: &'a Verified<'a>,
    /// Who connected to the gateway.
    pub source_ip: Option<IpAddr>,
    /// When.
    pub now: UnixTime,
}

impl CedarPolicies {
    /// Parses policy files (name and text) for the routes with `policy: true`, and compares them with what a request can have.
    /// `claims` are the names of mapped claims. Takes milliseconds.
    ///
    /// # Errors
    /// Every mistake: in the syntax, policies of one id, and names and types that no request to these routes can have.
    pub fn new<'c>(
        routes: &Routes,
        claims: impl IntoIterator<Item = &'c str>,
        files: &[(&str, &str)],
    ) -> Result<Self, Vec<PolicyMistake>> {
        let claims: Vec<_> = claims.into_iter().collect();
        let loaded = load::load(files)?;
        let mistakes = check::check(routes, &claims, &loaded);
        if mistakes.is_empty() { Self::unchecked(routes, &claims, &loaded) } else { Err(mistakes) }
    }

    /// Of policies that may name what no request can have.
    fn unchecked(routes: &Routes, claims: &[&str], loaded: &Loaded<'_>) -> Result<Self, Vec<PolicyMistake>> {
        let impossible =
            |_| vec![PolicyMistake::of_files(loaded.files, "the policies cannot be made ready".to_owned())];
        Ok(Self { plans: Plan::all(routes, claims, loaded).map_err(impossible)? })
    }

    /// Whether the policies permit the request, and the ids of those that do, in order.
    ///
    /// # Errors
    /// `Policy` with the ids of the policies that forbid it, none where it is only not permitted; `PolicyError` with the ids
    /// of those that could not be evaluated; `ClaimType` for a claim that none of them is evaluated with.
    pub fn authorize(&self, found: &Match<'_, '_>, facts: &Facts<'_>) -> Result<Vec<String>, Denied> {
        let plan = self.plans.iter().find(|plan| plan.is_for(found));
        let Some(plan) = plan else { return Err(Denied::Policy { policies: Vec::new() }) };
        match plan.evaluate(found, facts) {
            // Cedar skips a policy that it cannot evaluate, be it the one that forbids: here it decides.
            Ok(found) if !found.errors.is_empty() => Err(Denied::PolicyError { policies: found.errors }),
            Ok(found) if !found.forbids.is_empty() => Err(Denied::Policy { policies: found.forbids }),
            Ok(found) if !found.permits.is_empty() => Ok(found.permits),
            Ok(_) => Err(Denied::Policy { policies: Vec::new() }),
            Err(Unbuildable::IllTyped(claim)) => Err(Denied::ClaimType { claim }),
            Err(Unbuildable::Impossible) => Err(Denied::PolicyError { policies: Vec::new() }),
        }
    }
}

/// The names that a token need not be mapped for.
const REGISTERED: [(&str, ClaimType); 3] =
    [("sub", ClaimType::Text), ("client_id", ClaimType::Text), ("scope", ClaimType::Texts)];

/// The names of the context.
const CONTEXT: [&str; 3] = ["method", "source_ip", "time"];

fn action_id(method: &str, template: &str) -> String {
    format!("{method} {template}")
}

fn resource_type(route: usize) -> String {
    format!("Route{route}")
}

#[cfg(test)]
mod tests;
