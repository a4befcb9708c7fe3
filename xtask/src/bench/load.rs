//! The load generator: clients on kept connections that upload small objects one after the other, all in one thread.
//! Never waits between two uploads; one client alone does not even sleep.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use landfall_testkit::http::Client;
use tokio::task::JoinSet;

pub(super) const BUCKET: &str = "bench";
pub(super) const BODY: [u8; 1024] = [b'x'; 1024];

/// When the clients stop.
#[derive(Debug, Clone, Copy)]
pub(super) enum Until {
    /// So many uploads were begun.
    Count(u64),
    /// So much time has gone by.
    After(Duration),
}

/// What the clients did together.
pub(super) struct Uploads {
    pub(super) count: u64,
    pub(super) per_second: f64,
}

/// Uploads by `clients` clients; keys begin with `prefix`.
pub(super) async fn uploads(
    endpoint: &str,
    prefix: &str,
    clients: usize,
    until: Until,
) -> Result<Uploads> {
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(Client::connect(endpoint).await?);
    }
    let begun = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let mut running = JoinSet::new();
    for client in connections {
        let work = uploading(client, prefix.to_owned(), Arc::clone(&begun), start, until);
        running.spawn(work);
    }
    let finish = async {
        let mut count = 0;
        while let Some(done) = running.join_next().await {
            count += done??;
        }
        Ok(Uploads {
            count,
            per_second: count as f64 / start.elapsed().as_secs_f64(),
        })
    };
    if clients > 1 {
        return finish.await;
    }
    tokio::select! {
        biased;
        uploads = finish => uploads,
        () = stay_awake() => unreachable!("it has no end"),
    }
}

/// One client alone would sleep while it waits, and its own waking would be measured.
async fn stay_awake() {
    loop {
        tokio::task::yield_now().await;
    }
}

async fn uploading(
    mut client: Client,
    prefix: String,
    begun: Arc<AtomicU64>,
    start: Instant,
    until: Until,
) -> Result<u64> {
    let mut done = 0;
    loop {
        let number = begun.fetch_add(1, Ordering::Relaxed);
        let is_over = match until {
            Until::Count(count) => number >= count,
            Until::After(time) => start.elapsed() >= time,
        };
        if is_over {
            return Ok(done);
        }
        let key = format!("{prefix}/{number}");
        client.put_object(BUCKET, &key, &BODY).await?.success()?;
        done += 1;
    }
}
