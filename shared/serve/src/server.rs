use std::{error::Error, pin::pin, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::Service,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{net::TcpListener, sync::Semaphore, time};

use crate::log;

/// Serves HTTP/1.1 until `stop`, then ends what was begun within 10 s.
///
/// At most 1024 connections; a head has at most [`MAX_HEADERS`] headers in 128 KiB (431 beyond) and must come within 150 s. Bodies
/// are the service's to bound. A client that goes away takes the service's work for it with it.
pub async fn serve<S, B>(listener: TcpListener, service: S, stop: impl Future<Output = ()>)
where
    S: Service<Request<Incoming>, Response = Response<B>, Future: Send> + Clone + Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE).max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD);
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = async {
            let permit = Arc::clone(&connections).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                log::warn(&format!("cannot accept a connection: {error}"));
                // Out of file descriptors, as a rule: at once it would be the same again.
                time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service.clone()));
        tokio::spawn(async move {
            // A connection that breaks is the client's to notice.
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(listener);
    let _ = time::timeout(DRAIN, graceful.shutdown()).await;
}

/// A gateway or host is the only client; more than it opens under any load that one instance is given.
const MAX_CONNECTIONS: usize = 1024;

/// How long a connection may say nothing, or take over a request's head: longer than the clients keep one idle (nginx, Envoy and
/// Traefik 60 to 90 s, the Functions host 2 min), so that it is never the server that closes one just as a request comes.
const IDLE: Duration = Duration::from_secs(150);

/// How many headers a request may have.
pub const MAX_HEADERS: usize = 128;

/// A token may be configured to have 64 KiB; the rest is for the other headers.
const MAX_HEAD: usize = 128 * 1024;

/// How long what was begun may take after the signal to stop.
const DRAIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, net::SocketAddr};

    use http_body_util::Empty;
    use hyper::{body::Bytes, service::service_fn};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::oneshot,
    };

    use super::*;

    #[tokio::test]
    async fn a_head_that_is_too_large_is_refused_and_the_next_client_served() {
        let (at, _stop) = start(|| async {}).await;
        let large = "a".repeat(MAX_HEAD * 2);
        let many: String = (0..=MAX_HEADERS).map(|number| format!("h{number}: v\r\n")).collect();
        for (headers, status) in
            [(format!("x: {large}\r\n"), "431"), (many, "431"), ("x: y\r\n".to_owned(), "200")]
        {
            assert_eq!(ask(at, &headers).await, status);
        }
    }

    #[tokio::test]
    async fn what_was_begun_is_ended_after_the_signal_to_stop() {
        let (begun, begin) = oneshot::channel();
        let (finish, finished) = oneshot::channel::<()>();
        let once = Arc::new(std::sync::Mutex::new(Some((begun, finished))));
        let (at, stop) = start(move || {
            let once = Arc::clone(&once);
            async move {
                let taken = once.lock().unwrap().take();
                if let Some((begun, finished)) = taken {
                    begun.send(()).unwrap();
                    finished.await.unwrap();
                }
            }
        })
        .await;
        let asked = tokio::spawn(async move { ask(at, "").await });
        begin.await.unwrap();
        stop.send(()).unwrap();
        while TcpStream::connect(at).await.is_ok() {
            tokio::task::yield_now().await;
        }
        finish.send(()).unwrap();
        assert_eq!(asked.await.unwrap(), "200");
    }

    async fn start<F>(work: impl Fn() -> F + Clone + Send + 'static) -> (SocketAddr, oneshot::Sender<()>)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let service = service_fn(move |_| {
            let work = work.clone();
            async move {
                work().await;
                Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
            }
        });
        tokio::spawn(serve(listener, service, async move { drop(stopped.await) }));
        (at, stop)
    }

    /// The status of one request.
    async fn ask(at: SocketAddr, headers: &str) -> String {
        let request = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n");
        let (mut from, mut to) = TcpStream::connect(at).await.unwrap().into_split();
        // A server that refuses a head need not read all of it.
        let sending = tokio::spawn(async move {
            let _ = to.write_all(request.as_bytes()).await;
            to
        });
        let mut answer = Vec::new();
        let _ = from.read_to_end(&mut answer).await;
        drop(sending.await);
        String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or_default().to_owned()
    }
}
