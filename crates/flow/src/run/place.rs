//! The step of the loop that gives waiting tasks a place, first come first served. Never more than the host takes:
//! the others wait, durably, instead of failing.

use landfall_core::error::ApiError;
use landfall_core::task::TaskStatus;
use landfall_store::Direction;

use super::life;
use super::task::{self, Active, Waiting};
use crate::drive::Pending;
use crate::key::Key;
use crate::tx::{Effect, Reader, Tx};

/// One step of the loop.
pub(crate) fn turn(tx: &mut Tx<'_>) -> Result<Pending, ApiError> {
    let at_once = tx.settings().launch.max_running;
    let free = at_once.saturating_sub(tx.caches.placed);
    if !tx.caches.tasks_waiting || free == 0 {
        return Ok(Pending::default());
    }
    let waiting: Vec<(Key, Waiting)> = tx
        .list::<Waiting>(&Key::new("waiting"), Direction::Forward)
        .take(free)
        .collect::<Result<_, _>>()?;
    let all_seen = waiting.len() < free;
    let mut placed = 0;
    for (key, entry) in waiting {
        tx.delete::<Waiting>(&key);
        let Some(mut record) = task::by_arn(tx, &entry.task_arn)? else {
            continue;
        };
        if record.status() != TaskStatus::Provisioning {
            continue;
        }
        life::advance(tx, &mut record, TaskStatus::Pending)?;
        task::save(tx, &record)?;
        tx.effect(Effect::StartTask(entry.task_arn));
        placed += 1;
    }
    tx.caches.placed += placed;
    tx.caches.tasks_waiting = !all_seen;
    Ok(Pending::default())
}

/// The first step after a start: tasks that had a place are looked up in the runtime again.
pub(crate) fn recover(tx: &mut Tx<'_>) -> Result<Pending, ApiError> {
    let marks: Vec<Key> = tx
        .list::<Active>(&Key::new("active"), Direction::Forward)
        .map(|entry| entry.map(|(key, _)| key))
        .collect::<Result<_, _>>()?;
    let mut placed = 0;
    for mark in marks {
        let Some(record) = task::of_active(tx, &mark)? else {
            continue;
        };
        if record.status() == TaskStatus::Provisioning {
            continue;
        }
        tx.effect(Effect::StartTask(record.arn().to_owned()));
        if record.is_unwanted() {
            tx.effect(Effect::StopTask(record.arn().to_owned()));
        }
        placed += 1;
    }
    tx.caches.placed = placed;
    Ok(Pending::default())
}
