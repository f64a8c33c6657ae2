use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

/// A client of the identity provider: somebody who calls. The secret is the id.
#[derive(Debug, PartialEq, Eq)]
pub struct Client {
    /// `client_id`, `sub` and the secret.
    pub id: &'static str,
    /// `/realm_access/roles`
    pub roles: &'static [&'static str],
    /// `/custom/region`
    pub region: &'static str,
    /// Whether it may be granted any scope, or none at all.
    pub scopes: bool,
}

/// All there are.
pub const CLIENTS: [Client; 3] = [
    Client { id: "demo", roles: &["sales"], region: "eu", scopes: true },
    Client { id: "admin", roles: &["admin"], region: "global", scopes: true },
    Client { id: "guest", roles: &[], region: "us", scopes: false },
];

impl Client {
    /// The claims that come from an account, as common providers shape them.
    pub(super) fn claims(&self) -> Value {
        json!({ "realm_access": { "roles": self.roles }, "custom": { "region": self.region } })
    }

    /// The granted scope: what was asked for, or `all` when nothing was. None when the client may not have it.
    pub(super) fn grant(&self, asked: Option<&str>, all: &[String]) -> Option<String> {
        match asked {
            Some(asked) if self.scopes => Some(asked.split_ascii_whitespace().collect::<Vec<_>>().join(" ")),
            Some(asked) => asked.trim_ascii().is_empty().then(String::new),
            None if self.scopes => Some(all.join(" ")),
            None => Some(String::new()),
        }
    }
}

/// How a client says who it is (RFC 6749 section 2.3.1).
pub(super) struct Presented<'a> {
    pub(super) authorization: Option<&'a HeaderValue>,
    pub(super) client_id: Option<&'a str>,
    pub(super) client_secret: Option<&'a str>,
}

/// Why nobody is recognised.
pub(super) enum Refused {
    /// Said in two places.
    Ambiguous,
    /// No such client, or another secret.
    Unknown,
}

impl Presented<'_> {
    /// Whose credentials these are.
    pub(super) fn client(&self) -> Result<&'static Client, Refused> {
        let (id, secret) = match (self.authorization, self.client_secret) {
            (Some(_), Some(_)) => return Err(Refused::Ambiguous),
            (Some(header), None) => basic(header).ok_or(Refused::Unknown)?,
            (None, Some(secret)) => (self.client_id.ok_or(Refused::Unknown)?.to_owned(), secret.to_owned()),
            (None, None) => return Err(Refused::Unknown),
        };
        // The secrets are public: there is nothing to hide in the time that this takes.
        CLIENTS.iter().find(|client| client.id == id && client.id == secret).ok_or(Refused::Unknown)
    }
}

/// Id and secret of an `Authorization: Basic` header, each form-encoded.
fn basic(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim_ascii()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    let decode = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
    Some((decode(id)?, decode(secret)?))
}
