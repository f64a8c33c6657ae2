//! What fails, and what must not be there at all.

use std::time::Duration;

use axum::{
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use drawbridge_tests::{
    binary::workspace,
    http::{get, send},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    house::{House, config},
    parts::{Fake, Part, descendants, signal},
};

#[tokio::test]
async fn attack_28_an_authorizer_that_dies_lets_nothing_through() {
    let house = House::start().await;
    let [aws, azure] = house.gates().await;
    for (door, function, statuses) in [
        (&aws, ["function", "aws-authorizer"].as_slice(), &[500][..]),
        (&azure, &["function", "azure"], &[500, 502, 503]),
    ] {
        let good = door.good();
        door.allows(&good).await;
        let processes = descendants(house.chain.id(), function).await;
        // Stopped, it takes the question on and cannot answer; then it is gone.
        signal("-STOP", &processes).await;
        let target = door.target();
        let asked = get(&door.base, &target, Some(&good));
        let killed = async {
            sleep(Duration::from_millis(700)).await;
            signal("-KILL", &processes).await;
        };
        let (answer, ()) = tokio::join!(asked, killed);
        let status = answer.status.as_u16();
        assert!(statuses.contains(&status), "{}: {status}: {}", door.name, answer.text());
        assert!(!answer.text().contains("caller"), "{}: {}", door.name, answer.text());

        // It is started again, and allows what it allowed: until then nothing gets through.
        for attempt in 0.. {
            let answer = get(&door.base, &door.target(), Some(&good)).await;
            if answer.status == 200 {
                break;
            }
            assert!(answer.status.is_server_error(), "{}: {}", door.name, answer.status);
            assert!(attempt < 200, "{}: it does not come back", door.name);
            sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(door.record().await["reason"], "allowed");
    }
}

#[tokio::test]
async fn attack_28_a_key_endpoint_that_does_not_answer_lets_nothing_through() {
    let house = House::start().await;
    let functions = descendants(house.chain.id(), &["function", "aws-jwks"]).await;
    signal("-STOP", &functions).await;
    for door in house.gates().await {
        // No gate has asked for its key yet.
        door.refuses("no key endpoint", &door.good(), "key.unavailable").await;
    }
    signal("-CONT", &functions).await;
    for door in house.gates().await {
        for attempt in 0.. {
            let answer = get(&door.base, &door.target(), Some(&door.good())).await;
            let record = door.record().await;
            if answer.status == 200 {
                break;
            }
            assert_eq!(record["reason"], "key.unavailable", "{}: {record}", door.name);
            assert!(attempt < 100, "{}: {record}", door.name);
            sleep(Duration::from_millis(100)).await;
        }
    }
}

#[tokio::test]
async fn attack_28_a_key_endpoint_that_answers_anything_else_lets_nothing_through() {
    let house = House::start().await;
    let billing = house.azure().await;
    let key = format!("/jwks/billing/{}", billing.forge.kid());
    let set = get(house.chain.address("keys"), &key, None).await.json();
    let private = with(&set, "d", &json!("AAAA"));
    let other_kid = with(&set, "kid", &json!("billing.sig.other"));
    let other_alg = with(&set, "alg", &json!("none"));
    let encryption = with(&set, "use", &json!("enc"));
    let twice = json!({ "keys": [set["keys"][0], set["keys"][0]] });
    let json_set = "application/jwk-set+json";
    for (what, status, kind, body, reasons) in [
        ("500", 500, json_set, set.to_string(), &["key.unavailable"][..]),
        ("403", 403, json_set, set.to_string(), &["key.unavailable"]),
        ("404", 404, json_set, set.to_string(), &["key.unknown"]),
        ("a redirect", 302, json_set, set.to_string(), &["key.unavailable"]),
        ("nothing", 200, json_set, String::new(), &["key.unavailable"]),
        ("HTML", 200, "text/html", "<html>Sign in</html>".into(), &["key.unavailable"]),
        ("the right set as HTML", 200, "text/html", set.to_string(), &["key.unavailable"]),
        ("no set", 200, json_set, "[]".into(), &["key.unavailable"]),
        ("no key", 200, json_set, json!({ "keys": [] }).to_string(), KEYLESS),
        ("another kid", 200, json_set, other_kid.to_string(), KEYLESS),
        ("another algorithm", 200, json_set, other_alg.to_string(), KEYLESS),
        ("a key for encryption", 200, json_set, encryption.to_string(), KEYLESS),
        ("a private key", 200, json_set, private.to_string(), KEYLESS),
        ("a key twice", 200, json_set, twice.to_string(), KEYLESS),
        ("a set of a megabyte", 200, json_set, format!("{set}{}", " ".repeat(1 << 20)), &["key.unavailable"]),
        ("the right set", 200, json_set, set.to_string(), &["allowed"]),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let keys = Fake::start(move |_: &str| {
            (status, [("content-type", kind), ("location", "/elsewhere")], body.clone()).into_response()
        })
        .await;
        let mut config = config(&json!({}));
        let jwks = format!("http://{}/jwks/{{backend}}/{{kid}}", keys.address);
        config["issuers"]["edge"]["keys"]["jwks"] = jwks.into();
        config["issuers"]["edge"]["relax"] = json!(["allow_http_on_loopback"]);
        let behind = Fake::start(|_: &str| "behind").await;
        let backend = format!("billing=http://{}", behind.address);
        let mut gateway = Part::serve("azure-gateway", &config, &["--backend", &backend]).await;
        let base = format!("{}/billing", gateway.address);
        let answer = get(&base, "/invoices/42", Some(&billing.good())).await;
        let reason = gateway.reason().await;
        assert!(reasons.contains(&reason.as_str()), "{what}: {reason}");
        let expected = if reason == "allowed" { 200 } else { billing.status(&reason) };
        assert_eq!(answer.status, expected, "{what}: {reason}");
        assert_eq!(behind.asked(), usize::from(reason == "allowed"), "{what}");
        assert_eq!(keys.asked(), 1, "{what}: asked once, and no redirect is followed");
    }
}

#[tokio::test]
async fn attack_28_a_bridge_that_answers_anything_but_a_grant_lets_nothing_through() {
    let behind = Fake::start(|_: &str| "behind").await;
    for (what, status, headers, body, expected) in [
        ("500", 500, GRANT, "{}", 500),
        ("204", 204, GRANT, "", 503),
        ("a redirect", 302, GRANT, "", 503),
        ("nothing", 200, &[], "", 503),
        ("HTML", 200, &[("content-type", "text/html")], "<html>ok</html>", 503),
        ("JSON that allows", 200, &[], r#"{"decision":"allow","isAuthorized":true}"#, 503),
        ("half a grant", 200, &GRANT[..2], "", 503),
        ("a grant", 200, GRANT, "", 200),
    ] {
        let bridge = Fake::start(move |_: &str| {
            let headers: HeaderMap =
                headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            (StatusCode::from_u16(status).unwrap(), headers, body)
        })
        .await;
        let mut config = config(&json!({}));
        config["backends"]["orders"]["upstream"] = format!("http://{}", behind.address).into();
        config["issuers"]["edge"]["relax"] = json!(["allow_http_on_loopback"]);
        let edge = Part::serve("edge", &config, &["--bridge", &bridge.address.to_string()]).await;
        let before = behind.asked();
        let answer = get(&edge.address, "/orders/customers/42", Some("x")).await;
        assert_eq!(answer.status, expected, "{what}");
        assert_eq!(bridge.asked(), 1, "{what}");
        assert_eq!(behind.asked() - before, usize::from(expected == 200), "{what}");
    }
}

#[test]
fn attack_31_no_private_rsa_key_is_used_by_a_library_that_leaks_it() {
    let banned = std::fs::read_to_string(workspace().join("deny.toml")).unwrap();
    assert!(banned.contains(r#"{ crate = "rsa","#), "`cargo deny` bans it (RUSTSEC-2023-0071)");
    let locked = std::fs::read_to_string(workspace().join("Cargo.lock")).unwrap();
    assert!(locked.contains("name = \"aws-lc-rs\""));
    assert!(!locked.contains("name = \"rsa\"\n"), "nothing in the graph brings it");
}

#[tokio::test]
async fn attack_32_a_policy_that_cannot_be_evaluated_denies() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.cedar");
    // Cedar alone skips a `forbid` that fails, and permits.
    let text = r#"
        @id("all") permit (principal, action, resource);
        @id("suspended") forbid (principal, action, resource) when { principal.suspended == "yes" };
        @id("level") forbid (principal, action, resource) when { principal.level + 1 < 3 };
    "#;
    std::fs::write(&policy, text).unwrap();
    let mut config = config(&json!({}));
    for (backend, route) in [("orders", "/customers/{customer}"), ("billing", "/invoices/{invoice}")] {
        let backend = &mut config["backends"][backend];
        assert_eq!(backend["routes"][0]["path"], route);
        backend["routes"][0]["policy"] = true.into();
        backend["policy"] = json!([policy]);
        backend["claims"] = json!({ "suspended": "/suspended", "level": "/level" });
        backend.as_object_mut().unwrap().remove("context");
    }
    let house = House::of(&config).await;
    for door in house.gates().await {
        for (claims, reason) in [
            (json!({ "level": 3, "suspended": "no" }), "allowed"),
            (json!({ "level": 3, "suspended": "yes" }), "policy.denied"),
            (json!({ "level": 1, "suspended": "no" }), "policy.denied"),
            (json!({ "level": 3 }), "policy.error"),
            (json!({ "suspended": "no" }), "policy.error"),
            (json!({}), "policy.error"),
            (json!({ "level": "3", "suspended": "no" }), "policy.error"),
            (json!({ "level": [3], "suspended": "no" }), "policy.error"),
            (json!({ "level": i64::MAX, "suspended": "no" }), "policy.error"),
            (json!({ "level": 1, "suspended": null }), "policy.error"),
        ] {
            let token = door.token(&json!({}), &claims);
            if reason == "allowed" {
                door.allows(&token).await;
            } else {
                door.refuses(&claims.to_string(), &token, reason).await;
            }
        }
        let bearer = format!("Bearer {}", door.token(&json!({}), &json!({ "scope": WRITES })));
        // A route without a policy is not opened by one either.
        assert_eq!(
            send("POST", &door.base, door.collection, &[("authorization", &bearer)], "").await.status,
            200
        );
    }
}

/// The set with a member of its key set.
fn with(set: &Value, member: &str, value: &Value) -> Value {
    let mut set = set.clone();
    set["keys"][0][member] = value.clone();
    set
}

/// No key in the answer is the one that was asked for.
const KEYLESS: &[&str] = &["key.unknown", "key.unusable", "key.unavailable"];

/// What the bridge answers for a request that goes on.
const GRANT: &[(&str, &str)] = &[
    ("authorization", "Bearer bridged"),
    ("x-drawbridge-backend", "orders"),
    ("x-drawbridge-target", "/customers/42"),
];

const WRITES: &str = "customers:write invoices:write";
