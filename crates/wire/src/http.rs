//! The one listener: accepts connections, speaks HTTP/1.1 on them and hands each request to the [`Dispatcher`]. Never
//! looks at what a request asks for.

mod lane;

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use landfall_core::limits::{HTTP_CONNECTIONS_MAX, HTTP_HEADER_SECONDS_MAX, HTTP_HEADERS_MAX};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use self::lane::Watch;
use crate::dispatch::Dispatcher;

/// What goes wrong while a body is sent.
pub type BodyError = Box<dyn Error + Send + Sync>;
/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

/// Serves until `shutdown` resolves, then lets running requests end within [`HTTP_DRAIN_SECONDS_MAX`](landfall_core::limits::HTTP_DRAIN_SECONDS_MAX).
pub async fn serve(
    listener: TcpListener,
    dispatcher: Arc<Dispatcher>,
    shutdown: impl Future<Output = ()>,
) {
    let mut lanes = match lane::open_all(&dispatcher) {
        Ok(lanes) => lanes,
        Err(error) => return tracing::error!(%error, "no connection can be served"),
    };
    let places = Arc::new(Semaphore::new(HTTP_CONNECTIONS_MAX));
    tokio::pin!(shutdown);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            break;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, peer)) => lane::give(&mut lanes, stream, peer, place),
            Err(error) => refused(&error).await,
        }
    }
    drop(listener);
    lane::close_all(lanes).await;
}

/// Out of file descriptors, or a peer that gave up: the listener itself is well.
async fn refused(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// Serves one connection to its end.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    dispatcher: Arc<Dispatcher>,
    watch: Arc<Watch>,
    watcher: Watcher,
) {
    // Small answers must not wait for the acknowledgement of the ones before; a failure costs only time.
    let _ = stream.set_nodelay(true);
    let source_ip: Arc<str> = peer.ip().to_string().into();
    let service = service_fn(move |request| {
        let (dispatcher, watch) = (Arc::clone(&dispatcher), Arc::clone(&watch));
        let source_ip = Arc::clone(&source_ip);
        async move {
            let answer = watch.over(dispatcher.handle(request, &source_ip)).await;
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HTTP_HEADER_SECONDS_MAX))
        .max_headers(HTTP_HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, %peer, "connection ended early");
    }
}
