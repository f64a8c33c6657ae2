//! Evaluating the policy of an authorizer's answer.
//!
//! As IAM does: an explicit deny wins, an allow is needed, and nothing that matches is a deny. In actions and resources `*` is any
//! text, with slashes and colons in it, and `?` any one character; actions are compared in any case.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>

use serde::Deserialize;

/// A policy of the form that authorizers may answer with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy(Vec<Statement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    effect: Effect,
    actions: Vec<String>,
    resources: Vec<String>,
}

/// What a policy says about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evaluation {
    Allowed,
    /// A deny matches.
    ExplicitlyDenied,
    /// Nothing matches.
    Denied,
}

impl Policy {
    /// What it says about invoking `arn`.
    pub(crate) fn evaluate(&self, arn: &str) -> Evaluation {
        let matches = |effect: Effect| {
            self.0.iter().any(|statement| statement.effect == effect && statement.matches(arn))
        };
        if matches(Effect::Deny) {
            Evaluation::ExplicitlyDenied
        } else if matches(Effect::Allow) {
            Evaluation::Allowed
        } else {
            Evaluation::Denied
        }
    }
}

impl Statement {
    fn matches(&self, arn: &str) -> bool {
        let action = |pattern: &String| glob(&pattern.to_ascii_lowercase(), "execute-api:invoke");
        self.actions.iter().any(action) && self.resources.iter().any(|pattern| glob(pattern, arn))
    }
}

/// Whether `*` (any text) and `?` (any one character) make the pattern the text: no recursion, and no more steps than the product
/// of the lengths.
fn glob(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Where to go on when what follows the last `*` does not match: one character further in the text.
    let mut retry = None;
    loop {
        let before = text.clone();
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                text = before;
                retry = Some((pattern.clone(), text.clone()));
            }
            (Some(_), None) => return false,
            (Some(want), Some(have)) if want == '?' || want == have => {}
            _ => {
                let Some((after_star, from)) = &mut retry else { return false };
                from.next();
                (pattern, text) = (after_star.clone(), from.clone());
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

impl<'de> Deserialize<'de> for Policy {
    /// Unknown members are errors: `Condition`, `NotAction`, `NotResource` and `Principal` would change what the policy means.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Document {
            #[serde(rename = "Version")]
            version: String,
            #[serde(rename = "Id")]
            _id: Option<String>,
            #[serde(rename = "Statement")]
            statements: OneOrMany<Raw>,
        }

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "PascalCase")]
        struct Raw {
            #[serde(rename = "Sid")]
            _sid: Option<String>,
            effect: Effect,
            action: OneOrMany<String>,
            resource: OneOrMany<String>,
        }

        let Document { version, statements, _id } = Document::deserialize(deserializer)?;
        if !matches!(version.as_str(), "2012-10-17" | "2008-10-17") {
            return Err(D::Error::custom("a version that IAM does not know"));
        }
        let statements = Vec::from(statements).into_iter().map(|raw| {
            let resources = Vec::from(raw.resource);
            // IAM counts characters, which these are of one byte each.
            if resources.iter().any(|resource| resource.len() > MAX_RESOURCE) {
                return Err(D::Error::custom("a resource of more than 512 characters"));
            }
            Ok(Statement { effect: raw.effect, actions: raw.action.into(), resources })
        });
        statements.collect::<Result<_, _>>().map(Self)
    }
}

/// One of something, or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> From<OneOrMany<T>> for Vec<T> {
    fn from(some: OneOrMany<T>) -> Self {
        match some {
            OneOrMany::Many(list) => list,
            OneOrMany::One(one) => vec![one],
        }
    }
}

/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html>
const MAX_RESOURCE: usize = 512;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ARN: &str = "arn:aws:execute-api:local-1:000000000000:drawbridge/orders/GET/customers/42";

    fn statement(effect: &str, resource: impl Into<Value>) -> Value {
        json!({ "Effect": effect, "Action": "execute-api:Invoke", "Resource": resource.into() })
    }

    fn policy(statements: Value) -> Policy {
        serde_json::from_value(json!({ "Version": "2012-10-17", "Statement": statements })).unwrap()
    }

    #[test]
    fn an_explicit_deny_wins_and_nothing_matching_is_a_deny() {
        use Evaluation::{Allowed, Denied, ExplicitlyDenied};
        let (allow, deny) = (statement("Allow", ARN), statement("Deny", ARN));
        let other = "arn:aws:execute-api:local-1:000000000000:drawbridge/orders/GET/other";
        let table = [
            (json!([allow]), Allowed),
            (json!(allow), Allowed),
            (json!([]), Denied),
            (json!([statement("Allow", other)]), Denied),
            (json!([deny]), ExplicitlyDenied),
            (json!([allow, deny]), ExplicitlyDenied),
            (json!([deny, allow]), ExplicitlyDenied),
            (json!([statement("Deny", other), allow]), Allowed),
            (json!([statement("Allow", json!([other, ARN]))]), Allowed),
            (json!([statement("Allow", json!([]))]), Denied),
            (json!([statement("Allow", "*")]), Allowed),
            (json!([statement("Allow", "*"), statement("Deny", "*/GET/customers/*")]), ExplicitlyDenied),
        ];
        for (statements, expected) in table {
            assert_eq!(policy(statements.clone()).evaluate(ARN), expected, "{statements}");
        }
    }

    #[test]
    fn actions_are_compared_in_any_case_and_with_wildcards() {
        for (action, allowed) in [
            (json!("execute-api:Invoke"), true),
            (json!("EXECUTE-API:INVOKE"), true),
            (json!("execute-api:*"), true),
            (json!("execute-api:Inv?ke"), true),
            (json!("*"), true),
            (json!(["s3:GetObject", "execute-api:Invoke"]), true),
            (json!("execute-api:InvalidateCache"), false),
            (json!("execute-api"), false),
            (json!([]), false),
        ] {
            let statement = json!([{ "Effect": "Allow", "Action": action, "Resource": ARN }]);
            assert_eq!(policy(statement).evaluate(ARN) == Evaluation::Allowed, allowed, "{action}");
        }
    }

    #[test]
    fn attack_27_wildcards_cross_slashes_and_nothing_else_is_special() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("a", "a", true),
            ("a", "A", false),
            ("a", "b", false),
            ("a", "ab", false),
            ("ab", "a", false),
            ("*", "", true),
            ("*", "a/b:c", true),
            ("**", "", true),
            ("?", "", false),
            ("?", "/", true),
            ("?", "ab", false),
            ("a*", "a", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("*b*", "abc", true),
            ("*a*b*c*", "xxaxxbxxcxx", true),
            ("*a*b*c*", "xxbxxaxxcxx", false),
            ("a*b", "a", false),
            ("a*?", "a", false),
            ("a*?", "ab", true),
            ("*aab", "aaaab", true),
            ("*.", "ab", false),
            ("[a]", "a", false),
            ("a+", "aa", false),
            ("(a)", "(a)", true),
            ("customers/*", "customers/42/orders", true),
            ("customers/*", "customers/", true),
            ("customers/?", "customers/é", true),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
        // A pattern that makes a backtracking matcher exponential.
        assert!(!glob(&"*a".repeat(200), &"a".repeat(199)));
        assert!(!glob(&format!("{}b", "*a".repeat(100)), &"a".repeat(10_000)));
    }

    #[test]
    fn a_policy_of_another_form_is_none() {
        let statement = statement("Allow", ARN);
        for document in [
            json!(null),
            json!({}),
            json!({ "Version": "2012-10-17" }),
            json!({ "Statement": [statement] }),
            json!({ "Version": "2012-10-18", "Statement": [statement] }),
            json!({ "version": "2012-10-17", "statement": [statement] }),
            json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "allow", "Action": "*", "Resource": "*" }] }),
            json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Resource": "*" }] }),
            json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "*" }] }),
            json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "*", "NotResource": "*" }] }),
            json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {} }] }),
            json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "a".repeat(513) }] }),
        ] {
            assert!(serde_json::from_value::<Policy>(document.clone()).is_err(), "{document}");
        }
    }
}
