//! What the operator meets at the command line: starting, stopping, and mistakes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: what breaks must fail loudly"
)]

use std::{
    net::TcpListener,
    process::{Command, Output, Stdio},
};

use drawbridge_tests::{binary::drawbridge, chain::Chain, http::get};

fn run(arguments: &[&str]) -> Output {
    Command::new(drawbridge()).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn ctrl_c_stops_everything_that_up_started() {
    let chain = Chain::start().await;
    let addresses: Vec<String> =
        ["edge", "aws", "keys", "azure", "idp", "bridge"].map(|name| chain.address(name).to_owned()).into();
    let backends: Vec<String> = chain.ready()["backends"]
        .as_object()
        .unwrap()
        .values()
        .map(|at| at.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(get(chain.address("idp"), "/.well-known/openid-configuration", None).await.status, 200);

    let status = chain.interrupt().await;

    assert_eq!(status.code(), Some(0));
    for address in addresses.iter().chain(&backends) {
        let port = address.rsplit(':').next().unwrap();
        let port = port.split('/').next().unwrap();
        let again = TcpListener::bind(format!("127.0.0.1:{port}"));
        assert!(again.is_ok(), "something still listens at {address}");
    }
}

#[tokio::test]
async fn nothing_survives_even_when_up_is_killed() {
    let chain = Chain::start().await;
    let id = chain.id().to_string();
    let edge = chain.address("edge").to_owned();
    let port = edge.rsplit(':').next().unwrap().to_owned();
    assert!(Command::new("kill").args(["-KILL", &id]).status().unwrap().success());
    for attempt in 0.. {
        if TcpListener::bind(format!("127.0.0.1:{port}")).is_ok() {
            break;
        }
        assert!(attempt < 100, "the edge is still there");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    // Of a run of ports, the first is taken.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let state = tempfile::tempdir().unwrap();
    let output = run(&["up", "--port", &port.to_string(), "--state", state.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = said(&output);
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(said.contains(&port.to_string()) && said.contains("--port"), "{said}");
}

#[test]
fn a_state_folder_that_cannot_be_written_is_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    std::fs::write(&file, "").unwrap();
    let output = run(&["up", "--port", "0", "--state", file.join("below").to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = said(&output);
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(said.contains("a-file") && said.contains("--state"), "{said}");
}

#[test]
fn a_broken_configuration_names_every_mistake_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("drawbridge.yaml");
    std::fs::write(&file, "issuers: 3\nbackend: {}\n").unwrap();
    let output = run(&["up", "--port", "0", "--config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = said(&output);
    assert!(said.contains("drawbridge.yaml:1:") && said.contains("drawbridge.yaml:2:1"), "{said}");
    assert!(said.contains("backends"), "a misspelt field gets a suggestion: {said}");
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in [
        vec!["--help"],
        vec!["up", "--help"],
        vec!["check", "--help"],
        vec!["decide", "--help"],
        vec!["keys", "--help"],
        vec!["keys", "create", "--help"],
        vec!["keys", "rotate", "--help"],
        vec!["keys", "revoke", "--help"],
        vec!["keys", "list", "--help"],
        vec!["keys", "show", "--help"],
    ] {
        let output = run(&command);
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("drawbridge "), "{command:?}: {text}");
        assert!(text.contains("Example"), "{command:?}: {text}");
    }
    assert_eq!(run(&["nonsense"]).status.code(), Some(3));
    assert_eq!(run(&[]).status.code(), Some(3));
}

#[tokio::test]
async fn decide_knows_the_hundredth_unknown_kid_as_well_as_the_first() {
    use drawbridge_tests::{
        corpus::{Forge, token},
        forge::ChainForge,
    };
    use serde_json::{Value, json};

    let chain = Chain::start().await;
    let forge = ChainForge::open(&chain, "orders").await;
    let lines: String = (0..150)
        .map(|number| {
            let kid = forge.kid().replace("orders.sig.", "").replace(|c: char| c.is_ascii_hexdigit(), &(number % 10).to_string());
            let kid = json!({ "kid": format!("orders.sig.{kid}-{number}") });
            let bearer = format!("Bearer {}", token(&forge, 1_800_000_000, &kid, &json!({})));
            json!({ "id": number, "method": "GET", "uri": "/customers/1", "headers": { "authorization": [bearer] } }).to_string() + "\n"
        })
        .collect();
    let input = chain.folder().join("requests.jsonl");
    std::fs::write(&input, lines).unwrap();
    let output = Command::new(drawbridge())
        .args(["decide", "--backend", "orders", "--at", "1800000000", "--config"])
        .arg(chain.effective_config())
        .stdin(std::fs::File::open(&input).unwrap())
        .output()
        .unwrap();
    let reasons: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["reason"].clone())
        .collect();
    assert_eq!(reasons, vec![json!("key.unknown"); 150]);
}
