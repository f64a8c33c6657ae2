//! The file of tests as it is written: every mistake at once, with its place.

use std::{collections::BTreeMap, net::IpAddr, path::Path};

use drawbridge_config::{
    Config, Mistake, Mistakes,
    document::{Fields, Node, Report, Reported, Value as Yaml, fields, items, quote, read_file, text, word},
    load_file,
};
use drawbridge_gate::Reason;
use drawbridge_keys::BackendName;
use drawbridge_verify::UnixTime;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use serde_json::{Map, Number, Value};

use crate::commands::backend_names;

/// One file.
#[derive(Debug)]
pub(super) struct TestFile {
    pub(super) name: String,
    pub(super) config: Config,
    pub(super) backend: BackendName,
    pub(super) tests: Vec<Test>,
}

/// One token, one request, and what is to become of it.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) token: Token,
    pub(super) request: TestRequest,
    pub(super) at: Option<UnixTime>,
    pub(super) expected: Expected,
}

#[derive(Debug)]
pub(super) enum Token {
    /// Made for the test: what its header and its claims have other than a right one.
    Minted { header: Map<String, Value>, claims: Map<String, Value> },
    /// `none`: the request carries no token.
    None,
    /// This text.
    Text(String),
}

#[derive(Debug)]
pub(super) struct TestRequest {
    pub(super) method: Method,
    pub(super) uri: String,
    pub(super) headers: HeaderMap,
    pub(super) source_ip: Option<IpAddr>,
    pub(super) client_certificate: Option<String>,
}

/// What a test expects.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) reason: Reason,
    /// All that the backend is told, where the test says it.
    pub(super) context: Option<BTreeMap<String, String>>,
}

impl TestFile {
    /// Reads a file, and the configuration that it or `config` names.
    ///
    /// # Errors
    /// Every mistake in both.
    pub(super) fn read(file: &Path, config: Option<&Path>) -> Result<Self, Mistakes> {
        let mut in_config = Vec::new();
        let folder = file.parent().unwrap_or(Path::new(""));
        let read = read_file(file, "`config`, `backend` and `tests`", |root, report| {
            fields(root, report, |fields| {
                let config = configuration(fields, folder, config, &mut in_config);
                let backend = fields.required("backend", "the one whose gate decides", |node, report| {
                    backend(node, config.as_ref().ok(), report)
                });
                let tests = fields.required(
                    "tests",
                    "at least one, as in `- { name: …, request: …, decision: deny, reason: … }`",
                    |node, report| {
                        let tests = items(test)(node, report)?;
                        if tests.is_empty() {
                            return Err(report.at(&node.place, "is empty; write at least one test"));
                        }
                        Ok(tests)
                    },
                );
                Ok((config?, backend?, tests?))
            })
        });
        match read {
            Ok((config, backend, tests)) => {
                Ok(Self { name: file.display().to_string(), config, backend, tests })
            }
            Err(Mistakes(mut mistakes)) => {
                mistakes.append(&mut in_config);
                Err(Mistakes(mistakes))
            }
        }
    }
}

/// The configuration. Its own mistakes go into `mistakes`.
fn configuration(
    file: &mut Fields<'_>,
    folder: &Path,
    instead: Option<&Path>,
    mistakes: &mut Vec<Mistake>,
) -> Result<Config, Reported> {
    let written = file.optional("config", |node, report| {
        let path = folder.join(text(node, report)?);
        if instead.is_some() {
            return Ok(None);
        }
        load_file(&path).map(Some).map_err(|Mistakes(more)| {
            mistakes.extend(more);
            report.at(
                &node.place,
                format!("{} cannot be used; see its own mistakes", quote(&path.display().to_string())),
            )
        })
    })?;
    match (written.flatten(), instead) {
        (Some(config), _) => Ok(config),
        (None, Some(path)) => load_file(path).map_err(|Mistakes(more)| {
            mistakes.extend(more);
            file.mistake("the configuration of `--config` cannot be used; see its own mistakes")
        }),
        (None, None) => Err(file.mistake(
            "`config` is missing; write the path of the configuration relative to this file, or give `--config`",
        )),
    }
}

fn backend(node: &Node, config: Option<&Config>, report: &Report) -> Result<BackendName, Reported> {
    let name = text(node, report)?;
    let Some(config) = config else {
        return name.parse().map_err(|error| report.at(&node.place, format!("is {error}")));
    };
    let known = config.backends.keys().find(|known| known.as_str() == name);
    known.cloned().ok_or_else(|| {
        let message =
            format!("{} is no backend; the configuration has {}", quote(&name), backend_names(config));
        report.at(&node.place, message)
    })
}

fn test(node: &Node, report: &Report) -> Result<Test, Reported> {
    fields(node, report, |test| {
        let name = test.required("name", "what the test proves", text);
        let claims = test.optional("claims", members);
        let header = test.optional("header", members);
        let token = test.optional("token", text);
        let request =
            test.required("request", "as in `request: { method: GET, uri: /customers/42 }`", request);
        let at = test.optional("at", moment);
        let decision =
            test.required("decision", "`allow` or `deny`", word(&[("allow", true), ("deny", false)]));
        let reason = test.optional("reason", |node, report| {
            let reason = word(
                &Reason::ALL.iter().map(|reason| (reason.code(), *reason)).collect::<Vec<_>>(),
            )(node, report)?;
            match (&decision, reason) {
                (Ok(true), Reason::Allowed) | (Err(_), _) => Ok(reason),
                (Ok(true), _) => {
                    Err(report.at(&node.place, "is that of a deny; leave it out, or write `decision: deny`"))
                }
                (Ok(false), Reason::Allowed) => Err(report
                    .at(&node.place, "is that of an allow; write why it is denied, as in `scope.missing`")),
                (Ok(false), _) => Ok(reason),
            }
        });
        let context = test.optional("context", |node, report| {
            if matches!(decision, Ok(false)) {
                return Err(report.at(
                    &node.place,
                    "is what a backend is told of an allowed request; leave it out of a deny",
                ));
            }
            Ok(members(node, report)?.into_iter().map(|(name, value)| (name, flat(value))).collect())
        });
        let token = match (token?, claims, header) {
            (None, claims, header) => {
                Ok(Token::Minted { header: header?.unwrap_or_default(), claims: claims?.unwrap_or_default() })
            }
            (Some(_), Ok(Some(_)), _) | (Some(_), _, Ok(Some(_))) => Err(report.at(
                test.place_of("token"),
                "is used as it is written, so that `claims` and `header` would mean nothing; leave one or the other out",
            )),
            (Some(text), ..) if text == "none" => Ok(Token::None),
            (Some(text), ..) => Ok(Token::Text(text)),
        };
        let reason = match (decision, reason?) {
            (Ok(_), Some(reason)) => Ok(reason),
            (Ok(true), None) => Ok(Reason::Allowed),
            (Ok(false), None) => {
                Err(test.mistake("`reason` is missing; write why it is denied, as in `scope.missing`"))
            }
            (Err(reported), _) => Err(reported),
        };
        Ok(Test {
            name: name?,
            line: node.place.line,
            token: token?,
            request: request?,
            at: at?,
            expected: Expected { reason: reason?, context: context? },
        })
    })
}

fn request(node: &Node, report: &Report) -> Result<TestRequest, Reported> {
    fields(node, report, |request| {
        let method = request.required("method", "as in `method: GET`", |node, report| {
            let method = text(node, report)?;
            method.parse().map_err(|_| {
                report.at(&node.place, format!("{} is no method; write one such as `GET`", quote(&method)))
            })
        });
        let uri = request.required("uri", "path and query, as in `uri: /customers/42?full=1`", text);
        let headers = request.optional("headers", headers);
        let source_ip = request.optional("source_ip", |node, report| {
            let ip = text(node, report)?;
            ip.parse().map_err(|_| {
                report.at(&node.place, format!("{} is no address; write one such as `192.0.2.1`", quote(&ip)))
            })
        });
        let client_certificate = request.optional("client_certificate", |node, report| match &node.value {
            Yaml::Text(pem) if pem.contains("-----BEGIN CERTIFICATE-----") => Ok(pem.clone()),
            _ => {
                Err(report.at(&node.place, "is no certificate; write its PEM after `|`, in lines of its own"))
            }
        });
        Ok(TestRequest {
            method: method?,
            uri: uri?,
            headers: headers?.unwrap_or_default(),
            source_ip: source_ip?,
            client_certificate: client_certificate?,
        })
    })
}

/// Names, each with a text or a list of some.
fn headers(node: &Node, report: &Report) -> Result<HeaderMap, Reported> {
    let Yaml::Map(entries) = &node.value else {
        return Err(node.expected("header names and their values", report));
    };
    let mut headers = HeaderMap::new();
    let mut outcome = Ok(());
    for (name, node) in entries {
        let values = match node.value {
            Yaml::List(_) => items(text)(node, report),
            _ => text(node, report).map(|value| vec![value]),
        };
        let Ok(parsed) = HeaderName::try_from(name) else {
            outcome = Err(report.at(&node.place, format!("{} is no name of a header", quote(name))));
            continue;
        };
        match values {
            Ok(values) => {
                for value in values {
                    match HeaderValue::try_from(value) {
                        Ok(value) => drop(headers.append(&parsed, value)),
                        Err(_) => outcome = Err(report.at(&node.place, "cannot be the value of a header")),
                    }
                }
            }
            Err(reported) => outcome = Err(reported),
        }
    }
    outcome.map(|()| headers)
}

/// Seconds since 1970, or a timestamp of RFC 3339.
fn moment(node: &Node, report: &Report) -> Result<UnixTime, Reported> {
    let seconds = match &node.value {
        Yaml::Integer(seconds) => Some(*seconds),
        Yaml::Text(text) => text.parse::<Timestamp>().ok().map(Timestamp::as_second),
        _ => None,
    };
    seconds
        .map(UnixTime::from_secs)
        .ok_or_else(|| node.expected("seconds since 1970, or a time such as `2026-01-01T00:00:00Z`", report))
}

/// A mapping as JSON.
fn members(node: &Node, report: &Report) -> Result<Map<String, Value>, Reported> {
    match json(node, report)? {
        Value::Object(members) => Ok(members),
        _ => Err(node.expected("names and their values", report)),
    }
}

fn json(node: &Node, report: &Report) -> Result<Value, Reported> {
    Ok(match &node.value {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(*value),
        Yaml::Integer(value) => Value::from(*value),
        Yaml::Float(value) => match Number::from_f64(*value) {
            Some(number) => Value::Number(number),
            None => {
                return Err(
                    report.at(&node.place, "is no number that JSON has; write another, or text in quotes")
                );
            }
        },
        Yaml::Text(text) => Value::String(text.clone()),
        Yaml::List(list) => {
            Value::Array(list.iter().map(|item| json(item, report)).collect::<Result<_, _>>()?)
        }
        Yaml::Map(entries) => {
            let members = entries.iter().map(|(name, node)| Ok((name.clone(), json(node, report)?)));
            Value::Object(members.collect::<Result<_, _>>()?)
        }
    })
}

/// As a backend is told: text as it is, anything else as compact JSON.
fn flat(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
