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
//! string otherwise. Policies that disagree are a mistake at load. A claim that a token lacks, or has with another type, is an
//! attribute that the principal lacks: reading it is an evaluation error, and *any* evaluation error denies the request. Where a
//! claim may be missing, a policy asks first: `principal has region && principal.region == resource.region`. When one policy
//! asks for a claim, all that read it must. The same holds for `context.source_ip`, which not every gateway knows.

mod check;
mod load;
mod uses;

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    str::FromStr,
};

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    PolicySet, Request, RestrictedExpression,
};
use drawbridge_verify::{UnixTime, Verified, json::Value};

use self::uses::{ClaimType, Reads};
use crate::{Denied, Match, Routes};

pub use self::load::PolicyMistake;

/// The Cedar policies of one backend, ready to decide. Forbid wins, nothing permitted is denied, an error is a deny.
#[derive(Debug)]
pub struct CedarPolicies {
    authorizer: Authorizer,
    user: EntityTypeName,
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

/// All that can be known of one action before a request comes.
#[derive(Debug)]
struct Plan {
    route: usize,
    method: &'static str,
    action: EntityUid,
    resource: EntityUid,
    /// The policies that this action is in the scope of; all others cannot be satisfied.
    policies: PolicySet,
    reads: Reads,
    /// The types of the claims that they read.
    claims: Vec<(String, ClaimType)>,
}

/// A failure to build what Cedar asks; every value that gets here was checked for what could fail.
struct Unbuildable;

impl CedarPolicies {
    /// Parses policy files (name and text) for the routes with `policy: true`. `claims` are the names of mapped claims.
    ///
    /// Does only what a request will need: [`check`](Self::check) is the one that compares them with the configuration.
    ///
    /// # Errors
    /// Every mistake in the syntax, and policies of one id.
    pub fn new<'c>(
        routes: &Routes,
        claims: impl IntoIterator<Item = &'c str>,
        files: &[(&str, &str)],
    ) -> Result<Self, Vec<PolicyMistake>> {
        let claims: Vec<_> = claims.into_iter().collect();
        let loaded = load::load(files)?;
        let impossible =
            |_| vec![PolicyMistake::of_files(files, "the policies cannot be made ready".to_owned())];
        Self::plan(routes, &claims, &loaded).map_err(impossible)
    }

    /// Every mistake in policy files: syntax, and names and types that no request to these routes can have.
    pub fn check<'c>(
        routes: &Routes,
        claims: impl IntoIterator<Item = &'c str>,
        files: &[(&str, &str)],
    ) -> Vec<PolicyMistake> {
        if files.is_empty() {
            return Vec::new();
        }
        let claims: Vec<_> = claims.into_iter().collect();
        match load::load(files) {
            Ok(loaded) => check::check(routes, &claims, &loaded),
            Err(mistakes) => mistakes,
        }
    }

    /// Whether the policies permit the request, and the ids of those that do, in order.
    ///
    /// # Errors
    /// `Policy` with the ids of the policies that forbid it, none where it is only not permitted; `PolicyError` with the ids
    /// of those that could not be evaluated.
    pub fn authorize(&self, found: &Match<'_, '_>, facts: &Facts<'_>) -> Result<Vec<String>, Denied> {
        let plan = self.plans.iter().find(|plan| plan.route == found.index && plan.method == found.method);
        let Some(plan) = plan else { return Err(Denied::Policy { policies: Vec::new() }) };
        let Ok((request, entities)) = self.request(plan, found, facts) else {
            return Err(Denied::PolicyError { policies: Vec::new() });
        };
        let response = self.authorizer.is_authorized(&request, &plan.policies, &entities);
        let diagnostics = response.diagnostics();
        // Cedar skips a policy that it cannot evaluate, be it the one that forbids: here it decides.
        let errors: Vec<_> = diagnostics
            .errors()
            .map(|AuthorizationError::PolicyEvaluationError(error)| error.policy_id().to_string())
            .collect();
        if !errors.is_empty() {
            return Err(Denied::PolicyError { policies: sorted(errors) });
        }
        let policies = sorted(diagnostics.reason().map(ToString::to_string).collect());
        match response.decision() {
            Decision::Allow => Ok(policies),
            Decision::Deny => Err(Denied::Policy { policies }),
        }
    }

    fn plan(routes: &Routes, claims: &[&str], loaded: &load::Loaded) -> Result<Self, Unbuildable> {
        let types = uses::types(&loaded.policies);
        let mut plans = Vec::new();
        for (index, route) in routes.iter().enumerate().filter(|(_, route)| route.policy) {
            for method in
                crate::METHODS.into_iter().filter(|method| route.methods.iter().any(|have| have == method))
            {
                let id = action_id(method, &route.template);
                let mut policies = PolicySet::new();
                let mut reads = Reads::default();
                for policy in loaded.policies.iter().filter(|policy| policy.is_for(&id)) {
                    policies.add(policy.cedar.clone()).map_err(|_| Unbuildable)?;
                    reads.add(&policy.reads);
                }
                let read = claims.iter().filter(|claim| reads.principal(claim));
                plans.push(Plan {
                    route: index,
                    method,
                    action: EntityUid::from_type_name_and_id(type_name("Action")?, EntityId::new(&id)),
                    resource: EntityUid::from_type_name_and_id(
                        type_name(&resource_type(index))?,
                        EntityId::new(""),
                    ),
                    claims: read.map(|claim| ((*claim).to_owned(), types.of(claim))).collect(),
                    policies,
                    reads,
                });
            }
        }
        Ok(Self { authorizer: Authorizer::new(), user: type_name("User")?, plans })
    }

    fn request(
        &self,
        plan: &Plan,
        found: &Match<'_, '_>,
        facts: &Facts<'_>,
    ) -> Result<(Request, Entities), Unbuildable> {
        let principal =
            EntityUid::from_type_name_and_id(self.user.clone(), EntityId::new(facts.claims.subject()));
        let attributes = principal_attributes(plan, facts.claims);
        let parameters = found.parameters.iter().filter(|(name, _)| plan.reads.resource(name));
        let parameters: HashMap<_, _> =
            parameters.map(|(name, value)| ((*name).to_owned(), text(value.as_ref()))).collect();
        let mut entities = Vec::with_capacity(2);
        for (uid, attributes) in [(&principal, attributes), (&plan.resource, parameters)] {
            if !attributes.is_empty() {
                entities.push(Entity::new(uid.clone(), attributes, HashSet::new()).map_err(|_| Unbuildable)?);
            }
        }
        let entities = Entities::from_entities(entities, None).map_err(|_| Unbuildable)?;
        let context = context(plan, found, facts)?;
        let (action, resource) = (plan.action.clone(), plan.resource.clone());
        let request = Request::new(principal, action, resource, context, None).map_err(|_| Unbuildable)?;
        Ok((request, entities))
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

fn type_name(name: &str) -> Result<EntityTypeName, Unbuildable> {
    EntityTypeName::from_str(name).map_err(|_| Unbuildable)
}

fn principal_attributes(plan: &Plan, claims: &Verified<'_>) -> HashMap<String, RestrictedExpression> {
    let mut attributes = HashMap::new();
    for (claim, kind) in &plan.claims {
        if let Some(value) = claims.claim(claim).and_then(|value| typed(value, *kind)) {
            attributes.insert(claim.clone(), value);
        }
    }
    if plan.reads.principal("sub") {
        attributes.insert("sub".to_owned(), text(claims.subject()));
    }
    if plan.reads.principal("scope") {
        attributes.insert("scope".to_owned(), RestrictedExpression::new_set(claims.scopes().map(text)));
    }
    if let Some(client) = claims.client_id().filter(|_| plan.reads.principal("client_id")) {
        attributes.insert("client_id".to_owned(), text(client));
    }
    attributes
}

fn context(plan: &Plan, found: &Match<'_, '_>, facts: &Facts<'_>) -> Result<Context, Unbuildable> {
    let mut context = Vec::new();
    if plan.reads.context("method") {
        context.push(("method".to_owned(), text(found.method)));
    }
    if plan.reads.context("time") {
        context.push(("time".to_owned(), RestrictedExpression::new_long(facts.now.as_secs())));
    }
    if let Some(ip) = facts.source_ip.filter(|_| plan.reads.context("source_ip")) {
        context.push(("source_ip".to_owned(), RestrictedExpression::new_ip(ip.to_canonical().to_string())));
    }
    if context.is_empty() {
        return Ok(Context::empty());
    }
    Context::from_pairs(context).map_err(|_| Unbuildable)
}

/// A claim's value as the type that the policies use it with; None when it has another.
fn typed(value: &Value<'_>, kind: ClaimType) -> Option<RestrictedExpression> {
    match (kind, value) {
        (ClaimType::Text, Value::String(value)) => Some(text(value)),
        (ClaimType::Long, Value::Integer(value)) => Some(RestrictedExpression::new_long(*value)),
        (ClaimType::Bool, Value::Bool(value)) => Some(RestrictedExpression::new_bool(*value)),
        (ClaimType::Texts, Value::Array(values)) => {
            let texts: Option<Vec<_>> = values.iter().map(|value| value.as_str().map(text)).collect();
            texts.map(RestrictedExpression::new_set)
        }
        _ => None,
    }
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort_unstable();
    ids
}

#[cfg(test)]
mod tests;
