//! What is wrong with a request around a right token.

use drawbridge_tests::http::send;
use serde_json::{Value, json};

use crate::{
    house::{House, config},
    parts::raw,
};

#[tokio::test]
async fn attack_17_one_token_on_two_routes_is_two_decisions() {
    let house = House::start().await;
    for door in house.doors().await {
        let bearer = format!("Bearer {}", door.good());
        let headers = [("authorization", bearer.as_str())];
        for _ in 0..2 {
            door.allows_request("its route", "GET", &door.target(), &headers).await;
            door.refuses_request("another", "POST", door.collection, &headers, "scope.missing").await;
            door.refuses_request("none", "DELETE", &door.target(), &headers, "route.unknown").await;
        }
        let writes = format!("{}:write", door.collection.trim_start_matches('/'));
        let writer = format!("Bearer {}", door.token(&json!({}), &json!({ "scope": writes })));
        let headers = [("authorization", writer.as_str())];
        door.allows_request("the other way round", "POST", door.collection, &headers).await;
        door.refuses_request("the other way round", "GET", &door.target(), &headers, "scope.missing").await;
    }
}

#[tokio::test]
async fn attack_22_what_a_client_says_about_its_identity_is_refused_or_never_reaches_a_backend() {
    let house = House::start().await;
    for door in house.doors().await {
        let bearer = format!("Bearer {}", door.good());
        let told = door.allows(&door.good()).await.json()["caller"].clone();
        assert_eq!(told["sub"], "alice");
        for name in [
            "x-drawbridge-sub",
            "X-Drawbridge-Sub",
            "X-DRAWBRIDGE-SUB",
            "x-drawbridge-request-id",
            "x-drawbridge-target",
        ] {
            let headers = [("authorization", bearer.as_str()), (name, "root"), (name, "mallory")];
            let answer = door.allows_request(name, "GET", &door.target(), &headers).await;
            let caller = answer.json()["caller"].as_object().unwrap().clone();
            assert_eq!(caller["sub"], "alice", "{}: {name}", door.name);
            let said = Value::from(caller.clone()).to_string();
            assert!(!said.contains("root") && !said.contains("mallory"), "{}: {name}: {said}", door.name);
            let names: Vec<_> = caller.keys().collect();
            assert_eq!(names, told.as_object().unwrap().keys().collect::<Vec<_>>(), "{}: {name}", door.name);
        }
        for name in [
            "x_drawbridge_sub",
            "x-drawbridge_sub",
            "X_Drawbridge-Sub",
            "x-drawbridge-admin",
            "x-drawbridge-",
        ] {
            let headers = [("authorization", bearer.as_str()), (name, "root")];
            door.refuses_request(name, "GET", &door.target(), &headers, "request.identity_header").await;
        }
    }
}

#[tokio::test]
async fn attack_23_a_method_override_is_refused() {
    let house = House::start().await;
    for door in house.doors().await {
        let bearer = format!("Bearer {}", door.good());
        for name in ["X-HTTP-Method-Override", "x-http-method", "X-METHOD-OVERRIDE", "x_http_method_override"]
        {
            for value in ["DELETE", "GET", ""] {
                let headers = [("authorization", bearer.as_str()), (name, value)];
                let what = format!("{name}: {value}");
                door.refuses_request(&what, "GET", &door.target(), &headers, "request.method_override").await;
            }
        }
        door.allows(&door.good()).await;
    }
}

#[tokio::test]
async fn attack_24_a_path_that_two_parsers_may_read_differently_goes_nowhere() {
    let house = House::start().await;
    for door in house.doors().await {
        let bearer = format!("Bearer {}", door.good());
        let headers = [("authorization", bearer.as_str())];
        let collection = door.collection;
        for target in [
            format!("/{collection}/42"),
            format!("{collection}//42"),
            format!("{collection}/42/"),
            format!("{collection}/../admin"),
            format!("{collection}/./42"),
            format!("/.{collection}/42"),
            format!("{collection}/%2e%2e/admin"),
            format!("{collection}/..%2fadmin"),
            format!("{collection}/42%2F..%2Fadmin"),
            format!("{collection}/..%5cadmin"),
            format!("{collection}/..;/admin"),
            format!("{collection}/42;admin=1"),
            format!("{collection}/%3badmin"),
            format!("{collection}/%252e%252e"),
            format!("{collection}/%00"),
            format!("{collection}/a%0d%0ab"),
            format!("{collection}/%c0%ae%c0%ae"),
            format!("{collection}/%zz"),
            "//admin".to_owned(),
        ] {
            // A slash at the end is another path, which no route has.
            let reason = if target.ends_with("42/") { "route.unknown" } else { "request.path_refused" };
            door.refuses_request(&target, "GET", &target, &headers, reason).await;
        }
        door.allows_request("its plain spelling", "GET", &door.target(), &headers).await;

        // A fragment is no part of a request; what comes of it must not name another path behind the door.
        let prefix = door.base.strip_prefix("http://").unwrap().split_once('/').unwrap().1;
        for target in [format!("{collection}/42#/../admin"), format!("{collection}#/42")] {
            let request = format!(
                "GET /{prefix}{target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: {bearer}\r\n\r\n"
            );
            let answer = raw(&door.base, request.into_bytes()).await;
            let same = answer.contains(&format!("\"path\":\"{collection}/42\""));
            assert!(!answer.starts_with("HTTP/1.1 200") || same, "{}: {target}: {answer}", door.name);
            assert!(!answer.contains("admin"), "{}: {target}: {answer}", door.name);
        }
    }
}

#[tokio::test]
async fn attack_25_forwarded_headers_from_outside_change_nothing() {
    let house = House::start().await;
    for door in house.doors().await {
        let bearer = format!("Bearer {}", door.good());
        for (name, value) in [
            ("X-Forwarded-For", "10.0.0.1"),
            ("X-Forwarded-For", "127.0.0.1, 127.0.0.1"),
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Method", "GET"),
            ("X-Forwarded-Uri", "/customers/42"),
            ("X-Forwarded-Prefix", "/admin"),
            ("X-Original-URI", "/customers/42"),
            ("X-Original-URL", "/invoices/42"),
            ("X-Original-Method", "GET"),
            ("X-Rewrite-URL", "/customers/42"),
            ("Forwarded", "for=127.0.0.1;host=evil.example;proto=https"),
            ("X-Forwarded-Authorization", "Bearer x"),
            ("X-Forwarded-Client-Cert", "Hash=0"),
        ] {
            let with = [("authorization", bearer.as_str()), (name, value)];
            let answer = door.allows_request(name, "GET", &door.target(), &with).await;
            assert_eq!(answer.json()["path"], door.target(), "{}: {name}", door.name);
            assert_eq!(answer.json()["method"], "GET", "{}: {name}", door.name);
            // Nor do they make a route of what is none, or a token of none.
            door.refuses_request(name, "GET", "/admin", &with, "route.unknown").await;
            door.refuses_request(name, "DELETE", &door.target(), &with, "route.unknown").await;
            let target = door.target();
            door.refuses_request(name, "GET", &target, &[(name, value)], "credentials.missing").await;
        }
    }
    // The surface for gateways that describe the request believes one description, not two.
    let token = format!("Bearer {}", house.edge().await.good());
    let described = [
        ("authorization", token.as_str()),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-uri", "/orders/customers/42"),
    ];
    let bridge = house.chain.address("bridge");
    assert_eq!(send("GET", bridge, "/auth-request", &described, "").await.status, 200);
    let twice = [&described[..], &[("x-forwarded-uri", "/orders/admin")]].concat();
    assert_eq!(send("GET", bridge, "/auth-request", &twice, "").await.status, 400);
    let record = house.chain.decision(|decision| decision["reason"] == "request.malformed").await;
    assert_eq!(record["decision"], "deny");
}

#[tokio::test]
async fn attack_26_an_answer_that_a_gateway_keeps_opens_no_other_route() {
    for authorizer in ["rest-token", "rest-request", "http-1.0", "http-2.0-iam"] {
        let local = json!({ "aws": { "authorizer": authorizer, "cache_ttl": "5m" } });
        two_routes_in_one_ttl(authorizer, &local).await;
    }
    // A simple answer is for whatever it is kept for: the route must be in the key.
    let sources = json!(["$request.header.Authorization", "$context.routeKey"]);
    let local =
        json!({ "aws": { "authorizer": "http-2.0-simple", "cache_ttl": "5m", "identity_sources": sources } });
    two_routes_in_one_ttl("http-2.0-simple", &local).await;
}

async fn two_routes_in_one_ttl(authorizer: &str, local: &Value) {
    let house = House::of(&config(local)).await;
    let door = house.aws().await;
    let bearer = format!("Bearer {}", door.good());
    let headers = [("authorization", bearer.as_str())];
    door.allows_request(authorizer, "GET", "/customers/42", &headers).await;
    for (method, target) in [
        ("POST", "/customers"),
        ("DELETE", "/customers/42"),
        ("GET", "/admin"),
        ("GET", "/customers/42/orders"),
        ("GET", "/customers/..;/admin"),
        ("GET", "/customers/%2e%2e%2fadmin"),
    ] {
        let answer = door.send(method, target, &headers).await;
        assert_eq!(answer.status, 403, "{authorizer}: {method} {target} within the TTL: {}", answer.text());
    }
    assert_eq!(
        door.send("GET", "/customers/7", &headers).await.status,
        200,
        "{authorizer}: its own route is kept"
    );

    // Another token has another answer, and a refusal is kept for nobody else.
    let writer = format!("Bearer {}", door.token(&json!({}), &json!({ "scope": "customers:write" })));
    let headers = [("authorization", writer.as_str())];
    assert_eq!(door.send("GET", "/customers/42", &headers).await.status, 403, "{authorizer}");
    let deny = house.chain.decision(|decision| decision["reason"] == "scope.missing").await;
    assert_eq!(deny["decision"], "deny", "{authorizer}");
    let forged = format!("{bearer}x");
    let answer = door.send("GET", "/customers/42", &[("authorization", &forged)]).await;
    assert_eq!(answer.status, 401, "{authorizer}: another token");
}

#[tokio::test]
async fn attack_27_what_stands_in_a_path_widens_no_policy() {
    for authorizer in ["rest-token", "rest-request", "http-1.0", "http-2.0-iam"] {
        let local = json!({ "aws": { "authorizer": authorizer, "cache_ttl": "5m" } });
        let house = House::of(&config(&local)).await;
        let door = house.aws().await;
        for (index, path) in [
            "a:b",
            "*",
            "**",
            "%2a",
            "a*",
            "a?/admin",
            "%24",
            "arn:aws:execute-api:*:*:*",
            "..:*",
            "a@b",
            "$x",
        ]
        .into_iter()
        .enumerate()
        {
            // A token of its own, so that what is kept for one is not applied to the next.
            let token = door.token(&json!({}), &json!({ "jti": format!("jti-{index}") }));
            let bearer = format!("Bearer {token}");
            let headers = [("authorization", bearer.as_str())];
            let target = format!("/customers/{path}");
            let answer = door.send("GET", &target, &headers).await;
            let record = door.record().await;
            assert_eq!(record["reason"], "allowed", "{authorizer}: {target}");
            assert_eq!(answer.status, 200, "{authorizer}: {target}: {}", answer.text());
            assert_eq!(answer.json()["path"], target, "{authorizer}: as it was sent");
            for (method, other) in [
                ("GET", "/admin"),
                ("POST", "/customers"),
                ("GET", "/customers/1/orders"),
                ("DELETE", &target),
            ] {
                let answer = door.send(method, other, &headers).await;
                assert_eq!(answer.status, 403, "{authorizer}: {method} {other} after {target}");
            }
        }
        for path in ["a%2fb", "a/../b", "%3f", "a%23b", "a;b"] {
            let token = door.token(&json!({}), &json!({ "jti": path }));
            let bearer = format!("Bearer {token}");
            let target = format!("/customers/{path}");
            let headers = [("authorization", bearer.as_str())];
            door.refuses_request(authorizer, "GET", &target, &headers, "request.path_refused").await;
        }
    }
}

#[tokio::test]
async fn attack_30_no_route_goes_without_a_token() {
    let house = House::start().await;
    for door in house.doors().await {
        let target = door.target();
        for (method, target) in [
            ("GET", target.as_str()),
            ("POST", door.collection),
            ("OPTIONS", target.as_str()),
            ("HEAD", target.as_str()),
            ("GET", "/"),
            ("GET", ""),
            ("GET", "/admin"),
            ("GET", "/healthz"),
            ("GET", "/favicon.ico"),
        ] {
            let answer = door.send(method, target, &[]).await;
            assert_eq!(answer.status, 401, "{}: {method} {target}", door.name);
            if door.name != "aws" {
                assert_eq!(
                    door.record().await["reason"],
                    "credentials.missing",
                    "{}: {method} {target}",
                    door.name
                );
            }
        }
        for value in ["Bearer", "Bearer ", "Basic YWxpY2U6", "Negotiate", "null", "undefined"] {
            let answer = door.send("GET", &target, &[("authorization", value)]).await;
            let record = door.record().await;
            assert_eq!(answer.status, 401, "{}: `{value}`: {record}", door.name);
            let reason = record["reason"].as_str().unwrap();
            assert!(reason.starts_with("credentials.") || reason == "token.malformed", "{value}: {record}");
        }
        let answer = door.send("GET", &target, &[("authorization", "")]).await;
        assert_eq!(answer.status, 401, "{}: an empty header", door.name);
        let cookie = [("cookie", "access_token=x; Authorization=Bearer x")];
        assert_eq!(door.send("GET", &target, &cookie).await.status, 401, "{}: a cookie", door.name);
    }
    for door in house.doors().await {
        door.allows(&door.good()).await;
    }
}
