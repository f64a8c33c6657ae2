//! The binary, a folder to run it in, and tokens for it.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::{
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_config::Store;
use drawbridge_gate::open_directory;
use serde_json::{Value, json};

pub fn drawbridge(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drawbridge"));
    command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub fn run(folder: &Path, arguments: &[&str], stdin: &[u8]) -> Output {
    let mut child = drawbridge(folder).args(arguments).spawn().unwrap();
    // A command that does not read its input may be gone by now.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("{output:?}"))
}

pub fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder with a configuration of one backend whose keys are in a directory, and a first key.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("drawbridge.yaml"), CONFIG).unwrap();
    let created =
        run(folder.path(), &["keys", "create", "--config", "drawbridge.yaml", "--backend", "orders"], b"");
    assert_eq!(code(&created), 0, "{created:?}");
    folder
}

/// A bridged token for `orders` with some claims changed.
pub fn token(folder: &Path, changes: &Value) -> String {
    let store = open_directory(&Store::Directory(folder.join("keys"))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let signer = store.signer(&"orders".parse().unwrap()).await.unwrap();
        let header = json!({ "alg": signer.algorithm().name(), "typ": "bridged+jwt", "kid": signer.kid().to_string() });
        let mut claims = json!({
            "iss": "https://edge.example.com", "aud": "orders", "sub": "alice", "client_id": "partner", "jti": "1",
            "iat": NOW, "exp": NOW + 120, "scope": "customers:read", "roles": ["sales"],
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", encode(&header), encode(&claims));
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signer.sign(input.as_bytes()).await.unwrap()))
    })
}

pub fn request(id: &Value, target: &str, token: &str) -> String {
    let headers = json!({ "authorization": [format!("Bearer {token}")] });
    json!({ "id": id, "method": "GET", "uri": target, "headers": headers, "source_ip": "192.0.2.1", "client_certificate": null })
        .to_string()
}

/// When the tests take place.
pub const NOW: i64 = 1_767_225_600;

pub const CONFIG: &str = "\
issuers:
  edge:
    issuer: https://edge.example.com
    keys: { store: local }
    algorithms: [ES256]
    types: [bridged+jwt]
    max_lifetime: 5m
stores:
  local: { directory: keys }
backends:
  orders:
    issuer: edge
    store: local
    claims: { roles: /roles }
    context: [sub, roles]
    routes:
      - { path: \"/customers/{customer}\", methods: [GET], scopes: [\"customers:read\"] }
audit: { ocsf: stdout }
";
