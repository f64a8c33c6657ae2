//! `drawbridge up` as a user starts it, with ports of its own and a state folder that goes with it.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    sync::Notify,
    time::timeout,
};

use crate::{
    binary::drawbridge,
    http::{Answer, get, send},
    tls::Client,
};

/// A running chain. Everything it started ends with it.
pub struct Chain {
    process: Child,
    ready: Value,
    events: Arc<Events>,
    /// Removed with the chain.
    folder: TempDir,
}

#[derive(Default)]
struct Events {
    decisions: Mutex<VecDeque<Value>>,
    arrived: Notify,
}

impl Chain {
    /// The chain of the built-in sample.
    pub async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), &[]).await
    }

    /// The chain of a configuration of one's own.
    pub async fn start_with(config: &str) -> Self {
        Self::start_in_folder(tempfile::tempdir().unwrap(), config).await
    }

    /// As [`start_with`](Self::start_with), in a folder that has the policies that the configuration names.
    pub async fn start_in_folder(folder: TempDir, config: &str) -> Self {
        let file = folder.path().join("drawbridge.yaml");
        std::fs::write(&file, config).unwrap();
        Self::start_in(folder, &["--config", file.to_str().unwrap()]).await
    }

    /// As [`start_with`](Self::start_with), under mutual TLS.
    pub async fn start_under_tls(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("drawbridge.yaml");
        std::fs::write(&file, config).unwrap();
        Self::start_in(folder, &["--mtls", "--config", file.to_str().unwrap()]).await
    }

    async fn start_in(folder: TempDir, arguments: &[&str]) -> Self {
        let mut process = Command::new(drawbridge())
            .args(["up", "--port", "0", "--format", "json", "--state"])
            .arg(folder.path().join("state"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = timeout(Duration::from_secs(60), async {
            loop {
                let line =
                    lines.next_line().await.unwrap().expect("`drawbridge up` ended before it was ready");
                if let Ok(event) = serde_json::from_str::<Value>(&line)
                    && event["event"] == "ready"
                {
                    return event;
                }
            }
        })
        .await
        .expect("`drawbridge up` was not ready in time");

        let events = Arc::new(Events::default());
        let collected = Arc::clone(&events);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(event) = serde_json::from_str::<Value>(&line)
                    && event["event"] == "decision"
                {
                    collected.decisions.lock().unwrap().push_back(event);
                    collected.arrived.notify_waiters();
                }
            }
        });
        Self { process, ready, events, folder }
    }

    /// An address that the chain printed: `edge`, `aws`, `keys`, `azure`, `idp`.
    pub fn address(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {}", self.ready))
    }

    /// The whole `ready` event.
    pub fn ready(&self) -> &Value {
        &self.ready
    }

    /// The process id of `drawbridge up`.
    pub fn id(&self) -> u32 {
        self.process.id().expect("it is running")
    }

    /// The folder in which the chain keeps its keys and its effective configuration.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// A client of a chain under mutual TLS, with the certificate of this name or with none.
    pub fn client(&self, name: Option<&str>) -> Client {
        Client::new(&self.certificates(), name)
    }

    /// The folder of the certificates of a chain under mutual TLS.
    pub fn certificates(&self) -> PathBuf {
        PathBuf::from(self.address("certificates"))
    }

    /// The configuration that the chain wrote for its parts.
    pub fn effective_config(&self) -> PathBuf {
        PathBuf::from(
            self.ready["config"].as_str().unwrap_or_else(|| panic!("no `config` in {}", self.ready)),
        )
    }

    /// The folder of the test.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A consumer's token from the chain's identity provider.
    pub async fn token(&self, client: &str, scope: &str) -> String {
        let form = format!(
            "grant_type=client_credentials&client_id={client}&client_secret={client}&scope={}",
            scope.replace(' ', "+")
        );
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = send("POST", self.address("idp"), "/token", &headers, &form).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["access_token"].as_str().expect("an access token").to_owned()
    }

    /// A consumer's request through the edge.
    pub async fn through_edge(&self, target: &str, token: Option<&str>) -> Answer {
        get(self.address("edge"), target, token).await
    }

    /// The next decision on record for which `wanted` holds; earlier ones that it does not want are dropped.
    pub async fn decision(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        timeout(Duration::from_secs(10), async {
            loop {
                let arrived = self.events.arrived.notified();
                while let Some(decision) = self.events.decisions.lock().unwrap().pop_front() {
                    if wanted(&decision) {
                        return decision;
                    }
                }
                arrived.await;
            }
        })
        .await
        .expect("the decision is on record")
    }

    /// Ends the chain as Ctrl-C does, and gives its exit status.
    pub async fn interrupt(mut self) -> std::process::ExitStatus {
        let id = self.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
        timeout(Duration::from_secs(10), self.process.wait()).await.expect("Ctrl-C ends it").unwrap()
    }
}
