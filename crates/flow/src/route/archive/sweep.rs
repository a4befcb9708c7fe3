//! The step of the loop that removes what archives need not hold any more: events that have expired, and those of
//! archives that are gone. Looks at a bounded number of events in one turn and goes on in the next.

use std::ops::Bound;

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::Direction;

use super::record::{Archive, Departed, Tally, held_prefix, held_range, tally_key};
use crate::drive::Pending;
use crate::key::{self, Key};
use crate::route::{StoredEvent, replay};
use crate::tx::{Reader as _, Tx};

const DAY_MILLIS: i64 = 24 * 3_600 * 1_000;

/// Where the sweep stands. None of it is stored: it may begin again at any time.
#[derive(Debug)]
pub(crate) struct Sweep {
    /// When the next one begins, milliseconds since the epoch; `None`: there is nothing to look through.
    next_millis: Option<i64>,
    /// The archive that is looked through now, by its key, and the last of its events that was looked at.
    place: Option<(Key, Option<Key>)>,
}

impl Sweep {
    /// Before the first look.
    pub(crate) fn at_start() -> Self {
        Self {
            next_millis: Some(0),
            place: None,
        }
    }

    /// Something may have to be removed: begin at once.
    pub(crate) fn look_now(&mut self) {
        self.next_millis = Some(0);
        self.place = None;
    }
}

/// One step of the loop.
pub(crate) fn turn(tx: &mut Tx<'_>) -> Result<Pending, ApiError> {
    let now = tx.now();
    let due = |tx: &Tx<'_>| Pending {
        more: false,
        due_millis: tx.caches.archives.next_millis,
    };
    if tx
        .caches
        .archives
        .next_millis
        .is_none_or(|next| next > now.0)
    {
        return Ok(due(tx));
    }
    let more = Pending {
        more: true,
        due_millis: None,
    };
    if departed(tx)? {
        return Ok(more);
    }
    let (at, behind) = tx.caches.archives.place.take().unzip();
    let Some((key, archive)) = next_archive(tx, at.as_ref())? else {
        let next = now.plus_millis(limits::ARCHIVE_SWEEP_PAUSE_MILLIS).0;
        let is_needed = replay::forget_old(tx)? || at.is_some();
        tx.caches.archives.next_millis = is_needed.then_some(next);
        return Ok(due(tx));
    };
    // An archive that was deleted in the middle of its turn leaves its place to the next one.
    let behind = behind.flatten().filter(|_| at.as_ref() == Some(&key));
    let reached = expire(tx, &archive, behind)?;
    tx.caches.archives.place = Some(match reached {
        Some(reached) => (key, Some(reached)),
        None => (Key::from([key.bytes(), &[0]].concat().as_slice()), None),
    });
    Ok(more)
}

/// Removes some of what a deleted archive held; whether there was one.
fn departed(tx: &mut Tx<'_>) -> Result<bool, ApiError> {
    let all = Key::new("archive-departed");
    let Some(entry) = tx.list::<Departed>(&all, Direction::Forward).next() else {
        return Ok(false);
    };
    let (marker, _) = entry?;
    let id = key::parts(marker.bytes()).pop().unwrap_or_default();
    let id = String::from_utf8_lossy(&id).into_owned();
    let held: Vec<Key> = tx
        .list::<StoredEvent>(&held_prefix(&id), Direction::Forward)
        .take(limits::ARCHIVE_SWEEP_EVENTS_PER_TURN_MAX)
        .map(|entry| entry.map(|(key, _)| key))
        .collect::<Result<_, _>>()?;
    if held.len() < limits::ARCHIVE_SWEEP_EVENTS_PER_TURN_MAX {
        tx.delete::<Departed>(&marker);
    }
    for key in &held {
        tx.delete::<StoredEvent>(key);
    }
    Ok(true)
}

/// The archive at a place, or the first one behind it.
fn next_archive(tx: &Tx<'_>, at: Option<&Key>) -> Result<Option<(Key, Archive)>, ApiError> {
    let (first, to) = Key::new("archive").range();
    let from = at.map_or(first, |key| Bound::Included(key.bytes().to_vec()));
    tx.list_between::<Archive>(from, to, Direction::Forward)
        .next()
        .transpose()
}

/// Removes expired events of an archive behind a place; how far it came, or nothing when the archive is done.
fn expire(
    tx: &mut Tx<'_>,
    archive: &Archive,
    behind: Option<Key>,
) -> Result<Option<Key>, ApiError> {
    if archive.retention_days == 0 {
        return Ok(None);
    }
    let kept_millis = i64::from(archive.retention_days).saturating_mul(DAY_MILLIS);
    let limit = Timestamp(tx.now().0.saturating_sub(kept_millis));
    // What came long ago may tell of a later time, but hardly does; it goes when that time is over.
    let (first, to) = held_range(&archive.id, Timestamp(0), limit.plus_millis(1));
    // A clock that was set back may have left the place behind the end.
    let is_before = |key: &Key| matches!(&to, Bound::Excluded(end) if key.bytes() < end.as_slice());
    let from = behind
        .filter(is_before)
        .map_or(first, |key| Bound::Excluded(key.bytes().to_vec()));
    let seen: Vec<(Key, StoredEvent)> = tx
        .list_between::<StoredEvent>(from, to, Direction::Forward)
        .take(limits::ARCHIVE_SWEEP_EVENTS_PER_TURN_MAX)
        .collect::<Result<_, _>>()?;
    let is_full = seen.len() == limits::ARCHIVE_SWEEP_EVENTS_PER_TURN_MAX;
    let last = seen.last().map(|(key, _)| key.clone());
    let (mut events, mut bytes) = (0, 0);
    for (key, event) in seen.iter().filter(|(_, it)| it.ingested_at <= limit) {
        tx.delete::<StoredEvent>(key);
        events += 1;
        bytes += event.json.len() as u64;
    }
    if events > 0 {
        let key = tally_key(&archive.id);
        let mut tally = tx.get::<Tally>(&key)?.unwrap_or_default();
        tally.events = tally.events.saturating_sub(events);
        tally.bytes = tally.bytes.saturating_sub(bytes);
        tx.put(&key, &tally)?;
    }
    Ok(last.filter(|_| is_full))
}
