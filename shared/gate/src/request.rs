use std::net::IpAddr;

/// One request as a gateway saw it, borrowed from the native event.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The HTTP method, upper case. `GET` for a WebSocket `$connect`.
    pub method: &'a str,
    /// Path and, where there is one, `?query`, as received.
    pub target: &'a str,
    /// The headers.
    pub headers: Headers<'a>,
    /// Who connected to the gateway.
    pub source_ip: Option<IpAddr>,
    /// The client certificate of the gateway's own TLS layer, as PEM or DER; never from a client's header.
    pub client_certificate: Option<&'a [u8]>,
    /// The gateway's id of this request, for the audit line. A new one is made when there is none.
    pub request_id: Option<&'a str>,
}

/// Header names (any case) and values, in order, repeats kept.
#[derive(Clone, Debug, Default)]
pub struct Headers<'a>(Vec<(&'a str, &'a [u8])>);

impl<'a> Headers<'a> {
    /// Every value of a header.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [u8]> + 's {
        self.0.iter().filter(move |(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + '_ {
        self.0.iter().copied()
    }
}

impl<'a> FromIterator<(&'a str, &'a [u8])> for Headers<'a> {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a [u8])>>(headers: I) -> Self {
        Self(headers.into_iter().collect())
    }
}

impl<'a> From<&'a http::HeaderMap> for Headers<'a> {
    fn from(headers: &'a http::HeaderMap) -> Self {
        headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
    }
}
