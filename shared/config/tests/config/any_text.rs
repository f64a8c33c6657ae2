//! No text makes the loader panic, hang or point outside the text.

use std::{path::Path, sync::LazyLock};

use drawbridge_config::load;
use proptest::prelude::*;

use crate::sample::{EVERYTHING, EXAMPLE, FOLDER};

/// Loads, and checks that mistakes are about places that exist. Whether there are none.
fn survives(text: &str) -> bool {
    let Err(mistakes) = load(text, "f", Path::new(FOLDER)) else { return true };
    assert!(!mistakes.0.is_empty());
    let lines = text.split(['\n', '\r']).count();
    for mistake in mistakes.0 {
        assert!(mistake.line <= lines + 1 || mistake.file != "f", "{mistake}");
        assert!(!mistake.to_string().contains(['\n', '\r', '\u{1b}']), "{mistake}");
    }
    false
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_survived(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn text_of_the_characters_that_mean_something_is_survived(text in "[-:,?&*!|>%@`\"'#{}\\[\\]~<= \t\n\r\u{feff}0-9a-c\\\\.]{0,200}") {
        survives(&text);
    }

    #[test]
    fn changed_samples_are_survived(
        everything: bool,
        at in any::<prop::sample::Index>(),
        length in 0usize..40,
        put in "[-:,?&*!|>\"'#{}\\[\\]~ \t\na-c0-9]{0,8}",
    ) {
        let sample: Vec<char> = if everything { EVERYTHING } else { EXAMPLE }.chars().collect();
        let at = at.index(sample.len());
        let end = (at + length).min(sample.len());
        survives(&sample[..at].iter().copied().chain(put.chars()).chain(sample[end..].iter().copied()).collect::<String>());
    }

    #[test]
    fn with_a_value_of_another_kind_anywhere_what_is_accepted_is_valid(at in any::<prop::sample::Index>(), kind in 0usize..8) {
        let mut document = crate::to_json(EVERYTHING);
        let mut places = Vec::new();
        pointers(&document, String::new(), &mut places);
        let place = at.get(&places);
        let values = serde_json::json!([null, true, -1, 1.5, "", "x", [], {}]);
        *document.pointer_mut(place).unwrap() = values[kind].clone();
        if survives(&document.to_string()) {
            prop_assert!(SCHEMA.is_valid(&document), "{}", place);
        }
    }
}

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(crate::schema::validator);

fn pointers(value: &serde_json::Value, at: String, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => members.iter().for_each(|(name, member)| {
            pointers(member, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found)
        }),
        serde_json::Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| pointers(item, format!("{at}/{index}"), found));
        }
        _ => {}
    }
    found.push(at);
}

#[test]
fn hostile_documents_are_refused_in_bounded_time_and_memory() {
    let laughs = (1..20).fold("a0: &a0 [x, x]\n".to_owned(), |text, level| {
        let below = level - 1;
        format!("{text}a{level}: &a{level} [{}]\n", vec![format!("*a{below}"); 10].join(", "))
    });
    let documents = [
        laughs,
        "[".repeat(500_000),
        "{a: ".repeat(200_000),
        "- ".repeat(500_000),
        "? ".repeat(500_000),
        "a:\n".repeat(300_000),
        (0..60_000).map(|name| format!("a{name}: 1\n")).collect(),
        format!("issuers: {}", "x".repeat(1_000_000)),
        format!("{}: 1", "x".repeat(1_000_000)),
        format!("\"{}\": 1", "x".repeat(1_000_000)),
        "\"\\u0000".repeat(100_000),
        "!".repeat(1_000_000),
        "&".repeat(1_000_000),
        "#".repeat(1_000_000),
        " \n".repeat(500_000),
        "a: |\n".to_owned() + &"  x\n".repeat(250_000),
        "%YAML 1.2\n".repeat(100_000),
    ];
    for document in documents {
        assert!(!survives(&document));
    }
}
