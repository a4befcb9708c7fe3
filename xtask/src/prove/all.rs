//! All proofs, one after the other, and a table. Goes on after one that fails, so that each has its line.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Parser;

use super::What;

/// How much to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The server's binary.
    #[arg(long, env = "LANDFALL_BIN", value_name = "FILE")]
    bin: PathBuf,
    /// Decides everything that is random [default: each proof draws its own; printed].
    #[arg(long)]
    seed: Option<u64>,
    /// A few minutes instead of hours.
    #[arg(long)]
    short: bool,
}

/// A proof's arguments, in the short form.
const SHORT: [(&str, &[&str]); 7] = [
    ("kill", &["--cycles", "20", "--answers", "300"]),
    ("disk", &["--images", "3000", "--steps", "200"]),
    ("faults", &["--cases", "150", "--servers", "10"]),
    ("flips", &["--steps", "120", "--bits", "20"]),
    ("full", &["--times", "2"]),
    ("runtime", &["--rounds", "4"]),
    ("clock", &["--rounds", "20"]),
];
/// Proofs that take the server's binary.
const OF_SERVER: [&str; 4] = ["kill", "faults", "full", "runtime"];

/// A line of arguments as the command would take them.
#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    what: What,
}

/// Runs them all.
pub fn run(args: &Args) -> Result<String> {
    let mut lines: Vec<(&str, Vec<String>)> = Vec::new();
    for (name, short) in SHORT {
        let mut line = vec!["prove".to_owned(), name.to_owned()];
        if args.short {
            line.extend(short.iter().map(|word| (*word).to_owned()));
        }
        if OF_SERVER.contains(&name) {
            line.extend(["--bin".to_owned(), args.bin.display().to_string()]);
        }
        if let Some(seed) = args.seed {
            line.extend(["--seed".to_owned(), seed.to_string()]);
        }
        lines.push((name, line));
    }
    if !args.short {
        let line = ["prove", "mutations"].map(str::to_owned).to_vec();
        lines.push(("mutations", line));
    }
    let (mut table, mut failures) = (String::new(), 0);
    for (name, line) in lines {
        let begun = Instant::now();
        let found = Line::try_parse_from(line)
            .map_err(anyhow::Error::from)
            .and_then(|line| line.what.run());
        let found = found.unwrap_or_else(|e| {
            failures += 1;
            format!("FAILED: {e:#}")
        });
        let seconds = begun.elapsed().as_secs();
        table.push_str(&format!("| {name} | {seconds} s | {found} |\n"));
    }
    let table = format!("\n| proof | time | found |\n|---|---|---|\n{table}");
    ensure!(failures == 0, "{failures} proofs failed\n{table}");
    Ok(table)
}
