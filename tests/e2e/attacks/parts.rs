//! Single parts of the chain with the attacker's server on the other side, and the ends of processes.

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
};
use drawbridge_tests::binary::drawbridge;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    sync::mpsc,
    time::timeout,
};

/// A server of the attacker's on loopback that counts what it is asked.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Fake {
    pub(crate) async fn start<A: IntoResponse>(
        answer: impl Fn(&str) -> A + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let router = Router::new().fallback(move |request: Request| {
            count.fetch_add(1, Ordering::SeqCst);
            let answer: Response = answer(request.uri().path()).into_response();
            async move { answer }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, asked }
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// A running `drawbridge serve`, without the rest of the chain.
pub(crate) struct Part {
    _process: Child,
    records: mpsc::UnboundedReceiver<Value>,
    pub(crate) address: String,
    _folder: TempDir,
}

impl Part {
    /// Runs `drawbridge serve <piece>` with a configuration; `more` follows what every piece takes.
    pub(crate) async fn serve(piece: &str, config: &Value, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        std::fs::write(&file, config.to_string()).unwrap();
        let listen = free();
        let mut process = Command::new(drawbridge())
            .args(["serve", piece, "--config"])
            .arg(file)
            .args(["--listen", &listen.to_string()])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let (sender, records) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if let Ok(record) = serde_json::from_str::<Value>(&line)
                    && record["class_uid"] == 6003
                    && sender.send(record).is_err()
                {
                    return;
                }
            }
        });
        let part = Self { _process: process, records, address: format!("http://{listen}"), _folder: folder };
        timeout(Duration::from_secs(30), async {
            while TcpStream::connect(listen).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("`drawbridge serve {piece}` does not listen"));
        part
    }

    /// The reason of the next decision on record.
    pub(crate) async fn reason(&mut self) -> String {
        let record = timeout(Duration::from_secs(10), self.records.recv()).await;
        let record = record.expect("the decision is on record").expect("the part runs");
        record["status_code"].as_str().unwrap().to_owned()
    }
}

/// An address at which nobody listens.
pub(crate) fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// What comes back for bytes that no HTTP library would send. Empty where the other side only hangs up.
pub(crate) async fn raw(base: &str, request: Vec<u8>) -> String {
    let authority = base.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let (mut read, mut write) = TcpStream::connect(authority).await.unwrap().into_split();
    // The other side may hang up before it has read everything.
    let writing = tokio::spawn(async move {
        let _ = write.write_all(&request).await;
        write
    });
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(20), read.read_to_end(&mut answer)).await.expect("an end");
    writing.abort();
    String::from_utf8_lossy(&answer).into_owned()
}

/// The processes below `root` whose command line ends in `command`, as soon as there is one.
pub(crate) async fn descendants(root: u32, command: &[&str]) -> Vec<u32> {
    for _ in 0..500 {
        let found = running(root, command);
        if !found.is_empty() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no {command:?} below {root}");
}

fn running(root: u32, command: &[&str]) -> Vec<u32> {
    let mut found = Vec::new();
    let mut left = vec![root];
    while let Some(process) = left.pop() {
        // What has just ended has neither threads nor a command line.
        for task in std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            left.extend(children.split_ascii_whitespace().map(|id| id.parse::<u32>().unwrap()));
        }
        let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let words: Vec<_> = line.split(|byte| *byte == 0).filter(|word| !word.is_empty()).collect();
        if words.ends_with(&command.iter().map(|word| word.as_bytes()).collect::<Vec<_>>()) {
            found.push(process);
        }
    }
    found
}

/// Sends a signal to these processes.
pub(crate) async fn signal(signal: &str, processes: &[u32]) {
    let processes: Vec<_> = processes.iter().map(u32::to_string).collect();
    let sent = Command::new("kill").arg(signal).args(&processes).status().await.unwrap();
    assert!(sent.success(), "kill {signal} {processes:?}");
}
