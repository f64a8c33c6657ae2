//! An authorizer as Lambda has it, over a key store of its own, and events with tokens of 1 KB of claims.
#![allow(dead_code, unreachable_pub, reason = "the benchmark and the test each use their part")]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use drawbridge_aws_authorizer::{Authorizer, Refusal};
use drawbridge_config::Environment;
use drawbridge_keys::{KeyAlgorithm, KeyStore, Signer, directory::DirectoryStore};
use drawbridge_verify::{Algorithm, KeyUse, UnixTime};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const NOW: i64 = 1_800_000_000;

pub const HTTP_2_0: &str = include_str!("../../src/tests/fixtures/http_2_0.json");
pub const REST_REQUEST: &str = include_str!("../../src/tests/fixtures/rest_request.json");

/// The path of the events, and one of a route with a policy.
pub const PLAIN: &str = "/prod/customers/42";
pub const WITH_POLICY: &str = "/prod/regions/emea/customers";

pub struct House {
    folder: TempDir,
    algorithm: Algorithm,
    pub store: DirectoryStore,
    signer: Arc<dyn Signer>,
}

impl House {
    pub async fn new(algorithm: Algorithm) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = DirectoryStore::new(folder.path().join("keys"));
        let backend = "orders".parse().unwrap();
        store.create(&backend, KeyUse::Signing, KeyAlgorithm::Signature(algorithm)).await.unwrap();
        let signer = store.signer(&backend).await.unwrap();
        let config = CONFIG.replace("ALGORITHM", algorithm.name());
        let stage_wide: String =
            config.lines().filter(|line| !line.contains("polic")).map(|line| format!("{line}\n")).collect();
        std::fs::write(folder.path().join(CONFIGS[0]), config).unwrap();
        std::fs::write(folder.path().join(CONFIGS[1]), stage_wide).unwrap();
        std::fs::write(folder.path().join("orders.cedar"), POLICY).unwrap();
        Self { folder, algorithm, store, signer }
    }

    /// A new authorizer that has its key and has seen no token but one of its own.
    pub async fn authorizer(&self) -> Authorizer {
        self.authorizer_of(false).await
    }

    /// As `authorizer`; or one that answers with one policy for the whole stage, because no route is decided by policies.
    pub async fn authorizer_of(&self, stage_wide: bool) -> Authorizer {
        let authorizer = self.started(!stage_wide);
        let event = HTTP_2_0.replace("{token}", &self.token("the first").await);
        answer(&authorizer, event.as_bytes()).await.unwrap();
        authorizer
    }

    /// An authorizer that has answered nothing yet.
    pub fn started(&self, policies: bool) -> Authorizer {
        Authorizer::from_environment(&Settings::new(&self.config(policies))).unwrap()
    }

    /// The configuration as a file; with `policies` or with one policy as answer for the whole stage.
    pub fn config(&self, policies: bool) -> PathBuf {
        self.folder.path().join(CONFIGS[usize::from(!policies)])
    }

    /// A file in the same folder.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn kid(&self) -> String {
        self.signer.kid().to_string()
    }

    /// A token of its own for each `jti`.
    pub async fn token(&self, jti: &str) -> String {
        self.token_at(jti, NOW).await
    }

    /// A token of its own for each `jti`, good at `now`.
    pub async fn token_at(&self, jti: &str, now: i64) -> String {
        let header = json!({ "alg": self.algorithm.name(), "typ": "bridged+jwt", "kid": self.kid() });
        let input = format!("{}.{}", encode(&header), encode(&claims(jti, now)));
        let signature = self.signer.sign(input.as_bytes()).await.unwrap();
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// Native event bytes in, native answer bytes out, with what the Lambda runtime does to them in between.
pub async fn answer(authorizer: &Authorizer, event: &[u8]) -> Result<Vec<u8>, Refusal> {
    let answer = authorizer.answer(event, "invocation", UnixTime::from_secs(NOW)).await?;
    Ok(serde_json::to_vec(&answer).unwrap())
}

/// Claims as a busy bridge writes them: 1 KB of JSON.
fn claims(jti: &str, now: i64) -> Value {
    let mut claims = json!({
        "iss": "https://edge.example.com", "aud": "orders", "sub": "ada", "client_id": "partner", "jti": jti,
        "iat": now, "exp": now + 120, "txn": "2b0c9f6e-5f3e-4a0f-8a54-1d2f3c4b5a69",
        "scope": "customers:read orders:read orders:write", "roles": ["sales", "auditor"], "region": "emea",
        "act": { "sub": "edge", "act": { "sub": "partner" } }, "acr": "urn:example:loa:2", "auth_time": now - 900,
        "custom": { "tier": 3, "limits": [100, 250, 0.75], "groups": ["a", "b", "c", "d", "e", "f"] }, "note": "",
    });
    let short = 1024 - claims.to_string().len();
    claims["note"] = "n".repeat(short).into();
    claims
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

struct Settings(BTreeMap<&'static str, String>);

impl Settings {
    fn new(config: &std::path::Path) -> Self {
        let file = config.display().to_string();
        let mut settings: BTreeMap<_, _> = LAMBDA.into_iter().map(|name| (name, "1".to_owned())).collect();
        settings.extend([("DRAWBRIDGE_BACKEND", "orders".to_owned()), ("DRAWBRIDGE_CONFIG", file)]);
        Self(settings)
    }
}

/// What Lambda tells every function.
pub const LAMBDA: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
];

impl Environment for Settings {
    fn var(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// With a route that policies decide, and without.
const CONFIGS: [&str; 2] = ["drawbridge.yaml", "stage-wide.yaml"];

const CONFIG: &str = r#"
issuers:
  edge:
    issuer: https://edge.example.com
    keys: { store: here }
    algorithms: [ALGORITHM]
    types: [bridged+jwt]
stores:
  here: { directory: keys }
backends:
  orders:
    issuer: edge
    store: here
    policy: [orders.cedar]
    claims: { roles: /roles, region: /region }
    routes:
      - { path: "/customers/{customer}", methods: [GET], scopes: ["customers:read"] }
      - { path: "/customers/{customer}/orders", methods: [GET, POST], scopes: ["orders:read"] }
      - { path: "/regions/{region}/customers", methods: [GET], scopes: ["customers:read"], policy: true }
    context: [sub, roles, txn]
audit: { ocsf: /dev/null }
"#;

pub const POLICY: &str = r#"
@id("own-region")
permit (principal, action == Action::"GET /regions/{region}/customers", resource)
when { principal.roles.contains("sales") && principal.region == resource.region };

@id("admins")
permit (principal, action, resource) when { principal.roles.contains("admin") };

@id("no-suspended")
forbid (principal, action, resource) when { principal.roles.contains("suspended") };
"#;
