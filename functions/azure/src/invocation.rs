//! The invocation form: the request as JSON in `Data.req`, the answer as JSON in `Outputs.res`.

use std::fmt;

use drawbridge_serve::MAX_HEADERS;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, header};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value, json};

/// The request of an HTTP trigger. Its body is not read: neither function has one.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

impl Invocation {
    /// None for anything that is not of the documented form.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let HttpTrigger { method, url, headers } = serde_json::from_slice::<Payload>(body).ok()?.data.req;
        Some(Self { method: method.parse().ok()?, uri: url.parse().ok()?, headers: headers.0 })
    }
}

/// The answer as an output. It is an object: the host takes a string that happens to be base64 for bytes and decodes it.
pub(crate) fn output(answer: Response<String>) -> Response<String> {
    let mut headers: Map<String, Value> = Map::new();
    for name in answer.headers().keys() {
        let values: Vec<_> =
            answer.headers().get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        headers.insert(name.to_string(), values.join(", ").into());
    }
    let status = answer.status().as_u16();
    let output = json!({
        // Always with its status: the host answers 200 for an output that has none.
        "Outputs": { "res": { "statusCode": status, "headers": headers, "body": answer.into_body() } },
        "Logs": [],
        "ReturnValue": null,
    });
    let mut response = Response::new(output.to_string());
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "Data")]
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    req: HttpTrigger,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HttpTrigger {
    method: String,
    url: String,
    headers: TriggerHeaders,
}

/// A dictionary of lists whose names keep the client's casing; two that differ only in that are one header with two values.
struct TriggerHeaders(HeaderMap);

impl<'de> Deserialize<'de> for TriggerHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = TriggerHeaders;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a dictionary of lists")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TriggerHeaders, A::Error> {
        let mut headers = HeaderMap::new();
        while let Some((name, values)) = map.next_entry::<String, Vec<String>>()? {
            let name: HeaderName = name.parse().map_err(A::Error::custom)?;
            for value in values {
                if headers.len() == MAX_HEADERS {
                    return Err(A::Error::custom("too many headers"));
                }
                let value = HeaderValue::from_bytes(value.as_bytes()).map_err(A::Error::custom)?;
                headers.append(name.clone(), value);
            }
        }
        Ok(TriggerHeaders(headers))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_request_is_read_with_its_headers_in_any_case() {
        let invocation = Invocation::parse(
            br#"{"Data":{"req":{"Url":"https://app.example/api/jwks/billing/k?q=1","Method":"GET","Query":"{}",
                "Headers":{"AUTHORIZATION":["Bearer a"],"authorization":["Bearer b","Bearer c"],"X-Original-URI":["/x"]},
                "Params":{},"Identities":[],"Body":"{\"a\":1}"}},"Metadata":{"sys":{}}}"#,
        )
        .unwrap();
        assert_eq!(invocation.method, Method::GET);
        assert_eq!(invocation.uri.path(), "/api/jwks/billing/k");
        let credentials: Vec<_> = invocation.headers.get_all("authorization").iter().collect();
        assert_eq!(credentials, ["Bearer a", "Bearer b", "Bearer c"]);
        assert_eq!(invocation.headers["x-original-uri"], "/x");
    }

    #[test]
    fn what_is_not_of_the_documented_form_is_none() {
        let with = |headers: &str| {
            format!(r#"{{"Data":{{"req":{{"Url":"/","Method":"GET","Headers":{headers}}}}}}}"#)
        };
        assert!(Invocation::parse(with("{}").as_bytes()).is_some());
        let many: Vec<String> = (0..=MAX_HEADERS).map(|number| format!(r#""h{number}":["v"]"#)).collect();
        for headers in [
            "[]".to_owned(),
            "null".to_owned(),
            r#"{"a":"not a list"}"#.to_owned(),
            r#"{"a":[7]}"#.to_owned(),
            r#"{"a b":["c"]}"#.to_owned(),
            r#"{"a":["b\r\nc: d"]}"#.to_owned(),
            format!("{{{}}}", many.join(",")),
        ] {
            assert!(Invocation::parse(with(&headers).as_bytes()).is_none(), "{headers}");
        }
        for body in [
            "",
            "{}",
            "null",
            r#"{"Data":{}}"#,
            r#"{"Data":{"req":"{}"}}"#,
            r#"{"Data":{"req":{"Url":"/","Method":"GET"}}}"#,
            r#"{"Data":{"req":{"Url":"/","Method":"G T","Headers":{}}}}"#,
            r#"{"Data":{"req":{"Url":"a b","Method":"GET","Headers":{}}}}"#,
            r#"{"Data":{"req":{"Url":"/","Method":"GET","Method":"PUT","Headers":{}}}}"#,
            &"[".repeat(100_000),
        ] {
            assert!(Invocation::parse(body.as_bytes()).is_none());
        }
    }

    #[test]
    fn a_deny_is_inside_an_answer_that_is_a_success() {
        let deny = Response::builder()
            .status(401)
            .header("www-authenticate", "Bearer")
            .header("x-a", "1")
            .header("x-a", "2")
            .body("bm90IG1lYW50".to_owned())
            .unwrap();
        let answer = output(deny);
        assert_eq!(
            (answer.status(), &answer.headers()["content-type"]),
            (StatusCode::OK, &HeaderValue::from_static("application/json"))
        );
        assert_eq!(
            serde_json::from_str::<Value>(answer.body()).unwrap(),
            json!({
                "Outputs": { "res": {
                    "statusCode": 401,
                    "headers": { "www-authenticate": "Bearer", "x-a": "1, 2" },
                    "body": "bm90IG1lYW50",
                } },
                "Logs": [],
                "ReturnValue": null,
            })
        );
    }

    proptest! {
        #[test]
        fn no_body_makes_the_parser_fail_otherwise_than_by_none(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Invocation::parse(&body);
        }

        #[test]
        fn every_header_value_that_http_allows_comes_through(value in "[ -~]{0,40}") {
            let body = json!({ "Data": { "req": { "Url": "/", "Method": "GET", "Headers": { "X-A": [value] } } } });
            let invocation = Invocation::parse(body.to_string().as_bytes()).unwrap();
            prop_assert_eq!(invocation.headers["x-a"].as_bytes(), value.as_bytes());
        }
    }
}
