use std::{borrow::Cow, net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use drawbridge_bridge::{Bridge, Bridged};
use drawbridge_gate::{Deny, ForwardAuth, Headers, Reason, problem};
use drawbridge_keys::Clock;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::{certificate, token};

/// The HTTP surface of a bridge: `/ext-authz/…`, `/auth-request`, `/token`, `/healthz`. `certificate` is the header in which the
/// gateway writes the consumer's certificate, over whatever the client sent under that name; without it none is read.
pub fn router(bridge: Arc<Bridge>, clock: Arc<dyn Clock>, certificate: Option<HeaderName>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/auth-request", any(described))
        .route("/token", post(token::exchange))
        .fallback(mirrored)
        .with_state(App { bridge, clock, certificate })
}

#[derive(Clone)]
pub(crate) struct App {
    pub(crate) bridge: Arc<Bridge>,
    pub(crate) clock: Arc<dyn Clock>,
    certificate: Option<HeaderName>,
}

/// Envoy's HTTP `ext_authz`: the request itself, below a prefix.
async fn mirrored(State(app): State<App>, request: Request) -> Response {
    let path = request.uri().path();
    if path != EXT_AUTHZ && !path.strip_prefix(EXT_AUTHZ).is_some_and(|below| below.starts_with('/')) {
        return StatusCode::NOT_FOUND.into_response();
    }
    app.answer(ForwardAuth::Mirrored, request).await
}

/// nginx, Caddy, Traefik: the request in headers.
async fn described(State(app): State<App>, request: Request) -> Response {
    app.answer(ForwardAuth::Described, request).await
}

impl App {
    /// The consumer's certificate, where the gateway writes one.
    pub(crate) fn certificate<'h>(&self, headers: &'h HeaderMap) -> Option<Cow<'h, [u8]>> {
        certificate::of(headers, self.certificate.as_ref()?)
    }

    async fn answer(&self, form: ForwardAuth, request: Request) -> Response {
        // The body, if there is one, is neither read nor needed.
        let (parts, _) = request.into_parts();
        let now = self.clock.now();
        let peer = forwarded_for(&parts.headers);
        let Some((method, target)) = form.original(&parts.method, &parts.uri, EXT_AUTHZ, &parts.headers)
        else {
            return refusal(&self.bridge.refuse(Reason::RequestMalformed, peer, now));
        };
        let certificate = self.certificate(&parts.headers);
        let request = drawbridge_gate::Request {
            method,
            target,
            headers: Headers::from(&parts.headers),
            source_ip: peer,
            client_certificate: certificate.as_deref(),
            request_id: None,
        };
        match tokio::time::timeout(DECISION, self.bridge.bridge(&request, now)).await {
            Ok(Ok(bridged)) => grant(&bridged)
                .unwrap_or_else(|| refusal(&self.bridge.refuse(Reason::PathRefused, peer, now))),
            Ok(Err(deny)) => refusal(&deny),
            Err(_) => refusal(&self.bridge.refuse(Reason::Internal, peer, now)),
        }
    }
}

/// 200 with what the gateway sets on the request that goes on, or None where the target cannot stand in a header.
fn grant(bridged: &Bridged) -> Option<Response> {
    let mut token = HeaderValue::try_from(format!("Bearer {}", bridged.token)).ok()?;
    token.set_sensitive(true);
    let mut response = Response::new(Body::empty());
    response.headers_mut().extend([
        (header::AUTHORIZATION, token),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            HeaderName::from_static("x-drawbridge-backend"),
            HeaderValue::try_from(bridged.backend.as_str()).ok()?,
        ),
        (HeaderName::from_static("x-drawbridge-target"), HeaderValue::try_from(&bridged.target).ok()?),
        (HeaderName::from_static("x-drawbridge-txn"), HeaderValue::try_from(&bridged.txn).ok()?),
        (
            HeaderName::from_static("x-drawbridge-request-id"),
            HeaderValue::try_from(&bridged.request_id).ok()?,
        ),
    ]);
    Some(response)
}

fn refusal(deny: &Deny) -> Response {
    problem(deny).map(Body::from)
}

/// Who connected to the gateway: the last address of `X-Forwarded-For`, which is the one that the gateway itself wrote. For the
/// audit line and the fair share of key fetches; nothing is allowed for it.
pub(crate) fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

/// Where the original request stands below.
const EXT_AUTHZ: &str = "/ext-authz";

/// For a whole decision: the consumers' keys, the signing key and the signature, each within its own limit.
pub(crate) const DECISION: Duration = Duration::from_secs(8);
