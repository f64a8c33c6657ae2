//! Tokens that are of use to their sender alone: mutual TLS at the edge and at every gateway (RFC 8705).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what breaks must fail loudly"
)]

use std::{
    io::Write,
    process::{Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_tests::{
    binary::drawbridge,
    chain::Chain,
    corpus::{self, Shown, bound},
    forge::ChainForge,
    http::{Answer, send},
    tls::Client,
};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair};
use serde_json::{Value, json};

#[tokio::test]
async fn a_bound_token_passes_every_aws_gateway_with_its_certificate_and_with_no_other() {
    for authorizer in ["rest-request", "http-1.0", "http-2.0-iam", "http-2.0-simple"] {
        let chain =
            Chain::start_under_tls(&sample(&json!({ "aws": { "authorizer": authorizer } }), "aws")).await;
        every_bound_case(&chain, "aws", authorizer).await;
    }
}

#[tokio::test]
async fn a_bound_token_passes_every_azure_gateway_with_its_certificate_and_with_no_other() {
    for mode in ["forward", "proxy", "invoke"] {
        let chain = Chain::start_under_tls(&sample(&json!({ "azure": { "mode": mode } }), "azure")).await;
        every_bound_case(&chain, "azure", mode).await;
    }
}

/// `demo` is who tokens are bound to.
async fn every_bound_case(chain: &Chain, gateway: &str, kind: &str) {
    let forge = ChainForge::open(chain, "orders").await;
    let [own, other, nobody] = [Some("demo"), Some("guest"), None].map(|name| chain.client(name));
    for case in bound(&thumbprint(&own)) {
        let token = corpus::token(&forge, now(), &json!({}), &case.claims);
        let (bearer, says, escaped) =
            (format!("Bearer {token}"), own.base64(), format!(":{}:", own.base64()));
        let mut headers = vec![("authorization", bearer.as_str())];
        if case.forged {
            headers.extend([("x-arr-clientcert", says.as_str()), ("client-cert", &escaped)]);
        }
        let client = match case.shown {
            Shown::Own => &own,
            Shown::Other => &other,
            Shown::Nothing => &nobody,
        };
        let answer = client.send("GET", chain.address(gateway), "/orders/customers/42", &headers, "").await;
        let decision = chain.decision(|decision| decision["subject"] == "gate").await;
        assert_eq!(decision["reason"], case.reason, "{kind}: {}", case.name);
        assert_eq!(answer.status, if case.reason == "allowed" { 200 } else { 401 }, "{kind}: {}", case.name);
    }
}

#[tokio::test]
async fn decide_says_of_a_bound_token_what_the_gateways_say() {
    let chain = Chain::start_under_tls(&sample(&json!({}), "aws")).await;
    let forge = ChainForge::open(&chain, "orders").await;
    let now = now();
    let pem = |name: &str| std::fs::read_to_string(chain.certificates().join(name)).unwrap();
    let cases = bound(&thumbprint(&chain.client(Some("demo"))));
    let lines = cases.iter().enumerate().map(|(id, case)| {
        let token = corpus::token(&forge, now, &json!({}), &case.claims);
        let certificate = match case.shown {
            Shown::Own => Some(pem("demo.pem")),
            Shown::Other => Some(pem("guest.pem")),
            Shown::Nothing => None,
        };
        json!({
            "id": id, "method": "GET", "uri": "/customers/42", "client_certificate": certificate,
            "headers": { "authorization": [format!("Bearer {token}")] },
        })
        .to_string()
    });
    let lines: Vec<String> = lines.collect();
    let mut decide = Command::new(drawbridge())
        .args(["decide", "--at", &now.to_string(), "--config"])
        .arg(chain.effective_config())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Fewer bytes than a pipe takes.
    decide.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
    let output = decide.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let reasons: Vec<Value> =
        said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["reason"].clone()).collect();
    assert_eq!(reasons, cases.iter().map(|case| json!(case.reason)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_consumers_token_is_bound_to_the_certificate_that_it_is_asked_for_with() {
    let chain = Chain::start_under_tls(&sample(&json!({}), "aws")).await;
    let [demo, guest, nobody] = [Some("demo"), Some("guest"), None].map(|name| chain.client(name));
    let bound = token(&chain, &demo).await;
    assert_eq!(claims(&bound)["cnf"], json!({ "x5t#S256": thumbprint(&demo) }));
    let through = async |client: &Client, token: &str, more: &[(&str, &str)]| {
        let bearer = format!("Bearer {token}");
        let headers = [&[("authorization", bearer.as_str())], more].concat();
        let answer = client.send("GET", chain.address("edge"), "/orders/customers/42", &headers, "").await;
        let edge = chain.decision(|decision| decision["subject"] == "edge").await;
        (answer.status.as_u16(), edge["reason"].as_str().unwrap().to_owned())
    };
    assert_eq!(through(&demo, &bound, &[]).await, (200, "allowed".into()));
    let gate = chain.decision(|decision| decision["subject"] == "gate").await;
    assert_eq!((&gate["reason"], &gate["principal"]), (&json!("allowed"), &json!("demo")));

    // Stolen, and sent with the thief's certificate, with none, and with the owner's in a header.
    let refused = (401, "sender.mismatch".to_owned());
    let said = format!(":{}:", demo.base64());
    let forged = [("client-cert", said.as_str()), ("client_cert", &said)];
    for thief in [&guest, &nobody] {
        assert_eq!(through(thief, &bound, &[]).await, refused);
        assert_eq!(through(thief, &bound, &forged).await, refused);
    }

    // One that was asked for without a certificate is a bearer token.
    let bearer = token(&chain, &nobody).await;
    assert_eq!(claims(&bearer)["cnf"], Value::Null);
    for client in [&demo, &guest, &nobody] {
        assert_eq!(through(client, &bearer, &[]).await, (200, "allowed".into()));
    }
}

#[tokio::test]
async fn a_bridged_token_is_of_no_use_without_the_edges_certificate() {
    for (store, gateway) in [("aws", "aws"), ("azure", "azure")] {
        let chain = Chain::start_under_tls(&sample(&json!({}), store)).await;
        let [edge, demo, nobody] = [Some("edge"), Some("demo"), None].map(|name| chain.client(name));
        // The bridge is asked as an edge would ask it.
        let form = format!(
            "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&audience=orders&subject_token={}\
             &subject_token_type=urn:ietf:params:oauth:token-type:access_token",
            token(&chain, &nobody).await
        );
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = send("POST", chain.address("bridge"), "/token", &headers, &form).await;
        let stolen = answer.json()["access_token"].as_str().unwrap().to_owned();
        assert_eq!(claims(&stolen)["cnf"], json!({ "x5t#S256": thumbprint(&edge) }));
        let at = chain.address(gateway);
        assert_eq!(edge.get(at, "/orders/customers/42", Some(&stolen)).await.status, 200, "{gateway}");
        for thief in [demo, nobody] {
            assert_eq!(thief.get(at, "/orders/customers/42", Some(&stolen)).await.status, 401, "{gateway}");
        }
    }
}

#[tokio::test]
async fn what_the_authority_did_not_sign_ends_in_the_handshake_and_nothing_is_served_in_plain() {
    let chain = Chain::start_under_tls(&sample(&json!({}), "aws")).await;
    let key = KeyPair::generate().unwrap();
    let mut strange = CertificateParams::new(vec!["demo".to_owned()]).unwrap();
    strange.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let strange = strange.self_signed(&key).unwrap().der().clone();
    let strange = Client::with(&chain.certificates(), Some((strange, key.into())));
    for gateway in ["edge", "aws", "azure", "idp_mtls"] {
        let at = chain.address(gateway);
        assert!(chain.client(None).try_send("GET", at, "/", &[], "").await.is_some(), "{gateway}");
        assert!(strange.try_send("GET", at, "/", &[], "").await.is_none(), "{gateway}");
        let plain = at.strip_prefix("https://").unwrap();
        let stream = tokio::net::TcpStream::connect(plain).await.unwrap();
        let mut stream = tokio::io::BufReader::new(stream);
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await;
        assert!(!answer.starts_with(b"HTTP/"), "{gateway}: {}", String::from_utf8_lossy(&answer));
    }
    for name in ["ca.key", "authority.key"] {
        assert!(!chain.certificates().join(name).exists(), "the authority's key is nowhere");
    }
}

#[tokio::test]
async fn a_configuration_with_a_bound_backend_runs_under_mutual_tls_by_itself() {
    let config = sample(&json!({}), "aws").replace(
        "\"https://orders.example.com\"",
        "\"https://orders.example.com\", \"bound_to\": \"tls/edge.pem\"",
    );
    let chain = Chain::start_with(&config).await;
    let demo = chain.client(Some("demo"));
    let bound = token(&chain, &demo).await;
    assert_eq!(demo.get(chain.address("edge"), "/orders/customers/42", Some(&bound)).await.status, 200);
    let effective: Value = serde_json::from_slice(&std::fs::read(chain.effective_config()).unwrap()).unwrap();
    let edge = effective["backends"]["orders"]["bound_to"].as_str().unwrap();
    assert_eq!(edge, chain.certificates().join("edge.pem").to_str().unwrap());
}

#[test]
fn an_authorizer_that_is_never_told_of_certificates_is_not_started_under_mutual_tls() {
    for authorizer in ["rest-token", "websocket"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("drawbridge.yaml");
        std::fs::write(&file, sample(&json!({ "aws": { "authorizer": authorizer } }), "aws")).unwrap();
        let ended = Command::new(drawbridge())
            .args(["up", "--mtls", "--port", "0", "--state"])
            .arg(folder.path().join("state"))
            .arg("--config")
            .arg(&file)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert_eq!(ended.status.code(), Some(3), "{authorizer}");
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(
            said.contains("the tokens of `orders` are bound") && said.contains("http-2.0-simple"),
            "{said}"
        );
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

fn thumbprint(client: &Client) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, client.der()))
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// A token of `demo`, asked for by this client where the identity provider has mutual TLS.
async fn token(chain: &Chain, client: &Client) -> String {
    let form = "grant_type=client_credentials&client_id=demo&client_secret=demo&scope=customers:read";
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer: Answer = client.send("POST", chain.address("idp_mtls"), "/token", &headers, form).await;
    answer.json()["access_token"].as_str().expect("an access token").to_owned()
}

/// `orders` behind one kind of gateway.
fn sample(local: &Value, store: &str) -> String {
    json!({
        "issuers": {
            "login": {
                "issuer": "https://login.example.com", "audience": "https://api.example.com", "keys": "discovery",
                "algorithms": ["ES256"],
            },
            "edge": {
                "issuer": "https://edge.example.com",
                "keys": { "jwks": "https://keys.example.com/jwks/{backend}/{kid}" },
                "algorithms": ["ES256"], "types": ["bridged+jwt"],
            },
        },
        "stores": {
            "aws": { "secrets_manager": { "prefix": "drawbridge", "region": "eu-west-1" } },
            "azure": { "key_vault": { "url": "https://contoso-keys.vault.azure.net" } },
        },
        "backends": {
            "orders": {
                "issuer": "edge", "store": store, "upstream": "https://orders.example.com",
                "routes": [{ "path": "/customers/{customer}", "methods": ["GET"], "scopes": ["customers:read"] }],
            },
        },
        "consumers": "login",
        "local": local,
    })
    .to_string()
}
