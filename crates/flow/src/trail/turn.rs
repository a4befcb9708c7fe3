//! The step of the loop that lets due files be written and due events out. Never writes a file itself: bytes are made
//! beside the loop, and come back as a job.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::Direction;

use super::model::{Delayed, TrailKey, due_of_delayed};
use super::watch::{self, Watch};
use crate::drive::Pending;
use crate::key::Key;
use crate::route;
use crate::tx::{Effect, Reader, Tx};

/// What the loop remembers of trails. All of it can be rebuilt from the store.
pub(crate) struct Waiting {
    /// The trails that record.
    pub(crate) watch: Arc<Watch>,
    /// Whether `watch` is what the store says.
    pub(crate) is_known: bool,
    /// When the files of a trail are due; none for one that has nothing to deliver.
    due: BTreeMap<TrailKey, i64>,
    /// Trails whose files are being written.
    busy: HashSet<TrailKey>,
    /// When the first delayed event is due; none when none waits.
    events_due: Option<i64>,
    is_looked_up: bool,
    /// How many events the event history holds, once they have been counted.
    pub(super) history: Option<usize>,
}

impl Waiting {
    /// At a start anything may be waiting.
    pub(crate) fn at_start(watch: Arc<Watch>) -> Self {
        Self {
            watch,
            is_known: false,
            due: BTreeMap::new(),
            busy: HashSet::new(),
            events_due: Some(0),
            is_looked_up: false,
            history: None,
        }
    }

    /// Trails have changed.
    pub(super) fn forget(&mut self) {
        self.is_known = false;
    }

    /// How long AWS's delay is imitated.
    pub(super) fn delay_millis(&self) -> i64 {
        self.watch.delay_millis()
    }

    /// A trail has a record to deliver.
    pub(super) fn wait_for(&mut self, trail: TrailKey, since: Timestamp) {
        let due = since.0 + self.delay_millis() + limits::CLOUDTRAIL_FLUSH_MILLIS;
        self.wait_until(trail, due);
    }

    /// A trail has a record of a delivery to deliver: such files follow one another for ever, at the pace of AWS.
    pub(super) fn wait_for_delivery(&mut self, trail: TrailKey, since: Timestamp) {
        let due = since.0 + self.delay_millis() + limits::CLOUDTRAIL_RECURSION_MILLIS;
        self.wait_until(trail, due);
    }

    /// A trail has something to deliver at a moment.
    pub(super) fn wait_until(&mut self, trail: TrailKey, due: i64) {
        let at = self.due.entry(trail).or_insert(due);
        *at = due.min(*at);
    }

    /// An attempt on a trail has ended.
    pub(super) fn ended(&mut self, trail: &TrailKey) {
        self.busy.remove(trail);
    }

    /// An event waits out the delay.
    pub(super) fn event_due(&mut self, due: Timestamp) {
        self.events_due = Some(self.events_due.map_or(due.0, |first| first.min(due.0)));
    }

    /// A step failed and was taken back: look at everything again.
    pub(crate) fn doubt(&mut self, retry_at_millis: i64) {
        self.is_known = false;
        self.events_due = Some(retry_at_millis);
    }
}

/// One step of the loop.
pub(crate) fn turn(tx: &mut Tx<'_>) -> Result<Pending, ApiError> {
    watch::live(tx)?;
    if !tx.caches.trails.is_looked_up {
        let now = tx.now().0;
        for trail in tx.all::<super::Trail>(&Key::new("trail"))? {
            tx.caches.trails.wait_until(trail.key(), now);
        }
        for departed in tx.all::<super::Departed>(&Key::new("trail-departed"))? {
            tx.caches.trails.wait_until(departed.key(), now);
        }
        tx.caches.trails.is_looked_up = true;
    }
    release(tx)?;
    let now = tx.now().0;
    let waiting = &tx.caches.trails;
    let busy = &waiting.busy;
    let is_due = |(trail, due): &(&TrailKey, &i64)| **due <= now && !busy.contains(*trail);
    let due: Vec<TrailKey> = waiting
        .due
        .iter()
        .filter(is_due)
        .map(|(trail, _)| trail.clone())
        .collect();
    for trail in due {
        tx.caches.trails.due.remove(&trail);
        tx.caches.trails.busy.insert(trail.clone());
        // What comes from here on is due by itself: records of this very delivery among them.
        let until = tx.next_sequence();
        tx.effect(Effect::DeliverTrail(trail, until));
    }
    let waiting = &tx.caches.trails;
    let idle = waiting
        .due
        .iter()
        .filter(|(trail, _)| !waiting.busy.contains(*trail));
    let files = idle.map(|(_, due)| *due).min();
    Ok(Pending {
        more: false,
        due_millis: files.into_iter().chain(waiting.events_due).min(),
    })
}

/// Puts the delayed events that are due on the bus.
fn release(tx: &mut Tx<'_>) -> Result<(), ApiError> {
    let now = tx.now();
    if tx.caches.trails.events_due.is_none_or(|due| due > now.0) {
        return Ok(());
    }
    let waiting: Vec<(Key, Delayed)> = tx
        .list::<Delayed>(&Key::new("trail-delayed"), Direction::Forward)
        .take(limits::CLOUDTRAIL_EVENTS_PER_TURN_MAX + 1)
        .collect::<Result<_, _>>()?;
    let mut next = None;
    for (count, (key, delayed)) in waiting.into_iter().enumerate() {
        let due = due_of_delayed(&key).unwrap_or_default();
        if due > now || count == limits::CLOUDTRAIL_EVENTS_PER_TURN_MAX {
            next = Some(due.0);
            break;
        }
        route::emit(tx, &delayed.event)?;
        tx.delete::<Delayed>(&key);
    }
    tx.caches.trails.events_due = next;
    Ok(())
}
