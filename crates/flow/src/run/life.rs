//! A task's way through its statuses; each step is an `ECS Task State Change` on the default bus. Never skips one.

use landfall_core::api::generated::ecs as api;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::event::{Envelope, ecs_task_state_change};
use landfall_core::task::TaskStatus;

use super::task::TaskRecord;
use crate::route::bus::DEFAULT_BUS;
use crate::route::{StoredEvent, emit_if_wanted};
use crate::tx::{Effect, Tx};

/// The first status of a new task.
pub(super) fn begin(tx: &mut Tx<'_>, record: &mut TaskRecord) -> Result<(), ApiError> {
    let now = tx.now();
    record.task.created_at = Some(now.into());
    record.task.connectivity_at = Some(now.into());
    record.task.desired_status = Some("RUNNING".to_owned());
    step(tx, record, TaskStatus::Provisioning)
}

/// Takes the task on to `to`, through every status in between.
pub(super) fn advance(
    tx: &mut Tx<'_>,
    record: &mut TaskRecord,
    to: TaskStatus,
) -> Result<(), ApiError> {
    for status in TaskStatus::path(record.status(), to) {
        step(tx, record, status)?;
    }
    Ok(())
}

/// The end of the task is wanted, for a reason; the first reason stays.
pub(super) fn unwanted(record: &mut TaskRecord, code: &str, reason: &str, now: Timestamp) {
    let task = &mut record.task;
    task.desired_status = Some("STOPPED".to_owned());
    task.stop_code.get_or_insert_with(|| code.to_owned());
    task.stopped_reason.get_or_insert_with(|| reason.to_owned());
    task.stopping_at.get_or_insert(now.into());
}

/// The task has ended: on to STOPPED.
pub(super) fn end(tx: &mut Tx<'_>, record: &mut TaskRecord) -> Result<(), ApiError> {
    record
        .task
        .execution_stopped_at
        .get_or_insert(tx.now().into());
    advance(tx, record, TaskStatus::Stopped)
}

fn step(tx: &mut Tx<'_>, record: &mut TaskRecord, status: TaskStatus) -> Result<(), ApiError> {
    let now = tx.now();
    let task = &mut record.task;
    task.last_status = Some(status.as_str().to_owned());
    task.version = Some(task.version.unwrap_or(0) + 1);
    match status {
        TaskStatus::Pending => record.placed_at = Some(now),
        TaskStatus::Running => {
            task.started_at = Some(now.into());
            attach(task, "ATTACHED");
        }
        TaskStatus::Stopped => {
            task.stopped_at = Some(now.into());
            attach(task, "DELETED");
        }
        _ => {}
    }
    if let Some(number) = record.delivery {
        tx.effect(Effect::RunChanged(number));
    }
    let event = state_change(tx, record)?;
    emit_if_wanted(tx, &event)
}

fn attach(task: &mut api::Task, status: &str) {
    for attachment in task.attachments.iter_mut().flatten() {
        attachment.status = Some(status.to_owned());
    }
}

fn state_change(tx: &Tx<'_>, record: &TaskRecord) -> Result<StoredEvent, ApiError> {
    let now = tx.now();
    let envelope = Envelope {
        id: tx.ids().uuid(),
        time: now,
        account: record.account.clone(),
        region: record.region.clone(),
        ..Envelope::default()
    };
    let id = envelope.id.clone();
    let json = ecs_task_state_change(envelope, &detail(record, now)?)
        .map_err(|e| ApiError::internal(e.to_string()))?;
    Ok(StoredEvent {
        id,
        account: record.account.clone(),
        region: record.region.clone(),
        bus: DEFAULT_BUS.to_owned(),
        json,
        ingested_at: now,
        object: None,
        hops: 0,
        again: None,
    })
}

/// The task as ECS writes it into events: times as text, `updatedAt` added.
fn detail(record: &TaskRecord, now: Timestamp) -> Result<String, ApiError> {
    let failed = |e: serde_json::Error| ApiError::internal(format!("cannot write a task: {e}"));
    let mut value = serde_json::to_value(&record.task).map_err(failed)?;
    if let Some(map) = value.as_object_mut() {
        for (name, member) in map.iter_mut() {
            if let (true, Some(seconds)) = (name.ends_with("At"), member.as_f64()) {
                #[allow(clippy::cast_possible_truncation)]
                let at = Timestamp((seconds * 1000.0).round() as i64);
                *member = at.iso8601_millis().into();
            }
        }
        map.insert("updatedAt".to_owned(), now.iso8601_millis().into());
    }
    Ok(value.to_string())
}
