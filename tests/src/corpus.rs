//! One corpus of requests to the gate of `orders`, valid and hostile, each with the reason it must be decided for.
//!
//! Every gateway, `decide` and the forward-auth surface get the same requests, so that a decision that depended on the gateway
//! would be seen. The tokens are signed with the real signing key of `orders`: what is wrong with each is only what its name says.

mod bound;
mod claims;
mod requests;
mod tokens;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub use bound::{Bound, Shown, bound};

/// One request and what must be decided about it.
#[derive(Clone, Debug)]
pub struct Case {
    /// A sentence fragment that names it.
    pub name: String,
    /// The method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// Headers as sent.
    pub headers: Vec<(String, String)>,
    /// The stable reason; `allowed` for an allow.
    pub reason: &'static str,
}

/// Signs as the bridge of `orders` does, but whatever it is given.
pub trait Forge {
    /// The kid of the current signing key.
    fn kid(&self) -> String;
    /// A JWS signature under that key.
    fn sign(&self, input: &str) -> Vec<u8>;
    /// `iss` of bridged tokens.
    fn issuer(&self) -> String;
}

/// The header of a right token.
pub fn header(forge: &dyn Forge) -> Value {
    json!({ "alg": "ES256", "typ": "bridged+jwt", "kid": forge.kid() })
}

/// The claims of a right token.
pub fn claims(forge: &dyn Forge, now: i64) -> Value {
    json!({
        "iss": forge.issuer(), "aud": "orders", "sub": "alice", "jti": "3b6c1e9a-0001", "client_id": "partner",
        "iat": now, "exp": now + 120, "scope": "customers:read",
        "roles": ["sales"], "region": "eu", "txn": "txn-1",
    })
}

/// A compact token of any header and payload text.
pub fn token_of(forge: &dyn Forge, header: &str, payload: &str) -> String {
    let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(forge.sign(&input));
    format!("{input}.{signature}")
}

/// A right token with some members set (or, with null, taken out).
pub fn token(forge: &dyn Forge, now: i64, header_changes: &Value, claim_changes: &Value) -> String {
    let change = |mut value: Value, changes: &Value| {
        for (name, to) in changes.as_object().unwrap() {
            if to.is_null() {
                value.as_object_mut().unwrap().remove(name);
            } else {
                value[name] = to.clone();
            }
        }
        value
    };
    let header = change(header(forge), header_changes);
    let claims = change(claims(forge, now), claim_changes);
    token_of(forge, &header.to_string(), &claims.to_string())
}

/// The whole corpus for a moment `now`.
pub fn corpus(forge: &dyn Forge, now: i64) -> Vec<Case> {
    let mut corpus = Corpus { forge, now, cases: Vec::new() };
    corpus.valid();
    corpus.credentials();
    corpus.structure();
    corpus.header_rules();
    corpus.kids();
    corpus.signatures();
    corpus.claim_rules();
    corpus.claim_types();
    corpus.requests();
    corpus.cases
}

/// The route that most cases ask for.
const TARGET: &str = "/customers/42";

struct Corpus<'f> {
    forge: &'f dyn Forge,
    now: i64,
    cases: Vec<Case>,
}

impl Corpus<'_> {
    fn add(
        &mut self,
        name: impl Into<String>,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        reason: &'static str,
    ) {
        self.cases.push(Case {
            name: name.into(),
            method: method.to_owned(),
            target: target.to_owned(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            reason,
        });
    }

    fn bearer(&mut self, name: impl Into<String>, token: &str, reason: &'static str) {
        self.add(name, "GET", TARGET, &[("authorization", &format!("Bearer {token}"))], reason);
    }

    fn with_header(&mut self, name: impl Into<String>, changes: &Value, reason: &'static str) {
        let token = token(self.forge, self.now, changes, &json!({}));
        self.bearer(name, &token, reason);
    }

    fn with_claims(&mut self, name: impl Into<String>, changes: &Value, reason: &'static str) {
        let token = token(self.forge, self.now, &json!({}), changes);
        self.bearer(name, &token, reason);
    }

    /// Header and payload as text, for what `Value` cannot say.
    fn raw(
        &mut self,
        name: impl Into<String>,
        header: Option<String>,
        payload: Option<String>,
        reason: &'static str,
    ) {
        let header = header.unwrap_or_else(|| self::header(self.forge).to_string());
        let payload = payload.unwrap_or_else(|| claims(self.forge, self.now).to_string());
        let token = token_of(self.forge, &header, &payload);
        self.bearer(name, &token, reason);
    }

    fn good(&self) -> String {
        token(self.forge, self.now, &json!({}), &json!({}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nobody;
    impl Forge for Nobody {
        fn kid(&self) -> String {
            "orders.sig.7".into()
        }
        fn sign(&self, _input: &str) -> Vec<u8> {
            vec![1; 64]
        }
        fn issuer(&self) -> String {
            "https://edge.example.com".into()
        }
    }

    #[test]
    fn the_corpus_has_at_least_three_hundred_cases_of_different_names() {
        let cases = corpus(&Nobody, 1_800_000_000);
        let mut names: Vec<_> = cases.iter().map(|case| &case.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), cases.len(), "every name is there once");
        assert!(names.len() >= 300, "{}", names.len());
        assert!(cases.iter().filter(|case| case.reason == "allowed").count() >= 30);
    }
}
