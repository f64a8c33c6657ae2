//! The policy that a request is answered with: right for its route, and for nothing else that it may be applied to; or, where the
//! routes are such that it can be, right for the whole stage (module [`stage`]).
//!
//! API Gateway keeps the answer for the authorizer's TTL and applies it to every request with the same identity source values,
//! whatever its method and path ("the five-minute wrong decision", the most reported one on API Gateway). In a resource `*`
//! stands for any text *with slashes in it*, so that `customers/*`, meant for `/customers/{customer}`, also covers
//! `customers/1/orders` and `customers/..;/admin`. Therefore an allow for a template with parameters comes with denies for
//! all that its wildcards cover beyond the route, and explicit denies win:
//!
//! * longer paths: a parameter is one segment;
//! * empty segments, and `.` and `..`;
//! * what the gate refuses in a path, as it is or percent-encoded: `;`, `\`, `#`, `%2f`, …; where this request needed no
//!   percent-encoding, everything that has some;
//! * the paths that another configured route takes away, such as `/customers/me` from `/customers/{customer}`, however they are
//!   spelled.
//!
//! `{*rest}` is taken with as many segments as the request has. Nothing in a resource comes from the request but that number:
//! method and path are the configured template's, and a literal template is its own resource, without wildcards or denies.
//!
//! The one price: a path that encodes what needs no encoding (`/customers/%6de`), or has a segment that begins with three dots, may
//! be refused with 403 where the gate would have allowed it.
//!
//! What no policy can say: that encoded bytes are UTF-8 without look-alikes of delimiters (after a request that needed encoding,
//! a cached answer leaves that check to the backend), that a path is
//! another route's where upper and lower case are the same (`/customers/ME`), and which *values* of a parameter were meant: one answer holds for all
//! customers. Where the decision depends on the object (`policy: true`), the TTL must be 0.

mod kept;
mod stage;

use std::{collections::BTreeSet, sync::Arc};

use drawbridge_policy::{Route, Routes};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

pub(crate) use kept::Kept;
pub use stage::{PerRoute, stage_wide};
pub(crate) use stage::{StageWide, may_allow};

use crate::arn::{Called, MethodArn};

/// `policyDocument`.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Policy {
    version: &'static str,
    statement: Vec<Statement>,
}

/// One statement of it.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    action: &'static str,
    effect: &'static str,
    resource: Vec<String>,
}

impl Policy {
    /// Allows the route that the request took, and nothing else. None when a resource would be too long.
    pub(crate) fn allow(arn: &MethodArn<'_>, routes: &Routes, method: &str, template: &str) -> Option<Self> {
        let stage = arn.stage();
        let Called::Method { path, .. } = arn.called() else {
            return Some(Self::new(vec![statement("Allow", vec![format!("{stage}/$connect")])]));
        };
        let (route, method) = route(routes, method, template)?;
        let length = path.split('/').count();
        let pattern = Pattern::of(route, path)?;
        let mut statements = vec![statement("Allow", vec![format!("{stage}/{method}/{pattern}")])];
        if pattern.has_wildcard() {
            let mut beyond = vec![format!("{stage}/{method}/{}", ["*"].repeat(length + 1).join("/"))];
            beyond.extend(SEGMENTS.iter().map(|tail| format!("{stage}{tail}")));
            if !pattern.ends_in_slash() {
                beyond.push(format!("{stage}*/"));
            }
            beyond.extend(refused_in(path).map(|text| format!("{stage}*{text}*")));
            let others =
                routes.iter().filter(|other| other.template != route.template && takes(other, method));
            for other in others.filter_map(|other| Pattern::of(other, path)) {
                let taken = pattern.taken_by(&other, path.contains('%'));
                beyond.extend(taken.iter().map(|taken| format!("{stage}/{method}/{taken}")));
            }
            statements.push(statement("Deny", beyond));
        }
        let fits = |resource: &String| resource.len() <= MAX_RESOURCE;
        statements.iter().all(|statement| statement.resource.iter().all(fits)).then(|| Self::new(statements))
    }

    /// Denies everything in the stage. A policy without an allow does so anyway; this one says that it is meant.
    pub(crate) fn deny(arn: &MethodArn<'_>) -> Self {
        Self::new(vec![statement("Deny", vec![format!("{}/*", arn.stage())])])
    }

    /// As JSON. None for nothing that is made here.
    pub(crate) fn text(&self) -> Option<Arc<RawValue>> {
        to_raw_value(self).ok().map(Arc::from)
    }

    fn new(statement: Vec<Statement>) -> Self {
        Self { version: "2012-10-17", statement }
    }
}

fn statement(effect: &'static str, resource: Vec<String>) -> Statement {
    Statement { action: "execute-api:Invoke", effect, resource }
}

/// The configured route of a decision, with the method as the configuration has it.
fn route<'r>(routes: &'r Routes, method: &str, template: &str) -> Option<(&'r Route, &'r str)> {
    let route = routes.iter().find(|route| route.template == template && takes(route, method))?;
    Some((route, route.methods.iter().find(|have| *have == method)?))
}

fn takes(route: &Route, method: &str) -> bool {
    route.methods.iter().any(|have| have == method)
}

/// A template for paths of one number of segments, which end in a slash or do not.
struct Pattern<'t>(Vec<Segment<'t>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment<'t> {
    Literal(&'t str),
    Parameter,
    Rest,
}

impl<'t> Pattern<'t> {
    /// The template for paths of the form of `path`; None where the route takes none of them.
    fn of(route: &'t Route, path: &str) -> Option<Self> {
        let length = path.split('/').count();
        let mut segments: Vec<_> = route
            .template
            .strip_prefix('/')?
            .split('/')
            .map(|part| match part.strip_prefix('{') {
                None => Segment::Literal(part),
                Some(name) if name.starts_with('*') => Segment::Rest,
                Some(_) => Segment::Parameter,
            })
            .collect();
        if segments.last() == Some(&Segment::Rest) && segments.len() <= length {
            segments.resize(length, Segment::Rest);
            // What is taken with the rest may end in a slash, but not be one.
            if path.ends_with('/') {
                segments.pop();
                if segments.last() != Some(&Segment::Rest) {
                    return None;
                }
                segments.push(Segment::Literal(""));
            }
        }
        (segments.len() == length).then_some(Self(segments))
    }

    fn has_wildcard(&self) -> bool {
        self.0.iter().any(|segment| !matches!(segment, Segment::Literal(_)))
    }

    fn ends_in_slash(&self) -> bool {
        self.0.last() == Some(&Segment::Literal(""))
    }

    /// The paths of this pattern that the other one takes, if it takes any: both match them, and the first segment in which
    /// they differ is narrower there. With `encoded`, also those in which a literal that makes the difference may be spelled
    /// with percent-encoding.
    fn taken_by(&self, other: &Self, encoded: bool) -> Vec<String> {
        let mut widths = self.0.iter().zip(&other.0).map(|(ours, theirs)| (ours.width(), theirs.width()));
        if widths.find(|(ours, theirs)| ours != theirs).is_none_or(|(ours, theirs)| ours < theirs) {
            return Vec::new();
        }
        let mut common = Vec::new();
        for segments in self.0.iter().zip(&other.0) {
            common.push(match segments {
                (Segment::Literal(ours), Segment::Literal(theirs)) if ours == theirs => *ours,
                (Segment::Literal(_), Segment::Literal(_)) => return Vec::new(),
                // No parameter is empty.
                (Segment::Literal(""), _) | (_, Segment::Literal("")) => return Vec::new(),
                (Segment::Literal(text), _) | (_, Segment::Literal(text)) => text,
                _ => "*",
            });
        }
        let mut taken = vec![common.join("/")];
        if encoded {
            for (index, text) in common.iter().enumerate().filter(|(_, text)| **text != "*") {
                let Some(Segment::Parameter | Segment::Rest) = self.0.get(index) else { continue };
                taken.extend(encodings(text).into_iter().map(|encoding| {
                    let segments = self.0.iter().enumerate().map(|(at, segment)| match segment {
                        _ if at == index => format!("*{encoding}*"),
                        Segment::Literal(text) => (*text).to_owned(),
                        Segment::Parameter | Segment::Rest => "*".to_owned(),
                    });
                    segments.collect::<Vec<_>>().join("/")
                }));
            }
        }
        taken
    }
}

impl Segment<'_> {
    /// A router tries the narrower one first.
    fn width(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Parameter => 1,
            Self::Rest => 2,
        }
    }
}

impl std::fmt::Display for Pattern<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            let slash = if index == 0 { "" } else { "/" };
            let text = match segment {
                // The grammar of templates has no wildcard, and no `${`, in a literal.
                Segment::Literal(text) => text,
                Segment::Parameter | Segment::Rest => "*",
            };
            write!(f, "{slash}{text}")?;
        }
        Ok(())
    }
}

/// What a wildcard must not cover in a request's path: anything percent-encoded, or where this request's own path has some of
/// that, what the gate refuses.
fn refused_in(path: &str) -> impl Iterator<Item = &'static str> {
    let encoded: &[_] = if path.contains('%') { &ENCODED } else { &["%"] };
    LITERAL.iter().chain(encoded).copied()
}

/// How the characters of a literal look percent-encoded.
fn encodings(literal: &str) -> BTreeSet<String> {
    literal.bytes().flat_map(|byte| [format!("%{byte:02x}"), format!("%{byte:02X}")]).collect()
}

/// After the stage: segments that are empty, `.`, `..` or more dots, anywhere but at the end where a slash may be meant.
const SEGMENTS: [&str; 6] = ["*//*", "*/./*", "*/.", "*/../*", "*/..", "*/...*"];

const LITERAL: [&str; 3] = [";", "\\", "#"];

/// Controls, `/`, `?`, `%`, `;`, `\` and `#`, which the gate refuses, what an ASCII character begins with in UTF-8 that is longer
/// than it must be, and `.`, which nobody needs to encode.
const ENCODED: [&str; 24] = [
    "%0", "%1", "%7f", "%7F", "%2f", "%2F", "%3f", "%3F", "%25", "%3b", "%3B", "%5c", "%5C", "%23", "%c0",
    "%C0", "%c1", "%C1", "%e0%8", "%E0%8", "%f0%8", "%F0%8", "%2e", "%2E",
];

/// The longest resource that a policy may name.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html>
const MAX_RESOURCE: usize = 512;

#[cfg(test)]
mod tests;
