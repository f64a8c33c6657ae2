//! From text to tree. YAML 1.2 and JSON, without what makes a document mean more than it says: anchors, aliases, tags, merge
//! keys, duplicate names and several documents in one file are mistakes.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
};

use saphyr::{Marker, Scalar, ScalarStyle, ScanError};
use saphyr_parser::{Event, Parser, Span, StrInput};

use crate::{
    diagnostics::{Report, Reported, quote},
    tree::{Node, Path, Place, Value},
};

/// The largest document, in bytes.
pub(crate) const MAX_BYTES: usize = 1024 * 1024;

/// Parses the one document of `text`. Duplicate names, anchors and tags do not end the parse; what else is wrong does.
///
/// `least` says what to write into a document that is empty.
pub(crate) fn parse(text: &str, least: &str, report: &Report) -> Result<Node, Reported> {
    if text.len() > MAX_BYTES {
        return Err(report
            .whole(format!("is longer than {MAX_BYTES} bytes; a configuration of this size is a mistake")));
    }
    let text = &*one_escape(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut reader = Reader { parser: Parser::new_from_str(text), text, least, nodes: 0, report };
    reader.document()
}

struct Reader<'t, 'r> {
    parser: Parser<'t, StrInput<'t>>,
    text: &'t str,
    least: &'r str,
    nodes: usize,
    report: &'r Report,
}

impl<'t> Reader<'t, '_> {
    fn document(&mut self) -> Result<Node, Reported> {
        let (event, span) = loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_), _) => {}
                (Event::StreamEnd, _) => return Err(self.empty()),
                found => break found,
            }
        };
        let root = self.node(event, &span, self.place(&span.start, Path::default()), 0)?;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => break,
                (Event::DocumentStart(_), span) => {
                    let place = self.place(&span.start, Path::default());
                    return Err(self
                        .report
                        .at(&place, "a second document begins here; write one document in a file"));
                }
                _ => {}
            }
        }
        match root.value {
            Value::Null => Err(self.empty()),
            _ => Ok(root),
        }
    }

    fn node(&mut self, event: Event<'t>, span: &Span, place: Place, depth: usize) -> Result<Node, Reported> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self
                .report
                .at(&place, format!("the document has more than {MAX_NODES} values; split it")));
        }
        if depth > MAX_DEPTH {
            return Err(self
                .report
                .at(&place, format!("is nested more than {MAX_DEPTH} levels deep; nothing here is")));
        }
        let value = match event {
            Event::Alias(_) => {
                let place = self.place(&span.start, place.path);
                return Err(self.report.at(&place, ALIAS));
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.plain(anchor, tag.is_some(), span, &place);
                match Scalar::parse_from_cow_and_metadata(text, style, None) {
                    None | Some(Scalar::Null) => Value::Null,
                    Some(Scalar::Boolean(value)) => Value::Bool(value),
                    Some(Scalar::Integer(value)) => Value::Integer(value),
                    Some(Scalar::FloatingPoint(value)) => Value::Float(value.into_inner()),
                    Some(Scalar::String(text)) => Value::Text(text.into_owned()),
                }
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain(anchor, tag.is_some(), span, &place);
                self.sequence(&place, depth)?
            }
            Event::MappingStart(anchor, tag) => {
                self.plain(anchor, tag.is_some(), span, &place);
                self.mapping(&place, depth)?
            }
            // The parser sends nothing else where a node belongs.
            _ => return Err(self.report.at(&place, "is not YAML that can be read here")),
        };
        Ok(Node { place, value })
    }

    fn empty(&self) -> Reported {
        self.report.whole(format!("is empty; write at least {}", self.least))
    }

    fn sequence(&mut self, place: &Place, depth: usize) -> Result<Value, Reported> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Value::List(items));
            }
            let place = self.place(&span.start, place.path.item(items.len()));
            items.push(self.node(event, &span, place, depth + 1)?);
        }
    }

    fn mapping(&mut self, place: &Place, depth: usize) -> Result<Value, Reported> {
        let mut entries = BTreeMap::new();
        loop {
            let (event, span) = self.next()?;
            let (name, place) = match event {
                Event::MappingEnd => return Ok(Value::Map(entries)),
                Event::Scalar(name, style, anchor, tag) => {
                    let place = self.place(&span.start, place.path.field(&name));
                    self.plain(anchor, tag.is_some(), &span, &place);
                    if name.is_empty() && style == ScalarStyle::Plain {
                        return Err(self.report.at(&place, "a name is missing before `:`"));
                    }
                    (name.into_owned(), place)
                }
                _ => {
                    let place = self.place(&span.start, place.path.clone());
                    return Err(self.report.at(
                        &place,
                        "a name must be plain text; quote it if it begins with `{`, `[` or `*`",
                    ));
                }
            };
            let (event, span) = self.next()?;
            let node = self.node(event, &span, place, depth + 1)?;
            match entries.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(node);
                }
                Entry::Occupied(first) => {
                    let message = format!(
                        "{} is written twice, first in line {}; keep one",
                        quote(first.key()),
                        first.get().place.line
                    );
                    self.report.at(&node.place, message);
                }
            }
        }
    }

    fn plain(&self, anchor: usize, tagged: bool, span: &Span, place: &Place) {
        let place = Place { path: place.path.clone(), ..self.place(&span.start, Path::default()) };
        if anchor != 0 {
            self.report.at(&place, "has an anchor (`&`); leave it out, and quote text that begins with `&`");
        }
        if tagged {
            self.report.at(&place, "has a tag (`!`); leave it out, and quote text that begins with `!`");
        }
    }

    fn place(&self, mark: &Marker, path: Path) -> Place {
        Place { line: mark.line(), column: mark.col() + 1, path }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Reported> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Err(self.report.whole("ends in the middle")),
        }
    }

    fn syntax(&self, error: &ScanError) -> Reported {
        let mut place = self.place(error.marker(), Path::default());
        let message = match error.info() {
            info if info.contains("tab") => {
                // The scanner says where the value begins that the tab ends.
                let tabs = self.text.lines().enumerate().skip(place.line.saturating_sub(1));
                let mut tabs = tabs.filter_map(|(index, line)| Some((index, indent(line).find('\t')?)));
                match tabs.next() {
                    Some((index, column)) => {
                        place = Place { line: index + 1, column: column + 1, ..place };
                        "a tab indents this line; YAML is indented by spaces alone".to_owned()
                    }
                    None => format!("is not YAML: {info}"),
                }
            }
            info if info.contains("unknown anchor") => ALIAS.to_owned(),
            info if info.contains("mapping values") => {
                "is not YAML: a second `: ` in a line, or a line that is indented otherwise than those \
                 beside it; put text with `: ` in quotes"
                    .to_owned()
            }
            info => format!("is not YAML: {info}"),
        };
        self.report.at(&place, message)
    }
}

fn indent(line: &str) -> &str {
    line.split(|c: char| !c.is_whitespace()).next().unwrap_or_default()
}

/// JSON writes a character beyond U+FFFF as two escapes, YAML as one: in a JSON document, puts the one for the two.
fn one_escape(text: &str) -> Cow<'_, str> {
    if !text.trim_start().starts_with('{') || !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    let mut joined = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        joined.push_str(before);
        rest = match surrogates(escape) {
            Some((c, after)) => {
                joined.push_str(&format!("\\U{:08x}", u32::from(c)));
                after
            }
            None => {
                let mut after = escape.chars();
                joined.push('\\');
                joined.extend(after.next());
                after.as_str()
            }
        };
    }
    joined.push_str(rest);
    Cow::Owned(joined)
}

/// The character of `uD83D\uDE80`, and what follows.
fn surrogates(escape: &str) -> Option<(char, &str)> {
    let unit = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then(|| u16::from_str_radix(text, 16).ok())
            .flatten()
    };
    let (high, rest) = escape.strip_prefix('u')?.split_at_checked(4)?;
    let (low, rest) = rest.strip_prefix("\\u")?.split_at_checked(4)?;
    let pair = [unit(high).filter(|high| (0xd800..0xdc00).contains(high))?, unit(low)?];
    Some((char::decode_utf16(pair).next()?.ok()?, rest))
}

const ALIAS: &str = "is an alias (`*`); write the value out, and quote text that begins with `*`";
const MAX_NODES: usize = 50_000;
const MAX_DEPTH: usize = 16;
