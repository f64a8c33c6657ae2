//! From policy files to policies with names and places.

use std::{collections::HashMap, fmt};

use cedar_policy::{PolicyId, PolicySet, pst};
use miette::Diagnostic;

use super::uses::Reads;

/// A mistake in a policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyMistake {
    /// The file, as the configuration names it.
    pub file: String,
    /// From 1; 0 where all files are meant.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// Policy files that are Cedar.
pub(crate) struct Loaded<'f> {
    pub(crate) files: &'f [(&'f str, &'f str)],
    pub(crate) policies: Vec<Policy>,
}

/// One policy.
pub(crate) struct Policy {
    /// `@id("…")`, or `<file>:<line>`.
    pub(crate) id: String,
    pub(crate) cedar: cedar_policy::Policy,
    /// Index of its file.
    pub(crate) file: usize,
    /// Where it begins in the file, in bytes.
    pub(crate) start: usize,
    /// Its text.
    pub(crate) text: String,
    pub(crate) reads: Reads,
    action: pst::ActionConstraint,
}

/// Parses all files.
///
/// # Errors
/// Every mistake in the syntax, templates, and policies of one id.
pub(crate) fn load<'f>(files: &'f [(&'f str, &'f str)]) -> Result<Loaded<'f>, Vec<PolicyMistake>> {
    let mut mistakes = Vec::new();
    let mut policies: Vec<Policy> = Vec::new();
    let mut places = HashMap::new();
    for (file, (name, text)) in files.iter().enumerate() {
        let set: PolicySet = match text.parse() {
            Ok(set) => set,
            Err(errors) => {
                let errors: cedar_policy::ParseErrors = errors;
                mistakes.extend(errors.iter().map(|error| PolicyMistake::of(name, text, error)));
                continue;
            }
        };
        if let Some(template) = set.templates().next() {
            let start = find(text, 0, &template.to_cedar());
            let message = "a policy with `?principal` or `?resource` is a template, which nothing fills in; write the policy out";
            mistakes.push(PolicyMistake::at(name, text, start, message.to_owned()));
        }
        let mut next = 0;
        for cedar in in_order(&set) {
            let written = cedar.to_cedar().unwrap_or_default();
            let start = find(text, next, &written);
            next = start + written.len();
            let (line, _) = line_and_column(text, start);
            let id = cedar.annotation("id").filter(|id| !id.is_empty());
            let id = id.map_or_else(|| format!("{name}:{line}"), str::to_owned);
            if let Some(first) = places.insert(id.clone(), format!("{name}:{line}")) {
                let message = format!("the policy at {first} has the id `{id}` as well; give each its own");
                mistakes.push(PolicyMistake::at(name, text, start, message));
                continue;
            }
            let Ok(tree) = cedar.to_pst() else {
                let message = "the policy uses syntax that is not known here; write it otherwise".to_owned();
                mistakes.push(PolicyMistake::at(name, text, start, message));
                continue;
            };
            policies.push(Policy {
                cedar: cedar.new_id(PolicyId::new(&id)),
                id,
                file,
                start,
                text: written,
                reads: Reads::of(tree.body().clauses()),
                action: tree.body().action.clone(),
            });
        }
    }
    if mistakes.is_empty() { Ok(Loaded { files, policies }) } else { Err(mistakes) }
}

impl Policy {
    /// Whether an action is in the policy's scope.
    pub(crate) fn is_for(&self, action: &str) -> bool {
        match &self.action {
            pst::ActionConstraint::Any => true,
            pst::ActionConstraint::Eq(uid) => uid.eid == action,
            pst::ActionConstraint::In(uids) => uids.iter().any(|uid| uid.eid == action),
        }
    }
}

impl PolicyMistake {
    /// A mistake at a byte of a file.
    pub(crate) fn at(file: &str, text: &str, start: usize, message: String) -> Self {
        let (line, column) = line_and_column(text, start);
        // Cedar quotes the file, and a line of output must stay one.
        let message = message.replace(char::is_control, " ");
        Self { file: file.to_owned(), line, column, message }
    }

    /// What Cedar says of a file, where Cedar says it is.
    fn of(file: &str, text: &str, diagnostic: &dyn Diagnostic) -> Self {
        Self::at(file, text, place(diagnostic).map_or(0, |(start, _)| start), told(diagnostic))
    }

    pub(crate) fn of_files(files: &[(&str, &str)], message: String) -> Self {
        let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
        Self { file: names.join(", "), line: 0, column: 0, message }
    }
}

impl fmt::Display for PolicyMistake {
    /// `policies/orders.cedar:2:8: …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

impl std::error::Error for PolicyMistake {}

/// The first place that a diagnostic points to: its first byte and its length.
pub(crate) fn place(diagnostic: &dyn Diagnostic) -> Option<(usize, usize)> {
    diagnostic.labels()?.next().map(|label| (label.offset(), label.len()))
}

/// A diagnostic's own words, and its help.
pub(crate) fn told(diagnostic: &dyn Diagnostic) -> String {
    match diagnostic.help() {
        Some(help) => format!("{diagnostic}; {help}"),
        None => diagnostic.to_string(),
    }
}

/// The policies of a file in the order of the text: Cedar numbers them, and its set has no order.
fn in_order(set: &PolicySet) -> Vec<&cedar_policy::Policy> {
    let mut policies: Vec<_> = set.policies().collect();
    policies.sort_by_key(|policy| {
        let id: &str = policy.id().as_ref();
        id.trim_start_matches("policy").parse::<usize>().unwrap_or(usize::MAX)
    });
    policies
}

/// Where `part` stands in `text`, at or after byte `from`, and not in a comment.
fn find(text: &str, from: usize, part: &str) -> usize {
    let mut at = from;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find(part)) {
        let start = at + found;
        let line = text.get(..start).and_then(|before| before.rsplit('\n').next()).unwrap_or_default();
        if !line.contains("//") || part.is_empty() {
            return start;
        }
        at = start + part.chars().next().map_or(1, char::len_utf8);
    }
    from
}

fn line_and_column(text: &str, start: usize) -> (usize, usize) {
    let before = text.get(..start).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}
