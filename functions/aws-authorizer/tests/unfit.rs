//! Policies that name what no request can have decide nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::{
    net::TcpListener,
    process::{Command, Stdio},
};

use drawbridge_aws_authorizer::Refusal;
use drawbridge_verify::Algorithm;
use support::{HTTP_2_0, House, LAMBDA, PLAIN, POLICY, WITH_POLICY, answer};

/// Cedar, but of a parameter that the route has not.
async fn house() -> House {
    let house = House::new(Algorithm::ES256).await;
    assert!(POLICY.contains("resource.region"));
    house.file("orders.cedar", &POLICY.replace("resource.region", "resource.area"));
    house
}

#[tokio::test]
async fn every_request_fails_also_on_a_route_without_policies() {
    let house = house().await;
    let authorizer = house.started(true);
    let token = house.token("1").await;
    for path in [PLAIN, WITH_POLICY] {
        let event = HTTP_2_0.replace(PLAIN, path).replace("{token}", &token);
        for _ in 0..2 {
            assert_eq!(answer(&authorizer, event.as_bytes()).await.unwrap_err(), Refusal::Failure, "{path}");
        }
    }
    // The same with the policy as it ought to be.
    house.file("orders.cedar", POLICY);
    let authorizer = house.started(true);
    for path in [PLAIN, WITH_POLICY] {
        let event = HTTP_2_0.replace(PLAIN, path).replace("{token}", &token);
        let answer = answer(&authorizer, event.as_bytes()).await.unwrap();
        assert!(String::from_utf8(answer).unwrap().contains(r#""isAuthorized":true"#), "{path}");
    }
}

#[tokio::test]
async fn the_function_ends_and_says_what_is_wrong_with_them() {
    let house = house().await;
    // A Runtime API that has no event for it.
    let api = TcpListener::bind("127.0.0.1:0").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_aws-authorizer"))
        .env_clear()
        .envs(LAMBDA.map(|name| (name, "128")))
        .env("AWS_LAMBDA_RUNTIME_API", api.local_addr().unwrap().to_string())
        .env("DRAWBRIDGE_BACKEND", "orders")
        .env("DRAWBRIDGE_CONFIG", house.config(true))
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    let [line] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
    assert!(line.starts_with("orders.cedar:4:"), "{line}");
    assert!(line.contains("backends.orders.policy: `resource.area` is no parameter of"), "{line}");
}
