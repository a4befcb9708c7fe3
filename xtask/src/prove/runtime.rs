//! Shims and containers killed under the server, and while it is down. Never kills a process of anybody else.

use std::path::PathBuf;

use anyhow::{Context, Result};
use landfall_testkit::kill::Shims;
use landfall_testkit::new_seed;

use super::kill::{IMAGE, archive};

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Decides who is killed [default: from the clock; printed].
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Rounds; every second one has the server down.
    #[arg(long, default_value_t = 40)]
    pub(super) rounds: u64,
    /// Tasks of one round.
    #[arg(long, default_value_t = 12)]
    pub(super) tasks: u64,
    /// Way to run containers.
    #[arg(long, default_value = "process", value_parser = ["process", "oci"])]
    pub(super) runtime: String,
    /// The server's binary.
    #[arg(long, env = "LANDFALL_BIN", value_name = "FILE")]
    pub(super) bin: PathBuf,
}

/// Kills and says what came of it.
pub fn run(args: &Args) -> Result<String> {
    let place = tempfile::tempdir()?;
    let shims = Shims {
        seed: args.seed.unwrap_or_else(new_seed),
        rounds: args.rounds,
        tasks: args.tasks,
        runtime: args.runtime.clone(),
        binary: args.bin.canonicalize().context("there is no server")?,
        image: (archive(place.path())?, IMAGE.to_owned()),
    };
    println!("runtime, --seed {}", shims.seed);
    let report = shims.run()?;
    Ok(format!(
        "{} tasks in {} rounds, {} of them with the server down: {} shims and {} containers killed, each run failed with \
         a reason, the others succeeded, none started twice",
        report.tasks, args.rounds, report.down, report.shims, report.containers
    ))
}
