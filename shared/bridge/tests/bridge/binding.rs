use std::{fs, sync::Arc};

use drawbridge_gate::Reason;
use rcgen::{Certificate, CertificateParams, KeyPair};
use serde_json::json;
use tokio::time::{Duration, advance};

use crate::support::{House, bridge, claims};

const TARGET: &str = "/money/invoices/1";
const FILE: &str = "edge.pem";

fn certificate(name: &str) -> Certificate {
    let key = KeyPair::generate().unwrap();
    CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap()
}

/// The house, with a `billing` whose tokens are bound to the certificate in a file.
async fn house(file: &str) -> House {
    let house = House::new().await;
    fs::write(house.folder.path().join(FILE), file).unwrap();
    let config = house.config(|config| {
        config.replace("    path: /money\n", &format!("    path: /money\n    bound_to: {FILE}\n"))
    });
    let bridge = bridge(&config, &house.store, Arc::clone(&house.ledger)).unwrap();
    House { config, bridge, ..house }
}

async fn minted(house: &House) -> String {
    let consumer = house.token(json!({})).await;
    house.bridged(&consumer, TARGET).await.unwrap().token
}

async fn decided(house: &House, token: &str, certificate: Option<&Certificate>) -> Reason {
    let certificate = certificate.map(Certificate::pem);
    let certificate = certificate.as_ref().map(|pem| pem.as_bytes());
    house.gate_seeing("billing", token, "/invoices/1", certificate).await.reason()
}

#[tokio::test]
async fn a_bridged_token_is_of_use_to_the_edge_whose_certificate_it_is_bound_to_and_to_nobody_else() {
    let (edge, other) = (certificate("edge"), certificate("other"));
    let house = house(&edge.pem()).await;
    let token = minted(&house).await;
    assert_eq!(decided(&house, &token, Some(&edge)).await, Reason::Allowed);
    assert_eq!(decided(&house, &token, Some(&other)).await, Reason::SenderMismatch);
    assert_eq!(decided(&house, &token, None).await, Reason::SenderMismatch);
    let consumer = house.token(json!({})).await;
    let unbound = house.bridged(&consumer, "/orders/customers/1").await.unwrap().token;
    assert!(!claims(&unbound).contains_key("cnf"), "another backend's tokens are as they were");
}

#[tokio::test]
async fn the_leaf_counts_and_not_its_chain() {
    let (edge, authority) = (certificate("edge"), certificate("authority"));
    let house = house(&format!("{}{}", edge.pem(), authority.pem())).await;
    let token = minted(&house).await;
    assert_eq!(decided(&house, &token, Some(&edge)).await, Reason::Allowed);
    assert_eq!(decided(&house, &token, Some(&authority)).await, Reason::SenderMismatch);
}

#[tokio::test(start_paused = true)]
async fn a_renewed_certificate_is_picked_up_and_a_broken_file_leaves_the_last_one() {
    let (before, after) = (certificate("edge"), certificate("edge"));
    let house = house(&before.pem()).await;
    let file = house.folder.path().join(FILE);
    let bound = async |house: &House| claims(&minted(house).await)["cnf"].clone();
    let first = bound(&house).await;
    fs::write(&file, after.pem()).unwrap();
    assert_eq!(bound(&house).await, first, "the file is not read for every token");
    advance(Duration::from_secs(11)).await;
    let second = bound(&house).await;
    assert_ne!(second, first);
    assert_eq!(decided(&house, &minted(&house).await, Some(&after)).await, Reason::Allowed);
    for broken in ["", "-----BEGIN CERTIFICATE-----\n"] {
        fs::write(&file, broken).unwrap();
        advance(Duration::from_secs(11)).await;
        assert_eq!(bound(&house).await, second, "{broken:?}");
    }
    fs::remove_file(&file).unwrap();
    advance(Duration::from_secs(11)).await;
    assert_eq!(bound(&house).await, second);
}

#[tokio::test]
async fn a_bridge_without_the_certificate_does_not_start() {
    let house = house(&certificate("edge").pem()).await;
    for (text, problem) in [(Some("x"), "holds no certificate in PEM"), (None, "cannot be read")] {
        match text {
            Some(text) => fs::write(house.folder.path().join(FILE), text).unwrap(),
            None => fs::remove_file(house.folder.path().join(FILE)).unwrap(),
        }
        let error = bridge(&house.config, &house.store, Arc::clone(&house.ledger)).unwrap_err().to_string();
        assert!(error.starts_with("backends.billing: `bound_to`: `"), "{error}");
        assert!(error.contains(problem), "{error}");
    }
}

#[tokio::test]
async fn a_consumers_binding_is_not_the_bridged_tokens() {
    let house = house(&certificate("edge").pem()).await;
    // A consumer's bound token needs its certificate at the edge, and nobody shows one here.
    let consumer = house.token(json!({ "cnf": { "x5t#S256": "A".repeat(43) } })).await;
    assert_eq!(house.bridged(&consumer, TARGET).await.unwrap_err().reason, Reason::SenderMismatch);
}
