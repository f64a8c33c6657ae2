//! What an authorizer answered, by the rules of its kind.
//!
//! | kind | form |
//! | --- | --- |
//! | REST, WebSocket, HTTP 1.0, HTTP 2.0 without simple responses | `principalId`, `policyDocument`, `context` |
//! | HTTP 2.0 with simple responses | `isAuthorized`, `context` |
//!
//! Context values of REST and WebSocket APIs are strings, numbers and booleans, and reach the integration as strings; a list, an
//! object or the key `claims` is an authorizer that is not configured right, as is any other form and, for WebSocket, more than
//! 8 KiB. HTTP APIs take any JSON.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html>

use std::collections::BTreeMap;

use drawbridge_config::AwsAuthorizer;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::{
    call::ApiKind,
    policy::{Evaluation, Policy},
};

/// An answer of the form that its kind of authorizer has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    grant: Grant,
    /// `$context.authorizer.<key>`, as text.
    context: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Grant {
    Simple(bool),
    Policy(Policy),
}

/// The answer breaks the rules of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the authorizer's answer {0}")]
pub(crate) struct Malformed(&'static str);

impl Verdict {
    /// # Errors
    /// [`Malformed`].
    pub(crate) fn parse(kind: AwsAuthorizer, answer: &[u8]) -> Result<Self, Malformed> {
        if kind == AwsAuthorizer::WebSocket && answer.len() > MAX_WEBSOCKET_ANSWER {
            return Err(Malformed("is larger than 8 KiB"));
        }
        if kind == AwsAuthorizer::Http20Simple {
            let Simple { is_authorized, context } =
                serde_json::from_slice(answer).map_err(|_| Malformed("is no simple response"))?;
            return Ok(Self { grant: Grant::Simple(is_authorized), context: rendered(kind, context)? });
        }
        let WithPolicy { principal_id, policy_document, context } =
            serde_json::from_slice(answer).map_err(|_| Malformed("is no policy with a principal"))?;
        if principal_id.is_empty() {
            return Err(Malformed("has no principal"));
        }
        Ok(Self { grant: Grant::Policy(policy_document), context: rendered(kind, context)? })
    }

    /// What it says about one request.
    pub(crate) fn evaluate(&self, arn: &str) -> Evaluation {
        match &self.grant {
            Grant::Simple(true) => Evaluation::Allowed,
            Grant::Simple(false) => Evaluation::Denied,
            Grant::Policy(policy) => policy.evaluate(arn),
        }
    }

    /// What integrations may be told.
    pub(crate) fn context(&self) -> &BTreeMap<String, String> {
        &self.context
    }
}

fn rendered(
    kind: AwsAuthorizer,
    context: Option<BTreeMap<String, Value>>,
) -> Result<BTreeMap<String, String>, Malformed> {
    let any_json = ApiKind::of(kind) == ApiKind::Http;
    let mut rendered = BTreeMap::new();
    for (key, value) in context.unwrap_or_default() {
        let text = match value {
            Value::String(text) => text,
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ if any_json => value.to_string(),
            _ => return Err(Malformed("has a context value that is no string, number or boolean")),
        };
        if !any_json && key == "claims" {
            return Err(Malformed("has the reserved key `claims` in its context"));
        }
        rendered.insert(key, text);
    }
    Ok(rendered)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Simple {
    is_authorized: bool,
    context: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WithPolicy {
    principal_id: String,
    policy_document: Policy,
    context: Option<BTreeMap<String, Value>>,
}

const MAX_WEBSOCKET_ANSWER: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use drawbridge_config::AwsAuthorizer::{
        Http10, Http20Iam, Http20Simple, RestRequest, RestToken, WebSocket,
    };
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:execute-api:local-1:000000000000:drawbridge/orders/GET/customers/42";
    const POLICIES: [AwsAuthorizer; 5] = [RestToken, RestRequest, Http10, Http20Iam, WebSocket];

    fn with_policy(effect: &str, context: Value) -> Value {
        let statement = json!([{ "Action": "execute-api:Invoke", "Effect": effect, "Resource": ARN }]);
        json!({ "principalId": "alice", "policyDocument": { "Version": "2012-10-17", "Statement": statement }, "context": context })
    }

    fn parse(kind: AwsAuthorizer, answer: &Value) -> Result<Verdict, Malformed> {
        Verdict::parse(kind, answer.to_string().as_bytes())
    }

    #[test]
    fn each_kind_has_its_own_form() {
        for kind in POLICIES {
            assert_eq!(
                parse(kind, &with_policy("Allow", json!({}))).unwrap().evaluate(ARN),
                Evaluation::Allowed
            );
            assert_eq!(
                parse(kind, &with_policy("Deny", json!(null))).unwrap().evaluate(ARN),
                Evaluation::ExplicitlyDenied
            );
            assert!(parse(kind, &json!({ "isAuthorized": true })).is_err(), "{kind:?}");
        }
        assert_eq!(
            parse(Http20Simple, &json!({ "isAuthorized": true })).unwrap().evaluate(ARN),
            Evaluation::Allowed
        );
        assert_eq!(
            parse(Http20Simple, &json!({ "isAuthorized": false })).unwrap().evaluate(ARN),
            Evaluation::Denied
        );
        assert!(parse(Http20Simple, &with_policy("Allow", json!({}))).is_err());
    }

    #[test]
    fn attack_28_an_answer_of_no_known_form_is_never_an_allow() {
        let mut answers = vec![
            json!(null),
            json!(true),
            json!("Allow"),
            json!([]),
            json!({}),
            json!({ "isAuthorized": "true" }),
            json!({ "isAuthorized": 1 }),
            json!({ "IsAuthorized": true }),
            json!({ "isAuthorized": true, "context": [] }),
            json!({ "principalId": "alice" }),
        ];
        for (member, value) in [
            ("principalId", json!(null)),
            ("principalId", json!("")),
            ("principalId", json!(1)),
            ("policyDocument", json!({})),
        ] {
            let mut answer = with_policy("Allow", json!({}));
            answer[member] = value;
            answers.push(answer);
        }
        for kind in POLICIES.into_iter().chain([Http20Simple]) {
            for answer in &answers {
                assert!(parse(kind, answer).is_err(), "{kind:?}: {answer}");
            }
            for text in ["", "<html>", "{\"isAuthorized\":true", "{\"isAuthorized\":true}x"] {
                assert!(Verdict::parse(kind, text.as_bytes()).is_err(), "{kind:?}: {text}");
            }
        }
    }

    #[test]
    fn context_values_are_text_for_rest_and_anything_for_http() {
        let flat = json!({ "s": "text", "n": 1.5, "b": true });
        let nested = json!({ "s": "text", "l": ["a", 1], "o": { "a": null }, "z": null });
        let texts = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        for kind in POLICIES {
            let verdict = parse(kind, &with_policy("Allow", flat.clone())).unwrap();
            assert_eq!(*verdict.context(), texts(&[("s", "text"), ("n", "1.5"), ("b", "true")]));
            let with_lists = parse(kind, &with_policy("Allow", nested.clone()));
            if ApiKind::of(kind) == ApiKind::Http {
                let expected =
                    texts(&[("s", "text"), ("l", "[\"a\",1]"), ("o", "{\"a\":null}"), ("z", "null")]);
                assert_eq!(*with_lists.unwrap().context(), expected);
            } else {
                assert!(with_lists.is_err(), "{kind:?}");
                assert!(parse(kind, &with_policy("Allow", json!({ "claims": "x" }))).is_err(), "{kind:?}");
            }
        }
    }

    #[test]
    fn a_websocket_answer_has_a_size() {
        let answer = with_policy("Allow", json!({ "a": "a".repeat(8192) }));
        assert!(parse(WebSocket, &answer).is_err());
        assert!(parse(RestRequest, &answer).is_ok());
    }
}
