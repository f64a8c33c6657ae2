use std::{borrow::Cow, fmt, net::IpAddr};

use drawbridge_gate::{Allow, Decision, Deny, Headers, Reason, Request};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// One request, as `decide` reads it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::commands) struct Line<'a> {
    #[serde(borrow, default)]
    pub(super) id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    uri: Cow<'a, str>,
    #[serde(deserialize_with = "headers")]
    headers: HeaderMap,
    #[serde(default)]
    source_ip: Option<IpAddr>,
    #[serde(borrow, default)]
    client_certificate: Option<Cow<'a, str>>,
}

/// One decision, as `decide` writes it.
#[derive(Serialize)]
pub(super) struct Answer<'a> {
    id: Option<&'a RawValue>,
    decision: &'static str,
    status: u16,
    pub(super) reason: &'static str,
    principal: Option<&'a str>,
    #[serde(serialize_with = "in_order")]
    context: &'a [(String, String)],
    issuer: Option<&'a str>,
    kid: Option<&'a str>,
}

impl<'a> Line<'a> {
    /// The request of a line, or the id that could still be read.
    pub(in crate::commands) fn parse(line: &'a [u8]) -> Result<Self, Option<&'a RawValue>> {
        /// What is left to read of a line that is no request.
        #[derive(Deserialize)]
        struct Identified<'a> {
            #[serde(borrow, default)]
            id: Option<&'a RawValue>,
        }
        match serde_json::from_slice::<Self>(line) {
            Ok(line) if line.id.is_none_or(is_id) && line.method.parse::<Method>().is_ok() => Ok(line),
            Ok(line) => Err(line.id.filter(|id| is_id(id))),
            Err(_) => {
                let identified = serde_json::from_slice::<Identified<'a>>(line).ok();
                Err(identified.and_then(|line| line.id).filter(|id| is_id(id)))
            }
        }
    }

    /// What is wrong with a line that is no request: the member, or the place. Never a value, which may be a token.
    pub(in crate::commands) fn mistake(line: &[u8]) -> String {
        match serde_json::from_slice::<Line<'_>>(line) {
            Ok(line) if line.method.parse::<Method>().is_err() => "`method` is no method".to_owned(),
            Ok(_) => "`id` is neither a string nor a number".to_owned(),
            Err(error) => {
                let said = error.to_string();
                let of_member = ["unknown field", "missing field", "duplicate field"];
                if of_member.iter().any(|kind| said.starts_with(kind)) && said.len() < MAX_SAID {
                    return said;
                }
                let what = if error.is_data() { "a value of the wrong kind" } else { "not JSON" };
                format!("{what} at line {} column {}", error.line(), error.column())
            }
        }
    }

    pub(in crate::commands) fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            target: &self.uri,
            headers: Headers::from(&self.headers),
            source_ip: self.source_ip,
            client_certificate: self.client_certificate.as_ref().map(|pem| pem.as_bytes()),
            request_id: None,
        }
    }
}

impl<'a> Answer<'a> {
    pub(super) fn new(id: Option<&'a RawValue>, decision: &'a Decision) -> Self {
        let reason = decision.reason();
        let status = reason.status();
        let reason = reason.code();
        match decision {
            Decision::Allow(Allow { principal, issuer, kid, context, .. }) => Self {
                id,
                decision: "allow",
                status,
                reason,
                principal: Some(principal),
                context,
                issuer: Some(issuer),
                kid: Some(kid),
            },
            Decision::Deny(Deny { principal, issuer, kid, .. }) => Self {
                id,
                decision: "deny",
                status,
                reason,
                principal: principal.as_deref(),
                context: &[],
                issuer: issuer.as_deref(),
                kid: kid.as_deref(),
            },
        }
    }

    pub(super) fn malformed(id: Option<&'a RawValue>) -> Self {
        Self {
            id,
            decision: "deny",
            status: Reason::RequestMalformed.status(),
            reason: Reason::RequestMalformed.code(),
            principal: None,
            context: &[],
            issuer: None,
            kid: None,
        }
    }
}

/// An id is a string or a number; it is given back as it was written.
fn is_id(id: &RawValue) -> bool {
    id.get().starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}

/// `{name:[values]}`: no name twice, and nothing that HTTP could not carry.
fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HeaderMap, D::Error> {
    struct Lists;

    impl<'de> Visitor<'de> for Lists {
        type Value = HeaderMap;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of header names and lists of values")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HeaderMap, A::Error> {
            let mut headers = HeaderMap::new();
            let mut names = Vec::<String>::new();
            while let Some((name, values)) = map.next_entry::<String, Vec<Cow<'de, str>>>()? {
                if names.contains(&name) || names.len() == MAX_NAMES {
                    return Err(A::Error::custom("a name twice, or too many of them"));
                }
                let parsed: HeaderName = name.parse().map_err(A::Error::custom)?;
                for value in values {
                    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(A::Error::custom)?;
                    headers.try_append(parsed.clone(), value).map_err(A::Error::custom)?;
                }
                names.push(name);
            }
            Ok(headers)
        }
    }

    deserializer.deserialize_map(Lists)
}

/// An object whose members keep the configured order.
fn in_order<S: Serializer>(context: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(context.iter().map(|(claim, value)| (claim, value)))
}

/// More than any server takes.
const MAX_NAMES: usize = 1000;

/// A member's name that makes the message longer than this is no misspelling.
const MAX_SAID: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_request_is_refused_with_the_id_that_can_be_read() {
        let id = |line: &str| match Line::parse(line.as_bytes()) {
            Ok(_) => panic!("accepted: {line}"),
            Err(id) => id.map(|id| id.get().to_owned()),
        };
        let rest = r#""method":"GET","uri":"/","headers":{}"#;
        let table = [
            (String::new(), None),
            ("null".into(), None),
            ("[]".into(), None),
            ("not json".into(), None),
            ("\u{0}".into(), None),
            (format!(r#"{{"id":1,{rest}"#), None),
            (format!(r#"{{"id":{{}},{rest}}}"#), None),
            (format!(r#"{{"id":true,{rest}}}"#), None),
            (r#"{"id":7}"#.into(), Some("7")),
            (r#"{"id":"a","method":"GET","uri":"/","headers":[]}"#.into(), Some("\"a\"")),
            (format!(r#"{{"id":"a",{rest},"surprise":1}}"#), Some("\"a\"")),
            (format!(r#"{{"id":1,{rest},"method":"PUT"}}"#), Some("1")),
            (r#"{"id":1,"method":"G T","uri":"/","headers":{}}"#.into(), Some("1")),
            (r#"{"id":1,"method":"","uri":"/","headers":{}}"#.into(), Some("1")),
            (r#"{"id":1,"method":5,"uri":"/","headers":{}}"#.into(), Some("1")),
            (r#"{"id":1,"method":"GET","uri":"/","headers":{"a":"b"}}"#.into(), Some("1")),
            (r#"{"id":1,"method":"GET","uri":"/","headers":{"a":[1]}}"#.into(), Some("1")),
            (r#"{"id":1,"method":"GET","uri":"/","headers":{"a":[],"a":[]}}"#.into(), Some("1")),
            (r#"{"id":1,"method":"GET","uri":"/","headers":{"a b":[]}}"#.into(), Some("1")),
            (r#"{"id":1,"method":"GET","uri":"/","headers":{"a":["x\r\ny: z"]}}"#.into(), Some("1")),
            (format!(r#"{{"id":1,{rest},"source_ip":"nowhere"}}"#), Some("1")),
            (format!(r#"{{"id":1,{rest},"client_certificate":[]}}"#), Some("1")),
        ];
        for (line, expected) in table {
            assert_eq!(id(&line).as_deref(), expected, "{line}");
        }
        let bytes =
            [b"{\"id\":1,\"method\":\"GET\",\"uri\":\"/".as_slice(), &[0xff], b"\",\"headers\":{}}"].concat();
        assert!(Line::parse(&bytes).is_err());
        assert!(Line::parse("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn a_request_keeps_every_value_and_gives_its_id_back_as_it_was_written() {
        let text = r#"{"id": 1.50, "method":"GET","uri":"\/a?b","headers":{"A":["1","2"],"a":["3"]},"source_ip":"::1","client_certificate":"PEM"}"#;
        let line = Line::parse(text.as_bytes()).unwrap_or_else(|_| panic!("refused"));
        let request = line.request();
        assert_eq!((request.method, request.target), ("GET", "/a?b"));
        assert_eq!(request.headers.all("a").collect::<Vec<_>>(), [b"1", b"2", b"3"]);
        assert_eq!(request.source_ip, Some("::1".parse().unwrap()));
        assert_eq!(request.client_certificate, Some(b"PEM".as_slice()));
        let answer = serde_json::to_string(&Answer::malformed(line.id)).unwrap();
        let expected = r#"{"id":1.50,"decision":"deny","status":400,"reason":"request.malformed","principal":null,"context":{},"issuer":null,"kid":null}"#;
        assert_eq!(answer, expected);
    }
}
