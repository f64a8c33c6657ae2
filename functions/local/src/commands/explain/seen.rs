//! What may be shown of a request: sizes, members of the token's header within their grammar, and claims once the gate has
//! found that the signature held. Never the token, and no claim of a token that was not verified.

use drawbridge_config::{Config, Keys, document::quote};
use drawbridge_gate::{Allow, Check, Decision, Deny, Request, is_identity_header};
use drawbridge_keys::Kid;
use drawbridge_verify::UnixTime;
use serde_json::Value;

use super::{token::Token, witness::Testimony};

/// One request, for showing.
pub(super) struct Seen<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) now: UnixTime,
    pub(super) decision: &'a Decision,
    pub(super) testimony: &'a Testimony,
    /// Where the keys come from.
    pub(super) keys: String,
    failed: Option<Check>,
    token: Token,
}

impl<'a> Seen<'a> {
    /// `failed` is the check that ended the pipeline: what lies behind it is not looked at. `granted` are the claims of a token
    /// that was accepted.
    pub(super) fn new(
        request: &'a Request<'a>,
        now: UnixTime,
        decision: &'a Decision,
        testimony: &'a Testimony,
        keys: String,
        failed: Option<Check>,
        granted: Option<Value>,
    ) -> Self {
        let allowed = matches!(decision, Decision::Allow(_));
        let held = |check| failed.map_or(allowed, |failed| failed > check);
        let mut token = if held(Check::Credentials) {
            Token::of(request, held(Check::Signature))
        } else {
            Token::default()
        };
        if let Some(claims) = granted {
            token.claims = claims;
        }
        Self { request, now, decision, testimony, keys, failed, token }
    }

    /// The value that a check saw; asked only for checks that were reached.
    pub(super) fn value(&self, check: Check) -> Option<String> {
        let claim = |name: &str| self.token.claims.get(name).map(shown);
        Some(match check {
            Check::Identity => {
                let headers = self.request.headers.iter();
                format!("{} headers", headers.filter(|(name, _)| is_identity_header(name)).count())
            }
            Check::Path => format!("{} bytes", self.request.target.len()),
            Check::Credentials => match self.request.headers.all("authorization").count() {
                1 => "1 header".to_owned(),
                count => format!("{count} headers"),
            },
            Check::Characters => format!("{} bytes", self.token.bytes),
            Check::Decryption => {
                let member = |name: &str| format!("{name} {}", self.token.member(name));
                self.token.sealed().then(|| ["alg", "enc", "kid"].map(member).join(", "))?
            }
            Check::Form if self.failed == Some(Check::Form) => format!("{} segments", self.token.segments),
            Check::Kid | Check::KeyKnown => self.kid()?,
            Check::KeyOwner => match self.kid()?.parse::<Kid>() {
                Ok(kid) => format!("{}.{}", kid.backend, kid.key_use.name()),
                Err(_) => "a kid of another grammar".to_owned(),
            },
            // Of what is inside an envelope nothing can be seen from here.
            Check::Size | Check::Form | Check::Header | Check::Members | Check::Algorithm | Check::Type
                if self.token.sealed() =>
            {
                return None;
            }
            Check::Size => format!("{} bytes", self.token.bytes),
            Check::Form => format!("{} segments", self.token.segments),
            Check::Header => format!("{} bytes", self.token.header_bytes),
            Check::Members => format!("{} members", self.token.members()?),
            Check::Algorithm => self.token.member("alg"),
            Check::Type => self.token.member("typ"),
            Check::KeySource => self.keys.clone(),
            Check::Claims => format!("{} claims", self.token.claims.as_object()?.len()),
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
                let bound = self.token.claims.as_object().map(|claims| claims.contains_key("cnf"));
                let bound = bound.map(|bound| if bound { "bound, " } else { "not bound, " });
                let certificate = if self.request.client_certificate.is_some() { "a" } else { "no" };
                format!("{}{certificate} client certificate", bound.unwrap_or_default())
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

    /// That of the header, or of an envelope's inside once it was verified.
    fn kid(&self) -> Option<String> {
        if !self.token.sealed() {
            return Some(self.token.member("kid"));
        }
        match self.decision {
            Decision::Allow(Allow { kid, .. }) => Some(kid.clone()),
            Decision::Deny(Deny { kid, .. }) => kid.clone(),
        }
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

/// Where an issuer's keys come from, in a few words.
pub(super) fn keys(config: &Config, issuer: &str) -> String {
    match config.issuers.get(issuer).map(|issuer| &issuer.keys) {
        Some(Keys::Discovery) => "discovery".to_owned(),
        Some(Keys::Jwks(template)) => template.clone(),
        Some(Keys::Store(store)) => format!("store {store}"),
        None => String::new(),
    }
}

/// A claim on one line, shortened, with what could forge a line made visible.
fn shown(value: &Value) -> String {
    quote(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}
