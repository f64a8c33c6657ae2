//! Versions as they are listed.

use drawbridge_keys::{KeyState, KeyVersion};
use serde_json::{Value, json};

pub(super) fn line(version: &KeyVersion) -> String {
    let KeyVersion { kid, algorithm, created, state } = version;
    let created =
        jiff::Timestamp::from_second(created.as_secs()).map_or_else(|_| "?".to_owned(), |at| at.to_string());
    format!("{kid}  {algorithm}  {}  {created}", state_name(*state))
}

pub(super) fn object(version: &KeyVersion) -> Value {
    let KeyVersion { kid, algorithm, created, state } = version;
    json!({
        "kid": kid.to_string(),
        "backend": kid.backend.as_str(),
        "use": kid.key_use.name(),
        "alg": algorithm.to_string(),
        "created": created.as_secs(),
        "state": state_name(*state),
    })
}

fn state_name(state: KeyState) -> &'static str {
    match state {
        KeyState::Current => "current",
        KeyState::Previous => "previous",
        KeyState::Revoked => "revoked",
    }
}
