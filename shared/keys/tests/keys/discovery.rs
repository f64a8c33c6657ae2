use drawbridge_keys::{Discovery, HttpClient, KeySource, SourceError};
use drawbridge_verify::JwkSet;
use std::{sync::Arc, sync::Mutex, time::Duration};

use crate::support::{Server, cheap_jwk, client};

type Answers = Arc<Mutex<Vec<(&'static str, String)>>>;

const DOCUMENT: &str = "/.well-known/openid-configuration";

/// A server that answers by path; what has no answer is 404.
async fn issuer() -> (Server, Answers) {
    let answers: Answers = Arc::default();
    let given = Arc::clone(&answers);
    let server = Server::answering(move |path| {
        let answers = given.lock().unwrap();
        let body = answers.iter().rev().find(|(at, _)| *at == path).map(|(_, body)| body.clone());
        let status =
            if body.is_some() { axum::http::StatusCode::OK } else { axum::http::StatusCode::NOT_FOUND };
        (status, [("content-type", "application/json")], body.unwrap_or_default())
    })
    .await;
    (server, answers)
}

fn document(issuer: &str, jwks_uri: &str) -> String {
    format!(r#"{{"issuer":"{issuer}","jwks_uri":"{jwks_uri}","token_endpoint":"{issuer}/token"}}"#)
}

fn put(answers: &Answers, path: &'static str, body: String) {
    answers.lock().unwrap().push((path, body));
}

#[tokio::test]
async fn the_discovery_document_is_read_once_and_the_keys_each_time() {
    let (server, answers) = issuer().await;
    put(&answers, DOCUMENT, document(&server.address, &format!("{}/keys", server.address)));
    put(&answers, "/keys", JwkSet::of_one(&cheap_jwk("one")));
    let source = Discovery::new(client(), &server.address).unwrap();
    assert!(source.reads_whole_sets());
    for _ in 0..3 {
        assert_eq!(source.fetch("one").await.unwrap().keys[0].kid(), Some("one"));
    }
    assert_eq!(server.paths(), [DOCUMENT, "/keys", "/keys", "/keys"]);
}

#[tokio::test]
async fn a_jwks_uri_that_moved_is_found_again() {
    let (server, answers) = issuer().await;
    put(&answers, DOCUMENT, document(&server.address, &format!("{}/keys", server.address)));
    put(&answers, "/keys", JwkSet::of_one(&cheap_jwk("one")));
    let source = Discovery::new(client(), &server.address).unwrap();
    source.fetch("one").await.unwrap();
    answers.lock().unwrap().clear();
    put(&answers, DOCUMENT, document(&server.address, &format!("{}/moved", server.address)));
    put(&answers, "/moved", JwkSet::of_one(&cheap_jwk("two")));
    assert!(
        matches!(source.fetch("two").await, Err(SourceError::Unavailable(_))),
        "a missing set is a failure"
    );
    assert_eq!(source.fetch("two").await.unwrap().keys[0].kid(), Some("two"));
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_refused() {
    let (server, answers) = issuer().await;
    put(&answers, "/keys", JwkSet::of_one(&cheap_jwk("one")));
    let keys = format!("{}/keys", server.address);
    for (ours, theirs, accepted) in [
        (server.address.clone(), server.address.clone(), true),
        (server.address.clone(), format!("{}/", server.address), false),
        (format!("{}/", server.address), server.address.clone(), false),
        (format!("{}/", server.address), format!("{}/", server.address), true),
        (server.address.clone(), server.address.to_uppercase(), false),
        (server.address.clone(), "https://evil.example.com".to_owned(), false),
        (server.address.clone(), String::new(), false),
    ] {
        put(&answers, DOCUMENT, document(&theirs, &keys));
        let fetched = Discovery::new(client(), &ours).unwrap().fetch("one").await;
        assert_eq!(fetched.is_ok(), accepted, "{ours} {theirs}");
        assert!(accepted || matches!(fetched, Err(SourceError::Refused(_))));
    }
}

#[tokio::test]
async fn a_jwks_uri_is_under_the_rules_of_every_address() {
    let (server, answers) = issuer().await;
    for uri in [
        "http://keys.example.com/keys",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://user:secret@keys.example.com/keys",
        "/keys",
        "",
    ] {
        put(&answers, DOCUMENT, document(&server.address, uri));
        let fetched = Discovery::new(client(), &server.address).unwrap().fetch("one").await;
        assert!(matches!(fetched, Err(SourceError::Refused(_))), "{uri}: {fetched:?}");
    }
}

#[tokio::test]
async fn what_is_no_discovery_document_is_refused() {
    let (server, answers) = issuer().await;
    let source = Discovery::new(client(), &server.address).unwrap();
    assert!(
        matches!(source.fetch("one").await, Err(SourceError::Unavailable(_))),
        "a missing document is a failure"
    );
    let keys = format!("{}/keys", server.address);
    let twice =
        document(&server.address, &keys).replacen('{', r#"{"jwks_uri":"https://evil.example.com/","#, 1);
    let long = document(&server.address, &keys) + &" ".repeat(70_000);
    for body in [
        "",
        "[]",
        "{}",
        r#"{"issuer":1,"jwks_uri":2}"#,
        &format!(r#"{{"issuer":"{}"}}"#, server.address),
        &twice,
        &long,
    ] {
        put(&answers, DOCUMENT, body.to_owned());
        assert!(matches!(source.fetch("one").await, Err(SourceError::Refused(_))), "{body}");
    }
}

#[tokio::test]
async fn an_issuer_with_a_path_has_its_document_below_it() {
    let (server, answers) = issuer().await;
    let realm = format!("{}/realms/shop", server.address);
    put(
        &answers,
        "/realms/shop/.well-known/openid-configuration",
        document(&realm, &format!("{realm}/keys")),
    );
    put(&answers, "/realms/shop/keys", JwkSet::of_one(&cheap_jwk("one")));
    assert!(Discovery::new(client(), &realm).unwrap().fetch("one").await.is_ok());
}

#[test]
fn an_issuer_that_could_not_be_asked_is_refused_when_it_is_configured() {
    let strict = HttpClient::new(Duration::from_secs(1), false).unwrap();
    assert!(Discovery::new(strict.clone(), "https://login.example.com").is_ok());
    for issuer in [
        "http://login.example.com",
        "http://127.0.0.1:8080",
        "login",
        "",
        "https://login.example.com?x",
        "https://a@login.example.com",
    ] {
        assert!(Discovery::new(strict.clone(), issuer).is_err(), "{issuer}");
    }
}
