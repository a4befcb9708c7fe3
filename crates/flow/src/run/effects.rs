//! What touches the world: tasks are prepared and stopped here, after the commit that asked for it, and their containers
//! handed to `follow`. Whatever they find out goes back to the loop as a report. Never changes state itself.

use std::sync::Arc;

use landfall_core::api::generated::ecs as api;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::task::TaskStatus;
use landfall_runtime::RuntimeError;
use tokio::sync::watch;

use super::task::TaskRecord;
use super::{follow, orphans, report, spec};
use crate::build;
use crate::drive::Flow;
use crate::keep::logs;
use crate::trail;
use crate::tx::{Effect, Tx};

/// Runs effects after their commit, without waiting for their end.
pub(crate) fn run(flow: &Flow, effects: Vec<Effect>) {
    for effect in effects {
        match effect {
            Effect::Wake(name) => flow.wake(&name),
            Effect::RunChanged(number) => flow.news().tell(number),
            other => {
                let on = flow.clone();
                flow.handle()
                    .spawn(async move { perform(&on, other).await });
            }
        }
    }
}

async fn perform(flow: &Flow, effect: Effect) {
    match effect {
        Effect::StartTask(arn) => start_task(flow, &arn).await,
        Effect::StopTask(arn) => stop_task(flow, &arn).await,
        Effect::BuildStack(id) => build::carry_out(flow, id).await,
        Effect::DeliverTrail(key, until) => trail::deliver(flow, key, until).await,
        Effect::RemoveContent(id) => {
            if let Err(e) = flow.contents().remove(&id).await {
                tracing::warn!(content = %id.0, error = %e, "cannot remove object bytes");
            }
        }
        Effect::SweepContainers => orphans::sweep(flow).await,
        Effect::RemoveContainers(ids) => {
            for id in ids {
                if let Err(e) = flow.runtime().remove(&id).await {
                    tracing::warn!(container = %id, error = %e, "cannot remove a container");
                }
            }
        }
        Effect::Wake(name) => flow.wake(&name),
        Effect::RunChanged(number) => flow.news().tell(number),
    }
}

/// A task on its way: everything its containers need to know of it.
pub(super) struct Launch {
    pub flow: Flow,
    pub arn: String,
    pub record: TaskRecord,
    pub definition: api::TaskDefinition,
    /// For each container the code with which it ended, once it has.
    pub ended: Vec<watch::Sender<Option<i32>>>,
}

async fn start_task(flow: &Flow, arn: &str) {
    let launch = match load(flow, arn) {
        Ok(Some(launch)) => Arc::new(launch),
        Ok(None) => return,
        Err(e) => return refuse(flow, arn, &format!("Task failed to start: {}", e.message)).await,
    };
    let fresh = launch.record.status() < TaskStatus::Activating;
    if fresh && let Err(reason) = prepare(&launch).await {
        return refuse(flow, arn, &reason).await;
    }
    for index in 0..launch.ended.len() {
        let launch = Arc::clone(&launch);
        tokio::spawn(async move { follow::follow(&launch, index).await });
    }
}

fn load(flow: &Flow, arn: &str) -> Result<Option<Launch>, ApiError> {
    let Some((record, definition)) = report::live(&flow.view(), arn)? else {
        return Ok(None);
    };
    let definition = definition.ok_or_else(|| super::client("TaskDefinition not found."))?;
    let count = definition
        .container_definitions
        .as_ref()
        .map_or(0, Vec::len);
    let ended = (0..count).map(|_| watch::channel(None).0).collect();
    let flow = flow.clone();
    Ok(Some(Launch {
        flow,
        arn: arn.to_owned(),
        record,
        definition,
        ended,
    }))
}

/// Everything that can be wrong before the first process: log groups, then images.
async fn prepare(launch: &Launch) -> Result<(), String> {
    for container in launch.definition.container_definitions.iter().flatten() {
        prepare_logs(launch, container).await?;
    }
    let started = launch.flow.clock().now();
    let mut digests = Vec::new();
    for container in launch.definition.container_definitions.iter().flatten() {
        let image = container.image.as_deref().unwrap_or_default();
        match launch.flow.runtime().prepare(image).await {
            Ok(image) => digests.push(image.digest),
            Err(RuntimeError::CannotPull(why)) => {
                return Err(format!("CannotPullContainerError: {why}"));
            }
            Err(e) => return Err(format!("CannotPullContainerError: {e}")),
        }
    }
    let told = tell(&launch.flow, &launch.arn, move |tx, arn| {
        report::pulled(tx, arn, started, &digests)
    });
    told.await.map_err(|e| e.message)
}

async fn prepare_logs(launch: &Launch, container: &api::ContainerDefinition) -> Result<(), String> {
    let Some(log) = report::log_of(&launch.record, container) else {
        return Ok(());
    };
    let group = log.group.clone();
    let exists =
        logs::group_exists(&launch.flow.view(), &log.caller, &group).map_err(|e| e.message)?;
    if exists {
        return Ok(());
    }
    if !log.create_group {
        return Err(format!(
            "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: \
             failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not \
             exist. : exit status 1 ({group})"
        ));
    }
    let made = tell(&launch.flow, &launch.arn, move |tx, _| {
        logs::ensure_group(tx, &log.caller, &group)
    });
    made.await.map_err(|e| e.message)
}

async fn refuse(flow: &Flow, arn: &str, reason: &str) {
    tracing::warn!(task = %arn, reason, "a task could not be started");
    let reason = reason.to_owned();
    let told = tell(flow, arn, move |tx, arn| {
        report::not_started(tx, arn, &reason)
    });
    if let Err(e) = told.await {
        tracing::error!(task = %arn, error = %e, "a task's failure to start was refused");
    }
}

/// A report must not get lost: when the loop is too busy to take it, it is offered again.
pub(super) async fn tell(
    flow: &Flow,
    arn: &str,
    report: impl Fn(&mut Tx<'_>, &str) -> Result<(), ApiError> + Send + Sync + 'static,
) -> Result<(), ApiError> {
    let report = Arc::new(report);
    loop {
        let (job, of) = (Arc::clone(&report), arn.to_owned());
        match flow.write(move |tx| job(tx, &of)).await {
            Err(e) if e.status == 503 => tokio::time::sleep(limits::REPORT_RETRY_PAUSE).await,
            told => return told,
        }
    }
}

async fn stop_task(flow: &Flow, arn: &str) {
    let launch = match load(flow, arn) {
        Ok(Some(launch)) => launch,
        Ok(None) => return,
        Err(e) => return tracing::error!(task = %arn, error = %e, "cannot stop a task"),
    };
    for index in 0..launch.ended.len() {
        let id = spec::container_id(&launch.record, index);
        if let Err(e) = flow.runtime().stop(&id).await {
            tracing::warn!(container = %id, error = %e, "cannot stop a container");
        }
    }
}
