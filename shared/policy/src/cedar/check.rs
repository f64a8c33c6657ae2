//! Policies against the configuration: every name and type that they use must be one that a request can have.

use std::collections::HashSet;

use cedar_policy::{Schema, ValidationError, ValidationMode, ValidationWarning, Validator};
use miette::Diagnostic;
use serde_json::{Map, Value, json};

use super::{
    CONTEXT, REGISTERED, action_id,
    load::{Loaded, Policy, PolicyMistake, place, told},
    resource_type,
    uses::{self, ClaimType},
};
use crate::{METHODS, Route, Routes, template};

/// Every name that cannot exist, then every type that does not fit.
pub(crate) fn check(routes: &Routes, claims: &[&str], loaded: &Loaded<'_>) -> Vec<PolicyMistake> {
    let actions: Vec<_> = actions(routes).collect();
    let mut mistakes = Vec::new();
    let mut set = cedar_policy::PolicySet::new();
    let mut wrong: HashSet<&str> = HashSet::new();
    for policy in &loaded.policies {
        let unknown = names(&actions, claims, policy);
        if set.add(policy.cedar.clone()).is_err() {
            mistakes.push(mistake(loaded, policy, policy.start, "the policy cannot be added".to_owned()));
        }
        wrong.extend((!unknown.is_empty()).then_some(policy.id.as_str()));
        mistakes.extend(unknown.into_iter().map(|(start, message)| mistake(loaded, policy, start, message)));
    }
    let schema = schema(&actions, claims, &uses::types(&loaded.policies));
    let Ok(schema) = Schema::from_json_value(schema) else {
        let message = "no schema can be made of the routes and claims; give them plainer names".to_owned();
        mistakes.push(PolicyMistake::of_files(loaded.files, message));
        return mistakes;
    };
    let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
    for error in result.validation_errors() {
        // Of a name that cannot exist Cedar says the same, less clearly.
        let again = matches!(error, ValidationError::UnsafeAttributeAccess(_));
        if !(again && wrong.contains(error.policy_id().as_ref() as &str)) {
            mistakes.extend(of_error(&actions, routes, loaded, error));
        }
    }
    // What Cedar warns of in a policy with mistakes follows from them.
    wrong.extend(result.validation_errors().map(|error| error.policy_id().as_ref() as &str));
    for warning in result.validation_warnings() {
        if !wrong.contains(warning.policy_id().as_ref() as &str) {
            mistakes.extend(of_warning(loaded, warning));
        }
    }
    mistakes.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    mistakes.dedup();
    mistakes
}

/// One action: a method of a route with `policy: true`.
struct Action<'r> {
    id: String,
    route: usize,
    template: &'r str,
    parameters: Vec<&'r str>,
}

fn actions(routes: &Routes) -> impl Iterator<Item = Action<'_>> {
    let decided = routes.iter().enumerate().filter(|(_, route)| route.policy);
    decided.flat_map(|(index, route)| {
        let methods = METHODS.into_iter().filter(|method| route.methods.iter().any(|have| have == method));
        methods.map(move |method| Action {
            id: action_id(method, &route.template),
            route: index,
            template: &route.template,
            parameters: template::parameters(&route.template),
        })
    })
}

/// The names in a policy that no request can have: where, and what to write instead.
fn names(actions: &[Action<'_>], claims: &[&str], policy: &Policy) -> Vec<(usize, String)> {
    let scope: Vec<_> = actions.iter().filter(|action| policy.is_for(&action.id)).collect();
    let mut unknown = Vec::new();
    for (variable, name) in policy.reads.names() {
        let message = match variable {
            "principal" => {
                let known = REGISTERED.map(|(name, _)| name).into_iter().chain(claims.iter().copied());
                if known.clone().any(|known| known == name) {
                    continue;
                }
                let known: Vec<_> = known.collect();
                format!(
                    "`principal.{name}` is no claim of a bridged token; write one of {}, or map it under `claims`",
                    known.join(", ")
                )
            }
            "context" if CONTEXT.contains(&name) => continue,
            "context" => format!("`context.{name}` does not exist; write one of {}", CONTEXT.join(", ")),
            // Where no action is in the scope, the policy has another mistake.
            _ if scope.is_empty() || scope.iter().any(|action| action.parameters.contains(&name)) => continue,
            _ => {
                let have: Vec<_> = scope.iter().map(|action| format!("`{}`", action.id)).collect();
                format!(
                    "`resource.{name}` is no parameter of {}; write one that its path names",
                    have.join(", ")
                )
            }
        };
        unknown.push((policy.start + written(&policy.text, variable, name), message));
    }
    unknown
}

/// Where a policy's text names an attribute; its beginning, where that cannot be found.
fn written(text: &str, variable: &str, name: &str) -> usize {
    [format!("{variable}.{name}"), format!("{variable} has {name}"), format!("{variable}[\"{name}\"]")]
        .iter()
        .filter_map(|pattern| text.find(pattern))
        .min()
        .unwrap_or(0)
}

fn of_error(
    actions: &[Action<'_>],
    routes: &Routes,
    loaded: &Loaded<'_>,
    error: &ValidationError,
) -> Option<PolicyMistake> {
    let policy = policy(loaded, error.policy_id().as_ref())?;
    let (start, length) = place(error).unwrap_or((policy.start, 0));
    let (_, text) = loaded.files.get(policy.file)?;
    let part = text.get(start..start + length).unwrap_or_default();
    let message = match error {
        ValidationError::UnrecognizedActionId(_) => unknown_action(actions, routes, part),
        ValidationError::UnsafeAttributeAccess(_) if part.starts_with("resource") => {
            let name = part.rsplit('.').next().unwrap_or_default();
            let lacking = actions.iter().filter(|action| policy.is_for(&action.id));
            let lacking: Vec<_> = lacking
                .filter(|action| !action.parameters.contains(&name))
                .map(|action| format!("`{}`", action.id))
                .collect();
            format!(
                "`{part}` is no parameter of {}; name the action that the policy is for, or ask `resource has {name}` first",
                lacking.join(", ")
            )
        }
        ValidationError::UnrecognizedEntityType(_) => {
            format!(
                "`{part}` is no type here; write `User` for principals, and know a resource by its parameters"
            )
        }
        other => plain(policy, other),
    };
    // The types of resources are ours, and the configuration does not know them.
    let message = actions.iter().fold(message, |message, action| {
        message.replace(&format!("`{}`", resource_type(action.route)), &format!("`{}`", action.template))
    });
    Some(mistake(loaded, policy, start, message))
}

fn unknown_action(actions: &[Action<'_>], routes: &Routes, part: &str) -> String {
    let named = |route: &&Route| {
        METHODS.iter().any(|method| part.contains(&format!("\"{}\"", action_id(method, &route.template))))
    };
    if let Some(route) = routes.iter().find(named) {
        return format!(
            "the route `{}` has no `policy: true`, so no policy decides it; write that at the route, or leave it out here",
            route.template
        );
    }
    let known: Vec<_> = actions.iter().map(|action| format!("`Action::\"{}\"`", action.id)).collect();
    format!("there is no such action; the routes with `policy: true` are {}", known.join(", "))
}

/// A policy that can never apply, or is not what it looks like, is a mistake; a string of two scripts is a name of somebody.
fn of_warning(loaded: &Loaded<'_>, warning: &ValidationWarning) -> Option<PolicyMistake> {
    let policy = policy(loaded, warning.policy_id().as_ref())?;
    let message = match warning {
        ValidationWarning::MixedScriptString(_) | ValidationWarning::ConfusableIdentifier(_) => return None,
        ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_) => {
            "no request can satisfy this policy, so it decides nothing; mend its condition or leave it out"
                .to_owned()
        }
        other => plain(policy, other),
    };
    let (start, _) = place(warning).unwrap_or((policy.start, 0));
    Some(mistake(loaded, policy, start, message))
}

/// What Cedar says, without the policy's id: the place says which it is.
fn plain(policy: &Policy, diagnostic: &dyn Diagnostic) -> String {
    told(diagnostic)
        .replace(&format!("for policy `{}`, ", policy.id), "")
        .replace(&format!("for policy `{}`: ", policy.id), "")
}

fn policy<'l>(loaded: &'l Loaded<'_>, id: &str) -> Option<&'l Policy> {
    loaded.policies.iter().find(|policy| policy.id == id)
}

fn mistake(loaded: &Loaded<'_>, policy: &Policy, start: usize, message: String) -> PolicyMistake {
    let (name, text) = loaded.files.get(policy.file).copied().unwrap_or_default();
    PolicyMistake::at(name, text, start, message)
}

/// The schema of a backend. What is missing at run time is an error, and so a deny; where a policy asks first, all must.
fn schema(actions: &[Action<'_>], claims: &[&str], types: &uses::Types) -> Value {
    let attribute = |variable, name: &str, mut kind: Value| {
        if let Some(kind) = kind.as_object_mut() {
            kind.insert("required".to_owned(), Value::Bool(!types.optional(variable, name)));
        }
        (name.to_owned(), kind)
    };
    let mapped = claims.iter().map(|claim| (*claim, types.of(claim)));
    let user: Map<_, _> =
        mapped.chain(REGISTERED).map(|(name, kind)| attribute("principal", name, cedar_type(kind))).collect();
    let context = CONTEXT.map(|name| {
        let kind = match name {
            "source_ip" => json!({ "type": "Extension", "name": "ipaddr" }),
            "time" => cedar_type(ClaimType::Long),
            _ => cedar_type(ClaimType::Text),
        };
        attribute("context", name, kind)
    });
    let context = record(context.into_iter().collect());
    let mut entities = Map::new();
    entities.insert("User".to_owned(), json!({ "shape": record(user) }));
    let mut declared = Map::new();
    for action in actions {
        let parameters =
            action.parameters.iter().map(|name| ((*name).to_owned(), cedar_type(ClaimType::Text)));
        let resource = resource_type(action.route);
        let applies = json!({ "principalTypes": ["User"], "resourceTypes": [resource], "context": context });
        declared.insert(action.id.clone(), json!({ "appliesTo": applies }));
        entities.insert(resource, json!({ "shape": record(parameters.collect()) }));
    }
    json!({ "": { "entityTypes": entities, "actions": declared } })
}

fn record(attributes: Map<String, Value>) -> Value {
    json!({ "type": "Record", "attributes": attributes })
}

fn cedar_type(kind: ClaimType) -> Value {
    match kind {
        ClaimType::Text => json!({ "type": "String" }),
        ClaimType::Texts => json!({ "type": "Set", "element": { "type": "String" } }),
        ClaimType::Long => json!({ "type": "Long" }),
        ClaimType::Bool => json!({ "type": "Boolean" }),
    }
}
