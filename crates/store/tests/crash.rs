//! What was acknowledged is there after a crash, whole; what was not is there whole or not at all.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs
)]

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::ops::Bound;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use landfall_core::ids::Ids;
use landfall_store::{Batch, Direction, FjallState, Space, State, StoreError};
use landfall_testkit::SeededIds;

const CHILD_DIR: &str = "LANDFALL_TEST_CRASH_DIR";
const KILLS: u64 = 20;
/// Entries of each batch, spread over all spaces; their values span several pages.
const ENTRIES: u64 = 8;

fn batch(number: u64) -> Batch {
    let writes = (0..ENTRIES).map(|n| {
        let space = Space::ALL[(n % 4) as usize];
        let key = [number.to_be_bytes(), n.to_be_bytes()].concat();
        (
            space,
            key,
            Some(vec![(number % 251) as u8; 3_000 + n as usize].into()),
        )
    });
    Batch {
        writes: writes.collect(),
    }
}

/// How many batches there are, after making sure that they are whole and without a gap.
fn whole_batches(state: &FjallState) -> u64 {
    let mut found = 0;
    let all = Bound::Unbounded;
    for space in Space::ALL {
        found += state
            .scan(space, all, all, Direction::Forward)
            .map(Result::unwrap)
            .count() as u64;
    }
    assert_eq!(found % ENTRIES, 0, "a torn batch is visible");
    for number in 0..found / ENTRIES {
        for (space, key, value) in batch(number).writes {
            assert_eq!(state.get(space, &key).unwrap(), value, "batch {number}");
        }
    }
    found / ENTRIES
}

/// Not a test of its own: the process that `acknowledged_batches_survive_kills` kills.
#[test]
fn crash_child() {
    let Some(dir) = std::env::var_os(CHILD_DIR) else {
        return;
    };
    let state = FjallState::open(Path::new(&dir)).unwrap();
    let mut number = whole_batches(&state);
    let mut out = std::io::stdout().lock();
    loop {
        state.commit(batch(number)).unwrap();
        writeln!(out, "\nacknowledged {number}").unwrap();
        out.flush().unwrap();
        number += 1;
    }
}

/// Runs the child until it has acknowledged `batches` more, kills it, and answers the last acknowledged number.
fn run_and_kill(dir: &Path, batches: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["crash_child", "--exact", "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut numbers = lines.filter_map(|line| line.strip_prefix("acknowledged ")?.parse().ok());
    let mut last = numbers.nth(batches as usize).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    for number in numbers {
        last = number;
    }
    last
}

#[test]
fn acknowledged_batches_survive_kills() {
    let dir = tempfile::tempdir().unwrap();
    let ids = SeededIds::new(u64::from(std::process::id()));
    for _ in 0..KILLS {
        let mut random = [0];
        ids.fill(&mut random);
        let last = run_and_kill(dir.path(), u64::from(random[0] % 64));
        let state = FjallState::open(dir.path()).unwrap();
        let batches = whole_batches(&state);
        assert!(
            batches > last,
            "batch {last} was acknowledged, {batches} are there"
        );
    }
}

fn newest_journal(dir: &Path) -> PathBuf {
    let number = |path: &PathBuf| {
        path.file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .parse::<u64>()
            .ok()
    };
    let entries = fs::read_dir(dir.join("state"))
        .unwrap()
        .map(|e| e.unwrap().path());
    entries
        .filter(|p| p.extension().is_some_and(|e| e == "jnl"))
        .max_by_key(number)
        .unwrap()
}

/// A closed state of five batches, and where each of them ends in the journal.
fn five_batches(dir: &Path) -> (PathBuf, Vec<u64>) {
    drop(FjallState::open(dir).unwrap());
    let journal = newest_journal(dir);
    let mut ends = Vec::new();
    for number in 0..5 {
        let state = FjallState::open(dir).unwrap();
        state.commit(batch(number)).unwrap();
        drop(state);
        let bytes = fs::read(&journal).unwrap();
        ends.push(1 + bytes.iter().rposition(|b| *b != 0).unwrap() as u64);
    }
    (journal, ends)
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .write_all_at(bytes, at)
        .unwrap();
}

fn assert_opens_with(dir: &Path, batches: u64) {
    let state = FjallState::open(dir).unwrap();
    assert_eq!(whole_batches(&state), batches);
    state.commit(batch(batches)).unwrap();
    drop(state);
    assert_eq!(whole_batches(&FjallState::open(dir).unwrap()), batches + 1);
}

#[test]
fn a_journal_cut_anywhere_in_its_last_batch_opens_without_it() {
    for part in 0..8_u64 {
        let dir = tempfile::tempdir().unwrap();
        let (journal, ends) = five_batches(dir.path());
        let cut = ends[3] + (ends[4] - ends[3] - 1) * part / 7;
        OpenOptions::new()
            .write(true)
            .open(&journal)
            .unwrap()
            .set_len(cut)
            .unwrap();
        assert_opens_with(dir.path(), 4);
    }
}

#[test]
fn a_last_batch_that_lost_pages_or_was_garbled_is_dropped() {
    for (what, fill) in [("zeros", 0_u8), ("ones", 255), ("tags", 1), ("ends", 3)] {
        for part in 0..7_u64 {
            let dir = tempfile::tempdir().unwrap();
            let (journal, ends) = five_batches(dir.path());
            let length = (ends[4] - ends[3]) / 7;
            // Also within one value, where nothing but the checksum tells.
            let length = if part % 2 == 0 { length } else { 200 };
            overwrite(
                &journal,
                ends[3] + part * length + 40,
                &vec![fill; length as usize - 40],
            );
            println!("{what} in part {part}");
            assert_opens_with(dir.path(), 4);
        }
    }
}

#[test]
fn garbage_behind_the_last_batch_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, ends) = five_batches(dir.path());
    overwrite(&journal, ends[4], &[9; 5_000]);
    assert_opens_with(dir.path(), 5);
}

#[test]
fn damage_before_acknowledged_batches_is_an_error_and_changes_nothing() {
    for into in [0, 3, 100, 2_000] {
        let dir = tempfile::tempdir().unwrap();
        let (journal, ends) = five_batches(dir.path());
        overwrite(&journal, ends[1] + into, &[0xee; 3]);
        let before = fs::read(&journal).unwrap();
        let refused = FjallState::open(dir.path()).err();
        assert!(
            matches!(refused, Some(StoreError::Corrupt(_))),
            "{into}: {refused:?}"
        );
        assert!(fs::read(&journal).unwrap() == before);
    }
}

#[test]
fn a_state_without_its_version_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    drop(FjallState::open(dir.path()).unwrap());
    fs::remove_file(dir.path().join("state/version")).unwrap();
    assert!(matches!(
        FjallState::open(dir.path()),
        Err(StoreError::Corrupt(_))
    ));
    assert!(newest_journal(dir.path()).is_file());
}
