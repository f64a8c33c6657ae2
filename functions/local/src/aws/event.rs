//! The native events that the functions get.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use drawbridge_config::AwsAuthorizer;
use http::header;
use serde_json::{Map, Value, json};

use super::call::{ACCOUNT, API_ID, Call};
use crate::tls::ClientCertificate;

/// What an authorizer of this kind is told, `identities` being the values of its identity sources in their order.
pub(crate) fn authorizer(kind: AwsAuthorizer, call: &Call, identities: &[String]) -> Value {
    match kind {
        AwsAuthorizer::RestToken => json!({
            "type": "TOKEN",
            "authorizationToken": identities.first(),
            "methodArn": call.arn(),
        }),
        AwsAuthorizer::RestRequest => rest_request(call),
        AwsAuthorizer::Http10 => http_1_0(call, identities),
        AwsAuthorizer::Http20Iam | AwsAuthorizer::Http20Simple => http_2_0(call, identities),
        AwsAuthorizer::WebSocket => connect(call),
    }
}

/// What a Lambda proxy integration of an HTTP API is told, payload format 2.0.
pub(crate) fn integration(call: &Call, body: &[u8]) -> Value {
    let mut event = http_2_0(call, &[]);
    if let Some(event) = event.as_object_mut() {
        for name in ["type", "routeArn", "identitySource"] {
            event.remove(name);
        }
        let text = std::str::from_utf8(body).ok();
        if !body.is_empty() {
            event.insert("body".to_owned(), text.map_or_else(|| STANDARD.encode(body), str::to_owned).into());
        }
        event.insert("isBase64Encoded".to_owned(), text.is_none().into());
    }
    event
}

fn rest_request(call: &Call) -> Value {
    let query = call.query_pairs();
    json!({
        "type": "REQUEST",
        "methodArn": call.arn(),
        "resource": call.route.resource,
        "path": call.path,
        "httpMethod": call.method,
        "headers": or_null(last(header_pairs(call))),
        "multiValueHeaders": or_null(all(header_pairs(call))),
        "queryStringParameters": or_null(last(query.clone())),
        "multiValueQueryStringParameters": or_null(all(query)),
        "pathParameters": or_null(last(call.route.parameters.clone())),
        "stageVariables": null,
        "requestContext": {
            "resourceId": call.route.resource,
            "resourcePath": call.route.resource,
            "httpMethod": call.method,
            "extendedRequestId": call.request_id,
            "requestTime": call.time(),
            "path": call.path_with_stage(),
            "accountId": ACCOUNT,
            "protocol": "HTTP/1.1",
            "stage": call.stage,
            "domainPrefix": API_ID,
            "requestTimeEpoch": call.at.as_millisecond(),
            "requestId": call.request_id,
            "identity": identity(call),
            "domainName": call.domain_name(),
            "apiId": API_ID,
        },
    })
}

fn http_1_0(call: &Call, identities: &[String]) -> Value {
    let identity_source = identities.join(",");
    json!({
        "version": "1.0",
        "type": "REQUEST",
        "methodArn": call.arn(),
        "identitySource": identity_source,
        "authorizationToken": identity_source,
        "resource": call.route.resource,
        "path": call.path,
        "httpMethod": call.method,
        "headers": joined(header_pairs(call)),
        "queryStringParameters": joined(call.query_pairs()),
        "pathParameters": last(call.route.parameters.clone()),
        "stageVariables": {},
        "requestContext": {
            "path": call.path,
            "accountId": ACCOUNT,
            "resourceId": call.route.key,
            "stage": call.stage,
            "requestId": call.request_id,
            "identity": identity(call),
            "resourcePath": call.route.resource,
            "httpMethod": call.method,
            "apiId": API_ID,
        },
    })
}

fn http_2_0(call: &Call, identities: &[String]) -> Value {
    let mut headers = joined(header_pairs(call));
    let cookies = headers.remove(header::COOKIE.as_str());
    let mut event = json!({
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": call.arn(),
        "identitySource": identities,
        "routeKey": call.route.key,
        "rawPath": call.path_with_stage(),
        "rawQueryString": call.query,
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API_ID,
            "domainName": call.domain_name(),
            "domainPrefix": API_ID,
            "http": {
                "method": call.method,
                "path": call.path_with_stage(),
                "protocol": "HTTP/1.1",
                "sourceIp": call.source_ip,
                "userAgent": call.user_agent(),
            },
            "requestId": call.request_id,
            "routeKey": call.route.key,
            "stage": call.stage,
            "time": call.time(),
            "timeEpoch": call.at.as_millisecond(),
        },
    });
    if let Some(event) = event.as_object_mut() {
        // These are left out where there is nothing in them.
        let query = joined(call.query_pairs());
        if !query.is_empty() {
            event.insert("queryStringParameters".to_owned(), json!(query));
        }
        if call.route.key != "$default" && !call.route.parameters.is_empty() {
            event.insert("pathParameters".to_owned(), json!(last(call.route.parameters.clone())));
        }
        if let (Some(certificate), Some(Value::Object(context))) =
            (&call.certificate, event.get_mut("requestContext"))
        {
            context.insert("authentication".to_owned(), json!({ "clientCert": client_cert(certificate) }));
        }
        if let Some(cookies) = cookies {
            event.insert("cookies".to_owned(), cookies.split(';').map(str::trim).collect());
        }
    }
    event
}

/// There is no method, no path and no path parameter in it.
fn connect(call: &Call) -> Value {
    let query = call.query_pairs();
    json!({
        "type": "REQUEST",
        "methodArn": call.arn(),
        "headers": last(header_pairs(call)),
        "multiValueHeaders": all(header_pairs(call)),
        "queryStringParameters": last(query.clone()),
        "multiValueQueryStringParameters": all(query),
        "stageVariables": {},
        "requestContext": {
            "routeKey": "$connect",
            "eventType": "CONNECT",
            "extendedRequestId": call.request_id,
            "requestTime": call.time(),
            "messageDirection": "IN",
            "stage": call.stage,
            "connectedAt": call.at.as_millisecond(),
            "requestTimeEpoch": call.at.as_millisecond(),
            "identity": identity(call),
            "requestId": call.request_id,
            "domainName": call.domain_name(),
            "connectionId": call.request_id,
            "apiId": API_ID,
        },
    })
}

fn identity(call: &Call) -> Value {
    let mut identity = json!({ "apiKey": null, "sourceIp": call.source_ip, "userAgent": call.user_agent() });
    if let (Some(certificate), Some(identity)) = (&call.certificate, identity.as_object_mut()) {
        identity.insert("clientCert".to_owned(), client_cert(certificate));
    }
    identity
}

/// Of the members that the guide names the certificate itself alone; the others are said in it.
fn client_cert(certificate: &ClientCertificate) -> Value {
    json!({ "clientCertPem": certificate.pem() })
}

fn header_pairs(call: &Call) -> Vec<(String, String)> {
    let headers = call.headers.iter();
    headers
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}

fn last(pairs: Vec<(String, String)>) -> BTreeMap<String, String> {
    pairs.into_iter().collect()
}

fn joined(pairs: Vec<(String, String)>) -> BTreeMap<String, String> {
    all(pairs).into_iter().map(|(name, values)| (name, values.join(","))).collect()
}

fn all(pairs: Vec<(String, String)>) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for (name, value) in pairs {
        all.entry(name).or_default().push(value);
    }
    all
}

/// REST APIs write an empty map as null.
fn or_null<T: Into<Value>>(map: BTreeMap<String, T>) -> Value {
    if map.is_empty() {
        return Value::Null;
    }
    map.into_iter().map(|(name, value)| (name, value.into())).collect::<Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use super::{
        super::call::{ApiKind, tests::call},
        *,
    };

    const HEADERS: [(&str, &str); 4] =
        [("authorization", "Bearer x"), ("x-a", "1"), ("x-a", "2"), ("cookie", "a=1; b=2")];

    #[test]
    fn a_token_authorizer_is_told_the_token_and_the_arn() {
        let call = call(ApiKind::Rest, "GET", "/orders/customers/42?page=2", &HEADERS);
        let event = authorizer(AwsAuthorizer::RestToken, &call, &["Bearer x".to_owned()]);
        let expected = json!({ "type": "TOKEN", "authorizationToken": "Bearer x", "methodArn": call.arn() });
        assert_eq!(event, expected);
    }

    #[test]
    fn a_request_authorizer_is_told_every_value_of_headers_and_query() {
        let call = call(ApiKind::Rest, "GET", "/orders/customers/42?page=2&page=a%26b", &HEADERS);
        let event = authorizer(AwsAuthorizer::RestRequest, &call, &[]);
        assert_eq!(event["type"], "REQUEST");
        assert_eq!(event["version"], Value::Null);
        assert_eq!(event["path"], "/customers/42");
        assert_eq!(event["requestContext"]["path"], "/orders/customers/42");
        assert_eq!(event["headers"]["x-a"], "2");
        assert_eq!(event["multiValueHeaders"]["x-a"], json!(["1", "2"]));
        assert_eq!(event["queryStringParameters"], json!({ "page": "a&b" }));
        assert_eq!(event["multiValueQueryStringParameters"], json!({ "page": ["2", "a&b"] }));
        assert_eq!(event["requestContext"]["identity"]["sourceIp"], "192.0.2.1");
        let bare = super::super::call::tests::call(ApiKind::Rest, "GET", "/orders/", &[]);
        assert_eq!(authorizer(AwsAuthorizer::RestRequest, &bare, &[])["queryStringParameters"], Value::Null);
    }

    #[test]
    fn payload_format_1_0_joins_what_is_repeated() {
        let call = call(ApiKind::Http, "GET", "/orders/customers/42", &HEADERS);
        let event = authorizer(AwsAuthorizer::Http10, &call, &["Bearer x".to_owned(), "7".to_owned()]);
        assert_eq!(event["version"], "1.0");
        assert_eq!(event["identitySource"], "Bearer x,7");
        assert_eq!(event["authorizationToken"], "Bearer x,7");
        assert_eq!(event["headers"]["x-a"], "1,2");
        assert_eq!(event["multiValueHeaders"], Value::Null);
    }

    #[test]
    fn payload_format_2_0_has_the_stage_in_its_path_and_cookies_apart() {
        let call = call(ApiKind::Http, "GET", "/orders/customers/42?page=2&page=3", &HEADERS);
        let event = authorizer(AwsAuthorizer::Http20Simple, &call, &["Bearer x".to_owned()]);
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["rawPath"], "/orders/customers/42");
        assert_eq!(event["requestContext"]["http"]["path"], "/orders/customers/42");
        assert_eq!(event["rawQueryString"], "page=2&page=3");
        assert_eq!(event["queryStringParameters"], json!({ "page": "2,3" }));
        assert_eq!(event["identitySource"], json!(["Bearer x"]));
        assert_eq!(event["headers"], json!({ "authorization": "Bearer x", "x-a": "1,2" }));
        assert_eq!(event["cookies"], json!(["a=1", "b=2"]));
        assert_eq!(event["routeArn"], call.arn());
    }

    #[test]
    fn a_connection_has_no_method_and_no_path() {
        let call = call(ApiKind::WebSocket, "GET", "/orders?room=7", &HEADERS);
        let event = authorizer(AwsAuthorizer::WebSocket, &call, &[]);
        assert_eq!(event["requestContext"]["eventType"], "CONNECT");
        assert!(event["methodArn"].as_str().unwrap().ends_with("/orders/$connect"));
        for absent in ["httpMethod", "path", "pathParameters", "resource"] {
            assert_eq!(event[absent], Value::Null, "{absent}");
        }
        assert_eq!(event["queryStringParameters"], json!({ "room": "7" }));
    }

    #[test]
    fn a_clients_certificate_stands_where_each_kind_has_it_and_nowhere_else() {
        let certificate = ClientCertificate::from(vec![0x30; 200]);
        let pem = json!({ "clientCertPem": certificate.pem() });
        for (kind, api, place) in [
            (AwsAuthorizer::RestToken, ApiKind::Rest, None),
            (AwsAuthorizer::RestRequest, ApiKind::Rest, Some("/requestContext/identity/clientCert")),
            (AwsAuthorizer::Http10, ApiKind::Http, Some("/requestContext/identity/clientCert")),
            (AwsAuthorizer::Http20Iam, ApiKind::Http, Some("/requestContext/authentication/clientCert")),
            (AwsAuthorizer::Http20Simple, ApiKind::Http, Some("/requestContext/authentication/clientCert")),
            (AwsAuthorizer::WebSocket, ApiKind::WebSocket, None),
        ] {
            assert_eq!(kind.sees_certificates(), place.is_some(), "{kind:?}");
            let bare = call(api, "GET", "/orders/", &[]);
            let event = authorizer(kind, &bare, &[]).to_string();
            assert!(!event.contains("clientCert"), "{kind:?}: {event}");
            let event = authorizer(kind, &bare.shown(Some(certificate.clone())), &[]);
            match place {
                Some(place) => assert_eq!(event.pointer(place), Some(&pem), "{kind:?}"),
                None => assert!(!event.to_string().contains("clientCert"), "{kind:?}: {event}"),
            }
        }
    }

    #[test]
    fn an_integration_is_told_the_body() {
        let call = call(ApiKind::Http, "POST", "/orders/x", &[]);
        let event = integration(&call, b"text");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("text"), &json!(false)));
        let event = integration(&call, b"\xff");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/w=="), &json!(true)));
        for absent in ["type", "routeArn", "identitySource"] {
            assert_eq!(event[absent], Value::Null, "{absent}");
        }
    }
}
