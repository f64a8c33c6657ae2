//! Forward-auth: the original request in, 200 with headers or an error with problem details out.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;
use uuid::Uuid;

use crate::{Allow, Decision, Deny, Reason, context::header_name};

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
    ///
    /// Both pairs of headers at once are twice: one of them may be the client's, and which one cannot be known here. A
    /// gateway that sets one pair must drop the other.
    pub fn original<'a>(
        self,
        method: &'a Method,
        uri: &'a Uri,
        prefix: &str,
        headers: &'a HeaderMap,
    ) -> Option<(&'a str, &'a str)> {
        match self {
            Self::Mirrored => {
                let target = uri.path_and_query()?.as_str().strip_prefix(prefix.trim_end_matches('/'))?;
                match target {
                    "" => Some((method.as_str(), "/")),
                    target if target.starts_with('/') => Some((method.as_str(), target)),
                    _ => None,
                }
            }
            Self::Described => {
                let pair = if DESCRIPTIONS[1].iter().any(|name| headers.contains_key(*name)) {
                    if DESCRIPTIONS[0].iter().any(|name| headers.contains_key(*name)) {
                        return None;
                    }
                    DESCRIPTIONS[1]
                } else {
                    DESCRIPTIONS[0]
                };
                let [method, target] = pair.map(|name| only(headers, name));
                Some((method?, target?))
            }
        }
    }

    /// 200 with the context headers, or the deny as [`problem`].
    ///
    /// An allow also says in `X-Decision-Expires` when its token ends, in seconds since 1970: whoever remembers it must forget it
    /// by then. That is no header for the backend.
    pub fn answer(decision: &Decision) -> Response<String> {
        match decision {
            Decision::Allow(allow) => granted(allow)
                .unwrap_or_else(|_| problem(&Deny::new(Reason::Internal, allow.request_id.as_str()))),
            Decision::Deny(deny) => problem(deny),
        }
    }
}

/// RFC 9457 problem details with `WWW-Authenticate` (RFC 6750), `Cache-Control: no-store`; says nothing beyond the status,
/// a code of RFC 6750 and the request id.
pub fn problem(deny: &Deny) -> Response<String> {
    let status = StatusCode::from_u16(deny.reason.status())
        .ok()
        // Whatever the reason, a deny is never answered with a success.
        .filter(|status| status.is_client_error() || status.is_server_error())
        .unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let body = serde_json::to_string(&Problem {
        kind: "about:blank",
        title: status.canonical_reason().unwrap_or("Refused"),
        status: status.as_u16(),
        instance: instance(&deny.request_id),
        code: deny.reason.error_code(),
    });
    let mut response = Response::new(body.unwrap_or_default());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if let Some(challenge) = www_authenticate(deny) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The `WWW-Authenticate` value of a deny, where its status calls for one: RFC 6750 section 3.
///
/// Without an error code where no credentials of this scheme came (section 3.1), with `scope` where one is missing.
pub fn www_authenticate(deny: &Deny) -> Option<HeaderValue> {
    let Some(code) = deny.reason.error_code() else {
        return Some(HeaderValue::from_static(CHALLENGE));
    };
    if !matches!(code, "invalid_request" | "invalid_token" | "insufficient_scope") {
        return None;
    }
    let plain = format!("{CHALLENGE}, error=\"{code}\"");
    let scoped = deny.required_scope.as_ref().map(|scope| format!("{plain}, scope=\"{scope}\""));
    // A scope is visible ASCII without quotes, by the route table's own check.
    scoped.and_then(|value| HeaderValue::try_from(value).ok()).or_else(|| HeaderValue::try_from(plain).ok())
}

/// The headers that describe an original request: method and target, as nginx is told to name them and as Caddy and Traefik do.
const DESCRIPTIONS: [[&str; 2]; 2] =
    [["x-original-method", "x-original-uri"], ["x-forwarded-method", "x-forwarded-uri"]];

/// When a gateway that remembers an allow has to forget it, at the latest.
const EXPIRES: HeaderName = HeaderName::from_static("x-decision-expires");

const CHALLENGE: &str = "Bearer realm=\"drawbridge\"";

#[derive(Serialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    instance: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

fn granted(allow: &Allow) -> Result<Response<String>, http::Error> {
    let mut response = Response::builder()
        .status(StatusCode::OK)
        .header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .header("x-drawbridge-request-id", allow.request_id.as_str())
        .header(EXPIRES, allow.expires_at.as_secs());
    for (claim, value) in &allow.context {
        response = response.header(HeaderName::try_from(header_name(claim))?, value.as_str());
    }
    response.body(String::new())
}

/// The request's id as a URI (RFC 9457 section 3.1.5).
fn instance(request_id: &str) -> String {
    match Uuid::try_parse(request_id) {
        Ok(uuid) => uuid.urn().to_string(),
        Err(_) => format!("urn:drawbridge:request:{request_id}"),
    }
}

/// The value of a header that is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok().filter(|value| !value.is_empty())?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use drawbridge_verify::UnixTime;

    use super::*;

    const ID: &str = "0b7a1f0e-5a39-4b4a-8c8e-0b9ce2f4d0aa";

    fn headers(headers: &[(&'static str, &str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn body(response: &Response<String>) -> serde_json::Value {
        serde_json::from_str(response.body()).unwrap()
    }

    #[test]
    fn a_mirrored_request_is_what_follows_the_prefix() {
        let table = [
            ("/customers/4711?a=b", "", Some("/customers/4711?a=b")),
            ("/authorize/customers", "/authorize", Some("/customers")),
            ("/authorize/customers", "/authorize/", Some("/customers")),
            ("/authorize", "/authorize", Some("/")),
            ("/authorize//customers", "/authorize", Some("//customers")),
            ("/authorized/customers", "/authorize", None),
            ("/authorize?a=b", "/authorize", None),
            ("/customers", "/authorize", None),
            ("*", "", None),
        ];
        for (uri, prefix, expected) in table {
            let uri = Uri::try_from(uri).unwrap();
            let none = HeaderMap::new();
            let original = ForwardAuth::Mirrored.original(&Method::PUT, &uri, prefix, &none);
            assert_eq!(original, expected.map(|target| ("PUT", target)), "{uri} after {prefix:?}");
        }
    }

    #[test]
    fn a_described_request_is_described_once() {
        let table: [(&[(&str, &str)], _); 10] = [
            (&[("x-original-method", "GET"), ("x-original-uri", "/a?b")], Some(("GET", "/a?b"))),
            (&[("x-forwarded-method", "PUT"), ("x-forwarded-uri", "/a")], Some(("PUT", "/a"))),
            (&[], None),
            (&[("x-original-uri", "/a")], None),
            (&[("x-original-method", "GET")], None),
            (&[("x-original-method", ""), ("x-original-uri", "/a")], None),
            (&[("x-original-method", "GET"), ("x-forwarded-uri", "/a")], None),
            (&[("x-original-method", "GET"), ("x-original-uri", "/a"), ("x-forwarded-uri", "/a")], None),
            (&[("x-original-method", "GET"), ("x-original-uri", "/a"), ("x-original-uri", "/b")], None),
            (&[("x-original-method", "GET"), ("x-original-method", "PUT"), ("x-original-uri", "/a")], None),
        ];
        let uri = Uri::from_static("/authorize");
        for (pairs, expected) in table {
            let mut given = HeaderMap::new();
            for (name, value) in pairs {
                given.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(
                ForwardAuth::Described.original(&Method::GET, &uri, "", &given),
                expected,
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn an_allow_tells_the_backend_who_is_calling() {
        let allow = Allow {
            principal: "alice".to_owned(),
            issuer: "https://edge.example.com".to_owned(),
            kid: "orders.sig.1".to_owned(),
            context: vec![
                ("sub".to_owned(), "alice".to_owned()),
                ("client_id".to_owned(), "app%0A".to_owned()),
            ],
            route: "/customers/{customer}".to_owned(),
            expires_at: UnixTime::from_secs(1),
            request_id: ID.to_owned(),
        };
        let response = ForwardAuth::answer(&Decision::Allow(allow.clone()));
        assert_eq!(response.status(), 200);
        assert_eq!(response.body(), "");
        let expected = headers(&[
            ("cache-control", "no-store"),
            ("x-drawbridge-request-id", ID),
            ("x-decision-expires", "1"),
            ("x-drawbridge-sub", "alice"),
            ("x-drawbridge-client-id", "app%0A"),
        ]);
        assert_eq!(*response.headers(), expected);
        let broken = Allow { context: vec![("sub".to_owned(), "a\nb".to_owned())], ..allow };
        assert_eq!(ForwardAuth::answer(&Decision::Allow(broken)).status(), 503);
    }

    #[test]
    fn every_deny_is_a_problem_that_tells_no_more_than_its_code() {
        for reason in Reason::ALL.iter().filter(|reason| **reason != Reason::Allowed) {
            let response = problem(&Deny { principal: Some("alice".to_owned()), ..Deny::new(*reason, ID) });
            assert_eq!(response.status(), reason.status(), "{reason}");
            assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
            assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
            assert!(!response.body().contains("alice"));
            assert!(!response.body().contains(reason.code()) || *reason == Reason::Internal);
            let mut expected = serde_json::json!({
                "type": "about:blank",
                "title": response.status().canonical_reason(),
                "status": reason.status(),
                "instance": format!("urn:uuid:{ID}"),
            });
            if let Some(code) = reason.error_code() {
                expected["code"] = code.into();
            }
            assert_eq!(body(&response), expected, "{reason}");
        }
        assert_eq!(problem(&Deny::new(Reason::Allowed, ID)).status(), 503);
        let other = problem(&Deny::new(Reason::TokenExpired, "JKJaXmPLvHcESHA="));
        assert_eq!(body(&other)["instance"], "urn:drawbridge:request:JKJaXmPLvHcESHA=");
    }

    #[test]
    fn challenges_follow_rfc_6750() {
        let table = [
            (Reason::CredentialsMissing, Some(r#"Bearer realm="drawbridge""#)),
            (Reason::CredentialsScheme, Some(r#"Bearer realm="drawbridge""#)),
            (Reason::CredentialsAmbiguous, Some(r#"Bearer realm="drawbridge", error="invalid_request""#)),
            (Reason::TokenExpired, Some(r#"Bearer realm="drawbridge", error="invalid_token""#)),
            (Reason::KeyUnknown, Some(r#"Bearer realm="drawbridge", error="invalid_token""#)),
            (
                Reason::ScopeMissing,
                Some(
                    r#"Bearer realm="drawbridge", error="insufficient_scope", scope="orders:read orders:write""#,
                ),
            ),
            (Reason::RouteUnknown, None),
            (Reason::PolicyDenied, None),
            (Reason::RateLimited, None),
            (Reason::KeyUnavailable, None),
            (Reason::Internal, None),
        ];
        for (reason, expected) in table {
            let mut deny = Deny::new(reason, ID);
            if reason == Reason::ScopeMissing {
                deny.required_scope = Some("orders:read orders:write".to_owned());
            }
            let challenge = www_authenticate(&deny);
            assert_eq!(challenge.as_ref().map(|value| value.to_str().unwrap()), expected, "{reason}");
            assert_eq!(problem(&deny).headers().get(WWW_AUTHENTICATE), challenge.as_ref());
        }
    }

    #[test]
    fn a_passing_failure_says_when_to_try_again() {
        for reason in Reason::ALL.iter().filter(|reason| **reason != Reason::Allowed) {
            let retry = problem(&Deny::new(*reason, ID)).headers().contains_key(RETRY_AFTER);
            assert_eq!(retry, matches!(reason.status(), 429 | 503), "{reason}");
        }
    }
}
