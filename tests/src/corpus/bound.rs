//! Tokens that are their sender's alone, for every gateway that can see who sends them.

use serde_json::{Value, json};

/// A token with a `cnf`, who sends it, and what must be decided.
#[derive(Clone, Debug)]
pub struct Bound {
    /// A sentence fragment that names it.
    pub name: &'static str,
    /// What is changed in a right token.
    pub claims: Value,
    /// The certificate that its sender shows.
    pub shown: Shown,
    /// Headers of the client's own, in which it says whose certificate it has.
    pub forged: bool,
    /// The stable reason; `allowed` for an allow.
    pub reason: &'static str,
}

/// A client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The one that the token is bound to.
    Own,
    /// Somebody else's, of the same authority.
    Other,
    /// None.
    Nothing,
}

/// All of them, `thumbprint` being that of [`Shown::Own`] (RFC 8705 section 3.1).
pub fn bound(thumbprint: &str) -> Vec<Bound> {
    let to = |thumbprint: &str| json!({ "cnf": { "x5t#S256": thumbprint } });
    let case = |name, claims: Value, shown, reason| Bound { name, claims, shown, forged: false, reason };
    let mut cases = vec![
        case("bound, from its sender", to(thumbprint), Shown::Own, "allowed"),
        case("bound, from somebody else", to(thumbprint), Shown::Other, "sender.mismatch"),
        case("bound, from nobody", to(thumbprint), Shown::Nothing, "sender.mismatch"),
        case("bearer, from the edge", json!({}), Shown::Own, "sender.unbound"),
        case("bearer, from anybody", json!({}), Shown::Other, "sender.unbound"),
        case("bearer, from nobody", json!({}), Shown::Nothing, "sender.unbound"),
        case("bound to nothing", to(""), Shown::Own, "sender.mismatch"),
        case("bound with padding", to(&format!("{thumbprint}=")), Shown::Own, "sender.mismatch"),
        case("bound in lower case", to(&thumbprint.to_lowercase()), Shown::Own, "sender.mismatch"),
        case("bound to a key", json!({ "cnf": { "jkt": thumbprint } }), Shown::Own, "sender.unsupported"),
        case(
            "bound to a certificate and a key",
            json!({ "cnf": { "x5t#S256": thumbprint, "jkt": thumbprint } }),
            Shown::Own,
            "sender.unsupported",
        ),
        case(
            "bound, and expired",
            json!({ "cnf": { "x5t#S256": thumbprint }, "iat": 1, "exp": 100 }),
            Shown::Own,
            "token.expired",
        ),
        case(
            "bound, for another backend",
            json!({ "cnf": { "x5t#S256": thumbprint }, "aud": "billing" }),
            Shown::Own,
            "token.audience_mismatch",
        ),
    ];
    for shown in [Shown::Other, Shown::Nothing] {
        let name = "bound, from somebody who says to be its sender";
        cases.push(Bound { forged: true, ..case(name, to(thumbprint), shown, "sender.mismatch") });
    }
    cases
}
