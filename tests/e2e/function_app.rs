//! The Function App: as it is packaged, and its `proxy` function in the running chain.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what breaks must fail loudly"
)]

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use drawbridge_tests::{
    binary::{build, drawbridge},
    chain::Chain,
    corpus::token,
    forge::ChainForge,
    http::{get, send},
};
use serde_json::{Value, json};
use zip::ZipArchive;

#[tokio::test]
async fn a_package_unpacked_is_an_app_that_starts_as_its_host_json_says_and_guards() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("orders.cedar"), "permit (principal, action, resource);").unwrap();
    std::fs::write(
        folder.path().join("deploy.yaml"),
        json!({
            "issuers": { "edge": {
                "issuer": "https://edge.example.com", "algorithms": ["ES256"], "types": ["bridged+jwt"],
                "keys": { "jwks": "https://keys.example.com/jwks/{backend}/{kid}" },
            } },
            "backends": { "orders": {
                "issuer": "edge", "upstream": "https://orders.example.com", "policy": ["orders.cedar"],
                "routes": [{ "path": "/customers", "methods": ["GET"], "scopes": ["customers:read"], "policy": true }],
            } },
        })
        .to_string(),
    )
    .unwrap();
    let packed = Command::new(drawbridge())
        .args(["package", "azure", "--config", "deploy.yaml", "--output", "app.zip", "--binary"])
        .arg(build("drawbridge-azure-functions", "drawbridge-azure-functions"))
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(packed.status.success(), "{packed:?}");
    let app = folder.path().join("app");
    let mut zip = ZipArchive::new(std::fs::File::open(folder.path().join("app.zip")).unwrap()).unwrap();
    zip.extract(&app).unwrap();

    let host: Value = serde_json::from_slice(&std::fs::read(app.join("host.json")).unwrap()).unwrap();
    let executable = host["customHandler"]["description"]["defaultExecutablePath"].as_str().unwrap();
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let _handler = Handler(
        Command::new(app.join(executable))
            .current_dir(&app)
            .env_clear()
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("DRAWBRIDGE_BACKEND", "orders")
            .stdout(Stdio::null())
            .spawn()
            .expect("the executable bit is set"),
    );
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let base = format!("http://127.0.0.1:{port}");
    assert_eq!(get(&base, "/", None).await.status, 200);
    assert_eq!(get(&base, "/api/proxy/customers", None).await.status, 401);
    assert_eq!(get(&base, "/api/jwks/orders/orders.sig.1", None).await.status, 404);
}

#[tokio::test]
async fn a_body_larger_than_any_buffer_passes_the_proxy_of_the_running_chain_and_none_that_is_denied() {
    let config = json!({
        "issuers": {
            "login": {
                "issuer": "https://login.example.com", "audience": "https://api.example.com", "keys": "discovery",
                "algorithms": ["RS256"],
            },
            "edge": {
                "issuer": "https://edge.example.com",
                "keys": { "jwks": "https://keys.example.com/jwks/{backend}/{kid}" },
                "algorithms": ["ES256"], "types": ["bridged+jwt"], "max_lifetime": "5m",
            },
        },
        "stores": { "azure": { "key_vault": { "url": "https://contoso-keys.vault.azure.net" } } },
        "backends": { "orders": {
            "issuer": "edge", "store": "azure", "upstream": "https://orders.example.com",
            "routes": [{ "path": "/customers", "methods": ["POST"], "scopes": ["customers:write"] }],
        } },
        "consumers": "login",
        "local": { "azure": { "mode": "proxy" } },
    });
    let chain = Chain::start_with(&config.to_string()).await;
    let forge = ChainForge::open(&chain, "orders").await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let body = "a".repeat(32 << 20);
    for (scope, status) in [("customers:write", 200), ("customers:read", 403)] {
        let token = token(&forge, now, &json!({}), &json!({ "scope": scope }));
        let headers = [("authorization", &*format!("Bearer {token}")), ("x-drawbridge-sub", "eve")];
        let answer = send("POST", chain.address("azure"), "/api/proxy/customers", &headers, &body).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        if status == 200 {
            let told = answer.json();
            assert_eq!((&told["body_bytes"], &told["caller"]["sub"]), (&json!(body.len()), &json!("alice")));
            assert_eq!((&told["method"], &told["path"]), (&json!("POST"), &json!("/customers")));
        }
        let decision = chain.decision(|decision| decision["subject"] == "gate").await;
        assert_eq!(decision["reason"] == "allowed", status == 200, "{decision}");
    }
}

struct Handler(Child);

impl Drop for Handler {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
