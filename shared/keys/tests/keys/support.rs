use std::{
    collections::HashMap,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{Router, http::HeaderMap, response::IntoResponse, routing::any};
use drawbridge_keys::{
    Fetched, HttpClient, KeyAlgorithm, KeyLimits, KeySource, PrivateJwk, Resolver, SourceError,
};
use drawbridge_verify::{Algorithm, Algorithms, KeyUse, PublicJwk};
use tokio::sync::Semaphore;

pub(crate) const ES256: KeyAlgorithm = KeyAlgorithm::Signature(Algorithm::ES256);

/// A key with a name; every call makes another key.
pub(crate) fn jwk(kid: &str) -> PublicJwk {
    PrivateJwk::generate(ES256).unwrap().public().clone().named(kid, KeyUse::Signing, Algorithm::ES256)
}

/// One that many kids may share, where making thousands would take too long.
pub(crate) fn cheap_jwk(kid: &str) -> PublicJwk {
    static KEY: LazyLock<PublicJwk> = LazyLock::new(|| jwk("any"));
    KEY.clone().named(kid, KeyUse::Signing, Algorithm::ES256)
}

pub(crate) fn es256() -> Algorithms {
    [Algorithm::ES256].into_iter().collect()
}

/// A resolver for the keys of `orders`.
pub(crate) fn of_orders(source: &Arc<Fake>, limits: KeyLimits) -> Resolver {
    let own = "orders".parse().ok();
    Resolver::new(Arc::clone(source) as Arc<dyn KeySource>, own, es256(), false, Vec::new(), limits)
}

/// A resolver for opaque kids.
pub(crate) fn of_anybody(source: &Arc<Fake>, limits: KeyLimits) -> Resolver {
    Resolver::new(Arc::clone(source) as Arc<dyn KeySource>, None, es256(), false, Vec::new(), limits)
}

/// A source in this process that counts, and does as it is told.
pub(crate) struct Fake {
    state: Mutex<State>,
    fetches: AtomicUsize,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    /// A fetch takes one of these; a source that is not stopped has plenty.
    turns: Semaphore,
    whole_sets: bool,
}

#[derive(Default)]
struct State {
    keys: HashMap<String, PublicJwk>,
    failure: Option<SourceError>,
    max_age: Option<Duration>,
    asked: Vec<String>,
}

impl Fake {
    pub(crate) fn of_kids(kids: &[&str]) -> Arc<Self> {
        Self::new(kids, false)
    }

    pub(crate) fn of_sets(kids: &[&str]) -> Arc<Self> {
        Self::new(kids, true)
    }

    fn new(kids: &[&str], whole_sets: bool) -> Arc<Self> {
        let keys = kids.iter().map(|kid| ((*kid).to_owned(), jwk(kid))).collect();
        Arc::new(Self {
            state: Mutex::new(State { keys, ..State::default() }),
            fetches: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            turns: Semaphore::new(Semaphore::MAX_PERMITS),
            whole_sets,
        })
    }

    pub(crate) fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    pub(crate) fn fetches_of(&self, kid: &str) -> usize {
        self.state.lock().unwrap().asked.iter().filter(|asked| *asked == kid).count()
    }

    pub(crate) fn most_under_way(&self) -> usize {
        self.most_under_way.load(Ordering::SeqCst)
    }

    pub(crate) fn put(&self, key: PublicJwk) {
        self.state.lock().unwrap().keys.insert(key.kid().unwrap().to_owned(), key);
    }

    pub(crate) fn remove(&self, kid: &str) {
        self.state.lock().unwrap().keys.remove(kid);
    }

    pub(crate) fn fail(&self, failure: Option<SourceError>) {
        self.state.lock().unwrap().failure = failure;
    }

    pub(crate) fn go_down(&self) {
        self.fail(Some(SourceError::Unavailable("down".to_owned())));
    }

    pub(crate) fn say_fresh_for(&self, seconds: u64) {
        self.state.lock().unwrap().max_age = Some(Duration::from_secs(seconds));
    }

    /// From now on fetches wait.
    pub(crate) fn stop(&self) {
        self.turns.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Fetches wait no longer.
    pub(crate) fn go_on(&self) {
        self.turns.add_permits(1 << 20);
    }
}

#[async_trait]
impl KeySource for Fake {
    async fn fetch(&self, kid: &str) -> Result<Fetched, SourceError> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_under_way.fetch_max(under_way, Ordering::SeqCst);
        self.state.lock().unwrap().asked.push(kid.to_owned());
        let _leave = Leave(&self.under_way);
        self.turns.acquire().await.unwrap().forget();
        let state = self.state.lock().unwrap();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        let keys: Vec<PublicJwk> = if self.whole_sets {
            state.keys.values().cloned().collect()
        } else {
            vec![state.keys.get(kid).ok_or(SourceError::NotFound)?.clone()]
        };
        Ok(Fetched { keys, max_age: state.max_age })
    }

    fn reads_whole_sets(&self) -> bool {
        self.whole_sets
    }
}

struct Leave<'c>(&'c AtomicUsize);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Lets tasks in the background run; time stands still.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Moves the paused clock.
pub(crate) async fn after(seconds: f64) {
    tokio::time::advance(Duration::from_secs_f64(seconds)).await;
    settle().await;
}

pub(crate) fn client() -> HttpClient {
    HttpClient::new(Duration::from_secs(10), true).unwrap()
}

/// An HTTP server on loopback that gives one answer to everything, and remembers what it was asked.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<(String, HeaderMap)>>>,
}

impl Server {
    pub(crate) async fn answering<A>(answer: impl Fn(String) -> A + Clone + Send + Sync + 'static) -> Self
    where
        A: IntoResponse + Send + 'static,
    {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<(String, HeaderMap)>>> = Arc::default();
        let remembered = Arc::clone(&asked);
        let app = Router::new().fallback(any(move |uri: axum::http::Uri, headers: HeaderMap| {
            remembered.lock().unwrap().push((uri.to_string(), headers));
            let answer = answer(uri.to_string());
            async move { answer }
        }));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, asked }
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
    }

    pub(crate) fn headers(&self, name: &str) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .flat_map(|(_, headers)| headers.get_all(name))
            .map(|value| value.to_str().unwrap().to_owned())
            .collect()
    }
}
