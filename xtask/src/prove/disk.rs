//! The crash matrix over a disk that knows what was synced. Never needs the server.

use std::time::Instant;

use anyhow::{Result, ensure};
use landfall_testkit::crash::{Matrix, Report};
use landfall_testkit::new_seed;

/// How much to look at.
#[derive(clap::Args)]
pub struct Args {
    /// Decides the workloads and the images [default: from the clock; printed].
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Images to open.
    #[arg(long, default_value_t = 100_000)]
    images: u64,
    /// Commits of one workload.
    #[arg(long, default_value_t = 400)]
    steps: u64,
    /// One image of so many is recovered on a disk that is stopped again; 0 for none.
    #[arg(long, default_value_t = 50)]
    recovery_every: u64,
    /// Threads that open images.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Lets the disk say yes to every sync and do nothing: then this must fail.
    #[arg(long)]
    lying_disk: bool,
}

/// Images of one stopped recovery.
const RECOVERY_IMAGES: u64 = 20;

/// Opens the images and says what was found.
pub fn run(args: &Args) -> Result<String> {
    let matrix = Matrix {
        seed: args.seed.unwrap_or_else(new_seed),
        steps: args.steps.max(1),
        images: args.images,
        recovery_every: args.recovery_every,
        recovery_images: RECOVERY_IMAGES,
        threads: args.threads,
        lies: args.lying_disk,
    };
    println!("crash matrix, --seed {}", matrix.seed);
    let begun = Instant::now();
    let report = matrix.run(|now| println!("{}", line(now, begun)))?;
    for failure in &report.failures {
        eprintln!("{failure}");
    }
    let count = report.failures.len();
    ensure!(count == 0, "{count} images are not as they should be");
    Ok(line(&report, begun))
}

fn line(report: &Report, begun: Instant) -> String {
    format!(
        "{} images ({} of stopped recoveries) of {} steps of I/O in {} workloads, {} failures, {} s",
        report.images,
        report.of_recoveries,
        report.points,
        report.workloads,
        report.failures.len(),
        begun.elapsed().as_secs()
    )
}
