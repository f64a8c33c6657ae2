use std::sync::Arc;

use drawbridge_config::Policies;
use drawbridge_keys::{BackendName, Resolver};
use drawbridge_policy::{METHODS, Match, Path, Routes, cedar::Facts};
use drawbridge_verify::{Authentic, Rules, UnixTime, Unverified, Verified, jwe::Nested};

use crate::{
    Allow, AuditEvent, AuditSink, Decision, Deny, Reason, Request, Subject, context, credentials,
    decryption::Decryption, refusal::Refusal, request_id, seen::Seen, sender,
};

/// The gate of one backend: everything parsed and ready.
pub struct Gate {
    pub(crate) subject: Subject,
    pub(crate) backend: BackendName,
    pub(crate) rules: Rules,
    /// Headers about the caller that gateways replace, whatever the client wrote in them.
    pub(crate) replaced: Vec<String>,
    /// Whether a token that is bound to nobody is refused.
    pub(crate) must_be_bound: bool,
    pub(crate) decryption: Decryption,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) seen: Seen,
    pub(crate) routes: Routes,
    /// None at the edge: policies are about bridged claims, and the backend's gate decides with them.
    pub(crate) policies: Option<Policies>,
    pub(crate) context: Vec<String>,
    pub(crate) audit: Arc<dyn AuditSink>,
}

/// A request that was granted, while its claims are still at hand.
pub struct Grant<'g> {
    /// The verified claims.
    pub claims: &'g Verified<'g>,
    /// The matched route.
    pub route: &'g Match<'g, 'g>,
}

/// A request that its caller may make.
struct Authorized<'a> {
    route: Match<'a, 'a>,
    /// The policies that permit it.
    policies: Vec<String>,
    context: Vec<(String, String)>,
}

impl Gate {
    /// Decides one request and records the decision. Never panics, never hangs; every failure is a deny.
    pub async fn decide(&self, request: &Request<'_>, now: UnixTime) -> Decision {
        self.decide_and(request, now, |_| ()).await.0
    }

    /// As [`decide`](Self::decide); `take` reads the verified claims of a granted request before they go.
    ///
    /// `take` is called once the decision is on record, and only when it is an allow.
    pub async fn decide_and<T>(
        &self,
        request: &Request<'_>,
        now: UnixTime,
        take: impl FnOnce(Grant<'_>) -> T + Send,
    ) -> (Decision, Option<T>)
    where
        T: Send,
    {
        let take = |claims: &Verified<'_>, route: Option<&Match<'_, '_>>| {
            route.map(|route| take(Grant { claims, route }))
        };
        let (decision, taken) = self.decide_then(request, now, take).await;
        (decision, taken.flatten())
    }

    /// As [`decide`](Self::decide); `then` is called with the verified claims once the decision is on record: of an allow with its
    /// route, and of a deny that is about the route and not about the token or its sender.
    pub(crate) async fn decide_then<T>(
        &self,
        request: &Request<'_>,
        now: UnixTime,
        then: impl FnOnce(&Verified<'_>, Option<&Match<'_, '_>>) -> T + Send,
    ) -> (Decision, Option<T>)
    where
        T: Send,
    {
        let request_id = request_id(request.request_id);
        let authenticated = self.authenticate(request).await;
        let mut event = AuditEvent {
            method: METHODS.into_iter().find(|method| *method == request.method),
            ..self.event(request, now, &request_id)
        };
        let (path, authentic) = match authenticated {
            Ok(authenticated) => authenticated,
            Err(refusal) => return (self.deny(event, refusal), None),
        };
        let claims = match authentic.claims(now) {
            Ok(claims) => claims,
            Err(error) => return (self.deny(event, Refusal::late(error)), None),
        };
        identify(&mut event, &claims);
        if let Err(refused) = sender::check(&claims, request.client_certificate, self.must_be_bound) {
            return (self.deny(event, refused.into()), None);
        }
        match self.authorize(request, &path, &claims, &mut event) {
            Ok(Authorized { route, policies, context }) => {
                let event = AuditEvent { policies: &policies, ..event };
                let decision = self.allow(event, &claims, &route.route.template, context);
                let granted = matches!(decision, Decision::Allow(_));
                (decision, granted.then(|| then(&claims, Some(&route))))
            }
            Err(refusal) => {
                let (decision, recorded) = self.deny_on_record(event, refusal);
                (decision, recorded.then(|| then(&claims, None)))
            }
        }
    }

    /// Verifies the token of a request that is for no route, as a token exchange is (RFC 8693), and records the decision:
    /// everything but route, scopes and context. `request.method` is not looked at, and [`Allow::route`] is empty.
    ///
    /// What `take` makes of the claims must leave the decision about routes to a gate that sees the request.
    pub async fn authenticate_and<T>(
        &self,
        request: &Request<'_>,
        now: UnixTime,
        take: impl FnOnce(&Verified<'_>) -> T + Send,
    ) -> (Decision, Option<T>)
    where
        T: Send,
    {
        let request_id = request_id(request.request_id);
        let authenticated = self.authenticate(request).await;
        let mut event = self.event(request, now, &request_id);
        let authentic = match authenticated {
            Ok((_, authentic)) => authentic,
            Err(refusal) => return (self.deny(event, refusal), None),
        };
        let claims = match authentic.claims(now) {
            Ok(claims) => claims,
            Err(error) => return (self.deny(event, Refusal::late(error)), None),
        };
        identify(&mut event, &claims);
        if let Err(refused) = sender::check(&claims, request.client_certificate, self.must_be_bound) {
            return (self.deny(event, refused.into()), None);
        }
        let decision = self.allow(event, &claims, "", Vec::new());
        let granted = matches!(decision, Decision::Allow(_));
        (decision, granted.then(|| take(&claims)))
    }

    /// The beginning of an audit line.
    fn event<'a>(&'a self, request: &Request<'_>, now: UnixTime, request_id: &'a str) -> AuditEvent<'a> {
        AuditEvent {
            source_ip: request.source_ip,
            relaxed: &self.rules.relaxed,
            ..AuditEvent::new(now, self.subject, self.backend.as_str(), request_id, Reason::Internal)
        }
    }

    /// From the request to a payload that the issuer's key signed; cheap and offline checks first.
    async fn authenticate<'s, 'r>(
        &'s self,
        request: &Request<'r>,
    ) -> Result<(Path<'r>, Authentic<'s>), Refusal> {
        let path = credentials::hygiene(request.target, &request.headers, &self.replaced)?;
        let token = credentials::bearer(request.target, &request.headers)?;
        let nested = self.decryption.open(token, self.rules.max_token_bytes, request.source_ip).await?;
        let token = nested.as_ref().map_or(token, Nested::as_str);
        let unverified = Unverified::parse(token, self.rules.max_token_bytes)?;
        let admitted = self.rules.admit(unverified)?;
        let key = self.resolver.resolve(admitted.kid(), request.source_ip).await?;
        Ok((path, self.seen.verify(admitted, &key).map_err(Refusal::late)?))
    }

    /// From verified claims to what the backend is told.
    fn authorize<'a>(
        &'a self,
        request: &Request<'_>,
        path: &'a Path<'a>,
        claims: &Verified<'_>,
        event: &mut AuditEvent<'a>,
    ) -> Result<Authorized<'a>, Refusal> {
        let found = self.routes.find(request.method, path)?;
        event.route = Some(&found.route.template);
        found.authorize(claims)?;
        let policies = match &self.policies {
            Some(policies) if found.route.policy => {
                let policies = policies.get().ok_or(Reason::Internal)?;
                policies.authorize(&found, &Facts { claims, source_ip: request.source_ip, now: event.at })?
            }
            _ => Vec::new(),
        };
        let context = context::context(claims, &self.context)?;
        Ok(Authorized { route: found, policies, context })
    }

    fn allow(
        &self,
        mut event: AuditEvent<'_>,
        claims: &Verified<'_>,
        route: &str,
        context: Vec<(String, String)>,
    ) -> Decision {
        event.reason = Reason::Allowed;
        if self.audit.record(&event).is_err() {
            // Nobody passes unseen.
            event.reason = Reason::Internal;
            return denied(&event, None);
        }
        Decision::Allow(Allow {
            principal: claims.subject().to_owned(),
            issuer: claims.issuer().to_owned(),
            kid: claims.kid().to_owned(),
            context,
            route: route.to_owned(),
            expires_at: claims.expires_at(),
            request_id: event.request_id.to_owned(),
        })
    }

    fn deny(&self, event: AuditEvent<'_>, refusal: Refusal) -> Decision {
        // It stays the deny that it is, on record or not.
        self.deny_on_record(event, refusal).0
    }

    /// The deny, and whether it is on record.
    fn deny_on_record(&self, event: AuditEvent<'_>, refusal: Refusal) -> (Decision, bool) {
        let Refusal { reason, detail, required_scope, policies } = refusal;
        let event = AuditEvent { reason, detail: detail.as_deref(), policies: &policies, ..event };
        let recorded = self.audit.record(&event).is_ok();
        (denied(&event, required_scope), recorded)
    }
}

/// Who the caller is, now that the claims held.
fn identify<'a>(event: &mut AuditEvent<'a>, claims: &'a Verified<'_>) {
    event.principal = Some(claims.subject());
    event.issuer = Some(claims.issuer());
    event.kid = Some(claims.kid());
    event.jti = claims.jti();
    event.txn = claims.claim("txn").and_then(|txn| txn.as_str());
}

fn denied(event: &AuditEvent<'_>, required_scope: Option<String>) -> Decision {
    Decision::Deny(Deny {
        reason: event.reason,
        required_scope,
        principal: event.principal.map(str::to_owned),
        issuer: event.issuer.map(str::to_owned),
        kid: event.kid.map(str::to_owned),
        request_id: event.request_id.to_owned(),
    })
}
