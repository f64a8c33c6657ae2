//! The host's life with its handler (`DefaultHttpWorkerService.cs`, `HttpFunctionInvocationDispatcher.cs` of
//! azure-functions-host).
//!
//! * The handler has started when it gives any HTTP answer at `/`, which is asked every 25 ms; only a failed connection means
//!   that it has not.
//! * If it has not within `initializationTimeout`, or ends, that is an error event: it is started again.
//! * Three error events, each within 30 minutes of the one before, and the host stops the app.

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use uuid::Uuid;

use crate::output::error_line;

/// Starts a handler.
pub(super) trait Launch: Send + Sync + 'static {
    /// Starts it on a port. The future ends when the handler does, with how; the handler ends when the future is dropped.
    fn launch(&self, port: u16, worker_id: &str) -> io::Result<BoxFuture<'static, String>>;

    /// Whose handler it is, for messages.
    fn name(&self) -> &str;
}

/// The one handler process of an app, kept running.
pub(super) struct Worker {
    state: watch::Receiver<State>,
    patience: Duration,
    supervisor: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Ready(u16),
    Stopped,
}

impl Worker {
    pub(super) fn start(
        launch: Arc<dyn Launch>,
        client: reqwest::Client,
        initialization_timeout: Duration,
    ) -> Self {
        let (sender, state) = watch::channel(State::Starting);
        let supervisor = tokio::spawn(supervise(launch, client, initialization_timeout, sender));
        Self { state, patience: initialization_timeout, supervisor }
    }

    /// The handler's port, once it is ready. None when the app was stopped, or the handler takes too long.
    pub(super) async fn port(&self) -> Option<u16> {
        let mut state = self.state.clone();
        let settled = timeout(self.patience, state.wait_for(|state| *state != State::Starting));
        match *settled.await.ok()?.ok()? {
            State::Ready(port) => Some(port),
            State::Starting | State::Stopped => None,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.supervisor.abort();
    }
}

async fn supervise(
    launch: Arc<dyn Launch>,
    client: reqwest::Client,
    initialization_timeout: Duration,
    state: watch::Sender<State>,
) {
    let mut errors = ErrorEvents::default();
    loop {
        state.send_replace(State::Starting);
        let why = run(launch.as_ref(), &client, initialization_timeout, &state).await;
        let name = launch.name();
        error_line(&format!("the handler of `{name}` failed: {why}"));
        if errors.record(Instant::now()) {
            state.send_replace(State::Stopped);
            error_line(&format!("the app of `{name}` is stopped: its handler failed three times"));
            return;
        }
    }
}

/// One life of the handler; how it ended.
async fn run(
    launch: &dyn Launch,
    client: &reqwest::Client,
    initialization_timeout: Duration,
    state: &watch::Sender<State>,
) -> String {
    let started = match free_port().await {
        Ok(port) => launch.launch(port, &Uuid::new_v4().to_string()).map(|ended| (port, ended)),
        Err(error) => Err(error),
    };
    let (port, mut ended) = match started {
        Ok(started) => started,
        Err(error) => return format!("it cannot be started: {error}"),
    };
    tokio::select! {
        biased;
        why = &mut ended => return why,
        () = ready(client, port) => {}
        () = sleep(initialization_timeout) => {
            return format!("it did not answer at `/` within {} s", initialization_timeout.as_secs_f32());
        }
    }
    state.send_replace(State::Ready(port));
    ended.await
}

/// A port that nobody has, as the host picks one for its handler.
async fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?.port())
}

/// Ends with the first HTTP answer, whatever it is.
async fn ready(client: &reqwest::Client, port: u16) {
    while let Err(error) = client.get(format!("http://127.0.0.1:{port}/")).send().await {
        if !error.is_connect() {
            return;
        }
        sleep(POLL).await;
    }
}

/// The handler's failures.
#[derive(Debug, Default)]
struct ErrorEvents {
    count: u32,
    latest: Option<Instant>,
}

impl ErrorEvents {
    /// Whether the app is to be stopped.
    fn record(&mut self, at: Instant) -> bool {
        if self.latest.is_some_and(|latest| at.duration_since(latest) > FORGET) {
            self.count = 0;
        }
        self.latest = Some(at);
        self.count += 1;
        self.count >= 3
    }
}

/// `WorkerConstants.WorkerReadyCheckPollingIntervalMilliseconds`.
const POLL: Duration = Duration::from_millis(25);

/// `WorkerConstants.WorkerRestartErrorIntervalThresholdInMinutes`.
const FORGET: Duration = Duration::from_secs(30 * 60);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use futures_util::FutureExt;
    use http::StatusCode;

    use super::*;
    use crate::{azure::testing::Fake, proxy};

    #[tokio::test]
    async fn any_answer_at_the_root_says_that_the_handler_is_ready() {
        let handler = Fake::new(Router::new().fallback(|| async { StatusCode::INTERNAL_SERVER_ERROR }));
        let worker = Worker::start(handler, proxy::client().unwrap(), PATIENCE);
        assert!(worker.port().await.is_some());
    }

    #[tokio::test]
    async fn a_handler_that_comes_late_is_waited_for() {
        struct Late;
        impl Launch for Late {
            fn launch(&self, port: u16, _: &str) -> io::Result<BoxFuture<'static, String>> {
                Ok(async move {
                    sleep(POLL * 4).await;
                    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
                    axum::serve(listener, Router::new()).await.unwrap();
                    String::new()
                }
                .boxed())
            }
            fn name(&self) -> &str {
                "late"
            }
        }
        let worker = Worker::start(Arc::new(Late), proxy::client().unwrap(), PATIENCE);
        assert!(worker.port().await.is_some());
    }

    #[tokio::test]
    async fn a_handler_that_ends_is_started_again_and_after_the_third_time_the_app_is_stopped() {
        let lives = Arc::new(AtomicUsize::new(0));
        let worker = Worker::start(
            Arc::new(Mortal { lives: Arc::clone(&lives), serves: true }),
            proxy::client().unwrap(),
            PATIENCE,
        );
        let mut state = worker.state.clone();
        state.wait_for(|state| *state == State::Stopped).await.unwrap();
        assert_eq!(worker.port().await, None);
        assert_eq!(lives.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn a_handler_that_never_answers_is_one_that_failed() {
        let lives = Arc::new(AtomicUsize::new(0));
        let worker = Worker::start(
            Arc::new(Mortal { lives: Arc::clone(&lives), serves: false }),
            proxy::client().unwrap(),
            Duration::from_millis(60),
        );
        let mut state = worker.state.clone();
        state.wait_for(|state| *state == State::Stopped).await.unwrap();
        assert_eq!(lives.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn three_error_events_within_half_an_hour_of_each_other_stop_the_app() {
        let start = Instant::now();
        let minute = Duration::from_secs(60);
        for (minutes, stops) in [
            (&[0, 1, 2][..], [false, false, true].as_slice()),
            (&[0, 29, 58], &[false, false, true]),
            (&[0, 1, 32, 33, 34], &[false, false, false, false, true]),
            (&[0, 31, 62, 93], &[false, false, false, false]),
        ] {
            let mut errors = ErrorEvents::default();
            let recorded: Vec<bool> = minutes.iter().map(|at| errors.record(start + minute * *at)).collect();
            assert_eq!(recorded, stops, "{minutes:?}");
        }
    }

    /// Ends soon after it answered, or never answers.
    struct Mortal {
        lives: Arc<AtomicUsize>,
        serves: bool,
    }

    impl Launch for Mortal {
        fn launch(&self, port: u16, _: &str) -> io::Result<BoxFuture<'static, String>> {
            self.lives.fetch_add(1, Ordering::SeqCst);
            if !self.serves {
                return Ok(std::future::pending().boxed());
            }
            Ok(async move {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
                let _ = timeout(POLL * 4, axum::serve(listener, Router::new()).into_future()).await;
                "it had enough".to_owned()
            }
            .boxed())
        }

        fn name(&self) -> &str {
            "mortal"
        }
    }

    const PATIENCE: Duration = Duration::from_secs(10);
}
