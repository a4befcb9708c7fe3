//! Measures the server next to what the same machine does without it, in one run, and prints a table.
//!
//! Never compares with figures of another run or another machine: what stands beside each figure was measured in turn
//! with it.

mod containers;
mod load;
mod matcher;
mod memory;
mod rate;
mod raw;
mod report;
mod rules;
mod start;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use landfall_testkit::Server;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use report::Row;

/// What to measure, and how long.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    other: Option<Other>,
    /// The server's binary: a release build.
    #[arg(long, env = "LANDFALL_BIN", value_name = "FILE")]
    server: Option<PathBuf>,
    /// Where data goes; its file system is what is measured [default: the temporary directory].
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Slices of each kind when rates are measured.
    #[arg(long, default_value_t = 7)]
    slices: usize,
    /// Seconds of one slice.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Starts of the server, and of each kind of container.
    #[arg(long, default_value_t = 20)]
    starts: usize,
    /// What to measure; everything when nothing is named.
    #[arg(value_enum)]
    what: Vec<What>,
}

/// What is measured without a server.
#[derive(clap::Subcommand)]
enum Other {
    /// Matching of event patterns, next to quamina.
    Matcher(matcher::Args),
}

/// One group of measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// From exec to the first answered call.
    Start,
    /// Resident memory.
    Memory,
    /// Durable uploads per second next to appends with fdatasync.
    Rate,
    /// Durable uploads per second into a bucket that notifies, with 1,000 rules on the bus next to one.
    Rules,
    /// From the answered upload to the started container, next to crun and runc.
    Containers,
}

/// What all measurements need.
struct Bench {
    server: PathBuf,
    place: TempDir,
    slices: usize,
    seconds: u64,
    starts: usize,
    /// One thread: the load generator must leave the machine to the server.
    runtime: Runtime,
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Starts a server on a data directory of this name.
    fn serve(&self, data: &str) -> Result<Server> {
        let data = self.path(data);
        let data = data.to_str().context("the directory's name is not UTF-8")?;
        self.serve_with(&["--data", data])
    }

    fn serve_with(&self, arguments: &[&str]) -> Result<Server> {
        let log = self.path("log");
        Server::start(&self.server, arguments, &log).context("the server does not start")
    }
}

/// Measures and prints.
pub fn run(args: &Args) -> Result<()> {
    if let Some(Other::Matcher(args)) = &args.other {
        return matcher::run(args);
    }
    let server = args
        .server
        .as_deref()
        .context("name a server with --server")?;
    let bench = Bench {
        server: server.canonicalize().context("there is no server")?,
        place: scratch(args.directory.as_deref())?,
        slices: args.slices.max(1),
        seconds: args.seconds.max(1),
        starts: args.starts.max(1),
        runtime: tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?,
    };
    println!("{}", report::machine());
    let (mut rows, mut failures): (Vec<Row>, usize) = (Vec::new(), 0);
    for (what, measure) in [
        (What::Start, start::run as fn(&Bench) -> Result<Vec<Row>>),
        (What::Memory, memory::run),
        (What::Rate, rate::run),
        (What::Rules, rules::run),
        (What::Containers, containers::run),
    ] {
        if args.what.is_empty() || args.what.contains(&what) {
            match measure(&bench) {
                Ok(measured) => rows.extend(measured),
                Err(e) => {
                    eprintln!("{what:?} could not be measured: {e:#}");
                    failures += 1;
                }
            }
        }
    }
    println!("\n{}", report::table(&rows));
    ensure!(failures == 0, "{failures} groups could not be measured");
    Ok(())
}

fn scratch(directory: Option<&Path>) -> Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("landfall-bench-");
    Ok(match directory {
        Some(directory) => builder.tempdir_in(directory)?,
        None => builder.tempdir()?,
    })
}
