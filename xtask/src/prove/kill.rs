//! `kill -9` of the real binary under concurrent clients, over and over. Never judges by anything but what the clients
//! wrote down themselves.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use landfall_testkit::kill::{Kill, Report, busybox};
use landfall_testkit::new_seed;

use crate::image;

/// Name of the image that the tasks run.
pub(super) const IMAGE: &str = "prove/box:1";
/// Ready again in so many milliseconds, 99 times of a hundred.
const READY_MILLIS_GOAL: f64 = 2_000.0;
/// Cycles between two lines.
const PROGRESS_EVERY: u64 = 25;

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Decides what the clients do and when the server dies [default: from the clock; printed].
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Kills under load.
    #[arg(long, default_value_t = 1_000)]
    pub(super) cycles: u64,
    /// Clients at one time.
    #[arg(long, default_value_t = 16)]
    pub(super) clients: u64,
    /// Answers of one cycle, on the average.
    #[arg(long, default_value_t = 700)]
    pub(super) answers: u64,
    /// Uploads of one cycle that start a container.
    #[arg(long, default_value_t = 8)]
    pub(super) starting: i64,
    /// Way to run containers.
    #[arg(long, default_value = "process", value_parser = ["process", "oci"])]
    pub(super) runtime: String,
    /// The server's binary: a release build.
    #[arg(long, env = "LANDFALL_BIN", value_name = "FILE")]
    pub(super) bin: PathBuf,
    /// Where data goes: a real disk [default: the temporary directory].
    #[arg(long, value_name = "DIR")]
    pub(super) directory: Option<PathBuf>,
}

/// Kills and judges.
pub fn run(args: &Args) -> Result<String> {
    let place = tempfile::tempdir()?;
    let kill = Kill {
        seed: args.seed.unwrap_or_else(new_seed),
        cycles: args.cycles,
        clients: args.clients,
        answers: args.answers,
        starting: args.starting,
        runtime: args.runtime.clone(),
        binary: args.bin.canonicalize().context("there is no server")?,
        directory: args.directory.clone(),
        image: (archive(place.path())?, IMAGE.to_owned()),
    };
    println!("kill, --seed {}", kill.seed);
    let begun = Instant::now();
    let report = kill.run(|now| {
        if now.cycles.is_multiple_of(PROGRESS_EVERY) {
            println!("{}, {} s", line(now), begun.elapsed().as_secs());
        }
    })?;
    ensure!(
        report.ready_within(99) <= READY_MILLIS_GOAL,
        "ready again in {:.0} ms at the 99th percentile",
        report.ready_within(99)
    );
    Ok(format!(
        "{}; {} objects read back, {} of them unanswered; {} containers and {} messages, each once; \
         exec to ready p50 {:.0} ms, p99 {:.0} ms, max {:.0} ms; nothing lost, no phantom",
        line(&report),
        report.objects,
        report.happened,
        report.containers,
        report.messages,
        report.ready_within(50),
        report.ready_within(99),
        report.ready_within(100)
    ))
}

fn line(report: &Report) -> String {
    format!(
        "{} kills and {} in recovery, {} acknowledged uploads, {} deletions, {} unanswered",
        report.cycles,
        report.kills_in_recovery,
        report.acknowledged_puts,
        report.acknowledged_deletes,
        report.unanswered
    )
}

/// The archive of an image with a static busybox.
pub(super) fn archive(directory: &Path) -> Result<PathBuf> {
    let busybox = busybox().context("apt-get install busybox-static")?;
    let output = directory.join("image.tar");
    image::run(&image::Args {
        binary: busybox.to_owned(),
        name: IMAGE.to_owned(),
        output: output.clone(),
        path: Some("/bin/busybox".to_owned()),
        command: Vec::new(),
    })?;
    Ok(output)
}
