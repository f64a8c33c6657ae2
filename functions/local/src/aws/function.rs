//! A Lambda function: a queue of invocations, and as many execution environments as are needed to work it off.
//!
//! An environment runs one process and gives it one invocation at a time. A second one is started when every one there is has
//! something to do, up to the function's concurrency. A process that dies fails its invocation and is started again, at first at
//! once and then less and less often; meanwhile what only a dead environment could work off fails at once. An invocation that is
//! overdue ends its process, as a Lambda function's time-out does.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use thiserror::Error;
use tokio::{
    net::TcpListener,
    sync::{Mutex as AsyncMutex, Notify, mpsc, oneshot},
    task::JoinSet,
    time::{Instant, timeout_at},
};
use uuid::Uuid;

use super::{process::Launch, runtime_api};
use crate::output::error_line;

/// A running function. Dropping it ends its processes.
pub(crate) struct Function {
    shared: Arc<Shared>,
    environments: Mutex<JoinSet<()>>,
    concurrency: usize,
    limit: Duration,
}

/// What all execution environments of a function share.
pub(crate) struct Shared {
    pub(crate) name: &'static str,
    queue: mpsc::Sender<Invocation>,
    invocations: AsyncMutex<mpsc::Receiver<Invocation>>,
    in_flight: AtomicUsize,
    launch: Launch,
}

/// One event on its way to a process.
pub(crate) struct Invocation {
    pub(crate) id: String,
    pub(crate) payload: Bytes,
    pub(crate) deadline: Instant,
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// What comes of an invocation.
pub(crate) type Answer = Result<Bytes, InvokeError>;

/// An invocation without a payload for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum InvokeError {
    /// The function returned an error.
    #[error("{message}")]
    Function {
        /// `errorMessage`, which API Gateway goes by.
        message: String,
    },
    /// It took longer than the function's limit.
    #[error("task timed out")]
    TimedOut,
    /// The process ended, or was not there.
    #[error("the runtime exited without an answer")]
    Exited,
    /// The answer was larger than Lambda takes.
    #[error("the answer is too large")]
    TooLarge,
}

impl Function {
    /// Starts the first environment.
    pub(crate) fn start(name: &'static str, launch: Launch, concurrency: usize, limit: Duration) -> Self {
        let (queue, invocations) = mpsc::channel(QUEUE);
        let shared = Shared {
            name,
            queue,
            invocations: AsyncMutex::new(invocations),
            in_flight: AtomicUsize::new(0),
            launch,
        };
        let function = Self { shared: Arc::new(shared), environments: Mutex::default(), concurrency, limit };
        function.lock().spawn(Environment::run(Arc::clone(&function.shared)));
        function
    }

    /// Invokes the function with one event.
    ///
    /// # Errors
    /// [`InvokeError`].
    pub(crate) async fn invoke(&self, payload: Bytes) -> Answer {
        let in_flight = InFlight::count(&self.shared.in_flight);
        {
            let mut environments = self.lock();
            if in_flight.0 > environments.len() && environments.len() < self.concurrency {
                environments.spawn(Environment::run(Arc::clone(&self.shared)));
            }
        }
        let (answer, answered) = oneshot::channel();
        let deadline = Instant::now() + self.limit;
        let invocation = Invocation { id: Uuid::new_v4().to_string(), payload, deadline, answer };
        let queued_and_answered = async {
            self.shared.queue.send(invocation).await.map_err(|_| InvokeError::Exited)?;
            answered.await.unwrap_or(Err(InvokeError::Exited))
        };
        timeout_at(deadline, queued_and_answered).await.unwrap_or(Err(InvokeError::TimedOut))
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.environments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// The next invocation that somebody still waits for; None when there will be no more.
    pub(crate) async fn next(&self) -> Option<Invocation> {
        let mut invocations = self.invocations.lock().await;
        loop {
            let invocation = invocations.recv().await?;
            if !invocation.answer.is_closed() {
                return Some(invocation);
            }
        }
    }

    /// Fails what comes in for as long as there is no process to give it to.
    async fn refuse_for(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while let Ok(Some(invocation)) = timeout_at(until, self.next()).await {
            // Whoever asked may have gone.
            let _ = invocation.answer.send(Err(InvokeError::Exited));
        }
    }
}

/// One execution environment: one process at a time, with at most one invocation.
#[derive(Default)]
pub(crate) struct Environment {
    state: Mutex<State>,
    overdue: Notify,
}

#[derive(Default)]
struct State {
    /// The process is gone, or on its way.
    closed: bool,
    current: Option<(String, oneshot::Sender<Answer>)>,
}

impl Environment {
    /// Keeps a process running for as long as it is polled.
    async fn run(shared: Arc<Shared>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let started = Instant::now();
            let ended = Self::run_once(&shared).await;
            if started.elapsed() > STEADY {
                pause = FIRST_PAUSE;
            }
            error_line(&format!(
                "the function `{}` ended ({ended}); starting it again in {pause:?}",
                shared.name
            ));
            shared.refuse_for(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Runs one process to its end, and says how that came.
    async fn run_once(shared: &Arc<Shared>) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let (listener, address) = match listener.and_then(|listener| Ok((listener.local_addr()?, listener))) {
            Ok((address, listener)) => (listener, address),
            Err(error) => return format!("no address for the runtime API: {error}"),
        };
        let environment = Arc::new(Self::default());
        let process = match (shared.launch)(address) {
            Ok(process) => process,
            Err(error) => return error.to_string(),
        };
        let api = axum::serve(listener, runtime_api::router(Arc::clone(shared), Arc::clone(&environment)));
        let ended = tokio::select! {
            ended = process => ended,
            stopped = api.into_future() => format!("the runtime API stopped: {stopped:?}"),
            () = environment.overdue.notified() => "timed out".to_owned(),
        };
        environment.close();
        ended
    }

    /// Takes an invocation on; fails it when there is no process any more. One that the process has left unanswered fails.
    pub(crate) fn begin(
        self: &Arc<Self>,
        id: &str,
        deadline: Instant,
        answer: oneshot::Sender<Answer>,
    ) -> bool {
        let mut state = self.lock();
        if state.closed {
            let _ = answer.send(Err(InvokeError::Exited));
            return false;
        }
        if let Some((_, left)) = state.current.replace((id.to_owned(), answer)) {
            let _ = left.send(Err(InvokeError::Exited));
        }
        drop(state);
        let (environment, id) = (Arc::downgrade(self), id.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep_until(deadline).await;
            let Some(environment) = environment.upgrade() else { return };
            if environment.lock().current.as_ref().is_some_and(|(current, _)| *current == id) {
                environment.overdue.notify_one();
            }
        });
        true
    }

    /// Hands the answer to whoever waits for it. False when the process was not asked for this one.
    pub(crate) fn finish(&self, id: &str, result: Answer) -> bool {
        let mut state = self.lock();
        match state.current.take() {
            Some((current, answer)) if current == id => {
                let _ = answer.send(result);
                true
            }
            other => {
                state.current = other;
                false
            }
        }
    }

    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        if let Some((_, answer)) = state.current.take() {
            let _ = answer.send(Err(InvokeError::Exited));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts an invocation for as long as it lives.
struct InFlight<'c>(usize, &'c AtomicUsize);

impl<'c> InFlight<'c> {
    fn count(counter: &'c AtomicUsize) -> Self {
        Self(counter.fetch_add(1, Ordering::Relaxed) + 1, counter)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Invocations that wait for a process; more of them wait for a place.
const QUEUE: usize = 1024;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A process that ran for this long did not fail to start.
const STEADY: Duration = Duration::from_secs(10);

#[cfg(test)]
pub(crate) mod tests;
