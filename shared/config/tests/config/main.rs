//! What a configuration can say, what it cannot, and what is said about it then.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "the helpers of tests are tests too"
)]

mod any_text;
mod document;
mod mistakes;
mod sample;
mod schema;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::Value;

/// A document as JSON, by the library's own loader: the second opinion on what it says.
fn to_json(yaml: &str) -> Value {
    fn value(yaml: &Yaml<'_>) -> Value {
        match yaml {
            Yaml::Value(Scalar::String(text)) => Value::from(text.as_ref()),
            Yaml::Value(Scalar::Boolean(value)) => Value::from(*value),
            Yaml::Value(Scalar::Integer(value)) => Value::from(*value),
            Yaml::Value(Scalar::FloatingPoint(value)) => Value::from(value.into_inner()),
            Yaml::Value(Scalar::Null) => Value::Null,
            Yaml::Sequence(items) => items.iter().map(value).collect(),
            Yaml::Mapping(entries) => entries
                .iter()
                .map(|(name, node)| {
                    let name = match value(name) {
                        Value::String(name) => name,
                        name => name.to_string(),
                    };
                    (name, value(node))
                })
                .collect(),
            other => panic!("not JSON: {other:?}"),
        }
    }
    value(&Yaml::load_from_str(yaml).unwrap()[0])
}
