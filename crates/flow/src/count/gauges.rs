//! How many things are waiting right now, counted in the committed state when somebody asks. Never takes a turn of the loop,
//! and never counts further than a named number.

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::{Direction, Space};

use crate::keep::queues::{self, Depth};
use crate::key::Key;
use crate::tx::Reader;

/// What waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Tasks that wait for a place.
    pub tasks_waiting: usize,
    /// Tasks that have a place and have not stopped.
    pub tasks_placed: usize,
    /// Deliveries that are due, now or at their next retry.
    pub deliveries_due: usize,
    /// Messages in queues.
    pub queues: Vec<Depth>,
}

/// Counts what waits.
pub fn gauges(db: &impl Reader, now: Timestamp) -> Result<Gauges, ApiError> {
    let tasks_waiting = keys(db, "waiting")?;
    Ok(Gauges {
        tasks_waiting,
        // Those that wait have not stopped either.
        tasks_placed: keys(db, "active")?.saturating_sub(tasks_waiting),
        deliveries_due: keys(db, "due")?,
        queues: queues::depths(db, now)?,
    })
}

/// How many records of a kind there are; their values are not read.
fn keys(db: &impl Reader, kind: &str) -> Result<usize, ApiError> {
    let (from, to) = Key::new(kind).range();
    let all = db.scan_raw(Space::Road, from, to, Direction::Forward);
    let mut count = 0;
    for entry in all.take(limits::METRICS_COUNTED_MAX) {
        entry?;
        count += 1;
    }
    Ok(count)
}
