//! The `proxy` function: what was allowed goes on to the upstream, where there is no API Management to send it.

use std::time::Duration;

use drawbridge_forward::{Forward, Limits, client, forward, strip};
use drawbridge_keys::BackendName;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body_util::Either;
use hyper::body::Incoming;
use serde_json::json;
use url::Url;

use crate::{
    app::invocation_id,
    contract,
    server::{Answer, whole},
    settings::Settings,
};

/// The application behind the gate.
pub(crate) struct Proxy {
    upstream: Url,
    client: reqwest::Client,
    limits: Limits,
    /// What the gate calls itself in `Via`.
    pseudonym: String,
    /// The headers that are the gate's and not the application's.
    own: Vec<HeaderName>,
}

impl Proxy {
    /// # Errors
    /// When the TLS library cannot start.
    pub(crate) fn new(settings: &Settings, upstream: Url) -> reqwest::Result<Self> {
        let own = [header::AUTHORIZATION, settings.credentials.clone()].into_iter();
        Ok(Self {
            upstream,
            client: client()?,
            limits: Limits { idle: settings.upstream_timeout, total: Some(TOTAL) },
            pseudonym: pseudonym(&settings.backend),
            own: own.chain(settings.client_certificate.clone()).collect(),
        })
    }

    /// The answer to what would not arrive as it was sent, before anything is decided.
    pub(crate) fn refuse(&self, request: &Parts) -> Option<Response<String>> {
        let (status, why) = if is_rebuilt(&request.headers) {
            (
                StatusCode::NOT_IMPLEMENTED,
                "the Functions host does not pass requests on whole; it needs enableProxyingHttpRequest",
            )
        } else if named(&request.headers, &header::UPGRADE).any(|name| name.eq_ignore_ascii_case("websocket"))
        {
            (StatusCode::NOT_IMPLEMENTED, "connections are not upgraded")
        } else if named(&request.headers, &header::VIA)
            .any(|hop| hop.split(' ').any(|word| word == self.pseudonym))
        {
            (StatusCode::LOOP_DETECTED, "the upstream of this gate is this gate")
        } else {
            return None;
        };
        Some(refusal(status, why))
    }

    /// Sends an allowed request on, with what the gate says to the upstream.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) async fn send(
        &self,
        mut request: Request<Incoming>,
        target: &str,
        mut add: HeaderMap,
    ) -> Result<Answer, drawbridge_forward::ForwardError> {
        let headers = request.headers_mut();
        for name in &self.own {
            headers.remove(name);
        }
        strip(headers, is_platforms);
        // RFC 9110 section 7.6.3: after those of the hops before.
        for via in headers.get_all(header::VIA) {
            add.append(header::VIA, via.clone());
        }
        let via = HeaderValue::try_from(format!("1.1 {}", self.pseudonym));
        if let Ok(via) = via {
            add.append(header::VIA, via);
        }
        let to = Forward { upstream: &self.upstream, target, add, limits: self.limits };
        Ok(forward(&self.client, request, to).await?.map(Either::Right))
    }
}

/// What the upstream is asked for: what follows the function's own path.
pub(crate) fn target(path: &str, query: Option<&str>) -> String {
    let path = match path.strip_prefix("/proxy") {
        Some("") | None => "/",
        Some(path) => path,
    };
    query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

/// Problem details for what no decision was asked about.
pub(crate) fn refusal(status: StatusCode, detail: &str) -> Response<String> {
    let problem = json!({
        "type": "about:blank", "title": status.canonical_reason(), "status": status.as_u16(), "detail": detail,
    });
    let mut answer = Response::new(problem.to_string());
    *answer.status_mut() = status;
    answer.headers_mut().extend([
        (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    answer
}

/// Why an upstream gave no answer, as the client is told.
pub(crate) fn failed(error: drawbridge_forward::ForwardError) -> Answer {
    whole(error.problem())
}

/// Whether a Functions host made a request of its own out of the client's (`enableForwardingHttpRequest`, or an old host): then a
/// body without a length is gone, and repeated names in the query are joined. A host that proxies says the invocation's id twice;
/// a client cannot know it beforehand.
fn is_rebuilt(headers: &HeaderMap) -> bool {
    let correlation = headers.get(contract::CORRELATION_ID).and_then(|id| id.to_str().ok());
    headers.contains_key(contract::INVOCATION_ID) && correlation != invocation_id(headers)
}

/// The members of a header that is a list.
fn named<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Whether a header is between a client or the platform and this app: who signed on here (Easy Auth), function keys, what the front
/// end says of the connection. An upstream on the same platform would take them for its own front end's.
fn is_platforms(name: &str) -> bool {
    let name = name.replace('_', "-");
    PLATFORM.iter().any(|prefix| name.starts_with(prefix))
}

fn pseudonym(backend: &BackendName) -> String {
    format!("drawbridge-{backend}")
}

/// What headers of the platform begin with.
const PLATFORM: [&str; 14] = [
    "client-ip",
    "disguised-host",
    "max-forwards",
    "was-default-hostname",
    "x-appservice-",
    "x-arr-",
    "x-azure-functions-",
    "x-client-",
    "x-functions-",
    "x-ms-client-principal",
    "x-ms-invocation-id",
    "x-ms-token-",
    "x-site-deployment-id",
    "x-waws-",
];

/// The host gives a function up to 30 minutes by default outside of the consumption plan.
const TOTAL: Duration = Duration::from_secs(30 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_is_what_follows_the_function() {
        for (path, query, expected) in [
            ("/proxy", None, "/"),
            ("/proxy/", None, "/"),
            ("/proxy", Some("a=b"), "/?a=b"),
            ("/proxy/invoices/7", Some(""), "/invoices/7?"),
            ("/proxy//invoices", None, "//invoices"),
            ("/proxy/proxy/a%2Fb", Some("a=1&a=2"), "/proxy/a%2Fb?a=1&a=2"),
        ] {
            assert_eq!(target(path, query), expected);
        }
    }

    #[test]
    fn a_request_that_the_host_made_anew_is_told_from_one_that_it_passed_on() {
        for (ids, correlation, rebuilt) in [
            (&[][..], None, false),
            (&[], Some("a"), false),
            (&["host"], Some("host"), false),
            (&["host"], None, true),
            (&["of-the-client, host"], None, true),
            (&["of-the-client", "host"], Some("of-the-client"), true),
            (&["of-the-client, host"], Some("of-the-client"), true),
        ] {
            let mut headers = HeaderMap::new();
            for id in ids {
                headers.append(contract::INVOCATION_ID, HeaderValue::from_static(id));
            }
            headers.extend(
                correlation.map(|id| {
                    (HeaderName::from_static(contract::CORRELATION_ID), HeaderValue::from_static(id))
                }),
            );
            assert_eq!(is_rebuilt(&headers), rebuilt, "{ids:?} {correlation:?}");
        }
    }

    #[test]
    fn what_is_the_platforms_is_so_however_it_is_spelt() {
        for name in [
            "x-ms-client-principal",
            "x_ms_client_principal_name",
            "x-ms-token-aad-access-token",
            "x-functions-key",
        ] {
            assert!(is_platforms(name), "{name}");
        }
        for name in ["x-ms-version", "x-ms-blob-type", "x-requested-with", "x-correlation-id", "cookie"] {
            assert!(!is_platforms(name), "{name}");
        }
    }
}
