use std::{pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Semaphore, time};

/// Serves HTTP/1.1 within bounds until `stop`, then ends what was begun.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
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
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, as a rule: at once it would be the same again.
            time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A connection that breaks is the client's to notice.
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(listener);
    let _ = time::timeout(DRAIN, graceful.shutdown()).await;
}

/// The gateway beside it is the only client; more than it opens under any load that one instance is given.
const MAX_CONNECTIONS: usize = 1024;

/// How long a connection may say nothing, or take over a request's head: longer than gateways keep one idle (nginx, Envoy and
/// Traefik: 60 to 90 s), so that it is never the bridge that closes one just as a request comes.
const IDLE: Duration = Duration::from_secs(150);

const MAX_HEADERS: usize = 128;

/// A consumer's token may be configured to have 64 KiB; the rest is for the other headers.
const MAX_HEAD: usize = 128 * 1024;

/// How long what was begun may take after the signal to stop.
const DRAIN: Duration = Duration::from_secs(10);
