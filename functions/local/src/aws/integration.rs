//! The HTTP proxy integration: the backend behind an API.
//!
//! Both bodies stream. The parameter mapping is that of the deployed APIs: each claim of the backend's `context` that the
//! authorizer gave is the header `x-drawbridge-<claim>`, with `-` for `_`; the client's copies and hop-by-hop headers do not pass.
//!
//! | header | HTTP API | REST API |
//! | --- | --- | --- |
//! | `Authorization` | passes: it is reserved, so that no mapping may name it | `none`: a mapping replaces a header and cannot remove it |
//! | `X-HTTP-Method-Override`, `X-HTTP-Method`, `X-Method-Override` | removed | the method that the request has |
//!
//! A backend behind an HTTP API therefore sees the bridged token, which is for it alone and lives for minutes. Of a method override also
//! the names with `_` for `-` are gone here, which a mapping would have to name one by one: the gate refuses a request that has one,
//! but a token authorizer is not shown headers. A message over a WebSocket API has no headers of the client's at all.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-parameter-mapping-sources.html>

use std::collections::BTreeMap;

use axum::{extract::Request, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

use super::{
    INTEGRATION_LIMIT,
    authorizer::Allowed,
    call::{ApiKind, Call},
    gateway_response::GatewayResponse,
};
use crate::proxy::{self, Forward, ForwardError, Limits};

/// Sends an allowed request on and gives the backend's answer.
///
/// # Errors
/// What to answer instead.
pub(crate) async fn forward(
    client: &reqwest::Client,
    upstream: &Url,
    call: &Call,
    mut request: Request,
    mut add: HeaderMap,
) -> Result<Response, GatewayResponse> {
    proxy::strip(request.headers_mut(), is_method_override);
    match call.api {
        ApiKind::Http => {}
        ApiKind::Rest => {
            add.insert(header::AUTHORIZATION, NO_CREDENTIAL);
            if let Ok(method) = HeaderValue::from_str(&call.method) {
                add.extend(METHOD_OVERRIDES.map(|name| (HeaderName::from_static(name), method.clone())));
            }
        }
        ApiKind::WebSocket => {
            request.headers_mut().remove(header::AUTHORIZATION);
        }
    }
    if let Ok(source_ip) = HeaderValue::from_str(&call.source_ip.to_string()) {
        add.insert(FORWARDED_FOR, source_ip);
    }
    let target =
        if call.query.is_empty() { call.path.clone() } else { format!("{}?{}", call.path, call.query) };
    let to = Forward { upstream, target: &target, add, limits: Limits::idle(INTEGRATION_LIMIT) };
    proxy::forward(client, request, to).await.map_err(|error| match error {
        ForwardError::TargetRefused => GatewayResponse::BadRequest,
        ForwardError::TimedOut => GatewayResponse::IntegrationTimeout,
        _ => GatewayResponse::IntegrationFailure,
    })
}

/// The headers that tell the backend who calls.
pub(crate) fn mapped(allowed: &Allowed, claims: &[String]) -> HeaderMap {
    headers(allowed.context(), claims)
}

fn headers(context: &BTreeMap<String, String>, claims: &[String]) -> HeaderMap {
    let header = |claim: &String| {
        let name = HeaderName::try_from(format!("{CONTEXT_PREFIX}{}", claim.replace('_', "-"))).ok()?;
        Some((name, HeaderValue::from_str(context.get(claim)?).ok()?))
    };
    claims.iter().filter_map(header).collect()
}

/// Whether a header, in lower case, asks for another method than the request's.
fn is_method_override(name: &str) -> bool {
    METHOD_OVERRIDES.contains(&name.replace('_', "-").as_str())
}

const METHOD_OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// A word that is no credential.
const NO_CREDENTIAL: HeaderValue = HeaderValue::from_static("none");

/// How the parameter mapping names the headers.
const CONTEXT_PREFIX: &str = "x-drawbridge-";

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configured_claims_become_headers_and_nothing_else_does() {
        let texts = [("sub", "alice"), ("given_name", "Al"), ("bad", "a\nb"), ("principal", "alice")];
        let context = texts.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let claims = ["sub", "given_name", "bad", "missing"].map(str::to_owned);
        let headers = headers(&context, &claims);
        let mut told: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        told.sort_unstable();
        assert_eq!(told, [("x-drawbridge-given-name", "Al"), ("x-drawbridge-sub", "alice")]);
    }
}
