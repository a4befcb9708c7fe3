//! Measures the state store on this machine: resident memory, durable commits per second, a long queue.
//! Prints numbers, never judges them.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::fs::{self, File};
use std::io::Write as _;
use std::ops::Bound;
use std::path::Path;
use std::time::Instant;

use landfall_store::{Batch, Direction, FjallState, Space, State, Write};

fn main() {
    let dir = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, Into::into);
    let dir = dir.join(format!("landfall-measure-{}", std::process::id()));
    memory(&dir.join("memory"));
    for group in [1, 16] {
        appends(&dir.join(format!("append-{group}")), group);
        commits(&dir.join(format!("commits-{group}")), group);
    }
    queue(&dir.join("queue"));
    fs::remove_dir_all(dir).unwrap();
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn put(n: u64, bytes: usize) -> Write {
    (
        Space::Objects,
        format!("bucket/key-{n:012}").into_bytes(),
        Some(vec![n as u8; bytes].into()),
    )
}

fn memory(dir: &Path) {
    println!("resident at start: {} KiB", resident_kib());
    let began = Instant::now();
    let state = FjallState::open(dir).unwrap();
    println!(
        "first open: {:?}, resident {} KiB",
        began.elapsed(),
        resident_kib()
    );
    for n in 0..10_000_u64 {
        let event = (
            Space::Road,
            n.to_be_bytes().to_vec(),
            Some(vec![7; 600].into()),
        );
        state
            .commit(Batch {
                writes: vec![put(n, 1024), event],
            })
            .unwrap();
    }
    println!(
        "after 10,000 puts of 1 KiB and an event each: resident {} KiB",
        resident_kib()
    );
    drop(state);
    let began = Instant::now();
    let state = FjallState::open(dir).unwrap();
    println!(
        "second open: {:?}, resident {} KiB",
        began.elapsed(),
        resident_kib()
    );
    drop(state);
}

fn rate(what: &str, values: u64, began: Instant) {
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{what}: {:.0} values/s ({values} in {seconds:.2} s)",
        values as f64 / seconds
    );
}

fn commits(dir: &Path, group: u64) {
    let state = FjallState::open(dir).unwrap();
    let values = 3_000 * group;
    let began = Instant::now();
    for first in (0..values).step_by(group as usize) {
        let writes = (first..first + group).map(|n| put(n, 1024)).collect();
        state.commit(Batch { writes }).unwrap();
    }
    rate(&format!("durable commits of {group}"), values, began);
}

fn appends(path: &Path, group: u64) {
    let mut file = File::create_new(path).unwrap();
    let values = 3_000 * group;
    let began = Instant::now();
    for _ in (0..values).step_by(group as usize) {
        file.write_all(&vec![7; 1044 * group as usize]).unwrap();
        file.sync_data().unwrap();
    }
    rate(&format!("append + fdatasync of {group}"), values, began);
}

fn queue(dir: &Path) {
    let state = FjallState::open(dir).unwrap();
    let message = |n: u64| (Space::Streams, [b"queue/", &n.to_be_bytes()[..]].concat());
    let (length, step) = (100_000_u64, 100_u64);
    let mut slowest = [0_u128; 2];
    for first in (0..length).step_by(step as usize) {
        let mut writes: Vec<_> = (first..first + step)
            .map(|n| {
                let (space, key) = message(n);
                (space, key, Some(vec![1; 200].into()))
            })
            .collect();
        let gone = first.saturating_sub(10 * step)..first.saturating_sub(9 * step);
        writes.extend(gone.map(|n| (message(n).0, message(n).1, None)));
        state.commit(Batch { writes }).unwrap();
        let cursor = message(first.saturating_sub(9 * step)).1;
        for (slot, from) in slowest.iter_mut().zip([cursor, b"queue/".to_vec()]) {
            let began = Instant::now();
            let to = Bound::Unbounded;
            let mut scan = state.scan(
                Space::Streams,
                Bound::Included(&from),
                to,
                Direction::Forward,
            );
            for _ in 0..10 {
                scan.next().unwrap().unwrap();
            }
            *slot = (*slot).max(began.elapsed().as_micros());
        }
    }
    let [cursor, front] = slowest;
    println!(
        "queue of {length}: slowest scan of 10 from a cursor {cursor} us, from the front {front} us"
    );
    println!("resident at the end: {} KiB", resident_kib());
}
