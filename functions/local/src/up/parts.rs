use std::{io, process::ExitStatus, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::ChildStdin,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::timeout,
};

use crate::process;

/// A process of the chain, and how to start it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// As it is called in the output.
    pub name: String,
    /// Of this binary.
    pub arguments: Vec<String>,
    /// Beyond what every child inherits.
    pub environment: Vec<(String, String)>,
}

/// What happens to a running part.
#[derive(Debug)]
pub(super) enum Event {
    /// It wrote a line.
    Line {
        /// Which part.
        part: String,
        /// The line without its end.
        line: String,
    },
    /// It ended.
    Ended {
        /// Which part.
        part: String,
        /// How; or why that is not known.
        status: io::Result<ExitStatus>,
    },
}

/// The running parts. Dropping it kills them; [`stop`](Self::stop) lets them end.
pub(super) struct Parts {
    /// Each part ends at the end of its stdin.
    holds: Vec<ChildStdin>,
    waiting: JoinSet<()>,
    sender: UnboundedSender<Event>,
    events: UnboundedReceiver<Event>,
}

impl Parts {
    /// None yet.
    pub(super) fn new() -> Self {
        let (sender, events) = unbounded_channel();
        Self { holds: Vec::new(), waiting: JoinSet::new(), sender, events }
    }

    /// Starts one.
    ///
    /// # Errors
    /// When there can be no new process.
    pub(super) fn start(&mut self, part: Part) -> io::Result<()> {
        let Part { name, arguments, environment } = part;
        let mut child = process::spawn(arguments, environment)?;
        self.holds.extend(child.stdin.take());
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(relay(name.clone(), stdout, self.sender.clone()));
        }
        let stderr = child.stderr.take();
        let sender = self.sender.clone();
        self.waiting.spawn(async move {
            // What it said last often is why it ended: that goes first.
            let relayed = stderr.map(|stderr| tokio::spawn(relay(name.clone(), stderr, sender.clone())));
            let status = child.wait().await;
            if let Some(relayed) = relayed {
                let _ = timeout(LAST_WORDS, relayed).await;
            }
            // Nobody listens any more where this fails.
            let _ = sender.send(Event::Ended { part: name, status });
        });
        Ok(())
    }

    /// What happens next.
    pub(super) async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Ends all parts, and those that do not end by themselves in time with force.
    pub(super) async fn stop(mut self) {
        self.holds.clear();
        let ended = async { while self.waiting.join_next().await.is_some() {} };
        if timeout(STOP, ended).await.is_err() {
            // Dropping a child kills it.
            self.waiting.shutdown().await;
        }
    }
}

impl Default for Parts {
    fn default() -> Self {
        Self::new()
    }
}

/// Passes lines on until the stream ends.
async fn relay(part: String, stream: impl AsyncRead + Unpin, events: UnboundedSender<Event>) {
    let mut lines = BufReader::new(stream).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
        if events.send(Event::Line { part: part.clone(), line }).is_err() {
            return;
        }
    }
}

/// How long parts may take to end.
const STOP: Duration = Duration::from_secs(3);

/// How long the end of a stream may come after the end of its process.
const LAST_WORDS: Duration = Duration::from_millis(500);
