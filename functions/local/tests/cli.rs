//! The commands as an operator runs them: what they print and how they end.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::io::{BufRead, BufReader, Write};

use serde_json::{Value, json};
use support::{CONFIG, NOW, code, drawbridge, err, folder, out, request, run, token};

const DECIDE: [&str; 5] = ["decide", "--config", "drawbridge.yaml", "--at", "1767225600"];

#[test]
fn decide_answers_every_line_in_order_and_nothing_stops_it() {
    let folder = folder();
    let right = token(folder.path(), &json!({}));
    let lines = [
        (request(&json!(1), "/customers/42", &right), "1", "allowed"),
        (request(&json!("b"), "/nowhere", &right), "\"b\"", "route.unknown"),
        ("this is no request".to_owned(), "null", "request.malformed"),
        (r#"{"id":"c"}"#.to_owned(), "\"c\"", "request.malformed"),
        (
            request(
                &json!(2),
                "/customers/42",
                &token(folder.path(), &json!({ "exp": NOW - 60, "iat": NOW - 90 })),
            ),
            "2",
            "token.expired",
        ),
        (
            request(&json!(3), "/customers/42", &token(folder.path(), &json!({ "aud": "billing" }))),
            "3",
            "token.audience_mismatch",
        ),
        (
            request(&json!(4), "/customers/42", &token(folder.path(), &json!({ "scope": "" }))),
            "4",
            "scope.missing",
        ),
        (format!("{{\"id\":5,\"x\":\"{}\"}}", "x".repeat(2 << 20)), "null", "request.malformed"),
        (String::new(), "null", "request.malformed"),
        (request(&json!(6), "/customers/42", &right), "6", "allowed"),
    ];
    let input = lines.iter().map(|(line, ..)| format!("{line}\n")).collect::<String>();
    let output = run(folder.path(), &DECIDE, input.as_bytes());
    assert_eq!(code(&output), 2, "{}", err(&output));
    let text = out(&output);
    let answers: Vec<_> = text.lines().collect();
    assert_eq!(answers.len(), lines.len(), "{text}");
    for ((_, id, reason), answer) in lines.iter().zip(answers) {
        assert!(answer.starts_with(&format!("{{\"id\":{id},")), "{answer}");
        let answer: Value = serde_json::from_str(answer).unwrap();
        assert_eq!(answer["reason"], *reason, "{answer}");
        assert_eq!(answer["decision"] == "allow", *reason == "allowed", "{answer}");
        if *reason == "allowed" {
            assert_eq!(answer["status"], 200);
            assert_eq!(answer["principal"], "alice");
            assert_eq!(answer["issuer"], "https://edge.example.com");
            assert_eq!(answer["context"], json!({ "sub": "alice", "roles": "[\"sales\"]" }));
            assert!(answer["kid"].as_str().unwrap().starts_with("orders.sig."));
        }
    }
}

#[test]
fn decide_answers_a_line_before_it_needs_the_next() {
    let folder = folder();
    let mut child = drawbridge(folder.path()).args(DECIDE).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let right = token(folder.path(), &json!({}));
    for id in 0..3 {
        writeln!(stdin, "{}", request(&json!(id), "/customers/42", &right)).unwrap();
        let answer: Value = serde_json::from_str(&stdout.next().unwrap().unwrap()).unwrap();
        assert_eq!((&answer["id"], &answer["decision"]), (&json!(id), &json!("allow")));
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn decide_without_a_usable_configuration_ends_with_3() {
    let folder = folder();
    std::fs::write(folder.path().join("broken.yaml"), "issuers: 3\n").unwrap();
    let two = CONFIG.replace("backends:\n", "backends:\n  billing: { issuer: edge, routes: [] }\n");
    std::fs::write(folder.path().join("two.yaml"), two).unwrap();
    let table: [(&[&str], &str); 6] = [
        (&["decide", "--backend", "nobody"], "`orders`"),
        (&["decide", "--config", "missing.yaml"], "missing.yaml"),
        (&["decide", "--config", "broken.yaml"], "broken.yaml:1:"),
        (&["decide", "--config", "drawbridge.yaml", "--backend", "nobody"], "`orders`"),
        (&["decide", "--config", "two.yaml"], "`billing`, `orders`"),
        (&["decide", "--config", "drawbridge.yaml", "--at", "soon"], "--at"),
    ];
    for (arguments, said) in table {
        let output = run(folder.path(), arguments, b"");
        assert_eq!(code(&output), 3, "{arguments:?}: {output:?}");
        assert!(err(&output).contains(said), "{arguments:?}: {}", err(&output));
    }
    assert_eq!(code(&run(folder.path(), &DECIDE, b"")), 0, "nothing was denied");
}

#[test]
fn check_lists_every_mistake_or_says_what_is_there() {
    let folder = folder();
    std::fs::write(
        folder.path().join("broken.yaml"),
        CONFIG.replace("ES256", "HS256").replace("audit:", "audits:"),
    )
    .unwrap();

    let valid = run(folder.path(), &["check"], b"");
    assert_eq!(code(&valid), 0);
    assert_eq!(
        out(&valid),
        "drawbridge.yaml: ok: 1 issuer, 1 store, 1 backend, 1 route\n\
         orders: authorizer policy stage-wide: one policy is right for every route, so API Gateway may cache it by token alone\n"
    );
    let valid = run(folder.path(), &["check", "--format", "json"], b"");
    assert_eq!(
        serde_json::from_str::<Value>(&out(&valid)).unwrap(),
        json!({
            "valid": true, "mistakes": [], "warnings": [],
            "backends": { "orders": {
                "authorizer_policy": "stage-wide",
                "because": "one policy is right for every route, so API Gateway may cache it by token alone",
            } },
            "owners": { "owned": {}, "unowned": [] },
        })
    );
    let valid = run(folder.path(), &["check", "-"], CONFIG.as_bytes());
    assert_eq!(code(&valid), 0, "{valid:?}");

    let broken = run(folder.path(), &["check", "broken.yaml"], b"");
    assert_eq!(code(&broken), 3);
    let text = out(&broken);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.lines().all(|line| line.starts_with("broken.yaml:")), "{text}");
    let broken = run(folder.path(), &["check", "--format", "json", "broken.yaml"], b"");
    assert_eq!(code(&broken), 3);
    let list: Value = serde_json::from_str(&out(&broken)).unwrap();
    assert_eq!(list["valid"], false);
    for mistake in list["mistakes"].as_array().unwrap() {
        assert!(
            mistake["line"].as_u64().unwrap() > 0 && mistake["column"].as_u64().unwrap() > 0,
            "{mistake}"
        );
        assert_eq!(mistake["file"], "broken.yaml");
        assert!(!mistake["message"].as_str().unwrap().is_empty());
    }
    assert_eq!(code(&run(folder.path(), &["check", "missing.yaml"], b"")), 3);

    let schema = run(folder.path(), &["check", "--schema"], b"");
    assert_eq!(code(&schema), 0);
    assert!(serde_json::from_str::<Value>(&out(&schema)).unwrap().is_object());
}

#[test]
fn check_says_which_answers_are_for_one_route_only_and_warns_where_they_would_be_remembered_for_all() {
    let folder = folder();
    let check = |more_routes: &str, local: &str| {
        let route =
            "      - { path: \"/customers/{customer}\", methods: [GET], scopes: [\"customers:read\"] }\n";
        assert!(CONFIG.contains(route));
        let config = CONFIG.replace(route, &format!("{route}{more_routes}"));
        let valid =
            run(folder.path(), &["check", "-"], format!("{config}local: {{ aws: {local} }}\n").as_bytes());
        assert_eq!(code(&valid), 0, "{valid:?}");
        out(&valid).lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let orders = "      - { path: \"/customers/{customer}/orders\", methods: [GET], scopes: [] }\n";
    let token = "{ authorizer: rest-token, cache_ttl: 5m }";

    assert_eq!(check("", token).len(), 1);
    let said = check(orders, token);
    assert_eq!(
        said[0],
        "orders: authorizer policy per route: `*` of a policy covers slashes, so that what bounds `GET /customers/{customer}` \
         would deny `GET /customers/{customer}/orders`; the route must be part of the cache key, or the cache TTL be 0"
    );
    assert!(
        said[1].starts_with("warning: local.aws.cache_ttl: ") && said[1].ends_with("write `0s`"),
        "{said:?}"
    );
    assert_eq!(check(orders, "{ authorizer: rest-token }").len(), 1);

    for (authorizer, sources, missing) in [
        ("rest-request", "", Some("`context.httpMethod`, `context.resourcePath`")),
        ("rest-request", ", context.path", Some("`context.httpMethod`")),
        ("rest-request", ", context.httpMethod", Some("`context.resourcePath`")),
        ("rest-request", ", context.httpMethod, context.path", None),
        ("rest-request", ", context.httpMethod, context.resourcePath", None),
        ("http-2.0-iam", "", Some("`$context.routeKey`")),
        ("http-2.0-iam", ", $context.httpMethod, $context.path", None),
        ("http-2.0-iam", ", $context.routeKey", None),
        ("http-1.0", ", $context.path", Some("`$context.routeKey`")),
        ("http-1.0", ", $context.routeKey", None),
        ("http-2.0-simple", "", Some("`$context.routeKey`, `$context.path`")),
        ("http-2.0-simple", ", $context.routeKey", Some("`$context.path`")),
        ("http-2.0-simple", ", $context.httpMethod", Some("`$context.path`")),
        ("http-2.0-simple", ", $context.path", Some("`$context.routeKey`")),
        ("http-2.0-simple", ", $context.routeKey, $context.path", None),
        ("http-2.0-simple", ", $context.httpMethod, $context.path", None),
    ] {
        let header = if authorizer.starts_with("rest") { "method.request.header" } else { "$request.header" };
        let local = format!(
            "{{ authorizer: {authorizer}, cache_ttl: 5m, identity_sources: [{header}.Authorization{sources}] }}"
        );
        let said = check(orders, &local);
        assert_eq!(said.len(), 1 + usize::from(missing.is_some()), "{local}: {said:?}");
        if let Some(missing) = missing {
            assert!(
                said[1].contains(&format!("or add {missing} to `identity_sources`")),
                "{local}: {said:?}"
            );
        }
    }
    assert_eq!(check("", "{ authorizer: http-2.0-simple, cache_ttl: 5m }").len(), 2);
}

#[test]
fn check_warns_where_a_remembered_answer_would_not_look_at_who_sends_a_token() {
    let folder = folder();
    let check = |local: &str| {
        let config = CONFIG.replace("    routes:\n", "    bound_to: tls/edge.pem\n    routes:\n");
        assert_ne!(config, CONFIG);
        let valid =
            run(folder.path(), &["check", "-"], format!("{config}local: {{ aws: {local} }}\n").as_bytes());
        assert_eq!(code(&valid), 0, "{valid:?}");
        out(&valid).lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let caching = "orders: authorizer policy stage-wide: one policy is right for every route, but its tokens are bound to a client \
                   certificate, which a cached answer does not look at; the cache TTL must be 0";
    assert_eq!(check("{ authorizer: http-2.0-iam }"), [caching]);
    let sources = "identity_sources: [$request.header.Authorization, $context.httpMethod, $context.path]";
    for local in [
        "authorizer: http-2.0-iam",
        "authorizer: rest-request",
        &format!("authorizer: http-2.0-simple, {sources}"),
    ] {
        let said = check(&format!("{{ {local}, cache_ttl: 5m }}"));
        assert_eq!(said[0], caching);
        assert!(
            said[1].starts_with("warning: local.aws.cache_ttl: the tokens of `orders` are bound"),
            "{said:?}"
        );
        assert!(said[1].ends_with("write `0s`"), "{said:?}");
        assert_eq!(said.len(), 2);
    }
    for blind in ["rest-token", "websocket"] {
        let said = check(&format!("{{ authorizer: {blind} }}"));
        assert!(
            said[1].starts_with("warning: local.aws.authorizer: the tokens of `orders` are bound"),
            "{said:?}"
        );
        assert!(said[1].ends_with("write another, such as `http-2.0-simple`"), "{said:?}");
    }
}

#[test]
fn check_says_who_answers_for_which_route() {
    let folder = folder();
    let route = "scopes: [\"customers:read\"] }\n";
    let more = "scopes: [\"customers:read\"], owner: team-customers }\n      - { path: /health, methods: [GET, HEAD], scopes: [] }\n";
    let config = CONFIG.replace(route, more);
    let valid = run(folder.path(), &["check", "-"], config.as_bytes());
    let said = out(&valid);
    assert!(said.contains("\nowner team-customers: orders GET /customers/{customer}\n"), "{said}");
    assert!(said.contains("\nwithout an owner: orders GET,HEAD /health\n"), "{said}");
    let valid = run(folder.path(), &["check", "-", "--format", "json"], config.as_bytes());
    let owners = serde_json::from_str::<Value>(&out(&valid)).unwrap()["owners"].clone();
    assert_eq!(
        owners,
        json!({ "owned": { "team-customers": ["orders GET /customers/{customer}"] }, "unowned": ["orders GET,HEAD /health"] })
    );
}

#[test]
fn keys_are_made_rotated_shown_and_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let keys = |arguments: &[&str]| {
        let all = [&["keys"], arguments, &["--directory", "store", "--format", "json"]].concat();
        let output = run(folder.path(), &all, b"");
        (code(&output), serde_json::from_str::<Value>(&out(&output)).unwrap_or_default(), err(&output))
    };
    assert_eq!(keys(&["list"]).0, 1, "a folder that is not there is no empty store");
    let (exit, created, _) = keys(&["create", "--backend", "orders", "--alg", "EdDSA"]);
    assert_eq!(exit, 0);
    let first = created["kid"].as_str().unwrap().to_owned();
    let (exit, _, said) = keys(&["create", "--backend", "orders"]);
    assert_eq!(exit, 1, "there is one already");
    assert!(said.contains("rotate"), "{said}");

    let (exit, rotated, _) = keys(&["rotate", "--backend", "orders"]);
    assert_eq!(exit, 0);
    let second = rotated["kid"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    let states = |list: &Value| -> Vec<(String, String)> {
        let text = |version: &Value, name: &str| version[name].as_str().unwrap().to_owned();
        list.as_array()
            .unwrap()
            .iter()
            .map(|version| (text(version, "kid"), text(version, "state")))
            .collect()
    };
    let (_, list, _) = keys(&["list", "--backend", "orders", "--use", "sig"]);
    assert_eq!(
        states(&list),
        [(second.clone(), "current".to_owned()), (first.clone(), "previous".to_owned())]
    );
    assert_eq!(list[0]["alg"], "EdDSA");

    let (exit, shown, _) = keys(&["show", &first]);
    assert_eq!((exit, &shown["kid"], &shown["d"]), (0, &json!(first), &Value::Null));
    assert_eq!(keys(&["revoke", &second]).0, 1, "the current version is in use");
    assert_eq!(keys(&["revoke", &first]).0, 0);
    assert_eq!(keys(&["show", &first]).0, 1, "it is published no more");
    assert_eq!(keys(&["rotate", "--backend", "billing"]).0, 1, "there is nothing to rotate");
}

#[test]
fn keys_to_encrypt_to_are_kept_apart_from_those_that_sign() {
    let folder = folder();
    let keys = |arguments: &[&str]| {
        let all = [&["keys"], arguments, &["--directory", "store", "--format", "json"]].concat();
        let output = run(folder.path(), &all, b"");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (code(&output), answer, err(&output))
    };
    for (backend, arguments, alg) in [
        ("billing", vec![], "ECDH-ES+A256KW"),
        ("claims", vec!["--alg", "ECDH-ES+A128KW:X25519"], "ECDH-ES+A128KW:X25519"),
        ("stock", vec!["--alg", "RSA-OAEP-256"], "RSA-OAEP-256"),
    ] {
        let create = [vec!["create", "--backend", backend, "--use", "enc"], arguments].concat();
        let (exit, created, said) = keys(&create);
        assert_eq!(exit, 0, "{said}");
        let kid = created["kid"].as_str().unwrap();
        assert!(kid.starts_with(&format!("{backend}.enc.")), "{kid}");
        let (_, shown, _) = keys(&["show", kid]);
        assert_eq!((&shown["use"], &shown["kid"]), (&json!("enc"), &json!(kid)));
        assert_eq!(shown["alg"], alg.split(':').next().unwrap(), "as it is registered");
        assert_eq!(keys(&["rotate", "--backend", backend, "--use", "enc"]).0, 0);
        let (_, list, _) = keys(&["list", "--backend", backend]);
        let algs: Vec<_> = list.as_array().unwrap().iter().map(|version| &version["alg"]).collect();
        assert_eq!(algs, [alg, alg], "a rotation keeps the curve");
        assert_eq!(keys(&["rotate", "--backend", backend]).0, 1, "it has no key that signs");
    }
    for (key_use, alg, said) in [("enc", "ES256", "ECDH-ES+A256KW"), ("sig", "RSA-OAEP", "`ES256`")] {
        let (exit, _, error) = keys(&["create", "--backend", "new", "--use", key_use, "--alg", alg]);
        assert_eq!(exit, 3);
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn keys_are_in_the_store_of_their_backend_unless_a_directory_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({
        "issuers": { "edge": {
            "issuer": "https://edge.example.com", "algorithms": ["PS256", "ES384"], "types": ["bridged+jwt"],
            "keys": { "jwks": "https://keys.example.com/jwks/{backend}/{kid}" },
        } },
        "stores": { "one": { "directory": "one" }, "two": { "directory": "two" } },
        "backends": {
            "orders": { "issuer": "edge", "store": "one", "routes": [] },
            "billing": { "issuer": "edge", "store": "two", "routes": [] },
        },
    });
    std::fs::write(folder.path().join("drawbridge.yaml"), config.to_string()).unwrap();
    for store in ["one", "two"] {
        std::fs::create_dir(folder.path().join(store)).unwrap();
    }
    let keys = |arguments: &[&str]| {
        let output = run(folder.path(), &[&["keys"], arguments].concat(), b"");
        (code(&output), out(&output), err(&output))
    };

    let (exit, created, said) = keys(&["create", "--backend", "billing"]);
    assert_eq!(exit, 0, "{said}");
    let kid = created.trim().strip_prefix("created ").unwrap();
    assert_eq!(keys(&["show", kid]).0, 0);
    assert!(keys(&["list", "--backend", "billing"]).1.contains("PS256"), "the first that its issuer has");
    assert!(keys(&["list", "--store", "two"]).1.contains(kid));
    assert_eq!(keys(&["list", "--store", "one"]).1.trim(), "no keys");
    assert_eq!(keys(&["create", "--backend", "orders", "--store", "one", "--alg", "ES384"]).0, 0);
    assert_eq!(keys(&["rotate", "--backend", "orders"]).0, 0);

    let unknown = "billing.sig.01a21f58-7e98-7623-ae21-0cb928225b48";
    for (arguments, exit, said) in [
        (&["list"][..], 3, &["name the store with `--store`: `one`, `two`"][..]),
        (&["create", "--backend", "claims"], 3, &["there is no backend `claims`", "`billing`, `orders`"]),
        (&["revoke", "claims.sig.1"], 3, &["there is no backend `claims`"]),
        (
            &["rotate", "--backend", "orders", "--store", "two"],
            3,
            &["are in `one`, not in `two`", "leave out"],
        ),
        (&["show", kid, "--store", "one"], 3, &["are in `two`, not in `one`"]),
        (
            &["create", "--backend", "orders", "--alg", "ES256"],
            3,
            &["`edge` of `orders`", "`PS256`, `ES384`"],
        ),
        (
            &["rotate", "--backend", "billing", "--use", "enc"],
            1,
            &[
                "`billing` has no key for `enc` in the store `two`",
                "keys create --config drawbridge.yaml --backend billing --use enc",
            ],
        ),
        (
            &["show", unknown],
            1,
            &["no published key", unknown, "the store `two`", "keys list", "keys create"],
        ),
    ] {
        let (code, _, error) = keys(arguments);
        assert_eq!(code, exit, "{arguments:?}: {error}");
        for said in said {
            assert!(error.contains(said), "{arguments:?}: `{said}` is not in {error}");
        }
    }
}

#[test]
fn a_broken_configuration_is_3_also_for_a_function() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("drawbridge.yaml"), "issuers: 3\n").unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for function in ["edge-bridge", "aws-authorizer", "aws-jwks", "azure"] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_drawbridge"))
            .args(["function", function])
            .current_dir(folder.path())
            .env("DRAWBRIDGE_CONFIG", "drawbridge.yaml")
            .env("DRAWBRIDGE_BACKEND", "orders")
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", free.to_string())
            .envs(
                ["RUNTIME_API", "FUNCTION_NAME", "FUNCTION_VERSION", "FUNCTION_MEMORY_SIZE"]
                    .map(|name| (format!("AWS_LAMBDA_{name}"), "127.0.0.1:9")),
            )
            .output()
            .unwrap();
        assert_eq!(code(&output), 3, "{function}: {output:?}");
        assert!(err(&output).contains("drawbridge.yaml:1:"), "{function}: {output:?}");
    }
}

#[test]
fn a_backend_that_azure_has_no_room_for_is_a_warning_of_check_and_refused_by_up() {
    let folder = folder();
    let config = json!({
        "issuers": {
            "login": {
                "issuer": "https://login.example.com", "audience": "https://api.example.com", "keys": "discovery",
                "algorithms": ["RS256"],
            },
            "edge": {
                "issuer": "https://edge.example.com", "algorithms": ["ES256"], "types": ["bridged+jwt"],
                "keys": { "jwks": "https://keys.example.com/jwks/{backend}/{kid}" },
            },
        },
        "stores": { "azure": { "key_vault": { "url": "https://contoso-keys.vault.azure.net" } } },
        "backends": { "api": {
            "issuer": "edge", "store": "azure", "upstream": "https://api.example.com", "routes": [],
        } },
        "consumers": "login",
        "local": { "aws": { "cache_ttl": "5m" } },
    });
    std::fs::write(folder.path().join("api.yaml"), config.to_string()).unwrap();
    let checked = out(&run(folder.path(), &["check", "api.yaml"], b""));
    let warnings: Vec<_> = checked.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 1, "nothing of it stands behind API Gateway: {checked}");
    assert!(warnings[0].contains("backends.api") && warnings[0].contains("another name"), "{checked}");
    let up = run(folder.path(), &["up", "--port", "0", "--config", "api.yaml"], b"");
    assert_eq!(code(&up), 3, "{up:?}");
    assert!(err(&up).contains("backend `api`") && err(&up).contains("another name"), "{up:?}");
    assert!(err(&up).contains("warning: backends.api"), "`up` says what `check` does: {up:?}");
}

#[test]
fn keys_with_wrong_arguments_end_with_3() {
    let folder = folder();
    let table: [&[&str]; 9] = [
        &["keys"],
        &["keys", "list", "--backend", "nobody"],
        &["keys", "list", "--directory", "a", "--config", "drawbridge.yaml"],
        &["keys", "list", "--config", "missing.yaml"],
        &["keys", "list", "--config", "drawbridge.yaml", "--store", "nowhere"],
        &["keys", "create", "--directory", "a", "--backend", "Not A Name"],
        &["keys", "create", "--directory", "a", "--backend", "orders", "--alg", "HS256"],
        &["keys", "show", "--directory", "a", "../../etc/passwd"],
        &["keys", "revoke", "--directory", "a", "orders.sig"],
    ];
    for arguments in table {
        let output = run(folder.path(), arguments, b"");
        assert_eq!(code(&output), 3, "{arguments:?}: {output:?}");
        assert!(!err(&output).is_empty());
    }
}

#[test]
fn help_and_version_are_no_errors_and_usage_errors_are_3() {
    let folder = tempfile::tempdir().unwrap();
    let table: [(&[&str], i32); 8] = [
        (&["--version"], 0),
        (&["--help"], 0),
        (&["decide", "--help"], 0),
        (&["serve", "--help"], 0),
        (&["function", "--help"], 0),
        (&[], 3),
        (&["nonsense"], 3),
        (&["check", "--nonsense"], 3),
    ];
    for (arguments, expected) in table {
        assert_eq!(code(&run(folder.path(), arguments, b"")), expected, "{arguments:?}");
    }
    let version = out(&run(folder.path(), &["--version"], b""));
    assert_eq!(version.trim(), concat!("drawbridge ", env!("CARGO_PKG_VERSION")));
}
