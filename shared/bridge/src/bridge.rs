use std::{borrow::Cow, cmp::Reverse, fmt, net::IpAddr, num::NonZeroU32, sync::Arc};

use drawbridge_config::Config;
use drawbridge_gate::{
    Allow, AuditEvent, AuditSink, Decision, Deny, Gate, Headers, OpenStore, Reason, Request, Subject,
    gates_for_consumers, request_id,
};
use drawbridge_keys::{BackendName, HttpClient};
use drawbridge_policy::METHODS;
use drawbridge_verify::{Relaxation, UnixTime, Verified};
use thiserror::Error;

use crate::{Claims, Minter, Refused, limit::ClientLimit, stores::open_stores};

/// The bridge of an edge: checks consumer tokens, mints bridged ones.
pub struct Bridge {
    /// The longest prefix first.
    edges: Vec<Edge>,
    audit: Arc<dyn AuditSink>,
    /// Of the consumers' issuer.
    relaxed: Vec<Relaxation>,
}

/// One backend, seen from the edge.
struct Edge {
    backend: BackendName,
    /// Without a trailing slash; empty for `/`.
    prefix: String,
    gate: Gate,
    minter: Minter,
    limit: ClientLimit,
}

/// A bridge that cannot be put together.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct BridgeError(pub String);

/// A consumer's request, bridged.
pub struct Bridged {
    /// For whom the token is.
    pub backend: BackendName,
    /// The path and query below the backend's prefix, for the upstream.
    pub target: String,
    /// The compact bridged token.
    pub token: String,
    /// Its `exp`.
    pub expires_at: UnixTime,
    /// Its `scope`; None where the consumer's token has none.
    pub scope: Option<String>,
    /// `txn`: kept from the consumer's token or made new.
    pub txn: String,
    /// Id of this request in the audit log.
    pub request_id: String,
}

/// A token exchange, as RFC 8693 section 2.1 names its parts.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// The consumer's token.
    pub subject_token: &'a str,
    /// The name or the audience of a backend.
    pub audience: &'a str,
    /// Which of the consumer's scopes are asked for; all that the backend's routes ask for where it is None.
    pub scope: Option<&'a str>,
    /// Who asks.
    pub source_ip: Option<IpAddr>,
    /// The certificate that the consumer showed, as in [`Request`]: a token that is bound to one is exchanged with it alone.
    pub client_certificate: Option<&'a [u8]>,
}

impl Bridge {
    /// # Errors
    /// When the configuration names no consumers, or a backend's gate or store cannot be built.
    pub fn new(
        config: &Config,
        http: &HttpClient,
        open: OpenStore<'_>,
        audit: Arc<dyn AuditSink>,
    ) -> Result<Self, BridgeError> {
        let mut gates = gates_for_consumers(config, http, open, &audit)
            .map_err(|error| BridgeError(error.to_string()))?;
        let consumers = config.consumers.as_ref().and_then(|name| config.issuers.get(name));
        let mut stores = open_stores(config, |_, store| open(store).map(Some))?;
        let mut edges: Vec<Edge> = Vec::with_capacity(config.backends.len());
        for (name, backend) in &config.backends {
            let wrong = |message: String| BridgeError(format!("backends.{name}: {message}"));
            let issuer = config
                .issuers
                .get(&backend.issuer)
                .ok_or_else(|| wrong(format!("there is no issuer `{}`", backend.issuer)))?;
            let store = stores.remove(name).ok_or_else(|| {
                wrong("name the `store` that holds the key that its tokens are signed with".to_owned())
            })?;
            let prefix = backend.path.trim_end_matches('/').to_owned();
            if let Some(other) = edges.iter().find(|edge| edge.prefix == prefix) {
                return Err(wrong(format!("its path is also that of `{}`; name another", other.backend)));
            }
            edges.push(Edge {
                backend: name.clone(),
                prefix,
                gate: gates.remove(name).ok_or_else(|| wrong("it has no gate".to_owned()))?,
                minter: Minter::new(backend, issuer, store).map_err(|error| wrong(error.to_string()))?,
                limit: ClientLimit::default(),
            });
        }
        edges.sort_by_key(|edge| Reverse(edge.prefix.len()));
        Ok(Self { edges, audit, relaxed: consumers.map(|issuer| issuer.relax.clone()).unwrap_or_default() })
    }

    /// Sets how many tokens one client may be given for one backend, in the long run and at once; 100 and 200 by default.
    #[must_use]
    pub fn with_client_limit(mut self, per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        for edge in &mut self.edges {
            edge.limit = ClientLimit::new(per_second, burst);
        }
        self
    }

    /// Picks the backend by the path prefix, checks the consumer's token on its routes, mints. The audit line is written; what
    /// fails after it (the limit of a client, the key store) has a line of its own with the same request id.
    ///
    /// # Errors
    /// The deny to answer with.
    pub async fn bridge(&self, request: &Request<'_>, now: UnixTime) -> Result<Bridged, Deny> {
        let Some((edge, target)) = self.pick(request.target) else {
            return Err(self.refuse(Reason::BackendUnknown, request.source_ip, now));
        };
        let id = request_id(request.request_id);
        let below = Request { target: &target, request_id: Some(&id), ..request.clone() };
        let (decision, granted) = edge
            .gate
            .decide_and(&below, now, |grant| Granted::new(&edge.minter, grant.claims, &id, None, now))
            .await;
        let allow = match decision {
            Decision::Allow(allow) => allow,
            Decision::Deny(deny) => return Err(deny),
        };
        let bridged = self.mint(edge, &below, &allow, granted, now).await?;
        Ok(Bridged { target: target.into_owned(), ..bridged })
    }

    /// Exchanges a consumer's token for one of a backend, without a request for one of its routes (RFC 8693). The decision is on
    /// record as in [`bridge`](Self::bridge), without a route.
    ///
    /// # Errors
    /// `BackendUnknown` where the audience is not that of one backend, `ScopeMissing` where a scope was asked for that cannot be given, and
    /// those of [`bridge`](Self::bridge) that are not about routes.
    pub async fn exchange(&self, exchange: &Exchange<'_>, now: UnixTime) -> Result<Bridged, Deny> {
        let mut named = self.edges.iter().filter(|edge| {
            edge.backend.as_str() == exchange.audience || edge.minter.audience() == exchange.audience
        });
        // One backend's name may be another's audience: nobody is to guess which of them is meant.
        let (Some(edge), None) = (named.next(), named.next()) else {
            return Err(self.refuse(Reason::BackendUnknown, exchange.source_ip, now));
        };
        let id = request_id(None);
        let authorization = format!("Bearer {}", exchange.subject_token);
        let request = Request {
            method: "",
            target: "/",
            headers: Headers::from_iter([("authorization", authorization.as_bytes())]),
            source_ip: exchange.source_ip,
            client_certificate: exchange.client_certificate,
            request_id: Some(&id),
        };
        let take = |claims: &Verified<'_>| Granted::new(&edge.minter, claims, &id, exchange.scope, now);
        let (decision, granted) = edge.gate.authenticate_and(&request, now, take).await;
        match decision {
            Decision::Allow(allow) => self.mint(edge, &request, &allow, granted, now).await,
            Decision::Deny(deny) => Err(deny),
        }
    }

    /// Records a deny of what never became a request to a backend.
    pub fn refuse(&self, reason: Reason, source_ip: Option<IpAddr>, now: UnixTime) -> Deny {
        let deny = Deny::new(reason, request_id(None));
        let event = AuditEvent::new(now, Subject::Edge, "", &deny.request_id, reason);
        // It stays the deny that it is, on record or not.
        let _ = self.audit.record(&AuditEvent { source_ip, ..event });
        deny
    }

    /// The backend of the longest prefix of whole segments, and the target below it.
    fn pick<'t>(&self, target: &'t str) -> Option<(&Edge, Cow<'t, str>)> {
        self.edges.iter().find_map(|edge| Some((edge, below(target, &edge.prefix)?)))
    }

    /// From a granted request to its bridged token.
    async fn mint(
        &self,
        edge: &Edge,
        request: &Request<'_>,
        allow: &Allow,
        granted: Option<Granted>,
        now: UnixTime,
    ) -> Result<Bridged, Deny> {
        let deny = |reason: Reason, detail: &str, txn: Option<&str>| {
            let event = AuditEvent::new(now, Subject::Edge, edge.backend.as_str(), &allow.request_id, reason);
            let _ = self.audit.record(&AuditEvent {
                detail: Some(detail),
                method: METHODS.into_iter().find(|method| *method == request.method),
                route: Some(allow.route.as_str()).filter(|route| !route.is_empty()),
                principal: Some(&allow.principal),
                issuer: Some(&allow.issuer),
                kid: Some(&allow.kid),
                txn,
                source_ip: request.source_ip,
                relaxed: &self.relaxed,
                ..event
            });
            Deny {
                principal: Some(allow.principal.clone()),
                issuer: Some(allow.issuer.clone()),
                kid: Some(allow.kid.clone()),
                ..Deny::new(reason, allow.request_id.as_str())
            }
        };
        let Granted { client, claims } =
            granted.ok_or_else(|| deny(Reason::Internal, "a grant without its claims", None))?;
        if !edge.limit.admits(&client) {
            return Err(deny(Reason::RateLimited, "the client's limit of tokens for this backend", None));
        }
        let claims = claims.map_err(|refused| deny(reason(refused), &refused.to_string(), None))?;
        let token = edge.minter.mint(&claims).await;
        let token = token.map_err(|error| deny(Reason::MintFailed, &error.to_string(), Some(&claims.txn)))?;
        let Claims { txn, expires_at, scope, .. } = claims;
        let (backend, request_id) = (edge.backend.clone(), allow.request_id.clone());
        Ok(Bridged { backend, target: String::new(), token, expires_at, scope, txn, request_id })
    }
}

/// What is taken out of the consumer's verified claims before they go.
struct Granted {
    /// Whose limit it counts for: `client_id`, or `sub` where there is none.
    client: String,
    claims: Result<Claims, Refused>,
}

impl Granted {
    fn new(
        minter: &Minter,
        consumer: &Verified<'_>,
        request_id: &str,
        asked: Option<&str>,
        now: UnixTime,
    ) -> Self {
        let client = consumer.client_id().unwrap_or_else(|| consumer.subject()).to_owned();
        Self { client, claims: minter.claims(consumer, request_id, asked, now) }
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backends = self.edges.iter().map(|edge| (&edge.prefix, edge.backend.as_str()));
        f.debug_map().entries(backends).finish()
    }
}

impl fmt::Debug for Bridged {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridged")
            .field("backend", &self.backend.as_str())
            .field("txn", &self.txn)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

fn reason(refused: Refused) -> Reason {
    match refused {
        Refused::Expired => Reason::TokenExpired,
        Refused::Scope | Refused::Actor => Reason::TokenClaimsMalformed,
        Refused::ScopeAsked => Reason::ScopeMissing,
        Refused::TooLarge => Reason::ContextTooLarge,
    }
}

/// What stands below a prefix of whole segments: a path that begins with `/`, and the query as it is.
fn below<'t>(target: &'t str, prefix: &str) -> Option<Cow<'t, str>> {
    let rest = target.strip_prefix(prefix)?;
    match rest.bytes().next() {
        Some(b'/') => Some(Cow::Borrowed(rest)),
        None | Some(b'?') if !prefix.is_empty() => Some(Cow::Owned(format!("/{rest}"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_whole_segments_and_what_is_below_it_begins_with_a_slash() {
        let table = [
            ("/orders/customers/7?a=/b", "/orders", Some("/customers/7?a=/b")),
            ("/orders/", "/orders", Some("/")),
            ("/orders", "/orders", Some("/")),
            ("/orders?a=b", "/orders", Some("/?a=b")),
            ("/orders//billing", "/orders", Some("//billing")),
            ("/ordersx/customers", "/orders", None),
            ("/orders%2Fcustomers", "/orders", None),
            ("/Orders/customers", "/orders", None),
            ("/%6frders/customers", "/orders", None),
            ("orders/customers", "/orders", None),
            ("/customers", "", Some("/customers")),
            ("/?a", "", Some("/?a")),
            ("", "", None),
            ("?a", "", None),
            ("http://x/orders", "", None),
        ];
        for (target, prefix, expected) in table {
            assert_eq!(below(target, prefix).as_deref(), expected, "{target} below {prefix}");
        }
    }
}
