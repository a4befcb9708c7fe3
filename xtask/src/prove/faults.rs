//! Calls of the disk that fail: first under the real stores, then under the real server. Never judges a refusal a loss.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use landfall_testkit::crash::Faults;
use landfall_testkit::kill::Trouble;
use landfall_testkit::new_seed;

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Decides the workloads and the calls [default: from the clock; printed].
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Faults under the stores.
    #[arg(long, default_value_t = 3_000)]
    pub(super) cases: u64,
    /// Commits of one workload.
    #[arg(long, default_value_t = 40)]
    pub(super) steps: u64,
    /// Faults under the server.
    #[arg(long, default_value_t = 200)]
    pub(super) servers: u64,
    /// Clients of the server.
    #[arg(long, default_value_t = 4)]
    pub(super) clients: u64,
    /// The server's binary.
    #[arg(long, env = "LANDFALL_BIN", value_name = "FILE")]
    pub(super) bin: PathBuf,
}

/// Tries the faults and says what came of them.
pub fn run(args: &Args) -> Result<String> {
    let faults = Faults {
        seed: args.seed.unwrap_or_else(new_seed),
        steps: args.steps,
        cases: args.cases,
    };
    println!("faults, --seed {}", faults.seed);
    let begun = Instant::now();
    let stores = faults.run()?;
    for failure in &stores.failures {
        eprintln!("{failure}");
    }
    let count = stores.failures.len();
    ensure!(count == 0, "{count} faults lost something");
    let trouble = Trouble {
        seed: faults.seed,
        clients: args.clients,
        binary: args.bin.canonicalize().context("there is no server")?,
    };
    let servers = trouble.faults(args.servers)?;
    Ok(format!(
        "{} faults under the stores ({} refused, {} survived, {} images opened) and {} under the server ({} calls failed; {} ended with \
         an error, {} served on; {} uploads acknowledged, {} operations refused or unanswered), nothing lost, {} s",
        stores.cases,
        stores.refused,
        stores.survived,
        stores.images,
        servers.cases,
        servers.failed_calls,
        servers.ended,
        servers.read_on,
        servers.acknowledged,
        servers.refused,
        begun.elapsed().as_secs()
    ))
}
