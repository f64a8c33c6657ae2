//! `drawbridge test` as an operator runs it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{CONFIG, code, err, out, run};

/// A folder with a configuration and a file of tests for it. There is no key in it.
fn folder(tests: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tests")).unwrap();
    std::fs::write(folder.path().join("drawbridge.yaml"), CONFIG).unwrap();
    std::fs::write(folder.path().join("tests/orders.yaml"), tests).unwrap();
    folder
}

fn json(folder: &Path, arguments: &[&str]) -> (i32, Value) {
    let output = run(folder, &[&["test", "--format", "json"], arguments].concat(), b"");
    let json = serde_json::from_str(&out(&output)).unwrap_or_else(|_| panic!("{output:?}"));
    (code(&output), json)
}

#[test]
fn the_sample_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample");
    let output = run(&folder, &["test", "orders.test.yaml"], b"");
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(out(&output).ends_with(" passed, 0 failed\n"), "{output:?}");
}

#[test]
fn every_stage_of_the_real_gate_decides() {
    let folder = folder(EVERYTHING);
    let (exit, results) = json(folder.path(), &["tests/orders.yaml"]);
    assert_eq!(results["failed"], 0, "{results:#}");
    assert_eq!((exit, &results["passed"]), (0, &json!(EVERYTHING.matches("name:").count())));
    assert_eq!(results["files"][0]["backend"], "orders");
    assert!(!folder.path().join("keys").exists(), "the keys of the configuration are not asked for");
}

#[test]
fn policies_decide_in_tests_too() {
    let folder = folder(POLICIES);
    let config = CONFIG
        .replace("scopes: [\"customers:read\"] }", "scopes: [\"customers:read\"], policy: true }")
        .replace("claims: { roles: /roles }", "claims: { roles: /roles }\n    policy: [orders.cedar]");
    std::fs::write(folder.path().join("drawbridge.yaml"), config).unwrap();
    let policy = r#"permit (principal, action, resource) when { principal.roles.contains("sales") };"#;
    std::fs::write(folder.path().join("orders.cedar"), policy).unwrap();
    let output = run(folder.path(), &["test", "tests/orders.yaml"], b"");
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(out(&output).ends_with("3 passed, 0 failed\n"), "{output:?}");
}

#[test]
fn what_is_not_as_expected_is_shown_beside_what_was() {
    let folder = folder(WRONG);
    let output = run(folder.path(), &["test", "tests/orders.yaml"], b"");
    assert_eq!(code(&output), 1, "{output:?}");
    let text = out(&output);
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    let lines: Vec<_> = text.lines().map(words).collect();
    assert_eq!(
        lines,
        [
            "tests/orders.yaml: backend orders",
            "name expected got",
            "ok as expected allow allow",
            "FAIL another reason deny route.unknown deny scope.missing",
            "- deny route.unknown",
            "+ deny scope.missing",
            "at tests/orders.yaml:8",
            "FAIL denied after all allow deny token.claim_missing",
            "- allow",
            "+ deny token.claim_missing: the claim `sub` is missing",
            "at tests/orders.yaml:13",
            "FAIL another context allow allow",
            r#"- context.roles: "[\"admin\"]""#,
            r#"+ context.roles: "[\"sales\"]""#,
            r#"+ context.sub: "somebody""#,
            "at tests/orders.yaml:17",
            "1 passed, 3 failed",
        ]
    );

    let (exit, results) = json(folder.path(), &["tests/orders.yaml"]);
    assert_eq!((exit, &results["passed"], &results["failed"]), (1, &json!(1), &json!(3)));
    let tests = results["files"][0]["tests"].as_array().unwrap();
    assert_eq!(tests.iter().map(|test| test["ok"] == true).collect::<Vec<_>>(), [true, false, false, false]);
    assert_eq!(tests[1]["expected"], json!({ "decision": "deny", "reason": "route.unknown" }));
    assert_eq!(tests[1]["got"], json!({ "decision": "deny", "reason": "scope.missing" }));
    assert_eq!(tests[2]["detail"], "the claim `sub` is missing");
    assert_eq!(tests[3]["got"]["context"], json!({ "roles": "[\"sales\"]", "sub": "somebody" }));
}

#[test]
fn the_configuration_of_the_command_line_goes_before_the_files() {
    let folder = folder(&EVERYTHING.replace("config: ../drawbridge.yaml\n", ""));
    assert_eq!(json(folder.path(), &["tests/orders.yaml"]).0, 3);
    assert_eq!(json(folder.path(), &["tests/orders.yaml", "--config", "drawbridge.yaml"]).0, 0);
    std::fs::write(
        folder.path().join("other.yaml"),
        CONFIG.replace("/customers/{customer}", "/clients/{customer}"),
    )
    .unwrap();
    let (exit, results) = json(folder.path(), &["tests/orders.yaml", "--config", "other.yaml"]);
    assert_eq!(exit, 1, "{results:#}");
}

#[test]
fn every_mistake_of_every_file_has_its_place() {
    let folder = folder(MISTAKES);
    std::fs::write(
        folder.path().join("tests/empty.yaml"),
        "config: ../drawbridge.yaml\nbackend: billing\ntests: []\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("tests/config.yaml"), WRONG.replace("../drawbridge", "../broken"))
        .unwrap();
    std::fs::write(folder.path().join("broken.yaml"), CONFIG.replace("ES256", "HS256")).unwrap();
    let files = ["tests/orders.yaml", "tests/empty.yaml", "tests/config.yaml", "tests/missing.yaml"];
    let output = run(folder.path(), &[&["test"], &files[..]].concat(), b"");
    assert_eq!(code(&output), 3, "{output:?}");
    assert_eq!(out(&output), "", "nothing was run");
    let text = err(&output);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("drawbridge: the tests cannot be run:"));
    for expected in [
        "tests/orders.yaml:3:1: tets: unknown field `tets`; did you mean `tests`?",
        "tests/orders.yaml:6:5: tests[0].claim: unknown field `claim`; did you mean `claims`?",
        "tests/orders.yaml:7:16: tests[0].request.method: is empty; write ",
        "tests/orders.yaml:7:34: tests[0].request.source_ip: `here` is no address; write ",
        "tests/orders.yaml:8:5: tests[0].decision: `permit` is none of `allow`, `deny`",
        "tests/orders.yaml:9:5: tests[1]: `reason` is missing; write why it is denied",
        "tests/orders.yaml:15:5: tests[2].reason: is that of a deny; leave it out, or write ",
        "tests/orders.yaml:16:5: tests[2].token: is used as it is written, ",
        "tests/orders.yaml:19:37: tests[3].request.client_certificate: is no certificate; write ",
        "tests/orders.yaml:19:71: tests[3].request.headers.a b: `a b` is no name of a header",
        "tests/orders.yaml:21:5: tests[3].reason: is that of an allow; write why it is denied",
        "tests/orders.yaml:22:5: tests[3].context: is what a backend is told of an allowed request; ",
        "tests/empty.yaml:2:1: backend: `billing` is no backend; the configuration has `orders`",
        "tests/empty.yaml:3:1: tests: is empty; write at least one test",
        "tests/config.yaml:1:1: config: `tests/../broken.yaml` cannot be used; see its own mistakes",
        "tests/../broken.yaml:5:5: issuers.edge.algorithms: `HS256` is symmetric",
        "tests/missing.yaml: cannot be read: ",
    ] {
        let line = lines.next().unwrap_or_default();
        assert!(line.starts_with(expected), "{expected}\n{line}");
    }
    assert_eq!(lines.next(), None);

    let (exit, told) = json(folder.path(), &files);
    let mistakes = told["mistakes"].as_array().unwrap();
    assert_eq!((exit, mistakes.len()), (3, text.lines().count() - 1));
    assert!(mistakes.iter().all(|mistake| mistake["message"].is_string() && mistake["file"].is_string()));
}

#[test]
fn help_has_examples_and_no_file_is_a_usage_error() {
    let folder = tempfile::tempdir().unwrap();
    let help = run(folder.path(), &["test", "--help"], b"");
    assert_eq!(code(&help), 0);
    assert!(out(&help).contains("Examples:") && out(&help).contains("reason: scope.missing"));
    assert_eq!(code(&run(folder.path(), &["test"], b"")), 3);
}

const EVERYTHING: &str = r#"
config: ../drawbridge.yaml
backend: orders
tests:
  - name: defaults are right
    claims: { scope: "customers:read" }
    request: { method: GET, uri: /customers/42 }
    decision: allow
  - name: null takes a claim out
    claims: { iss: null, scope: "customers:read" }
    request: { method: GET, uri: /customers/42 }
    decision: deny
    reason: token.claim_missing
  - name: null takes a header member out
    header: { kid: null }
    request: { method: GET, uri: /customers/42 }
    decision: deny
    reason: token.kid_missing
  - name: another type of token
    header: { typ: at+jwt }
    request: { method: GET, uri: /customers/42 }
    decision: deny
    reason: token.type_not_allowed
  - name: a key that there is not
    header: { kid: orders.sig.other }
    request: { method: GET, uri: /customers/42 }
    decision: deny
    reason: key.unknown
  - name: the moment is that of the test
    at: 2026-01-01T00:00:00Z
    claims: { iat: 1767225600, exp: 1767225660, scope: "customers:read" }
    request: { method: GET, uri: /customers/42 }
    decision: allow
  - name: and in seconds
    at: 1767229200
    claims: { iat: 1767225600, exp: 1767225660 }
    request: { method: GET, uri: /customers/42 }
    decision: deny
    reason: token.expired
  - name: no token
    token: none
    request: { method: GET, uri: /customers/42 }
    decision: deny
    reason: credentials.missing
  - name: a token that is none
    token: a.b.c
    request: { method: GET, uri: /customers/42 }
    decision: deny
    reason: token.malformed
  - name: a header of the request
    claims: { scope: "customers:read" }
    request: { method: POST, uri: /customers/42, headers: { X-HTTP-Method-Override: GET, accept: [a, b] } }
    decision: deny
    reason: request.method_override
  - name: two tokens
    request: { method: GET, uri: /customers/42, headers: { authorization: Bearer a } }
    decision: deny
    reason: credentials.ambiguous
  - name: where it comes from
    claims: { scope: "customers:read" }
    request: { method: GET, uri: /customers/42, source_ip: "2001:db8::1" }
    decision: allow
    reason: allowed
    context: { sub: somebody }
"#;

const POLICIES: &str = r#"
config: ../drawbridge.yaml
backend: orders
tests:
  - name: the policy permits
    claims: { scope: "customers:read", roles: [sales] }
    request: { method: GET, uri: /customers/42 }
    decision: allow
  - name: the policy does not permit
    claims: { scope: "customers:read", roles: [support] }
    request: { method: GET, uri: /customers/42 }
    decision: deny
    reason: policy.denied
  - name: the policy cannot be evaluated
    claims: { scope: "customers:read" }
    request: { method: GET, uri: /customers/42 }
    decision: deny
    reason: policy.error
"#;

const WRONG: &str = r#"config: ../drawbridge.yaml
backend: orders
tests:
  - name: as expected
    claims: { scope: "customers:read" }
    request: { method: GET, uri: /customers/42 }
    decision: allow
  - name: another reason
    claims: { scope: "customers:write" }
    request: { method: GET, uri: /customers/42 }
    decision: deny
    reason: route.unknown
  - name: denied after all
    claims: { sub: null }
    request: { method: GET, uri: /customers/42 }
    decision: allow
  - name: another context
    claims: { scope: "customers:read", roles: [sales] }
    request: { method: GET, uri: /customers/42 }
    decision: allow
    context: { roles: [admin] }
"#;

const MISTAKES: &str = r#"config: ../drawbridge.yaml
backend: orders
tets: []
tests:
  - name: a
    claim: { sub: alice }
    request: { method: , uri: /, source_ip: here }
    decision: permit
  - name: b
    request: { method: GET, uri: / }
    decision: deny
  - name: c
    request: { method: GET, uri: / }
    decision: allow
    reason: scope.missing
    token: none
    claims: {}
  - name: d
    request: { method: GET, uri: /, client_certificate: x, headers: { "a b": c } }
    decision: deny
    reason: allowed
    context: {}
"#;
