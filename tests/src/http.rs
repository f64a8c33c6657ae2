//! HTTP as it is sent: paths and headers reach the other side untouched, which URL libraries would not allow.

use std::{net::SocketAddr, time::Duration};

use ::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

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

    let mut request =
        Request::builder().method(method).uri(format!("{prefix}{target}")).header("host", authority);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();

    timeout(LIMIT, async {
        let stream = TcpStream::connect(address).await.unwrap_or_else(|error| panic!("{address}: {error}"));
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        connection.abort();
        Answer { status: parts.status, headers: parts.headers, body }
    })
    .await
    .unwrap_or_else(|_| panic!("no answer from {base}{target}"))
}

/// `GET` with one `Authorization` header, or none.
pub async fn get(base: &str, target: &str, token: Option<&str>) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    send("GET", base, target, &headers, "").await
}
