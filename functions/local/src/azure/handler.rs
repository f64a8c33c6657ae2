//! The handler as a process of its own: this binary again, as `drawbridge function azure`.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use drawbridge_azure_functions::contract;
use drawbridge_keys::BackendName;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    time::timeout,
};
use url::Url;

use crate::{
    azure::{AzureBackend, CLIENT_CERTIFICATE, worker::Launch},
    process::spawn_function,
};

/// Starts the handler of one backend.
pub(super) struct HandlerProcess {
    backend: BackendName,
    upstream: Url,
    config: PathBuf,
}

impl HandlerProcess {
    pub(super) fn new(backend: AzureBackend, config: PathBuf) -> Self {
        Self { backend: backend.name, upstream: backend.upstream, config }
    }

    /// What the host gives its child (`HttpWorkerProcess.cs`) and the settings of the app.
    fn environment(&self, port: u16, worker_id: &str) -> Vec<(String, String)> {
        let folder = self.config.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
        [
            (contract::PORT, port.to_string()),
            (contract::WORKER_ID, worker_id.to_owned()),
            (contract::APP_ROOT, if folder.is_empty() { ".".to_owned() } else { folder }),
            ("DRAWBRIDGE_CONFIG", self.config.display().to_string()),
            ("DRAWBRIDGE_BACKEND", self.backend.to_string()),
            // The gateway writes it, or takes it away.
            ("DRAWBRIDGE_CLIENT_CERTIFICATE_HEADER", CLIENT_CERTIFICATE.to_string()),
            // What the configuration calls the upstream is this gateway, to which the edge sends.
            ("DRAWBRIDGE_UPSTREAM", self.upstream.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}

impl Launch for HandlerProcess {
    fn launch(&self, port: u16, worker_id: &str) -> io::Result<BoxFuture<'static, String>> {
        let mut child = spawn_function("azure", self.environment(port, worker_id))?;
        let hold = child.stdin.take();
        let lines = [
            child.stdout.take().map(|pipe| pass_on(pipe).boxed()),
            child.stderr.take().map(|pipe| pass_on(pipe).boxed()),
        ];
        Ok(async move {
            let mut said = tokio::spawn(futures_util::future::join_all(lines.into_iter().flatten()));
            let ended = child.wait().await;
            drop(hold);
            // What it said last is there already; what it started, if anything, must not keep the pipe open for ever.
            if timeout(LAST_WORDS, &mut said).await.is_err() {
                said.abort();
            }
            match ended {
                Ok(status) => format!("it ended with {status}"),
                Err(error) => format!("it cannot be waited for: {error}"),
            }
        }
        .boxed())
    }

    fn name(&self) -> &str {
        self.backend.as_str()
    }
}

/// The handler's lines are this process's: one log, unchanged.
async fn pass_on(pipe: impl AsyncRead + Unpin + Send) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    while let Ok(1..) = reader.read_until(b'\n', &mut line).await {
        if !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        let mut stdout = io::stdout().lock();
        // A log that nobody reads must not stop the gateway.
        let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
        line.clear();
    }
}

const LAST_WORDS: Duration = Duration::from_millis(200);
