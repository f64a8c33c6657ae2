//! One policy for a whole stage: right for every configured route, so that it may be remembered by token alone.
//!
//! It allows the routes that the token grants, of every method, and denies the rest of what their wildcards cover: *holes*, which
//! are no route's or another granted one's, and what a route that is not granted *takes* from a granted one. Since a deny wins
//! wherever it matches, and `*` covers slashes in denies as well, not every table of routes can be said this way: a policy cannot
//! both deny `/customers/{customer}/anything` and allow `/customers/{customer}/orders`. Whether it can does not depend on the
//! token: [`StageWide::new`] decides it for every set of granted routes at once, or says which two routes are in the way.
//!
//! The policy is made from the configuration, the stage and the granted routes, and from nothing else of the request.

use std::collections::BTreeSet;

use drawbridge_policy::{METHODS, Path, Route, Routes};
use thiserror::Error;

use super::{ENCODED, LITERAL, MAX_RESOURCE, Pattern, Policy, SEGMENTS, Segment, statement, takes};
use crate::arn::{Called, MethodArn};

/// Routes of which any may be granted in one policy.
pub(crate) struct StageWide {
    /// One for each method of each route.
    lines: Vec<Line>,
}

/// One method of one route. Resources begin after the stage.
struct Line {
    /// Its index among the configured routes.
    route: usize,
    allow: String,
    holes: Vec<Hole>,
    taken: Vec<Taken>,
}

/// What the allow covers beyond its route.
struct Hole {
    resource: String,
    /// Routes whose own allow covers all of it, and whose own holes bound it where they are granted.
    covered_by: Vec<usize>,
}

/// What another route has of this one's paths.
struct Taken {
    by: usize,
    resources: Vec<String>,
}

/// Why one answer cannot be right for all routes of a backend.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PerRoute {
    /// Two requests of one route may be decided otherwise.
    #[error("`{0}` has `policy: true`, so its decision depends on the object")]
    Object(String),
    /// No policy can tell two routes apart.
    #[error("`*` of a policy covers slashes, so that what bounds `{0}` would deny `{1}`")]
    Overlap(String, String),
    /// One policy would be longer than an answer may be.
    #[error("one policy for all its routes would leave too little of an answer to the context")]
    TooLong,
}

/// Whether one policy is right for every route of a backend, whatever of them a token grants, so that API Gateway may remember it
/// by token alone.
///
/// # Errors
/// Why it is not, so that an answer is right for the route of its request only.
pub fn stage_wide(routes: &Routes) -> Result<(), PerRoute> {
    StageWide::new(routes).map(|_| ())
}

impl StageWide {
    /// # Errors
    /// [`PerRoute`].
    pub(crate) fn new(routes: &Routes) -> Result<Self, PerRoute> {
        if let Some(route) = routes.iter().find(|route| route.policy) {
            return Err(PerRoute::Object(format!("{} {}", route.methods.join(", "), route.template)));
        }
        let mut lines = Vec::new();
        for method in METHODS {
            let table = Table::of(routes, method);
            for entry in &table.entries {
                lines.push(table.line(entry)?);
            }
        }
        let this = Self { lines };
        let resources = this.lines.iter().flat_map(Line::resources).chain(refused());
        let lengths: Vec<_> = resources.map(|resource| STAGE + resource.len()).collect();
        // Each stands in quotes, with a comma after it.
        let policy: usize = lengths.iter().map(|length| length + 3).sum();
        let fits = policy <= MAX_POLICY && lengths.iter().all(|length| *length <= MAX_RESOURCE);
        if fits { Ok(this) } else { Err(PerRoute::TooLong) }
    }

    /// Allows the granted routes in the whole stage, and nothing else. None when a resource would be too long, and for a
    /// connection.
    pub(crate) fn policy(&self, arn: &MethodArn<'_>, granted: &[usize]) -> Option<Policy> {
        if arn.called() == Called::Connect {
            return None;
        }
        let stage = arn.stage();
        let lines = || self.lines.iter().filter(|line| granted.contains(&line.route));
        let allow: Vec<_> = lines().map(|line| format!("{stage}/{}", line.allow)).collect();
        if allow.is_empty() {
            return Some(Policy::deny(arn));
        }
        let mut deny = BTreeSet::new();
        for line in lines() {
            let holes =
                line.holes.iter().filter(|hole| !hole.covered_by.iter().any(|route| granted.contains(route)));
            let taken = line.taken.iter().filter(|taken| !granted.contains(&taken.by));
            let resources = holes.map(|hole| &hole.resource).chain(taken.flat_map(|taken| &taken.resources));
            deny.extend(resources.map(|resource| format!("{stage}/{resource}")));
        }
        let mut statements = vec![statement("Allow", allow)];
        if lines().any(|line| line.allow.contains('*')) {
            deny.extend(refused().map(|text| format!("{stage}{text}")));
        }
        if !deny.is_empty() {
            statements.push(statement("Deny", deny.into_iter().collect()));
        }
        let fits = |resource: &String| resource.len() <= MAX_RESOURCE;
        statements
            .iter()
            .all(|statement| statement.resource.iter().all(fits))
            .then(|| Policy::new(statements))
    }
}

/// Whether what an ARN names is one of the granted routes, so that [`StageWide::policy`] may allow it. Where that cannot be told,
/// it is.
pub(crate) fn may_allow(arn: &MethodArn<'_>, routes: &Routes, granted: &[usize]) -> bool {
    let Called::Method { method, path } = arn.called() else { return true };
    let path = format!("/{path}");
    Path::parse(&path)
        .map_or(true, |path| routes.find(method, &path).is_ok_and(|found| granted.contains(&found.index)))
}

impl Line {
    fn resources(&self) -> impl Iterator<Item = String> {
        let holes = self.holes.iter().map(|hole| &hole.resource);
        let taken = self.taken.iter().flat_map(|taken| &taken.resources);
        [&self.allow].into_iter().chain(holes).chain(taken).cloned()
    }
}

/// What wildcards must not cover anywhere.
fn refused() -> impl Iterator<Item = String> {
    let texts = LITERAL.iter().chain(&ENCODED).map(|text| format!("*{text}*"));
    SEGMENTS.iter().map(|tail| (*tail).to_owned()).chain(texts)
}

/// The routes of one method.
struct Table<'r> {
    routes: &'r Routes,
    method: &'static str,
    entries: Vec<Entry<'r>>,
}

struct Entry<'r> {
    index: usize,
    route: &'r Route,
    /// The template as it is, with one segment for a rest.
    pattern: Pattern<'r>,
}

impl<'r> Table<'r> {
    fn of(routes: &'r Routes, method: &'static str) -> Self {
        let entries = routes.iter().enumerate().filter(|(_, route)| takes(route, method));
        let entry = |(index, route): (usize, &'r Route)| {
            Some(Entry { index, route, pattern: Pattern::of(route, relative(route))? })
        };
        Self { routes, method, entries: entries.filter_map(entry).collect() }
    }

    fn line(&self, entry: &Entry<'r>) -> Result<Line, PerRoute> {
        let after_method = |text: &str| format!("{}/{text}", self.method);
        let mut line = Line {
            route: entry.index,
            allow: after_method(&entry.pattern.to_string()),
            holes: Vec::new(),
            taken: Vec::new(),
        };
        for hole in entry.pattern.holes() {
            let covered_by = self.covered_by(entry, &hole)?;
            line.holes.push(Hole { resource: after_method(&hole), covered_by });
        }
        for other in self.entries.iter().filter(|other| other.index != entry.index) {
            let taken = self.taken(entry, other)?;
            if !taken.is_empty() {
                let resources = taken.iter().map(|taken| after_method(taken)).collect();
                line.taken.push(Taken { by: other.index, resources });
            }
        }
        Ok(line)
    }

    /// The routes that cover a hole of `entry`; every other one must have nothing in it.
    fn covered_by(&self, entry: &Entry<'r>, hole: &str) -> Result<Vec<usize>, PerRoute> {
        if !hole.contains('*') {
            return Ok(self.routed(hole).into_iter().collect());
        }
        let mut covered_by = Vec::new();
        for other in self.entries.iter().filter(|other| other.pattern.meets(hole)) {
            if !other.pattern.covers(hole) {
                return Err(self.overlap(entry, other));
            }
            covered_by.push(other.index);
        }
        Ok(covered_by)
    }

    /// What `other` takes from `entry`; it must be nothing that a third one has.
    fn taken(&self, entry: &Entry<'r>, other: &Entry<'r>) -> Result<Vec<String>, PerRoute> {
        // One that ends in a rest is as long as the other needs it.
        let longer = if other.pattern.0.len() > entry.pattern.0.len() { other } else { entry };
        let form = relative(longer.route);
        let (Some(ours), Some(theirs)) = (Pattern::of(entry.route, form), Pattern::of(other.route, form))
        else {
            return Ok(Vec::new());
        };
        let taken = ours.taken_by(&theirs, true);
        let Some(common) = taken.first() else { return Ok(taken) };
        if !common.contains('*') {
            // A path that a narrower one has, is taken by that one.
            let its = self.routed(common) == Some(other.index);
            return Ok(if its { taken } else { Vec::new() });
        }
        for third in
            self.entries.iter().filter(|third| third.index != other.index && third.pattern.meets(common))
        {
            let also_loses = !third.pattern.ends_in_rest()
                && third.pattern.0.len() == common.split('/').count()
                && Pattern::of(other.route, relative(third.route))
                    .is_some_and(|theirs| !third.pattern.taken_by(&theirs, false).is_empty());
            if !also_loses {
                return Err(self.overlap(other, third));
            }
        }
        Ok(taken)
    }

    /// The route of a path.
    fn routed(&self, path: &str) -> Option<usize> {
        let path = format!("/{path}");
        Some(self.routes.find(self.method, &Path::parse(&path).ok()?).ok()?.index)
    }

    fn overlap(&self, one: &Entry<'r>, other: &Entry<'r>) -> PerRoute {
        let named = |entry: &Entry<'r>| format!("{} {}", self.method, entry.route.template);
        PerRoute::Overlap(named(one), named(other))
    }
}

/// The template as a path of an ARN.
fn relative(route: &Route) -> &str {
    route.template.strip_prefix('/').unwrap_or(&route.template)
}

impl Pattern<'_> {
    fn ends_in_rest(&self) -> bool {
        self.0.last() == Some(&Segment::Rest)
    }

    /// What the pattern's resource covers beyond it, of paths without empty segments before the last one: a parameter that takes a
    /// slash, and a last wildcard that takes nothing.
    fn holes(&self) -> Vec<String> {
        let with = |at: usize, text: &str| {
            let segments = self.0.iter().enumerate().map(|(index, segment)| match segment {
                _ if index == at => text.to_owned(),
                Segment::Literal(text) => (*text).to_owned(),
                Segment::Parameter | Segment::Rest => "*".to_owned(),
            });
            segments.collect::<Vec<_>>().join("/")
        };
        let parameters = self.0.iter().enumerate().filter(|(_, segment)| **segment == Segment::Parameter);
        let mut holes: Vec<_> = parameters.map(|(index, _)| with(index, "*/*")).collect();
        if let Some(Segment::Parameter | Segment::Rest) = self.0.last() {
            holes.push(with(self.0.len().saturating_sub(1), ""));
        }
        holes
    }

    /// Whether everything that a resource covers is covered by this pattern's own.
    fn covers(&self, resource: &str) -> bool {
        let theirs: Vec<_> = resource.split('/').collect();
        let long_enough = self.0.len() == theirs.len() || self.ends_in_rest() && self.0.len() < theirs.len();
        long_enough
            && self.0.iter().zip(theirs).all(|(ours, theirs)| match ours {
                Segment::Literal(text) => *text == theirs,
                Segment::Parameter | Segment::Rest => !theirs.is_empty(),
            })
    }

    /// Whether a resource covers any path of this pattern.
    fn meets(&self, resource: &str) -> bool {
        let mut ours = Vec::new();
        for (index, segment) in self.0.iter().enumerate() {
            if index > 0 {
                ours.push(Token::One(b'/'));
            }
            match segment {
                Segment::Literal(text) => ours.extend(text.bytes().map(Token::One)),
                Segment::Parameter => ours.extend([Token::InSegment, Token::ManyInSegment]),
                Segment::Rest => ours.extend([Token::InSegment, Token::Many]),
            }
        }
        let theirs: Vec<_> =
            resource.bytes().map(|byte| if byte == b'*' { Token::Many } else { Token::One(byte) }).collect();
        meet(&ours, &theirs)
    }
}

/// A step of two languages that are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    One(u8),
    /// Any one byte but a slash.
    InSegment,
    /// Any number of these.
    ManyInSegment,
    /// Any number of any bytes.
    Many,
}

impl Token {
    fn repeats(self) -> bool {
        matches!(self, Self::ManyInSegment | Self::Many)
    }

    fn shares(self, other: Self) -> bool {
        match (self, other) {
            (Self::One(one), Self::One(other)) => one == other,
            (Self::One(byte), Self::InSegment | Self::ManyInSegment)
            | (Self::InSegment | Self::ManyInSegment, Self::One(byte)) => byte != b'/',
            _ => true,
        }
    }
}

/// Whether some text is of both: every pair of places that one text can reach, from the start to both ends.
fn meet(ours: &[Token], theirs: &[Token]) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![(0, 0)];
    while let Some(place @ (left, right)) = open.pop() {
        if !seen.insert(place) {
            continue;
        }
        let (our, their) = (ours.get(left), theirs.get(right));
        if our.is_none() && their.is_none() {
            return true;
        }
        if our.is_some_and(|our| our.repeats()) {
            open.push((left + 1, right));
        }
        if their.is_some_and(|their| their.repeats()) {
            open.push((left, right + 1));
        }
        if let (Some(our), Some(their)) = (our, their)
            && our.shares(*their)
        {
            open.push((left + usize::from(!our.repeats()), right + usize::from(!their.repeats())));
        }
    }
    false
}

/// The length of a stage's ARN that a policy must have room for, with its slash: few are longer. Where one is, and the policy does
/// not fit, the answer is for its route alone.
const STAGE: usize = 72;

/// The longest policy that leaves room for the context in an answer.
const MAX_POLICY: usize = 5 * 1024;

#[cfg(test)]
mod tests;
