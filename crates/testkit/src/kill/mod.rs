//! `kill -9` cycles of the real server under concurrent clients, and what must be true afterwards.
//!
//! The clients keep records of their own: an operation is written down before it is sent, and its answer is synced before
//! it counts. The judge knows nothing but these records and what the server's APIs and the containers themselves say.
//! Never looks into the server's files.

mod book;
mod client;
mod house;
mod judge;
mod model;
mod record;
mod shims;
mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::http::Client;
use crate::{Arrivals, Random, Road, Server};
use client::Cycle;
use house::House;

pub use shims::{ShimReport, Shims};
pub use trouble::{Trouble, TroubleReport};

/// Bucket, rule, cluster and family.
pub(crate) const BUCKET: &str = "uploads";
/// Keys that start a container.
pub(crate) const STARTING: &str = "in/";
/// Keys whose event goes to the queue.
pub(crate) const TOLD: &str = "told/";
/// The queue.
pub(crate) const QUEUE: &str = "told";
/// One cycle of so many is killed again while it recovers.
const RECOVERY_EVERY: u64 = 5;
/// Kills of one recovery.
const RECOVERY_KILLS_MAX: u64 = 3;
/// A recovery is killed within so much time of its start.
const RECOVERY_MICROS_MAX: u64 = 60_000;
/// How long after enough answers the server is killed.
const DELAY_MICROS_MAX: u64 = 5_000;
/// Nothing stands still this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How much to do, and to whom.
#[derive(Debug, Clone)]
pub struct Kill {
    /// Decides what the clients do and when the server dies.
    pub seed: u64,
    /// Kills under load.
    pub cycles: u64,
    /// Clients at one time.
    pub clients: u64,
    /// Answers of one cycle, on the average.
    pub answers: u64,
    /// Uploads of one cycle that start a container.
    pub starting: i64,
    /// Way to run containers, as the server's option says it.
    pub runtime: String,
    /// The server.
    pub binary: PathBuf,
    /// Where data goes; the temporary directory when none.
    pub directory: Option<PathBuf>,
    /// Archive of an image with a static `/bin/busybox`, and its name.
    pub image: (PathBuf, String),
}

/// What was done and found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Kills under load.
    pub cycles: u64,
    /// Kills while the server was recovering.
    pub kills_in_recovery: u64,
    /// Acknowledged uploads: puts, copies and completed multipart uploads.
    pub acknowledged_puts: u64,
    /// Acknowledged deletions.
    pub acknowledged_deletes: u64,
    /// Operations that were never answered.
    pub unanswered: u64,
    /// Unanswered uploads of keys of their own that happened.
    pub happened: u64,
    /// Objects that were read back at the end.
    pub objects: u64,
    /// Containers that started.
    pub containers: u64,
    /// Messages in the queue.
    pub messages: u64,
    /// Milliseconds from exec to the first answer about health, in order of size.
    pub ready_millis: Vec<f64>,
}

impl Report {
    /// The share `of_hundred` of starts was ready within so many milliseconds.
    pub fn ready_within(&self, of_hundred: usize) -> f64 {
        let last = self.ready_millis.len().saturating_sub(1);
        let rank = (self.ready_millis.len() * of_hundred).div_ceil(100);
        let at = rank.saturating_sub(1).min(last);
        self.ready_millis.get(at).copied().unwrap_or(0.0)
    }
}

/// What is wrong, as an error.
pub(crate) fn wrong(what: impl std::fmt::Display) -> io::Error {
    io::Error::other(what.to_string())
}

/// Keys that a failure names.
const NAMED: usize = 5;

/// Exactly the expected keys, each once.
pub(crate) fn once<'a>(
    place: &str,
    found: &BTreeMap<String, usize>,
    expected: impl Iterator<Item = &'a str>,
) -> io::Result<()> {
    let expected: BTreeSet<&str> = expected.collect();
    let missing = expected.iter().filter(|key| !found.contains_key(**key));
    let missing: Vec<_> = missing.take(NAMED).collect();
    let phantom = found.keys().filter(|key| !expected.contains(key.as_str()));
    let phantom: Vec<_> = phantom.take(NAMED).collect();
    let twice = found.iter().filter(|(_, count)| **count > 1);
    let twice: Vec<_> = twice.take(NAMED).collect();
    if missing.is_empty() && phantom.is_empty() && twice.is_empty() {
        return Ok(());
    }
    Err(wrong(format_args!(
        "{place}: lost {missing:?}, not uploaded but there {phantom:?}, more than once {twice:?}"
    )))
}

/// A runtime for one thread.
pub(crate) fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

impl Kill {
    /// Runs all cycles and judges; the first thing that is wrong ends it, and the directory is kept.
    pub fn run(&self, progress: impl Fn(&Report)) -> io::Result<Report> {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("landfall-kill-");
        let place = match &self.directory {
            Some(directory) => builder.tempdir_in(directory)?,
            None => builder.tempdir()?,
        };
        let data = place.path().join("data");
        let mut house = House::new(&self.binary, place, data, self.seed, self.clients)?;
        house.runtime_kind.clone_from(&self.runtime);
        let mut run = Run {
            plan: self,
            random: Random::new(self.seed.wrapping_add(1)),
            arrivals: Arrivals::listen()?,
            report: Report::default(),
            house,
        };
        let outcome = run.all(progress);
        let report = run.report;
        run.house.keep_if_wrong(outcome).map(|()| report)
    }
}

/// A run that is under way.
struct Run<'a> {
    plan: &'a Kill,
    random: Random,
    arrivals: Arrivals,
    report: Report,
    house: House,
}

impl Run<'_> {
    fn all(&mut self, progress: impl Fn(&Report)) -> io::Result<()> {
        let mut server = self.house.start()?;
        self.furnish(server.endpoint())?;
        for _ in 0..self.plan.cycles {
            self.cycle(server)?;
            server = self.recover()?;
            self.house.look(server.endpoint(), &self.random)?;
            progress(&self.report);
        }
        self.report.ready_millis.sort_by(f64::total_cmp);
        let found = self.house.judge(server.endpoint(), Some(&self.arrivals))?;
        found.into_report(&mut self.report);
        let status = server.stop()?;
        if status.success() {
            Ok(())
        } else {
            Err(wrong(format_args!("the server ended with {status}")))
        }
    }

    /// Starts the server again, now and then killing it once more on the way, and measures how long it takes.
    fn recover(&mut self) -> io::Result<Server> {
        if self.random.below(RECOVERY_EVERY) == 0 {
            for _ in 0..=self.random.below(RECOVERY_KILLS_MAX) {
                let delay = Duration::from_micros(self.random.below(RECOVERY_MICROS_MAX));
                self.house.start_and_kill(delay)?;
                self.report.kills_in_recovery += 1;
            }
        }
        let begun = Instant::now();
        let server = self.house.start_healthy()?;
        let millis = begun.elapsed().as_secs_f64() * 1_000.0;
        self.report.ready_millis.push(millis);
        Ok(server)
    }

    /// Lets the clients work, and kills the server at a random moment.
    fn cycle(&mut self, server: Server) -> io::Result<()> {
        let half = self.plan.answers / 2;
        let enough = half + self.random.below(2 * half + 1);
        let delay = Duration::from_micros(self.random.below(DELAY_MICROS_MAX));
        let cycle = Arc::new(Cycle::new(server.endpoint(), self.plan.starting));
        self.house.siege(&cycle, |cycle| {
            let is_slow = cycle.wait_for(|cycle| cycle.answers() >= enough);
            std::thread::sleep(delay);
            cycle.expect_the_end();
            server.kill()?;
            is_slow
        })?;
        self.report.cycles += 1;
        let counts = self.house.counts();
        self.report.acknowledged_puts = counts.puts;
        self.report.acknowledged_deletes = counts.deletes;
        self.report.unanswered = counts.unanswered;
        Ok(())
    }

    fn furnish(&self, endpoint: &str) -> io::Result<()> {
        let say = format!(
            "echo \"$OBJECT_KEY\" | /bin/busybox nc 127.0.0.1 {}",
            self.arrivals.port()
        );
        let road = Road {
            bucket: BUCKET.to_owned(),
            prefix: STARTING.to_owned(),
            image: self.plan.image.1.clone(),
            command: ["/bin/busybox", "sh", "-c", &say]
                .map(str::to_owned)
                .to_vec(),
        };
        runtime()?.block_on(async {
            let mut client = Client::connect(endpoint).await?;
            road.furnish(&mut client, &self.plan.image.0).await?;
            judge::make_queue(&mut client).await
        })
    }
}

/// A static busybox of this machine, for the image.
pub fn busybox() -> Option<&'static Path> {
    ["/bin/busybox", "/usr/bin/busybox", "/bin/busybox.static"]
        .into_iter()
        .map(Path::new)
        .find(|path| path.exists())
}
