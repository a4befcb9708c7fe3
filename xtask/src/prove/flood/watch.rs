//! The server from outside: its resident memory and its open descriptors, looked at again and again. Never slows it down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(50);

/// What was seen of a server.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    idle_kib: u64,
    most_kib: u64,
    /// Most descriptors that were open at once.
    pub(super) descriptors: usize,
}

impl Seen {
    /// At the beginning.
    pub(super) fn idle_mib(self) -> f64 {
        self.idle_kib as f64 / 1_024.0
    }

    /// The most that was seen, above what was there at the beginning.
    pub(super) fn growth_mib(self) -> f64 {
        self.most_kib.saturating_sub(self.idle_kib) as f64 / 1_024.0
    }
}

/// Looks until it is told to end.
pub(super) struct Watch {
    is_over: Arc<AtomicBool>,
    watcher: JoinHandle<Seen>,
}

impl Watch {
    pub(super) fn begin(pid: u32) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let watcher = std::thread::spawn(move || look(pid, &over));
        Self { is_over, watcher }
    }

    pub(super) fn end(self) -> Seen {
        self.is_over.store(true, Ordering::Relaxed);
        self.watcher.join().unwrap_or_default()
    }
}

fn look(pid: u32, is_over: &AtomicBool) -> Seen {
    let mut seen = Seen {
        idle_kib: resident_kib(pid),
        ..Seen::default()
    };
    while !is_over.load(Ordering::Relaxed) {
        seen.most_kib = seen.most_kib.max(resident_kib(pid));
        seen.descriptors = seen.descriptors.max(descriptors(pid));
        std::thread::sleep(LOOK);
    }
    seen
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_seen() {
        let seen = Watch::begin(std::process::id());
        std::thread::sleep(LOOK * 2);
        let seen = seen.end();
        assert!(seen.idle_mib() > 0.0 && seen.descriptors > 2, "{seen:?}");
        assert!(seen.growth_mib() < seen.idle_mib() + 1_024.0);
    }
}
