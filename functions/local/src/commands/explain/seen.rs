//! What may be shown of a request: sizes, members of the token's header within their grammar, and claims once the gate has
//! found that the signature held. Never the token, and no claim of a token that was not verified.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_config::{Config, Keys, document::quote};
use drawbridge_gate::{Check, Decision, Request};
use drawbridge_keys::Kid;
use drawbridge_verify::{
    UnixTime,
    json::{Bounds, Value},
};
use serde_json::Value as Json;

use super::witness::Testimony;

/// One request, for showing.
pub(super) struct Seen<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) now: UnixTime,
    pub(super) decision: &'a Decision,
    pub(super) testimony: &'a Testimony,
    /// Where the keys come from.
    pub(super) keys: String,
    token: Token,
}

/// What is shown of the token; nothing of it where it could not be read.
#[derive(Default)]
struct Token {
    bytes: usize,
    segments: usize,
    header_bytes: usize,
    header: Json,
    claim_bytes: usize,
    claims: Json,
}

impl<'a> Seen<'a> {
    /// `failed` is the check that ended the pipeline: what lies behind it is not looked at.
    pub(super) fn new(
        request: &'a Request<'a>,
        now: UnixTime,
        decision: &'a Decision,
        testimony: &'a Testimony,
        keys: String,
        failed: Option<Check>,
    ) -> Self {
        let held = |check| failed.is_none_or(|failed| failed > check);
        let token = if held(Check::Credentials) {
            Token::of(request, held(Check::Signature))
        } else {
            Token::default()
        };
        Self { request, now, decision, testimony, keys, token }
    }

    /// The value that a check saw; asked only for checks that were reached.
    pub(super) fn value(&self, check: Check) -> Option<String> {
        let claim = |name: &str| self.token.claims.get(name).map(shown);
        Some(match check {
            Check::Path => format!("{} bytes", self.request.target.len()),
            Check::Credentials => match self.request.headers.all("authorization").count() {
                1 => "1 header".to_owned(),
                count => format!("{count} headers"),
            },
            Check::Characters | Check::Size => format!("{} bytes", self.token.bytes),
            Check::Form => format!("{} segments", self.token.segments),
            Check::Header => format!("{} bytes", self.token.header_bytes),
            Check::Members => format!("{} members", self.token.header.as_object()?.len()),
            Check::Algorithm => self.member("alg", |byte| byte.is_ascii_alphanumeric() || byte == b'-'),
            Check::Type => {
                self.member("typ", |byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-/".contains(&byte))
            }
            Check::Kid | Check::KeyKnown => self.kid(),
            Check::KeyOwner => {
                let kid: Option<Kid> =
                    self.token.header.get("kid").and_then(Json::as_str).and_then(|kid| kid.parse().ok());
                kid.map_or("a kid of another grammar".to_owned(), |kid| {
                    format!("{}.{}", kid.backend, kid.key_use.name())
                })
            }
            Check::KeySource => self.keys.clone(),
            Check::Claims => match self.token.claims.as_object() {
                Some(claims) => format!("{} claims in {} bytes", claims.len(), self.token.claim_bytes),
                None => format!("{} bytes", self.token.claim_bytes),
            },
            Check::Issuer => claim("iss")?,
            Check::Audience => claim("aud")?,
            Check::Lifetime => format!("{} s", self.seconds("exp")?.checked_sub(self.seconds("iat")?)?),
            Check::Expiry => self.moment("exp")?,
            Check::NotBefore => self.moment("nbf")?,
            Check::IssuedAt => self.moment("iat")?,
            Check::Subject => claim("sub")?,
            Check::TokenId => claim("jti")?,
            Check::Client => claim("client_id").or_else(|| claim("azp"))?,
            Check::Scope | Check::Scopes => claim("scope")?,
            Check::Confirmation => claim("cnf")?,
            Check::Sender => {
                let bound = if self.token.claims.get("cnf").is_some() { "bound" } else { "not bound" };
                let certificate = if self.request.client_certificate.is_some() { "a" } else { "no" };
                format!("{bound}, {certificate} client certificate")
            }
            Check::Route => {
                format!(
                    "{} {}",
                    self.testimony.method.as_deref().unwrap_or("?"),
                    self.testimony.route.as_deref()?
                )
            }
            Check::Policy => self.testimony.policies.join(", "),
            Check::Context => match self.decision {
                Decision::Allow(allow) => {
                    let bytes: usize =
                        allow.context.iter().map(|(name, value)| name.len() + value.len()).sum();
                    format!("{bytes} bytes")
                }
                Decision::Deny(_) => return None,
            },
            Check::Method
            | Check::Encryption
            | Check::Decryption
            | Check::Texts
            | Check::KeyUsable
            | Check::KeyAlgorithm
            | Check::Signature
            | Check::Kind
            | Check::Times
            | Check::Record => return None,
        })
        .filter(|value| !value.is_empty())
    }

    /// A member of the token's header, where it is what such a member can be.
    fn member(&self, name: &str, fits: fn(u8) -> bool) -> String {
        match self.token.header.get(name) {
            None => "none".to_owned(),
            Some(Json::String(text)) if (1..=128).contains(&text.len()) && text.bytes().all(fits) => {
                text.clone()
            }
            Some(_) => "not shown: outside its grammar".to_owned(),
        }
    }

    fn kid(&self) -> String {
        self.member("kid", |byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    }

    fn seconds(&self, claim: &str) -> Option<i64> {
        let value = self.token.claims.get(claim)?;
        value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds.floor() as i64))
    }

    /// A time, and how far it is from the moment of the decision.
    fn moment(&self, claim: &str) -> Option<String> {
        let seconds = self.seconds(claim)?;
        let away = seconds.saturating_sub(self.now.as_secs());
        let away = if away >= 0 { format!("in {away} s") } else { format!("{} s ago", away.unsigned_abs()) };
        Some(format!("{seconds}, {away}"))
    }
}

impl Token {
    /// The one token of a request that the gate found one in. `signed`: whether the gate found that its signature held.
    fn of(request: &Request<'_>, signed: bool) -> Self {
        let value = request.headers.all("authorization").next().and_then(|value| str::from_utf8(value).ok());
        let Some((_, token)) = value.and_then(|value| value.split_once(' ')) else { return Self::default() };
        let segments: Vec<_> = token.split('.').collect();
        let decode = |index: usize| {
            segments.get(index).and_then(|segment| URL_SAFE_NO_PAD.decode(segment).ok()).unwrap_or_default()
        };
        let header = decode(0);
        let claims = if signed && segments.len() == 3 { decode(1) } else { Vec::new() };
        Self {
            bytes: token.len(),
            segments: segments.len(),
            header_bytes: header.len(),
            header: json(&header),
            claim_bytes: claims.len(),
            claims: json(&claims),
        }
    }
}

/// Where an issuer's keys come from, in a few words.
pub(super) fn keys(config: &Config, issuer: &str) -> String {
    match config.issuers.get(issuer).map(|issuer| &issuer.keys) {
        Some(Keys::Discovery) => "discovery".to_owned(),
        Some(Keys::Jwks(template)) => template.clone(),
        Some(Keys::Store(store)) => format!("store {store}"),
        None => String::new(),
    }
}

/// Strict JSON, or null.
fn json(text: &[u8]) -> Json {
    Value::parse(text, Bounds { depth: 16, values: 2048 }).map_or(Json::Null, |value| value.to_json())
}

/// A claim on one line, shortened, with what could forge a line made visible.
fn shown(value: &Json) -> String {
    quote(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}
