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
    time::{Duration, Instant},
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
    // A request each, so that whatever starts at the first one has started.
    let token = chain.token("demo", "customers:read invoices:read").await;
    for target in ["/orders/customers/1", "/billing/invoices/1"] {
        assert_eq!(chain.through_edge(target, Some(&token)).await.status, 200);
    }
    let below = descendants(chain.id());
    let has = |words: &str| below.iter().any(|(_, line)| line.contains(words));
    for part in [
        "serve idp",
        "serve edge",
        "serve aws-gateway",
        "serve azure-gateway",
        "serve backend",
        "function edge-bridge",
        "function aws-authorizer",
        "function aws-jwks",
        "function azure",
    ] {
        assert!(has(part), "`{part}` is not below `up`: {below:#?}");
    }

    assert!(Command::new("kill").args(["-KILL", &chain.id().to_string()]).status().unwrap().success());

    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let left: Vec<_> = below.iter().filter(|(id, line)| command_line(*id) == *line).collect();
        if left.is_empty() {
            break;
        }
        assert!(Instant::now() < until, "still there: {left:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Every process below `root`, with its command line.
fn descendants(root: u32) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    let mut left = vec![root];
    while let Some(process) = left.pop() {
        for task in std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            left.extend(children.split_ascii_whitespace().map(|id| id.parse::<u32>().unwrap()));
        }
        if process != root {
            found.push((process, command_line(process)));
        }
    }
    found
}

/// Empty where the process has ended, also where nobody has asked for its status yet.
fn command_line(process: u32) -> String {
    let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let words = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    words.collect::<Vec<_>>().join(" ")
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
    let mut left = vec![Vec::<String>::new()];
    let mut seen = Vec::new();
    while let Some(command) = left.pop() {
        let arguments: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("drawbridge "), "{arguments:?}: {text}");
        assert!(text.contains("Example"), "{arguments:?}: {text}");
        left.extend(commands(&text).map(|name| [command.clone(), vec![name]].concat()));
        seen.push(command.join(" "));
    }
    for command in ["up", "check", "decide", "explain", "test", "keys revoke", "package aws", "package azure"]
    {
        assert!(seen.iter().any(|have| have == command), "{command} is not among {seen:?}");
    }
    // What `up` starts is not listed, and has help all the same.
    for hidden in ["function", "serve"] {
        let text = String::from_utf8(run(&[hidden, "--help"]).stdout).unwrap();
        assert!(text.contains("Example"), "{hidden}: {text}");
    }
    assert_eq!(run(&["nonsense"]).status.code(), Some(3));
    assert_eq!(run(&[]).status.code(), Some(3));
}

/// The commands that a help text lists.
fn commands(help: &str) -> impl Iterator<Item = String> {
    let listed = help.split_once("Commands:\n").map_or("", |(_, listed)| listed);
    listed
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
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
