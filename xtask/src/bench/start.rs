//! From exec to the first answered call, on a fresh directory and on one that holds objects. Never counts a start that
//! failed.

use std::time::Instant;

use anyhow::Result;
use landfall_testkit::Server;
use landfall_testkit::http::Client;

use super::Bench;
use super::load::{self, BUCKET, Until};
use super::report::{Row, Samples};

const GOAL_MILLIS: f64 = 30.0;
const OBJECTS: u64 = 10_000;

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let fresh = many(bench, || bench.serve_with(&["--ephemeral"]))?;
    fill(bench)?;
    let filled = many(bench, || bench.serve("start"))?;
    Ok(vec![
        row("exec to first answer, fresh directory", &fresh),
        row("exec to first answer, 10,000 objects there", &filled),
    ])
}

fn fill(bench: &Bench) -> Result<()> {
    let server = bench.serve("start")?;
    bench.runtime.block_on(async {
        let mut client = Client::connect(server.endpoint()).await?;
        client.create_bucket(BUCKET, false).await?;
        load::uploads(server.endpoint(), "k", 16, Until::Count(OBJECTS)).await
    })?;
    server.stop()?;
    Ok(())
}

fn many(bench: &Bench, start: impl Fn() -> Result<Server>) -> Result<Samples> {
    let mut millis = Vec::new();
    for _ in 0..bench.starts {
        let begin = Instant::now();
        let server = start()?;
        bench.runtime.block_on(async {
            let mut client = Client::connect(server.endpoint()).await?;
            client.send("GET", "/", &[], b"").await?.success()
        })?;
        millis.push(begin.elapsed().as_secs_f64() * 1_000.0);
        server.stop()?;
    }
    Ok(Samples::new(millis))
}

fn row(what: &str, millis: &Samples) -> Row {
    Row {
        what: what.to_owned(),
        measured: millis.show(1, " ms"),
        beside: "-".to_owned(),
        goal: format!("at most {GOAL_MILLIS} ms"),
        is_met: millis.median() <= GOAL_MILLIS,
    }
}
