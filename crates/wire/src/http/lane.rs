//! The threads that serve connections. Each connection stays on one thread from its first request to its last: a thread
//! pool would wake a second core for every small request, and the waking costs as much as the request. Never accepts a
//! connection itself.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hyper_util::server::graceful::GracefulShutdown;
use landfall_core::limits::{
    HTTP_CONNECTIONS_MAX, HTTP_DRAIN_SECONDS_MAX, HTTP_LANES_MIN, HTTP_WATCH_MICROS,
};
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};

use super::connection;
use crate::dispatch::Dispatcher;

/// A connection on its way to its thread.
struct Arrival {
    stream: std::net::TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
}

/// One thread and the connections on it.
pub(super) struct Lane {
    arrivals: mpsc::Sender<Arrival>,
    open: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

/// One lane for each core, and two at least: while one commits, the other serves.
pub(super) fn open_all(dispatcher: &Arc<Dispatcher>) -> io::Result<Vec<Lane>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (0..cores.max(HTTP_LANES_MIN))
        .map(|_| open(Arc::clone(dispatcher)))
        .collect()
}

fn open(dispatcher: Arc<Dispatcher>) -> io::Result<Lane> {
    let (arrivals, arriving) = mpsc::channel(HTTP_CONNECTIONS_MAX);
    let open = Arc::<AtomicUsize>::default();
    let counter = Arc::clone(&open);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let thread = std::thread::Builder::new()
        .name("lane".to_owned())
        .spawn(move || runtime.block_on(serve(arriving, dispatcher, counter)))?;
    Ok(Lane {
        arrivals,
        open,
        thread,
    })
}

/// Gives a connection to the lane that has the fewest.
pub(super) fn give(
    lanes: &mut [Lane],
    stream: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
) {
    let fewest = lanes
        .iter()
        .min_by_key(|lane| lane.open.load(Ordering::Relaxed));
    let (Some(lane), Ok(stream)) = (fewest, stream.into_std()) else {
        return;
    };
    let arrival = Arrival {
        stream,
        peer,
        place,
    };
    lane.open.fetch_add(1, Ordering::Relaxed);
    // There are as many places as the channel holds, so it is full only when the lane is gone.
    if lane.arrivals.try_send(arrival).is_err() {
        lane.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lets running requests end within the drain time.
pub(super) async fn close_all(lanes: Vec<Lane>) {
    let threads: Vec<JoinHandle<()>> = lanes.into_iter().map(|lane| lane.thread).collect();
    let joined = tokio::task::spawn_blocking(move || {
        threads.into_iter().all(|thread| thread.join().is_ok())
    });
    if !joined.await.unwrap_or(false) {
        tracing::error!("a thread that served connections has panicked");
    }
}

/// Keeps a thread awake for a moment after it has answered all there was: the client that sends one request after the
/// other is served without waking a sleeping core for each.
#[derive(Default)]
pub(super) struct Watch {
    running: AtomicUsize,
    answered: Notify,
}

impl Watch {
    /// Runs one request.
    pub(super) async fn over<T>(&self, request: impl Future<Output = T>) -> T {
        self.running.fetch_add(1, Ordering::Relaxed);
        let answer = request.await;
        if self.running.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.answered.notify_one();
        }
        answer
    }

    async fn keep(&self) {
        loop {
            self.answered.notified().await;
            let end = Instant::now() + Duration::from_micros(HTTP_WATCH_MICROS);
            while self.running.load(Ordering::Relaxed) == 0 && Instant::now() < end {
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn serve(
    mut arriving: mpsc::Receiver<Arrival>,
    dispatcher: Arc<Dispatcher>,
    open: Arc<AtomicUsize>,
) {
    let graceful = GracefulShutdown::new();
    let watch = Arc::<Watch>::default();
    let kept = Arc::clone(&watch);
    tokio::spawn(async move { kept.keep().await });
    while let Some(arrival) = arriving.recv().await {
        let Arrival {
            stream,
            peer,
            place,
        } = arrival;
        let Ok(stream) = TcpStream::from_std(stream) else {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        };
        let (dispatcher, watch) = (Arc::clone(&dispatcher), Arc::clone(&watch));
        let served = connection(stream, peer, dispatcher, watch, graceful.watcher());
        let open = Arc::clone(&open);
        tokio::spawn(async move {
            served.await;
            open.fetch_sub(1, Ordering::Relaxed);
            drop(place);
        });
    }
    let drain = Duration::from_secs(HTTP_DRAIN_SECONDS_MAX);
    if tokio::time::timeout(drain, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests were still running at the end of the drain time");
    }
}
