//! Flipped bits in every stored file: right bytes or an error. Never flips a bit of anything but its own copies.

use std::time::Instant;

use anyhow::{Result, ensure};
use landfall_testkit::crash::Flips;
use landfall_testkit::new_seed;

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Decides the workload and the bits [default: from the clock; printed].
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Commits of the workload.
    #[arg(long, default_value_t = 300)]
    pub(super) steps: u64,
    /// Bits of each file.
    #[arg(long, default_value_t = 200)]
    pub(super) bits: u64,
}

/// Flips and says what came of it.
pub fn run(args: &Args) -> Result<String> {
    let flips = Flips {
        seed: args.seed.unwrap_or_else(new_seed),
        steps: args.steps,
        bits: args.bits,
    };
    println!("flips, --seed {}", flips.seed);
    let begun = Instant::now();
    let report = flips.run()?;
    for failure in &report.failures {
        eprintln!("{failure}");
    }
    let count = report.failures.len();
    ensure!(count == 0, "{count} bits gave wrong bytes or a panic");
    Ok(format!(
        "{} bits in {} files, {} met with an error, the others without effect; never a wrong byte, {} s",
        report.flips,
        report.files,
        report.refused,
        begun.elapsed().as_secs()
    ))
}
