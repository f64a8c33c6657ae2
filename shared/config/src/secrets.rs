//! Configurations hold no secrets: what looks like a private key is found before anything could quote it.

use crate::{
    diagnostics::{Report, Reported},
    tree::{Node, Value},
};

/// Reports every private key in the document.
pub(crate) fn refuse(node: &Node, report: &Report) -> Result<(), Reported> {
    let found = match &node.value {
        Value::Text(text) => is_private_key(text),
        Value::Map(members) => {
            members.contains_key("kty") && PRIVATE.iter().any(|name| members.contains_key(*name))
        }
        _ => false,
    };
    if found {
        return Err(report.at(
            &node.place,
            "looks like a private key; a configuration holds no secrets, \
             put the key into one of the `stores` and name that",
        ));
    }
    match &node.value {
        Value::List(items) => items.iter().map(|item| refuse(item, report)).fold(Ok(()), Result::and),
        Value::Map(members) => {
            members.values().map(|member| refuse(member, report)).fold(Ok(()), Result::and)
        }
        _ => Ok(()),
    }
}

fn is_private_key(text: &str) -> bool {
    text.contains("PRIVATE KEY-----")
        || (text.contains("\"kty\"") && PRIVATE.iter().any(|name| text.contains(&format!("\"{name}\""))))
}

/// Of the private members of a JWK (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1) those that every private key has.
const PRIVATE: [&str; 2] = ["d", "k"];
