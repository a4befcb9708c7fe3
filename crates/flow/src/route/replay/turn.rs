//! The step of the loop that moves replays on: a bounded number of archived events goes back to its bus, and the place
//! that was reached is in the same commit. So a crash goes on where it stopped, and no event is sent twice by one replay.

use std::ops::Bound;

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::event::replayed;
use landfall_core::limits;
use landfall_store::Direction;

use super::record::{Active, Replay};
use crate::drive::Pending;
use crate::key::{self, Key};
use crate::route::{Again, StoredEvent, archive, emit};
use crate::tx::{Reader as _, Tx};

const DAY_MILLIS: i64 = 24 * 3_600 * 1_000;

/// One step of the loop.
pub(crate) fn turn(tx: &mut Tx<'_>) -> Result<Pending, ApiError> {
    if !tx.caches.replays_active {
        return Ok(Pending::default());
    }
    let active: Vec<Key> = tx
        .list::<Active>(&Key::new("replay-active"), Direction::Forward)
        .take(limits::REPLAYS_PER_TURN_MAX)
        .map(|entry| entry.map(|(key, _)| key))
        .collect::<Result<_, _>>()?;
    let share = limits::REPLAY_EVENTS_PER_TURN_MAX / active.len().max(1);
    for marker in &active {
        let parts = key::parts(marker.bytes());
        let key = parts.iter().fold(Key::new("replay"), Key::part);
        let Some(mut replay) = tx.get::<Replay>(&key)? else {
            tx.delete::<Active>(marker);
            continue;
        };
        advance(tx, &mut replay, share)?;
        if replay.ended_at.is_some() {
            tx.delete::<Active>(marker);
        }
        tx.put(&key, &replay)?;
    }
    tx.caches.replays_active = !active.is_empty();
    Ok(Pending {
        more: tx.caches.replays_active,
        due_millis: None,
    })
}

fn advance(tx: &mut Tx<'_>, replay: &mut Replay, share: usize) -> Result<(), ApiError> {
    if replay.state == "CANCELLING" {
        end(tx, replay, "CANCELLED", None);
        return Ok(());
    }
    let found = archive::find(tx, &replay.account, &replay.region, &replay.archive);
    let Some(archive) = found.ok().filter(|it| it.id == replay.archive_id) else {
        let reason = format!("Archive {} does not exist.", replay.archive);
        end(tx, replay, "FAILED", Some(reason));
        return Ok(());
    };
    "RUNNING".clone_into(&mut replay.state);
    let (first, to) = archive::held_range(&archive.id, replay.from, replay.until);
    let from = replay.sent.map_or(first, |(time, number)| {
        let sent = archive::held_key(&archive.id, time, number);
        Bound::Excluded(sent.bytes().to_vec())
    });
    let events: Vec<(Key, StoredEvent)> = tx
        .list_between::<StoredEvent>(from, to, Direction::Forward)
        .take(share)
        .collect::<Result<_, _>>()?;
    let is_last = events.len() < share;
    for (key, event) in events {
        send(tx, replay, event)?;
        replay.sent = archive::held_time(&key).or(replay.sent);
    }
    if is_last {
        end(tx, replay, "COMPLETED", None);
    }
    Ok(())
}

fn send(tx: &mut Tx<'_>, replay: &Replay, event: StoredEvent) -> Result<(), ApiError> {
    let Some(json) = replayed(&event.json, &replay.name) else {
        tracing::error!(event = %event.id, "an archived event cannot be read and is left out of its replay");
        return Ok(());
    };
    let again = Again {
        token: format!("{}#{}", replay.arn(), replay.number),
        by: replay.arn(),
        rules: replay.destination.filter_arns.clone().unwrap_or_default(),
    };
    let event = StoredEvent {
        json,
        ingested_at: tx.now(),
        again: Some(again),
        ..event
    };
    emit(tx, &event).map(|_| ())
}

fn end(tx: &mut Tx<'_>, replay: &mut Replay, state: &str, reason: Option<String>) {
    state.clone_into(&mut replay.state);
    replay.state_reason = reason;
    replay.ended_at = Some(tx.now());
    tx.caches.archives.look_now();
}

/// Removes replays that ended long ago; whether any replay is left that will have to be removed one day.
pub(in crate::route) fn forget_old(tx: &mut Tx<'_>) -> Result<bool, ApiError> {
    let kept_millis = limits::EVENTS_REPLAY_DAYS_KEPT * DAY_MILLIS;
    let limit = Timestamp(tx.now().0.saturating_sub(kept_millis));
    let all = tx.all::<Replay>(&Key::new("replay"))?;
    let is_old = |it: &Replay| it.ended_at.is_some_and(|ended| ended <= limit);
    let is_any_left = all.iter().any(|it| it.ended_at.is_some() && !is_old(it));
    let old = all.iter().filter(|it| is_old(it));
    for replay in old.take(limits::ARCHIVE_SWEEP_EVENTS_PER_TURN_MAX) {
        tx.delete::<Replay>(&replay.key());
    }
    Ok(is_any_left)
}
