use drawbridge_verify::JwkSet;
use quick_cache::sync::Cache;
use reqwest::header::HeaderValue;
use url::Url;

use crate::{
    Fetched, HttpClient, SourceError,
    http::{self, Answer, Got},
};

/// Key sets with their entity tags, so that one that has not changed is not sent and parsed again (RFC 9110 section 13.1.2).
pub(crate) struct Unchanged(Cache<String, Tagged>);

#[derive(Clone)]
struct Tagged {
    tag: HeaderValue,
    fetched: Fetched,
}

impl Unchanged {
    pub(crate) fn new() -> Self {
        Self(Cache::new(ADDRESSES))
    }

    /// Fetches a key set that is `accepted`. What is kept has been accepted before: of an unchanged one only its freshness is new,
    /// where the answer says so (RFC 9111 section 4.3.4).
    ///
    /// # Errors
    /// Those of the client, and `Refused` for what is no key set, is not accepted, or is said not to have changed when nobody asked.
    pub(crate) async fn fetch(
        &self,
        client: &HttpClient,
        url: &Url,
        accepted: impl FnOnce(&Answer, &Fetched) -> Result<(), SourceError> + Send,
    ) -> Result<Fetched, SourceError> {
        let kept = self.0.get(url.as_str());
        match client.get_unless(url, http::JWK_SET, kept.as_ref().map(|kept| &kept.tag)).await? {
            Got::Unchanged(max_age) => {
                let Tagged { fetched, .. } =
                    kept.ok_or_else(|| SourceError::Refused("not modified, which nobody asked".to_owned()))?;
                Ok(Fetched { max_age: max_age.or(fetched.max_age), ..fetched })
            }
            Got::Answer(answer) => {
                let set =
                    JwkSet::parse(&answer.body).map_err(|error| SourceError::Refused(error.to_string()))?;
                let fetched = Fetched { keys: set.into_keys(), max_age: answer.max_age };
                accepted(&answer, &fetched)?;
                match answer.tag {
                    Some(tag) => self.0.insert(url.to_string(), Tagged { tag, fetched: fetched.clone() }),
                    None => drop(self.0.remove(url.as_str())),
                }
                Ok(fetched)
            }
        }
    }
}

/// As many as a resolver keeps keys; a whole set has one.
const ADDRESSES: usize = 256;
