use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header};
use http_body::Body;
use url::Url;

use crate::{
    AnswerBody, ForwardError, Limits, activity::Activity, body::outgoing, headers::strip_identity,
    strip_hop_by_hop, strip_provenance,
};

/// Where a request goes, and what the gateway says to the upstream.
#[derive(Debug)]
pub struct Forward<'a> {
    /// The upstream; its path, if it has one, goes before `target`.
    pub upstream: &'a Url,
    /// Path and query at the upstream, beginning with `/`.
    pub target: &'a str,
    /// Headers that the gateway sets, over the client's of the same name.
    pub add: HeaderMap,
    /// How long it may take.
    pub limits: Limits,
}

/// The client for [`forward`]; a process needs one. It trusts what the platform trusts.
///
/// # Errors
/// When the TLS library cannot start.
pub fn client() -> reqwest::Result<reqwest::Client> {
    builder().build()
}

/// What [`client`] is built of, for one that trusts or shows other certificates.
pub fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .http1_only()
        .connect_timeout(CONNECT)
}

/// Sends `request` on and gives the upstream's answer, bodies streaming both ways. Dropping either ends the exchange.
///
/// # Errors
/// [`ForwardError`]; it renders as problem details where a gateway has no form of its own.
pub async fn forward<B>(
    client: &reqwest::Client,
    request: Request<B>,
    to: Forward<'_>,
) -> Result<Response<AnswerBody>, ForwardError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let url = join(to.upstream, to.target)?;
    let (mut parts, body) = request.into_parts();
    strip_hop_by_hop(&mut parts.headers);
    strip_identity(&mut parts.headers);
    strip_provenance(&mut parts.headers);
    parts.headers.remove(header::HOST);
    parts.headers.remove(header::EXPECT);
    for name in to.add.keys() {
        parts.headers.remove(name);
    }
    parts.headers.extend(to.add);

    exchange(client, parts.method, url, parts.headers, body, to.limits).await
}

/// One request as it is and its answer, bodies streaming both ways; for what has rules of its own about headers.
///
/// # Errors
/// `RequestIncomplete`, `Unreachable`, `TimedOut`.
pub async fn exchange<B>(
    client: &reqwest::Client,
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: B,
    limits: Limits,
) -> Result<Response<AnswerBody>, ForwardError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let activity = Activity::new(limits);
    let mut request = client.request(method, url).headers(headers);
    // Without this a request that has no body would be sent as a chunked one.
    if !body.is_end_stream() {
        request = request.body(outgoing(body, &activity));
    }
    let answer = match activity.bound(request.send()).await {
        Some(Ok(answer)) => answer,
        Some(Err(_)) if activity.is_broken() => return Err(ForwardError::RequestIncomplete),
        Some(Err(error)) if !error.is_timeout() => return Err(ForwardError::Unreachable),
        Some(Err(_)) | None => return Err(ForwardError::TimedOut),
    };
    let mut answer = Response::from(answer).map(|body| AnswerBody::new(body, activity));
    strip_hop_by_hop(answer.headers_mut());
    Ok(answer)
}

/// The upstream's address with the target after it, if the URL parser leaves the target's path as it is.
fn join(upstream: &Url, target: &str) -> Result<Url, ForwardError> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    if !path.starts_with('/') {
        return Err(ForwardError::TargetRefused);
    }
    let path = format!("{}{path}", upstream.path().trim_end_matches('/'));
    let mut url = upstream.clone();
    url.set_path(&path);
    url.set_query(query);
    if url.path() == path { Ok(url) } else { Err(ForwardError::TargetRefused) }
}

const CONNECT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
