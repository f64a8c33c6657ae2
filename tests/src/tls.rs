//! A client of a chain under mutual TLS, with the certificate of one name or with none.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs::default_provider},
};

use crate::http::{self, Answer};

/// Trusts the chain's authority alone.
#[derive(Clone)]
pub struct Client {
    connector: TlsConnector,
    certificate: Option<CertificateDer<'static>>,
}

impl Client {
    /// With the certificates in the chain's folder.
    pub fn new(folder: &Path, name: Option<&str>) -> Self {
        let file = |name: &str, kind: &str| folder.join(format!("{name}.{kind}"));
        let pair = name.map(|name| {
            (
                CertificateDer::from_pem_file(file(name, "pem")).unwrap(),
                PrivateKeyDer::from_pem_file(file(name, "key")).unwrap(),
            )
        });
        Self::with(folder, pair)
    }

    /// With a certificate of one's own.
    pub fn with(folder: &Path, pair: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let certificate = pair.as_ref().map(|(certificate, _)| certificate.clone());
        let config = match pair {
            Some((certificate, key)) => config.with_client_auth_cert(vec![certificate], key).unwrap(),
            None => config.with_no_client_auth(),
        };
        Self { connector: TlsConnector::from(Arc::new(config)), certificate }
    }

    /// The DER of its certificate.
    pub fn der(&self) -> &[u8] {
        self.certificate.as_deref().expect("it has one")
    }

    /// The DER as base64, as gateways write it in headers.
    pub fn base64(&self) -> String {
        STANDARD.encode(self.der())
    }

    /// Sends one request on a connection of its own; None where there is no connection. `base` is `https://127.0.0.1:PORT` or longer.
    pub async fn try_send(
        &self,
        method: &str,
        base: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<Answer> {
        let rest = base.strip_prefix("https://").unwrap_or_else(|| panic!("{base} is not under TLS"));
        let (authority, prefix) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let address: SocketAddr = authority.parse().expect("a loopback address with its port");
        let request = http::request(method, authority, &format!("{prefix}{target}"), headers, body);
        let exchange = async {
            let stream =
                TcpStream::connect(address).await.unwrap_or_else(|error| panic!("{address}: {error}"));
            let name = ServerName::IpAddress(address.ip().into());
            let stream = self.connector.connect(name, stream).await.ok()?;
            http::exchange(stream, request).await
        };
        timeout(LIMIT, exchange).await.unwrap_or_else(|_| panic!("no answer from {base}{target}"))
    }

    /// As [`try_send`](Self::try_send), where there is a connection.
    pub async fn send(
        &self,
        method: &str,
        base: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.try_send(method, base, target, headers, body).await.expect("a connection")
    }

    /// `GET` with one `Authorization` header, or none.
    pub async fn get(&self, base: &str, target: &str, token: Option<&str>) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        self.send("GET", base, target, &headers, "").await
    }
}

/// No answer takes longer than this, whatever is wrong.
const LIMIT: Duration = Duration::from_secs(35);
