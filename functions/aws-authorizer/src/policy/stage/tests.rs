use proptest::prelude::*;

use super::{
    super::tests::{allows, path, route, template},
    *,
};

const ARN: &str = "arn:aws:execute-api:eu-west-1:123456789012:abcdef123/prod/GET/any";

fn routes(lines: &[&str]) -> Routes {
    let route = |line: &&str| {
        let (methods, template) = line.split_once(' ').unwrap();
        route(template, &methods.split(',').collect::<Vec<_>>())
    };
    Routes::new(lines.iter().map(route).collect()).unwrap()
}

fn policy(stage: &StageWide, granted: &[usize]) -> Policy {
    stage.policy(&MethodArn::parse(ARN).unwrap(), granted).unwrap()
}

/// Every set of indices below `count`.
fn subsets(count: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..1_usize << count).map(move |set| (0..count).filter(|index| set & (1 << index) != 0).collect())
}

/// Which route of the granted ones the gate would find.
fn granted_at(routes: &Routes, granted: &[usize], method: &str, path: &str) -> bool {
    Path::parse(path)
        .is_ok_and(|path| routes.find(method, &path).is_ok_and(|found| granted.contains(&found.index)))
}

#[test]
fn attack_26_one_policy_is_right_for_every_route_whatever_is_granted() {
    let routes = routes(&[
        "GET,PUT /customers/{customer}",
        "GET /customers/me",
        "POST /customers",
        "GET /regions/{region}/customers",
        "GET,DELETE /files/{*rest}",
        "GET /files/index",
    ]);
    let stage = StageWide::new(&routes).unwrap();
    let paths = [
        "/",
        "/customers",
        "/customers/",
        "/customers/me",
        "/customers/42",
        "/customers/caf%C3%A9",
        "/customers/a%20b",
        "/customers/42/",
        "/customers/42/orders",
        "/customers/me/orders",
        "/regions/eu/customers",
        "/regions/eu/customers/1",
        "/regions/eu/west/customers",
        "/regions/customers",
        "/regions//customers",
        "/files",
        "/files/",
        "/files/index",
        "/files/a",
        "/files/a/",
        "/files/index/a",
        "/files/a/b/c",
        "/nothing",
        "/customers/..",
        "/customers/....",
        "/customers/1;a",
        "/customers/a%2fb",
        "/customers/%c0%af",
        "/customers/%2e%2e",
    ];
    for granted in subsets(6) {
        let policy = policy(&stage, &granted);
        for method in METHODS {
            for path in paths {
                assert_eq!(
                    allows(&policy, method, path),
                    granted_at(&routes, &granted, method, path),
                    "{method} {path} with {granted:?}: {policy:?}"
                );
            }
        }
    }
}

#[test]
fn a_policy_holds_nothing_of_the_request() {
    let routes = routes(&["GET /customers/{customer}", "POST /customers"]);
    let stage = StageWide::new(&routes).unwrap();
    let from = |path: &str| {
        stage.policy(&MethodArn::parse(&ARN.replace("GET/any", path)).unwrap(), &[0, 1]).unwrap()
    };
    assert_eq!(from("GET/customers/s3cret"), from("POST/customers"));
    assert_eq!(from("GET/customers/caf%C3%A9"), from("DELETE/*"));
}

#[test]
fn literal_routes_are_their_own_resources_and_no_route_is_a_deny_of_all() {
    let stage = StageWide::new(&routes(&["GET /a", "POST /b"])).unwrap();
    let base = ARN.strip_suffix("/GET/any").unwrap();
    let expected = [statement("Allow", vec![format!("{base}/GET/a"), format!("{base}/POST/b")])];
    assert_eq!(policy(&stage, &[0, 1]).statement, expected);
    assert_eq!(policy(&stage, &[]), Policy::deny(&MethodArn::parse(ARN).unwrap()));
}

#[test]
fn routes_that_no_policy_can_tell_apart_are_named() {
    for (lines, expected) in [
        (&["GET /a/{x}", "GET /a/{x}/b"][..], Some(("GET /a/{x}", "GET /a/{x}/b"))),
        (&["GET /a/{x}/b/{*rest}"], Some(("GET /a/{x}/b/{*rest}", "GET /a/{x}/b/{*rest}"))),
        (&["GET /{*rest}", "GET /a/{x}"], Some(("GET /a/{x}", "GET /{*rest}"))),
        (&["GET /{x}/{y}", "GET /a/{y}", "GET /a/b"], Some(("GET /a/{y}", "GET /a/b"))),
        (&["GET /a/{x}", "POST /a/{x}/b"], None),
        (&["GET /{x}", "GET /{x}/{y}"], None),
        (&["GET /{x}/{y}", "GET /a/{y}"], None),
        (&["GET /{*rest}", "GET /health"], None),
        (&["GET /"], None),
        (&[], None),
    ] {
        let overlap = expected.map(|(one, other)| PerRoute::Overlap(one.to_owned(), other.to_owned()));
        assert_eq!(stage_wide(&routes(lines)).err(), overlap, "{lines:?}");
    }
}

#[test]
fn a_route_with_a_policy_is_decided_on_its_object() {
    let mut table = vec![route("/a", &["GET"]), route("/b/{x}", &["GET", "PUT"])];
    table[1].policy = true;
    let error = stage_wide(&Routes::new(table).unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`GET, PUT /b/{x}` has `policy: true`, so its decision depends on the object"
    );
}

#[test]
fn more_routes_than_an_answer_holds_are_no_policy() {
    let table = |count: usize| {
        let names: Vec<_> = (0..count).map(|index| format!("GET /resource{index}/{{x}}")).collect();
        stage_wide(&routes(&names.iter().map(String::as_str).collect::<Vec<_>>()))
    };
    assert_eq!(table(7), Ok(()));
    assert_eq!(table(40), Err(PerRoute::TooLong));
    assert_eq!(stage_wide(&routes(&[&format!("GET /{}/{{x}}/{{y}}/{{z}}", "a".repeat(380))])), Ok(()));
}

#[test]
fn what_an_arn_names_is_granted_or_not() {
    let routes = routes(&["GET /a/{x}", "GET /b"]);
    let may = |path: &str, granted: &[usize]| {
        let arn = ARN.replace("GET/any", path);
        may_allow(&MethodArn::parse(&arn).unwrap(), &routes, granted)
    };
    assert!(may("GET/a/1", &[0]));
    assert!(!may("GET/a/1", &[1]));
    assert!(!may("POST/a/1", &[0, 1]));
    assert!(!may("GET/c", &[0, 1]));
    assert!(may("GET/a/%ff", &[0]), "cannot be told");
}

/// Segments as a client has no choice but to write them.
fn canonical() -> impl Strategy<Value = String> {
    (prop::collection::vec("[abc]|%C3%A9", 0..5), prop::bool::weighted(0.1)).prop_map(|(segments, slash)| {
        let slash = if slash && !segments.is_empty() { "/" } else { "" };
        format!("/{}{slash}", segments.join("/"))
    })
}

proptest! {
    /// No remembered answer is ever wrong for another route: it allows what the gate would route to a granted one, and nothing else.
    #[test]
    fn attack_26_one_policy_allows_the_granted_routes_and_nothing_else(
        templates in prop::collection::vec(template(), 1..6),
        granted in prop::collection::vec(any::<bool>(), 6),
        clean in prop::collection::vec(canonical(), 1..24),
        hostile in prop::collection::vec(path(), 1..24),
    ) {
        let mut table: Vec<Route> = Vec::new();
        for template in templates {
            table.push(route(&template, &["GET"]));
            if Routes::new(table.clone()).is_err() {
                table.pop();
            }
        }
        let routes = Routes::new(table).unwrap();
        let Ok(stage) = StageWide::new(&routes) else { return Ok(()) };
        let granted: Vec<_> = (0..routes.iter().count()).filter(|index| granted[*index]).collect();
        let policy = policy(&stage, &granted);
        for path in clean {
            prop_assert_eq!(
                allows(&policy, "GET", &path), granted_at(&routes, &granted, "GET", &path),
                "{} with {:?}: {:?}", path, granted, policy
            );
        }
        for path in hostile {
            if allows(&policy, "GET", &path) {
                prop_assert!(granted_at(&routes, &granted, "GET", &path), "{} with {:?}: {:?}", path, granted, policy);
            }
            prop_assert!(!allows(&policy, "POST", &path));
        }
    }

    /// The comparison of a resource with a template says what a search through every short path finds, and no more.
    #[test]
    fn a_resource_meets_a_pattern_where_some_path_is_of_both(
        template in template(), resource in "[ab*](/[ab*]{1,2}){0,2}|[ab*/]{0,6}",
    ) {
        prop_assume!(template.split('/').count() <= 4);
        let route = route(&template, &["GET"]);
        let routes = Routes::new(vec![route.clone()]).unwrap();
        let meets = Pattern::of(&route, relative(&route)).unwrap().meets(&resource);
        let path = short_paths().iter().find(|path| {
            super::super::tests::glob(resource.as_bytes(), path.as_bytes())
                && granted_at(&routes, &[0], "GET", &format!("/{path}"))
        });
        if let Some(path) = path {
            prop_assert!(meets, "`{}` and `{}` both have `{}`", resource, template, path);
        } else if resource.split('/').all(|segment| !segment.is_empty()) {
            // No path that is routed has an empty segment, which the comparison does not know.
            prop_assert!(!meets, "`{}` and `{}` have nothing in common", resource, template);
        }
    }
}

/// Every text of up to eight of what the templates and resources of the search are made of: longer than any that they need.
fn short_paths() -> &'static [String] {
    static PATHS: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| {
        let mut paths = vec![String::new()];
        let mut longest = 0..1;
        for _ in 0..8 {
            for index in longest.clone() {
                for next in ["a", "b", "/"] {
                    paths.push(format!("{}{next}", paths[index]));
                }
            }
            longest = longest.end..paths.len();
        }
        paths
    });
    &PATHS
}
