//! The document as a tree of nodes that know their place, and the few combinators that read it.
//!
//! A reader is any `Fn(&Node, &Report) -> Result<T, Reported>`. It reports what is wrong at the node's place and goes on, so
//! that one run finds every mistake; [`Reported`] proves that there was one.

use std::{collections::BTreeMap, fmt, rc::Rc};

use crate::diagnostics::{Report, Reported, list, quote, similar, visible};

/// A value and where it stands. A field stands at its name, an item at its beginning.
#[derive(Debug)]
pub struct Node {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub value: Value,
}

/// What YAML 1.2 and JSON can say.
#[derive(Debug)]
pub enum Value {
    /// `null`, `~`, or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<Node>),
    /// Values by name.
    Map(BTreeMap<String, Node>),
}

/// Line and column, from 1, and the path from the root.
#[derive(Clone, Debug)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The names on the way from the root.
    pub path: Path,
}

/// `backends.orders.routes[1]`, shared with the nodes above and written out only for a mistake.
#[derive(Clone, Debug, Default)]
pub struct Path(Option<Rc<(Path, Step)>>);

#[derive(Debug)]
enum Step {
    Field(String),
    Item(usize),
}

/// The fields of a mapping, as they are asked for.
pub struct Fields<'n> {
    node: &'n Node,
    entries: &'n BTreeMap<String, Node>,
    known: Vec<&'static str>,
    report: &'n Report,
}

/// Reads a mapping of fixed fields. Fields that `read` did not ask for are mistakes.
pub fn fields<T>(
    node: &Node,
    report: &Report,
    read: impl FnOnce(&mut Fields<'_>) -> Result<T, Reported>,
) -> Result<T, Reported> {
    let Value::Map(entries) = &node.value else {
        return Err(node.expected("fields", report));
    };
    let mut fields = Fields { node, entries, known: Vec::new(), report };
    let read = read(&mut fields);
    for (name, field) in entries.iter().filter(|(name, _)| !fields.known.contains(&name.as_str())) {
        report.at(&field.place, unknown_field(name, &fields.known));
    }
    read
}

impl<'n> Fields<'n> {
    /// A field that may be left out.
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Node, &Report) -> Result<T, Reported>,
    ) -> Result<Option<T>, Reported> {
        self.known.push(name);
        self.entries.get(name).map(|node| read(node, self.report)).transpose()
    }

    /// A field that has a default.
    pub fn or<T>(
        &mut self,
        name: &'static str,
        default: T,
        read: impl FnOnce(&Node, &Report) -> Result<T, Reported>,
    ) -> Result<T, Reported> {
        Ok(self.optional(name, read)?.unwrap_or(default))
    }

    /// A field that must be there; `hint` says what to write.
    pub fn required<T>(
        &mut self,
        name: &'static str,
        hint: &str,
        read: impl FnOnce(&Node, &Report) -> Result<T, Reported>,
    ) -> Result<T, Reported> {
        self.optional(name, read)?.ok_or_else(|| self.mistake(format!("`{name}` is missing; write {hint}")))
    }

    /// Whether the field was written, well or badly.
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// A mistake of the mapping as a whole.
    pub fn mistake(&self, message: impl Into<String>) -> Reported {
        self.report.at(&self.node.place, message)
    }

    /// The place of a field, or of the mapping where the field was left out.
    pub fn place_of(&self, name: &str) -> &'n Place {
        &self.entries.get(name).unwrap_or(self.node).place
    }
}

/// Reads a mapping of names that the user chose. Entries with mistakes are left out of the result, so that what refers to the
/// others can still be checked.
pub(crate) fn named<K: Ord, T>(
    read: impl Fn(&str, &Node, &Report) -> Result<(K, T), Reported>,
) -> impl Fn(&Node, &Report) -> Result<BTreeMap<K, T>, Reported> {
    move |node, report| match &node.value {
        Value::Map(entries) => {
            Ok(entries.iter().filter_map(|(name, node)| read(name, node, report).ok()).collect())
        }
        _ => Err(node.expected("a mapping of names", report)),
    }
}

/// Reads a list, all of it even where one item is wrong.
pub fn items<T>(
    read: impl Fn(&Node, &Report) -> Result<T, Reported>,
) -> impl Fn(&Node, &Report) -> Result<Vec<T>, Reported> {
    move |node, report| {
        let Value::List(items) = &node.value else {
            return Err(node.expected("a list", report));
        };
        let read: Vec<_> = items.iter().map(|item| read(item, report)).collect();
        read.into_iter().collect()
    }
}

/// Reads a list whose items are all different.
pub(crate) fn distinct<T: PartialEq>(
    read: impl Fn(&Node, &Report) -> Result<T, Reported>,
) -> impl Fn(&Node, &Report) -> Result<Vec<T>, Reported> {
    move |node, report| {
        let Value::List(list) = &node.value else {
            return Err(node.expected("a list", report));
        };
        if list.len() > MAX_DISTINCT {
            return Err(report.at(&node.place, format!("has more than {MAX_DISTINCT} items; leave some out")));
        }
        let read = items(&read)(node, report)?;
        let twice = read
            .iter()
            .zip(list)
            .enumerate()
            .filter(|(index, (value, _))| read.iter().take(*index).any(|v| v == *value));
        let twice =
            twice.map(|(_, (_, node))| report.at(&node.place, "is named twice; leave one of the two out"));
        twice.last().map_or(Ok(()), Err)?;
        Ok(read)
    }
}

/// Reads a list that is not empty; `hint` says what to write.
pub(crate) fn some<T>(
    hint: &str,
    read: impl Fn(&Node, &Report) -> Result<Vec<T>, Reported>,
) -> impl Fn(&Node, &Report) -> Result<Vec<T>, Reported> {
    move |node, report| match read(node, report)? {
        list if list.is_empty() => Err(report.at(&node.place, format!("is empty; write {hint}"))),
        list => Ok(list),
    }
}

/// Reads one of a few words.
pub fn word<T: Copy>(words: &[(&'static str, T)]) -> impl Fn(&Node, &Report) -> Result<T, Reported> {
    move |node, report| {
        let known = || words.iter().map(|(word, _)| *word);
        let Value::Text(text) = &node.value else {
            return Err(node.expected(&format!("one of {}", list(known())), report));
        };
        let meant = words.iter().find(|(word, _)| word == text).map(|(_, meaning)| *meaning);
        meant.ok_or_else(|| {
            report.at(
                &node.place,
                format!("{} is none of {}{}", quote(text), list(known()), meant_one(text, known())),
            )
        })
    }
}

/// `true` or `false`.
pub fn boolean(node: &Node, report: &Report) -> Result<bool, Reported> {
    match node.value {
        Value::Bool(value) => Ok(value),
        _ => Err(node.expected("`true` or `false`", report)),
    }
}

/// `; did you mean …?`, or nothing.
pub(crate) fn meant_one<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    similar(name, known).map(|known| format!("; did you mean {}?", quote(known))).unwrap_or_default()
}

fn unknown_field(name: &str, known: &[&'static str]) -> String {
    if name == "<<" {
        return "merge keys are not supported; write the fields out".to_owned();
    }
    let lower = name.to_lowercase();
    if ["secret", "password", "private", "credential"].iter().any(|word| lower.contains(word)) {
        return format!(
            "unknown field {}; a configuration holds no secrets, put the key into one of the `stores` \
             and name that",
            quote(name)
        );
    }
    match similar(name, known.iter().copied()) {
        Some(known) => format!("unknown field {}; did you mean {}?", quote(name), quote(known)),
        None => format!("unknown field {}; the fields here are {}", quote(name), list(known.iter().copied())),
    }
}

impl Node {
    /// Reports that the node is of another kind than the one that belongs here.
    pub fn expected(&self, what: &str, report: &Report) -> Reported {
        let found = match &self.value {
            Value::Null => return report.at(&self.place, format!("is empty; write {what} or leave it out")),
            Value::Bool(value) => format!("`{value}`, which is a boolean"),
            Value::Integer(value) => format!("`{value}`, which is a number"),
            Value::Float(value) => format!("`{value}`, which is a number"),
            Value::Text(text) => format!("the text {}", quote(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        };
        report.at(&self.place, format!("is {found}; write {what}"))
    }

    /// The names in a mapping; none for anything else.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        match &self.value {
            Value::Map(entries) => Some(entries.keys().map(String::as_str)),
            _ => None,
        }
        .into_iter()
        .flatten()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.get(name),
            _ => None,
        }
    }

    pub(crate) fn item(&self, index: usize) -> Option<&Self> {
        match &self.value {
            Value::List(items) => items.get(index),
            _ => None,
        }
    }

    /// The place that a path of fields names, or of the last of them that was written.
    pub(crate) fn place_of(&self, path: &[&str]) -> &Place {
        let mut node = self;
        for name in path {
            match node.field(name) {
                Some(field) => node = field,
                None => break,
            }
        }
        &node.place
    }
}

impl Path {
    pub(crate) fn field(&self, name: &str) -> Self {
        Self(Some(Rc::new((self.clone(), Step::Field(name.to_owned())))))
    }

    pub(crate) fn item(&self, index: usize) -> Self {
        Self(Some(Rc::new((self.clone(), Step::Item(index)))))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(last) = &self.0 else { return Ok(()) };
        let (above, step) = last.as_ref();
        above.fmt(f)?;
        match step {
            Step::Item(index) => write!(f, "[{index}]"),
            Step::Field(name) if above.0.is_none() => f.write_str(&visible(name)),
            Step::Field(name) => write!(f, ".{}", visible(name)),
        }
    }
}

/// More items in a list of names than this are a mistake.
const MAX_DISTINCT: usize = 256;
