//! How long the handler takes from its start to the first answer at `/`, which is what the Functions host waits for, and to the
//! first decision; what it is then, and how large. `cargo bench -p drawbridge-azure-functions --bench start`
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a bench"
)]

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const HANDLER: &str = env!("CARGO_BIN_EXE_drawbridge-azure-functions");
const ROUNDS: usize = 30;

/// As deployed: the keys of tokens from the key endpoint, the backend's own in Key Vault.
const CONFIG: &str = r#"
issuers:
  edge:
    issuer: https://edge.example.com
    keys: { jwks: "https://keys.example.com/jwks/{backend}/{kid}" }
    algorithms: [ES256]
    types: [bridged+jwt]
stores:
  azure: { key_vault: { url: "https://contoso-keys.vault.azure.net" } }
backends:
  billing:
    issuer: edge
    store: azure
    upstream: https://billing.example.com
    routes: [{ path: "/invoices/{invoice}", methods: [GET], scopes: ["invoices:read"] }]
"#;

fn main() {
    let mut rounds: Vec<Round> = (0..ROUNDS).map(|_| round()).collect();
    rounds.sort_by_key(|round| round.ready);
    let ready = [rounds[0].ready, rounds[ROUNDS / 2].ready];
    let resident = rounds.iter().map(|round| round.resident).max().unwrap();
    rounds.sort_by_key(|round| round.decided);
    let decided = [rounds[0].decided, rounds[ROUNDS / 2].decided];
    let size = std::fs::metadata(HANDLER).unwrap().len();
    println!("{:<44} {:>8} {:>8} {:>8}", "", "least", "median", "target");
    print("start to the first answer at `/`, ms", ready, 8.0);
    print("start to the first decision, ms", decided, 15.0);
    println!("{:<44} {:>8} {:>8.1} {:>8}", "resident after it, MB", "", resident as f64 / 1024.0, "");
    println!("{:<44} {:>8} {:>8.1} {:>8}", "size of the executable, MB", "", size as f64 / 1e6, 15.0);
}

fn print(what: &str, [least, median]: [Duration; 2], target: f64) {
    let [least, median] = [least, median].map(|took| took.as_secs_f64() * 1e3);
    println!("{what:<44} {least:>8.2} {median:>8.2} {target:>8}");
}

struct Round {
    ready: Duration,
    decided: Duration,
    /// In KiB.
    resident: u64,
}

fn round() -> Round {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let start = Instant::now();
    let handler = Handler(
        Command::new(HANDLER)
            .env_clear()
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("DRAWBRIDGE_BACKEND", "billing")
            .env("DRAWBRIDGE_CONFIG", CONFIG)
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    // The host asks every 25 ms; what is measured here is the handler.
    let mut connection = loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(connection) => break connection,
            Err(_) if start.elapsed() < Duration::from_secs(10) => {
                std::thread::sleep(Duration::from_micros(100))
            }
            Err(error) => panic!("the handler did not start: {error}"),
        }
    };
    assert!(ask(&mut connection, "/").starts_with("HTTP/1.1 200 "));
    let ready = start.elapsed();
    assert!(ask(&mut connection, "/api/proxy/invoices/7").starts_with("HTTP/1.1 401 "));
    let decided = start.elapsed();
    let status = std::fs::read_to_string(format!("/proc/{}/status", handler.0.id())).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    Round { ready, decided, resident: resident.and_then(|kib| kib.parse().ok()).unwrap_or(0) }
}

/// The head of one answer.
fn ask(connection: &mut TcpStream, path: &str) -> String {
    connection.write_all(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).unwrap();
    let mut answer = [0; 4096];
    let read = connection.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

struct Handler(Child);

impl Drop for Handler {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
