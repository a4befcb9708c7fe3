//! What the runtime found out about a task, as changes of state. Never touches the runtime.

use landfall_core::api::generated::ecs as api;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::retry::ErrorCode;
use landfall_core::task::TaskStatus;
use landfall_runtime::ExitStatus;

use super::task::{self, Failure, TaskRecord};
use super::{definition, life, place, spec};
use crate::deliver::{self, Fault, Refusal};
use crate::keep::logs;
use crate::tx::{Effect, Reader, Tx};

/// One line of a container's output.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// When it was complete.
    pub at_millis: i64,
    /// Its bytes.
    pub line: Vec<u8>,
    /// Position behind it.
    pub position: u64,
}

/// How a container came to its end.
#[derive(Debug, Clone)]
pub(super) enum End {
    /// It ran and exited.
    Exited(ExitStatus),
    /// It never ran, for this reason.
    NotStarted(String),
    /// It never ran, since a container that it depends on failed.
    Blocked(String),
    /// It ran, and nobody saw how it ended.
    Lost(String),
}

/// Where a container's output goes.
#[derive(Debug, Clone)]
pub(super) struct LogTarget {
    /// Account and region of the group.
    pub caller: Caller,
    /// Log group.
    pub group: String,
    /// Log stream.
    pub stream: String,
    /// Whether a missing group is made.
    pub create_group: bool,
}

/// The `awslogs` configuration of a container; `None` when its output goes nowhere.
pub(super) fn log_of(record: &TaskRecord, c: &api::ContainerDefinition) -> Option<LogTarget> {
    let options = c.log_configuration.as_ref()?.options.as_ref()?;
    let region = options.get("awslogs-region").unwrap_or(&record.region);
    let name = c.name.as_deref().unwrap_or_default();
    let stream = match options.get("awslogs-stream-prefix") {
        Some(prefix) => format!("{prefix}/{name}/{}", record.id),
        None => record.id.clone(),
    };
    Some(LogTarget {
        caller: Caller::service("ecs.amazonaws.com", &record.account, region, String::new()),
        group: options.get("awslogs-group")?.clone(),
        stream,
        create_group: options
            .get("awslogs-create-group")
            .is_some_and(|v| v == "true"),
    })
}

/// Log group and stream of each container of a task, as far as they have one; none when the definition is gone.
pub(crate) fn logs(
    db: &impl Reader,
    record: &TaskRecord,
) -> Result<Vec<Option<(String, String)>>, ApiError> {
    let definition = definition_of(db, record)?.unwrap_or_default();
    let containers = definition.container_definitions.iter().flatten();
    let of = |c| log_of(record, c).map(|log| (log.group, log.stream));
    Ok(containers.map(of).collect())
}

fn definition_of(
    db: &impl Reader,
    record: &TaskRecord,
) -> Result<Option<api::TaskDefinition>, ApiError> {
    let caller = Caller::service(
        "ecs.amazonaws.com",
        &record.account,
        &record.region,
        String::new(),
    );
    let wish = record.task.task_definition_arn.as_deref();
    definition::find(db, &caller, wish.unwrap_or_default())
}

/// Name of the container at `index` of a definition.
pub(super) fn name_of(definition: &api::TaskDefinition, index: usize) -> String {
    let container = definition.container_definitions.iter().flatten().nth(index);
    container.and_then(|c| c.name.clone()).unwrap_or_default()
}

/// A task that has not stopped, with its definition.
pub(super) fn live(
    db: &impl Reader,
    arn: &str,
) -> Result<Option<(TaskRecord, Option<api::TaskDefinition>)>, ApiError> {
    let Some(record) = task::by_arn(db, arn)? else {
        return Ok(None);
    };
    if record.status() == TaskStatus::Stopped {
        return Ok(None);
    }
    let definition = definition_of(db, &record)?;
    Ok(Some((record, definition)))
}

fn load(tx: &Tx<'_>, arn: &str) -> Result<Option<(TaskRecord, api::TaskDefinition)>, ApiError> {
    let found = live(tx, arn)?;
    Ok(found.map(|(record, definition)| (record, definition.unwrap_or_default())))
}

/// All images are there.
pub(super) fn pulled(
    tx: &mut Tx<'_>,
    arn: &str,
    started: Timestamp,
    digests: &[String],
) -> Result<(), ApiError> {
    let Some((mut record, _)) = load(tx, arn)? else {
        return Ok(());
    };
    record.task.pull_started_at = Some(started.into());
    record.task.pull_stopped_at = Some(tx.now().into());
    for (container, digest) in record.task.containers.iter_mut().flatten().zip(digests) {
        container.image_digest = Some(digest.clone());
    }
    task::save(tx, &record)
}

/// The container at `index` runs; with the last one, the task does.
pub(super) fn started(tx: &mut Tx<'_>, arn: &str, index: usize) -> Result<(), ApiError> {
    let Some((mut record, _)) = load(tx, arn)? else {
        return Ok(());
    };
    let id = spec::container_id(&record, index);
    if let Some(container) = record.task.containers.iter_mut().flatten().nth(index) {
        if container.last_status.as_deref() == Some("STOPPED") {
            return Ok(());
        }
        container.last_status = Some("RUNNING".to_owned());
        container.runtime_id = Some(id);
    }
    let waiting = |c: &api::Container| c.last_status.as_deref() == Some("PENDING");
    if !record.task.containers.iter().flatten().any(waiting) {
        life::advance(tx, &mut record, TaskStatus::Running)?;
    }
    task::save(tx, &record)
}

/// Lines for the log, and how far they have been read, in one commit: none lost, none twice.
pub(super) fn output(
    tx: &mut Tx<'_>,
    arn: &str,
    index: usize,
    lines: &[Line],
) -> Result<(), ApiError> {
    let Some((mut record, definition)) = load(tx, arn)? else {
        return Ok(());
    };
    let name = name_of(&definition, index);
    let read = record.output_positions.get(&name).copied().unwrap_or(0);
    let fresh: Vec<&Line> = lines.iter().filter(|l| l.position > read).collect();
    let Some(last) = fresh.last() else {
        return Ok(());
    };
    let container = definition.container_definitions.iter().flatten().nth(index);
    if let Some(log) = container.and_then(|c| log_of(&record, c)) {
        let events: Vec<(Timestamp, String)> = fresh
            .iter()
            .map(|l| {
                (
                    Timestamp(l.at_millis),
                    String::from_utf8_lossy(&l.line).into_owned(),
                )
            })
            .collect();
        logs::append(tx, &log.caller, &log.group, &log.stream, &events)?;
    }
    record.output_positions.insert(name, last.position);
    task::save(tx, &record)
}

/// The container at `index` has ended; an essential one takes the task with it.
pub(super) fn ended(tx: &mut Tx<'_>, arn: &str, index: usize, end: &End) -> Result<(), ApiError> {
    let Some((mut record, definition)) = load(tx, arn)? else {
        return Ok(());
    };
    let (code, reason) = match end {
        End::Exited(status) if status.out_of_memory => {
            let text = "OutOfMemoryError: Container killed due to memory usage";
            (Some(status.code), Some(text.to_owned()))
        }
        End::Exited(status) => (Some(status.code), None),
        End::NotStarted(why) | End::Blocked(why) | End::Lost(why) => (None, Some(why.clone())),
    };
    if let Some(container) = record.task.containers.iter_mut().flatten().nth(index) {
        container.last_status = Some("STOPPED".to_owned());
        container.exit_code = code;
        container.reason.clone_from(&reason);
    }
    let container = definition.container_definitions.iter().flatten().nth(index);
    let essential = container.is_none_or(|c| c.essential.unwrap_or(true));
    let now = tx.now();
    let ends_it = essential || matches!(end, End::NotStarted(_) | End::Blocked(_));
    if ends_it && !record.is_unwanted() {
        record.failure = failure(end);
    }
    match end {
        End::NotStarted(why) | End::Blocked(why) => {
            life::unwanted(&mut record, "TaskFailedToStart", why, now);
        }
        _ if essential => {
            let text = "Essential container in task exited";
            life::unwanted(&mut record, "EssentialContainerExited", text, now);
        }
        _ => {}
    }
    settle(tx, &mut record)
}

/// What the end of the container that ends its task makes of the task.
fn failure(end: &End) -> Option<Failure> {
    match end {
        End::NotStarted(_) => Some(Failure::Start),
        End::Exited(status) if status.code == 0 => None,
        // Others have run, and may have done things: it is for the user to say whether they run again.
        End::Exited(_) | End::Blocked(_) | End::Lost(_) => Some(Failure::Exit),
    }
}

/// The task cannot be started at all.
pub(super) fn not_started(tx: &mut Tx<'_>, arn: &str, reason: &str) -> Result<(), ApiError> {
    let Some((mut record, _)) = load(tx, arn)? else {
        return Ok(());
    };
    for container in record.task.containers.iter_mut().flatten() {
        container.last_status = Some("STOPPED".to_owned());
    }
    if !record.is_unwanted() {
        record.failure = Some(Failure::Start);
    }
    life::unwanted(&mut record, "TaskFailedToStart", reason, tx.now());
    settle(tx, &mut record)
}

/// The task waits for a place that it would never get.
pub(super) fn cannot_fit(
    tx: &mut Tx<'_>,
    record: &mut TaskRecord,
    reason: &str,
) -> Result<(), ApiError> {
    for container in record.task.containers.iter_mut().flatten() {
        container.last_status = Some("STOPPED".to_owned());
    }
    record.failure = Some(Failure::Start);
    life::unwanted(record, "TaskFailedToStart", reason, tx.now());
    settle(tx, record)
}

/// With the last container gone the task has ended; otherwise the others are stopped when it should end.
fn settle(tx: &mut Tx<'_>, record: &mut TaskRecord) -> Result<(), ApiError> {
    let stopped = |c: &api::Container| c.last_status.as_deref() == Some("STOPPED");
    if !record.task.containers.iter().flatten().all(stopped) {
        if record.is_unwanted() {
            tx.effect(Effect::StopTask(record.arn().to_owned()));
        }
        return task::save(tx, record);
    }
    let now = tx.now();
    life::unwanted(
        record,
        "EssentialContainerExited",
        "All containers in task exited",
        now,
    );
    record.ended_at = Some(now);
    life::end(tx, record)?;
    task::save(tx, record)?;
    let count = record.task.containers.as_ref().map_or(0, Vec::len);
    let ids = (0..count)
        .map(|index| spec::container_id(record, index))
        .collect();
    tx.effect(Effect::RemoveContainers(ids));
    hand_back(tx, record)?;
    place::release(tx, record)
}

/// What a delivery started and what failed goes back to the delivery.
fn hand_back(tx: &mut Tx<'_>, record: &TaskRecord) -> Result<(), ApiError> {
    let (Some(number), Some(failure)) = (record.delivery, record.failure) else {
        return Ok(());
    };
    let definition = record.task.task_definition_arn.as_deref();
    let fault = match failure {
        Failure::Start => Fault::Start(Refusal {
            code: ErrorCode::TaskFailedToStart,
            message: record.task.stopped_reason.clone().unwrap_or_default(),
        }),
        Failure::Exit => Fault::Exit {
            definition: definition.unwrap_or_default(),
        },
    };
    deliver::failed_behind(tx, number, record.arn(), fault)
}
