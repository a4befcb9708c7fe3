//! A server that keeps nothing leaves nothing running: its tasks are stopped before it goes. Never used by a server that
//! will be started again, whose containers run on.

use std::time::Duration;

use landfall_core::error::ApiError;
use landfall_store::Direction;

use super::task::{self, Active};
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
    let marks: Vec<Key> = tx
        .list::<Active>(&Key::new("active"), Direction::Forward)
        .map(|entry| entry.map(|(key, _)| key))
        .collect::<Result<_, _>>()?;
    for mark in &marks {
        if let Some(mut record) = task::of_active(tx, mark)? {
            task::stop_for(tx, &mut record, reason)?;
        }
    }
    Ok(!marks.is_empty())
}
