//! AWS's services as others wrote them.

use std::{
    io::{Cursor, Write},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{Process, free_address, part};
use crate::http::send;

/// MiniStack: Secrets Manager, KMS, IAM, Lambda and API Gateway, with nothing kept between runs. Takes any credentials.
#[derive(Debug)]
pub struct MiniStack {
    address: SocketAddr,
    _process: Process,
    /// Where it unpacks functions.
    _folder: TempDir,
}

/// moto: a second opinion on Secrets Manager. Takes any credentials.
#[derive(Debug)]
pub struct Moto {
    address: SocketAddr,
    _process: Process,
}

impl MiniStack {
    /// Starts it with functions run as processes. None after a loud line when it is not installed.
    pub fn start() -> Option<Self> {
        let binary = part("python/bin/ministack")?;
        let (address, folder) = (free_address(), tempfile::tempdir().unwrap());
        let process = Process::start(
            Command::new(binary)
                .env("GATEWAY_PORT", address.port().to_string())
                .env("BIND_HOST", "127.0.0.1")
                .env("MINISTACK_HOST", "127.0.0.1")
                .env("LAMBDA_EXECUTOR", "local")
                .env("PERSIST_STATE", "0")
                .env("DOCKER_HOST", "")
                .env("TMPDIR", folder.path())
                .env("LOG_LEVEL", "ERROR")
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )
        .ready(address);
        Some(Self { address, _process: process, _folder: folder })
    }

    /// The endpoint of every service, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// One request of AWS's REST protocols. MiniStack takes the service from the scope of a signature that it does not check.
    pub async fn ask(&self, service: &str, path: &str, body: &Value) -> Value {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let headers = [("authorization", scope.as_str()), ("content-type", "application/json")];
        let method = if path.contains("/methods/") { "PUT" } else { "POST" };
        let answer = send(method, &self.url(), path, &headers, &body.to_string()).await;
        assert!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.text());
        answer.json()
    }

    /// A function whose `bootstrap` is a built binary. Gives its ARN.
    pub async fn function(&self, name: &str, binary: &Path, environment: Value) -> String {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("bootstrap", SimpleFileOptions::default().unix_permissions(0o755)).unwrap();
        // A debug build is 40 MB: what is packed is the way to it.
        zip.write_all(format!("#!/bin/sh\nexec '{}'\n", binary.display()).as_bytes()).unwrap();
        let zip = STANDARD.encode(zip.finish().unwrap().into_inner());
        let made = self
            .ask(
                "lambda",
                "/2015-03-31/functions",
                &json!({
                    "FunctionName": name, "Runtime": "provided.al2023", "Handler": "bootstrap",
                    "Role": "arn:aws:iam::000000000000:role/test", "Timeout": 30,
                    "Code": { "ZipFile": zip }, "Environment": { "Variables": environment },
                }),
            )
            .await;
        made["FunctionArn"].as_str().unwrap().to_owned()
    }

    /// An HTTP API of which every request goes to `integration`, through `authorizer` where there is one. Gives its address.
    pub async fn http_api(&self, name: &str, integration: Value, authorizer: Option<Value>) -> String {
        let api = self.ask("apigateway", "/v2/apis", &json!({ "name": name, "protocolType": "HTTP" })).await;
        let api = api["apiId"].as_str().unwrap();
        let at = format!("/v2/apis/{api}");
        let integration = self.ask("apigateway", &format!("{at}/integrations"), &integration).await;
        let target = format!("integrations/{}", integration["integrationId"].as_str().unwrap());
        let mut route = json!({ "routeKey": "$default", "target": target });
        if let Some(authorizer) = authorizer {
            let made = self.ask("apigateway", &format!("{at}/authorizers"), &authorizer).await;
            route["authorizationType"] = json!("CUSTOM");
            route["authorizerId"] = made["authorizerId"].clone();
        }
        self.ask("apigateway", &format!("{at}/routes"), &route).await;
        self.ask(
            "apigateway",
            &format!("{at}/stages"),
            &json!({ "stageName": "$default", "autoDeploy": true }),
        )
        .await;
        format!("{}/_aws/execute-api/{api}/$default", self.url())
    }
}

impl Moto {
    /// Starts it. None after a loud line when it is not installed.
    pub fn start() -> Option<Self> {
        let binary = part("python/bin/moto_server")?;
        let address = free_address();
        let process = Process::start(
            Command::new(binary)
                .args(["-H", "127.0.0.1", "-p", &address.port().to_string()])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )
        .ready(address);
        Some(Self { address, _process: process })
    }

    /// The endpoint of every service, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
