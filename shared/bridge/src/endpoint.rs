use std::sync::Arc;

use drawbridge_keys::KeyStore;

/// `GET /jwks/{backend}/{kid}`: a JWK Set of exactly one key, or one 404 for everything else.
pub struct KeyEndpoint {
    _private: (),
}

/// What to answer, for any HTTP surface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAnswer {
    /// 200, 304, 404, 405 or 503.
    pub status: u16,
    /// `Content-Type`, `Cache-Control`, `ETag`.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

impl KeyEndpoint {
    /// `stores`: which store has the keys of each backend.
    pub fn new(stores: impl IntoIterator<Item = (drawbridge_keys::BackendName, Arc<dyn KeyStore>)>) -> Self {
        let _ = stores.into_iter().count();
        todo!()
    }

    /// Answers one request. `path` is the whole path; the endpoint stands at `/jwks`.
    pub async fn answer(&self, method: &str, path: &str, if_none_match: Option<&str>) -> KeyAnswer {
        let _ = (method, path, if_none_match);
        todo!()
    }
}
