//! Containers that a former server left and of which no task is left: a crash came between a task's end and the removal of
//! its containers. Never touches one of a task that has a place.

use std::collections::HashSet;

use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_runtime::{Found, RuntimeError};
use landfall_store::Direction;

use super::queue::{self, Placed};
use crate::drive::Flow;
use crate::key;
use crate::tx::Reader as _;

/// Stops and removes them.
pub(super) async fn sweep(flow: &Flow) {
    let ids = match flow.runtime().ids().await {
        Ok(ids) => ids,
        Err(e) => {
            return tracing::warn!(error = %e, "the runtime cannot say which containers it has");
        }
    };
    // A container starts only behind the commit of its task's place: whoever was listed and is alive is in this view.
    let placed = match placed(flow) {
        Ok(placed) => placed,
        Err(e) => return tracing::error!(error = %e, "containers without a task are left alone"),
    };
    for id in ids {
        let task = id.rsplit_once('-').map_or(id.as_str(), |(task, _)| task);
        if !placed.contains(task) {
            tracing::warn!(container = %id, "a container of no task is removed");
            if let Err(e) = remove(flow, &id).await {
                tracing::warn!(container = %id, error = %e, "cannot remove a container");
            }
        }
    }
}

/// The ids of the tasks that have a place.
fn placed(flow: &Flow) -> Result<HashSet<String>, ApiError> {
    let view = flow.view();
    let mut ids = HashSet::new();
    for entry in view.list::<Placed>(&queue::all_placed(), Direction::Forward) {
        let id = key::parts(entry?.0.bytes()).pop().unwrap_or_default();
        ids.extend(String::from_utf8(id));
    }
    Ok(ids)
}

async fn remove(flow: &Flow, id: &str) -> Result<(), RuntimeError> {
    let runtime = flow.runtime();
    if runtime.find(id).await? == Found::Alive {
        runtime.stop(id).await?;
    }
    while runtime.find(id).await? == Found::Alive {
        tokio::time::sleep(limits::RUNTIME_ASK_PAUSE).await;
    }
    runtime.remove(id).await
}
