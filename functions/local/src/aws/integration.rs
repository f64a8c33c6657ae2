//! The HTTP proxy integration: the backend behind an API.
//!
//! Both bodies stream. The parameter mapping is that of the deployed APIs: each claim of the backend's `context` that the
//! authorizer gave is the header `x-drawbridge-<claim>`, with `-` for `_`; the client's copies, its `Authorization` and hop-by-hop headers
//! do not pass.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html>

use std::collections::BTreeMap;

use axum::{extract::Request, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

use super::{INTEGRATION_LIMIT, authorizer::Allowed, call::Call, gateway_response::GatewayResponse};
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
    request.headers_mut().remove(header::AUTHORIZATION);
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
