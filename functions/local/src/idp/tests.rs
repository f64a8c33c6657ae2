use std::path::Path;

use drawbridge_config::load;
use drawbridge_verify::{Algorithm, Algorithms, JwkSet, MediaType, PublicKey, Rules, Unverified};

use super::*;

/// The provider of the sample, listening.
async fn start(folder: &Path, algorithms: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let text = include_str!("../../sample/drawbridge.yaml")
        .replace("https://login.example.com", &issuer)
        .replace("keys: discovery\n", "keys: discovery\n    relax: [allow_http_on_loopback]\n")
        .replace("[RS256, ES256]", algorithms);
    let config = load(&text, "drawbridge.yaml", Path::new("sample")).unwrap();
    let idp = IdentityProvider::of(&config, folder.to_owned()).unwrap();
    tokio::spawn(idp.serve(listener));
    issuer
}

async fn ask(issuer: &str, body: &'static str) -> reqwest::Response {
    reqwest::Client::new()
        .post(format!("{issuer}/token"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn its_tokens_verify_by_the_keys_that_discovery_names() {
    let folder = tempfile::tempdir().unwrap();
    for algorithm in [
        Algorithm::RS256,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::ES512,
        Algorithm::PS384,
        Algorithm::EdDSA,
        Algorithm::Ed25519,
    ] {
        let issuer = start(folder.path(), &format!("[{algorithm}]")).await;
        let discovery: Value = reqwest::get(format!("{issuer}/.well-known/openid-configuration"))
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert_eq!(discovery["issuer"], issuer);
        let set = reqwest::get(discovery["jwks_uri"].as_str().unwrap()).await.unwrap().bytes().await.unwrap();
        let keys = JwkSet::parse(&set).unwrap().into_keys();
        let answer: Value = ask(
            &issuer,
            "grant_type=client_credentials&client_id=demo&client_secret=demo&scope=customers:read",
        )
        .await
        .json()
        .await
        .unwrap();
        let token = answer["access_token"].as_str().unwrap();

        let rules = Rules {
            issuer: issuer.clone(),
            audiences: vec!["https://api.example.com".into()],
            single_audience: true,
            algorithms: Algorithms::from_iter([algorithm]),
            types: vec![MediaType::new("at+jwt")],
            max_lifetime: None,
            skew: std::time::Duration::ZERO,
            require_jti: true,
            require_client_id: true,
            max_token_bytes: 16 * 1024,
            relaxed: vec![],
        };
        let admitted = rules.admit(Unverified::parse(token, rules.max_token_bytes).unwrap()).unwrap();
        let key = PublicKey::bind(&keys[0], admitted.kid(), rules.algorithms, false).unwrap();
        let authentic = admitted.verify(&key).unwrap();
        let claims = authentic.claims(SystemClock.now()).unwrap();
        assert_eq!((claims.subject(), claims.client_id()), ("demo", Some("demo")), "{algorithm}");
        assert_eq!(claims.scopes().collect::<Vec<_>>(), ["customers:read"]);
        assert_eq!(claims.pointer("/realm_access/roles").unwrap().to_json(), json!(["sales"]));
        assert_eq!(claims.pointer("/custom/region").unwrap().to_json(), json!("eu"));
    }
}

#[test]
fn its_tokens_live_no_longer_than_their_issuer_is_configured_for() {
    let folder = tempfile::tempdir().unwrap();
    let sample = include_str!("../../sample/drawbridge.yaml");
    for (most, lifetime) in [("", 300), ("    max_lifetime: 2m\n", 120), ("    max_lifetime: 1h\n", 300)] {
        let text = sample.replace("    keys: discovery\n", &format!("    keys: discovery\n{most}"));
        let config = load(&text, "drawbridge.yaml", Path::new("sample")).unwrap();
        let idp = IdentityProvider::of(&config, folder.path().to_owned()).unwrap();
        assert_eq!(idp.lifetime, lifetime, "{most}");
    }
}

#[tokio::test]
async fn a_shell_gets_the_bare_token_with_every_scope() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = start(folder.path(), "[ES256]").await;
    let token = reqwest::Client::new()
        .post(format!("{issuer}/token"))
        .basic_auth("admin", Some("admin"))
        .header(header::ACCEPT, "text/plain")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["scope"], "customers:read customers:write invoices:read");
    assert_eq!(claims["realm_access"]["roles"], json!(["admin"]));
}

#[tokio::test]
async fn what_is_not_a_right_request_gets_an_error_of_rfc_6749() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = start(folder.path(), "[ES256]").await;
    let table = [
        ("", 400, "invalid_request"),
        ("grant_type=client_credentials", 401, "invalid_client"),
        ("grant_type=client_credentials&client_id=demo&client_secret=admin", 401, "invalid_client"),
        ("grant_type=client_credentials&client_id=eve&client_secret=eve", 401, "invalid_client"),
        ("grant_type=client_credentials&client_secret=demo", 401, "invalid_client"),
        (
            "grant_type=client_credentials&grant_type=x&client_id=demo&client_secret=demo",
            400,
            "invalid_request",
        ),
        ("grant_type=password&client_id=demo&client_secret=demo", 400, "unsupported_grant_type"),
        (
            "grant_type=client_credentials&client_id=guest&client_secret=guest&scope=customers:read",
            400,
            "invalid_scope",
        ),
    ];
    for (body, status, error) in table {
        let answer = ask(&issuer, body).await;
        assert_eq!(answer.status(), status, "{body}");
        assert_eq!(answer.json::<Value>().await.unwrap()["error"], error, "{body}");
    }
}

#[test]
fn the_key_is_kept_and_a_broken_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let allowed = Algorithms::from_iter([Algorithm::ES256]);
    let kid = |key: SigningKey| key.public()["kid"].as_str().unwrap().to_owned();
    let first = kid(SigningKey::open(folder.path(), allowed).unwrap());
    assert_eq!(kid(SigningKey::open(folder.path(), allowed).unwrap()), first);
    std::fs::write(folder.path().join("idp-ES256.der"), "nothing").unwrap();
    assert!(matches!(SigningKey::open(folder.path(), allowed), Err(KeyError::Unusable(_))));
    std::fs::write(folder.path().join("idp-ES512.der"), "nothing").unwrap();
    let es512 = Algorithms::from_iter([Algorithm::ES512]);
    assert!(matches!(SigningKey::open(folder.path(), es512), Err(KeyError::Rejected(Algorithm::ES512))));
    assert!(matches!(SigningKey::open(folder.path(), Algorithms::from_iter([])), Err(KeyError::NoAlgorithm)));
}

#[tokio::test]
async fn it_listens_on_loopback_only() {
    let folder = tempfile::tempdir().unwrap();
    let config =
        load(include_str!("../../sample/drawbridge.yaml"), "drawbridge.yaml", Path::new("sample")).unwrap();
    let idp = IdentityProvider::of(&config, folder.path().to_owned()).unwrap();
    let everywhere = TcpListener::bind("0.0.0.0:0").await.unwrap();
    assert!(matches!(idp.serve(everywhere).await, Err(IdpError::NotLoopback(_))));
}
