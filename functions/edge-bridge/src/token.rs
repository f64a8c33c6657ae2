//! Token exchange (RFC 8693) for gateways that would rather ask for a token than for a decision.

use std::{borrow::Cow, net::IpAddr};

use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use drawbridge_bridge::{Bridged, Exchange};
use drawbridge_gate::{Deny, Reason};
use drawbridge_verify::UnixTime;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;

use crate::surface::{App, DECISION, forwarded_for};

pub(crate) async fn exchange(State(app): State<App>, request: Request) -> Response {
    let now = app.clock.now();
    let source_ip = forwarded_for(request.headers());
    match tokio::time::timeout(DECISION, exchanged(&app, request, source_ip, now)).await {
        Ok(Ok(response) | Err(response)) => response,
        Err(_) => refused(&app.bridge.refuse(Reason::Internal, source_ip, now)),
    }
}

async fn exchanged(
    app: &App,
    request: Request,
    source_ip: Option<IpAddr>,
    now: UnixTime,
) -> Result<Response, Response> {
    let (parts, body) = request.into_parts();
    if !is_form(&parts.headers) {
        return Err(invalid(("invalid_request", "the body must be `application/x-www-form-urlencoded`")));
    }
    let body = axum::body::to_bytes(body, MAX_BODY)
        .await
        .map_err(|_| invalid(("invalid_request", "the body is too large")))?;
    let form = Form::parse(&body).map_err(invalid)?;
    let certificate = app.certificate(&parts.headers);
    let exchange = Exchange {
        subject_token: &form.subject_token,
        audience: &form.audience,
        scope: form.scope.as_deref(),
        source_ip,
        client_certificate: certificate.as_deref(),
    };
    let bridged = app.bridge.exchange(&exchange, now).await.map_err(|deny| refused(&deny))?;
    Ok(issued(&bridged, now))
}

/// The parameters of RFC 8693 section 2.1 that are understood here.
struct Form<'b> {
    subject_token: Cow<'b, str>,
    audience: Cow<'b, str>,
    scope: Option<Cow<'b, str>>,
}

/// Why a form is refused: the error code and what is wrong.
type Invalid = (&'static str, &'static str);

impl<'b> Form<'b> {
    fn parse(body: &'b [u8]) -> Result<Self, Invalid> {
        let mut named: [(&str, Option<Cow<'b, str>>); 9] = [
            ("grant_type", None),
            ("subject_token", None),
            ("subject_token_type", None),
            ("audience", None),
            ("scope", None),
            ("requested_token_type", None),
            ("resource", None),
            ("actor_token", None),
            ("actor_token_type", None),
        ];
        for (name, value) in url::form_urlencoded::parse(body) {
            let Some((_, kept)) = named.iter_mut().find(|(known, _)| *known == name) else {
                // RFC 6749 section 3.2: unrecognized parameters are ignored.
                continue;
            };
            if kept.replace(value).is_some() {
                return Err(("invalid_request", "a parameter is there more than once"));
            }
        }
        let [grant, subject, subject_type, audience, scope, requested, resource, actor, actor_type] =
            // RFC 6749 section 3.2: a parameter without a value is one that was not sent.
            named.map(|(_, value)| value.filter(|value| !value.is_empty()));
        match grant.as_deref() {
            None => return Err(("invalid_request", "`grant_type` is missing")),
            Some(GRANT) => {}
            Some(_) => return Err(("unsupported_grant_type", "only token exchange is supported")),
        }
        if !subject_type.is_some_and(|kind| TOKEN_TYPES.contains(&kind.as_ref())) {
            return Err(("invalid_request", "`subject_token_type` must be that of an access token or a JWT"));
        }
        if requested.is_some_and(|kind| !TOKEN_TYPES.contains(&kind.as_ref())) {
            return Err((
                "invalid_request",
                "`requested_token_type` must be that of an access token or a JWT",
            ));
        }
        if actor.is_some() || actor_type.is_some() {
            return Err(("invalid_request", "an actor token is not accepted: the bridge is the actor"));
        }
        if resource.is_some() {
            return Err(("invalid_target", "`resource` is not used; name the backend in `audience`"));
        }
        Ok(Self {
            subject_token: subject.ok_or(("invalid_request", "`subject_token` is missing"))?,
            audience: audience.ok_or(("invalid_request", "`audience` is missing: the name of a backend"))?,
            scope,
        })
    }
}

/// RFC 8693 section 2.2.1.
fn issued(bridged: &Bridged, now: UnixTime) -> Response {
    let mut body = json!({
        "access_token": bridged.token,
        "issued_token_type": TOKEN_TYPES[0],
        "token_type": "Bearer",
        "expires_in": bridged.expires_at.since(now).as_secs(),
    });
    if let (Some(scope), Some(body)) = (&bridged.scope, body.as_object_mut()) {
        body.insert("scope".to_owned(), json!(scope));
    }
    respond(StatusCode::OK, &body)
}

/// RFC 8693 section 2.2.2: whatever is wrong with the subject token is `invalid_request`; the reason is for the log.
fn refused(deny: &Deny) -> Response {
    let (status, error) = match deny.reason {
        Reason::BackendUnknown => (StatusCode::BAD_REQUEST, "invalid_target"),
        Reason::ScopeMissing => (StatusCode::BAD_REQUEST, "invalid_scope"),
        Reason::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
        reason if reason.status() >= 500 => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        _ => (StatusCode::BAD_REQUEST, "invalid_request"),
    };
    let mut response = respond(status, &json!({ "error": error, "request_id": deny.request_id }));
    if status != StatusCode::BAD_REQUEST {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn invalid((error, description): Invalid) -> Response {
    respond(StatusCode::BAD_REQUEST, &json!({ "error": error, "error_description": description }))
}

/// RFC 6749 section 5.1: never to be kept.
fn respond(status: StatusCode, body: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().extend([
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::PRAGMA, HeaderValue::from_static("no-cache")),
    ]);
    response
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// RFC 8693 section 3; the first is what is issued.
const TOKEN_TYPES: [&str; 2] =
    ["urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:jwt"];

/// A consumer's token may be configured to have 64 KiB; the rest is for the other parameters.
const MAX_BODY: usize = 80 * 1024;
