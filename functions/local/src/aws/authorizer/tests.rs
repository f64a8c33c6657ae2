use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use drawbridge_config::AwsAuthorizer::{Http10, Http20Iam, Http20Simple, RestRequest, RestToken, WebSocket};
use serde_json::{Value, json};

use super::{
    super::{
        call::{ApiKind, tests::call},
        function::tests::{Reply, speaking},
    },
    *,
};

const KINDS: [AwsAuthorizer; 6] = [RestToken, RestRequest, Http10, Http20Iam, Http20Simple, WebSocket];

/// An authorizer over a function that replies as it is told, and how often that was called with what.
struct Fixture {
    authorizer: Authorizer,
    calls: Arc<AtomicUsize>,
    events: Arc<Mutex<Vec<Value>>>,
}

fn settings(kind: AwsAuthorizer) -> Local {
    let source = match ApiKind::of(kind) {
        ApiKind::Rest => "method.request.header.Authorization",
        ApiKind::Http => "$request.header.Authorization",
        ApiKind::WebSocket => "route.request.header.Authorization",
    };
    Local { authorizer: kind, identity_sources: vec![source.to_owned()], ..Local::default() }
}

impl Fixture {
    fn new(settings: &Local, reply: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Self {
        // As long as in the cloud: nothing here is meant to come to it.
        Self::within(super::super::AUTHORIZER_LIMIT, settings, reply)
    }

    fn within(
        limit: Duration,
        settings: &Local,
        reply: impl Fn(&Value) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let (calls, events) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (counted, seen) = (Arc::clone(&calls), Arc::clone(&events));
        let launch = speaking(move |event| {
            counted.fetch_add(1, Ordering::SeqCst);
            let reply = reply(&event);
            seen.lock().unwrap().push(event);
            reply
        });
        let function = Function::start("test", launch, 1, limit);
        Self { authorizer: Authorizer::new(settings, function).unwrap(), calls, events }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    async fn ask(&self, uri: &str, headers: &[(&str, &str)]) -> Result<Allowed, GatewayResponse> {
        let api = ApiKind::of(self.authorizer.kind);
        self.authorizer.authorize(&call(api, "GET", uri, headers)).await
    }

    async fn status(&self, uri: &str, headers: &[(&str, &str)]) -> u16 {
        let api = ApiKind::of(self.authorizer.kind);
        self.ask(uri, headers)
            .await
            .map_or_else(|response| response.into_response(api).status().as_u16(), |_| 200)
    }
}

/// An answer of the authorizer's kind, for the ARN that it was asked about.
fn answer(kind: AwsAuthorizer, event: &Value, allow: bool) -> Value {
    if kind == Http20Simple {
        return json!({ "isAuthorized": allow, "context": { "sub": "alice" } });
    }
    let arn = event.get("methodArn").or(event.get("routeArn")).unwrap();
    let effect = if allow { "Allow" } else { "Deny" };
    let statement = json!([{ "Action": "execute-api:Invoke", "Effect": effect, "Resource": arn }]);
    json!({
        "principalId": "alice", "policyDocument": { "Version": "2012-10-17", "Statement": statement }, "context": { "sub": "alice" },
    })
}

const TOKEN: [(&str, &str); 1] = [("authorization", "Bearer x")];

#[tokio::test]
async fn what_the_function_says_is_what_the_client_gets() {
    for kind in KINDS {
        let fixture = Fixture::new(&settings(kind), move |event| match event.to_string() {
            text if text.contains("allow") => Reply::Answer(answer(kind, event, true)),
            text if text.contains("deny") => Reply::Answer(answer(kind, event, false)),
            text if text.contains("unauthorized") => Reply::Error("Unauthorized"),
            text if text.contains("lower") => Reply::Error("unauthorized "),
            text if text.contains("error") => Reply::Error("anything else"),
            text if text.contains("html") => Reply::Text("<html>"),
            text if text.contains("nothing") => Reply::Text(""),
            _ => Reply::Answer(json!({})),
        });
        for (token, status) in [
            ("allow", 200),
            ("deny", 403),
            ("unauthorized", 401),
            ("lower", 500),
            ("error", 500),
            ("html", 500),
            ("nothing", 500),
            ("x", 500),
        ] {
            assert_eq!(
                fixture.status("/orders", &[("authorization", token)]).await,
                status,
                "{kind:?}: {token}"
            );
        }
        let allowed = fixture.ask("/orders", &[("authorization", "allow")]).await.unwrap();
        assert_eq!(allowed.context()["sub"], "alice");
    }
}

#[tokio::test]
async fn attack_28_a_function_that_dies_or_hangs_is_a_500() {
    for reply in [|| Reply::Exit, || Reply::Slowly(Duration::from_secs(600))] {
        let fixture = Fixture::within(Duration::from_secs(1), &settings(Http20Simple), move |_| reply());
        assert_eq!(fixture.status("/orders/a", &TOKEN).await, 500);
    }
}

#[tokio::test]
async fn a_missing_identity_source_is_a_401_without_a_call() {
    for kind in KINDS {
        let fixture = Fixture::new(&settings(kind), move |event| Reply::Answer(answer(kind, event, true)));
        for headers in [&[][..], &[("authorization", "")], &[("x-authorization", "Bearer x")]] {
            assert_eq!(fixture.status("/orders", headers).await, 401, "{kind:?}");
        }
        assert_eq!(fixture.calls(), 0, "{kind:?}");
        assert_eq!(fixture.status("/orders", &TOKEN).await, 200, "{kind:?}");
        assert_eq!(fixture.calls(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn every_identity_source_must_be_there() {
    let settings = Local {
        identity_sources: vec![
            "$request.header.Authorization".to_owned(),
            "$request.querystring.tenant".to_owned(),
        ],
        ..settings(Http20Simple)
    };
    let fixture = Fixture::new(&settings, |event| Reply::Answer(answer(Http20Simple, event, true)));
    assert_eq!(fixture.status("/orders/a", &TOKEN).await, 401);
    assert_eq!(fixture.status("/orders/a?tenant=", &TOKEN).await, 401);
    assert_eq!(fixture.status("/orders/a?tenant=7", &[]).await, 401);
    assert_eq!(fixture.calls(), 0);
    assert_eq!(fixture.status("/orders/a?tenant=7", &TOKEN).await, 200);
    assert_eq!(fixture.events.lock().unwrap()[0]["identitySource"], json!(["Bearer x", "7"]));
}

#[tokio::test]
async fn a_token_that_does_not_match_its_expression_is_a_401_without_a_call() {
    let settings = Local { identity_validation: Some("Bearer [a-z]+".to_owned()), ..settings(RestToken) };
    let fixture = Fixture::new(&settings, |event| Reply::Answer(answer(RestToken, event, true)));
    for token in ["Bearer 7", "xBearer x", "Bearer x7", "bearer x", "Bearer"] {
        assert_eq!(fixture.status("/orders/a", &[("authorization", token)]).await, 401, "{token}");
    }
    assert_eq!(fixture.calls(), 0);
    assert_eq!(fixture.status("/orders/a", &TOKEN).await, 200);
}

#[tokio::test]
async fn a_result_is_asked_for_once_in_its_ttl_and_again_for_other_identities() {
    for kind in KINDS {
        let settings = Local { cache_ttl: Duration::from_secs(300), ..settings(kind) };
        let fixture = Fixture::new(&settings, move |event| Reply::Answer(answer(kind, event, true)));
        for _ in 0..3 {
            assert_eq!(fixture.status("/orders", &TOKEN).await, 200, "{kind:?}");
        }
        assert_eq!(fixture.calls(), 1, "{kind:?}");
        assert_eq!(fixture.status("/orders", &[("authorization", "Bearer y")]).await, 200);
        assert_eq!(fixture.calls(), 2, "{kind:?}");
    }
}

#[tokio::test]
async fn nothing_is_remembered_without_a_ttl() {
    let fixture = Fixture::new(&settings(Http20Iam), |event| Reply::Answer(answer(Http20Iam, event, true)));
    for _ in 0..3 {
        assert_eq!(fixture.status("/orders/a", &TOKEN).await, 200);
    }
    assert_eq!(fixture.calls(), 3);
}

#[tokio::test]
async fn a_denial_is_remembered_and_an_error_is_not() {
    let settings = Local { cache_ttl: Duration::from_secs(300), ..settings(Http20Iam) };
    let fixture = Fixture::new(&settings, |event| match event["identitySource"][0].as_str() {
        Some("deny") => Reply::Answer(answer(Http20Iam, event, false)),
        Some("unauthorized") => Reply::Error("Unauthorized"),
        _ => Reply::Error("anything else"),
    });
    for (token, status, calls) in [("deny", 403, 1), ("unauthorized", 401, 2), ("error", 500, 2)] {
        let before = fixture.calls();
        for _ in 0..2 {
            assert_eq!(fixture.status("/orders/a", &[("authorization", token)]).await, status);
        }
        assert_eq!(fixture.calls() - before, calls, "{token}");
    }
}

#[tokio::test]
async fn attack_26_a_cached_policy_is_evaluated_for_every_route_it_is_applied_to() {
    for kind in [RestToken, RestRequest, Http10, Http20Iam] {
        let settings = Local { cache_ttl: Duration::from_secs(300), ..settings(kind) };
        let fixture = Fixture::new(&settings, move |event| Reply::Answer(answer(kind, event, true)));
        assert_eq!(fixture.status("/orders/a", &TOKEN).await, 200, "{kind:?}");
        assert_eq!(
            fixture.status("/orders/b", &TOKEN).await,
            403,
            "{kind:?}: the answer for one route is applied to the other"
        );
        assert_eq!(fixture.calls(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn attack_26_a_cached_simple_answer_holds_for_every_route_unless_the_route_is_in_the_key() {
    let without = Local { cache_ttl: Duration::from_secs(300), ..settings(Http20Simple) };
    let with_path = Local {
        identity_sources: vec!["$request.header.Authorization".to_owned(), "$context.path".to_owned()],
        ..without.clone()
    };
    for (settings, status, calls) in [(without, 200, 1), (with_path, 403, 2)] {
        let fixture = Fixture::new(&settings, |event| {
            Reply::Answer(answer(Http20Simple, event, event["rawPath"] == "/orders/a"))
        });
        assert_eq!(fixture.status("/orders/a", &TOKEN).await, 200);
        assert_eq!(fixture.status("/orders/b", &TOKEN).await, status, "the well-known trap, and its mend");
        assert_eq!(fixture.calls(), calls);
    }
}

#[tokio::test]
async fn settings_that_cannot_be_are_named() {
    let function = || Function::start("test", speaking(|_| Reply::Exit), 1, Duration::from_secs(1));
    let table = [
        Local { identity_sources: vec!["$context.nothing".to_owned()], ..settings(Http20Simple) },
        Local { identity_sources: vec!["method.request.querystring.a".to_owned()], ..settings(RestToken) },
        Local { identity_sources: vec![], ..settings(RestToken) },
        Local { identity_validation: Some("(".to_owned()), ..settings(RestToken) },
    ];
    for settings in table {
        let error = Authorizer::new(&settings, function()).err().unwrap();
        assert!(error.starts_with("local.aws.identity_"), "{error}");
    }
}
