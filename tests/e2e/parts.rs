//! Against parts that were not written here: Envoy as the edge gateway, a certified OpenID provider as the login, and the official
//! runtime interface emulator under the Lambda functions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: what breaks must fail loudly"
)]

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use drawbridge_tests::{
    binary::{build, drawbridge, workspace},
    chain::Chain,
    corpus::token,
    forge::ChainForge,
    http::{get, send},
    parts::{Process, free_address, part},
};
use serde_json::{Value, json};

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

fn address_of(url: &str) -> SocketAddr {
    url.strip_prefix("http://").unwrap().split('/').next().unwrap().parse().unwrap()
}

/// Envoy with the bridge as its external authorizer and the cloud gateways as its clusters.
fn envoy(listen: SocketAddr, bridge: SocketAddr, aws: SocketAddr, azure: SocketAddr) -> Value {
    let cluster = |name: &str, at: SocketAddr| {
        json!({
            "name": name, "type": "STATIC", "connect_timeout": "1s",
            "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": {
                "socket_address": { "address": "127.0.0.1", "port_value": at.port() } } } }] }] },
        })
    };
    json!({ "static_resources": {
        "listeners": [{
            "name": "edge",
            "address": { "socket_address": { "address": "127.0.0.1", "port_value": listen.port() } },
            "filter_chains": [{ "filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                    "stat_prefix": "edge",
                    "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [
                        { "match": { "prefix": "/orders/" }, "route": { "cluster": "aws" } },
                        { "match": { "prefix": "/billing/" }, "route": { "cluster": "azure" } },
                    ] }] },
                    "http_filters": [
                        { "name": "envoy.filters.http.ext_authz", "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
                            "transport_api_version": "V3",
                            "failure_mode_allow": false,
                            "allowed_headers": { "patterns": [{ "safe_regex": { "regex": ".+" } }] },
                            "http_service": {
                                "server_uri": { "uri": format!("http://{bridge}"), "cluster": "bridge", "timeout": "5s" },
                                "path_prefix": "/ext-authz",
                                "authorization_response": {
                                    "allowed_upstream_headers": { "patterns": [{ "exact": "authorization" }, { "prefix": "x-drawbridge-" }] },
                                    "allowed_client_headers": { "patterns": [{ "exact": "www-authenticate" }, { "exact": "content-type" }] },
                                },
                            },
                        } },
                        { "name": "envoy.filters.http.router", "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" } },
                    ],
                },
            }] }],
        }],
        "clusters": [cluster("bridge", bridge), cluster("aws", aws), cluster("azure", azure)],
    } })
}

#[tokio::test]
async fn envoy_asks_the_bridge_and_routes_with_the_bridged_token() {
    let Some(binary) = part("envoy") else { return };
    let chain = Chain::start().await;
    let listen = free_address();
    let config = envoy(
        listen,
        address_of(chain.address("bridge")),
        address_of(chain.address("aws")),
        address_of(chain.address("azure")),
    );
    let file = chain.folder().join("envoy.json");
    std::fs::write(&file, config.to_string()).unwrap();
    let _envoy = Process::start(
        Command::new(binary)
            .args(["--base-id", &listen.port().to_string(), "--log-level", "error", "--config-path"])
            .arg(&file)
            .stdout(Stdio::null()),
    )
    .ready(listen);
    let edge = format!("http://{listen}");

    let token = chain.token("demo", "customers:read invoices:read").await;
    for (target, backend) in [("/orders/customers/42", "orders"), ("/billing/invoices/7", "billing")] {
        let answer = get(&edge, target, Some(&token)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["backend"], backend);
        assert_eq!(answer.json()["caller"]["sub"], "demo");
    }

    let none = get(&edge, "/orders/customers/42", None).await;
    assert_eq!(none.status, 401);
    assert_eq!(none.header("content-type"), Some("application/problem+json"));
    assert!(none.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer")));
    let guest = chain.token("guest", "").await;
    assert_eq!(get(&edge, "/orders/customers/42", Some(&guest)).await.status, 403);
    assert_eq!(get(&edge, "/orders/elsewhere", Some(&token)).await.status, 403);
}

#[tokio::test]
async fn a_certified_openid_provider_is_the_login_of_the_edge() {
    let Some(node) = part("node") else { return };
    for algorithm in ["RS256", "ES256"] {
        let folder = tempfile::tempdir().unwrap();
        let login = free_address();
        let _provider = Process::start(
            Command::new("node")
                .arg(workspace().join("tests/parts/oidc-provider.mjs"))
                .args([&login.port().to_string(), "https://api.example.com", algorithm])
                .current_dir(&node)
                .stderr(Stdio::null()),
        )
        .ready(login);

        let store = folder.path().join("keys");
        keys(&store, &["create", "--backend", "orders", "--use", "sig", "--alg", "ES256"]);
        let bridge = free_address();
        let config = json!({
            "issuers": {
                "login": {
                    "issuer": format!("http://{login}"), "audience": "https://api.example.com", "keys": "discovery",
                    "algorithms": [algorithm], "relax": ["allow_http_on_loopback"],
                },
                "edge": {
                    "issuer": "https://edge.example.com", "keys": { "store": "here" }, "algorithms": ["ES256"],
                    "types": ["bridged+jwt"],
                },
            },
            "stores": { "here": { "directory": store } },
            "backends": { "orders": {
                "issuer": "edge", "store": "here", "upstream": "https://orders.example.com",
                "routes": [{ "path": "/customers/{customer}", "methods": ["GET"], "scopes": ["customers:read"] }],
                "claims": { "roles": "/realm_access/roles" },
                "context": ["sub", "roles"],
            } },
            "consumers": "login",
        });
        let _bridge = Process::start(
            Command::new(drawbridge())
                .args(["function", "edge-bridge"])
                .env("DRAWBRIDGE_CONFIG", config.to_string())
                .env("DRAWBRIDGE_LISTEN", bridge.to_string())
                .stdout(Stdio::null()),
        )
        .ready(bridge);

        let form = "grant_type=client_credentials&client_id=partner&client_secret=partner-secret&scope=customers:read";
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let granted = send("POST", &format!("http://{login}"), "/token", &headers, form).await;
        assert_eq!(granted.status, 200, "{}", granted.text());
        let token = granted.json()["access_token"].as_str().unwrap().to_owned();

        let answer = get(&format!("http://{bridge}"), "/ext-authz/orders/customers/1", Some(&token)).await;
        assert_eq!(answer.status, 200, "{algorithm}: {}", answer.text());
        assert!(answer.header("authorization").is_some_and(|value| value.starts_with("Bearer ey")));
        let broken = format!("{}AAAA", token.get(..token.len() - 4).unwrap());
        assert_eq!(
            get(&format!("http://{bridge}"), "/ext-authz/orders/customers/1", Some(&broken)).await.status,
            401
        );
    }
}

fn keys(store: &Path, arguments: &[&str]) {
    let status = Command::new(drawbridge())
        .arg("keys")
        .args(arguments)
        .arg("--directory")
        .arg(store)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}

/// A function's own binary under the official emulator.
async fn under_the_emulator(
    rie: &Path,
    function: &Path,
    environment: &[(&str, String)],
) -> (Process, String) {
    let (invoke, runtime) = (free_address(), free_address());
    let process = Process::start(
        Command::new(rie)
            .args([
                "--runtime-interface-emulator-address",
                &invoke.to_string(),
                "--runtime-api-address",
                &runtime.to_string(),
            ])
            .arg(function)
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    )
    .ready(invoke);
    (process, format!("http://{invoke}/2015-03-31/functions/function/invocations"))
}

#[tokio::test]
async fn the_deployed_lambda_functions_answer_under_the_official_runtime_interface_emulator() {
    let Some(rie) = part("aws-lambda-rie") else { return };
    let chain = Chain::start().await;
    let forge = ChainForge::open(&chain, "orders").await;
    let config = chain.effective_config().display().to_string();

    let authorizer = build("drawbridge-aws-authorizer", "aws-authorizer");
    let environment = [("DRAWBRIDGE_CONFIG", config.clone()), ("DRAWBRIDGE_BACKEND", "orders".to_owned())];
    let (_running, invoke) = under_the_emulator(&rie, &authorizer, &environment).await;

    let event = |token: &str| {
        json!({
            "version": "2.0", "type": "REQUEST",
            "routeArn": "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod/GET/customers/42",
            "identitySource": [format!("Bearer {token}")], "routeKey": "GET /customers/{customer}",
            "rawPath": "/prod/customers/42", "rawQueryString": "",
            "headers": { "authorization": format!("Bearer {token}") },
            "requestContext": {
                "accountId": "123456789012", "apiId": "abcdef123", "domainName": "abcdef123.execute-api.eu-west-1.amazonaws.com",
                "domainPrefix": "abcdef123", "requestId": "JKJaXmPLvHcESHA=", "routeKey": "GET /customers/{customer}",
                "stage": "prod", "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1583348638390_i64,
                "http": { "method": "GET", "path": "/prod/customers/42", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "t" },
            },
            "pathParameters": { "customer": "42" }, "stageVariables": {},
        })
        .to_string()
    };
    let good = token(&forge, now(), &json!({}), &json!({}));
    let answer = send("POST", &invoke, "", &[], &event(&good)).await;
    assert_eq!(answer.json()["isAuthorized"], true, "{}", answer.text());
    assert_eq!(answer.json()["context"]["sub"], "alice");

    let expired = token(&forge, now() - 1000, &json!({}), &json!({}));
    let answer = send("POST", &invoke, "", &[], &event(&expired)).await;
    assert_eq!(answer.json()["errorMessage"], "Unauthorized", "API Gateway makes a 401 of this text alone");

    let scopeless = token(&forge, now(), &json!({}), &json!({ "scope": "other" }));
    let answer = send("POST", &invoke, "", &[], &event(&scopeless)).await;
    assert_eq!(answer.json()["isAuthorized"], false, "{}", answer.text());

    let jwks = build("drawbridge-aws-jwks", "aws-jwks");
    let (_running, invoke) = under_the_emulator(&rie, &jwks, &[("DRAWBRIDGE_CONFIG", config)]).await;
    use drawbridge_tests::corpus::Forge;
    let kid = forge.kid();
    let path = format!("/jwks/orders/{kid}");
    let event = json!({
        "version": "2.0", "routeKey": "GET /jwks/{backend}/{kid}", "rawPath": path, "rawQueryString": "", "headers": {},
        "requestContext": {
            "accountId": "123456789012", "apiId": "abcdef123", "domainName": "keys.example.com", "domainPrefix": "keys",
            "requestId": "r", "routeKey": "GET /jwks/{backend}/{kid}", "stage": "$default", "time": "12/Mar/2020:19:03:58 +0000",
            "timeEpoch": 1583348638390_i64,
            "http": { "method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "t" },
        },
        "isBase64Encoded": false,
    });
    let answer = send("POST", &invoke, "", &[], &event.to_string()).await.json();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let set: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(set["keys"][0]["kid"], kid.as_str());
}
