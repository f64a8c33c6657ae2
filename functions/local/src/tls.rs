//! Mutual TLS on this machine: the gateways ask for a client certificate of the development authority, and require none.
//!
//! A gateway of a cloud that is told to require one ends the handshake without it, so that there is nothing to decide; here the
//! gate's own refusal is to be seen. What another authority signed is refused in the handshake, as by a trust store.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use axum::{extract::connect_info::Connected, serve::IncomingStream};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::HeaderMap;
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ClientConfig, RootCertStore, ServerConfig, crypto::aws_lc_rs::default_provider,
        server::WebPkiClientVerifier,
    },
    server::TlsStream,
};

/// The folder of certificates and keys that `up --mtls` makes: `ca.pem`, and `<name>.pem` and `<name>.key` for each name.
#[derive(Clone, Debug)]
pub struct Certificates(PathBuf);

/// Certificates that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file that is not there, or not what it should be.
    #[error("`{0}` cannot be used: {1}")]
    File(PathBuf, pem::Error),
    /// The TLS library does not take them.
    #[error("the certificates cannot be used: {0}")]
    Refused(#[from] rustls::Error),
    /// As `Refused`, for the authority's.
    #[error("the authority's certificate cannot be used: {0}")]
    Authority(#[from] rustls::server::VerifierBuilderError),
}

/// Connections to a gateway, in plain or under TLS.
pub struct Incoming {
    listener: TcpListener,
    tls: Option<Tls>,
}

/// Who connected.
#[derive(Clone, Debug)]
pub struct Peer {
    /// From where.
    pub address: SocketAddr,
    /// The certificate that was shown, whose chain and key the handshake has checked.
    pub certificate: Option<ClientCertificate>,
}

/// A client's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate(Arc<CertificateDer<'static>>);

/// A connection, in plain or under TLS.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

struct Tls {
    acceptor: TlsAcceptor,
    /// A client that takes its time does not hold up the others.
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl Certificates {
    /// Those in a folder.
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The authority's certificate.
    pub fn authority(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// The certificate of one name.
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.pem"))
    }

    /// The private key of one name.
    pub fn key(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.key"))
    }

    /// A gateway's side: shows the server's certificate, asks for the client's.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn server(&self) -> Result<TlsAcceptor, TlsError> {
        let provider = Arc::new(default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(self.roots()?.into(), Arc::clone(&provider))
                .allow_unauthenticated()
                .build()?;
        let (certificate, key) = self.pair(SERVER)?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate], key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// A client's side: trusts the development authority alone, and shows the certificate of `name`, if it is to show one.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn client(&self, name: Option<&str>) -> Result<ClientConfig, TlsError> {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.roots()?);
        Ok(match name {
            Some(name) => {
                let (certificate, key) = self.pair(name)?;
                config.with_client_auth_cert(vec![certificate], key)?
            }
            None => config.with_no_client_auth(),
        })
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add(read(&self.authority())?)?;
        Ok(roots)
    }

    fn pair(&self, name: &str) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), TlsError> {
        Ok((read(&self.certificate(name))?, read(&self.key(name))?))
    }
}

impl Incoming {
    /// Under TLS.
    pub fn tls(listener: TcpListener, acceptor: TlsAcceptor) -> Self {
        Self { listener, tls: Some(Tls { acceptor, handshakes: JoinSet::new() }) }
    }

    /// Under TLS where there are certificates, otherwise in plain.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn new(listener: TcpListener, certificates: Option<&Certificates>) -> Result<Self, TlsError> {
        Ok(match certificates {
            Some(certificates) => Self::tls(listener, certificates.server()?),
            None => Self::from(listener),
        })
    }
}

impl From<TcpListener> for Incoming {
    fn from(listener: TcpListener) -> Self {
        Self { listener, tls: None }
    }
}

impl axum::serve::Listener for Incoming {
    type Io = Box<dyn Connection>;
    type Addr = Peer;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let Self { listener, tls } = self;
        let Some(Tls { acceptor, handshakes }) = tls else {
            let (stream, address) = axum::serve::Listener::accept(listener).await;
            return (Box::new(stream), Peer { address, certificate: None });
        };
        loop {
            tokio::select! {
                (stream, address) = axum::serve::Listener::accept(listener), if handshakes.len() < MAX_HANDSHAKES => {
                    let handshake = acceptor.accept(stream);
                    handshakes.spawn(async move { Some((timeout(HANDSHAKE, handshake).await.ok()?.ok()?, address)) });
                }
                Some(ended) = handshakes.join_next() => {
                    // One that failed is the client's to notice.
                    let Ok(Some((stream, address))) = ended else { continue };
                    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                    let certificate = shown.map(|shown| ClientCertificate(Arc::new(shown.clone())));
                    return (Box::new(stream), Peer { address, certificate });
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(Peer { address: self.listener.local_addr()?, certificate: None })
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming")
            .field("listener", &self.listener)
            .field("tls", &self.tls.is_some())
            .finish()
    }
}

impl Connected<IncomingStream<'_, Incoming>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Incoming>) -> Self {
        stream.remote_addr().clone()
    }
}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl From<Vec<u8>> for ClientCertificate {
    /// Of its DER.
    fn from(der: Vec<u8>) -> Self {
        Self(Arc::new(der.into()))
    }
}

impl ClientCertificate {
    /// As API Gateway tells its authorizers: PEM with lines of 64 characters.
    pub fn pem(&self) -> String {
        let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
        for (index, character) in self.base64().chars().enumerate() {
            if index > 0 && index % 64 == 0 {
                pem.push('\n');
            }
            pem.push(character);
        }
        pem.push_str("\n-----END CERTIFICATE-----\n");
        pem
    }

    /// As App Service writes it into `X-ARR-ClientCert`: base64 of its DER.
    pub fn base64(&self) -> String {
        STANDARD.encode(self.0.as_ref())
    }

    /// `x5t#S256` (RFC 8705 section 3.1).
    pub fn thumbprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.0))
    }
}

/// Removes what says which certificate a client has: only whoever saw its handshake can know.
pub fn strip_certificates(headers: &mut HeaderMap) {
    let named: Vec<_> = headers
        .keys()
        .filter(|name| CERTIFICATE_HEADERS.contains(&name.as_str().replace('_', "-").as_str()))
        .cloned()
        .collect();
    for name in named {
        headers.remove(name);
    }
}

fn read<T: PemObject>(file: &Path) -> Result<T, TlsError> {
    T::from_pem_file(file).map_err(|error| TlsError::File(file.to_owned(), error))
}

/// The name of the certificate that every gateway here shows.
pub const SERVER: &str = "server";

/// The name of the certificate that the edge shows the gateways behind it.
pub const EDGE: &str = "edge";

/// RFC 9440, and App Service.
const CERTIFICATE_HEADERS: [&str; 3] = ["client-cert", "client-cert-chain", "x-arr-clientcert"];

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Handshakes at the same time; more than any test opens.
const MAX_HANDSHAKES: usize = 256;

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn the_clients_word_about_its_certificate_goes_however_it_is_spelt() {
        let mut headers = HeaderMap::new();
        for name in [
            "client-cert",
            "client_cert",
            "client-cert-chain",
            "x-arr-clientcert",
            "x_arr_clientcert",
            "x-client",
        ] {
            headers.append(HeaderName::from_static(name), http::HeaderValue::from_static("1"));
        }
        strip_certificates(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-client"]);
    }

    #[test]
    fn a_certificate_is_written_as_the_clouds_write_it() {
        for length in [1_usize, 47, 48, 49, 500] {
            let der: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            let certificate = ClientCertificate::from(der.clone());
            let pem = certificate.pem();
            assert_eq!(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().as_ref(), der);
            assert!(pem.lines().all(|line| !line.is_empty() && line.len() <= 64), "{pem}");
            assert_eq!(STANDARD.decode(certificate.base64()).unwrap(), der);
        }
    }
}
