//! The programs themselves, with nothing but the environment that Azure gives them: a managed identity's endpoint.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use drawbridge_keys::Kid;
use drawbridge_tests::{
    binary::{build, drawbridge},
    http::{get, send},
    key_vault::{KeyVault, Trouble},
    parts::{Process, free_address},
};
use drawbridge_verify::{
    PublicJwk,
    jwe::{ContentEncryption, EncryptionKey},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::store;

const BILLING: &str = "billing";

/// A configuration whose keys are in the vault.
fn configuration(vault: &KeyVault) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("drawbridge.yaml");
    let config = json!({
        "issuers": { "edge": {
            "issuer": "https://edge.example.com", "keys": { "store": "azure" }, "algorithms": ["ES256"],
            "types": ["bridged+jwt"], "max_lifetime": "5m"
        } },
        "stores": { "azure": { "key_vault": { "url": vault.url() } } },
        "backends": { BILLING: {
            "issuer": "edge", "store": "azure", "encryption": "required",
            "routes": [{ "path": "/invoices/{invoice}", "methods": ["GET"], "scopes": ["invoices:read"] }]
        } },
        "audit": { "ocsf": "stdout" }
    });
    std::fs::write(&file, config.to_string()).unwrap();
    (folder, file)
}

fn keys(vault: &KeyVault, config: &Path, arguments: &[&str]) -> Output {
    let (verb, rest) = arguments.split_first().unwrap();
    let mut command = vault.command(drawbridge());
    command.args(["keys", verb, "--format", "json", "--config"]).arg(config).args(rest).output().unwrap()
}

fn done(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_makes_rotates_lists_and_revokes_keys_in_the_vault() {
    let vault = KeyVault::start().await;
    let (_folder, config) = configuration(&vault);
    let keys = |arguments: &[&str]| keys(&vault, &config, arguments);
    let first = done(&keys(&["create", "--backend", BILLING]))["kid"].as_str().unwrap().to_owned();
    let encryption = done(&keys(&["create", "--backend", BILLING, "--use", "enc"]));
    let encryption = encryption["kid"].as_str().unwrap();
    let second = done(&keys(&["rotate", "--backend", BILLING]))["kid"].as_str().unwrap().to_owned();
    assert_eq!(first.parse::<Kid>().unwrap().version.as_str().len(), 32);

    let listed = done(&keys(&["list"]));
    let listed: Vec<_> =
        listed.as_array().unwrap().iter().map(|key| (&key["kid"], &key["alg"], &key["state"])).collect();
    let row = |kid: &str, alg: &str, state: &str| (json!(kid), json!(alg), json!(state));
    let expected = [
        row(&second, "ES256", "current"),
        row(&first, "ES256", "previous"),
        row(encryption, "RSA-OAEP-256", "current"),
    ];
    assert_eq!(listed, expected.iter().map(|(kid, alg, state)| (kid, alg, state)).collect::<Vec<_>>());
    let shown = done(&keys(&["show", &second]));
    let public = store(&vault, false).public(&second.parse().unwrap()).await.unwrap();
    assert_eq!(shown, serde_json::from_str::<Value>(&public.to_json()).unwrap());

    done(&keys(&["revoke", &first]));
    assert_eq!(keys(&["show", &first]).status.code(), Some(1));
    let in_use = keys(&["revoke", &second]);
    assert_eq!(in_use.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&in_use.stderr).contains("rotate first"));

    vault.always(Some(Trouble::Answer(403, "Forbidden", "ForbiddenByRbac")));
    let refused = keys(&["list"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("access to the key store was denied: list keys: 403 (ForbiddenByRbac)"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_identity_that_the_vault_knows_an_operator_is_told_so() {
    let vault = KeyVault::start().await;
    let (_folder, config) = configuration(&vault);
    for (name, value, part) in [
        ("IDENTITY_HEADER", "another", "no token could be had: 400"),
        ("IDENTITY_ENDPOINT", &format!("http://{}/msi/token", free_address()), "unavailable"),
        ("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential", "AZURE_TOKEN_CREDENTIALS"),
        ("AZURE_TOKEN_CREDENTIALS", "WorkloadIdentityCredential", "tenant"),
        ("SSL_CERT_FILE", "/nonexistent", "unavailable"),
    ] {
        let mut command = vault.command(drawbridge());
        command.env(name, value).args(["keys", "list", "--config"]).arg(&config);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{name}={value}: {said}");
        assert!(said.contains(part), "{name}={value}: {said}");
    }
    assert_eq!(vault.requests(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_function_app_publishes_keys_of_the_vault_and_opens_tokens_that_are_encrypted_to_it() {
    let vault = KeyVault::start().await;
    let (_folder, config) = configuration(&vault);
    let handler = build("drawbridge-azure-functions", "drawbridge-azure-functions");
    let address = free_address();
    let mut command = vault.command(&handler);
    command
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", address.port().to_string())
        .env("DRAWBRIDGE_CONFIG", &config)
        .env("DRAWBRIDGE_BACKEND", BILLING)
        .stdout(Stdio::null());
    let _handler = Process::start(&mut command).ready(address);
    let base = format!("http://{address}");
    assert!(get(&base, "/", None).await.status.is_success());
    assert_eq!((vault.tokens(), vault.requests()), (0, Vec::new()), "starting asks nobody for anything");

    let store = store(&vault, false);
    let backend = BILLING.parse().unwrap();
    let kid =
        store.create(&backend, drawbridge_verify::KeyUse::Signing, "ES256".parse().unwrap()).await.unwrap();
    store
        .create(&backend, drawbridge_verify::KeyUse::Encryption, "RSA-OAEP-256".parse().unwrap())
        .await
        .unwrap();

    let published = get(&base, &format!("/api/jwks/{BILLING}/{kid}"), None).await;
    assert_eq!(published.status, 200, "{}", published.text());
    let key = PublicJwk::parse(published.json()["keys"][0].to_string().as_bytes()).unwrap();
    assert_eq!(key, store.public(&kid).await.unwrap());
    let absent = kid.to_string().replace(kid.version.as_str(), &"0".repeat(32));
    assert_eq!(get(&base, &format!("/api/jwks/{BILLING}/{absent}"), None).await.status, 404);

    let signed = signed(store.signer(&backend).await.unwrap().as_ref()).await;
    let key = store.encryption_key(&backend).await.unwrap();
    let seal = EncryptionKey::bind(&key, key.kid().unwrap(), ContentEncryption::A256Gcm).unwrap();
    assert_eq!(decide(address, &seal.encrypt(&signed).unwrap()).await, 200);
    assert_eq!(decide(address, &signed).await, 401, "a token that is not encrypted is refused");
    let (head, signature) = signed.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", BASE64URL.encode(vec![1; BASE64URL.decode(signature).unwrap().len()]));
    assert_eq!(decide(address, &seal.encrypt(&forged).unwrap()).await, 401);

    // Without its vault the gate cannot open a token, and lets nothing pass that it cannot read.
    vault.always(Some(Trouble::Answer(403, "Forbidden", "ForbiddenByRbac")));
    assert_eq!(decide(address, &seal.encrypt(&signed).unwrap()).await, 503);
    vault.always(Some(Trouble::Throttled(Some(60))));
    assert_eq!(decide(address, &seal.encrypt(&signed).unwrap()).await, 503);
    vault.always(None);
    assert_eq!(decide(address, &seal.encrypt(&signed).unwrap()).await, 200);
}

async fn decide(handler: SocketAddr, token: &str) -> u16 {
    let token = format!("Bearer {token}");
    let headers =
        [("authorization", token.as_str()), ("x-original-method", "GET"), ("x-original-uri", "/invoices/7")];
    send("GET", &format!("http://{handler}"), "/api/authorize", &headers, "").await.status.as_u16()
}

async fn signed(signer: &dyn drawbridge_keys::Signer) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let header = json!({ "alg": "ES256", "typ": "bridged+jwt", "kid": signer.kid().to_string() });
    let claims = json!({
        "iss": "https://edge.example.com", "aud": BILLING, "sub": "alice", "jti": "1", "iat": now, "exp": now + 120,
        "scope": "invoices:read", "client_id": "partner"
    });
    let token = format!("{}.{}", BASE64URL.encode(header.to_string()), BASE64URL.encode(claims.to_string()));
    let signature = signer.sign(token.as_bytes()).await.unwrap();
    format!("{token}.{}", BASE64URL.encode(signature))
}
