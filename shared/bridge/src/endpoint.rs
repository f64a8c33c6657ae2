use std::{collections::BTreeMap, num::NonZeroU32, sync::Arc, time::Duration};

use drawbridge_config::Config;
use drawbridge_gate::OpenStore;
use drawbridge_keys::{BackendName, Keeping, KeptByKid, KeyStore, Kid, StoreError};
use drawbridge_verify::JwkSet;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::{BridgeError, stores::open_stores};

/// `GET /jwks/{backend}/{kid}`: a JWK Set of exactly one key (RFC 7517 section 5), or one 404 for everything else.
///
/// Whatever a kid is (malformed, another backend's, unknown, revoked), a caller who may not have it is told the same bytes. There
/// is no list and no whole set. What it publishes is built from public members alone.
///
/// Two bounds stand before a store. A published key is kept for 10 s, 256 of them; that there is none for 5 s, and that the store
/// could not be asked for 1 s, 1024 of these. Kids that were not found here cost at most 50 lookups a second (100 at once), of which those
/// who ask for the same one share one; beyond that the answer is a 503, which says nothing about the kid, and keys that are being
/// used go on being served.
pub struct KeyEndpoint {
    stores: BTreeMap<BackendName, Arc<dyn KeyStore>>,
    published: KeptByKid<Arc<Document>>,
    strangers: DefaultDirectRateLimiter,
    max_age: Duration,
}

/// What to answer, for any HTTP surface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAnswer {
    /// 200, 304, 404, 405 or 503.
    pub status: u16,
    /// `Content-Type`, `Cache-Control`, and `ETag`, `Allow` or `Retry-After` where they belong.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl KeyEndpoint {
    /// `stores`: which store has the keys of each backend.
    pub fn new(stores: impl IntoIterator<Item = (BackendName, Arc<dyn KeyStore>)>) -> Self {
        Self {
            stores: stores.into_iter().collect(),
            published: KeptByKid::new(KEEPING, KEPT, STRANGERS_KEPT),
            strangers: RateLimiter::direct(Quota::per_second(STRANGERS).allow_burst(STRANGERS_AT_ONCE)),
            max_age: MAX_AGE,
        }
    }

    /// The endpoint of every configured backend that has a store.
    ///
    /// # Errors
    /// When a store cannot be opened.
    pub fn open(config: &Config, open: OpenStore<'_>) -> Result<Self, BridgeError> {
        Ok(Self::new(open_stores(config, |_, store| open(store).map(Some))?))
    }

    /// As [`open`](Self::open) where one app publishes the keys of its own cloud: a store that `open` does not know
    /// ([`StoreError::Unsupported`]) is passed over, and `elsewhere` is told its name.
    ///
    /// # Errors
    /// When a store that `open` knows cannot be opened.
    pub fn open_known(
        config: &Config,
        open: OpenStore<'_>,
        mut elsewhere: impl FnMut(&str),
    ) -> Result<Self, BridgeError> {
        let stores = open_stores(config, |name, store| match open(store) {
            Err(StoreError::Unsupported(_)) => {
                elsewhere(name);
                Ok(None)
            }
            opened => opened.map(Some),
        })?;
        Ok(Self::new(stores))
    }

    /// Sets for how long others may keep a key: whole seconds, 1 minute by default. A revoked key is served by caches for that long,
    /// and by this endpoint for up to 10 s.
    #[must_use]
    pub fn with_max_age(self, max_age: Duration) -> Self {
        Self { max_age, ..self }
    }

    /// What several `If-None-Match` headers say together (RFC 9110 section 5.3). One that is no text names none of our tags.
    pub fn if_none_match<'h>(values: impl IntoIterator<Item = &'h [u8]>) -> Option<String> {
        let tags: Vec<_> = values.into_iter().filter_map(|value| std::str::from_utf8(value).ok()).collect();
        (!tags.is_empty()).then(|| tags.join(","))
    }

    /// Answers one request. `path` is the whole path without a query; the endpoint stands at `/jwks`. What `If-None-Match` says is for
    /// [`if_none_match`](Self::if_none_match) to read.
    pub async fn answer(&self, method: &str, path: &str, if_none_match: Option<&str>) -> KeyAnswer {
        let with_body = match method {
            "GET" => true,
            "HEAD" => false,
            _ => return KeyAnswer::method_not_allowed(),
        };
        let mut answer = match self.find(path).await {
            Ok(document) => self.found(&document, if_none_match),
            Err(Missing::Absent) => KeyAnswer::not_found(),
            Err(Missing::Unavailable) => KeyAnswer::unavailable(),
        };
        if !with_body {
            answer.body.clear();
        }
        answer
    }

    async fn find(&self, path: &str) -> Result<Arc<Document>, Missing> {
        let (kid, store) = self.parse(path).ok_or(Missing::Absent)?;
        let admit = || self.strangers.check().map_err(|_| Missing::Unavailable);
        self.published.get(&kid, admit, Document::read(store, &kid)).await
    }

    /// The kid that a path names, and its store. Nothing else reaches a store.
    fn parse(&self, path: &str) -> Option<(Kid, &dyn KeyStore)> {
        let (backend, kid) = path.strip_prefix("/jwks/")?.split_once('/')?;
        let kid: Kid = kid.parse().ok()?;
        if kid.backend.as_str() != backend {
            return None;
        }
        let store = self.stores.get(&kid.backend)?;
        Some((kid, store.as_ref()))
    }

    fn found(&self, document: &Document, if_none_match: Option<&str>) -> KeyAnswer {
        let mut headers = vec![
            ("Cache-Control", format!("public, max-age={}", self.max_age.as_secs())),
            ("ETag", document.etag.clone()),
        ];
        if if_none_match.is_some_and(|tags| matches(tags, &document.etag)) {
            return KeyAnswer { status: 304, headers, body: String::new() };
        }
        headers.push(("Content-Type", "application/jwk-set+json".to_owned()));
        KeyAnswer { status: 200, headers, body: document.body.clone() }
    }
}

impl KeyAnswer {
    fn not_found() -> Self {
        Self::problem(404, "Not Found", [("Cache-Control", format!("public, max-age={}", ABSENT.as_secs()))])
    }

    fn method_not_allowed() -> Self {
        Self::problem(
            405,
            "Method Not Allowed",
            [("Cache-Control", "no-store".to_owned()), ("Allow", "GET, HEAD".to_owned())],
        )
    }

    fn unavailable() -> Self {
        Self::problem(
            503,
            "Service Unavailable",
            [("Cache-Control", "no-store".to_owned()), ("Retry-After", "1".to_owned())],
        )
    }

    /// RFC 9457, with nothing in it of what was asked.
    fn problem(status: u16, title: &str, headers: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let mut all = vec![("Content-Type", "application/problem+json".to_owned())];
        all.extend(headers);
        let body = format!(r#"{{"type":"about:blank","title":"{title}","status":{status}}}"#);
        Self { status, headers: all, body }
    }
}

struct Document {
    body: String,
    etag: String,
}

/// Why there is no document: outwardly a 404 or a 503.
enum Missing {
    Absent,
    Unavailable,
}

impl From<StoreError> for Missing {
    fn from(error: StoreError) -> Self {
        if error == StoreError::NotFound { Self::Absent } else { Self::Unavailable }
    }
}

impl Document {
    async fn read(store: &dyn KeyStore, kid: &Kid) -> Result<Arc<Self>, StoreError> {
        let key = store.public(kid).await?;
        let name = kid.to_string();
        // A store that gives another key than it was asked for is broken; its answer is nobody's key.
        if key.kid() != Some(name.as_str()) || key.key_use() != Some(kid.key_use) {
            return Err(StoreError::Malformed("it gave another key than it was asked for".to_owned()));
        }
        let etag = format!("\"{name}.{}\"", key.thumbprint());
        Ok(Arc::new(Self { body: JwkSet::of_one(&key), etag }))
    }
}

/// Weak comparison with a list of entity tags (RFC 9110 section 13.1.2). Our tags hold no comma.
fn matches(if_none_match: &str, etag: &str) -> bool {
    if_none_match
        .split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// For how long others may keep a key.
const MAX_AGE: Duration = Duration::from_secs(60);

/// For how long others may keep a 404: a key that is made meanwhile is found soon.
const ABSENT: Duration = Duration::from_secs(5);

/// For how long a key is served without asking its store, be that there or not: gates have caches of their own for an outage, and no
/// way to hear of a revocation but from here.
const KEEP: Duration = Duration::from_secs(10);

const KEEPING: Keeping = Keeping { fresh: KEEP, stale: KEEP, absent: ABSENT, failing: FAILING };

/// How soon a store that could not be asked is asked again, as the answer says.
const FAILING: Duration = Duration::from_secs(1);

/// How many keys are kept.
const KEPT: usize = 256;

/// How many kids that were not found are remembered.
const STRANGERS_KEPT: usize = 1024;

/// Lookups a second of kids that were not found here.
const STRANGERS: NonZeroU32 = NonZeroU32::new(50).unwrap();

/// Of those, at once.
const STRANGERS_AT_ONCE: NonZeroU32 = NonZeroU32::new(100).unwrap();
