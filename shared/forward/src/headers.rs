use drawbridge_gate::is_identity_header;
use http::{HeaderMap, HeaderName, header};

/// Removes what is meant for one connection only, and what `Connection` says is (RFC 9110 section 7.6.1).
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Removes every header that a backend would read as said by its gateway.
pub(crate) fn strip_identity(headers: &mut HeaderMap) {
    strip(headers, is_identity_header);
}

/// Removes what says where a request came from and over which connection (`Client-Cert` is that of RFC 9440): the client cannot know
/// better than the gateway.
pub fn strip_provenance(headers: &mut HeaderMap) {
    strip(headers, |name| {
        let name = name.replace('_', "-");
        name == "forwarded"
            || name == "x-real-ip"
            || name.starts_with("client-cert")
            || name.starts_with("x-forwarded-")
            || name.starts_with("x-original-")
    });
}

/// Removes the headers whose names, in lower case, are unwanted.
pub fn strip(headers: &mut HeaderMap, unwanted: impl Fn(&str) -> bool) {
    let named: Vec<HeaderName> = headers.keys().filter(|name| unwanted(name.as_str())).cloned().collect();
    for name in named {
        headers.remove(name);
    }
}

/// RFC 9110 section 7.6.1, and the two of RFC 9112 and RFC 9110 section 11.7 that concern the proxy alone.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn hop_by_hop_headers_go_with_those_that_connection_names() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Named"),
            ("connection", "x-other, , bad name"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authenticate", "Basic"),
            ("proxy-authorization", "Basic eA=="),
            ("te", "trailers"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-named", "1"),
            ("x-other", "1"),
            ("content-type", "text/plain"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        strip_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["content-type"]);
    }

    #[test]
    fn attack_25_what_a_client_says_of_other_hops_goes_however_it_is_spelt() {
        let mut headers = HeaderMap::new();
        for name in [
            "forwarded",
            "x-real-ip",
            "x_real_ip",
            "x-forwarded-for",
            "x-forwarded_host",
            "x_forwarded_proto",
            "x-original-url",
            "client-cert",
            "client_cert-chain",
            "x-forwarded-client-cert",
            "x_original-uri",
            "x-forwarded",
            "forwarded-for",
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        strip_provenance(&mut headers);
        let mut kept: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        kept.sort_unstable();
        assert_eq!(kept, ["forwarded-for", "x-forwarded"]);
    }
}
