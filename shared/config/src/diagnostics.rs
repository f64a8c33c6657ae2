use std::{cell::RefCell, fmt};

use crate::{policies::PolicyCheck, tree::Place};

/// One mistake, with its place and the mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file as it was named, or `<DRAWBRIDGE_CONFIG>`.
    pub file: String,
    /// From 1; 0 where the whole file is meant.
    pub line: usize,
    /// From 1, in characters; 0 where the whole file is meant.
    pub column: usize,
    /// `backends.orders.routes[1].path`; empty for the whole file.
    pub path: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Mistake {
    /// `drawbridge.yaml:9:5: issuers.login.algorithms: …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// All mistakes of a file, in its order. At most 100 are kept; a last one says how many more there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Collects the mistakes of one file while it is read.
pub struct Report {
    file: String,
    mistakes: RefCell<Vec<Mistake>>,
    /// What is left to check when all of the file is read.
    policies: RefCell<Vec<PolicyCheck>>,
}

/// Proof that a mistake was reported: whoever has it may give up quietly.
#[derive(Clone, Copy, Debug)]
pub struct Reported(());

impl Report {
    pub(crate) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), mistakes: RefCell::default(), policies: RefCell::default() }
    }

    /// A mistake at a place of the document.
    pub fn at(&self, place: &Place, message: impl Into<String>) -> Reported {
        self.push(place.line, place.column, place.path.to_string(), message.into())
    }

    /// A mistake in another file, which the document names at `path`.
    pub(crate) fn within(
        &self,
        path: &str,
        file: String,
        line: usize,
        column: usize,
        message: String,
    ) -> Reported {
        let path = path.to_owned();
        self.mistakes.borrow_mut().push(Mistake { file, line, column, path, message });
        Reported(())
    }

    /// A mistake of the whole file.
    pub(crate) fn whole(&self, message: impl Into<String>) -> Reported {
        self.push(0, 0, String::new(), message.into())
    }

    /// Leaves policies to be checked.
    pub(crate) fn leave(&self, policies: PolicyCheck) {
        self.policies.borrow_mut().push(policies);
    }

    /// What was left.
    pub(crate) fn left(&self) -> Vec<PolicyCheck> {
        self.policies.take()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.mistakes.borrow().is_empty()
    }

    pub(crate) fn into_mistakes(self) -> Mistakes {
        let mut mistakes = self.mistakes.into_inner();
        let order = |mistake: &Mistake| {
            (mistake.file != self.file, mistake.file.clone(), mistake.line, mistake.column)
        };
        mistakes.sort_by_cached_key(order);
        let more = mistakes.len().saturating_sub(MAX_MISTAKES);
        if more > 0 {
            mistakes.truncate(MAX_MISTAKES);
            let message = format!("{more} more mistakes are not shown; mend these first");
            mistakes.push(Mistake { file: self.file, line: 0, column: 0, path: String::new(), message });
        }
        Mistakes(mistakes)
    }

    fn push(&self, line: usize, column: usize, path: String, message: String) -> Reported {
        self.mistakes.borrow_mut().push(Mistake { file: self.file.clone(), line, column, path, message });
        Reported(())
    }
}

/// What the file says, in backticks: shortened, and with what could forge or reorder a line of output made visible.
pub fn quote(text: &str) -> String {
    format!("`{}`", visible(text))
}

/// As [`quote`], without the backticks.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == MAX_QUOTED {
            shown.push('…');
            break;
        }
        if c.is_control() || is_format(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// The known names as a list in backticks, or that there are none.
pub(crate) fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().collect();
    let mut listed = names.iter().copied().take(MAX_LISTED).map(quote).collect::<Vec<_>>().join(", ");
    if names.len() > MAX_LISTED {
        listed.push_str(", …");
    }
    if listed.is_empty() { "none".to_owned() } else { listed }
}

/// The known name that was probably meant.
pub(crate) fn similar<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.chars().nth(MAX_QUOTED).is_some() {
        return None;
    }
    known
        .into_iter()
        .take(MAX_COMPARED)
        .map(|candidate| {
            (
                strsim::normalized_damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(likeness, _)| *likeness >= 0.6)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// Zero-width and direction-changing characters, line and paragraph separators, the byte order mark.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

const MAX_MISTAKES: usize = 100;
const MAX_QUOTED: usize = 80;
const MAX_LISTED: usize = 16;
const MAX_COMPARED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_shown_as_place_path_and_mend() {
        let mut mistake = Mistake {
            file: "drawbridge.yaml".to_owned(),
            line: 9,
            column: 5,
            path: "issuers.login.algorithms".to_owned(),
            message: "wrong".to_owned(),
        };
        assert_eq!(mistake.to_string(), "drawbridge.yaml:9:5: issuers.login.algorithms: wrong");
        mistake.path.clear();
        assert_eq!(mistake.to_string(), "drawbridge.yaml:9:5: wrong");
        mistake.line = 0;
        assert_eq!(mistake.to_string(), "drawbridge.yaml: wrong");
    }

    #[test]
    fn what_is_quoted_cannot_forge_a_line() {
        assert_eq!(quote("a\nb\u{202e}c\u{1b}[0m"), r"`a\u{a}b\u{202e}c\u{1b}[0m`");
        assert_eq!(quote(&"x".repeat(1000)), format!("`{}…`", "x".repeat(80)));
    }

    #[test]
    fn the_name_that_was_probably_meant_is_found() {
        let known = ["audience", "algorithms", "types"];
        assert_eq!(similar("audiance", known), Some("audience"));
        assert_eq!(similar("algorithm", known), Some("algorithms"));
        assert_eq!(similar("Type", known), Some("types"));
        assert_eq!(similar("colour", known), None);
    }

    #[test]
    fn only_the_first_hundred_mistakes_are_kept() {
        let report = Report::new("f");
        for _ in 0..250 {
            report.whole("wrong");
        }
        let mistakes = report.into_mistakes().0;
        assert_eq!(mistakes.len(), 101);
        assert_eq!(mistakes[100].message, "150 more mistakes are not shown; mend these first");
    }
}
