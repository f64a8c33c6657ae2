//! The fixtures against a second reader, and what each event becomes.

use aws_lambda_events::apigw::{
    ApiGatewayCustomAuthorizerRequest, ApiGatewayCustomAuthorizerRequestTypeRequest,
    ApiGatewayCustomAuthorizerResponse, ApiGatewayV2CustomAuthorizerSimpleResponse,
    ApiGatewayV2CustomAuthorizerV1Request, ApiGatewayV2CustomAuthorizerV2Request,
};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::event::Kind;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";

#[test]
fn a_second_reader_reads_the_fixtures_alike() {
    let [(_, token), (_, request), (_, http10), (_, http20), (_, connect)] = EVENTS;

    let theirs: ApiGatewayCustomAuthorizerRequest = serde_json::from_str(token).unwrap();
    let ours = Event::parse(token).unwrap();
    assert_eq!(theirs.type_.as_deref(), Some("TOKEN"));
    assert_eq!(header(&ours, "authorization"), [theirs.authorization_token.unwrap()]);
    assert!(theirs.method_arn.unwrap().starts_with(ours.arn().unwrap().stage()));

    let theirs: ApiGatewayCustomAuthorizerRequestTypeRequest = serde_json::from_str(request).unwrap();
    let ours = Event::parse(request).unwrap();
    let asked = ours.request("");
    assert_eq!(asked.method, theirs.http_method.unwrap().as_str());
    assert!(asked.target.starts_with(&theirs.path.unwrap()));
    assert_eq!(asked.request_id, theirs.request_context.request_id.as_deref());
    assert_eq!(header(&ours, "authorization"), [theirs.headers["authorization"].to_str().unwrap()]);

    let theirs: ApiGatewayV2CustomAuthorizerV1Request = serde_json::from_str(http10).unwrap();
    let ours = Event::parse(http10).unwrap();
    let asked = ours.request("");
    assert_eq!(asked.method, theirs.http_method.as_str());
    assert!(asked.target.starts_with(&theirs.path.unwrap()));
    assert_eq!(header(&ours, "authorization"), [theirs.headers["authorization"].to_str().unwrap()]);

    let theirs: ApiGatewayV2CustomAuthorizerV2Request = serde_json::from_str(http20).unwrap();
    let ours = Event::parse(http20).unwrap();
    let asked = ours.request("");
    assert_eq!(asked.method, theirs.request_context.http.method.as_str());
    assert_eq!(
        format!("/prod{}", asked.target),
        format!("{}?{}", theirs.raw_path.unwrap(), theirs.raw_query_string.unwrap())
    );
    assert_eq!(asked.request_id, theirs.request_context.request_id.as_deref());
    assert_eq!(header(&ours, "authorization"), [theirs.headers["authorization"].to_str().unwrap()]);

    let theirs: ApiGatewayCustomAuthorizerRequestTypeRequest = serde_json::from_str(connect).unwrap();
    assert!(theirs.method_arn.unwrap().ends_with("/$connect"));
    assert_eq!(header(&Event::parse(connect).unwrap(), "authorization"), ["Bearer {token}"]);
}

#[tokio::test]
async fn a_second_reader_reads_the_answers() {
    let iam = Fixture::new(HttpResponse::Iam).await;
    let event = EVENTS[3].1.replace("{token}", &iam.token(json!({})).await);
    let answer = iam.answer(&event).await.unwrap();
    let policy: ApiGatewayCustomAuthorizerResponse = serde_json::from_value(answer).unwrap();
    assert_eq!(policy.principal_id.as_deref(), Some("alice"));
    assert_eq!(policy.policy_document.version.as_deref(), Some("2012-10-17"));
    assert_eq!(policy.policy_document.statement.len(), 2);
    assert_eq!(policy.usage_identifier_key, None);

    let simple = Fixture::new(HttpResponse::Simple).await;
    let event = EVENTS[3].1.replace("{token}", &simple.token(json!({})).await);
    let answer: ApiGatewayV2CustomAuthorizerSimpleResponse =
        serde_json::from_value(simple.answer(&event).await.unwrap()).unwrap();
    assert!(answer.is_authorized);
}

#[test]
fn each_event_becomes_the_same_request() {
    let table = [
        (Kind::RestToken, "GET", "/customers/42", None, None),
        (
            Kind::RestRequest,
            "GET",
            "/customers/42?page=2&page=3&q=a%26b",
            Some("192.0.2.1"),
            Some(CERTIFICATE),
        ),
        (Kind::Http10, "GET", "/customers/42?page=2", Some("192.0.2.1"), Some(CERTIFICATE)),
        (Kind::Http20, "GET", "/customers/42?page=2&page=3", Some("192.0.2.1"), Some(CERTIFICATE)),
        (Kind::WebSocket, "GET", "/$connect?room=7", Some("192.0.2.1"), None),
    ];
    for ((name, event), (kind, method, target, source_ip, certificate)) in EVENTS.into_iter().zip(table) {
        let event = Event::parse(event).unwrap();
        let request = event.request("invocation");
        assert_eq!(event.kind, kind, "{name}");
        assert_eq!((request.method, request.target), (method, target), "{name}");
        assert_eq!(request.source_ip, source_ip.map(|ip| ip.parse().unwrap()), "{name}");
        assert_eq!(request.client_certificate, certificate.map(str::as_bytes), "{name}");
        assert_eq!(header(&event, "Authorization"), ["Bearer {token}"], "{name}");
    }
}

#[tokio::test]
async fn repeated_credentials_are_refused_however_the_event_shows_them() {
    let fixture = Fixture::new(HttpResponse::Iam).await;
    let bearer = format!("Bearer {}", fixture.token(json!({})).await);
    let mut rest = parsed(EVENTS[1].1);
    rest["headers"]["Authorization"] = json!(bearer);
    rest["multiValueHeaders"]["Authorization"] = json!([bearer, bearer]);
    let mut http10 = parsed(EVENTS[2].1);
    http10["headers"]["Authorization"] = json!(format!("{bearer},{bearer}"));
    let mut http20 = parsed(EVENTS[3].1);
    http20["headers"]["authorization"] = json!(format!("{bearer}, {bearer}"));
    for event in [rest, http10, http20] {
        let answer = fixture.answer(&event.to_string()).await.unwrap();
        assert_eq!(answer["policyDocument"]["Statement"][0]["Effect"], "Deny", "{event}");
        assert_eq!(answer["context"]["error"], "invalid_request", "{event}");
    }
}

#[test]
fn the_stage_is_no_part_of_the_path() {
    let table = [
        ("prod", "abc.execute-api.eu-west-1.amazonaws.com", "/prod/customers/42", Some("/customers/42")),
        ("prod", "abc.execute-api.eu-west-1.amazonaws.com", "/prod/", Some("/")),
        ("prod", "abc.execute-api.eu-west-1.amazonaws.com", "/prod", Some("/")),
        ("prod", "abc.execute-api.eu-west-1.amazonaws.com", "/prod/prod/x", Some("/prod/x")),
        ("prod", "abc.execute-api.eu-west-1.amazonaws.com", "/prod//x", Some("//x")),
        ("prod", "abc.execute-api.eu-west-1.amazonaws.com", "/production/x", None),
        ("prod", "abc.execute-api.eu-west-1.amazonaws.com", "/customers/42", None),
        ("prod", "api.example.com", "/prod/x", Some("/prod/x")),
        ("$default", "abc.execute-api.eu-west-1.amazonaws.com", "/prod/x", Some("/prod/x")),
    ];
    for (stage, domain, raw_path, target) in table {
        let mut event = parsed(EVENTS[3].1);
        event["requestContext"]["stage"] = json!(stage);
        event["requestContext"]["domainName"] = json!(domain);
        event["rawPath"] = json!(raw_path);
        event["rawQueryString"] = json!("");
        let text = event.to_string();
        let parsed = Event::parse(&text);
        assert_eq!(
            parsed.as_ref().ok().map(|event| event.request("").target),
            target,
            "{stage} {domain} {raw_path}"
        );
    }
}

#[test]
fn maps_that_are_null_and_members_that_are_missing_are_empty() {
    let event = json!({
        "type": "REQUEST", "httpMethod": "GET", "path": "/", "headers": null, "multiValueHeaders": null,
        "queryStringParameters": null, "multiValueQueryStringParameters": null,
        "requestContext": { "identity": { "sourceIp": "test-invoke-source-ip", "clientCert": null }, "requestId": null },
    })
    .to_string();
    let event = Event::parse(&event).unwrap();
    let request = event.request("invocation");
    assert_eq!((request.target, request.source_ip, request.client_certificate), ("/", None, None));
    assert_eq!(request.request_id, Some("invocation"));
    assert_eq!(request.headers.iter().count(), 0);
    assert!(event.arn().is_err());
}

#[test]
fn escaped_text_is_read_as_what_it_says() {
    let event = EVENTS[0].1.replace("Bearer {token}", "B\\u0065arer \\\"x\\\"");
    assert_eq!(header(&Event::parse(&event).unwrap(), "authorization"), ["Bearer \"x\""]);
}

fn parsed(event: &str) -> Value {
    serde_json::from_str(event).unwrap()
}

fn header(event: &Event<'_>, name: &str) -> Vec<String> {
    let request = event.request("");
    request.headers.all(name).map(|value| String::from_utf8(value.to_vec()).unwrap()).collect()
}

proptest! {
    #[test]
    fn attack_33_no_event_is_a_panic(kind in 0..EVENTS.len(), cut in any::<prop::sample::Index>(), with in "\\PC{0,8}") {
        let text = EVENTS[kind].1;
        let (before, after) = text.split_at(cut.index(text.len()));
        let changed = format!("{before}{with}{after}");
        for text in [before, &changed] {
            if let Ok(event) = Event::parse(text) {
                event.request("").headers.iter().count();
                let _ = event.arn();
            }
        }
    }
}
