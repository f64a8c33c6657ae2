use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_verify::{Algorithm, MediaType, PublicJwk, PublicKey, Rules, Unverified};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Path, Route};

mod oracle;

/// The example of the documentation: sales staff see the customers of their own region, admins see all.
const SALES: &str = r#"// Sales staff see the customers of their own region, admins see all.
permit (principal, action == Action::"GET /regions/{region}/customers", resource)
when { principal.roles.contains("sales") && principal.region == resource.region };

@id("admins")
permit (principal, action, resource) when { principal.roles.contains("admin") };
"#;

const NOW: i64 = 1_800_000_000;
const FILE: &str = "policies/orders.cedar";
const CLAIMS: [&str; 6] = ["roles", "region", "level", "staff", "tags", "team"];

fn routes() -> Routes {
    let route = |template: &str, methods: &[&str], policy| Route {
        template: template.to_owned(),
        methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        scopes: Vec::new(),
        policy,
    };
    Routes::new(vec![
        route("/customers/{customer}", &["GET"], false),
        route("/regions/{region}/customers", &["GET", "POST"], true),
        route("/orders/{order}", &["DELETE"], true),
    ])
    .unwrap()
}

fn check(text: &str) -> Vec<String> {
    let mistakes = CedarPolicies::new(&routes(), CLAIMS, &[(FILE, text)]).err().unwrap_or_default();
    mistakes.iter().map(ToString::to_string).collect()
}

/// Also of policies with mistakes: what they come to is asked here too.
fn policies(routes: &Routes, text: &str) -> CedarPolicies {
    CedarPolicies::unchecked(routes, &CLAIMS, &load::load(&[(FILE, text)]).unwrap()).unwrap()
}

/// Decides `request` (`METHOD target`) for claims beyond the registered ones.
fn decide(text: &str, request: &str, claims: &serde_json::Value) -> Result<Vec<String>, Denied> {
    let routes = routes();
    let policies = policies(&routes, text);
    let (method, target) = request.split_once(' ').unwrap();
    let path = Path::parse(target).unwrap();
    let found = routes.find(method, &path).unwrap();
    with(claims, |claims| {
        let facts = Facts { claims, source_ip: Some([192, 0, 2, 7].into()), now: UnixTime::from_secs(NOW) };
        let decided = policies.authorize(&found, &facts);
        assert_eq!(
            decided,
            oracle::decide(text, &found, &facts),
            "what Cedar's own authorizer says of {text}"
        );
        decided
    })
}

/// Lends verified claims: the only way to have some is a token that holds.
fn with<T>(claims: &serde_json::Value, take: impl FnOnce(&Verified<'_>) -> T) -> T {
    let mut all = json!({
        "iss": "https://edge.example.com", "sub": "alice", "aud": "orders", "exp": NOW + 60, "iat": NOW, "jti": "1",
        "scope": "customers:read", "client_id": "app",
    });
    for (name, value) in claims.as_object().unwrap() {
        match value {
            serde_json::Value::Null => all.as_object_mut().unwrap().remove(name),
            value => all.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let jwk = json!({
        "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.public_key()), "kid": "k", "use": "sig",
        "alg": "EdDSA",
    });
    let algorithms = [Algorithm::EdDSA].into_iter().collect();
    let jwk = PublicJwk::parse(jwk.to_string().as_bytes()).unwrap();
    let key = PublicKey::bind(&jwk, "k", algorithms, false).unwrap();
    let rules = Rules {
        issuer: "https://edge.example.com".to_owned(),
        audiences: vec!["orders".to_owned()],
        single_audience: true,
        algorithms,
        types: vec![MediaType::new("bridged+jwt")],
        max_lifetime: None,
        skew: std::time::Duration::ZERO,
        require_jti: true,
        require_client_id: false,
        max_token_bytes: 16_384,
        relaxed: Vec::new(),
    };
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","typ":"bridged+jwt","kid":"k"}"#);
    let input = format!("{header}.{}", URL_SAFE_NO_PAD.encode(all.to_string()));
    let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(pair.sign(input.as_bytes())));
    let unverified = Unverified::parse(&token, 16_384).unwrap();
    let authentic = rules.admit(unverified).unwrap().verify(&key).unwrap();
    take(&authentic.claims(UnixTime::from_secs(NOW)).unwrap())
}

fn permitted(ids: &[&str]) -> Result<Vec<String>, Denied> {
    Ok(ids.iter().map(|id| (*id).to_owned()).collect())
}

fn forbidden(ids: &[&str]) -> Result<Vec<String>, Denied> {
    Err(Denied::Policy { policies: permitted(ids)? })
}

fn ill_typed(claim: &str) -> Result<Vec<String>, Denied> {
    Err(Denied::ClaimType { claim: claim.to_owned() })
}

fn error(ids: &[&str]) -> Result<Vec<String>, Denied> {
    Err(Denied::PolicyError { policies: permitted(ids)? })
}

const EU: &str = "GET /regions/EU/customers";
const SALES_ID: &str = "policies/orders.cedar:2";

#[test]
fn sales_staff_see_the_customers_of_their_own_region_and_admins_all() {
    assert_eq!(check(SALES), [""; 0]);
    let table = [
        (EU, json!({"roles": ["sales"], "region": "EU"}), permitted(&[SALES_ID])),
        (EU, json!({"roles": ["sales", "admin"], "region": "EU"}), permitted(&["admins", SALES_ID])),
        (EU, json!({"roles": ["sales"], "region": "US"}), forbidden(&[])),
        (EU, json!({"roles": ["Sales"], "region": "EU"}), forbidden(&[])),
        (EU, json!({"roles": [], "region": "EU"}), forbidden(&[])),
        (EU, json!({"roles": ["admin"]}), permitted(&["admins"])),
        ("POST /regions/EU/customers", json!({"roles": ["sales"], "region": "EU"}), forbidden(&[])),
        ("DELETE /orders/1", json!({"roles": ["admin"]}), permitted(&["admins"])),
        ("DELETE /orders/1", json!({"roles": ["sales"]}), forbidden(&[])),
        ("GET /regions/E%55/customers", json!({"roles": ["sales"], "region": "EU"}), permitted(&[SALES_ID])),
        ("GET /regions/eu/customers", json!({"roles": ["sales"], "region": "EU"}), forbidden(&[])),
    ];
    for (request, claims, expected) in table {
        assert_eq!(decide(SALES, request, &claims), expected, "{request} {claims}");
    }
}

#[test]
fn attack_32_any_evaluation_error_is_a_deny() {
    let table = [
        // The claim is missing, or is not of the type that the policies use it with.
        (json!({"region": "EU"}), error(&["admins", SALES_ID])),
        (json!({"roles": "admin", "region": "EU"}), ill_typed("roles")),
        (json!({"roles": ["admin", 1], "region": "EU"}), ill_typed("roles")),
        (json!({"roles": {"admin": true}}), ill_typed("roles")),
        (json!({"roles": ["sales"]}), error(&[SALES_ID])),
        (json!({"roles": ["sales"], "region": ["EU"]}), ill_typed("region")),
        (json!({"roles": ["sales"], "region": 1}), ill_typed("region")),
        // Another policy would have permitted it.
        (json!({"roles": ["sales", "admin"]}), error(&[SALES_ID])),
    ];
    for (claims, expected) in table {
        assert_eq!(decide(SALES, EU, &claims), expected, "{claims}");
    }
    // Cedar alone would skip the forbid that fails, and permit.
    let text = r#"
        @id("all") permit (principal, action, resource);
        @id("level") forbid (principal, action, resource) when { principal.level < 3 };
    "#;
    assert_eq!(check(text), [""; 0]);
    assert_eq!(decide(text, EU, &json!({"level": 3})), permitted(&["all"]));
    assert_eq!(decide(text, EU, &json!({"level": 2})), forbidden(&["level"]));
    assert_eq!(decide(text, EU, &json!({})), error(&["level"]));
    for level in [json!("3"), json!(3.5), json!([3])] {
        assert_eq!(decide(text, EU, &json!({"level": level})), ill_typed("level"), "{level}");
    }
    let overflow = r#"permit (principal, action, resource) when { principal.level + 1 > 0 };"#;
    assert_eq!(decide(overflow, EU, &json!({"level": i64::MAX})), error(&["policies/orders.cedar:1"]));
}

#[test]
fn forbid_wins_and_nothing_permitted_is_denied() {
    let text = r#"
        @id("all") permit (principal, action, resource);
        @id("suspended") forbid (principal == User::"bob", action, resource);
        @id("elsewhere") forbid (principal, action, resource) unless { context.source_ip.isInRange(ip("192.0.2.0/24")) };
        @id("read-only") forbid (principal, action, resource) when { context.method != "GET" && context.time > 0 };
    "#;
    assert_eq!(check(text), [""; 0]);
    assert_eq!(decide(text, EU, &json!({})), permitted(&["all"]));
    assert_eq!(decide(text, EU, &json!({"sub": "bob"})), forbidden(&["suspended"]));
    assert_eq!(
        decide(text, "DELETE /orders/1", &json!({"sub": "bob"})),
        forbidden(&["read-only", "suspended"])
    );
    let none = r#"permit (principal == User::"carol", action, resource);"#;
    assert_eq!(decide(none, EU, &json!({})), forbidden(&[]));
    assert_eq!(decide("", EU, &json!({})), forbidden(&[]));
}

#[test]
fn what_a_gateway_does_not_know_is_an_error_where_a_policy_reads_it() {
    let text = r#"permit (principal, action, resource) when { context.source_ip.isLoopback() };"#;
    let asks = r#"permit (principal, action, resource) when { context has source_ip && context.source_ip.isIpv4() };"#;
    let routes = routes();
    let path = Path::parse("/regions/EU/customers").unwrap();
    let found = routes.find("GET", &path).unwrap();
    let decide = |text, source_ip| {
        let policies = policies(&routes, text);
        with(&json!({}), |claims| {
            policies.authorize(&found, &Facts { claims, source_ip, now: UnixTime::from_secs(NOW) })
        })
    };
    let id = "policies/orders.cedar:1";
    assert_eq!(decide(text, None), error(&[id]));
    assert_eq!(decide(text, Some([127, 0, 0, 1].into())), permitted(&[id]));
    assert_eq!(decide(text, Some("::ffff:127.0.0.1".parse().unwrap())), permitted(&[id]));
    assert_eq!(check(asks), [""; 0]);
    assert_eq!(decide(asks, None), forbidden(&[]));
    assert_eq!(decide(asks, Some([192, 0, 2, 1].into())), permitted(&[id]));
}

#[test]
fn a_claim_that_may_be_missing_is_asked_for_first() {
    let text =
        r#"permit (principal, action, resource) when { principal has team && principal.team == "a" };"#;
    assert_eq!(check(text), [""; 0]);
    assert_eq!(decide(text, EU, &json!({"team": "a"})), permitted(&["policies/orders.cedar:1"]));
    assert_eq!(decide(text, EU, &json!({})), forbidden(&[]));
    assert_eq!(decide(text, EU, &json!({"team": ["a"]})), ill_typed("team"));
    let unless = r#"
        permit (principal, action, resource);
        forbid (principal, action, resource) unless { principal has staff };
    "#;
    assert_eq!(check(unless), [""; 0]);
    assert_eq!(decide(unless, EU, &json!({})), forbidden(&["policies/orders.cedar:3"]));
    let one_does_not =
        format!("{text}\npermit (principal, action, resource) when {{ principal.team == \"b\" }};");
    let mistakes = check(&one_does_not);
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert!(
        mistakes[0].starts_with("policies/orders.cedar:2:45: unable to guarantee safety"),
        "{mistakes:?}"
    );
}

#[test]
fn a_claim_of_another_type_does_not_switch_off_a_policy_that_forbids() {
    let text = r#"
        permit (principal, action, resource);
        forbid (principal, action, resource) when { principal has roles && principal.roles.contains("suspended") };
        forbid (principal, action, resource) when { principal has staff && !principal.staff };
    "#;
    assert_eq!(check(text), [""; 0]);
    assert_eq!(
        decide(text, EU, &json!({"roles": ["sales"], "staff": true})),
        permitted(&["policies/orders.cedar:2"])
    );
    assert_eq!(decide(text, EU, &json!({})), permitted(&["policies/orders.cedar:2"]));
    assert_eq!(decide(text, EU, &json!({"roles": ["suspended"]})), forbidden(&["policies/orders.cedar:3"]));
    for roles in [json!("suspended"), json!(["suspended", 1]), json!({"0": "suspended"}), json!(true)] {
        assert_eq!(decide(text, EU, &json!({"roles": roles})), ill_typed("roles"), "{roles}");
    }
    for staff in [json!("false"), json!(0), json!([false])] {
        assert_eq!(decide(text, EU, &json!({"staff": staff})), ill_typed("staff"), "{staff}");
    }
}

#[test]
fn registered_claims_need_no_mapping() {
    let text = r#"
        permit (principal, action, resource)
        when { principal.sub == "alice" && principal.client_id == "app" && principal.scope.contains("customers:read") };
    "#;
    assert_eq!(check(text), [""; 0]);
    assert_eq!(decide(text, EU, &json!({})), permitted(&["policies/orders.cedar:2"]));
    assert_eq!(decide(text, EU, &json!({"client_id": null})), error(&["policies/orders.cedar:2"]));
    assert_eq!(decide(text, EU, &json!({"scope": null})), forbidden(&[]));
}

#[test]
fn claims_have_the_types_that_policies_use_them_with() {
    let table = [
        ("principal.roles.contains(\"a\")", json!({"roles": ["a"]})),
        ("principal.roles.containsAll([\"a\", \"b\"])", json!({"roles": ["b", "a", "c"]})),
        ("principal.roles.containsAny(principal.tags)", json!({"roles": ["b"], "tags": ["a", "b"]})),
        ("!principal.roles.isEmpty()", json!({"roles": ["b"]})),
        ("principal.roles == [\"a\"]", json!({"roles": ["a", "a"]})),
        ("[\"a\", \"b\"].contains(principal.team)", json!({"team": "b"})),
        ("principal.scope.contains(principal.team)", json!({"team": "customers:read"})),
        ("principal.team like \"a*\"", json!({"team": "abc"})),
        ("principal.team == principal.region", json!({"team": "x", "region": "x"})),
        ("\"x\" == principal.team", json!({"team": "x"})),
        ("principal.level >= 2", json!({"level": 2})),
        ("2 <= principal.level", json!({"level": 2})),
        ("principal.level + 1 == 3", json!({"level": 2})),
        ("principal.level == 2", json!({"level": 2})),
        ("principal.level == -2", json!({"level": -2})),
        ("principal.level < context.time", json!({"level": 2})),
        ("principal.staff", json!({"staff": true})),
        ("!principal.staff", json!({"staff": false})),
        ("principal.staff == true", json!({"staff": true})),
        ("principal.staff || principal.level > 1", json!({"staff": false, "level": 2})),
        ("if principal.staff then principal.level == 1 else true", json!({"staff": false})),
        (
            "(if principal.staff then principal else principal).team == \"x\"",
            json!({"staff": true, "team": "x"}),
        ),
    ];
    for (condition, claims) in table {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        assert_eq!(check(&text), [""; 0], "{condition}");
        assert_eq!(decide(&text, EU, &claims), permitted(&["policies/orders.cedar:1"]), "{condition}");
        let nobody = decide(&text, EU, &json!({}));
        assert!(nobody.is_err(), "{condition} without claims: {nobody:?}");
    }
}

#[test]
fn mistakes_are_told_with_their_place_and_the_mend() {
    let when = |condition: &str| format!("permit (principal, action, resource)\nwhen {{ {condition} }};");
    let table = [
        ("permit (principal, action, resource) when { principal.roles.contains( };".to_owned(), "1:71", "unexpected token"),
        ("permit (principal, action);".to_owned(), "1:26", "resource"),
        (when("principal.rolez.contains(\"a\")"), "2:8", "`principal.rolez` is no claim of a bridged token; write one of sub, client_id, scope, roles"),
        (when("principal has rolez && true"), "2:8", "`principal.rolez` is no claim"),
        (when("context.ip == \"a\""), "2:8", "`context.ip` does not exist; write one of method, source_ip, time"),
        (when("resource.area == \"EU\""), "2:8", "`resource.area` is no parameter of `GET /regions/{region}/customers`"),
        (when("resource.region == \"EU\""), "2:8", "`resource.region` is no parameter of `DELETE /orders/{order}`; name the action"),
        (when("principal.roles.contains(\"a\") && principal.roles == \"a\""), "2:41", "the types String and Set<String> are not compatible"),
        (when("principal.level + \"a\" == 1"), "2:26", "unexpected type"),
        (when("principal.roles.contains(\"a\") && false"), "1:1", "no request can satisfy this policy"),
        (
            "permit (principal, action == Action::\"GET /customers/{customer}\", resource);".to_owned(),
            "1:30",
            "the route `/customers/{customer}` has no `policy: true`",
        ),
        (
            "permit (principal, action == Action::\"GET /nothing\", resource);".to_owned(),
            "1:30",
            "there is no such action; the routes with `policy: true` are `Action::\"GET /regions/{region}/customers\"`",
        ),
        ("permit (principal is Group, action, resource);".to_owned(), "1:22", "`Group` is no type here; write `User`"),
        ("permit (principal == ?principal, action, resource);".to_owned(), "1:1", "a template"),
        ("@id(\"a\") permit (principal, action, resource);\n@id(\"a\") forbid (principal == User::\"b\", action, resource);".to_owned(), "2:1", "has the id `a` as well"),
    ];
    let mut wrong = Vec::new();
    for (text, place, message) in table {
        let mistakes = check(&text);
        let start = format!("{FILE}:{place}: ");
        let right =
            |told: &String| told.starts_with(&start) && told.contains(message) && !told.contains("`Route");
        if mistakes.len() != 1 || !mistakes.iter().all(right) {
            wrong.push((text, start, message, mistakes));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn all_mistakes_of_all_files_are_told_at_once() {
    let files = [
        (
            "a.cedar",
            "permit (principal, action, resource) when { principal.x == 1 };\n\n  permit (principal, action, resource) when { context.y };",
        ),
        ("b.cedar", "permit (principal, action, resource) when { principal.roles.contains(1) };"),
    ];
    let mistakes = CedarPolicies::new(&routes(), CLAIMS, &files).unwrap_err();
    let places: Vec<_> =
        mistakes.iter().map(|mistake| (mistake.file.as_str(), mistake.line, mistake.column)).collect();
    assert_eq!(places, [("a.cedar", 1, 45), ("a.cedar", 3, 47), ("b.cedar", 1, 45)], "{mistakes:#?}");
}

#[test]
fn a_policy_without_an_id_is_known_by_its_file_and_line() {
    let text = "// permit (principal, action, resource);\n\npermit (principal, action, resource);";
    assert_eq!(decide(text, EU, &json!({})), permitted(&["policies/orders.cedar:3"]));
}

#[test]
fn a_guard_lets_one_policy_be_for_routes_with_other_parameters() {
    let text =
        r#"permit (principal, action, resource) when { resource has region && resource.region == "EU" };"#;
    assert_eq!(check(text), [""; 0]);
    assert_eq!(decide(text, EU, &json!({})), permitted(&["policies/orders.cedar:1"]));
    assert_eq!(decide(text, "DELETE /orders/1", &json!({})), forbidden(&[]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_claims_get_past_the_sample_but_the_right_ones(
        roles in prop_oneof![
            proptest::collection::vec("(sales|admin|Sales|x)", 0..3).prop_map(|roles| json!(roles)),
            any::<i64>().prop_map(|number| json!(number)),
            "[a-z]{0,6}".prop_map(|text| json!(text)),
            Just(json!(null)),
        ],
        region in prop_oneof![Just(json!("EU")), Just(json!("US")), Just(json!(["EU"])), Just(json!(null))],
    ) {
        let has = |role: &str| roles.as_array().is_some_and(|roles| roles.iter().any(|have| have == role));
        let typed = |value: &serde_json::Value| value.is_null() || value.is_string();
        let expected = typed(&region)
            && ((has("admin") && (!has("sales") || region.is_string())) || (has("sales") && region == "EU"));
        let decided = decide(SALES, EU, &json!({"roles": roles, "region": region}));
        prop_assert_eq!(decided.is_ok(), expected, "{:?}", decided);
    }

    #[test]
    fn any_text_is_checked_without_a_panic(text in "(permit|forbid|when|unless|principal|resource|context|action|\\.|\\(|\\)|\\{|\\}|==|has|\"a\"|;|,| ){0,24}") {
        let _ = check(&text);
    }
}
