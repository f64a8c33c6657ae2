//! What can be known of an action before a request comes, and the evaluation of its policies when one does.
//!
//! The evaluator is Cedar's own. What stands around it in `cedar-policy` is left out because it is done anew for each request and
//! costs more than the evaluation: building each policy's condition, evaluating attributes that are values already, and the
//! transitive closure of a hierarchy in which nobody has a parent. Requests are not compared with a schema either: the policies
//! were, when they were checked, and [`typed`] gives an attribute the type that it has there or leaves it out.

use std::{collections::HashSet, str::FromStr};

use cedar_policy::RestrictedExpression;
use cedar_policy_core::{
    ast::{
        Context, Effect, Eid, Entity, EntityType, EntityUID, EntityUIDEntry, Expr, Literal, PartialValue,
        Request, RestrictedExpr, SlotEnv, Value, ValueKind,
    },
    entities::{Entities, NoEntitiesSchema, TCComputation},
    evaluator::Evaluator,
    extensions::Extensions,
};
use drawbridge_verify::{Verified, json};

use super::{
    Facts, action_id,
    load::Loaded,
    resource_type,
    uses::{self, ClaimType, Reads},
};
use crate::{Match, Routes};

/// All that can be known of one action before a request comes.
#[derive(Debug)]
pub(super) struct Plan {
    route: usize,
    method: &'static str,
    user: EntityType,
    action: EntityUIDEntry,
    resource: EntityUID,
    /// The policies that this action is in the scope of, in the order of their ids; all others cannot be satisfied.
    policies: Vec<Ready>,
    /// The claims that they read, with their types.
    claims: Vec<(String, ClaimType)>,
    /// The parameters that they read.
    parameters: Vec<String>,
    reads: Reads,
}

/// A policy, ready to evaluate.
#[derive(Debug)]
struct Ready {
    id: String,
    effect: Effect,
    /// Scope and conditions in one.
    condition: Expr,
}

/// The ids of policies, in order.
#[derive(Default)]
pub(super) struct Evaluated {
    /// Satisfied, and permitting.
    pub(super) permits: Vec<String>,
    /// Satisfied, and forbidding.
    pub(super) forbids: Vec<String>,
    /// Neither satisfied nor not.
    pub(super) errors: Vec<String>,
}

/// A failure to build what Cedar asks.
#[derive(Debug)]
pub(super) enum Unbuildable {
    /// The token has this claim, with another type than the policies use it with.
    IllTyped(String),
    /// All else was checked for what could fail.
    Impossible,
}

impl Plan {
    /// One for each method of each route with `policy: true`.
    pub(super) fn all(
        routes: &Routes,
        claims: &[&str],
        loaded: &Loaded<'_>,
    ) -> Result<Vec<Self>, Unbuildable> {
        let types = uses::types(&loaded.policies);
        let mut plans = Vec::new();
        for (index, route) in routes.iter().enumerate().filter(|(_, route)| route.policy) {
            let parameters = crate::template::parameters(&route.template);
            for method in
                crate::METHODS.into_iter().filter(|method| route.methods.iter().any(|have| have == method))
            {
                let id = action_id(method, &route.template);
                let mut policies = Vec::new();
                let mut reads = Reads::default();
                for policy in loaded.policies.iter().filter(|policy| policy.is_for(&id)) {
                    let cedar: &cedar_policy_core::ast::Policy = policy.cedar.as_ref();
                    let condition = cedar.condition();
                    policies.push(Ready { id: policy.id.clone(), effect: cedar.effect(), condition });
                    reads.add(&policy.reads);
                }
                policies.sort_by(|one, other| one.id.cmp(&other.id));
                let action = EntityUID::from_components(entity_type("Action")?, Eid::new(id), None);
                let resource = entity_type(&resource_type(index))?;
                let read_parameters = parameters.iter().filter(|name| reads.resource(name));
                let read = claims.iter().filter(|claim| reads.principal(claim));
                plans.push(Self {
                    route: index,
                    method,
                    user: entity_type("User")?,
                    action: EntityUIDEntry::known(action, None),
                    resource: EntityUID::from_components(resource, Eid::new(""), None),
                    policies,
                    claims: read.map(|claim| ((*claim).to_owned(), types.of(claim))).collect(),
                    parameters: read_parameters.map(|name| (*name).to_owned()).collect(),
                    reads,
                });
            }
        }
        Ok(plans)
    }

    /// Whether this is the plan of a request's action.
    pub(super) fn is_for(&self, found: &Match<'_, '_>) -> bool {
        self.route == found.index && self.method == found.method
    }

    /// Evaluates every policy, as Cedar's authorizer does.
    pub(super) fn evaluate(
        &self,
        found: &Match<'_, '_>,
        facts: &Facts<'_>,
    ) -> Result<Evaluated, Unbuildable> {
        let principal = EntityUID::from_components(self.user.clone(), Eid::new(facts.claims.subject()), None);
        let request = Request::new_unchecked(
            EntityUIDEntry::known(principal.clone(), None),
            self.action.clone(),
            EntityUIDEntry::known(self.resource.clone(), None),
            Some(self.context(found, facts)?),
        );
        let attributes =
            [(principal, self.principal(facts.claims)?), (self.resource.clone(), self.resource(found))];
        let entities = attributes.into_iter().filter(|(_, attributes)| !attributes.is_empty());
        // Nobody has a parent, so that the closure is computed already.
        let entities = Entities::from_entities(
            entities.map(|(uid, attributes)| entity(uid, attributes)),
            None::<&NoEntitiesSchema>,
            TCComputation::AssumeAlreadyComputed,
            Extensions::all_available(),
        );
        let entities = entities.map_err(|_| Unbuildable::Impossible)?;
        let evaluator = Evaluator::new(request, &entities, Extensions::all_available());

        let slots = SlotEnv::new();
        let mut evaluated = Evaluated::default();
        for policy in &self.policies {
            let satisfied = evaluator.interpret(&policy.condition, &slots);
            let kind = match satisfied.as_ref().map(Value::value_kind) {
                Ok(ValueKind::Lit(Literal::Bool(true))) => match policy.effect {
                    Effect::Permit => &mut evaluated.permits,
                    Effect::Forbid => &mut evaluated.forbids,
                },
                Ok(ValueKind::Lit(Literal::Bool(false))) => continue,
                _ => &mut evaluated.errors,
            };
            kind.push(policy.id.clone());
        }
        Ok(evaluated)
    }

    /// The attributes of the principal that the policies read and the token has. A claim of another type is not one that the token
    /// lacks: a policy that asks first whether it is there, to forbid, would let it through.
    fn principal(&self, claims: &Verified<'_>) -> Result<Vec<(&str, Value)>, Unbuildable> {
        let mut attributes = Vec::new();
        for (claim, kind) in &self.claims {
            if let Some(value) = claims.claim(claim) {
                let value = typed(value, *kind).ok_or_else(|| Unbuildable::IllTyped(claim.clone()))?;
                attributes.push((claim.as_str(), value));
            }
        }
        if self.reads.principal("sub") {
            attributes.push(("sub", claims.subject().into()));
        }
        if self.reads.principal("scope") {
            attributes.push(("scope", texts(claims.scopes())));
        }
        if let Some(client) = claims.client_id().filter(|_| self.reads.principal("client_id")) {
            attributes.push(("client_id", client.into()));
        }
        Ok(attributes)
    }

    /// The path parameters that the policies read.
    fn resource(&self, found: &Match<'_, '_>) -> Vec<(&str, Value)> {
        let read = self.parameters.iter().filter_map(|name| {
            let (_, value) = found.parameters.iter().find(|(have, _)| have == name)?;
            Some((name.as_str(), value.as_ref().into()))
        });
        read.collect()
    }

    fn context(&self, found: &Match<'_, '_>, facts: &Facts<'_>) -> Result<Context, Unbuildable> {
        let mut context = Vec::new();
        if self.reads.context("method") {
            context.push(("method".into(), RestrictedExpr::val(found.method)));
        }
        if self.reads.context("time") {
            context.push(("time".into(), RestrictedExpr::val(facts.now.as_secs())));
        }
        if let Some(ip) = facts.source_ip.filter(|_| self.reads.context("source_ip")) {
            let ip = RestrictedExpression::new_ip(ip.to_canonical().to_string());
            context.push(("source_ip".into(), AsRef::<RestrictedExpr>::as_ref(&ip).clone()));
        }
        if context.is_empty() {
            return Ok(Context::empty());
        }
        Context::from_pairs(context, Extensions::all_available()).map_err(|_| Unbuildable::Impossible)
    }
}

fn entity_type(name: &str) -> Result<EntityType, Unbuildable> {
    EntityType::from_str(name).map_err(|_| Unbuildable::Impossible)
}

fn entity(uid: EntityUID, attributes: Vec<(&str, Value)>) -> Entity {
    let attributes = attributes.into_iter().map(|(name, value)| (name.into(), PartialValue::Value(value)));
    Entity::new_with_attr_partial_value(uid, attributes, HashSet::new(), HashSet::new(), [])
}

/// A claim's value as the type that the policies use it with; None when it has another.
fn typed(value: &json::Value<'_>, kind: ClaimType) -> Option<Value> {
    match (kind, value) {
        (ClaimType::Text, json::Value::String(value)) => Some(value.as_ref().into()),
        (ClaimType::Long, json::Value::Integer(value)) => Some((*value).into()),
        (ClaimType::Bool, json::Value::Bool(value)) => Some((*value).into()),
        (ClaimType::Texts, json::Value::Array(values)) => {
            let all: Option<Vec<_>> = values.iter().map(json::Value::as_str).collect();
            all.map(texts)
        }
        _ => None,
    }
}

fn texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Value {
    Value::set_of_lits(texts.into_iter().map(Literal::from), None)
}
