//! Resident memory of the server: idle, and after many small uploads. Never counts its containers' shims.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use landfall_testkit::Server;
use landfall_testkit::http::Client;
use serde_json::Value;

use super::Bench;
use super::load::{self, BUCKET, Until};
use super::report::Row;

const UPLOADS: u64 = 10_000;
const IDLE_GOAL_MB: f64 = 20.0;
const AFTER_GOAL_MB: f64 = 25.0;
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let server = bench.serve("memory")?;
    bench.runtime.block_on(ready(server.endpoint()))?;
    let idle = row("resident memory, idle", &server, IDLE_GOAL_MB)?;
    bench.runtime.block_on(async {
        let mut client = Client::connect(server.endpoint()).await?;
        client.create_bucket(BUCKET, false).await?;
        load::uploads(server.endpoint(), "k", 16, Until::Count(UPLOADS)).await
    })?;
    let after = row(
        "resident memory after 10,000 uploads of 1 KiB",
        &server,
        AFTER_GOAL_MB,
    )?;
    Ok(vec![idle, after])
}

/// Until the way in which containers run has been chosen: that is part of being up.
async fn ready(endpoint: &str) -> Result<()> {
    let begin = Instant::now();
    let mut client = Client::connect(endpoint).await?;
    loop {
        let health = client.send("GET", "/_landfall/health", &[], b"").await?;
        let health = health.json()?;
        let runtime = health.get("runtime").and_then(Value::as_str);
        if runtime.is_some_and(|name| name != "not chosen yet") {
            return Ok(());
        }
        ensure!(
            begin.elapsed() < PATIENCE,
            "no runtime was chosen: {health}"
        );
        tokio::time::sleep(LOOK).await;
    }
}

fn row(what: &str, server: &Server, goal: f64) -> Result<Row> {
    let memory = server.memory()?;
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    Ok(Row {
        what: what.to_owned(),
        measured: format!("{:.1} MB", megabytes(memory.resident)),
        beside: format!("{:.1} MB at most so far", megabytes(memory.resident_max)),
        goal: format!("at most {goal} MB"),
        is_met: megabytes(memory.resident) <= goal,
    })
}
