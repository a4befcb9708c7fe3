//! Proves what the guarantees promise, from seeds that it prints: the long form of what the tests do in short.
//!
//! Never changes a promise to fit what it finds.

mod disk;
mod flood;

use anyhow::Result;

/// What to prove.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

/// One kind of proof.
#[derive(clap::Subcommand)]
enum What {
    /// Stops the stores at every step of their I/O and opens what each crash may have left.
    Disk(disk::Args),
    /// Floods a server with uploads that start a task each.
    Flood(flood::Args),
}

/// Runs one proof; its failure is the command's.
pub fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Disk(args) => disk::run(args),
        What::Flood(args) => flood::run(args),
    }
}
