//! HTTP as it is sent: paths and headers reach the other side untouched, which URL libraries would not allow.

use std::{net::SocketAddr, time::Duration};

use ::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};

/// No answer takes longer than this, whatever is wrong.
const LIMIT: Duration = Duration::from_secs(35);

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header that is there once.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Sends one request on a connection of its own. `base` is `http://127.0.0.1:PORT` or longer; `target` is appended as it is.
pub async fn send(method: &str, base: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let rest = base.strip_prefix("http://").expect("plain HTTP to loopback");
    let (authority, prefix) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let address: SocketAddr = authority.parse().expect("a loopback address with its port");
    assert!(address.ip().is_loopback(), "{address} is not this machine");

    let request = request(method, authority, &format!("{prefix}{target}"), headers, body);
    timeout(LIMIT, async {
        let stream = TcpStream::connect(address).await.unwrap_or_else(|error| panic!("{address}: {error}"));
        exchange(stream, request).await.unwrap_or_else(|| panic!("{base}{target}: the connection broke"))
    })
    .await
    .unwrap_or_else(|_| panic!("no answer from {base}{target}"))
}

/// A request whose path and headers are sent as they are here.
pub(crate) fn request(
    method: &str,
    authority: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(target).header("host", authority);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap()
}

/// One request and its answer on a connection; None where that breaks.
pub(crate) async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
) -> Option<Answer> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let connection = tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.ok()?.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    connection.abort();
    Some(Answer { status: parts.status, headers: parts.headers, body })
}

/// `GET` with one `Authorization` header, or none.
pub async fn get(base: &str, target: &str, token: Option<&str>) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    send("GET", base, target, &headers, "").await
}
