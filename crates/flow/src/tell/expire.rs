//! The ledger stays within its bounds: ended runs go, oldest first, with their tasks and all that hangs on these, a few in
//! each turn of the loop. Never lets go of a run that has not ended. Log events stay: their groups have a retention of
//! their own.

use std::ops::Bound;

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::settings::Ledger;
use landfall_core::task::TaskStatus;
use landfall_store::Direction;

use super::ledger::{self, Ended, EndedTask, Listed, Tally};
use super::query::number_of;
use crate::deliver::{Delivery, delivery_key};
use crate::drive::Pending;
use crate::key::{self, Key};
use crate::record::Record;
use crate::run::{TaskRecord, task};
use crate::tx::{Reader, Tx};

/// What the loop remembers of the ledger between two turns.
#[derive(Debug)]
pub(crate) struct Keeping {
    /// Something has ended since the last look.
    has_news: bool,
    /// Something grows too old at this moment (milliseconds since the epoch).
    due: Option<i64>,
    /// All lines of ended runs up to this key are gone: a scan need not pass over where they were.
    runs_gone: Option<Key>,
    /// The same of tasks.
    tasks_gone: Option<Key>,
    /// What an older Landfall stored is still to be listed.
    is_listing: bool,
}

impl Keeping {
    pub(crate) fn at_start() -> Self {
        Self {
            has_news: true,
            due: None,
            runs_gone: None,
            tasks_gone: None,
            is_listing: false,
        }
    }

    /// Something has ended, or was listed, that grows too old at some time.
    fn awaits(&mut self, millis: i64) {
        self.has_news = true;
        self.due = Some(self.due.map_or(millis, |due| due.min(millis)));
    }

    /// A run has ended and is listed under this key.
    pub(super) fn listed(&mut self, line: &Key, settings: &Ledger) {
        self.awaits(too_old(line, age_millis_max(settings)));
        // The clock may have been turned back.
        if self.runs_gone.as_ref().is_some_and(|gone| line <= gone) {
            self.runs_gone = None;
        }
    }

    /// A task that no delivery started has ended and is listed under this key.
    pub(super) fn listed_task(&mut self, line: &Key) {
        self.awaits(too_old(line, limits::TASK_KEPT_MILLIS));
        if self.tasks_gone.as_ref().is_some_and(|gone| line <= gone) {
            self.tasks_gone = None;
        }
    }

    /// A turn was taken back.
    pub(crate) fn doubt(&mut self, retry_at_millis: i64) {
        self.has_news = true;
        self.due = Some(retry_at_millis);
        self.runs_gone = None;
        self.tasks_gone = None;
    }
}

/// The first step after a start: whether an older Landfall left anything that is not listed.
pub(crate) fn recover(tx: &mut Tx<'_>) -> Result<Pending, ApiError> {
    let tally: Option<Tally> = tx.get(&ledger::tally_key())?;
    let is_unlisted = match &tally {
        Some(tally) => tally.listed.is_some(),
        None => has_any::<Delivery>(tx, "delivery")? || has_any::<TaskRecord>(tx, "task")?,
    };
    if tally.is_none() {
        // Written at the very first start too: later ones need not wonder who left what is there.
        let tally = Tally {
            listed: is_unlisted.then(String::new),
            ..Tally::default()
        };
        tx.put(&ledger::tally_key(), &tally)?;
    }
    tx.caches.ledger.is_listing = is_unlisted;
    Ok(Pending::default())
}

fn has_any<R: Record>(db: &impl Reader, kind: &str) -> Result<bool, ApiError> {
    let all = Key::new(kind);
    let mut all = db.list::<R>(&all, Direction::Forward);
    Ok(all.next().transpose()?.is_some())
}

/// Lists some of what an older Landfall stored: deliveries first, then tasks. What is listed already stays as it is.
fn list_stored(tx: &mut Tx<'_>) -> Result<Pending, ApiError> {
    let listed = ledger::tally(tx)?.listed.unwrap_or_default();
    let last = Key::from(hex::decode(listed).unwrap_or_default().as_slice());
    let last = match last.bytes().starts_with(Key::new("task").bytes()) {
        false => Some(list_runs(tx, &last)?),
        true => list_tasks(tx, &last)?,
    };
    tx.caches.ledger.is_listing = last.is_some();
    let tally = Tally {
        listed: last.map(|key| hex::encode(key.bytes())),
        ..ledger::tally(tx)?
    };
    tx.put(&ledger::tally_key(), &tally)?;
    Ok(Pending {
        more: true,
        due_millis: None,
    })
}

fn list_runs(tx: &mut Tx<'_>, last: &Key) -> Result<Key, ApiError> {
    let all = Key::new("delivery");
    let behind = Some(last).filter(|it| !it.bytes().is_empty());
    let deliveries = some::<Delivery>(tx, &all, behind)?;
    for (key, delivery) in &deliveries {
        let number = number_of(key).unwrap_or(0);
        ledger::list(tx, number, delivery)?;
        ledger::close(tx, number, delivery)?;
    }
    let last = deliveries.last().map(|(key, _)| key.clone());
    Ok(last.unwrap_or_else(|| Key::new("task")))
}

fn list_tasks(tx: &mut Tx<'_>, last: &Key) -> Result<Option<Key>, ApiError> {
    let tasks = some::<TaskRecord>(tx, &Key::new("task"), Some(last))?;
    for (_, record) in &tasks {
        if record.status() == TaskStatus::Stopped && record.delivery.is_none() {
            ledger::task_ended(tx, record)?;
        }
    }
    Ok(tasks.last().map(|(key, _)| key.clone()))
}

/// One step of the loop.
pub(crate) fn turn(tx: &mut Tx<'_>) -> Result<Pending, ApiError> {
    if tx.caches.ledger.is_listing {
        return list_stored(tx);
    }
    let now = tx.now();
    let ledger = &mut tx.caches.ledger;
    let is_due = ledger.due.is_none_or(|due| due <= now.0);
    let wait = Pending {
        more: false,
        due_millis: ledger.due,
    };
    if !is_due && !std::mem::take(&mut ledger.has_news) {
        return Ok(wait);
    }
    let settings = &tx.settings().ledger;
    if !is_due && !is_over(&ledger::tally(tx)?, settings) {
        return Ok(wait);
    }
    let pending = drop_runs(tx, settings)?.and(drop_tasks(tx)?);
    tx.caches.ledger.due = pending.due_millis;
    tx.caches.ledger.has_news = pending.more;
    Ok(pending)
}

fn is_over(tally: &Tally, settings: &Ledger) -> bool {
    tally.entries > settings.entries_max || tally.bytes > settings.bytes_max
}

fn drop_runs(tx: &mut Tx<'_>, settings: &Ledger) -> Result<Pending, ApiError> {
    let gone = tx.caches.ledger.runs_gone.clone();
    let oldest = some::<Ended>(tx, &Key::new("run-ended"), gone.as_ref())?;
    for (line, ended) in oldest.iter().take(limits::LEDGER_DROPPED_PER_TURN_MAX) {
        let due = too_old(line, age_millis_max(settings));
        if due > tx.now().0 && !is_over(&ledger::tally(tx)?, settings) {
            return Ok(until(due));
        }
        drop_run(tx, line)?;
        ledger::strike(tx, line, *ended)?;
        tx.caches.ledger.runs_gone = Some(line.clone());
    }
    Ok(rest(oldest.len()))
}

fn age_millis_max(settings: &Ledger) -> i64 {
    const DAY_MILLIS: i64 = 24 * 3_600 * 1_000;
    i64::from(settings.age_days_max) * DAY_MILLIS
}

/// When what is listed under a key is too old.
fn too_old(line: &Key, age_millis_max: i64) -> i64 {
    at(line).0.saturating_add(age_millis_max)
}

fn until(due_millis: i64) -> Pending {
    Pending {
        more: false,
        due_millis: Some(due_millis),
    }
}

/// What there was, dropped as far as one turn goes.
fn rest(count: usize) -> Pending {
    let more = count > limits::LEDGER_DROPPED_PER_TURN_MAX;
    Pending {
        more,
        // When nothing is left that could grow old, what ends next says when it does.
        due_millis: Some(if more { 0 } else { i64::MAX }),
    }
}

/// The first entries behind a key, one more than go in one turn.
fn some<R: Record>(tx: &Tx<'_>, all: &Key, gone: Option<&Key>) -> Result<Vec<(Key, R)>, ApiError> {
    let (first, to) = all.range();
    let from = gone.map_or(first, |key| Bound::Excluded(key.bytes().to_vec()));
    tx.list_between::<R>(from, to, Direction::Forward)
        .take(limits::LEDGER_DROPPED_PER_TURN_MAX + 1)
        .collect()
}

/// The time in a key that lists what has ended.
fn at(key: &Key) -> Timestamp {
    let first = key::parts(key.bytes())
        .first()
        .and_then(|part| key::number(part));
    Timestamp(first.and_then(|it| i64::try_from(it).ok()).unwrap_or(0))
}

/// A run goes, unless the line lies: one that was taken up again has another line, or gets one.
fn drop_run(tx: &mut Tx<'_>, line: &Key) -> Result<(), ApiError> {
    let number = number_of(line).unwrap_or(0);
    let Some(delivery) = tx.get::<Delivery>(&delivery_key(number))? else {
        return Ok(());
    };
    let is_true = ledger::has_ended(tx, &delivery)? && ledger::ended_at(tx, &delivery)? == at(line);
    if !is_true {
        return Ok(());
    }
    for arn in ledger::all_tasks(&delivery) {
        task::forget(tx, arn)?;
    }
    if let Some(object) = &delivery.object {
        tx.delete::<Listed>(&ledger::place(number, &object.bucket, &object.key));
    }
    tx.delete::<Delivery>(&delivery_key(number));
    Ok(())
}

/// Stopped tasks that no delivery started.
fn drop_tasks(tx: &mut Tx<'_>) -> Result<Pending, ApiError> {
    let gone = tx.caches.ledger.tasks_gone.clone();
    let oldest = some::<EndedTask>(tx, &Key::new("task-ended"), gone.as_ref())?;
    for (line, ended) in oldest.iter().take(limits::LEDGER_DROPPED_PER_TURN_MAX) {
        let due = too_old(line, limits::TASK_KEPT_MILLIS);
        if due > tx.now().0 {
            return Ok(until(due));
        }
        task::forget(tx, &ended.task_arn)?;
        tx.delete::<EndedTask>(line);
        tx.caches.ledger.tasks_gone = Some(line.clone());
    }
    Ok(rest(oldest.len()))
}
