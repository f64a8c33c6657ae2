use async_trait::async_trait;
use drawbridge_verify::is_kid;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use crate::{
    BackendName, Fetched, HttpClient, KeySource, RemoteError, SourceError, http::Answer, unchanged::Unchanged,
};

/// `keys: { jwks: URL }`: with `{backend}` and `{kid}` in the path one key at a time, without them a whole set.
///
/// One key at a time: the answer must be a set of exactly one key, of exactly the kid that was asked for; 404 and 410 say that
/// there is no such key. A whole set: anything but a set is a failure. Either way a set with private members, two keys of one
/// kid, more than 64 keys or more than 64 KiB is refused whole.
pub struct JwksUrl {
    client: HttpClient,
    address: Address,
    unchanged: Unchanged,
}

enum Address {
    Set(Url),
    /// Everything before, between and after the places where the kid goes.
    OfKid(Vec<String>),
}

/// How `{backend}` and `{kid}` look in a path once it has been parsed.
const BACKEND: &str = "%7Bbackend%7D";
const KID: &str = "%7Bkid%7D";

impl JwksUrl {
    /// # Errors
    /// When the address is not `https` (or allowed loopback), has placeholders outside its path or others than `{backend}` and
    /// `{kid}`, or names a backend where there is none.
    pub fn new(client: HttpClient, template: &str, backend: Option<&str>) -> Result<Self, RemoteError> {
        let refused = |what: &str| RemoteError(format!("`{template}` {what}"));
        let mut url = client.address(template)?;
        // A query is no place for a kid, because many caches ignore it; a host is none, because it is who we trust.
        let fixed = [url.host_str(), url.query()];
        if fixed.into_iter().flatten().any(|part| part.contains(['{', '}'])) {
            return Err(refused("has a placeholder outside its path"));
        }
        let mut path = url.path().to_owned();
        if path.contains(BACKEND) {
            let backend: BackendName = backend
                .ok_or_else(|| {
                    refused("names `{backend}`, but the keys of this issuer are not those of one backend")
                })?
                .parse()
                .map_err(|error| RemoteError(format!("`{}`: {error}", backend.unwrap_or_default())))?;
            path = path.replace(BACKEND, backend.as_str());
        }
        let fixed = path.replace(KID, "");
        if fixed.contains("%7B") || fixed.contains("%7D") {
            return Err(refused("has a placeholder that is neither `{backend}` nor `{kid}`"));
        }
        url.set_path(&path);
        let address = match path.contains(KID) {
            true => Address::OfKid(url.as_str().split(KID).map(str::to_owned).collect()),
            false => Address::Set(url),
        };
        Ok(Self { client, address, unchanged: Unchanged::new() })
    }

    async fn of_kid(&self, parts: &[String], kid: &str) -> Result<Fetched, SourceError> {
        if !is_kid(kid) {
            return Err(SourceError::NotFound);
        }
        // No character of a kid needs escaping, but `.` and `..` are no names: such an address changes when it is parsed.
        let text = parts.join(kid);
        let url = self.client.address(&text).map_err(|error| SourceError::Refused(error.0))?;
        if url.as_str() != text {
            return Err(SourceError::NotFound);
        }
        let accepted = |answer: &Answer, fetched: &Fetched| match fetched.keys.as_slice() {
            [key] if key.kid() == Some(kid) && length(&answer.body) == Some(1) => Ok(()),
            _ => Err(SourceError::Refused("not a set of exactly the one key that was asked for".to_owned())),
        };
        self.unchanged.fetch(&self.client, &url, accepted).await
    }
}

#[async_trait]
impl KeySource for JwksUrl {
    async fn fetch(&self, kid: &str) -> Result<Fetched, SourceError> {
        match &self.address {
            Address::Set(url) => whole_set(&self.client, url, &self.unchanged).await,
            Address::OfKid(parts) => self.of_kid(parts, kid).await,
        }
    }

    fn reads_whole_sets(&self) -> bool {
        matches!(self.address, Address::Set(_))
    }
}

/// Fetches a whole set. That there is none is a failure of the source: it says nothing about any key.
pub(crate) async fn whole_set(
    client: &HttpClient,
    url: &Url,
    unchanged: &Unchanged,
) -> Result<Fetched, SourceError> {
    unchanged.fetch(client, url, |_, _| Ok(())).await.map_err(|error| match error {
        SourceError::NotFound => SourceError::Unavailable("there is no key set at its address".to_owned()),
        other => other,
    })
}

/// How many keys a set that has been parsed has, those of unsupported types included.
fn length(body: &[u8]) -> Option<usize> {
    #[derive(Deserialize)]
    struct Set<'a> {
        #[serde(borrow)]
        keys: Vec<&'a RawValue>,
    }
    serde_json::from_slice(body).ok().map(|set: Set<'_>| set.keys.len())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn new(template: &str, backend: Option<&str>) -> Result<JwksUrl, RemoteError> {
        JwksUrl::new(HttpClient::new(Duration::from_secs(1), true).unwrap(), template, backend)
    }

    #[test]
    fn placeholders_are_taken_in_the_path_alone() {
        for (template, backend, accepted) in [
            ("https://k.example.com/jwks/{backend}/{kid}", Some("orders"), true),
            ("https://k.example.com/jwks/{backend}/{kid}?v=1", Some("orders"), true),
            ("https://k.example.com/jwks/{backend}.{kid}.json", Some("orders"), true),
            ("https://k.example.com/jwks/{backend}.json", Some("orders"), true),
            ("https://k.example.com/jwks.json", None, true),
            ("https://k.example.com/jwks/{kid}", None, true),
            ("http://127.0.0.1:8080/jwks/{backend}/{kid}", Some("orders"), true),
            ("https://k.example.com/jwks/{backend}/{kid}", None, false),
            ("https://k.example.com/jwks/{backend}/{kid}", Some("../admin"), false),
            ("https://k.example.com/jwks?kid={kid}", None, false),
            ("https://k.example.com/jwks/{kid}?b={backend}", Some("orders"), false),
            ("https://k.example.com/jwks#{kid}", None, false),
            ("https://{backend}.example.com/jwks/{kid}", Some("orders"), false),
            ("https://{kid}@k.example.com/jwks", None, false),
            ("https://k.example.com:{kid}/jwks", None, false),
            ("{kid}://k.example.com/jwks", None, false),
            ("https://k.example.com/jwks/{tenant}/{kid}", None, false),
            ("https://k.example.com/jwks/{kid", None, false),
            ("http://k.example.com/jwks/{kid}", None, false),
        ] {
            assert_eq!(new(template, backend).is_ok(), accepted, "{template} {backend:?}");
        }
    }

    #[test]
    fn an_address_without_a_kid_is_that_of_a_whole_set() {
        assert!(new("https://k.example.com/{backend}/jwks.json", Some("orders")).unwrap().reads_whole_sets());
        assert!(!new("https://k.example.com/{backend}/{kid}", Some("orders")).unwrap().reads_whole_sets());
    }

    #[tokio::test]
    async fn attack_06_a_kid_that_would_change_the_address_is_not_asked_for() {
        // Nothing listens at the discard port: whatever is asked for there would be `Unavailable`.
        for template in [
            "http://127.0.0.1:9/jwks/{kid}",
            "http://127.0.0.1:9/jwks/.{kid}",
            "http://127.0.0.1:9/{kid}/key",
        ] {
            for kid in ["..", "../x", "a/b", "a?b", "a#b", "%2e%2e", "a\\b", "", "a b", "a\r\nb", "é"] {
                let fetched = new(template, None).unwrap().fetch(kid).await;
                let dotted = template.contains("/.{kid}") && kid == "..";
                if !dotted {
                    assert_eq!(fetched.err(), Some(SourceError::NotFound), "{template} {kid}");
                }
            }
        }
        assert_eq!(
            new("http://127.0.0.1:9/jwks/.{kid}", None).unwrap().fetch(".").await.err(),
            Some(SourceError::NotFound)
        );
        assert_eq!(
            new("http://127.0.0.1:9/jwks/{kid}", None).unwrap().fetch(".").await.err(),
            Some(SourceError::NotFound)
        );
    }
}
