//! The ledger as the outside sees it, taken a piece at a time, so that no page has to hold all of it. Never judges.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{PATIENCE, wrong};
use crate::http::Client;

/// Lines of one answer.
const PAGE: usize = 10_000;
/// States of a run that goes on.
const OPEN: [&str; 4] = ["matched", "queued", "starting", "running"];
const LOOK: Duration = Duration::from_millis(50);

/// A text field of a line of the ledger.
pub(crate) fn text<'a>(run: &'a Value, name: &str) -> &'a str {
    run.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// All lines that were seen.
#[derive(Debug, Default)]
pub(crate) struct Book {
    runs: BTreeMap<u64, Value>,
    /// All runs up to this number have ended.
    settled: u64,
}

impl Book {
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Value> {
        self.runs.values()
    }

    /// Takes the news; what has ended must be as it was.
    pub(crate) async fn look(&mut self, client: &mut Client) -> io::Result<()> {
        let path = format!("/_landfall/runs?after={}&limit={PAGE}", self.settled);
        let answer = client.send("GET", &path, &[], b"").await?.json()?;
        let runs = answer.get("runs").and_then(Value::as_array);
        let runs = runs.ok_or_else(|| wrong("the ledger's answer has no runs"))?;
        if runs.len() >= PAGE {
            return Err(wrong("more runs than one page holds are under way"));
        }
        let mut settled = Some(self.settled);
        for run in runs {
            let number = run.get("number").and_then(Value::as_u64);
            let number = number.ok_or_else(|| wrong(format_args!("no number: {run}")))?;
            self.take(number, run)?;
            settled = settled.filter(|_| !is_open(run)).map(|_| number);
            self.settled = settled.unwrap_or(self.settled);
        }
        Ok(())
    }

    fn take(&mut self, number: u64, run: &Value) -> io::Result<()> {
        match self.runs.insert(number, run.clone()) {
            Some(before) if !is_open(&before) && before != *run => Err(wrong(format_args!(
                "a run that had ended changed: {before} and {run}"
            ))),
            _ => Ok(()),
        }
    }

    /// Waits until every run has ended, as long as runs still end.
    pub(crate) async fn settle(&mut self, client: &mut Client) -> io::Result<()> {
        let (mut before, mut since) = (usize::MAX, Instant::now());
        loop {
            self.look(client).await?;
            let open = self.runs.values().filter(|run| is_open(run)).count();
            if open == 0 && before == 0 {
                return Ok(());
            }
            if open != before {
                (before, since) = (open, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                let waiting = self.runs.values().find(|run| is_open(run));
                return Err(wrong(format_args!(
                    "{open} runs go on and on, as {waiting:?}"
                )));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn is_open(run: &Value) -> bool {
    OPEN.contains(&text(run, "state"))
}
