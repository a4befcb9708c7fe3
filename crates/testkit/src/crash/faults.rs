//! Failing calls: the workload of the crash matrix on a disk of which one call fails, or all from one on. What was
//! acknowledged before is there afterwards, whether the program alone dies or the power goes too.
//!
//! Never counts a refusal as a failure: a store may refuse, but it may not lose.

use std::io;

use super::{Workload, check, runtime, unpack};
use crate::Random;
use crate::disk::{Call, Disk, Fault, Tree};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
/// Times that the power goes after each fault.
const POWER_CUTS: usize = 3;
/// Kinds of calls that change something or make it durable.
const FAILING: [Call; 7] = [
    Call::Open,
    Call::Make,
    Call::Rename,
    Call::Remove,
    Call::Write,
    Call::Resize,
    Call::Sync,
];

/// How much to do.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// Decides the workload and the calls.
    pub seed: u64,
    /// Steps of a workload.
    pub steps: u64,
    /// Faults to try.
    pub cases: u64,
}

/// What was done and found.
#[derive(Debug, Clone, Default)]
pub struct FaultReport {
    /// Faults that were tried.
    pub cases: u64,
    /// Of these, those that ended the workload with an error.
    pub refused: u64,
    /// Of these, those that were survived.
    pub survived: u64,
    /// Opened images.
    pub images: u64,
    /// What is wrong.
    pub failures: Vec<String>,
}

impl Faults {
    /// Tries the faults in turn.
    pub fn run(&self) -> io::Result<FaultReport> {
        let random = Random::new(self.seed);
        let mut report = FaultReport::default();
        let counts = self.count(random.next())?;
        for case in 0..self.cases {
            let chosen = counts.get(random.index(counts.len()));
            let (call, count) = chosen.copied().ok_or(io::ErrorKind::NotFound)?;
            let fault = Fault {
                call,
                after: random.below(count),
                errno: if random.below(2) == 0 { EIO } else { ENOSPC },
                is_lasting: random.below(2) == 0,
            };
            let seed = random.next();
            if let Err(why) = self.case(fault, seed, &mut report)? {
                report
                    .failures
                    .push(format!("case {case}, {fault:?}, workload {seed}: {why}"));
            }
        }
        Ok(report)
    }

    /// How many calls of each kind a workload makes.
    fn count(&self, seed: u64) -> io::Result<Vec<(Call, u64)>> {
        let disk = Disk::mount(seed)?;
        disk.fail(None);
        let data = disk.path().join("data");
        let (_, outcome) = runtime()?.block_on(Workload::new(seed).run(&data, self.steps, |_| {}));
        outcome.map_err(io::Error::other)?;
        let counts = disk.calls().into_iter();
        let counts = counts.filter(|(call, count)| FAILING.contains(call) && *count > 0);
        Ok(counts.collect())
    }

    fn case(
        &self,
        fault: Fault,
        seed: u64,
        report: &mut FaultReport,
    ) -> io::Result<Result<(), String>> {
        let disk = Disk::mount(seed)?;
        let data = disk.path().join("data");
        disk.fail(Some(fault));
        let done = std::sync::atomic::AtomicU64::new(0);
        let note = |step| done.store(step, std::sync::atomic::Ordering::SeqCst);
        let runtime = runtime()?;
        let (history, outcome) = runtime.block_on(Workload::new(seed).run(&data, self.steps, note));
        disk.fail(None);
        report.cases += 1;
        match outcome {
            Ok(()) => report.survived += 1,
            Err(_) => report.refused += 1,
        }
        let expected = super::Expected {
            acknowledged: done.into_inner(),
            begun: history.begun(),
        };
        let random = Random::new(seed);
        let cuts = (0..POWER_CUTS).map(|_| disk.power_cut(&random));
        let trees: Vec<Tree> = std::iter::once(disk.tree()).chain(cuts).collect();
        for (number, tree) in trees.iter().enumerate() {
            let place = unpack(tree)?;
            let data = place.path().join("data");
            report.images += 1;
            if let Err(why) = runtime.block_on(check(&data, &history, expected, true)) {
                return Ok(Err(format!(
                    "image {number}: {why} ({})",
                    super::keep(tree)
                )));
            }
        }
        Ok(Ok(()))
    }
}
