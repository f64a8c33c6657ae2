//! The golden table `mistakes.txt`: what is changed in `base.yaml`, and exactly what is said about it.

use std::path::Path;

use drawbridge_config::load;

use crate::{schema::validator, to_json};

pub(crate) const BASE: &str = include_str!("base.yaml");

/// Whose business a mistake is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// The text is no document at all.
    Text,
    /// A field cannot hold this: the JSON Schema refuses it too.
    Shape,
    /// Fields contradict one another: beyond the JSON Schema, which accepts it.
    Sense,
}

struct Case {
    name: String,
    kind: Kind,
    text: String,
    expected: String,
}

/// A case is `# name (kind)`, the lines to take out of `base.yaml` (`- `), the lines to put there (`+ `; the whole document
/// where nothing is taken out), and the lines that are expected (`> `).
fn cases() -> Vec<Case> {
    let lines = |case: &str, mark| {
        case.lines()
            .filter_map(|line| line.strip_prefix(mark))
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let case = |case: &str| {
        let (name, kind) = case.lines().next().unwrap().trim_end_matches(')').split_once(" (").unwrap();
        let kind = match kind {
            "text" => Kind::Text,
            "shape" => Kind::Shape,
            "sense" => Kind::Sense,
            kind => panic!("{kind}"),
        };
        let (out, put) = (lines(case, '-'), lines(case, '+'));
        assert!(BASE.contains(&out), "{name}: `{out}` is not in base.yaml");
        let text = if out.is_empty() { put } else { BASE.replacen(&out, &put, 1) };
        Case { name: name.to_owned(), kind, text, expected: lines(case, '>') }
    };
    include_str!("mistakes.txt").split("\n# ").skip(1).map(case).collect()
}

#[test]
fn every_mistake_is_named_with_its_place_and_the_mend() {
    let cases = cases();
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut wrong = String::new();
    for case in cases {
        let said = match load(&case.text, "drawbridge.yaml", Path::new(FOLDER)) {
            Ok(_) => "accepted".to_owned(),
            Err(mistakes) => mistakes.to_string(),
        };
        if said != case.expected {
            wrong += &format!(
                "# {}\n{}\n",
                case.name,
                said.lines().map(|line| format!("> {line}\n")).collect::<String>()
            );
        }
    }
    assert!(wrong.is_empty(), "what was said instead:\n{wrong}");
}

#[test]
fn the_schema_refuses_what_no_field_can_hold_and_leaves_the_rest_to_the_loader() {
    let schema = validator();
    for case in cases().into_iter().filter(|case| case.kind != Kind::Text) {
        let valid = schema.is_valid(&to_json(&case.text));
        assert_eq!(valid, case.kind == Kind::Sense, "{}", case.name);
    }
}

#[test]
fn the_document_that_the_table_changes_has_no_mistake() {
    load(BASE, "drawbridge.yaml", Path::new(FOLDER)).unwrap();
}

/// Where the policy files of the cases are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
