//! What touches the world: containers are prepared, started, followed and stopped here, after the commit that asked for
//! it. Whatever they find out goes back to the loop as a report. Never changes state itself.

use std::sync::Arc;

use landfall_core::api::generated::ecs as api;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::task::TaskStatus;
use landfall_runtime::{ContainerEvent, Found, RuntimeError};
use tokio::sync::{mpsc, watch};

use super::report::{self, Line};
use super::spec::{self, Surroundings};
use super::task::{self, TaskRecord};
use crate::build;
use crate::drive::Flow;
use crate::keep::logs;
use crate::keep::roles::sessions;
use crate::keep::roles::token::Minted;
use crate::trail;
use crate::tx::Effect;

/// Runs effects after their commit, without waiting for their end.
pub(crate) fn run(flow: &Flow, effects: Vec<Effect>) {
    for effect in effects {
        match effect {
            Effect::Wake(name) => flow.wake(&name),
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
        Effect::RemoveContainers(ids) => {
            for id in ids {
                if let Err(e) = flow.runtime().remove(&id).await {
                    tracing::warn!(container = %id, error = %e, "cannot remove a container");
                }
            }
        }
        Effect::Wake(name) => flow.wake(&name),
    }
}

/// A task on its way: everything its containers need to know of it.
struct Launch {
    flow: Flow,
    arn: String,
    record: TaskRecord,
    definition: api::TaskDefinition,
    ended: Vec<watch::Sender<Option<i32>>>,
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
        tokio::spawn(async move { follow(&launch, index).await });
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
    let arn = launch.arn.clone();
    let told = launch
        .flow
        .write(move |tx| report::pulled(tx, &arn, started, &digests))
        .await;
    told.map_err(|e| e.message)
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
    let caller = log.caller.clone();
    let made = launch
        .flow
        .write(move |tx| logs::ensure_group(tx, &caller, &group))
        .await;
    made.map_err(|e| e.message)
}

/// Starts one container, or finds it again, and reports until it ends.
async fn follow(launch: &Launch, index: usize) {
    let id = spec::container_id(&launch.record, index);
    if let Err(reason) = ensure_started(launch, index, &id).await {
        return report_end(launch, index, report::End::NotStarted(reason)).await;
    }
    let name = report::name_of(&launch.definition, index);
    let position = launch
        .record
        .output_positions
        .get(&name)
        .copied()
        .unwrap_or(0);
    match launch.flow.runtime().watch(&id, position).await {
        Ok(events) => watch_events(launch, index, events).await,
        Err(e) => report_end(launch, index, report::End::Lost(e.to_string())).await,
    }
}

async fn ensure_started(launch: &Launch, index: usize, id: &str) -> Result<(), String> {
    let runtime = launch.flow.runtime();
    match runtime.find(id).await.map_err(|e| e.to_string())? {
        Found::Alive | Found::Exited(_) | Found::Lost => return Ok(()),
        Found::Absent if launch.record.status() >= TaskStatus::Running => {
            return Err("the container is gone".to_owned());
        }
        Found::Absent => {}
    }
    await_dependencies(launch, index).await?;
    let now = task::by_arn(&launch.flow.view(), &launch.arn).map_err(|e| e.message)?;
    if now.is_none_or(|record| record.is_unwanted()) {
        return Err("the task was stopped before the container started".to_owned());
    }
    let around = Surroundings {
        endpoint: launch.flow.endpoint(),
        credentials: launch.flow.container_credentials(),
        role: role_credentials(launch).await.map_err(|e| e.message)?,
    };
    let view = launch.flow.view();
    let spec = spec::container(&view, &launch.record, &launch.definition, index, &around)
        .map_err(|e| e.message)?;
    runtime.start(&spec).await.map_err(|e| match e {
        RuntimeError::CannotPull(why) => format!("CannotPullContainerError: {why}"),
        other => format!("CannotStartContainerError: {other}"),
    })
}

/// The same credentials whenever a container of the task starts.
async fn role_credentials(launch: &Launch) -> Result<Option<Minted>, ApiError> {
    let Some(role) = spec::role(&launch.record, &launch.definition) else {
        return Ok(None);
    };
    let created = launch.record.task.created_at;
    let created = created.map(Timestamp::from).unwrap_or_default();
    let task = (launch.record.id.as_str(), created);
    sessions::of_task(&launch.flow, &launch.record.account, role, task).await
}

/// Waits for the containers that this one depends on; START needs no wait, since all are started together.
async fn await_dependencies(launch: &Launch, index: usize) -> Result<(), String> {
    let containers = launch
        .definition
        .container_definitions
        .as_deref()
        .unwrap_or_default();
    let Some(container) = containers.get(index) else {
        return Ok(());
    };
    for dependency in container.depends_on.iter().flatten() {
        let condition = dependency.condition.as_deref().unwrap_or("START");
        let on = containers
            .iter()
            .position(|c| c.name == dependency.container_name);
        let Some(ended) = on.and_then(|on| launch.ended.get(on)) else {
            continue;
        };
        if condition == "START" {
            continue;
        }
        let mut ended = ended.subscribe();
        let code = ended
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|code| *code);
        if condition == "SUCCESS" && code != Some(0) {
            let name = dependency.container_name.as_deref().unwrap_or_default();
            return Err(format!(
                "dependency container {name} did not exit successfully"
            ));
        }
    }
    Ok(())
}

async fn watch_events(launch: &Launch, index: usize, mut events: mpsc::Receiver<ContainerEvent>) {
    let mut batch = Vec::with_capacity(limits::LOG_LINES_PER_COMMIT_MAX);
    loop {
        batch.clear();
        if events
            .recv_many(&mut batch, limits::LOG_LINES_PER_COMMIT_MAX)
            .await
            == 0
        {
            let end = report::End::Lost("the runtime lost sight of the container".to_owned());
            return report_end(launch, index, end).await;
        }
        let mut lines = Vec::new();
        let mut started = None;
        let mut end = None;
        for event in batch.drain(..) {
            match event {
                ContainerEvent::Started { at_millis, .. } => started = Some(at_millis),
                ContainerEvent::Output {
                    at_millis,
                    line,
                    position,
                    ..
                } => {
                    lines.push(Line {
                        at_millis,
                        line,
                        position,
                    });
                }
                ContainerEvent::Exited(status) => end = Some(report::End::Exited(status)),
                ContainerEvent::Failed(why) => end = Some(report::End::NotStarted(why)),
            }
        }
        if started.is_some() {
            tell(launch, move |tx, arn| report::started(tx, arn, index)).await;
        }
        if !lines.is_empty() {
            tell(launch, move |tx, arn| {
                report::output(tx, arn, index, &lines)
            })
            .await;
        }
        if let Some(end) = end {
            return report_end(launch, index, end).await;
        }
    }
}

async fn report_end(launch: &Launch, index: usize, end: report::End) {
    let code = match &end {
        report::End::Exited(status) => status.code,
        report::End::NotStarted(_) | report::End::Lost(_) => -1,
    };
    tell(launch, move |tx, arn| report::ended(tx, arn, index, &end)).await;
    if let Some(ended) = launch.ended.get(index) {
        ended.send_replace(Some(code));
    }
}

/// A report must not get lost: when the loop is too busy to take it, it is offered again.
async fn tell(
    launch: &Launch,
    report: impl Fn(&mut crate::tx::Tx<'_>, &str) -> Result<(), ApiError> + Send + Sync + 'static,
) {
    let report = Arc::new(report);
    loop {
        let (job, arn) = (Arc::clone(&report), launch.arn.clone());
        match launch.flow.write(move |tx| job(tx, &arn)).await {
            Ok(()) => return,
            Err(e) if e.status == 503 => {
                tokio::time::sleep(limits::REPORT_RETRY_PAUSE).await;
            }
            Err(e) => {
                tracing::error!(task = %launch.arn, error = %e, "a container's report was refused");
                return;
            }
        }
    }
}

async fn refuse(flow: &Flow, arn: &str, reason: &str) {
    tracing::warn!(task = %arn, reason, "a task could not be started");
    let (arn, reason) = (arn.to_owned(), reason.to_owned());
    let told = flow
        .write(move |tx| report::not_started(tx, &arn, &reason))
        .await;
    if let Err(e) = told {
        tracing::error!(error = %e, "a task's failure to start was refused");
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
