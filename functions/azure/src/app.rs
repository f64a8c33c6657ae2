//! The functions, whatever the form in which they are called.

use std::{error::Error, sync::Arc, time::Duration};

use drawbridge_bridge::KeyEndpoint;
use drawbridge_config::{Config, Store};
use drawbridge_forward::strip;
use drawbridge_gate::{
    AuditEvent, AuditSink, Deny, ForwardAuth, Gate, Headers, Reason, Request, Subject, gate_for_backend,
    is_identity_header, open_audit, open_directory, problem,
};
use drawbridge_keys::{BackendName, Clock, HttpClient, KeyStore, StoreError, SystemClock};
use drawbridge_serve::log;
use drawbridge_verify::Relaxation;
use http::{HeaderMap, HeaderName, Method, Response, StatusCode, Uri, header};

use crate::{
    contract,
    proxy::{Proxy, refusal},
    settings::{Function, Settings},
};

/// The gate of one backend, the way to what it guards, and the key endpoint.
pub(crate) struct App {
    gate: Gate,
    proxy: Option<Proxy>,
    keys: KeyEndpoint,
    audit: Arc<dyn AuditSink>,
    backend: BackendName,
    credentials: HeaderName,
    client_certificate: Option<HeaderName>,
}

/// A function's request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) function: Function,
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    /// The path below the route prefix.
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) request_id: &'a str,
}

impl App {
    pub(crate) fn build(settings: &Settings, config: &Config) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let audit = open_audit(&config.audit)?;
        let http = HttpClient::new(KEY_FETCH, http_on_loopback(config, &settings.backend))?;
        let gate = gate_for_backend(config, &settings.backend, &http, &open, Arc::clone(&audit))?;
        let configured = config.backends.get(&settings.backend).and_then(|backend| backend.upstream.clone());
        let upstream = settings.upstream.clone().or(configured);
        Ok(Self {
            gate,
            proxy: upstream.map(|upstream| Proxy::new(settings, upstream)).transpose()?,
            keys: KeyEndpoint::open_known(config, &open, |store| {
                log::info(&format!("the keys of the store `{store}` are published elsewhere"));
            })?,
            audit,
            backend: settings.backend.clone(),
            credentials: settings.credentials.clone(),
            client_certificate: settings.client_certificate.clone(),
        })
    }

    pub(crate) async fn answer(&self, call: Call<'_>) -> Response<String> {
        match call.function {
            Function::Authorize => self.authorize(call).await,
            Function::Jwks => self.jwks(call).await,
            Function::Proxy => refusal(
                StatusCode::NOT_IMPLEMENTED,
                "an invocation carries no streams; the Functions host needs enableProxyingHttpRequest",
            ),
        }
    }

    /// Where there is an upstream, the way to it.
    pub(crate) fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_ref()
    }

    /// What the upstream is told of a request that may go on.
    ///
    /// # Errors
    /// What to answer to one that may not.
    pub(crate) async fn grant(&self, call: Call<'_>, target: &str) -> Result<HeaderMap, Response<String>> {
        let answer = self.decide(call.method.as_str(), target, call).await;
        if answer.status() != StatusCode::OK {
            return Err(answer);
        }
        let (mut parts, _) = answer.into_parts();
        strip(&mut parts.headers, |name| !is_identity_header(name));
        Ok(parts.headers)
    }

    async fn authorize(&self, call: Call<'_>) -> Response<String> {
        match ForwardAuth::Described.original(call.method, call.uri, "", call.headers) {
            Some((method, target)) => self.decide(method, target, call).await,
            None => self.refuse(Reason::RequestMalformed, call.request_id),
        }
    }

    /// The decision about a request, as forward-auth has it.
    async fn decide(&self, method: &str, target: &str, call: Call<'_>) -> Response<String> {
        let request = Request {
            method,
            target,
            headers: self.headers(call.headers),
            // The host is who connects here, and what it says of others came through a client's header.
            source_ip: None,
            client_certificate: self.client_certificate(call.headers),
            request_id: Some(call.request_id),
        };
        ForwardAuth::answer(&self.gate.decide(&request, SystemClock.now()).await)
    }

    async fn jwks(&self, call: Call<'_>) -> Response<String> {
        let tags = call.headers.get_all(header::IF_NONE_MATCH).iter().map(|tags| tags.as_bytes());
        let tags = KeyEndpoint::if_none_match(tags);
        let answer = self.keys.answer(call.method.as_str(), call.path, tags.as_deref()).await;
        let mut response = Response::builder().status(answer.status);
        for (name, value) in answer.headers {
            response = response.header(name, value);
        }
        response.body(answer.body).unwrap_or_else(|_| self.refuse(Reason::Internal, call.request_id))
    }

    /// The deny of a request that the gate cannot be asked about, on record like those that it decides.
    pub(crate) fn refuse(&self, reason: Reason, id: &str) -> Response<String> {
        let event = AuditEvent::new(SystemClock.now(), Subject::Gate, self.backend.as_str(), id, reason);
        // It is a deny already; without a record it stays one.
        let _ = self.audit.record(&event);
        problem(&Deny::new(reason, id))
    }

    /// The certificate that the hop in front vouches for, in the one header that is configured. Two of them are none: at most one is
    /// that hop's.
    fn client_certificate<'h>(&self, headers: &'h HeaderMap) -> Option<&'h [u8]> {
        let mut values = headers.get_all(self.client_certificate.as_ref()?).iter();
        let certificate = values.next().filter(|value| !value.is_empty())?;
        values.next().is_none().then_some(certificate.as_bytes())
    }

    /// The headers as the gate reads them: credentials stand in `Authorization`, from the configured header and no other.
    fn headers<'h>(&'h self, headers: &'h HeaderMap) -> Headers<'h> {
        headers
            .iter()
            .filter(|(name, _)| **name != header::AUTHORIZATION || self.credentials == header::AUTHORIZATION)
            .map(|(name, value)| {
                let name =
                    if *name == self.credentials { header::AUTHORIZATION.as_str() } else { name.as_str() };
                (name, value.as_bytes())
            })
            .collect()
    }
}

/// The host's id of an invocation: it comes after whatever the client sent under the same name, which a host that forwards
/// puts before it in a value of its own or, as .NET's client joins values, before a comma in the same one.
pub(crate) fn invocation_id(headers: &HeaderMap) -> Option<&str> {
    let last = headers.get_all(contract::INVOCATION_ID).iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next().map(str::trim)
}

/// The stores that this build knows.
fn open(store: &Store) -> Result<Arc<dyn KeyStore>, StoreError> {
    match store {
        Store::KeyVault { .. } => drawbridge_azure::open(store),
        _ => open_directory(store),
    }
}

/// Whether the backend's issuer may be asked for keys over plain HTTP on this machine.
fn http_on_loopback(config: &Config, backend: &BackendName) -> bool {
    config
        .backends
        .get(backend)
        .and_then(|backend| config.issuers.get(&backend.issuer))
        .is_some_and(|issuer| issuer.relax.contains(&Relaxation::HttpOnLoopback))
}

/// Well inside the time of a decision, so that a slow key endpoint is a 503 and not a request that ran out of time.
const KEY_FETCH: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_invocation_id_is_the_last_one_however_the_hosts_client_joined_them() {
        let host = "0f8fad5b-d9cb-469f-a165-70867728950e";
        let joined = format!("of-the-client, {host}");
        for values in [&[host][..], &["of-the-client", host], &[joined.as_str()], &["a,b", joined.as_str()]] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(contract::INVOCATION_ID, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(invocation_id(&headers), Some(host), "{values:?}");
        }
    }
}
