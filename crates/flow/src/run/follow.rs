//! One container from its start to its end, for a server that has just asked for it and for one that finds it again.
//!
//! Only the runtime can say that a container never ran or is gone: while it cannot be asked, nothing is concluded, for
//! a task that is taken for dead may be started again. Never changes state itself.

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::task::TaskStatus;
use landfall_runtime::{ContainerEvent, Found, RuntimeError};
use tokio::sync::mpsc;

use super::effects::{Launch, tell};
use super::report::{self, End, Line};
use super::spec::{self, Surroundings};
use super::task;
use crate::keep::roles::sessions;
use crate::keep::roles::token::Minted;
use crate::tx::Tx;

/// Starts one container, or finds it again, and reports until it ends.
pub(super) async fn follow(launch: &Launch, index: usize) {
    let id = spec::container_id(&launch.record, index);
    let end = match ensure_started(launch, index, &id).await {
        Ok(()) => Follower::of(launch, index, id).run().await,
        Err(end) => end,
    };
    let code = match &end {
        End::Exited(status) => status.code,
        End::NotStarted(_) | End::Blocked(_) | End::Lost(_) => -1,
    };
    report(launch, move |tx, arn| report::ended(tx, arn, index, &end)).await;
    if let Some(ended) = launch.ended.get(index) {
        ended.send_replace(Some(code));
    }
}

async fn report(
    launch: &Launch,
    report: impl Fn(&mut Tx<'_>, &str) -> Result<(), ApiError> + Send + Sync + 'static,
) {
    if let Err(e) = tell(&launch.flow, &launch.arn, report).await {
        tracing::error!(task = %launch.arn, error = %e, "a container's report was refused");
    }
}

/// What became of an id; asked until the runtime answers.
async fn find(launch: &Launch, id: &str) -> Found {
    let mut told = false;
    loop {
        match launch.flow.runtime().find(id).await {
            Ok(found) => return found,
            Err(e) if !told => {
                tracing::warn!(container = id, error = %e, "the runtime cannot say what became of a container");
                told = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(limits::RUNTIME_ASK_PAUSE).await;
    }
}

async fn ensure_started(launch: &Launch, index: usize, id: &str) -> Result<(), End> {
    match find(launch, id).await {
        Found::Alive | Found::Exited(_) | Found::Lost => return Ok(()),
        Found::Absent if launch.record.status() >= TaskStatus::Running => {
            return Err(End::Lost("the container is gone".to_owned()));
        }
        Found::Absent => {}
    }
    await_dependencies(launch, index)
        .await
        .map_err(End::Blocked)?;
    let Err(why) = start(launch, index).await else {
        return Ok(());
    };
    match find(launch, id).await {
        Found::Absent => Err(End::NotStarted(why)),
        Found::Alive | Found::Exited(_) | Found::Lost => Ok(()),
    }
}

async fn start(launch: &Launch, index: usize) -> Result<(), String> {
    let view = launch.flow.view();
    let now = task::by_arn(&view, &launch.arn).map_err(|e| e.message)?;
    if now.is_none_or(|record| record.is_unwanted()) {
        return Err("the task was stopped before the container started".to_owned());
    }
    let around = Surroundings {
        endpoint: launch.flow.endpoint(),
        credentials: launch.flow.container_credentials(),
        role: role_credentials(launch).await.map_err(|e| e.message)?,
    };
    let spec = spec::container(&view, &launch.record, &launch.definition, index, &around)
        .map_err(|e| e.message)?;
    let started = launch.flow.runtime().start(&spec).await;
    started.map_err(|e| match e {
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

/// Follows a container that was started.
struct Follower<'a> {
    launch: &'a Launch,
    index: usize,
    id: String,
    /// How far its output has been read.
    position: u64,
    /// Whether it has run.
    seen: bool,
}

impl<'a> Follower<'a> {
    fn of(launch: &'a Launch, index: usize, id: String) -> Self {
        let name = report::name_of(&launch.definition, index);
        let read = launch.record.output_positions.get(&name).copied();
        Self {
            launch,
            index,
            id,
            position: read.unwrap_or(0),
            seen: launch.record.status() >= TaskStatus::Running,
        }
    }

    /// Until its end is known. Sight may be lost in between; its output is given up only when it cannot be read.
    async fn run(&mut self) -> End {
        let mut unread = 0;
        loop {
            let why = match self
                .launch
                .flow
                .runtime()
                .watch(&self.id, self.position)
                .await
            {
                Ok(events) => match self.watch(events).await {
                    Ok(end) => return end,
                    Err(why) => why,
                },
                Err(e) => e.to_string(),
            };
            match find(self.launch, &self.id).await {
                Found::Absent if !self.seen => return End::NotStarted(why),
                Found::Absent | Found::Lost => return End::Lost(why),
                Found::Exited(status) if unread == limits::RUNTIME_UNREAD_MAX => {
                    tracing::warn!(container = %self.id, why, "the rest of a container's output cannot be read");
                    return End::Exited(status);
                }
                Found::Exited(_) => unread += 1,
                Found::Alive => {}
            }
            tokio::time::sleep(limits::RUNTIME_ASK_PAUSE).await;
        }
    }

    /// Reports what comes until the end, or says why no more comes.
    async fn watch(&mut self, mut events: mpsc::Receiver<ContainerEvent>) -> Result<End, String> {
        let mut batch = Vec::with_capacity(limits::LOG_LINES_PER_COMMIT_MAX);
        loop {
            batch.clear();
            let most = limits::LOG_LINES_PER_COMMIT_MAX;
            if events.recv_many(&mut batch, most).await == 0 {
                return Err("the runtime lost sight of the container".to_owned());
            }
            if let Some(last) = self.take_in(batch.drain(..)).await {
                return last;
            }
        }
    }

    /// Reports some events; the last one of all, if it was among them.
    async fn take_in(
        &mut self,
        events: impl Iterator<Item = ContainerEvent>,
    ) -> Option<Result<End, String>> {
        let (launch, index) = (self.launch, self.index);
        let (mut started, mut lines, mut last) = (false, Vec::new(), None);
        for event in events {
            match event {
                ContainerEvent::Started { .. } => started = true,
                ContainerEvent::Output {
                    at_millis,
                    line,
                    position,
                    ..
                } => {
                    self.position = position;
                    lines.push(Line {
                        at_millis,
                        line,
                        position,
                    });
                }
                ContainerEvent::Exited(status) => last = Some(Ok(End::Exited(status))),
                ContainerEvent::Failed(why) => last = Some(Err(why)),
            }
        }
        if started {
            self.seen = true;
            report(launch, move |tx, arn| report::started(tx, arn, index)).await;
        }
        if !lines.is_empty() {
            report(launch, move |tx, arn| {
                report::output(tx, arn, index, &lines)
            })
            .await;
        }
        last
    }
}
