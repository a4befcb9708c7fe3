//! A server that keeps nothing leaves nothing running: its tasks are stopped before it goes. Never used by a server that
//! will be started again, whose containers run on.

use std::time::Duration;

use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::Direction;

use super::queue::{self, Placed, Waiting};
use super::task;
use crate::drive::Flow;
use crate::key::Key;
use crate::tx::{Reader, Tx};

/// How often the end of the last task is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Stops every task and returns when none is left.
pub async fn stop_all(flow: &Flow, reason: &'static str) -> Result<(), ApiError> {
    while flow.write(move |tx| stop_active(tx, reason)).await? {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(())
}

/// Whether there was a task to be stopped.
fn stop_active(tx: &mut Tx<'_>, reason: &str) -> Result<bool, ApiError> {
    let placed: Vec<Key> = tx
        .list::<Placed>(&queue::all_placed(), Direction::Forward)
        .map(|entry| entry.map(|(key, _)| key))
        .collect::<Result<_, _>>()?;
    let waiting: Vec<Waiting> = tx
        .list::<Waiting>(&queue::all_lines(), Direction::Forward)
        .take(limits::TASKS_STOPPED_PER_TURN_MAX)
        .map(|entry| entry.map(|(_, waiting)| waiting))
        .collect::<Result<_, _>>()?;
    let mut records = Vec::new();
    for mark in &placed {
        records.extend(task::of_mark(tx, mark)?);
    }
    for entry in &waiting {
        records.extend(task::by_arn(tx, &entry.task_arn)?);
    }
    for record in &mut records {
        task::stop_for(tx, record, reason)?;
    }
    Ok(!records.is_empty())
}
