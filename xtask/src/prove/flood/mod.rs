//! A flood: clients upload as fast as they can, and each upload starts a task. Every one must end well, none twice, while
//! the server stays small and answers other uploads as before.
//!
//! Each task says that it runs, in a file or over a connection, so that starts are counted where they happen. Never
//! believes the ledger alone.

mod ledger;
mod load;
mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use landfall_testkit::http::Client;
use landfall_testkit::{Arrivals, Road, Server, new_seed};
use serde_json::Value;
use tempfile::TempDir;

use self::load::Latencies;
use self::watch::Watch;
use crate::image;

/// How large a flood.
#[derive(clap::Args)]
pub struct Args {
    /// The server's binary: a release build.
    #[arg(long, env = "LANDFALL_BIN", value_name = "FILE")]
    server: PathBuf,
    /// Where data goes [default: the temporary directory].
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Uploads that start a task each.
    #[arg(long, default_value_t = 100_000)]
    uploads: usize,
    /// Clients that upload at once.
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// How tasks are run.
    #[arg(long, value_enum, default_value = "process")]
    runtime: Kind,
    /// Decides the bodies [default: from the clock; printed].
    #[arg(long)]
    seed: Option<u64>,
    /// Uploads of one client alone, before the flood, that its latency is compared with.
    #[arg(long, default_value_t = 2_000)]
    probes: usize,
    /// Tells the figures and checks only that nothing is lost or doubled: for builds that are not optimized.
    #[arg(long)]
    figures_only: bool,
}

/// A runtime of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    Process,
    Oci,
}

const BUCKET: &str = "flood";
/// Keys that the rule matches.
const MATCHING: &str = "in/";
const IMAGE: &str = "flood/task:1";
const BUSYBOX: &str = "/bin/busybox";
/// Most that the server may grow.
const GROWTH_MIB_MAX: f64 = 128.0;
/// Most that an upload may take longer.
const SLOWDOWN_MAX: f64 = 5.0;
/// Nothing stands still this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(100);

/// Where a flood happens.
struct Place {
    directory: TempDir,
    starts: Starts,
}

/// How tasks say that they run.
enum Starts {
    File(PathBuf),
    Connections(Arrivals),
}

/// Floods a server, prints the figures, and says in a sentence what they come to.
pub fn run(args: &Args) -> Result<String> {
    let seed = args.seed.unwrap_or_else(new_seed);
    println!(
        "flood of {} uploads from {} clients, {:?}, --seed {seed}",
        args.uploads, args.clients, args.runtime
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(flood(args, seed))?;
    Ok(format!(
        "{} uploads, each of them succeeded in the ledger, none twice",
        args.uploads
    ))
}

async fn flood(args: &Args, seed: u64) -> Result<()> {
    let place = Place::new(args)?;
    let server = place.serve(args)?;
    let endpoint = server.endpoint().to_owned();
    furnish(&place, &endpoint).await?;
    load::upload(&endpoint, "warm", args.clients, args.clients * 16, seed).await?;
    let watch = Watch::begin(server.pid());
    let alone = load::probe(&endpoint, "alone", args.probes).await?;
    let quiet = load::upload(&endpoint, "quiet", args.clients, args.probes, seed).await?;

    let begun = Instant::now();
    let probing = load::Probing::begin(&endpoint);
    let prefix = format!("{MATCHING}k");
    let loud = load::upload(&endpoint, &prefix, args.clients, args.uploads, seed).await?;
    let uploaded = begun.elapsed();
    let drained = drain(&place, args.uploads).await;
    let during = probing.end().await?;
    drained?;
    let seen = watch.end();
    ledger::check(&endpoint, MATCHING, args.uploads).await?;
    let lasted = begun.elapsed();
    place.check(args.uploads)?;
    drop(server);

    let report = Report {
        alone,
        during,
        quiet,
        loud,
        uploaded,
        lasted,
        seen,
    };
    report.print(args.uploads);
    ensure!(
        args.figures_only || report.is_within_bounds(),
        "the flood did not stay within its bounds"
    );
    Ok(())
}

impl Place {
    fn new(args: &Args) -> Result<Self> {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("landfall-flood-");
        let directory = match &args.directory {
            Some(directory) => builder.tempdir_in(directory)?,
            None => builder.tempdir()?,
        };
        let starts = match args.runtime {
            Kind::Process => Starts::File(directory.path().join("starts")),
            Kind::Oci => Starts::Connections(Arrivals::listen()?),
        };
        Ok(Self { directory, starts })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn serve(&self, args: &Args) -> Result<Server> {
        let data = self.path("data");
        let data = data.to_str().context("the directory's name is not UTF-8")?;
        let kind = match args.runtime {
            Kind::Process => "process",
            Kind::Oci => "oci",
        };
        let arguments = ["--data", data, "--runtime", kind, "--log", "warn"];
        let server = args.server.canonicalize().context("there is no server")?;
        Server::start(&server, &arguments, &self.path("log")).context("the server does not start")
    }

    /// What a task does: it says that it runs, and takes ten milliseconds.
    fn script(&self) -> String {
        let say = match &self.starts {
            Starts::File(path) => format!("echo \"$OBJECT_KEY\" >> {}", path.display()),
            Starts::Connections(arrivals) => {
                let port = arrivals.port();
                format!("echo \"$OBJECT_KEY\" | {BUSYBOX} nc 127.0.0.1 {port}")
            }
        };
        format!("{say}; exec {BUSYBOX} usleep 10000")
    }

    fn started(&self) -> Result<usize> {
        match &self.starts {
            Starts::Connections(arrivals) => Ok(arrivals.count()),
            Starts::File(path) => match std::fs::read(path) {
                Ok(text) => Ok(text.iter().filter(|byte| **byte == b'\n').count()),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(0),
                Err(e) => Err(e.into()),
            },
        }
    }

    /// Each upload has started one task, by what the tasks say.
    fn check(&self, uploads: usize) -> Result<()> {
        let by_key = match &self.starts {
            Starts::Connections(arrivals) => arrivals.by_line(),
            Starts::File(path) => {
                let mut by_key: BTreeMap<String, usize> = BTreeMap::new();
                for line in std::fs::read_to_string(path)?.lines() {
                    *by_key.entry(line.to_owned()).or_default() += 1;
                }
                by_key
            }
        };
        let twice = by_key.iter().find(|(_, count)| **count != 1);
        ensure!(twice.is_none(), "started more than once: {twice:?}");
        let count = by_key.len();
        ensure!(count == uploads, "{count} of {uploads} tasks have run");
        Ok(())
    }
}

async fn furnish(place: &Place, endpoint: &str) -> Result<()> {
    let archive = place.path("image.tar");
    let busybox = [BUSYBOX, "/usr/bin/busybox"];
    let busybox = busybox.into_iter().map(Path::new).find(|it| it.exists());
    image::run(&image::Args {
        binary: busybox
            .context("busybox-static is not installed")?
            .to_owned(),
        name: IMAGE.to_owned(),
        output: archive.clone(),
        path: Some(BUSYBOX.to_owned()),
        command: Vec::new(),
    })?;
    let road = Road {
        bucket: BUCKET.to_owned(),
        prefix: MATCHING.to_owned(),
        image: IMAGE.to_owned(),
        command: ["sh", "-c", &place.script()].map(str::to_owned).to_vec(),
    };
    let mut client = Client::connect(endpoint).await?;
    road.furnish(&mut client, &archive).await?;
    Ok(())
}

/// Waits until every task has said that it runs.
async fn drain(place: &Place, uploads: usize) -> Result<()> {
    let (mut before, mut since, mut told) = (0, Instant::now(), Instant::now());
    loop {
        let started = place.started()?;
        if started >= uploads {
            return Ok(());
        }
        if started > before {
            (before, since) = (started, Instant::now());
        }
        if told.elapsed() > Duration::from_secs(10) {
            println!("{started} of {uploads} have started");
            told = Instant::now();
        }
        let stands = since.elapsed() > PATIENCE;
        ensure!(!stands, "{started} of {uploads} started, and then nothing");
        tokio::time::sleep(LOOK).await;
    }
}

/// What was measured.
struct Report {
    alone: Latencies,
    during: Latencies,
    quiet: Latencies,
    loud: Latencies,
    uploaded: Duration,
    lasted: Duration,
    seen: watch::Seen,
}

impl Report {
    fn slowdown(&self) -> f64 {
        self.during.millis(0.99) / self.alone.millis(0.99)
    }

    fn is_within_bounds(&self) -> bool {
        self.seen.growth_mib() <= GROWTH_MIB_MAX && self.slowdown() <= SLOWDOWN_MAX
    }

    fn print(&self, uploads: usize) {
        let rate = |time: Duration| uploads as f64 / time.as_secs_f64();
        let met = |is: bool| if is { "yes" } else { "**no**" };
        println!("| what | p50 | p99 | most | goal | met |\n|---|---|---|---|---|---|");
        let rows = [
            ("PUT of one client, unloaded", &self.alone),
            ("PUT of one client beside the flood", &self.during),
            ("PUT of the clients together, no tasks", &self.quiet),
            ("PUT of the clients together, the flood", &self.loud),
        ];
        for (what, latencies) in rows {
            let at = |share| format!("{:.2} ms", latencies.millis(share));
            let (goal, is_met) = if std::ptr::eq(latencies, &self.during) {
                let goal = format!("p99 at most {SLOWDOWN_MAX}x ({:.1}x)", self.slowdown());
                (goal, met(self.slowdown() <= SLOWDOWN_MAX))
            } else {
                (String::new(), "")
            };
            println!(
                "| {what} | {} | {} | {} | {goal} | {is_met} |",
                at(0.5),
                at(0.99),
                at(1.0)
            );
        }
        println!(
            "uploads: {:.0}/s; all tasks ended after {:.0} s, {:.0}/s",
            rate(self.uploaded),
            self.lasted.as_secs_f64(),
            rate(self.lasted)
        );
        let growth = self.seen.growth_mib();
        println!(
            "resident memory: {:.1} MiB idle, {growth:.1} MiB more at most (goal: {GROWTH_MIB_MAX}; met: {}); \
             {} descriptors at most",
            self.seen.idle_mib(),
            met(growth <= GROWTH_MIB_MAX),
            self.seen.descriptors
        );
    }
}

/// A text field of a line of the ledger.
fn text<'a>(run: &'a Value, name: &str) -> &'a str {
    run.get(name).and_then(Value::as_str).unwrap_or_default()
}
