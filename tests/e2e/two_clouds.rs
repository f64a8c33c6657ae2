//! One `drawbridge.yaml` in two clouds. Tokens are minted at one edge with keys that are in Secrets Manager and in Key Vault, and
//! checked by a Lambda authorizer behind an API Gateway that was not written here, and by a Function App with a managed identity.
//!
//! ```text
//!                   ┌▶ API Gateway ─▶ orders        the bridge signs with Secrets Manager's key; the gate has the public one
//! consumer ─▶ edge ─┤                               of the JWKS function
//!               │   └▶ Function App ─▶ billing      Key Vault signs for the bridge, and unwraps for the gate
//!             bridge
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "test code: what breaks must fail loudly"
)]

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use drawbridge_keys::Kid;
use drawbridge_tests::{
    binary::{build, drawbridge},
    http::{Answer, get, send},
    key_vault::KeyVault,
    parts::{MiniStack, Process, free_address},
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Everything runs; whatever it started ends with it.
struct World {
    aws: MiniStack,
    vault: KeyVault,
    folder: TempDir,
    /// The APIs in front of `orders` and of `billing`, and the key endpoints.
    orders: String,
    billing: String,
    keys: [String; 2],
    idp: SocketAddr,
    bridge: SocketAddr,
    edge: SocketAddr,
    processes: Vec<Process>,
}

impl World {
    async fn start() -> Option<Self> {
        let (aws, vault) = (MiniStack::start()?, KeyVault::start().await);
        let folder = tempfile::tempdir().unwrap();
        let [idp, bridge, edge, app, behind_aws, behind_azure] = [(); 6].map(|()| free_address());
        let file = folder.path().join("drawbridge.yaml");

        // AWS: the functions read the file when they are first called.
        let jwks = json!({ "DRAWBRIDGE_CONFIG": file, "AWS_ENDPOINT_URL": aws.url() });
        let jwks = aws.function("jwks", &build("drawbridge-aws-jwks", "aws-jwks"), jwks).await;
        let jwks =
            json!({ "integrationType": "AWS_PROXY", "integrationUri": jwks, "payloadFormatVersion": "2.0" });
        let keys = aws.http_api("keys", jwks, None).await;
        let authorizer = json!({ "DRAWBRIDGE_CONFIG": file, "DRAWBRIDGE_BACKEND": "orders" });
        let binary = build("drawbridge-aws-authorizer", "aws-authorizer");
        let authorizer = aws.function("authorizer", &binary, authorizer).await;
        let authorizer = json!({
            "name": "drawbridge", "authorizerType": "REQUEST", "authorizerResultTtlInSeconds": 0,
            "authorizerUri":
                format!("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{authorizer}/invocations"),
            "authorizerPayloadFormatVersion": "2.0", "enableSimpleResponses": true,
            "identitySource": ["$request.header.Authorization"],
        });
        // Emulator: what the real one calls `$context.authorizer.sub` has `lambda` in its name.
        let integration = json!({
            "integrationType": "HTTP_PROXY", "integrationMethod": "ANY", "payloadFormatVersion": "1.0",
            "integrationUri": format!("http://{behind_aws}"),
            "requestParameters": {
                "overwrite:header.x-drawbridge-sub": "$context.authorizer.lambda.sub",
                "overwrite:header.x-drawbridge-roles": "$context.authorizer.lambda.roles",
            },
        });
        let orders = aws.http_api("orders", integration, Some(authorizer)).await;
        let billing = format!("http://{app}/api/proxy");
        let keys = [keys, format!("http://{app}/api")];

        let decisions = folder.path().join("decisions.jsonl");
        let text = CONFIG
            .replace("IDP", &format!("http://{idp}"))
            .replace("AWS_KEYS", &keys[0])
            .replace("AZURE_KEYS", &keys[1])
            .replace("VAULT", &vault.url())
            .replace("ORDERS", &orders)
            .replace("BILLING", &billing)
            .replace("DECISIONS", decisions.to_str().unwrap());
        std::fs::write(&file, text).unwrap();

        let mut world =
            Self { aws, vault, folder, orders, billing, keys, idp, bridge, edge, processes: Vec::new() };
        for (store, backend) in STORES {
            world.keys(store, &["create", "--backend", backend]);
        }
        world.keys("azure", &["create", "--backend", "billing", "--use", "enc"]);
        for (name, address) in [("orders", behind_aws), ("billing", behind_azure)] {
            world.serve(&["backend", "--name", name], address);
        }
        let config = ["--config", file.to_str().unwrap()];
        let state = world.folder.path().join("state");
        world.serve(&[&["idp", "--state", state.to_str().unwrap()], &config[..]].concat(), idp);
        world.serve(&[&["edge", "--bridge", &bridge.to_string()], &config[..]].concat(), edge);
        let mut command = world.command(build("drawbridge-edge-bridge", "edge-bridge"));
        command.env("DRAWBRIDGE_LISTEN", bridge.to_string());
        world.run(command, bridge);
        let mut command =
            world.vault.command(&build("drawbridge-azure-functions", "drawbridge-azure-functions"));
        command
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", app.port().to_string())
            .env("DRAWBRIDGE_CONFIG", &file)
            .env("DRAWBRIDGE_BACKEND", "billing")
            .env("DRAWBRIDGE_UPSTREAM", format!("http://{behind_azure}"));
        world.run(command, app);
        Some(world)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("drawbridge.yaml")
    }

    /// A program that deals with both clouds, with the credentials of each.
    fn command(&self, program: PathBuf) -> Command {
        let mut command = self.vault.command(&program);
        command
            .env("DRAWBRIDGE_CONFIG", self.file())
            .env("AWS_ENDPOINT_URL", self.aws.url())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env_remove("AWS_SESSION_TOKEN")
            .env_remove("AWS_PROFILE");
        command
    }

    fn run(&mut self, mut command: Command, address: SocketAddr) {
        self.processes.push(Process::start(command.stdout(Stdio::null())).ready(address));
    }

    fn serve(&mut self, arguments: &[&str], address: SocketAddr) {
        let mut command = Command::new(drawbridge());
        command.arg("serve").args(arguments).args(["--listen", &address.to_string()]).stdin(Stdio::null());
        self.run(command, address);
    }

    /// `drawbridge keys`, for either cloud.
    fn keys(&self, store: &str, arguments: &[&str]) -> Value {
        let (verb, rest) = arguments.split_first().unwrap();
        let mut command = self.command(drawbridge().to_owned());
        command.args(["keys", verb, "--format", "json", "--store", store, "--config"]);
        let output = command.arg(self.file()).args(rest).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    async fn consumer(&self, scope: &str) -> String {
        let form = format!("grant_type=client_credentials&client_id=demo&client_secret=demo&scope={scope}");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = send("POST", &format!("http://{}", self.idp), "/token", &headers, &form).await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    async fn through_edge(&self, target: &str, token: &str) -> Answer {
        get(&format!("http://{}", self.edge), target, Some(token)).await
    }

    /// What the bridge mints for a consumer's request.
    async fn bridged(&self, target: &str, token: &str) -> String {
        let answer = get(&format!("http://{}/ext-authz", self.bridge), target, Some(token)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned()
    }

    /// Sends a bridged token past the edge: the status, and the reason that the gate gave.
    async fn at(&self, base: &str, target: &str, token: &str) -> (u16, String) {
        let answer = get(base, target, Some(token)).await;
        (answer.status.as_u16(), self.decisions().pop().unwrap())
    }

    /// The reasons of everybody's decisions.
    fn decisions(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("decisions.jsonl")).unwrap();
        let reason = |line: &str| {
            serde_json::from_str::<Value>(line).unwrap()["status_code"].as_str().unwrap().to_owned()
        };
        text.lines().map(reason).collect()
    }
}

/// Which store has whose keys.
const STORES: [(&str, &str); 2] = [("aws", "orders"), ("azure", "billing")];

const CONFIG: &str = r#"
issuers:
  login:
    issuer: IDP
    audience: https://api.example.com
    keys: discovery
    algorithms: [RS256]
    types: [at+jwt]
    relax: [allow_http_on_loopback]
  edge-to-aws:
    issuer: https://edge.example.com
    keys: { jwks: "AWS_KEYS/jwks/{backend}/{kid}" }
    algorithms: [ES256]
    types: [bridged+jwt]
    max_lifetime: 5m
    key_cache: { fresh: 1s, stale: 1m }
    relax: [allow_http_on_loopback]
  edge-to-azure:
    issuer: https://edge.example.com
    keys: { jwks: "AZURE_KEYS/jwks/{backend}/{kid}" }
    algorithms: [ES256]
    types: [bridged+jwt]
    max_lifetime: 5m
    key_cache: { fresh: 1s, stale: 1m }
    relax: [allow_http_on_loopback]
stores:
  aws: { secrets_manager: { prefix: drawbridge, region: eu-west-1 } }
  azure: { key_vault: { url: "VAULT" } }
backends:
  orders:
    issuer: edge-to-aws
    store: aws
    upstream: "ORDERS"
    claims: { roles: /realm_access/roles }
    routes:
      - { path: "/customers/{customer}", methods: [GET], scopes: ["customers:read"] }
    context: [sub, roles]
  billing:
    issuer: edge-to-azure
    store: azure
    encryption: required
    upstream: "BILLING"
    claims: { roles: /realm_access/roles }
    routes:
      - { path: "/invoices/{invoice}", methods: [GET], scopes: ["invoices:read"] }
    context: [sub, roles]
consumers: login
audit: { ocsf: "DECISIONS" }
"#;

/// The kid of a token that is signed and not encrypted.
fn kid(token: &str) -> String {
    let header = BASE64URL.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_minted_at_the_edge_is_checked_in_each_cloud() {
    let Some(world) = World::start().await else { return };
    let consumer = world.consumer("customers:read+invoices:read").await;

    // Each backend is told who calls, by its own cloud's gate.
    for (backend, target) in [("orders", "/customers/42"), ("billing", "/invoices/7")] {
        let answer = world.through_edge(&format!("/{backend}{target}"), &consumer).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told = answer.json();
        assert_eq!((&told["backend"], &told["path"]), (&json!(backend), &json!(target)));
        assert_eq!(told["caller"]["sub"], "demo");
        assert_eq!(told["caller"]["roles"], r#"["sales"]"#);
    }
    assert_eq!(world.decisions(), ["allowed"; 4], "the edge and the gate of each");
    let reader = world.consumer("customers:read").await;
    assert_eq!(world.through_edge("/billing/invoices/7", &reader).await.status, 403);

    // A token is one backend's. (Emulator: an HTTP API's `Unauthorized` is a 500; the real one answers 401.)
    let to_orders = world.bridged("/orders/customers/42", &consumer).await;
    let to_billing = world.bridged("/billing/invoices/7", &consumer).await;
    assert_eq!((to_orders.split('.').count(), to_billing.split('.').count()), (3, 5));
    let (orders, billing) = (&world.orders, &world.billing);
    let allowed = (200, "allowed".to_owned());
    assert_eq!(world.at(orders, "/customers/42", &to_orders).await, allowed);
    assert_eq!(world.at(billing, "/invoices/7", &to_billing).await, allowed);
    for (base, target, token, status) in [
        (orders, "/customers/42", &to_billing, 500),
        (billing, "/invoices/7", &to_orders, 401),
        (orders, "/customers/42", &consumer, 500),
        (billing, "/invoices/7", &consumer, 401),
    ] {
        let (answered, reason) = world.at(base, target, token).await;
        assert_eq!(answered, status, "{reason}");
        assert_ne!(reason, "allowed");
    }

    // Each key endpoint publishes the keys of its own cloud.
    let mut kids: Vec<Kid> = Vec::new();
    for (store, _) in STORES {
        let listed = world.keys(store, &["list"]);
        kids.extend(
            listed.as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().parse::<Kid>().unwrap()),
        );
    }
    assert_eq!(kids.len(), 3);
    for kid in &kids {
        let path = format!("/jwks/{}/{kid}", kid.backend);
        let home = usize::from(kid.backend.as_str() == "billing");
        for (cloud, keys) in world.keys.iter().enumerate() {
            let status = if cloud == home { 200 } else { 404 };
            assert_eq!(get(keys, &path, None).await.status, status, "{kid}");
        }
    }

    // Both signing keys are rotated and the old ones revoked: what those had signed is refused before it expires.
    let mut revoked: BTreeSet<Kid> = BTreeSet::new();
    for (store, backend) in STORES {
        world.keys(store, &["rotate", "--backend", backend]);
        let is_old = |kid: &&Kid| kid.backend.as_str() == backend && kid.key_use.name() == "sig";
        let old = kids.iter().find(is_old).unwrap();
        world.keys(store, &["revoke", &old.to_string()]);
        revoked.insert(old.clone());
    }
    assert!(revoked.iter().any(|revoked| revoked.to_string() == kid(&to_orders)));
    // The key endpoint keeps a key for 10 s, a gate for `fresh` after that, and the bridge signs with it for at most 10 s.
    let until = Instant::now() + Duration::from_secs(120);
    let unknown = "key.unknown".to_owned();
    while world.at(orders, "/customers/42", &to_orders).await != (500, unknown.clone())
        || world.at(billing, "/invoices/7", &to_billing).await != (401, unknown.clone())
        || world.through_edge("/orders/customers/42", &consumer).await.status != 200
        || world.through_edge("/billing/invoices/7", &consumer).await.status != 200
    {
        assert!(Instant::now() < until, "{:?}", world.decisions().last_chunk::<8>());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_ne!(kid(&world.bridged("/orders/customers/42", &consumer).await), kid(&to_orders));

    // The vault signed and unwrapped. Nobody asked it for anything but that, public keys, and new and revoked versions.
    let requests = world.vault.requests();
    let count = |operation: &str| requests.iter().filter(|request| request.ends_with(operation)).count();
    assert!(count("/sign") >= 3 && count("/unwrapkey") >= 3, "{requests:?}");
    for request in &requests {
        let (method, path) = request.split_once(' ').unwrap();
        assert!(path == "/keys" || path.starts_with("/keys/"), "{request}");
        let operation = path.split('/').nth(4);
        let known = match method {
            "GET" => operation.is_none(),
            "PATCH" => operation.is_none(),
            "POST" => matches!(operation, Some("sign" | "unwrapkey")) || path.ends_with("/create"),
            _ => false,
        };
        assert!(known, "{request}");
    }
}
