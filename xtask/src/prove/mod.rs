//! Proves what the guarantees promise, from seeds that it prints: the long form of what the tests do in short.
//!
//! Never changes a promise to fit what it finds.

mod all;
mod clock;
mod disk;
mod faults;
mod flips;
mod full;
mod kill;
mod mutations;
mod runtime;

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
    /// All of these, one after the other, with a table at the end.
    All(all::Args),
    /// Turns the clock forward and back under the loop.
    Clock(clock::Args),
    /// Stops the stores at every step of their I/O and opens what each crash may have left.
    Disk(disk::Args),
    /// Lets single calls of the disk fail, under the stores and under the server.
    Faults(faults::Args),
    /// Flips bits in every stored file.
    Flips(flips::Args),
    /// Lets the disk run full and makes room again.
    Full(full::Args),
    /// Kills the server under concurrent clients, over and over.
    Kill(kill::Args),
    /// Breaks the product on purpose: the proofs must notice.
    Mutations(mutations::Args),
    /// Kills shims and containers under the server, and while it is down.
    Runtime(runtime::Args),
}

impl What {
    fn run(&self) -> Result<String> {
        match self {
            Self::All(args) => all::run(args),
            Self::Clock(args) => clock::run(args),
            Self::Disk(args) => disk::run(args),
            Self::Faults(args) => faults::run(args),
            Self::Flips(args) => flips::run(args),
            Self::Full(args) => full::run(args),
            Self::Kill(args) => kill::run(args),
            Self::Mutations(args) => mutations::run(args),
            Self::Runtime(args) => runtime::run(args),
        }
    }
}

/// Runs one proof; its failure is the command's.
pub fn run(args: &Args) -> Result<()> {
    println!("{}", args.what.run()?);
    Ok(())
}
