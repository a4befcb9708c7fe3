//! The ledger, page by page. Never keeps more of it than the keys.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use landfall_testkit::http::Client;
use serde_json::Value;

use super::{LOOK, PATIENCE, text};

const PAGE: usize = 10_000;

/// Waits until nothing is under way, then looks for each upload: there, succeeded, and there once.
pub(super) async fn check(endpoint: &str, prefix: &str, uploads: usize) -> Result<()> {
    let mut client = Client::connect(endpoint).await?;
    let begun = Instant::now();
    loop {
        let (by_key, open) = read(&mut client, prefix).await?;
        if open == 0 {
            let twice = by_key.iter().find(|(_, count)| **count != 1);
            ensure!(twice.is_none(), "in the ledger more than once: {twice:?}");
            let count = by_key.len();
            ensure!(count == uploads, "{count} of {uploads} are in the ledger");
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "{open} runs do not end");
        tokio::time::sleep(LOOK).await;
    }
}

/// How often each key is there, and how many of them have not ended.
async fn read(client: &mut Client, prefix: &str) -> Result<(BTreeMap<String, usize>, usize)> {
    let (mut by_key, mut open) = (BTreeMap::new(), 0);
    let mut path = format!("/_landfall/runs?limit={PAGE}");
    loop {
        let page = client.send("GET", &path, &[], b"").await?.json()?;
        let runs = page.get("runs").and_then(Value::as_array);
        for run in runs.context("the ledger's answer has no runs")? {
            let key = text(run, "key");
            ensure!(key.starts_with(prefix), "no rule asked for {run}");
            match text(run, "state") {
                "succeeded" => *by_key.entry(key.to_owned()).or_default() += 1,
                "matched" | "queued" | "starting" | "running" => open += 1,
                _ => anyhow::bail!("it did not succeed: {run}"),
            }
        }
        match page.get("next_token").and_then(Value::as_str) {
            Some(token) => path = format!("/_landfall/runs?limit={PAGE}&token={token}"),
            None => return Ok((by_key, open)),
        }
    }
}
