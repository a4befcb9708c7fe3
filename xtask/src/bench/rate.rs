//! Durable uploads of 1 KiB next to durable appends of 1 KiB on the same file system, slice by slice in turn, so that
//! both see the same disk. Never takes a ratio of slices that are far apart.

use std::time::Duration;

use anyhow::Result;
use landfall_testkit::http::Client;

use super::Bench;
use super::load::{self, BUCKET, Until};
use super::raw;
use super::report::{Row, Samples};

/// What the issue asks of so many clients.
struct Goal {
    clients: usize,
    ratio_min: f64,
    per_second_min: f64,
}

const GOALS: [Goal; 2] = [
    Goal {
        clients: 16,
        ratio_min: 0.60,
        per_second_min: 15_000.0,
    },
    Goal {
        clients: 1,
        ratio_min: 0.70,
        per_second_min: f64::INFINITY,
    },
];

pub(super) fn run(bench: &Bench) -> Result<Vec<Row>> {
    let server = bench.serve("rate")?;
    let endpoint = server.endpoint();
    bench.runtime.block_on(async {
        let mut client = Client::connect(endpoint).await?;
        client.create_bucket(BUCKET, false).await?;
        load::uploads(endpoint, "warm", 16, Until::Count(1_000)).await
    })?;
    GOALS
        .iter()
        .map(|goal| measure(bench, endpoint, goal))
        .collect()
}

fn measure(bench: &Bench, endpoint: &str, goal: &Goal) -> Result<Row> {
    let time = Duration::from_secs(bench.seconds);
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for slice in 0..bench.slices {
        let raw = raw::appends(bench.place.path(), goal.clients, time)?;
        let prefix = format!("{}-{slice}", goal.clients);
        let uploads = load::uploads(endpoint, &prefix, goal.clients, Until::After(time));
        let put = bench.runtime.block_on(uploads)?.per_second;
        println!(
            "{} clients: {put:.0} uploads/s, {raw:.0} appends/s, ratio {:.2}",
            goal.clients,
            put / raw
        );
        ours.push(put);
        theirs.push(raw);
        ratios.push(put / raw);
    }
    Ok(row(
        goal,
        &Samples::new(ours),
        &Samples::new(theirs),
        &Samples::new(ratios),
    ))
}

fn row(goal: &Goal, ours: &Samples, theirs: &Samples, ratios: &Samples) -> Row {
    let or_rate = if goal.per_second_min.is_finite() {
        format!(" or at least {:.0}/s", goal.per_second_min)
    } else {
        String::new()
    };
    Row {
        what: format!("durable 1 KiB uploads, {} client(s)", goal.clients),
        measured: ours.show(0, "/s"),
        beside: format!(
            "append + fdatasync {}; ratio {}",
            theirs.show(0, "/s"),
            ratios.show(2, "")
        ),
        goal: format!("ratio at least {:.2}{or_rate}", goal.ratio_min),
        is_met: ratios.median() >= goal.ratio_min || ours.median() >= goal.per_second_min,
    }
}
