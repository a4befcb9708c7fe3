//! Flipped bits: a data directory is filled, closed, and then every file is damaged at sampled places, one bit at a time.
//! What is read afterwards is right, or an error. Never flips two bits at once.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::FileExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use landfall_store::{Direction, Space, State as _};
use tokio::runtime::Runtime;

use super::check::Expected;
use super::workload::{History, Stores, Workload};
use super::{check, fast_place, runtime, unpack};
use crate::Random;
use crate::disk::Tree;

/// How much to do.
#[derive(Debug, Clone, Copy)]
pub struct Flips {
    /// Decides the workload and the bits.
    pub seed: u64,
    /// Steps of the workload.
    pub steps: u64,
    /// Bits of each file; of a short one every byte has one.
    pub bits: u64,
}

/// What was done and found.
#[derive(Debug, Clone, Default)]
pub struct FlipReport {
    /// Files that were damaged.
    pub files: u64,
    /// Bits that were flipped.
    pub flips: u64,
    /// Of these, those that were met with an error.
    pub refused: u64,
    /// What is wrong.
    pub failures: Vec<String>,
}

type Entries = BTreeMap<(Space, Vec<u8>), Vec<u8>>;

/// What a closed data directory holds.
struct Good {
    tree: Tree,
    history: History,
    entries: Entries,
}

impl Flips {
    /// Flips one bit after the other.
    pub fn run(&self) -> io::Result<FlipReport> {
        let place = fast_place()?;
        let runtime = runtime()?;
        let data = place.path().join("data");
        let workload = Workload::new(self.seed);
        let (history, outcome) = runtime.block_on(workload.run(&data, self.steps, |_| {}));
        outcome.map_err(io::Error::other)?;
        let entries = read(&data).map_err(io::Error::other)?;
        let good = Good {
            tree: Tree::read_from(place.path())?,
            history,
            entries,
        };
        let random = Random::new(self.seed);
        let mut report = FlipReport::default();
        for file in files(place.path())? {
            report.files += 1;
            for (at, bit) in self.places(&place.path().join(&file), &random)? {
                report.flips += 1;
                match flip(&runtime, &good, &file, at, bit)? {
                    Ok(()) => {}
                    Err(Outcome::Refused) => report.refused += 1,
                    Err(Outcome::Wrong(why)) => report.failures.push(format!(
                        "bit {bit} of byte {at} of {}: {why}",
                        file.display()
                    )),
                }
            }
        }
        Ok(report)
    }

    /// Where to flip; the zeros at the end of a journal are of no interest.
    fn places(&self, file: &Path, random: &Random) -> io::Result<Vec<(u64, u8)>> {
        let bytes = std::fs::read(file)?;
        let used = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        let used = used as u64;
        let all: Vec<u64> = if used <= self.bits {
            (0..used).collect()
        } else {
            (0..self.bits).map(|_| random.below(used)).collect()
        };
        let bit = || u8::try_from(random.below(8)).unwrap_or(0);
        Ok(all.into_iter().map(|at| (at, bit())).collect())
    }
}

fn flip(
    runtime: &Runtime,
    good: &Good,
    file: &Path,
    at: u64,
    bit: u8,
) -> io::Result<Result<(), Outcome>> {
    let place = unpack(&good.tree)?;
    let damaged = OpenOptions::new()
        .read(true)
        .write(true)
        .open(place.path().join(file))?;
    let mut byte = [0];
    damaged.read_exact_at(&mut byte, at)?;
    damaged.write_all_at(&byte.map(|byte| byte ^ (1 << bit)), at)?;
    let last = good.history.begun();
    // A last commit with a flipped bit looks like one that a crash has torn.
    let is_journal = file.extension().is_some_and(|e| e == "jnl");
    let expected = Expected {
        acknowledged: if is_journal { last - 1 } else { last },
        begun: last,
    };
    let data = place.path().join("data");
    let judged = catch_unwind(AssertUnwindSafe(|| judge(runtime, good, &data, expected)));
    Ok(judged.unwrap_or_else(|_| Err(Outcome::Wrong("a panic".to_owned()))))
}

enum Outcome {
    /// An error was met: so it should be.
    Refused,
    /// Wrong bytes.
    Wrong(String),
}

/// Reads everything, by key and in order.
fn judge(runtime: &Runtime, good: &Good, data: &Path, expected: Expected) -> Result<(), Outcome> {
    if let Err(why) = runtime.block_on(check(data, &good.history, expected, false)) {
        return Err(if is_error(&why) {
            Outcome::Refused
        } else {
            Outcome::Wrong(why)
        });
    }
    let stores = Stores::open(data).map_err(|_| Outcome::Refused)?;
    let is_last = expected.acknowledged == expected.begun;
    for ((space, key), value) in good.entries.iter().filter(|_| is_last) {
        let found = stores
            .state
            .get(*space, key)
            .map_err(|_| Outcome::Refused)?;
        if found.as_deref() != Some(value) {
            return Err(Outcome::Wrong(format!(
                "another value of {space:?} {key:?}"
            )));
        }
        let absent = [key.as_slice(), b"?"].concat();
        let found = stores
            .state
            .get(*space, &absent)
            .map_err(|_| Outcome::Refused)?;
        if found.is_some() {
            return Err(Outcome::Wrong(format!("a value of {space:?} {absent:?}")));
        }
    }
    Ok(())
}

/// Whether the store itself said that something is wrong, and not because it panicked.
fn is_error(why: &str) -> bool {
    !why.contains("did not end")
        && [
            "damaged",
            "the store failed",
            "no such content",
            "refuses writes",
        ]
        .iter()
        .any(|word| why.contains(word))
}

fn read(data: &Path) -> Result<Entries, landfall_store::StoreError> {
    let stores = Stores::open(data)?;
    let everything = Bound::Unbounded;
    let mut entries = Entries::new();
    for space in Space::ALL {
        for entry in stores
            .state
            .scan(space, everything, everything, Direction::Forward)
        {
            let (key, value) = entry?;
            entries.insert((space, key.to_vec()), value.to_vec());
        }
    }
    Ok(entries)
}

/// All files below a directory, relative to it.
pub(crate) fn files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut found, mut dirs) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(root.join(&dir))? {
            let entry = entry?;
            let path = dir.join(entry.file_name());
            match entry.file_type()? {
                kind if kind.is_dir() => dirs.push(path),
                kind if kind.is_file() => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    Ok(found)
}
