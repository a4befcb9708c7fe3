//! A real server on a disk that fails or is full: it may refuse and it may end with an error, but it never loses what it
//! acknowledged, never claims a success that was none, and goes on after a restart.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::client::Cycle;
use super::house::House;
use super::{BUCKET, judge, runtime, wrong};
use crate::disk::{Call, Disk, Fault};
use crate::http::Client;
use crate::{Random, Server};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
/// Answers before a fault is set, and further ones that end a case.
const ANSWERS: u64 = 60;
/// Refusals that end a case.
const REFUSALS: u64 = 40;
/// Of each kind, a call within so many fails.
const CALLS: u64 = 30;
/// What is left on the full disk until room is made.
const BALLAST_BYTES: u64 = 12 * 1024 * 1024;
/// How long a server that has failed may take to end.
const END: Duration = Duration::from_secs(20);

/// How much to do, and to whom.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// Decides what fails, and what the clients do.
    pub seed: u64,
    /// Clients at one time.
    pub clients: u64,
    /// The server.
    pub binary: PathBuf,
}

/// What was done and found.
#[derive(Debug, Clone, Default)]
pub struct TroubleReport {
    /// Faults or full disks.
    pub cases: u64,
    /// Calls that failed.
    pub failed_calls: u64,
    /// Acknowledged uploads.
    pub acknowledged: u64,
    /// Refused or unanswered operations.
    pub refused: u64,
    /// Servers that ended with an error, as they should after a failed commit.
    pub ended: u64,
    /// Cases in which reading went on beside refused writes.
    pub read_on: u64,
}

impl Trouble {
    /// So many times, one call of the disk fails, or all from one on.
    pub fn faults(&self, cases: u64) -> io::Result<TroubleReport> {
        let random = Random::new(self.seed);
        let mut report = TroubleReport::default();
        for _ in 0..cases {
            let calls = [
                Call::Open,
                Call::Make,
                Call::Rename,
                Call::Remove,
                Call::Write,
                Call::Resize,
            ];
            // Syncs are what it is about.
            let call = match random.below(3) {
                0 => Call::Sync,
                _ => calls
                    .get(random.index(calls.len()))
                    .copied()
                    .unwrap_or(Call::Sync),
            };
            let fault = Fault {
                call,
                after: random.below(CALLS),
                errno: if random.below(2) == 0 { EIO } else { ENOSPC },
                is_lasting: random.below(2) == 0,
            };
            self.fault(fault, random.next(), &mut report)
                .map_err(|e| wrong(format_args!("{fault:?}: {e}")))?;
        }
        Ok(report)
    }

    fn fault(&self, fault: Fault, seed: u64, report: &mut TroubleReport) -> io::Result<()> {
        let disk = Disk::mount(seed)?;
        let mut house = self.house(disk.path().join("data"), seed)?;
        let server = house.start()?;
        furnish(&server)?;
        let mut failed_calls = 0;
        let outcome = self.case(
            &mut house,
            server,
            report,
            |cycle| {
                cycle.wait_for(|cycle| cycle.answers() >= ANSWERS)?;
                disk.fail(Some(fault));
                Ok(())
            },
            || {
                failed_calls = disk.failed_calls();
                disk.fail(None);
                Ok(())
            },
        );
        report.failed_calls += failed_calls;
        house.keep_if_wrong(outcome)
    }

    /// A small file system in memory runs full; then there is room again.
    pub fn full(&self, capacity_bytes: u64) -> io::Result<TroubleReport> {
        let disk = Small::mount(capacity_bytes)?;
        let ballast = disk.path().join("ballast");
        std::fs::write(
            &ballast,
            vec![1; usize::try_from(BALLAST_BYTES).unwrap_or(0)],
        )?;
        let mut house = self.house(disk.path().join("data"), self.seed)?;
        let server = house.start()?;
        furnish(&server)?;
        let mut report = TroubleReport::default();
        let outcome = self.case(
            &mut house,
            server,
            &mut report,
            |_| Ok(()),
            || std::fs::remove_file(&ballast),
        );
        let outcome = outcome.and_then(|()| match report.refused {
            0 => Err(wrong("the disk never ran full: nothing was tested")),
            _ => Ok(()),
        });
        house.keep_if_wrong(outcome).map(|()| report)
    }

    fn house(&self, data: PathBuf, seed: u64) -> io::Result<House> {
        let place = tempfile::Builder::new()
            .prefix("landfall-trouble-")
            .tempdir()?;
        House::new(&self.binary, place, data, seed, self.clients)
    }

    /// Clients work, trouble begins, the server refuses or ends; trouble ends, and the server goes on, restarted.
    fn case(
        &self,
        house: &mut House,
        mut server: Server,
        report: &mut TroubleReport,
        begin: impl FnOnce(&Cycle) -> io::Result<()>,
        end: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let mut cycle = Cycle::new(server.endpoint(), 0);
        cycle.is_troubled = true;
        house.siege(&Arc::new(cycle), |cycle| {
            begin(cycle)?;
            let before = cycle.answers();
            let is_bounded = before > 0;
            cycle.wait_for(|cycle| {
                let enough = is_bounded && cycle.answers() >= before + ANSWERS;
                enough || cycle.refusals() >= REFUSALS || server.has_ended()
            })
        })?;
        report.cases += 1;
        let has_failed = has_failed(&mut server)?;
        if has_failed {
            report.ended += 1;
        } else {
            house.look(server.endpoint(), &Random::new(self.seed))?;
            report.read_on += 1;
        }
        end()?;
        if !has_failed {
            goes_on(server.endpoint())?;
            server.stop()?;
        }
        let server = house.start_healthy()?;
        goes_on(server.endpoint())?;
        house.judge(server.endpoint(), None)?;
        let counts = house.counts();
        report.acknowledged += counts.puts;
        report.refused += counts.unanswered;
        let status = server.stop()?;
        match status.success() {
            true => Ok(()),
            false => Err(wrong(format_args!("a healed server ended with {status}"))),
        }
    }
}

/// Whether the server ended by itself, as it must after a failed commit: with an error, and not by a panic or a signal.
fn has_failed(server: &mut Server) -> io::Result<bool> {
    let refuses = runtime()?.block_on(async {
        let probe = async {
            let mut client = Client::connect(server.endpoint()).await?;
            client.create_bucket("probe", false).await
        };
        probe.await.is_err()
    });
    // One that refuses a write which needs no more room than there is has a store that failed.
    let status = match refuses {
        true => server.wait_at_most(END)?,
        false => None,
    };
    match status.map(|status| status.code()) {
        None => Ok(false),
        Some(Some(1)) => Ok(true),
        Some(code) => Err(wrong(format_args!("the server ended with {code:?}"))),
    }
}

/// Uploads are taken again.
fn goes_on(endpoint: &str) -> io::Result<()> {
    runtime()?.block_on(async {
        let mut client = Client::connect(endpoint).await?;
        let path = format!("/{BUCKET}?tagging");
        let tags = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
        client
            .send("PUT", &path, &[], tags)
            .await?
            .success()
            .map(drop)
    })
}

fn furnish(server: &Server) -> io::Result<()> {
    runtime()?.block_on(async {
        let mut client = Client::connect(server.endpoint()).await?;
        client.create_bucket(BUCKET, true).await?;
        judge::make_queue(&mut client).await
    })
}

/// A file system in memory of a certain size; unmounted when dropped.
struct Small {
    place: tempfile::TempDir,
}

impl Small {
    fn mount(capacity_bytes: u64) -> io::Result<Self> {
        let place = tempfile::Builder::new().prefix("small-").tempdir()?;
        let options = std::ffi::CString::new(format!("size={capacity_bytes}"))?;
        mount(
            "tmpfs",
            place.path(),
            "tmpfs",
            MountFlags::NOSUID,
            options.as_c_str(),
        )?;
        Ok(Self { place })
    }

    fn path(&self) -> &Path {
        self.place.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _the_directory_stays_then = unmount(self.place.path(), UnmountFlags::DETACH);
    }
}
