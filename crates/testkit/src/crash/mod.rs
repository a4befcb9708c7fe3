//! The crash matrix: a workload on the real stores over a disk that knows what was synced, stopped at every step of its
//! I/O, with unconfirmed changes lost singly, all, or torn; each image is opened and judged. Recoveries are stopped the
//! same way.
//!
//! The workload and the choice of images follow from the seed; how the store's own background work falls between the
//! commits does not. A failed image is kept for a look. Never judges by anything but the real stores.

mod check;
mod faults;
mod flips;
mod images;
mod workload;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::runtime::Runtime;

pub use check::{Expected, check};
pub use faults::{FaultReport, Faults};
pub use flips::{FlipReport, Flips};
pub use images::{Fates, Image};
pub use workload::{History, Workload};

use crate::disk::{Disk, Tree};
use crate::{Random, lock};

/// Images that wait for a thread.
const WAITING_MAX: usize = 32;
/// One image of so many must also take a commit and open again.
const GOES_ON_EVERY: u64 = 8;
/// Failures after which there is no use in looking on.
const FAILURES_MAX: usize = 20;

/// How much to do.
#[derive(Debug, Clone, Copy)]
pub struct Matrix {
    /// Decides everything that can be decided.
    pub seed: u64,
    /// Steps of a workload.
    pub steps: u64,
    /// Images to look at.
    pub images: u64,
    /// One image of so many is recovered on a disk that is stopped again.
    pub recovery_every: u64,
    /// Images of one such recovery.
    pub recovery_images: u64,
    /// Threads that open images.
    pub threads: usize,
    /// Whether the disk lies about syncs: then the matrix must fail.
    pub lies: bool,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Images that were opened.
    pub images: u64,
    /// Of these, images of a stopped recovery.
    pub of_recoveries: u64,
    /// Steps of I/O that were stopped at.
    pub points: u64,
    /// Workloads.
    pub workloads: u64,
    /// What is wrong, and where the image is kept.
    pub failures: Vec<String>,
}

/// An image to judge.
struct Case {
    tree: Tree,
    history: Arc<History>,
    expected: Expected,
    goes_on: bool,
    name: String,
    /// Seed and number of images, if the recovery is to be stopped too.
    recovery: Option<(u64, u64)>,
}

impl Matrix {
    /// Looks at so many images, or stops at the first failures.
    pub fn run(&self, progress: impl Fn(&Report)) -> io::Result<Report> {
        let report = Arc::new(Mutex::new(Report::default()));
        let random = Random::new(self.seed);
        loop {
            self.round(random.next(), &report)?;
            let now = lock(&report).clone();
            progress(&now);
            if now.images >= self.images || !now.failures.is_empty() {
                return Ok(now);
            }
        }
    }

    /// One workload and its images.
    fn round(&self, seed: u64, report: &Arc<Mutex<Report>>) -> io::Result<()> {
        let (steps, history) = record(seed, self)?;
        let history = Arc::new(history);
        let left = self.images - lock(report).images;
        let chosen = images::choose(&steps, history.begun(), seed, left);
        lock(report).points += chosen.points;
        lock(report).workloads += 1;
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let receiver = Arc::new(Mutex::new(receiver));
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                let (receiver, report) = (Arc::clone(&receiver), Arc::clone(report));
                scope.spawn(move || judge_all(&receiver, &report));
            }
            // The last receiver must go with its thread, or a sender could wait for ever.
            drop(receiver);
            let random = Random::new(seed);
            for image in chosen {
                let stops_again = self.recovery_every > 0 && random.below(self.recovery_every) == 0;
                let case = Case {
                    tree: image.tree,
                    history: Arc::clone(&history),
                    expected: image.expected,
                    goes_on: random.below(GOES_ON_EVERY) == 0,
                    name: format!("workload {seed}, {}", image.name),
                    recovery: stops_again.then(|| (random.next(), self.recovery_images)),
                };
                if lock(report).failures.len() >= FAILURES_MAX || sender.send(case).is_err() {
                    break;
                }
            }
            drop(sender);
        });
        Ok(())
    }
}

/// Runs the workload and answers what it did to the disk.
fn record(seed: u64, matrix: &Matrix) -> io::Result<(Vec<crate::disk::Step>, History)> {
    let disk = Disk::mount(seed)?;
    disk.record();
    if matrix.lies {
        disk.lie();
    }
    let data = disk.path().join("data");
    if seed.is_multiple_of(2) {
        // As the server does, which leaves it to the store to make that durable.
        std::fs::create_dir(&data)?;
    }
    let workload = Workload::new(seed);
    let (history, outcome) =
        runtime()?.block_on(workload.run(&data, matrix.steps, |step| disk.note(step)));
    outcome.map_err(io::Error::other)?;
    Ok((disk.recorded(), history))
}

fn judge_all(cases: &Mutex<Receiver<Case>>, report: &Mutex<Report>) {
    let Ok(runtime) = runtime() else { return };
    loop {
        let next = lock(cases).recv();
        let Ok(case) = next else { return };
        let outcome = judge(&runtime, &case, report);
        let mut report = lock(report);
        report.images += 1;
        if let Err(failure) = outcome {
            report.failures.push(failure);
        }
    }
}

/// Opens an image on a fast disk; if it is to be, stops the recovery on the recording disk too.
fn judge(runtime: &Runtime, case: &Case, report: &Mutex<Report>) -> Result<(), String> {
    let place = unpack(&case.tree).map_err(|e| e.to_string())?;
    let data = place.path().join("data");
    let checked = check(&data, &case.history, case.expected, case.goes_on);
    if let Err(why) = runtime.block_on(checked) {
        return Err(format!("{}: {why} ({})", case.name, keep(&case.tree)));
    }
    match case.recovery {
        None => Ok(()),
        Some((seed, images)) => stop_recovery(runtime, case, seed, images, report),
    }
}

fn stop_recovery(
    runtime: &Runtime,
    case: &Case,
    seed: u64,
    images: u64,
    report: &Mutex<Report>,
) -> Result<(), String> {
    let failed = |e: io::Error| e.to_string();
    let disk = Disk::mount_tree(case.tree.clone(), seed).map_err(failed)?;
    disk.record();
    let data = disk.path().join("data");
    runtime.block_on(check(&data, &case.history, case.expected, false))?;
    let steps = disk.recorded();
    for image in images::choose_during_recovery(&case.tree, &steps, case.expected, seed, images) {
        let place = unpack(&image.tree).map_err(failed)?;
        let data = place.path().join("data");
        let checked = check(&data, &case.history, image.expected, true);
        let outcome = runtime.block_on(checked);
        let mut report = lock(report);
        report.images += 1;
        report.of_recoveries += 1;
        if let Err(why) = outcome {
            let kept = keep(&image.tree);
            let name = &case.name;
            return Err(format!(
                "{name}, its recovery, {}: {why} ({kept})",
                image.name
            ));
        }
    }
    Ok(())
}

fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
}

/// Memory, where there is a file system for it: what is judged is what is there, not how fast it is.
pub fn fast_place() -> io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("crash-");
    if memory.is_dir() {
        builder.tempdir_in(memory)
    } else {
        builder.tempdir()
    }
}

fn unpack(tree: &Tree) -> io::Result<TempDir> {
    let place = fast_place()?;
    tree.write_to(place.path())?;
    Ok(place)
}

fn keep(tree: &Tree) -> String {
    let kept = tempfile::Builder::new().prefix("crash-image-").tempdir();
    let kept = kept.map(TempDir::keep).and_then(|path: PathBuf| {
        tree.write_to(&path)?;
        Ok(path)
    });
    match kept {
        Ok(path) => format!("kept in {}", path.display()),
        Err(e) => format!("could not be kept: {e}"),
    }
}
