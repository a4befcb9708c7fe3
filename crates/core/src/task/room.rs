//! Whether one more task may run: what the host lets tasks take together, and the caps of the rule and the cluster that
//! it belongs to. Never knows which task is next: see [`super::lines`].

use std::collections::HashMap;

use crate::clock::Timestamp;

/// What a task takes of the host while it runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// 1024 are one core.
    pub cpu_units: u64,
    /// Memory.
    pub memory_mib: u64,
}

/// What all tasks may take together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Tasks at once.
    pub running: u64,
    /// CPU and memory.
    pub size: Size,
    /// Starts within a second.
    pub starts_per_second: Option<u64>,
}

/// What one rule or cluster may take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caps {
    /// Tasks at once.
    pub running: Option<u64>,
    /// Starts within a second.
    pub starts_per_second: Option<u64>,
}

/// Why a task is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Until a task ends.
    ForAnEnd,
    /// Until this moment.
    Until(Timestamp),
}

/// Of what a task wants more than there is at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// CPU.
    Cpu,
    /// Memory.
    Memory,
}

/// Starts at an even pace: the next one is due then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Pace {
    next_micros: i64,
}

/// Time is known to the millisecond, so a pace that is faster than that may catch up on so much.
const PACE_LAG_MICROS: i64 = 1_000;

impl Pace {
    fn wait(self, per_second: Option<u64>, now: Timestamp) -> Option<Wait> {
        let next = Timestamp(self.next_micros.saturating_add(999) / 1_000);
        // A clock that was set back must not stop the starts until the former time has come again.
        let latest = now.plus_millis(interval_micros(per_second?) / 1_000 + 1);
        (next > now && next <= latest).then_some(Wait::Until(next))
    }

    fn go(&mut self, per_second: Option<u64>, now: Timestamp) {
        let now_micros = now.0.saturating_mul(1_000);
        let earliest = now_micros.saturating_sub(PACE_LAG_MICROS);
        let interval = per_second.map_or(0, interval_micros);
        let from = self.next_micros.clamp(earliest, now_micros);
        self.next_micros = from.saturating_add(interval);
    }
}

fn interval_micros(per_second: u64) -> i64 {
    i64::try_from(1_000_000 / per_second.max(1)).unwrap_or(i64::MAX)
}

/// A rule or a cluster.
#[derive(Debug, Clone, Default)]
struct Holder {
    caps: Option<Caps>,
    running: u64,
    pace: Pace,
}

impl Holder {
    fn wait(&self, now: Timestamp) -> Option<Wait> {
        let caps = self.caps.unwrap_or_default();
        if caps.running.is_some_and(|most| self.running >= most) {
            return Some(Wait::ForAnEnd);
        }
        self.pace.wait(caps.starts_per_second, now)
    }
}

/// What is taken, and by whom.
#[derive(Debug, Clone)]
pub struct Room {
    allowance: Allowance,
    taken: Size,
    running: u64,
    pace: Pace,
    holders: HashMap<String, Holder>,
}

impl Room {
    /// Nothing is taken.
    pub fn new(allowance: Allowance) -> Self {
        Self {
            allowance,
            taken: Size::default(),
            running: 0,
            pace: Pace::default(),
            holders: HashMap::new(),
        }
    }

    /// Of what a task of this size wants more than all there is, if it does.
    pub fn lack(&self, size: Size) -> Option<Lack> {
        let all = self.allowance.size;
        if size.cpu_units > all.cpu_units {
            Some(Lack::Cpu)
        } else if size.memory_mib > all.memory_mib {
            Some(Lack::Memory)
        } else {
            None
        }
    }

    /// Whether no task at all is admitted now.
    pub fn is_shut(&self, now: Timestamp) -> Option<Wait> {
        if self.running >= self.allowance.running {
            return Some(Wait::ForAnEnd);
        }
        self.pace.wait(self.allowance.starts_per_second, now)
    }

    /// Whether a rule or cluster is at a cap of its own.
    pub fn is_capped(&self, holder: &str, now: Timestamp) -> Option<Wait> {
        self.holders.get(holder).and_then(|holder| holder.wait(now))
    }

    /// Whether the host has so much left.
    pub fn fits(&self, size: Size) -> bool {
        let all = self.allowance.size;
        self.taken.cpu_units.saturating_add(size.cpu_units) <= all.cpu_units
            && self.taken.memory_mib.saturating_add(size.memory_mib) <= all.memory_mib
    }

    /// A task has been admitted before.
    pub fn hold<'a>(&mut self, size: Size, holders: impl IntoIterator<Item = &'a str>) {
        self.running += 1;
        self.taken.cpu_units = self.taken.cpu_units.saturating_add(size.cpu_units);
        self.taken.memory_mib = self.taken.memory_mib.saturating_add(size.memory_mib);
        for name in holders {
            self.holders.entry(name.to_owned()).or_default().running += 1;
        }
    }

    /// A task is admitted now.
    pub fn admit<'a>(
        &mut self,
        size: Size,
        holders: impl IntoIterator<Item = &'a str> + Clone,
        now: Timestamp,
    ) {
        self.hold(size, holders.clone());
        self.pace.go(self.allowance.starts_per_second, now);
        for name in holders {
            if let Some(holder) = self.holders.get_mut(name) {
                let per_second = holder.caps.and_then(|caps| caps.starts_per_second);
                holder.pace.go(per_second, now);
            }
        }
    }

    /// An admitted task has ended.
    pub fn release<'a>(&mut self, size: Size, holders: impl IntoIterator<Item = &'a str>) {
        self.running = self.running.saturating_sub(1);
        self.taken.cpu_units = self.taken.cpu_units.saturating_sub(size.cpu_units);
        self.taken.memory_mib = self.taken.memory_mib.saturating_sub(size.memory_mib);
        for name in holders {
            if let Some(holder) = self.holders.get_mut(name) {
                holder.running = holder.running.saturating_sub(1);
            }
        }
    }

    /// Whether the caps of a rule or cluster are known.
    pub fn knows(&self, holder: &str) -> bool {
        self.holders
            .get(holder)
            .is_some_and(|holder| holder.caps.is_some())
    }

    /// The caps of a rule or cluster are these.
    pub fn learn(&mut self, holder: &str, caps: Caps) {
        self.holders.entry(holder.to_owned()).or_default().caps = Some(caps);
    }

    /// The caps of a rule or cluster may have changed.
    pub fn forget(&mut self, holder: &str) {
        if let Some(holder) = self.holders.get_mut(holder) {
            holder.caps = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn room(running: u64, cpu_units: u64, memory_mib: u64) -> Room {
        Room::new(Allowance {
            running,
            size: Size {
                cpu_units,
                memory_mib,
            },
            starts_per_second: None,
        })
    }

    fn size(cpu_units: u64, memory_mib: u64) -> Size {
        Size {
            cpu_units,
            memory_mib,
        }
    }

    #[test]
    fn tasks_fit_while_both_cpu_and_memory_are_left() {
        let mut room = room(10, 1024, 512);
        assert!(room.fits(size(1024, 512)));
        room.admit(size(1000, 12), ["r"], NOW);
        assert!(room.fits(size(24, 500)) && !room.fits(size(25, 1)) && !room.fits(size(1, 501)));
        room.release(size(1000, 12), ["r"]);
        assert!(room.fits(size(1024, 512)));
        assert_eq!(room.lack(size(1025, 513)), Some(Lack::Cpu));
        assert_eq!(room.lack(size(1024, 513)), Some(Lack::Memory));
        assert_eq!(room.lack(size(1024, 512)), None);
    }

    #[test]
    fn the_host_is_shut_at_its_number_and_a_holder_at_its_own() {
        let mut room = room(3, 9, 9);
        let caps = Caps {
            running: Some(1),
            starts_per_second: None,
        };
        room.learn("rule", caps);
        room.admit(Size::default(), ["rule", "cluster"], NOW);
        assert_eq!(room.is_capped("rule", NOW), Some(Wait::ForAnEnd));
        assert_eq!(room.is_capped("cluster", NOW), None);
        assert_eq!(room.is_capped("other", NOW), None);
        room.admit(Size::default(), ["cluster"], NOW);
        room.admit(Size::default(), ["cluster"], NOW);
        assert_eq!(room.is_shut(NOW), Some(Wait::ForAnEnd));
        room.release(Size::default(), ["rule", "cluster"]);
        assert_eq!(
            (room.is_shut(NOW), room.is_capped("rule", NOW)),
            (None, None)
        );
        room.forget("rule");
        assert!(!room.knows("rule"));
    }

    #[test]
    fn starts_come_at_the_pace_that_is_asked_for() {
        for per_second in [1, 3, 50, 999, 4_000] {
            let mut room = room(u64::MAX, 9, 9);
            let caps = Caps {
                running: None,
                starts_per_second: Some(per_second),
            };
            room.learn("rule", caps);
            let (mut now, mut starts) = (NOW, 0);
            while now.0 < NOW.0 + 2_000 {
                match room.is_capped("rule", now) {
                    None => {
                        room.admit(Size::default(), ["rule"], now);
                        starts += 1;
                    }
                    Some(Wait::Until(next)) => {
                        assert!(next > now);
                        now = next;
                    }
                    Some(Wait::ForAnEnd) => panic!("there is no such cap"),
                }
            }
            let expected = 2 * per_second;
            let about = expected..=expected + 1 + per_second / 500;
            assert!(about.contains(&starts), "{per_second}: {starts}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_stop_the_starts() {
        let mut room = room(9, 9, 9);
        let caps = Caps {
            running: None,
            starts_per_second: Some(1),
        };
        room.learn("rule", caps);
        room.admit(Size::default(), ["rule"], Timestamp(1_000_000));
        let back = Timestamp(5_000);
        assert_eq!(room.is_capped("rule", back), None);
        room.admit(Size::default(), ["rule"], back);
        let Some(Wait::Until(next)) = room.is_capped("rule", back) else {
            panic!("it waits");
        };
        assert_eq!(next, back.plus_millis(1_000));
    }
}
