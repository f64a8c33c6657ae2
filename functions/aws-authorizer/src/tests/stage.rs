//! Answers that are right for every route of a backend.

use super::*;

/// `orders` with routes that one policy can tell apart.
async fn stage_wide() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryStore::new(folder.path().join("keys"));
    let backend = "orders".parse().unwrap();
    store.create(&backend, KeyUse::Signing, KeyAlgorithm::Signature(Algorithm::ES256)).await.unwrap();
    let config = CONFIG.replace("CONTEXT", "[sub, roles]").replace("/{customer}/orders", "");
    let config = config.replace("/customers\", methods: [GET]", "/orders\", methods: [GET]");
    let config = load(&config, "drawbridge.yaml", folder.path()).unwrap();
    let settings = Settings { backend, http_response: HttpResponse::Iam };
    let authorizer = Authorizer::build(settings, config).unwrap();
    Fixture { authorizer, store, folder }
}

/// The event of another path, in whichever ways it has one.
fn at(event: &str, path: &str, token: &str) -> String {
    event.replace("customers/42", path).replace("{token}", token)
}

#[tokio::test]
async fn attack_26_whatever_was_asked_for_the_answer_is_the_one_for_the_whole_stage() {
    let fixture = stage_wide().await;
    let token = fixture.token(json!({})).await;
    for (kind, event) in &EVENTS[..4] {
        let first = fixture.answer(&at(event, "customers/42", &token)).await.unwrap();
        let allow = &first["policyDocument"]["Statement"][0];
        assert_eq!(allow["Effect"], "Allow", "{kind}");
        assert!(allow["Resource"].as_array().unwrap().contains(&json!(format!("{STAGE}/GET/customers/*"))));
        assert!(!first.to_string().contains("GET/orders"), "its scope is missing");
        for path in ["customers/43", "customers/caf%C3%A9", "orders", "nowhere", "customers/42/orders"] {
            assert_eq!(fixture.answer(&at(event, path, &token)).await.unwrap(), first, "{kind} {path}");
        }
    }
}

#[tokio::test]
async fn a_deny_that_is_about_more_than_the_route_is_a_deny_of_the_stage() {
    let fixture = stage_wide().await;
    let right = fixture.token(json!({})).await;
    let none = fixture.token(json!({ "scope": "other" })).await;
    let large = fixture.token(json!({ "roles": ["r".repeat(5000)] })).await;
    for (kind, event) in &EVENTS[..4] {
        for (path, token) in
            [("customers/..%2fadmin", &right), ("customers/42", &none), ("customers/42", &large)]
        {
            let answer = fixture.answer(&at(event, path, token)).await.unwrap();
            let statement = json!([{ "Action": "execute-api:Invoke", "Effect": "Deny", "Resource": [format!("{STAGE}/*")] }]);
            assert_eq!(answer["policyDocument"]["Statement"], statement, "{kind} {path}");
        }
    }
}

#[tokio::test]
async fn what_was_denied_by_its_path_is_not_allowed_by_its_arn() {
    let fixture = stage_wide().await;
    let token = fixture.token(json!({})).await;
    let (_, event) = EVENTS[1];
    let mut event: Value = serde_json::from_str(&event.replace("{token}", &token)).unwrap();
    // As under a base path of a custom domain.
    event["path"] = json!("/v1/customers/42");
    let answer = fixture.answer(&event.to_string()).await.unwrap();
    assert_eq!(answer["policyDocument"]["Statement"][0]["Effect"], "Deny");
    assert_eq!(fixture.audit()[0]["status_code"], "route.unknown");
}
