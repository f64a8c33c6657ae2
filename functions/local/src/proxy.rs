//! The rules of [`drawbridge_forward`] with the bodies of the local gateways.

use axum::{body::Body, extract::Request, response::Response};
pub use drawbridge_forward::{
    Forward, ForwardError, Limits, builder, client, strip, strip_hop_by_hop, strip_provenance,
};
use http::{HeaderMap, Method};
use url::Url;

/// As [`drawbridge_forward::forward`].
///
/// # Errors
/// Those of the same.
pub async fn forward(
    client: &reqwest::Client,
    request: Request,
    to: Forward<'_>,
) -> Result<Response, ForwardError> {
    Ok(drawbridge_forward::forward(client, request, to).await?.map(Body::new))
}

/// As [`drawbridge_forward::exchange`].
///
/// # Errors
/// Those of the same.
pub async fn exchange(
    client: &reqwest::Client,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Body,
    limits: Limits,
) -> Result<Response, ForwardError> {
    Ok(drawbridge_forward::exchange(client, method, url, headers, body, limits).await?.map(Body::new))
}

/// The answer where there is none of the upstream, for a gateway that has no form of its own.
pub fn failed(error: ForwardError) -> Response {
    error.problem().map(Body::from)
}
