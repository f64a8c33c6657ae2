//! The same decisions by Cedar's authorizer and the public interface of `cedar-policy`: every attribute and all policies, whether
//! they have to do with the request or not.

use std::{collections::HashMap, str::FromStr};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
    RestrictedExpression,
};
use drawbridge_verify::json::Value;

use super::*;
use crate::cedar::uses::ClaimType;

fn ill_typed(claim: &str) -> Result<Vec<String>, Denied> {
    Err(Denied::ClaimType { claim: claim.to_owned() })
}

pub(super) fn decide(text: &str, found: &Match<'_, '_>, facts: &Facts<'_>) -> Result<Vec<String>, Denied> {
    let files = [(FILE, text)];
    let loaded = load::load(&files).unwrap();
    let types = uses::types(&loaded.policies);
    let mut policies = PolicySet::new();
    loaded.policies.iter().for_each(|policy| policies.add(policy.cedar.clone()).unwrap());

    let uid = |kind: &str, id: &str| {
        EntityUid::from_type_name_and_id(EntityTypeName::from_str(kind).unwrap(), EntityId::new(id))
    };
    let string = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let claims = facts.claims;
    let mut attributes = HashMap::from([
        ("sub".to_owned(), string(claims.subject())),
        ("scope".to_owned(), RestrictedExpression::new_set(claims.scopes().map(string))),
    ]);
    attributes.extend(claims.client_id().map(|client| ("client_id".to_owned(), string(client))));
    for claim in CLAIMS {
        let value = match (types.of(claim), claims.claim(claim)) {
            (ClaimType::Text, Some(Value::String(text))) => string(text),
            (ClaimType::Long, Some(Value::Integer(number))) => RestrictedExpression::new_long(*number),
            (ClaimType::Bool, Some(Value::Bool(truth))) => RestrictedExpression::new_bool(*truth),
            (ClaimType::Texts, Some(Value::Array(values))) => {
                let Some(texts) = values.iter().map(Value::as_str).collect::<Option<Vec<_>>>() else {
                    return ill_typed(claim);
                };
                RestrictedExpression::new_set(texts.into_iter().map(string))
            }
            (_, None) => continue,
            _ => return ill_typed(claim),
        };
        attributes.insert(claim.to_owned(), value);
    }
    let parameters = found.parameters.iter().map(|(name, value)| ((*name).to_owned(), string(value)));
    let (principal, resource) = (uid("User", claims.subject()), uid(&resource_type(found.index), ""));
    let entities = [
        Entity::new(principal.clone(), attributes, Default::default()).unwrap(),
        Entity::new(resource.clone(), parameters.collect(), Default::default()).unwrap(),
    ];
    let entities = Entities::from_entities(entities, None).unwrap();
    let mut context = vec![
        ("method".to_owned(), string(found.method)),
        ("time".to_owned(), RestrictedExpression::new_long(facts.now.as_secs())),
    ];
    let address = facts.source_ip.map(|ip| RestrictedExpression::new_ip(ip.to_canonical().to_string()));
    context.extend(address.map(|address| ("source_ip".to_owned(), address)));
    let context = Context::from_pairs(context).unwrap();
    let action = uid("Action", &action_id(found.method, &found.route.template));
    let request = Request::new(principal, action, resource, context, None).unwrap();

    let response = Authorizer::new().is_authorized(&request, &policies, &entities);
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    let errors = response
        .diagnostics()
        .errors()
        .map(|cedar_policy::AuthorizationError::PolicyEvaluationError(error)| error.policy_id().to_string());
    let errors = sorted(errors.collect());
    if !errors.is_empty() {
        return Err(Denied::PolicyError { policies: errors });
    }
    let policies = sorted(response.diagnostics().reason().map(ToString::to_string).collect());
    match response.decision() {
        Decision::Allow => Ok(policies),
        Decision::Deny => Err(Denied::Policy { policies }),
    }
}
