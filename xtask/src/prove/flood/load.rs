//! Clients that upload and take the time. Never waits between two uploads, the single prober aside, which must not be a
//! load itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use landfall_testkit::http::Client;
use tokio::task::{JoinHandle, JoinSet};

use super::BUCKET;

/// Between two uploads of the prober.
const PROBE_PAUSE: Duration = Duration::from_millis(5);
/// Pause of a client that is told to reduce its rate.
const SLOW_DOWN_PAUSE: Duration = Duration::from_millis(20);
const BODY_BYTES_MAX: u64 = 1_024;

/// Times of uploads.
#[derive(Debug, Default)]
pub(super) struct Latencies(Vec<Duration>);

impl Latencies {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    /// The time within which this share of the uploads was answered.
    pub(super) fn millis(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1) as f64;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let index = (last * share).round() as usize;
        let time = self.0.get(index).copied().unwrap_or_default();
        time.as_secs_f64() * 1_000.0
    }
}

/// Lets clients upload `count` objects together.
pub(super) async fn upload(
    endpoint: &str,
    prefix: &str,
    clients: usize,
    count: usize,
    seed: u64,
) -> Result<Latencies> {
    let begun = Arc::new(AtomicUsize::new(0));
    let mut running = JoinSet::new();
    for _ in 0..clients {
        let client = Client::connect(endpoint).await?;
        let (prefix, begun) = (prefix.to_owned(), Arc::clone(&begun));
        running.spawn(uploading(client, prefix, begun, count, seed));
    }
    let mut times = Vec::with_capacity(count);
    while let Some(some) = running.join_next().await {
        times.extend(some??);
    }
    Ok(Latencies::of(times))
}

async fn uploading(
    mut client: Client,
    prefix: String,
    begun: Arc<AtomicUsize>,
    count: usize,
    seed: u64,
) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    loop {
        let number = begun.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(times);
        }
        let body = vec![b'x'; body_bytes(seed, number)];
        times.push(put(&mut client, &format!("{prefix}{number}"), &body).await?);
    }
}

/// Sizes that follow from the seed.
fn body_bytes(seed: u64, number: usize) -> usize {
    let mixed = (seed ^ number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    usize::try_from(mixed % BODY_BYTES_MAX).unwrap_or(0)
}

/// Uploads until it is taken: a server that says `SlowDown` has taken nothing. The time of the answer that took it.
async fn put(client: &mut Client, key: &str, body: &[u8]) -> Result<Duration> {
    loop {
        let begin = Instant::now();
        let answer = client.put_object(BUCKET, key, body).await?;
        if answer.status != 503 {
            answer.success()?;
            return Ok(begin.elapsed());
        }
        tokio::time::sleep(SLOW_DOWN_PAUSE).await;
    }
}

/// One client alone, at a measured pace.
pub(super) async fn probe(endpoint: &str, prefix: &str, count: usize) -> Result<Latencies> {
    let mut client = Client::connect(endpoint).await?;
    let mut times = Vec::with_capacity(count);
    for number in 0..count {
        times.push(put(&mut client, &format!("{prefix}{number}"), b"x").await?);
        tokio::time::sleep(PROBE_PAUSE).await;
    }
    Ok(Latencies::of(times))
}

/// The same client beside a flood, on a thread of its own: it must not wait for the flood's clients.
pub(super) struct Probing {
    is_over: Arc<AtomicBool>,
    prober: JoinHandle<Result<Vec<Duration>>>,
}

impl Probing {
    pub(super) fn begin(endpoint: &str) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (endpoint, over) = (endpoint.to_owned(), Arc::clone(&is_over));
        let prober = tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(probing(&endpoint, &over))
        });
        Self { is_over, prober }
    }

    pub(super) async fn end(self) -> Result<Latencies> {
        self.is_over.store(true, Ordering::Relaxed);
        Ok(Latencies::of(self.prober.await??))
    }
}

async fn probing(endpoint: &str, is_over: &AtomicBool) -> Result<Vec<Duration>> {
    let mut client = Client::connect(endpoint).await?;
    let mut times = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let key = format!("beside{}", times.len());
        times.push(put(&mut client, &key, b"x").await?);
        tokio::time::sleep(PROBE_PAUSE).await;
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_the_sorted_times() {
        let times = (1..=101).rev().map(Duration::from_millis).collect();
        let latencies = Latencies::of(times);
        let at = |share| latencies.millis(share);
        assert_eq!(
            (at(0.0), at(0.5), at(0.99), at(1.0)),
            (1.0, 51.0, 100.0, 101.0)
        );
        assert_eq!(Latencies::default().millis(0.99), 0.0);
    }
}
