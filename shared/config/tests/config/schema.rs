//! The JSON Schema and the loader say the same.

use std::{collections::BTreeSet, path::Path};

use drawbridge_config::{JSON_SCHEMA, load};
use serde_json::{Value, json};

use crate::to_json;

pub(crate) fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::options().build(&schema()).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(JSON_SCHEMA).unwrap()
}

#[test]
fn the_schema_is_a_schema() {
    jsonschema::draft202012::meta::validate(&schema()).unwrap();
}

#[test]
fn what_the_loader_accepts_is_valid() {
    let schema = validator();
    for sample in [crate::sample::EXAMPLE, crate::sample::EVERYTHING, crate::mistakes::BASE] {
        let errors: Vec<_> = schema.iter_errors(&to_json(sample)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

/// Every mapping of fixed fields: where it is in the schema, and where in [`EVERYTHING`](crate::sample::EVERYTHING).
const MAPPINGS: [(&str, &str); 14] = [
    ("", ""),
    ("/$defs/issuer", "/issuers/login"),
    ("/$defs/issuer/properties/keys/oneOf/1", "/issuers/edge/keys"),
    ("/$defs/issuer/properties/key_cache", "/issuers/login/key_cache"),
    ("/$defs/store", "/stores/dev"),
    ("/$defs/store/properties/secrets_manager", "/stores/secrets/secrets_manager"),
    ("/$defs/store/properties/kms", "/stores/kms/kms"),
    ("/$defs/store/properties/key_vault", "/stores/vault/key_vault"),
    ("/$defs/backend", "/backends/orders"),
    ("/$defs/route", "/backends/orders/routes/0"),
    ("/$defs/audit", "/audit"),
    ("/$defs/local", "/local"),
    ("/$defs/local/properties/aws", "/local/aws"),
    ("/$defs/local/properties/azure", "/local/azure"),
];

#[test]
fn the_schema_and_the_loader_know_the_same_fields() {
    let schema = schema();
    for (mapping, place) in MAPPINGS {
        let fields: BTreeSet<&str> = schema.pointer(mapping).unwrap()["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut document = to_json(crate::sample::EVERYTHING);
        document
            .pointer_mut(place)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .insert("zzzzzzzzzzzz".to_owned(), json!(1));
        let mistakes = load(&document.to_string(), "f", Path::new(crate::sample::FOLDER)).unwrap_err();
        let [mistake] = mistakes.0.as_slice() else { panic!("{place}: {mistakes}") };
        let known =
            mistake.message.strip_prefix("unknown field `zzzzzzzzzzzz`; the fields here are ").unwrap();
        let known: BTreeSet<&str> = known.split(", ").map(|name| name.trim_matches('`')).collect();
        assert_eq!(known, fields, "{place}");
    }
}

#[test]
fn no_mapping_of_the_schema_is_missing_in_the_comparison() {
    fn closed(schema: &Value) -> usize {
        let below: usize = match schema {
            Value::Object(members) => members.values().map(closed).sum(),
            Value::Array(items) => items.iter().map(closed).sum(),
            _ => 0,
        };
        below + usize::from(schema.get("additionalProperties") == Some(&json!(false)))
    }
    assert_eq!(closed(&schema()), MAPPINGS.len());
}

#[test]
fn every_field_of_the_schema_is_described() {
    let schema = schema();
    for (mapping, _) in MAPPINGS {
        for (name, field) in schema.pointer(mapping).unwrap()["properties"].as_object().unwrap() {
            let target =
                field["$ref"].as_str().and_then(|target| schema.pointer(target.trim_start_matches('#')));
            let described =
                [Some(field), target].into_iter().flatten().any(|field| field["description"].is_string());
            assert!(described, "{mapping}/{name}");
        }
    }
}

#[test]
fn every_field_of_the_schema_is_in_the_readme() {
    let schema = schema();
    let readme = include_str!("../../README.md");
    for (mapping, _) in MAPPINGS {
        for name in schema.pointer(mapping).unwrap()["properties"].as_object().unwrap().keys() {
            let spelt =
                ["`", "."].iter().flat_map(|before| ["`", "."].map(|after| format!("{before}{name}{after}")));
            assert!(spelt.into_iter().any(|spelt| readme.contains(&spelt)), "{mapping}/{name}");
        }
    }
}

#[test]
fn the_defaults_of_the_schema_are_those_of_the_loader() {
    let schema = schema();
    let bare = json!({
        "issuers": { "login": { "issuer": "i", "keys": { "jwks": "https://k" }, "algorithms": ["ES256"] } },
        "stores": { "kms": { "kms": {} }, "vault": { "key_vault": { "url": "https://v" } } },
        "backends": { "orders": { "issuer": "login", "routes": [{ "path": "/", "methods": ["GET"], "scopes": [] }] } },
    });
    let mut written = bare.clone();
    for (mapping, place) in [
        ("", ""),
        ("/$defs/issuer", "/issuers/login"),
        ("/$defs/issuer/properties/key_cache", "/issuers/login/key_cache"),
        ("/$defs/store/properties/kms", "/stores/kms/kms"),
        ("/$defs/store/properties/key_vault", "/stores/vault/key_vault"),
        ("/$defs/backend", "/backends/orders"),
        ("/$defs/route", "/backends/orders/routes/0"),
        ("/$defs/audit", "/audit"),
        ("/$defs/local", "/local"),
        ("/$defs/local/properties/aws", "/local/aws"),
        ("/$defs/local/properties/azure", "/local/azure"),
    ] {
        for (name, field) in schema.pointer(mapping).unwrap()["properties"].as_object().unwrap() {
            let target =
                field["$ref"].as_str().and_then(|target| schema.pointer(target.trim_start_matches('#')));
            let default = field.get("default").or_else(|| target?.get("default"));
            // An empty list of policies is not the same as none: it decides nothing, which is a mistake.
            if let Some(default) = default.filter(|_| name != "policy" || mapping == "/$defs/route") {
                let place = written.pointer_mut(place).unwrap().as_object_mut().unwrap();
                place.entry(name).or_insert_with(|| default.clone());
            }
        }
    }
    assert_ne!(bare, written);
    let load = |document: &Value| format!("{:?}", load(&document.to_string(), "f", Path::new("")).unwrap());
    assert_eq!(load(&bare), load(&written));
}
