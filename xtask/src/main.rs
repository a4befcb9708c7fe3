//! Project chores, run as `cargo xtask <command>`. Never part of the product.

use clap::{Parser, Subcommand};

mod bench;
mod codegen;
mod image;
mod prove;
mod tidy;

/// Chores of the Landfall workspace.
#[derive(Parser)]
#[command(name = "xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures the server next to what the machine does without it.
    Bench(bench::Args),
    /// Writes the generated API types and shape tables.
    Codegen(codegen::Args),
    /// Makes a container image of one static binary, as a docker archive.
    Image(image::Args),
    /// Proves the guarantees the long way: crashes at every step of I/O, and more.
    Prove(prove::Args),
    /// Checks the rules of the house that no compiler checks.
    Tidy(tidy::Args),
}

fn main() -> anyhow::Result<()> {
    match Args::parse().command {
        Command::Bench(args) => bench::run(&args),
        Command::Codegen(args) => codegen::run(&args),
        Command::Image(args) => image::run(&args),
        Command::Prove(args) => prove::run(&args),
        Command::Tidy(args) => tidy::run(&args),
    }
}
