//! HTTP for the SDK: what a vault and Entra ID are asked over, and what this machine is asked over.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::{
    Error,
    error::ErrorKind,
    http::{AsyncRawResponse, HttpClient, Request, Transport},
};
use futures_util::StreamExt;
use reqwest::{Client, redirect::Policy};

/// For vaults and Entra ID: TLS, with the machine's root certificates, through the proxy that `HTTPS_PROXY` names, if it does.
pub(crate) fn outward() -> azure_core::Result<Transport> {
    transport(Client::builder().https_only(true))
}

/// For the token endpoints of managed identities, which are on this machine or its link and speak plain HTTP: never through a
/// proxy.
pub(crate) fn local() -> azure_core::Result<Transport> {
    transport(Client::builder().no_proxy())
}

/// Redirects are not followed: neither kind of service makes any.
fn transport(builder: reqwest::ClientBuilder) -> azure_core::Result<Transport> {
    let client = builder
        .connect_timeout(CONNECT)
        .redirect(Policy::none())
        .build()
        .map_err(|error| Error::with_error(ErrorKind::Io, error, "no HTTP client could be made"))?;
    Ok(Transport::new(Arc::new(Bounded(client))))
}

/// A client that reads answers whole, up to a bound.
#[derive(Debug)]
struct Bounded(Client);

#[async_trait]
impl HttpClient for Bounded {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let (status, headers, mut chunks) = self.0.execute_request(request).await?.deconstruct();
        let mut body = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            if body.len() + chunk.len() > ANSWER {
                return Err(Error::with_message(
                    ErrorKind::DataConversion,
                    "the answer is longer than 1 MiB",
                ));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(AsyncRawResponse::from_bytes(status, headers, body))
    }
}

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(1);

/// A page of a list is the longest answer: 25 items of a few hundred bytes, each with up to 15 tags of 512.
const ANSWER: usize = 1024 * 1024;
