//! What the machine's disk does without a server: records appended to a file and made durable, writers that arrive
//! during a sync sharing the next one. Never keeps its file.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::load::BODY;

struct Log {
    file: File,
    state: Mutex<State>,
    synced: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    appended: u64,
    durable: u64,
    is_syncing: bool,
}

impl Log {
    /// Returns when the record is on stable storage. Whoever finds nobody syncing does it for all that wait.
    fn append(&self, record: &[u8]) -> io::Result<()> {
        let mut state = self.lock();
        state.waiting.extend_from_slice(record);
        state.appended += 1;
        let mine = state.appended;
        while state.durable < mine {
            if state.is_syncing {
                state = self
                    .synced
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.is_syncing = true;
            let batch = std::mem::take(&mut state.waiting);
            let upto = state.appended;
            drop(state);
            (&self.file).write_all(&batch)?;
            self.file.sync_data()?;
            state = self.lock();
            state.is_syncing = false;
            state.durable = upto;
            self.synced.notify_all();
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Durable appends per second of `writers` writers.
pub(super) fn appends(directory: &Path, writers: usize, time: Duration) -> Result<f64> {
    let path = directory.join("raw.log");
    let log = Log {
        file: File::create(&path)?,
        state: Mutex::default(),
        synced: Condvar::new(),
    };
    let start = Instant::now();
    let done = std::thread::scope(|scope| {
        let running: Vec<_> = (0..writers)
            .map(|_| scope.spawn(|| appending(&log, start, time)))
            .collect();
        let counts = running.into_iter().map(|writer| {
            let count = writer.join().map_err(|_| anyhow!("a writer panicked"))?;
            Ok(count?)
        });
        counts.sum::<Result<u64>>()
    })?;
    let rate = done as f64 / start.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}

fn appending(log: &Log, start: Instant, time: Duration) -> io::Result<u64> {
    let mut done = 0;
    while start.elapsed() < time {
        log.append(&BODY)?;
        done += 1;
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_in_the_file_when_its_append_returns() {
        let mut file = tempfile::tempfile().unwrap();
        let log = Log {
            file: file.try_clone().unwrap(),
            state: Mutex::default(),
            synced: Condvar::new(),
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..25).try_for_each(|_| log.append(&BODY)).unwrap());
            }
        });
        let state = log.lock();
        assert_eq!((state.appended, state.durable), (100, 100));
        assert!(state.waiting.is_empty());
        let length = io::Seek::seek(&mut file, io::SeekFrom::End(0)).unwrap();
        assert_eq!(length, 100 * 1024);
    }
}
