//! `drawbridge explain` as an operator runs it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_config::Store;
use drawbridge_gate::{Check, open_directory};
use drawbridge_keys::KeyAlgorithm;
use drawbridge_verify::{
    KeyType, KeyUse,
    jwe::{ContentEncryption, EncryptionKey},
};
use serde_json::{Value, json};
use support::{CONFIG, NOW, code, err, folder, out, request, run, token};

const EXPLAIN: [&str; 5] = ["explain", "--config", "drawbridge.yaml", "--at", "1767225600"];

/// What is explained of a request or a token on stdin: the exit code, the JSON, and all that was printed.
fn explain(folder: &Path, option: &str, stdin: &str) -> (i32, Value, String) {
    let arguments = [&EXPLAIN[..], &[option, "-", "--format", "json"]].concat();
    let output = run(folder, &arguments, stdin.as_bytes());
    let json = serde_json::from_str(&out(&output)).unwrap_or_else(|_| panic!("{output:?}"));
    (code(&output), json, out(&output) + &err(&output))
}

/// The checks with a result, by name.
fn checks<'a>(explained: &'a Value, result: &str) -> Vec<&'a str> {
    let rows = explained["checks"].as_array().unwrap().iter();
    rows.filter(|row| row["result"] == result).map(|row| row["check"].as_str().unwrap()).collect()
}

fn row<'a>(explained: &'a Value, check: &str) -> &'a Value {
    explained["checks"].as_array().unwrap().iter().find(|row| row["check"] == check).unwrap()
}

#[test]
fn every_check_is_there_in_order_and_an_allowed_request_held_them_all() {
    let folder = folder();
    let token = token(folder.path(), &json!({}));
    let (exit, explained, printed) =
        explain(folder.path(), "--request", &request(&json!(1), "/customers/42", &token));
    assert_eq!(exit, 0, "{printed}");
    assert_eq!(
        (&explained["decision"], &explained["reason"], &explained["status"]),
        (&json!("allow"), &json!("allowed"), &json!(200))
    );
    assert_eq!((&explained["backend"], &explained["at"]), (&json!("orders"), &json!(NOW)));
    let names: Vec<_> =
        explained["checks"].as_array().unwrap().iter().map(|row| row["check"].as_str().unwrap()).collect();
    assert_eq!(names, Check::ALL.iter().map(|check| check.name()).collect::<Vec<_>>());
    assert_eq!(checks(&explained, "not reached"), ["record"]);
    assert_eq!(checks(&explained, "failed"), [""; 0]);
    let size = format!("{} bytes", token.len());
    let table = [
        ("request.path", Some("13 bytes"), None),
        ("token.size", Some(size.as_str()), Some("16384 bytes")),
        ("header.alg", Some("ES256"), Some("ES256")),
        ("header.typ", Some("bridged+jwt"), Some("bridged+jwt")),
        ("key.owner", Some("orders.sig"), Some("orders.sig")),
        ("key.source", Some("store local"), None),
        ("claims.iss", Some("`https://edge.example.com`"), Some("https://edge.example.com")),
        ("claims.aud", Some("`orders`"), Some("orders")),
        ("claims.lifetime", Some("120 s"), Some("300 s")),
        ("claims.exp", Some("1767225720, in 120 s"), Some("skew 30 s")),
        ("claims.sub", Some("`alice`"), None),
        (
            "request.identity",
            Some("0 headers"),
            Some(
                "x-drawbridge-backend, x-drawbridge-request-id, x-drawbridge-roles, x-drawbridge-sub, x-drawbridge-target, x-drawbridge-txn",
            ),
        ),
        ("sender", Some("not bound, no client certificate"), Some("bound or not")),
        ("route", Some("GET /customers/{customer}"), None),
        ("route.scopes", Some("`customers:read`"), Some("customers:read")),
        ("route.policy", None, Some("not asked")),
        ("context", Some("22 bytes"), Some("4096 bytes of sub, roles")),
    ];
    for (check, value, limit) in table {
        let row = row(&explained, check);
        assert_eq!((row["value"].as_str(), row["limit"].as_str()), (value, limit), "{row}");
    }
    assert!(!printed.contains(&token), "{printed}");
}

#[test]
fn the_first_check_that_fails_divides_what_held_from_what_was_not_reached() {
    let folder = folder();
    let of = |changes: Value| token(folder.path(), &changes);
    let get = |target: &str, token: &str| request(&json!(1), target, token);
    let right = of(json!({}));
    let table = [
        ("credentials", "credentials.scheme", get("/customers/42", "a").replace("Bearer", "Basic")),
        ("token.form", "token.malformed", get("/customers/42", "a.b")),
        ("header.kid", "token.kid_malformed", get("/customers/42", &headed("a b", &right))),
        ("key.owner", "key.foreign", get("/customers/42", &headed("billing.sig.1", &right))),
        ("key.known", "key.unknown", get("/customers/42", &headed("orders.sig.1", &right))),
        ("token.signature", "token.signature_invalid", get("/customers/42", &forged(&right))),
        ("claims.aud", "token.audience_mismatch", get("/customers/42", &of(json!({ "aud": "billing" })))),
        (
            "claims.exp",
            "token.expired",
            get("/customers/42", &of(json!({ "iat": NOW - 120, "exp": NOW - 60 }))),
        ),
        ("claims.jti", "token.claims_malformed", get("/customers/42", &of(json!({ "jti": 1 })))),
        ("sender", "sender.unsupported", get("/customers/42", &of(json!({ "cnf": { "jkt": "a" } })))),
        ("route", "route.unknown", get("/nowhere", &right)),
        ("route.scopes", "scope.missing", get("/customers/42", &of(json!({ "scope": "other" })))),
    ];
    let all: Vec<_> = Check::ALL.iter().map(|check| check.name()).collect();
    for (check, reason, request) in table {
        let (exit, explained, printed) = explain(folder.path(), "--request", &request);
        assert_eq!(exit, 2, "{check}: {printed}");
        assert_eq!(
            (&explained["decision"], &explained["reason"]),
            (&json!("deny"), &json!(reason)),
            "{check}"
        );
        assert_eq!(checks(&explained, "failed"), [check], "{printed}");
        let (held, rest) = all.split_at(all.iter().position(|name| *name == check).unwrap());
        assert_eq!(checks(&explained, "held"), held, "{check}");
        assert_eq!(checks(&explained, "not reached"), &rest[1..], "{check}");
    }
    let (_, explained, _) =
        explain(folder.path(), "--token", &of(json!({ "iat": NOW - 120, "exp": NOW - 60 })));
    let row = row(&explained, "claims.exp");
    assert_eq!((&row["value"], &row["limit"]), (&json!("1767225540, 60 s ago"), &json!("skew 30 s")));
}

#[test]
fn nothing_of_a_token_is_shown_that_was_not_verified() {
    let folder = folder();
    let claims = json!({ "sub": "mallory", "scope": "everything", "roles": ["emperor"] });
    let token = forged(&token(folder.path(), &claims));
    let odd =
        format!("{}.e30.e30", encoded(r#"{"alg":"ES256\u001b[2J","typ":"<script>","kid":"../passwd"}"#));
    for format in ["human", "json"] {
        for (token, reason) in [(&token, "token.signature_invalid"), (&odd, "token.alg_not_allowed")] {
            let arguments = [&EXPLAIN[..], &["--token", "-", "--format", format]].concat();
            let output = run(folder.path(), &arguments, token.as_bytes());
            assert_eq!(code(&output), 2);
            let printed = out(&output) + &err(&output);
            assert!(printed.contains(reason), "{printed}");
            for secret in ["mallory", "everything", "emperor", "script", "passwd", "\u{1b}", "[2J"]
                .iter()
                .copied()
                .chain(token.split('.'))
            {
                assert!(secret == "e30" || !printed.contains(secret), "{secret:?} in {printed}");
            }
        }
    }
}

#[test]
fn of_an_encrypted_token_the_envelope_is_shown_and_what_was_verified_inside() {
    let folder = folder();
    let config = CONFIG.replace("    store: local\n", "    store: local\n    encryption: required\n");
    std::fs::write(folder.path().join("drawbridge.yaml"), config).unwrap();
    let inside = token(folder.path(), &json!({}));
    let (kid, sealed) = sealed(folder.path(), &inside);

    let (exit, explained, printed) = explain(folder.path(), "--token", &sealed);
    assert_eq!(exit, 0, "{printed}");
    let envelope = row(&explained, "token.decryption");
    let expected = format!("alg ECDH-ES+A256KW, enc A256GCM, kid {kid}");
    assert_eq!((&envelope["value"], &envelope["limit"]), (&json!(expected), &json!("required")));
    assert_eq!(row(&explained, "header.alg")["value"], Value::Null);
    assert!(row(&explained, "header.kid")["value"].as_str().unwrap().starts_with("orders.sig."));
    assert_eq!(row(&explained, "claims.sub")["value"], "`alice`");

    let another = sealed.replacen('.', ".A", 1);
    for (check, token) in [("token.decryption", another), ("token.encryption", inside)] {
        let (exit, explained, printed) = explain(folder.path(), "--token", &token);
        assert_eq!((exit, checks(&explained, "failed")), (2, vec![check]), "{printed}");
        assert!(!printed.contains("alice"), "{printed}");
    }
}

#[test]
fn a_token_alone_is_checked_up_to_who_sends_it() {
    let folder = folder();
    let token = token(folder.path(), &json!({ "scope": "" }));
    let (exit, explained, printed) = explain(folder.path(), "--token", &format!("{token}\n"));
    assert_eq!(exit, 0, "{printed}");
    let unasked =
        ["request.method", "request.path", "route", "route.scopes", "route.policy", "context", "record"];
    assert_eq!(checks(&explained, "not reached"), unasked);
    assert_eq!(row(&explained, "claims.sub")["value"], "`alice`");
    assert_eq!(row(&explained, "route")["value"], "no request");

    // The same with a request that it goes into, and with the token as an argument.
    let request = r#"{"method":"GET","uri":"/customers/42","headers":{}}"#;
    let arguments = [&EXPLAIN[..], &["--request", request, "--token", &token, "--format", "json"]].concat();
    let output = run(folder.path(), &arguments, b"");
    let explained: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!((code(&output), checks(&explained, "failed")), (2, vec!["route.scopes"]));
}

#[test]
fn for_people_it_is_a_table_and_a_verdict() {
    let folder = folder();
    let token = token(folder.path(), &json!({ "jti": 1 }));
    let output = run(folder.path(), &[&EXPLAIN[..], &["--token", "-"]].concat(), token.as_bytes());
    assert_eq!(code(&output), 2);
    let text = out(&output);
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    let lines: Vec<_> = text.lines().map(words).collect();
    assert_eq!(lines[0], "backend orders, at 2026-01-01T00:00:00Z (1767225600)");
    for line in [
        "held header.alg ES256 ES256",
        "held claims.sub `alice` -",
        "failed claims.jti `1` required",
        "not reached claims.client_id - optional",
    ] {
        assert!(lines.iter().any(|have| have == line), "{line} in {text}");
    }
    let verdict = &lines[lines.len() - 3..];
    assert!(verdict[0].starts_with("denied: token.claims_malformed (401): "), "{text}");
    assert_eq!(verdict[1], "claims.jti: text, and there where it must be");
    assert_eq!(verdict[2], "the claims are malformed: jti");
}

#[test]
fn what_cannot_be_explained_ends_with_3() {
    let folder = folder();
    let token = token(folder.path(), &json!({}));
    std::fs::write(folder.path().join("broken.yaml"), CONFIG.replace("issuers", "issuer")).unwrap();
    let with_token = request(&json!(1), "/customers/42", &token);
    let table: [(&[&str], &str); 7] = [
        (&["explain", "--config", "drawbridge.yaml"], "--token"),
        (&["explain", "--config", "missing.yaml", "--token", "a"], "missing.yaml"),
        (&["explain", "--config", "broken.yaml", "--token", "a"], "broken.yaml:1:1: "),
        (&["explain", "--config", "drawbridge.yaml", "--backend", "nobody", "--token", "a"], "`orders`"),
        (&["explain", "--config", "drawbridge.yaml", "--request", "{}"], "decide --help"),
        (&["explain", "--config", "drawbridge.yaml", "--request", "-", "--token", "-"], "only one of"),
        (
            &["explain", "--config", "drawbridge.yaml", "--request", &with_token, "--token", "a"],
            "leave out `--token`",
        ),
    ];
    for (arguments, said) in table {
        let output = run(folder.path(), arguments, b"");
        assert_eq!(code(&output), 3, "{arguments:?}: {output:?}");
        assert!(err(&output).contains(said), "{arguments:?}: {}", err(&output));
    }
    let help = run(folder.path(), &["explain", "--help"], b"");
    assert_eq!(code(&help), 0);
    assert!(out(&help).contains("Examples:"));
}

/// The token in an envelope for `orders`, and the kid that it is for.
fn sealed(folder: &Path, token: &str) -> (String, String) {
    let store = open_directory(&Store::Directory(folder.join("keys"))).unwrap();
    let algorithm = KeyAlgorithm::Encryption("ECDH-ES+A256KW".parse().unwrap(), KeyType::P256);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let kid = store.create(&"orders".parse().unwrap(), KeyUse::Encryption, algorithm).await.unwrap();
        let public = store.public(&kid).await.unwrap();
        let key = EncryptionKey::bind(&public, &kid.to_string(), ContentEncryption::A256Gcm).unwrap();
        (kid.to_string(), key.encrypt(token).unwrap())
    })
}

/// The token with another `kid`, which its signature is not for.
fn headed(kid: &str, token: &str) -> String {
    let header = json!({ "alg": "ES256", "typ": "bridged+jwt", "kid": kid });
    format!("{}.{}", encoded(&header.to_string()), token.split_once('.').unwrap().1)
}

/// The token with another signature.
fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let rest: String = signature.chars().skip(1).collect();
    format!("{signed}.{first}{rest}")
}

fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

#[test]
fn what_is_no_request_is_told_which_member_is_wrong_and_never_its_value() {
    let folder = folder();
    let refused = |option: &str, stdin: &str| {
        let output = run(folder.path(), &[&EXPLAIN[..], &[option, "-"]].concat(), stdin.as_bytes());
        assert_eq!(code(&output), 3, "{output:?}");
        out(&output) + &err(&output)
    };
    for (request, said) in [
        (r#"{"method":"GET","url":"/","headers":{}}"#, "unknown field `url`"),
        (r#"{"method":"GET","headers":{}}"#, "missing field `uri`"),
        (r#"{"method":"GET","method":"GET","uri":"/","headers":{}}"#, "duplicate field `method`"),
        (r#"{"method":"G T","uri":"/","headers":{}}"#, "`method` is no method"),
        (r#"{"id":[],"method":"GET","uri":"/","headers":{}}"#, "`id` is neither"),
        (r#"{"method":"GET","uri":"/","headers":"Bearer s3cret"}"#, "a value of the wrong kind at line 1"),
        ("Bearer s3cret", "not JSON at line 1"),
    ] {
        let printed = refused("--request", request);
        assert!(printed.contains(said) && printed.contains("decide --help"), "{request}: {printed}");
        assert!(!printed.contains("s3cret"), "{printed}");
    }
    let printed = refused("--token", &"a".repeat(1024 * 1024 + 1));
    assert!(printed.contains("more than 1048576 bytes"), "{printed}");
}
