use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use drawbridge_keys::{BackendName, Kid};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::TlsConnector;

use super::Addresses;
use crate::{
    exit::Failure,
    tls::{Certificates, Connection},
};

/// Comes when every part answers, by requests that nobody has to decide about.
///
/// `azure` is the first backend behind the Azure gateway: its handler answers for the gateway.
///
/// # Errors
/// When one does not in time.
pub(super) async fn all_answer(
    addresses: &Addresses,
    kids: &[Kid],
    azure: Option<&BackendName>,
    certificates: Option<&Certificates>,
) -> Result<(), NotReady> {
    let Addresses { edge, aws, keys, azure: azure_gateway, idp, bridge, backends, idp_mtls } = addresses;
    let tls = certificates
        .map(|certificates| certificates.client(None))
        .transpose()
        .map_err(|error| NotReady::Failed(Failure::new(error)))?;
    let tls = tls.map(|config| TlsConnector::from(Arc::new(config)));
    let under_tls =
        |at: &SocketAddr| [edge, aws, azure_gateway].contains(&at) || idp_mtls.as_ref() == Some(at);
    let key = |kid: &Kid| format!("/jwks/{}/{kid}", kid.backend);
    let mut questions = vec![
        Question {
            part: "the identity provider",
            process: "idp".to_owned(),
            at: *idp,
            ask: get("/.well-known/openid-configuration"),
            expect: Some(200),
        },
        Question { part: "the edge", process: "edge".to_owned(), at: *edge, ask: anything(), expect: None },
        Question {
            part: "the bridge",
            process: "edge-bridge".to_owned(),
            at: *bridge,
            ask: get("/healthz"),
            expect: Some(200),
        },
        Question {
            part: "the AWS gateway",
            process: "aws-gateway".to_owned(),
            at: *aws,
            ask: anything(),
            expect: None,
        },
        Question {
            part: "the Azure gateway",
            process: "azure-gateway".to_owned(),
            at: *azure_gateway,
            ask: anything(),
            expect: None,
        },
    ];
    questions.extend(backends.iter().map(|(name, at)| Question {
        part: "a backend",
        process: name.to_string(),
        at: *at,
        ask: anything(),
        expect: None,
    }));
    questions.extend(kids.iter().map(|kid| Question {
        part: "the key endpoint",
        process: "aws-gateway".to_owned(),
        at: *keys,
        ask: get(&key(kid)),
        expect: Some(200),
    }));
    questions.extend(kids.iter().filter(|kid| Some(&kid.backend) == azure).map(|kid| {
        let ask = get(&format!("/api{}", key(kid)));
        Question {
            part: "the Azure function",
            process: "azure-gateway".to_owned(),
            at: *azure_gateway,
            ask,
            expect: Some(200),
        }
    }));

    let mut asking = tokio::task::JoinSet::new();
    questions.extend(idp_mtls.iter().map(|at| Question {
        part: "the identity provider",
        process: "idp".to_owned(),
        at: *at,
        ask: anything(),
        expect: None,
    }));
    for question in questions {
        let tls = tls.clone().filter(|_| under_tls(&question.at));
        asking.spawn(async move {
            timeout(LIMIT, question.answered(tls.as_ref()))
                .await
                .map_err(|_| NotReady::Silent { part: question.part, process: question.process.clone() })
        });
    }
    while let Some(answered) = asking.join_next().await {
        match answered {
            Ok(Ok(())) => {}
            Ok(Err(silent)) => return Err(silent),
            Err(error) => return Err(NotReady::Failed(Failure::new(error))),
        }
    }
    Ok(())
}

/// Why the chain is not ready.
#[derive(Debug)]
pub(super) enum NotReady {
    /// A part does not answer in time.
    Silent {
        /// In words.
        part: &'static str,
        /// The process that ought to answer.
        process: String,
    },
    /// Nothing could be asked.
    Failed(Failure),
}

impl NotReady {
    /// With what the silent process last wrote; the newest line comes first.
    pub(super) fn with(self, last: &HashMap<String, VecDeque<String>>) -> Failure {
        let (part, process) = match self {
            Self::Silent { part, process } => (part, process),
            Self::Failed(failure) => return failure,
        };
        let mut message = format!("{part} does not answer after {} s", LIMIT.as_secs());
        match last.get(&process) {
            Some(lines) => {
                message.push_str("; what it last wrote:");
                for line in lines.iter().rev() {
                    message.push_str("\n  ");
                    message.push_str(line);
                }
            }
            None => message.push_str(", and it wrote nothing"),
        }
        Failure::new(message)
    }
}

struct Question {
    part: &'static str,
    process: String,
    at: SocketAddr,
    ask: String,
    /// None for any answer at all.
    expect: Option<u16>,
}

impl Question {
    async fn answered(&self, tls: Option<&TlsConnector>) {
        loop {
            match status(self.at, &self.ask, tls).await {
                Ok(status) if self.expect.is_none_or(|expected| expected == status) => return,
                _ => sleep(AGAIN).await,
            }
        }
    }
}

/// The status of the answer to one request on a connection of its own.
async fn status(at: SocketAddr, request: &str, tls: Option<&TlsConnector>) -> io::Result<u16> {
    let stream = TcpStream::connect(at).await?;
    let mut stream: Box<dyn Connection> = match tls {
        Some(tls) => Box::new(tls.connect(ServerName::IpAddress(at.ip().into()), stream).await?),
        None => Box::new(stream),
    };
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0; 12];
    stream.read_exact(&mut line).await?;
    let line = std::str::from_utf8(&line).ok().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    line.and_then(|status| status.parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

/// `OPTIONS *` is about the server itself (RFC 9110 section 9.3.7): no route has it, so there is nothing to decide.
fn anything() -> String {
    "OPTIONS * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".to_owned()
}

const AGAIN: Duration = Duration::from_millis(10);

/// The Functions host gives a handler 30 s.
const LIMIT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_does_not_answer_is_named_with_what_it_last_wrote() {
        let silent = || NotReady::Silent { part: "the edge", process: "edge".to_owned() };
        let lines = HashMap::from([
            ("edge".to_owned(), VecDeque::from(["second".to_owned(), "first".to_owned()])),
            ("idp".to_owned(), VecDeque::from(["another's".to_owned()])),
        ]);
        assert_eq!(
            silent().with(&lines).message,
            "the edge does not answer after 30 s; what it last wrote:\n  first\n  second"
        );
        assert_eq!(
            silent().with(&HashMap::new()).message,
            "the edge does not answer after 30 s, and it wrote nothing"
        );
    }
}
