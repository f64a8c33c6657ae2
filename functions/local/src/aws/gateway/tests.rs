use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use drawbridge_config::Local;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest};

use super::{
    super::function::{
        Function,
        tests::{Reply, speaking},
    },
    *,
};

/// A gateway in front of a backend that says what it got. The function allows every token but `deny` and `unauthorized`.
async fn gateway(kind: AwsAuthorizer, upstream: Option<Url>) -> (SocketAddr, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let launch = speaking(move |event| {
        counted.fetch_add(1, Ordering::SeqCst);
        let text = event.to_string();
        if text.contains("unauthorized") {
            return Reply::Error("Unauthorized");
        }
        let allow = !text.contains("deny");
        let context = json!({ "sub": "alice", "given_name": "Al", "principal": "alice" });
        if kind == AwsAuthorizer::Http20Simple {
            return Reply::Answer(json!({ "isAuthorized": allow, "context": context }));
        }
        let effect = if allow { "Allow" } else { "Deny" };
        let statement = json!([{ "Action": "execute-api:Invoke", "Effect": effect, "Resource": "*" }]);
        let policy = json!({ "Version": "2012-10-17", "Statement": statement });
        Reply::Answer(json!({ "principalId": "alice", "policyDocument": policy, "context": context }))
    });
    let function = Function::start("test", launch, 2, Duration::from_secs(10));
    let source = match ApiKind::of(kind) {
        ApiKind::Rest => "method.request.header.Authorization",
        ApiKind::Http => "$request.header.Authorization",
        ApiKind::WebSocket => "route.request.header.Authorization",
    };
    let settings = Local { authorizer: kind, identity_sources: vec![source.to_owned()], ..Local::default() };
    let upstream = match upstream {
        Some(upstream) => upstream,
        None => backend().await,
    };
    let api = Api {
        authorizer: Authorizer::new(&settings, function).unwrap(),
        upstream,
        routes: Routes::new(vec![]).unwrap(),
        context: vec!["sub".to_owned(), "given_name".to_owned()],
    };
    let gateway =
        Gateway::new(BTreeMap::from([("orders".to_owned(), api)]), kind, crate::proxy::client().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(gateway.serve(listener));
    (address, calls)
}

/// Says what it got.
async fn backend() -> Url {
    let router = Router::new().fallback(|request: Request| async move {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1024 * 1024).await.unwrap();
        let mut told: Vec<_> = parts
            .headers
            .iter()
            .filter(|(name, _)| name.as_str().starts_with("x-drawbridge") || name.as_str().starts_with("x_") || name.as_str().contains("method") || *name == "authorization")
            .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
            .collect();
        told.sort();
        let has_connection = parts.headers.contains_key("connectionid");
        let body = String::from_utf8_lossy(&body).into_owned();
        axum::Json(json!({ "target": parts.uri.to_string(), "told": told, "body": body, "connection": has_connection }))
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn get(
    address: SocketAddr,
    target: &str,
    headers: &[(&'static str, &str)],
) -> (StatusCode, HeaderMap, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.get(format!("http://{address}{target}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.headers().clone(), answer.text().await.unwrap())
}

const HTTP_KINDS: [AwsAuthorizer; 5] = [
    AwsAuthorizer::RestToken,
    AwsAuthorizer::RestRequest,
    AwsAuthorizer::Http10,
    AwsAuthorizer::Http20Iam,
    AwsAuthorizer::Http20Simple,
];

#[tokio::test]
async fn an_allowed_request_reaches_the_backend_with_what_the_authorizer_said_and_nothing_that_the_client_claims()
 {
    for kind in HTTP_KINDS {
        let (address, _) = gateway(kind, None).await;
        let headers = [
            ("authorization", "Bearer good"),
            ("x-drawbridge-sub", "root"),
            ("x_drawbridge_sub", "root"),
            ("x-drawbridge-admin", "true"),
            ("connection", "x-drawbridge-sub"),
            ("x-http-method-override", "DELETE"),
            ("x-http-method", "DELETE"),
            ("x-method-override", "DELETE"),
            ("x_http_method_override", "DELETE"),
            ("x-http_method", "DELETE"),
        ];
        let (status, _, body) = get(address, "/orders/customers/4%202?page=2", &headers).await;
        assert_eq!(status, 200, "{kind:?}: {body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["target"], "/customers/4%202?page=2", "{kind:?}");
        let told = if ApiKind::of(kind) == ApiKind::Http {
            json!(["authorization=Bearer good", "x-drawbridge-given-name=Al", "x-drawbridge-sub=alice"])
        } else {
            json!([
                "authorization=none",
                "x-drawbridge-given-name=Al",
                "x-drawbridge-sub=alice",
                "x-http-method-override=GET",
                "x-http-method=GET",
                "x-method-override=GET",
            ])
        };
        assert_eq!(body["told"], told, "{kind:?}");
    }
}

#[tokio::test]
async fn each_refusal_has_its_status_and_does_not_reach_the_backend() {
    for kind in HTTP_KINDS {
        let (address, calls) = gateway(kind, Some(Url::parse("http://127.0.0.1:9").unwrap())).await;
        assert_eq!(get(address, "/orders/a", &[]).await.0, 401, "{kind:?}");
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        assert_eq!(get(address, "/orders/a", &[("authorization", "unauthorized")]).await.0, 401, "{kind:?}");
        assert_eq!(get(address, "/orders/a", &[("authorization", "deny")]).await.0, 403, "{kind:?}");
        let no_stage = if ApiKind::of(kind) == ApiKind::Http { 404 } else { 403 };
        for target in ["/", "/nobody/a", "//orders/a"] {
            assert_eq!(
                get(address, target, &[("authorization", "Bearer good")]).await.0,
                no_stage,
                "{kind:?} {target}"
            );
        }
        assert_eq!(calls.load(Ordering::SeqCst), 2, "{kind:?}");
        let down = if ApiKind::of(kind) == ApiKind::Http { 503 } else { 504 };
        assert_eq!(get(address, "/orders/a", &[("authorization", "Bearer good")]).await.0, down, "{kind:?}");
    }
}

#[tokio::test]
async fn a_rest_api_refuses_an_arn_that_is_too_long() {
    let (address, calls) = gateway(AwsAuthorizer::RestToken, None).await;
    let target = format!("/orders/{}", "a".repeat(1600));
    assert_eq!(get(address, &target, &[("authorization", "Bearer good")]).await.0, 414);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_connection_is_authorized_once_and_its_messages_reach_the_backend() {
    let (address, calls) = gateway(AwsAuthorizer::WebSocket, None).await;
    let mut request = format!("ws://{address}/orders?room=7").into_client_request().unwrap();
    request.headers_mut().insert("authorization", "Bearer good".parse().unwrap());
    request.headers_mut().insert("x-drawbridge-sub", "root".parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    for message in ["first", "second"] {
        socket.send(tungstenite::Message::text(message)).await.unwrap();
        let answer: Value =
            serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
        assert_eq!(answer["body"], message);
        assert_eq!(answer["told"], json!(["x-drawbridge-given-name=Al", "x-drawbridge-sub=alice"]));
        assert_eq!(answer["connection"], true);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_connection_that_is_not_allowed_is_not_made() {
    let (address, _) = gateway(AwsAuthorizer::WebSocket, None).await;
    for (token, path, status) in [
        (None, "/orders", 401),
        (Some("unauthorized"), "/orders", 401),
        (Some("deny"), "/orders", 403),
        (Some("Bearer good"), "/orders/a", 403),
        (Some("Bearer good"), "/nobody", 403),
    ] {
        let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
        if let Some(token) = token {
            request.headers_mut().insert("authorization", token.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Err(tungstenite::Error::Http(answer)) => assert_eq!(answer.status(), status, "{token:?} {path}"),
            other => panic!("{token:?} {path}: {other:?}"),
        }
    }
    assert_eq!(get(address, "/orders", &[("authorization", "Bearer good")]).await.0, 400, "no upgrade");
}

#[tokio::test]
async fn a_backend_that_is_down_is_a_message_that_says_so() {
    let (address, _) =
        gateway(AwsAuthorizer::WebSocket, Some(Url::parse("http://127.0.0.1:9").unwrap())).await;
    let mut request = format!("ws://{address}/orders").into_client_request().unwrap();
    request.headers_mut().insert("authorization", "Bearer good".parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    socket.send(tungstenite::Message::text("hello")).await.unwrap();
    let answer: Value =
        serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
    assert_eq!(answer["message"], "Internal server error");
}
