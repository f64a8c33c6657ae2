//! The handler as the Functions host meets it: started with its environment, asked over HTTP.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test")]

mod support;

use std::net::{Ipv4Addr, TcpListener};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use support::{CONFIG, Fixed, Handler, free_port};

#[tokio::test]
async fn both_forms_give_the_same_decision() {
    let handler = Handler::start(&[]).await;
    let good = format!("Bearer {}", handler.token("billing", "invoices:read").await);
    let narrow = format!("Bearer {}", handler.token("billing", "other").await);
    let foreign = format!("Bearer {}", handler.token("orders", "invoices:read").await);
    for (headers, expected) in [
        (&[("Authorization", good.as_str())][..], 200),
        (&[("aUTHORIZATION", &good)], 200),
        (&[], 401),
        (&[("Authorization", "Bearer a.b.c")], 401),
        (&[("Authorization", &foreign)], 401),
        (&[("Authorization", &narrow)], 403),
        (&[("Authorization", &good), ("authorization", &good)], 400),
        (&[("Authorization", &good), ("X-HTTP-Method-Override", "DELETE")], 400),
        (&[("X-Bridged-Token", &good)], 401),
    ] {
        for (method, target, status) in [
            ("GET", "/invoices/7?full=1", expected),
            ("DELETE", "/invoices/7", if expected == 200 { 403 } else { expected }),
            ("GET", "/invoices/../7", if expected == 200 { 400 } else { 0 }),
        ] {
            let mut headers = headers.to_vec();
            headers.extend([("X-Original-Method", method), ("X-Original-URI", target)]);
            let forwarded = handler.get("/api/authorize", &headers).await;
            let invoked = handler.invoke("authorize", "https://app.example/api/authorize", &headers).await;
            assert_eq!(forwarded.status, invoked.status, "{method} {target} {headers:?}");
            if status != 0 {
                assert_eq!(forwarded.status, status, "{method} {target} {headers:?}");
            }
            for answer in [forwarded, invoked] {
                if answer.status == 200 {
                    assert_eq!(
                        (&answer.headers["x-drawbridge-sub"], answer.body.as_str()),
                        (&"alice".parse().unwrap(), "")
                    );
                } else {
                    assert_eq!(answer.headers["content-type"], "application/problem+json");
                    assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap()["status"], answer.status);
                    assert!(answer.headers.contains_key("www-authenticate") || answer.status != 401);
                    assert!(!answer.headers.contains_key("x-drawbridge-sub"));
                }
            }
        }
    }
}

#[tokio::test]
async fn a_request_that_nobody_describes_is_refused() {
    let handler = Handler::start(&[]).await;
    let token = format!("Bearer {}", handler.token("billing", "invoices:read").await);
    let token = ("Authorization", token.as_str());
    let (method, uri) = (("X-Original-Method", "GET"), ("X-Original-URI", "/invoices/7"));
    for headers in [
        &[token][..],
        &[token, method],
        &[token, uri],
        &[token, method, uri, uri],
        &[token, method, method, uri],
    ] {
        assert_eq!(handler.get("/api/authorize", headers).await.status, 400, "{headers:?}");
        let invoked = handler.invoke("authorize", "https://app.example/api/authorize", headers).await;
        assert_eq!(invoked.status, 400, "{headers:?}");
    }
    for other in
        [[("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/invoices/7"), token], [method, uri, token]]
    {
        assert_eq!(handler.get("/api/authorize", &other).await.status, 200, "{other:?}");
    }
}

#[tokio::test]
async fn where_another_header_carries_the_credentials_authorization_is_not_read() {
    let handler = Handler::start(&[("DRAWBRIDGE_CREDENTIALS_HEADER", "X-Bridged-Token")]).await;
    let token = format!("Bearer {}", handler.token("billing", "invoices:read").await);
    for (headers, expected) in [
        (&[("X-Bridged-Token", token.as_str())][..], 200),
        (&[("X-Bridged-Token", &token), ("Authorization", "Bearer of-the-gateway")], 200),
        (&[("Authorization", &token)], 401),
        (&[("X-Bridged-Token", &token), ("x-bridged-token", &token)], 400),
        (&[("X-Bridged-Token", "Bearer a.b.c"), ("Authorization", &token)], 401),
    ] {
        let mut headers = headers.to_vec();
        headers.extend([("X-Original-Method", "GET"), ("X-Original-URI", "/invoices/7")]);
        assert_eq!(handler.get("/api/authorize", &headers).await.status, expected, "{headers:?}");
        let invoked = handler.invoke("authorize", "https://app.example/api/authorize", &headers).await;
        assert_eq!(invoked.status, expected, "{headers:?}");
    }
}

#[tokio::test]
async fn a_bound_token_passes_with_its_certificate_in_the_configured_header_alone() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate =
        |name: &str| rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
    let (ours, other) = (certificate("ours"), certificate("other"));
    let base64 = BASE64_STANDARD.encode(ours.der());
    let base64_of_other = BASE64_STANDARD.encode(other.der());
    let on_one_line = ours.pem().replace(['\r', '\n'], " ");
    let joined = format!("{base64},{base64}");
    let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, ours.der()));
    let bound = json!({ "cnf": { "x5t#S256": thumbprint } });

    let on = Handler::start(&[("DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER", "X-ARR-ClientCert")]).await;
    let off = Handler::start(&[]).await;
    for (certificates, expected) in [
        (&[("X-ARR-ClientCert", base64.as_str())][..], 200),
        (&[("x-arr-clientcert", &base64), ("X-Client-Cert", &base64_of_other)], 200),
        (&[], 401),
        (&[("X-ARR-ClientCert", "")], 401),
        (&[("X-ARR-ClientCert", &base64_of_other)], 401),
        (&[("X-Client-Cert", &base64)], 401),
        (&[("X-ARR-ClientCert", &base64), ("X-ARR-ClientCert", &base64)], 401),
        (&[("X-ARR-ClientCert", &joined)], 401),
        (&[("X-ARR-ClientCert", &on_one_line)], 401),
    ] {
        for (handler, expected) in [(&on, expected), (&off, 401)] {
            let token = handler.token_with("billing", "invoices:read", &bound).await;
            let token = format!("Bearer {token}");
            let mut headers = certificates.to_vec();
            headers.extend([
                ("Authorization", token.as_str()),
                ("X-Original-Method", "GET"),
                ("X-Original-URI", "/invoices/7"),
            ]);
            assert_eq!(handler.get("/api/authorize", &headers).await.status, expected, "{certificates:?}");
            let invoked = handler.invoke("authorize", "https://app.example/api/authorize", &headers).await;
            assert_eq!(invoked.status, expected, "{certificates:?}");
        }
    }
}

#[tokio::test]
async fn one_key_is_published_and_nothing_else() {
    let handler = Handler::start(&[]).await;
    let kid = handler.kid("billing").await;
    let path = format!("/api/jwks/billing/{kid}");
    let found = handler.get(&path, &[]).await;
    assert_eq!(
        (found.status, &found.headers["content-type"]),
        (200, &"application/jwk-set+json".parse().unwrap())
    );
    let set: Value = serde_json::from_str(&found.body).unwrap();
    assert_eq!((set["keys"].as_array().unwrap().len(), &set["keys"][0]["kid"]), (1, &kid.as_str().into()));
    assert_eq!(set["keys"][0].get("d"), None);
    let invoked = handler.invoke("jwks", &format!("https://app.example{path}"), &[]).await;
    assert_eq!((invoked.status, &invoked.body), (200, &found.body));
    let tag = found.headers["etag"].to_str().unwrap();
    assert_eq!(handler.get(&path, &[("If-None-Match", tag)]).await.status, 304);
    for path in [
        "/api/jwks/billing/billing.sig.none",
        "/api/jwks/orders/billing.sig.1",
        "/api/jwks/billing/",
        "/api/jwks/..",
    ] {
        assert_eq!(handler.get(path, &[]).await.status, 404, "{path}");
        assert_eq!(
            handler.invoke("jwks", &format!("https://app.example{path}"), &[]).await.status,
            404,
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_invocation_is_always_a_success_and_what_is_not_of_its_form_a_deny_inside() {
    let handler = Handler::start(&[]).await;
    let large = json!({ "Data": { "req": { "Body": "x".repeat(512 * 1024) } } }).to_string();
    for body in ["", "{}", "null", "<html>", r#"{"Data":{"req":"{}"}}"#, &"[".repeat(100_000), &large] {
        let answer = handler.post("/authorize", body).await;
        assert_eq!(answer.status, 200);
        let outputs: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(outputs["Outputs"]["res"]["statusCode"], 400);
    }
    // An address that is none is a failed invocation, which the host makes a 500 of.
    assert_eq!(handler.post("/unknown", "{}").await.status, 404);
}

#[tokio::test]
async fn the_root_answers_at_once_and_everything_else_is_unknown() {
    let handler = Handler::start(&[]).await;
    let root = handler.get("/", &[]).await;
    assert_eq!((root.status, root.body.as_str()), (200, ""));
    for path in ["/api", "/api/", "/authorize", "/jwks", "/api/authorize/", "/api/jwks", "/admin", "//"] {
        assert_eq!(handler.get(path, &[]).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_hosts_invocation_id_is_the_requests_id_in_the_audit_log() {
    let handler = Handler::start(&[]).await;
    let host = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let ids = format!("of-the-client, {host}");
    handler.get("/api/authorize", &[("X-Azure-Functions-InvocationId", &ids)]).await;
    handler
        .get(
            "/api/authorize",
            &[
                ("X-Azure-Functions-InvocationId", &ids),
                ("X-Original-Method", "GET"),
                ("X-Original-URI", "/invoices/7"),
            ],
        )
        .await;
    let log = std::fs::read_to_string(handler.folder.path().join("audit.log")).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    for line in lines {
        assert!(line.contains(host) && !line.contains("of-the-client"), "{line}");
    }
}

#[tokio::test]
async fn too_much_is_refused_without_harm() {
    let handler = Handler::start(&[]).await;
    let value = "a".repeat(400 * 1024);
    assert_eq!(handler.get("/api/authorize", &[("X-Large", &value)]).await.status, 431);
    let many: Vec<(String, &str)> = (0..300).map(|number| (format!("X-H{number}"), "v")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(handler.get("/api/authorize", &many).await.status, 431);
    assert_eq!(handler.post("/api/authorize", &value).await.status, 413);
    assert_eq!(handler.get("/", &[]).await.status, 200);
}

#[tokio::test]
async fn what_keeps_it_from_starting_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("drawbridge.yaml");
    std::fs::write(&file, CONFIG).unwrap();
    let file = file.to_str().unwrap();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let taken = taken.local_addr().unwrap().port().to_string();
    let [free, other] = [free_port().to_string(), free_port().to_string()];
    for (port, backend, config, expected) in [
        (None, "billing", file, "FUNCTIONS_CUSTOMHANDLER_PORT is not set"),
        (Some(taken.as_str()), "billing", file, "is it in use?"),
        (Some(&free), "nobody", file, "nobody"),
        (Some(&other), "billing", "/nowhere/drawbridge.yaml", "/nowhere/drawbridge.yaml"),
    ] {
        let mut environment = Fixed::default();
        environment.0.extend(port.map(|port| ("FUNCTIONS_CUSTOMHANDLER_PORT".to_owned(), port.to_owned())));
        environment.0.insert("DRAWBRIDGE_BACKEND".to_owned(), backend.to_owned());
        environment.0.insert("DRAWBRIDGE_CONFIG".to_owned(), config.to_owned());
        let error = drawbridge_azure_functions::run(&environment).await.unwrap_err().to_string();
        assert!(error.contains(expected) && error.lines().count() == 1, "{error}");
    }
}
