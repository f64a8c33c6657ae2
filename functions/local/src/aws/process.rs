//! A function's process, and what it writes.

use std::{
    io::{self, Write},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use crate::process::spawn_function;

/// A running process: resolves when it has ended, with how; dropping it ends the process.
pub(crate) type Running = Pin<Box<dyn Future<Output = String> + Send>>;

/// Starts a process that polls the Runtime API at the given address.
pub(crate) type Launch = Arc<dyn Fn(SocketAddr) -> io::Result<Running> + Send + Sync>;

/// Starts `drawbridge function <name>`.
pub(crate) fn launch(name: &'static str, environment: Vec<(String, String)>) -> Launch {
    Arc::new(move |runtime_api| {
        let mut environment = environment.clone();
        environment.push(("AWS_LAMBDA_RUNTIME_API".to_owned(), runtime_api.to_string()));
        let mut child = spawn_function(name, environment)?;
        // Waiting for a child closes its stdin, and the end of its stdin is the end of the child.
        let hold = child.stdin.take();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        Ok(Box::pin(async move {
            let (status, (), ()) = tokio::join!(child.wait(), forward(stdout), forward(stderr));
            drop(hold);
            status.map_or_else(|error| error.to_string(), |status| status.to_string())
        }))
    })
}

/// Passes each line on to stdout as it is, as Lambda does to the function's log: audit lines are among them.
async fn forward(from: Option<impl AsyncRead + Unpin>) {
    let Some(from) = from else { return };
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        if !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        let mut stdout = io::stdout().lock();
        // Where nobody reads any more the function goes on.
        let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
        line.clear();
    }
}
