use drawbridge_policy::Path;
use proptest::prelude::*;

use super::*;

const STAGE: &str = "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod";

pub(super) fn route(template: &str, methods: &[&str]) -> Route {
    Route {
        template: template.to_owned(),
        methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        scopes: Vec::new(),
        policy: false,
    }
}

fn routes(templates: &[&str]) -> Routes {
    Routes::new(templates.iter().map(|template| route(template, &["GET", "POST"])).collect()).unwrap()
}

/// The policy for a request that the gate allowed.
fn allow(routes: &Routes, method: &str, path: &str) -> Policy {
    let arn = format!("{STAGE}/{method}{path}");
    let arn = MethodArn::parse(&arn).unwrap();
    let target = Path::parse(path).unwrap();
    let template = routes.find(method, &target).unwrap().route.template.clone();
    Policy::allow(&arn, routes, method, &template).unwrap()
}

/// What API Gateway makes of the policy for another request: an explicit deny wins, and nothing matching is a deny.
pub(super) fn allows(policy: &Policy, method: &str, path: &str) -> bool {
    let arn = format!("{STAGE}/{method}{path}");
    let matching = |effect: &str| {
        let mut statements = policy.statement.iter().filter(|statement| statement.effect == effect);
        statements.any(|statement| {
            statement.resource.iter().any(|resource| glob(resource.as_bytes(), arn.as_bytes()))
        })
    };
    matching("Allow") && !matching("Deny")
}

/// `*` is any text, `?` any one character.
pub(super) fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|skip| glob(rest, &text[skip..])),
        ([b'?', pattern @ ..], [_, text @ ..]) => glob(pattern, text),
        ([want, pattern @ ..], [have, text @ ..]) => want == have && glob(pattern, text),
        _ => false,
    }
}

#[test]
fn a_literal_route_is_its_own_resource() {
    let policy = allow(&routes(&["/customers", "/customers/{customer}"]), "GET", "/customers");
    let expected = [statement("Allow", vec![format!("{STAGE}/GET/customers")])];
    assert_eq!(policy.statement, expected);
    assert_eq!(policy.version, "2012-10-17");
}

#[test]
fn the_resource_is_the_template_and_holds_nothing_of_the_request() {
    let policy = allow(&routes(&["/customers/{customer}"]), "GET", "/customers/s3cret");
    let json = serde_json::to_string(&policy).unwrap();
    assert!(json.contains(&format!("\"{STAGE}/GET/customers/*\"")), "{json}");
    assert!(!json.contains("s3cret"));
}

#[test]
fn attack_26_the_answer_for_one_route_allows_no_other() {
    let routes = routes(&[
        "/",
        "/customers",
        "/customers/",
        "/customers/{customer}",
        "/customers/me",
        "/customers/{customer}/orders",
        "/customers/{customer}/orders/{order}",
        "/files/{*rest}",
        "/files/private/{file}",
        "/{any}",
    ]);
    let paths = [
        "/",
        "/customers",
        "/customers/",
        "/customers/1",
        "/customers/me",
        "/customers/1/orders",
        "/customers/me/orders",
        "/customers/1/orders/2",
        "/files/a",
        "/files/a/b",
        "/files/a/b/c",
        "/files/private/b",
        "/files/private/b/c",
        "/other",
        "/nothing/here",
    ];
    let taken = |path: &str| {
        routes.find("GET", &Path::parse(path).unwrap()).ok().map(|found| found.route.template.clone())
    };
    for decided in paths {
        let Some(template) = taken(decided) else { continue };
        let policy = allow(&routes, "GET", decided);
        assert!(allows(&policy, "GET", decided), "{decided} is allowed by its own policy");
        for other in paths {
            if taken(other).as_ref() != Some(&template) {
                assert!(!allows(&policy, "GET", other), "the policy of {decided} must not allow {other}");
            }
            assert!(
                !allows(&policy, "POST", other),
                "the policy of GET {decided} must not allow POST {other}"
            );
        }
    }
}

#[test]
fn a_policy_covers_every_value_of_the_parameters() {
    let routes = routes(&["/customers/{customer}/orders/{order}"]);
    let policy = allow(&routes, "GET", "/customers/1/orders/2");
    for path in
        ["/customers/2/orders/1", "/customers/a.b-c_d~e/orders/.well-known", "/customers/a:b/orders/$x"]
    {
        assert!(allows(&policy, "GET", path), "{path}");
    }
}

#[test]
fn attack_27_what_the_gate_refuses_in_a_path_is_not_allowed_by_an_earlier_answer() {
    let routes = routes(&["/customers/{customer}", "/files/{*rest}"]);
    for (decided, base) in
        [("/customers/1", "/customers"), ("/customers/caf%C3%A9", "/customers"), ("/files/a", "/files")]
    {
        let policy = allow(&routes, "GET", decided);
        assert!(allows(&policy, "GET", decided), "{decided}");
        for hostile in [
            "",
            ".",
            "..",
            "/",
            "//",
            "1/",
            "/1",
            "../admin",
            "..;/admin",
            "1;a=b",
            "a%2fb",
            "a%2Fb",
            "..%2fadmin",
            "..%5cadmin",
            "a\\b",
            "%2e%2e",
            "%2E%2E",
            ".%2e",
            "%2e.",
            "%2E.",
            "%2e%2E",
            "%252e",
            "a%3bb",
            "a%3Bb",
            "a%00",
            "a%0d%0a",
            "a%1f",
            "a%7F",
            "a#b",
            "a%23b",
            "a%3fb",
        ] {
            let path = format!("{base}/{hostile}");
            assert!(!allows(&policy, "GET", &path), "the policy of {decided} must not allow {path}");
        }
    }
}

#[test]
fn a_route_below_a_rest_keeps_what_is_its_own() {
    let routes = routes(&["/files/{*rest}", "/files/private/{file}"]);
    let policy = allow(&routes, "GET", "/files/public/a");
    assert!(allows(&policy, "GET", "/files/public/b"));
    assert!(!allows(&policy, "GET", "/files/private/b"));
    assert!(!allows(&policy, "GET", "/files/a"), "another number of segments is another answer");

    let policy = allow(&routes, "GET", "/files/public/");
    assert!(allows(&policy, "GET", "/files/public/"), "a rest may end in a slash");
    assert!(!allows(&policy, "GET", "/files/public/a"));
    assert!(!allows(&policy, "GET", "/files//"));
}

#[test]
fn a_denial_denies_the_stage() {
    let arn = format!("{STAGE}/GET/customers/1");
    let policy = Policy::deny(&MethodArn::parse(&arn).unwrap());
    assert_eq!(policy.statement, [statement("Deny", vec![format!("{STAGE}/*")])]);
}

#[test]
fn a_connection_is_a_resource_of_its_own() {
    let arn = format!("{STAGE}/$connect");
    let policy =
        Policy::allow(&MethodArn::parse(&arn).unwrap(), &routes(&["/$connect"]), "GET", "/$connect").unwrap();
    assert_eq!(policy.statement, [statement("Allow", vec![arn])]);
}

#[test]
fn a_resource_longer_than_api_gateway_takes_is_no_policy() {
    let routes = routes(&["/{*rest}"]);
    let allowed = |segments: usize| {
        let arn = format!("{STAGE}/GET{}", "/a".repeat(segments));
        Policy::allow(&MethodArn::parse(&arn).unwrap(), &routes, "GET", "/{*rest}").is_some()
    };
    assert!(allowed(200));
    assert!(!allowed(300));
}

#[test]
fn a_template_that_is_not_configured_for_the_method_is_no_policy() {
    let routes = Routes::new(vec![route("/a", &["GET"]), route("/b", &["POST"])]).unwrap();
    let arn = format!("{STAGE}/GET/a");
    let arn = MethodArn::parse(&arn).unwrap();
    assert!(Policy::allow(&arn, &routes, "GET", "/a").is_some());
    assert!(Policy::allow(&arn, &routes, "GET", "/b").is_none());
    assert!(Policy::allow(&arn, &routes, "*", "/a").is_none());
    assert!(Policy::allow(&arn, &routes, "GET", "/*").is_none());
}

/// Templates over few words, so that they overlap.
pub(super) fn template() -> impl Strategy<Value = String> {
    let segment = prop_oneof![3 => "[ab]", 2 => Just("{x}".to_owned())];
    (
        prop::collection::vec(segment, 0..4),
        prop::option::weighted(0.2, Just("{*rest}")),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(segments, rest, slash)| {
            // Parameters of one template have names of their own.
            let named = segments
                .iter()
                .enumerate()
                .map(|(index, segment)| segment.replace('x', &format!("x{index}")));
            let mut parts: Vec<String> = named.collect();
            parts.extend(rest.map(str::to_owned));
            let slash = slash && rest.is_none() && !parts.is_empty();
            format!("/{}{}", parts.join("/"), if slash { "/" } else { "" })
        })
}

pub(super) fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![6 => "[abc]", 2 => "(|\\.|\\.\\.|a;b|%2[fF]|%2e|%61|%62|c%20|c%61)"],
        0..5,
    )
    .prop_map(|segments| format!("/{}", segments.join("/")))
}

proptest! {
    /// No cached answer is ever wrong for another route: what it allows is what the gate routes to the same template.
    #[test]
    fn attack_26_no_answer_allows_what_is_another_routes(
        templates in prop::collection::vec(template(), 1..6),
        decided in path(),
        others in prop::collection::vec(path(), 1..24),
    ) {
        let mut table: Vec<Route> = Vec::new();
        for template in templates {
            table.push(route(&template, &["GET"]));
            if Routes::new(table.clone()).is_err() {
                table.pop();
            }
        }
        let routes = Routes::new(table).unwrap();
        let taken = |path: &str| {
            let path = Path::parse(path).ok()?;
            Some(routes.find("GET", &path).ok()?.route.template.clone())
        };
        let Some(template) = taken(&decided) else { return Ok(()) };
        let policy = allow(&routes, "GET", &decided);
        // A path that is encoded without need may be refused.
        if !decided.contains("%6") && !decided.contains("%2e") {
            prop_assert!(allows(&policy, "GET", &decided), "{} of {}: {:?}", decided, template, policy);
        }
        for other in others {
            if allows(&policy, "GET", &other) {
                prop_assert_eq!(taken(&other), Some(template.clone()), "{} by the policy of {}: {:?}", other, decided, policy);
            }
            prop_assert!(!allows(&policy, "POST", &other));
        }
    }
}
