//! One engine on one set in this process. Never measures anything while it generates.

use std::time::Instant;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::engine::{Engine, Loaded};
use super::events;
use super::sets::Set;

const EVENTS: usize = 20_000;
/// Changes of rules that are timed, and how many the slower engine is asked for.
const CHANGES: usize = 2_000;
const CHANGES_FEW: usize = 50;

/// What one process found out.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Figures {
    pub(super) events_per_second: f64,
    pub(super) events: usize,
    /// Matches of all events together.
    pub(super) matches: u64,
    pub(super) memory_bytes: u64,
    pub(super) load_millis: f64,
    pub(super) add_micros: f64,
    pub(super) delete_micros: f64,
}

pub(super) fn measure(engine: Engine, set: Set, rules: usize, seconds: f64) -> Result<Figures> {
    let events: Vec<String> = (0..EVENTS)
        .map(|n| events::event(set.shape(), n, rules))
        .collect();
    let before = memory_bytes()?;
    let begin = cpu_seconds()?;
    let mut loaded = Loaded::new(engine, (0..rules).map(|n| set.rule(n)))?;
    let load_millis = (cpu_seconds()? - begin) * 1e3;
    let memory_bytes = memory_bytes()?.saturating_sub(before);
    let mut matches = 0;
    for event in &events {
        matches += loaded.count(event)?;
    }
    let (mut done, begin) = (0_u64, cpu_seconds()?);
    let mut spent = 0.0;
    // Slow engines are not asked for a whole round.
    let mut round = events.iter().cycle();
    while spent < seconds {
        for event in round.by_ref().take(EVENTS / 20) {
            loaded.count(event)?;
            done += 1;
        }
        spent = cpu_seconds()? - begin;
    }
    let changes = match engine {
        Engine::Landfall | Engine::LandfallAny => CHANGES,
        Engine::Quamina => CHANGES_FEW,
    };
    let (add_micros, delete_micros) = change(&mut loaded, set, rules, changes)?;
    Ok(Figures {
        events_per_second: done as f64 / spent,
        events: EVENTS,
        matches,
        memory_bytes,
        load_millis,
        add_micros,
        delete_micros,
    })
}

/// Microseconds for one added and one deleted rule, the text of the rule read each time.
fn change(loaded: &mut Loaded, set: Set, rules: usize, changes: usize) -> Result<(f64, f64)> {
    let texts: Vec<String> = (0..changes).map(|n| set.rule(rules + n)).collect();
    let begin = Instant::now();
    for (n, text) in texts.iter().enumerate() {
        loaded.add(rules + n, text)?;
    }
    let added = begin.elapsed();
    let begin = Instant::now();
    for n in 0..changes.min(rules) {
        loaded.delete(n * (rules / changes.min(rules)))?;
    }
    let deleted = begin.elapsed();
    let micros =
        |spent: std::time::Duration, count: usize| spent.as_secs_f64() * 1e6 / count as f64;
    Ok((micros(added, changes), micros(deleted, changes.min(rules))))
}

fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanos: f64 = stat.split(' ').next().context("no CPU time")?.parse()?;
    Ok(nanos / 1e9)
}

fn memory_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .context("no memory")?;
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .context("no memory")?
        .parse()?;
    Ok(kib * 1024)
}
