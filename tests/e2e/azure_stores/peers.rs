//! The same vault under another official SDK, the one for Python: what it makes, this store uses, and what this store signs, it
//! verifies. It is also a second opinion on the vault of the tests.

use std::process::{Command, Stdio};

use aws_lc_rs::digest::{SHA384, digest};
use drawbridge_keys::{KeyAlgorithm, PrivateJwk, StoreError};
use drawbridge_tests::{binary::workspace, key_vault::KeyVault, parts::part};
use drawbridge_verify::KeyUse;
use serde_json::{Value, json};

use crate::{orders, store};

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_another_official_client_are_used_here_and_signatures_of_here_verified_there() {
    let Some(python) = part("azure/bin/python") else { return };
    let vault = KeyVault::start().await;
    let there = |arguments: &[&str]| -> Value {
        let mut command = Command::new(&python);
        command.arg(workspace().join("tests/parts/key-vault.py")).args(arguments).stdin(Stdio::null());
        command.envs(vault.environment()).env("VAULT", vault.url());
        command.env("REQUESTS_CA_BUNDLE", vault.root_certificate()).env("NO_PROXY", "127.0.0.1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let (keys, secrets) = (store(&vault, false), store(&vault, true));
    let ed25519: KeyAlgorithm = "Ed25519".parse().unwrap();
    let made = there(&["make", &PrivateJwk::generate(ed25519).unwrap().to_json()]);

    let signer = keys.signer(&orders()).await.unwrap();
    assert_eq!(signer.kid().to_string(), format!("orders.sig.{}", made["sig"].as_str().unwrap()));
    assert_eq!(signer.algorithm().name(), "ES384");
    let encryption = keys.encryption_key(&orders()).await.unwrap();
    assert_eq!(encryption.kid().unwrap(), format!("orders.enc.{}", made["enc"].as_str().unwrap()));
    assert_eq!(KeyAlgorithm::of(&encryption).unwrap().to_string(), "RSA-OAEP-256");
    let secret = secrets.signer(&orders()).await.unwrap();
    assert_eq!(secret.kid().to_string(), format!("orders.sig.{}", made["secret"].as_str().unwrap()));
    assert_eq!(secret.algorithm().name(), "Ed25519");

    let rotated = keys.rotate(&orders(), KeyUse::Signing).await.unwrap();
    let signer = keys.signer(&orders()).await.unwrap();
    assert_eq!(signer.kid(), &rotated);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let signature = signer.sign(b"input").await.unwrap();
    let (version, hash) = (rotated.version.as_str(), hex(digest(&SHA384, b"input").as_ref()));
    let checked = there(&["check", version, &hash, &hex(&signature)]);
    assert_eq!(checked["verified"], json!([true, true]));
    assert_eq!(checked["names"], json!(["orders-enc", "orders-sig"]));
    assert_eq!(checked["tags"], json!({ "drawbridge-algorithm": "ES384" }));
    let mut listed = [made["sig"].as_str().unwrap(), version];
    listed.sort_unstable();
    assert_eq!(checked["listed"], json!(listed));

    there(&["disable", version, made["secret"].as_str().unwrap()]);
    assert_eq!(keys.public(&rotated).await, Err(StoreError::NotFound));
    assert_eq!(secrets.signer(&orders()).await.err(), Some(StoreError::NotFound));
    assert_ne!(keys.signer(&orders()).await.unwrap().kid(), &rotated);
}
