//! A full disk: the real server on a small file system in memory. Never fills any other.

use std::path::PathBuf;

use anyhow::{Context, Result};
use landfall_testkit::kill::Trouble;
use landfall_testkit::new_seed;

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Decides what the clients do [default: from the clock; printed].
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Times that the disk runs full.
    #[arg(long, default_value_t = 20)]
    pub(super) times: u64,
    /// Size of the disk in MiB.
    #[arg(long, default_value_t = 64)]
    pub(super) size: u64,
    /// Clients.
    #[arg(long, default_value_t = 8)]
    pub(super) clients: u64,
    /// The server's binary.
    #[arg(long, env = "LANDFALL_BIN", value_name = "FILE")]
    pub(super) bin: PathBuf,
}

/// Fills the disk and says what came of it.
pub fn run(args: &Args) -> Result<String> {
    let seed = args.seed.unwrap_or_else(new_seed);
    println!("full, --seed {seed}");
    let (mut acknowledged, mut refused, mut ended) = (0, 0, 0);
    for time in 0..args.times {
        let trouble = Trouble {
            seed: seed.wrapping_add(time),
            clients: args.clients,
            binary: args.bin.canonicalize().context("there is no server")?,
        };
        let report = trouble.full(args.size * 1024 * 1024)?;
        acknowledged += report.acknowledged;
        refused += report.refused;
        ended += report.ended;
    }
    Ok(format!(
        "{} full disks: {acknowledged} uploads acknowledged and there, {refused} operations refused or unanswered; {ended} \
         servers ended with an error and went on after a restart, the others served on",
        args.times
    ))
}
