use std::{
    error::Error as _,
    sync::{Arc, OnceLock},
    time::Duration,
};

use drawbridge_verify::JwkSet;
use reqwest::{
    Certificate, Client, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH},
    redirect::Policy,
};
use thiserror::Error;
use url::{Host, Url};

use crate::{SourceError, freshness};

/// The one HTTP client of a process: TLS only (unless loopback is allowed by name), no redirects, bounded answers.
///
/// * `https` alone; `http` to `localhost`, `127.0.0.0/8` or `[::1]` where `allow_http_on_loopback` is set.
/// * Redirects are not followed, cookies not kept, `HTTP_PROXY` and its siblings not read.
/// * Connecting may take a second, the whole exchange the time-out that was given; answers have at most 64 KiB.
/// * Nothing is loaded before the first request: the machine's root certificates cost about 3 ms ([`warm`](Self::warm)).
///
/// Clones share connections.
#[derive(Clone)]
pub struct HttpClient(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    timeout: Duration,
    loopback: bool,
    environment_proxy: bool,
    /// Instead of the machine's.
    roots: Option<Vec<Certificate>>,
    tls: OnceLock<Result<Client, RemoteError>>,
    plain: OnceLock<Result<Client, RemoteError>>,
}

/// An address or client that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct RemoteError(pub String);

/// An answer with status 200 and one of the content types that were asked for.
pub(crate) struct Answer {
    pub(crate) body: Vec<u8>,
    /// What [`freshness`] made of the headers.
    pub(crate) max_age: Option<Duration>,
    /// `ETag`, where it is one that fits into a request.
    pub(crate) tag: Option<HeaderValue>,
}

/// What a conditional request is answered with.
pub(crate) enum Got {
    Answer(Answer),
    /// Status 304, and what [`freshness`] made of its headers.
    Unchanged(Option<Duration>),
}

/// `application/jwk-set+json` (RFC 7517 section 8.5.2), and what most issuers send.
pub(crate) const JWK_SET: &[&str] = &["application/jwk-set+json", "application/json"];
/// OpenID Connect Discovery 1.0 section 4.2.
pub(crate) const JSON: &[&str] = &["application/json"];

/// The longest time that connecting may take; what is left of the time-out is for the answer.
const CONNECT: Duration = Duration::from_secs(1);
/// The longest entity tag that is kept, in bytes; digests have some 50.
const MAX_TAG: usize = 256;
/// Connections are not kept for longer, because a frozen function wakes up with dead ones.
const IDLE: Duration = Duration::from_secs(30);

impl HttpClient {
    /// `timeout` bounds one whole exchange: connecting, TLS, the answer and its body. It belongs inside the authorizer's budget.
    ///
    /// # Errors
    /// When the time-out is zero.
    pub fn new(timeout: Duration, allow_http_on_loopback: bool) -> Result<Self, RemoteError> {
        if timeout.is_zero() {
            return Err(RemoteError("the time-out of the key source is zero".to_owned()));
        }
        Ok(Self(Arc::new(Inner {
            timeout,
            loopback: allow_http_on_loopback,
            environment_proxy: false,
            roots: None,
            tls: OnceLock::new(),
            plain: OnceLock::new(),
        })))
    }

    /// The same client trusting these root certificates alone, for a private certificate authority. `pem` may hold several.
    ///
    /// # Errors
    /// When `pem` holds no certificate, or something else.
    pub fn with_roots(self, pem: &[u8]) -> Result<Self, RemoteError> {
        let roots = Certificate::from_pem_bundle(pem)
            .map_err(|_| RemoteError("the root certificates are not PEM certificates".to_owned()))?;
        if roots.is_empty() {
            return Err(RemoteError("there is no certificate among the root certificates".to_owned()));
        }
        Ok(self.changed(|inner| inner.roots = Some(roots)))
    }

    /// The same client going through the proxy that `HTTPS_PROXY` and `NO_PROXY` name. Loopback never does.
    #[must_use]
    pub fn with_environment_proxy(self) -> Self {
        self.changed(|inner| inner.environment_proxy = true)
    }

    /// Loads the root certificates now, so that the first request need not. Blocks for a few milliseconds.
    ///
    /// # Errors
    /// When the TLS library cannot start: most often a machine without root certificates.
    pub fn warm(&self) -> Result<(), RemoteError> {
        self.0.tls().map(|_| ())
    }

    fn changed(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Inner { tls: OnceLock::new(), plain: OnceLock::new(), ..(*self.0).clone() };
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// Parses an address that keys may be fetched from.
    pub(crate) fn address(&self, text: &str) -> Result<Url, RemoteError> {
        let url =
            Url::parse(text).map_err(|error| RemoteError(format!("`{text}` is not an address: {error}")))?;
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(RemoteError("the address has a user name, a password or a fragment".to_owned()));
        }
        match url.scheme() {
            "https" => Ok(url),
            "http" if !is_loopback(&url) => {
                Err(RemoteError(format!("`{text}` is not fetched over TLS; use an `https` address")))
            }
            "http" if self.0.loopback => Ok(url),
            "http" => Err(RemoteError(format!(
                "`{text}` is not fetched over TLS; use an `https` address, or name `allow_http_on_loopback` for a laptop"
            ))),
            _ => Err(RemoteError(format!("`{text}` is not an `https` address"))),
        }
    }

    /// Gets `url`, which [`address`](Self::address) made. `NotFound` for the statuses 404 and 410.
    pub(crate) async fn get(
        &self,
        url: &Url,
        accept: &'static [&'static str],
    ) -> Result<Answer, SourceError> {
        match self.get_unless(url, accept, None).await? {
            Got::Answer(answer) => Ok(answer),
            Got::Unchanged(_) => Err(SourceError::Refused("not modified, which nobody asked".to_owned())),
        }
    }

    /// As [`get`](Self::get), unless what is there still has this entity tag.
    pub(crate) async fn get_unless(
        &self,
        url: &Url,
        accept: &'static [&'static str],
        tag: Option<&HeaderValue>,
    ) -> Result<Got, SourceError> {
        // An address that was changed after it was admitted would be a mistake of ours; better refused than fetched.
        self.address(url.as_str()).map_err(|error| SourceError::Refused(error.0))?;
        let client = if url.scheme() == "https" { self.0.tls() } else { self.0.plain() };
        let client = client.map_err(|error| SourceError::Unavailable(error.0))?;
        let mut request = client.get(url.clone()).header(ACCEPT, accept.join(", "));
        if let Some(tag) = tag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let mut response = request.send().await.map_err(|error| self.0.unavailable(error))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED => return Ok(Got::Unchanged(freshness::of(response.headers()))),
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(SourceError::NotFound),
            status if status.is_redirection() => {
                return Err(SourceError::Refused(format!("status {status}; redirects are not followed")));
            }
            status => return Err(SourceError::Unavailable(format!("status {status}"))),
        }
        if !is_one_of(response.headers(), accept) {
            return Err(SourceError::Refused(format!("its content type is not {}", accept.join(" or "))));
        }
        let max_age = freshness::of(response.headers());
        let tag = response.headers().get(ETAG).filter(|tag| tag.len() <= MAX_TAG).cloned();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.0.unavailable(error))? {
            if body.len() + chunk.len() > JwkSet::MAX_BYTES {
                return Err(SourceError::Refused("longer than 64 KiB".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Got::Answer(Answer { body, max_age, tag }))
    }
}

impl Inner {
    fn tls(&self) -> Result<&Client, RemoteError> {
        let client = self.tls.get_or_init(|| {
            let mut builder = self.builder().https_only(true);
            if let Some(roots) = &self.roots {
                builder = builder.tls_certs_only(roots.iter().cloned());
            }
            if !self.environment_proxy {
                builder = builder.no_proxy();
            }
            build(builder)
        });
        client.as_ref().map_err(Clone::clone)
    }

    /// Loads no root certificates: a laptop may have none, and nothing here speaks TLS.
    fn plain(&self) -> Result<&Client, RemoteError> {
        let client = self.plain.get_or_init(|| build(self.builder().no_proxy().tls_certs_only([])));
        client.as_ref().map_err(Clone::clone)
    }

    fn builder(&self) -> reqwest::ClientBuilder {
        Client::builder()
            .user_agent(concat!("drawbridge/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(CONNECT.min(self.timeout))
            .timeout(self.timeout)
            .pool_idle_timeout(IDLE)
            // The name, too, must stay on this machine.
            .resolve_to_addrs(
                "localhost",
                &[([127, 0, 0, 1], 0).into(), ([0, 0, 0, 0, 0, 0, 0, 1], 0).into()],
            )
    }

    /// The causes, without the address, which the operator knows.
    fn unavailable(&self, error: reqwest::Error) -> SourceError {
        if error.is_timeout() {
            return SourceError::Unavailable(format!("no answer within {} ms", self.timeout.as_millis()));
        }
        let error = error.without_url();
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        SourceError::Unavailable(text)
    }
}

fn build(builder: reqwest::ClientBuilder) -> Result<Client, RemoteError> {
    builder.build().map_err(|error| {
        let cause = error.source().map(ToString::to_string).unwrap_or_default();
        RemoteError(format!("the HTTP client cannot start: {error}: {cause}"))
    })
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Compares the media type without its parameters (RFC 9110 section 8.3.1). One header, exactly.
fn is_one_of(headers: &HeaderMap, accept: &[&str]) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(content_type), None) = (types.next(), types.next()) else { return false };
    let essence = content_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    accept.iter().any(|accepted| essence.eq_ignore_ascii_case(accepted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_over_tls_or_from_this_machine_where_that_is_allowed_by_name() {
        let strict = HttpClient::new(Duration::from_secs(1), false).unwrap();
        let lenient = HttpClient::new(Duration::from_secs(1), true).unwrap();
        for (address, strictly, leniently) in [
            ("https://keys.example.com/jwks", true, true),
            ("https://127.0.0.1/jwks", true, true),
            ("http://127.0.0.1:8080/jwks", false, true),
            ("http://127.9.8.7/jwks", false, true),
            ("http://localhost:8080/jwks", false, true),
            ("http://LOCALHOST/jwks", false, true),
            ("http://[::1]:8080/jwks", false, true),
            ("http://keys.example.com/jwks", false, false),
            ("http://localhost.example.com/jwks", false, false),
            ("http://127.0.0.1.example.com/jwks", false, false),
            ("http://localhost@keys.example.com/jwks", false, false),
            ("http://10.0.0.1/jwks", false, false),
            ("http://0.0.0.0/jwks", false, false),
            ("http://169.254.169.254/latest/meta-data", false, false),
            ("http://[::ffff:10.0.0.1]/jwks", false, false),
            ("https://user@keys.example.com/jwks", false, false),
            ("https://user:secret@keys.example.com/jwks", false, false),
            ("https://keys.example.com/jwks#fragment", false, false),
            ("file:///etc/passwd", false, false),
            ("ftp://keys.example.com/jwks", false, false),
            ("data:application/json,{}", false, false),
            ("keys.example.com/jwks", false, false),
            ("", false, false),
        ] {
            assert_eq!(strict.address(address).is_ok(), strictly, "{address}");
            assert_eq!(lenient.address(address).is_ok(), leniently, "{address}");
        }
    }

    #[test]
    fn nothing_is_loaded_before_the_first_request() {
        let client = HttpClient::new(Duration::from_secs(1), true).unwrap();
        let _ = client.address("https://keys.example.com/jwks").unwrap();
        assert!(client.0.tls.get().is_none() && client.0.plain.get().is_none());
    }

    #[test]
    fn a_client_that_could_not_work_is_refused() {
        assert!(HttpClient::new(Duration::ZERO, false).is_err());
        let client = HttpClient::new(Duration::from_secs(1), false).unwrap();
        assert!(client.clone().with_roots(b"").is_err());
        assert!(client.with_roots(b"not a certificate").is_err());
    }
}
