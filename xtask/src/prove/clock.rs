//! Jumps of the wall clock, under the loop itself over a clock that a test turns. The test is in `flow`, whose inner
//! rooms nobody else may enter; this only runs it longer.

use std::process::Command;

use anyhow::{Result, ensure};
use landfall_testkit::new_seed;

const TEST: &str = "wherever_the_clock_jumps_every_arrival_starts_once_and_soon";

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Decides the jumps [default: from the clock; printed].
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Pipelines, each with some jumps of up to twelve hours.
    #[arg(long, default_value_t = 500)]
    pub(super) rounds: u64,
}

/// Runs the test.
pub fn run(args: &Args) -> Result<String> {
    let seed = args.seed.unwrap_or_else(new_seed);
    println!("clock, --seed {seed}");
    let status = Command::new("cargo")
        .args([
            "test",
            "--quiet",
            "--package",
            "landfall-flow",
            "--test",
            "pipeline",
        ])
        .args(["--", "--exact", TEST])
        .env("LANDFALL_PROVE_SEED", seed.to_string())
        .env("LANDFALL_PROVE_ROUNDS", args.rounds.to_string())
        .status()?;
    ensure!(status.success(), "the test fails with --seed {seed}");
    Ok(format!(
        "{} pipelines whose clock jumped: every arrival started once, no retry waited for the jump",
        args.rounds
    ))
}
