//! Forward-auth: the original request in, 200 with headers or an error with problem details out.

use http::{HeaderMap, HeaderValue, Method, Response, Uri};

use crate::{Decision, Deny};

/// How a forward-auth client says what the original request was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardAuth {
    /// The request itself is the original one: method, path (after a prefix) and headers (Envoy HTTP `ext_authz`).
    Mirrored,
    /// `X-Original-Method` and `X-Original-URI` (nginx), or `X-Forwarded-Method` and `X-Forwarded-Uri` (Caddy, Traefik).
    Described,
}

impl ForwardAuth {
    /// The original method and target (path and query), or None when they are missing or said twice.
    pub fn original<'a>(self, method: &'a Method, uri: &'a Uri, prefix: &str, headers: &'a HeaderMap) -> Option<(&'a str, &'a str)> {
        let _ = (self, method, uri, prefix, headers);
        todo!()
    }

    /// 200 with the context headers, or the deny as [`problem`].
    pub fn answer(decision: &Decision) -> Response<String> { let _ = decision; todo!() }
}

/// RFC 9457 problem details with `WWW-Authenticate` (RFC 6750), `Cache-Control: no-store`; says nothing beyond the status,
/// a code of RFC 6750 and the request id.
pub fn problem(deny: &Deny) -> Response<String> { let _ = deny; todo!() }

/// The `WWW-Authenticate` value of a deny, where its status calls for one.
pub fn www_authenticate(deny: &Deny) -> Option<HeaderValue> { let _ = deny; todo!() }
