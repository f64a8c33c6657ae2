//! What policy expressions mean: the members of `context` and of the .NET types that the policies use, as their documentation says.
//!
//! An exception that .NET would throw is an [`Exception`], which ends a request with a 500. A member that is not known here is a panic:
//! the test has to learn it before a policy may use it.

use std::rc::Rc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value as Json};

use crate::{
    expression::Expression,
    policy::{Headers, Reply, Run},
};

/// An exception at run time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exception(pub(crate) String);

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Json(Json),
    Headers(Headers),
    /// A header as LINQ sees it.
    Header(String, Vec<String>),
    Property(String, Json),
    Reply(Rc<Reply>),
    /// A part of `context`, or a (part of the) name of a type.
    Path(String),
}

type Outcome = Result<Value, Exception>;

/// Parameters of the lambdas around.
type Scope<'a> = Vec<(&'a str, Value)>;

pub(crate) fn evaluate<'a>(expression: &'a Expression, run: &Run<'_>, scope: &mut Scope<'a>) -> Outcome {
    use Expression as E;
    Ok(match expression {
        E::Text(text) => Value::Text(text.clone()),
        E::Number(number) => Value::Number(*number),
        E::Bool(bool) => Value::Bool(*bool),
        E::Null => Value::Null,
        E::Name(name) => match scope.iter().rev().find(|(known, _)| known == name) {
            Some((_, value)) => value.clone(),
            None => Value::Path(name.clone()),
        },
        E::Member(of, name) => member(evaluate(of, run, scope)?, name, run)?,
        E::Index(of, index) => {
            let (of, index) = (evaluate(of, run, scope)?, evaluate(index, run, scope)?);
            match (of, index) {
                (Value::Path(path), Value::Text(name)) if path == "context.Variables" => {
                    run.variables.get(&name).cloned().ok_or_else(|| thrown(&format!("no variable {name}")))?
                }
                (Value::Json(json), Value::Text(name)) => {
                    json.get(&name).map_or(Value::Null, |json| Value::Json(json.clone()))
                }
                (Value::List(list), Value::Number(at)) => usize::try_from(at)
                    .ok()
                    .and_then(|at| list.get(at).cloned())
                    .ok_or_else(|| thrown("index out of range"))?,
                (Value::Null, _) => return Err(thrown("null")),
                unknown => panic!("an index that is not known: {unknown:?}"),
            }
        }
        E::Call(of, name, arguments) => call(evaluate(of, run, scope)?, name, arguments, run, scope)?,
        E::Cast(kind, of) => cast(kind, evaluate(of, run, scope)?)?,
        E::New(kind, arguments) => {
            let mut values = Vec::new();
            for argument in arguments {
                values.push(evaluate(argument, run, scope)?);
            }
            match (kind.as_str(), values.as_slice()) {
                ("JProperty", [Value::Text(name), Value::Text(value)]) => {
                    Value::Property(name.clone(), value.clone().into())
                }
                ("JObject", [Value::List(list)]) => {
                    let mut object = Map::new();
                    for property in list {
                        let Value::Property(name, value) = property else {
                            panic!("not a JProperty: {property:?}")
                        };
                        if object.insert(name.clone(), value.clone()).is_some() {
                            return Err(thrown("two properties of one name"));
                        }
                    }
                    Value::Json(object.into())
                }
                unknown => panic!("not known: new {unknown:?}"),
            }
        }
        E::Array(items) => {
            let mut list = Vec::new();
            for item in items {
                list.push(evaluate(item, run, scope)?);
            }
            Value::List(list)
        }
        E::Not(of) => Value::Bool(!truth(&evaluate(of, run, scope)?)),
        E::Conditional(condition, yes, no) => {
            let taken = if truth(&evaluate(condition, run, scope)?) { yes } else { no };
            evaluate(taken, run, scope)?
        }
        E::Binary(sign, left, right) => binary(sign, left, right, run, scope)?,
        E::Lambda(..) => panic!("a lambda that nobody calls"),
    })
}

/// What an expression is where a policy wants text.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => panic!("not known as text: {other:?}"),
    }
}

pub(crate) fn truth(value: &Value) -> bool {
    match value {
        Value::Bool(bool) => *bool,
        other => panic!("not a truth value: {other:?}"),
    }
}

fn thrown(why: &str) -> Exception {
    Exception(why.to_owned())
}

fn binary<'a>(
    sign: &str,
    left: &'a Expression,
    right: &'a Expression,
    run: &Run<'_>,
    scope: &mut Scope<'a>,
) -> Outcome {
    let left = evaluate(left, run, scope)?;
    match (sign, &left) {
        ("&&", left) if !truth(left) => return Ok(Value::Bool(false)),
        ("||", left) if truth(left) => return Ok(Value::Bool(true)),
        ("??", Value::Null) | ("&&" | "||", _) => return evaluate(right, run, scope),
        ("??", _) => return Ok(left),
        _ => {}
    }
    let right = evaluate(right, run, scope)?;
    Ok(match (sign, left, right) {
        ("==", left, right) => Value::Bool(equal(&left, &right)),
        ("!=", left, right) => Value::Bool(!equal(&left, &right)),
        ("<", Value::Number(left), Value::Number(right)) => Value::Bool(left < right),
        (">", Value::Number(left), Value::Number(right)) => Value::Bool(left > right),
        ("<=", Value::Number(left), Value::Number(right)) => Value::Bool(left <= right),
        (">=", Value::Number(left), Value::Number(right)) => Value::Bool(left >= right),
        ("+", Value::Number(left), Value::Number(right)) => Value::Number(left + right),
        ("-", Value::Number(left), Value::Number(right)) => Value::Number(left - right),
        ("+", Value::Text(left), Value::Text(right)) => Value::Text(left + &right),
        unknown => panic!("not known: {unknown:?}"),
    })
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::Number(left), Value::Number(right)) => left == right,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        unknown => panic!("not known to be equal: {unknown:?}"),
    }
}

fn cast(kind: &str, value: Value) -> Outcome {
    Ok(match (kind, value) {
        ("string" | "IResponse", Value::Null) => Value::Null,
        ("string", value @ Value::Text(_)) => value,
        // JSON.NET has made a date of it meanwhile.
        ("string", Value::Json(Json::String(text))) if text.get(10..11) == Some("T") => {
            Value::Text(format!("{} as it is written elsewhere", text.replace('-', "/")))
        }
        ("string", Value::Json(Json::String(text))) => Value::Text(text),
        ("bool", value @ Value::Bool(_)) => value,
        ("int" | "long", value @ Value::Number(_)) => value,
        ("IResponse", value @ Value::Reply(_)) => value,
        (_, other) => return Err(thrown(&format!("{other:?} is no {kind}"))),
    })
}

fn member(of: Value, name: &str, run: &Run<'_>) -> Outcome {
    let texts = |texts: Vec<String>| Value::List(texts.into_iter().map(Value::Text).collect());
    Ok(match (of, name) {
        (Value::Null, _) => return Err(thrown(&format!("null has no {name}"))),
        (Value::Text(text), "Length") => Value::Number(text.encode_utf16().count() as i64),
        (Value::Headers(headers), "Keys") => texts(headers.names()),
        (Value::Header(name, _), "Key") => Value::Text(name),
        (Value::Header(_, values), "Value") => texts(values),
        (Value::Reply(reply), "StatusCode") => Value::Number(reply.status.into()),
        (Value::Reply(reply), "Headers") => Value::Headers(reply.headers.clone()),
        (Value::Path(path), name) => {
            let path = format!("{path}.{name}");
            match path.as_str() {
                "context.Request.Headers" => Value::Headers(run.request.headers.clone()),
                "context.Request.Method" => Value::Text(run.request.method.clone()),
                "context.Request.OriginalUrl.Path" => Value::Text(run.request.path.clone()),
                "context.Request.OriginalUrl.QueryString" => Value::Text(run.request.query.clone()),
                "context.Request.Certificate" if run.request.certificate.is_none() => Value::Null,
                "context.Request.Certificate.RawData" => {
                    Value::Bytes(run.request.certificate.clone().ok_or_else(|| thrown("no certificate"))?)
                }
                "DateTimeOffset.UtcNow"
                | "StringComparison.OrdinalIgnoreCase"
                | "System.Text.Encoding.UTF8"
                | "context.Request"
                | "context.Request.Certificate"
                | "context.Request.OriginalUrl"
                | "context.Variables"
                | "System.Security"
                | "System.Security.Cryptography"
                | "System.Security.Cryptography.SHA256"
                | "System.Text"
                | "System.Text.Encoding" => Value::Path(path),
                _ => panic!("not known: `{path}`"),
            }
        }
        unknown => panic!("not known: {unknown:?}"),
    })
}

fn call<'a>(
    of: Value,
    name: &str,
    arguments: &'a [Expression],
    run: &Run<'_>,
    scope: &mut Scope<'a>,
) -> Outcome {
    if let [Expression::Lambda(parameter, body)] = arguments {
        return linq(of, name, parameter, body, run, scope);
    }
    let mut values = Vec::new();
    for argument in arguments {
        values.push(evaluate(argument, run, scope)?);
    }
    let ordinal =
        |value: &Value| matches!(value, Value::Path(path) if path == "StringComparison.OrdinalIgnoreCase");
    Ok(match (of, name, values.as_slice()) {
        (Value::Null, ..) => return Err(thrown(&format!("null has no {name}"))),
        (Value::Headers(headers), "GetValueOrDefault", [Value::Text(name), Value::Text(default)]) => {
            // Several values come as one, joined by commas.
            let values = headers.all(name);
            Value::Text(if values.is_empty() { default.clone() } else { values.join(",") })
        }
        (Value::Text(text), "Replace", [Value::Text(from), Value::Text(to)]) => {
            Value::Text(text.replace(from, to))
        }
        (Value::Text(text), "ToLowerInvariant", []) => Value::Text(text.to_lowercase()),
        (Value::Text(text), "Contains", [Value::Text(part)]) => Value::Bool(text.contains(part)),
        (Value::Text(text), "StartsWith", [Value::Text(start), how]) if ordinal(how) => {
            Value::Bool(text.get(..start.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(start)))
        }
        (Value::Text(text), "Substring", [Value::Number(from)]) => {
            let from = usize::try_from(*from).map_err(|_| thrown("negative"))?;
            Value::Text(text.get(from..).ok_or_else(|| thrown("beyond the end"))?.to_owned())
        }
        (Value::List(list), "Contains", [wanted]) => Value::Bool(list.iter().any(|item| equal(item, wanted))),
        (Value::Json(json), "ToString", []) => Value::Text(json.to_string()),
        (Value::Path(path), name, values) => match (format!("{path}.{name}").as_str(), values) {
            ("context.Variables.GetValueOrDefault<IResponse>", [Value::Text(name)]) => {
                run.variables.get(name).cloned().unwrap_or(Value::Null)
            }
            ("int.Parse" | "long.Parse", [Value::Text(text)]) => {
                Value::Number(text.trim().parse().map_err(|_| thrown("not a number"))?)
            }
            ("Math.Min", [Value::Number(left), Value::Number(right)]) => Value::Number(*left.min(right)),
            ("string.Join", [Value::Text(between), parts @ ..]) => {
                Value::Text(parts.iter().map(text).collect::<Vec<_>>().join(between))
            }
            ("JObject.Parse", [Value::Text(text)]) => match serde_json::from_str(text) {
                Ok(json @ Json::Object(_)) => Value::Json(json),
                _ => return Err(thrown("not a JSON object")),
            },
            ("Convert.ToBase64String", [Value::Bytes(bytes)]) => Value::Text(STANDARD.encode(bytes)),
            ("System.Text.Encoding.UTF8.GetBytes", [Value::Text(text)]) => {
                Value::Bytes(text.clone().into_bytes())
            }
            ("System.Security.Cryptography.SHA256.Create", []) => Value::Path("sha256".to_owned()),
            ("sha256.ComputeHash", [Value::Bytes(bytes)]) => {
                Value::Bytes(digest(&SHA256, bytes).as_ref().to_vec())
            }
            ("DateTimeOffset.UtcNow.ToUnixTimeSeconds", []) => Value::Number(run.now),
            unknown => panic!("not known: {unknown:?}"),
        },
        unknown => panic!("not known: {unknown:?}"),
    })
}

fn linq<'a>(
    of: Value,
    name: &str,
    parameter: &'a str,
    body: &'a Expression,
    run: &Run<'_>,
    scope: &mut Scope<'a>,
) -> Outcome {
    let items = match of {
        Value::List(items) => items,
        Value::Headers(headers) => headers.pairs(),
        Value::Null => return Err(thrown("null")),
        other => panic!("not enumerable: {other:?}"),
    };
    let mut results = Vec::new();
    for item in items {
        scope.push((parameter, item.clone()));
        let result = evaluate(body, run, scope);
        scope.pop();
        results.push((item, result?));
    }
    Ok(match name {
        "Any" => Value::Bool(results.iter().any(|(_, result)| truth(result))),
        "Where" => {
            Value::List(results.into_iter().filter(|(_, keep)| truth(keep)).map(|(item, _)| item).collect())
        }
        "Select" => Value::List(results.into_iter().map(|(_, result)| result).collect()),
        other => panic!("not known with a lambda: `{other}`"),
    })
}
