//! One line of the ledger: how a match stands, and when it took each step. Made anew from what the other rooms stored
//! whenever it is asked for; never stored.

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::task::TaskStatus;
use serde::{Deserialize, Serialize};

use crate::deliver::{DeadLetter, Delivery, Outcome};
use crate::run::{TaskRecord, logs, task};
use crate::tx::Reader;

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// The rule matched; the delivery is due or will be tried again.
    Matched,
    /// Delivered to a target that runs nothing (a queue, a log group, another bus).
    Delivered,
    /// A task waits for a place.
    Queued,
    /// A task has a place and does not run yet.
    Starting,
    /// A task runs.
    Running,
    /// Every container ended with exit code 0.
    Succeeded,
    /// The task could not be started, or a container ended with another exit code.
    Failed,
    /// The delivery was given up.
    DeadLettered,
}

/// One line of the ledger: one match of one rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Its number: later matches have higher ones.
    pub number: u64,
    /// How it stands.
    pub state: RunState,
    /// Bucket of the object, if the event is about one.
    pub bucket: Option<String>,
    /// Key of the object, raw.
    pub key: Option<String>,
    /// Version of the object, on versioned buckets.
    pub version_id: Option<String>,
    /// Name of the rule.
    pub rule: String,
    /// Bus of the rule.
    pub bus: String,
    /// ARN of the target.
    pub target: String,
    /// Id of the event.
    pub event_id: String,
    /// When the rule matched, RFC 3339 with milliseconds.
    pub matched_at: String,
    /// When the tasks that count were asked for: the first of them.
    pub queued_at: Option<String>,
    /// When the first of them got its place.
    pub starting_at: Option<String>,
    /// When the first of them ran.
    pub running_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// Attempts at the target.
    pub attempts: u32,
    /// ARNs of the tasks that count: not those that another one has taken the place of.
    pub tasks: Vec<String>,
    /// Exit codes of the tasks' containers, in order; a container without one never ran or was lost.
    pub exit_codes: Vec<Option<i32>>,
    /// Why it failed, in one sentence.
    pub reason: Option<String>,
    /// ARN of the queue that holds the event, if it was given up and put there.
    pub dead_letter_queue: Option<String>,
    /// Each task that was asked for, former ones first.
    pub starts: Vec<Start>,
    /// How often a run that failed was repeated.
    #[serde(skip_serializing_if = "is_zero")]
    pub repetitions: u32,
    /// What makes it a repetition: the ARN of a replay, or `landfall`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
    /// Number of the run that it repeats, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<u64>,
    /// Numbers of the runs that `landfall replay` has made of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replayed_as: Vec<u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl RunState {
    /// Whether nothing more will come of it.
    pub fn is_final(self) -> bool {
        self.is_good() || matches!(self, Self::Failed | Self::DeadLettered)
    }

    /// Whether it came to a good end.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Delivered | Self::Succeeded)
    }
}

/// One task of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Start {
    /// Its ARN.
    pub task: String,
    /// Whether another one has taken its place, or will.
    pub former: bool,
    /// Where it is in its life, in ECS's word.
    pub status: String,
    /// When it was asked for.
    pub queued_at: String,
    /// When it got a place.
    pub starting_at: Option<String>,
    /// When all its containers ran.
    pub running_at: Option<String>,
    /// When its last container ended.
    pub ended_at: Option<String>,
    /// ECS's code of its end.
    pub stop_code: Option<String>,
    /// ECS's reason of its end.
    pub stopped_reason: Option<String>,
    /// Its containers, in the order of the definition.
    pub containers: Vec<Container>,
}

/// One container of a task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Container {
    /// Its name in the definition.
    pub name: String,
    /// With what it ended.
    pub exit_code: Option<i32>,
    /// Why, when the code does not say it.
    pub reason: Option<String>,
    /// Where its output is.
    pub log_group: Option<String>,
    /// And there.
    pub log_stream: Option<String>,
}

/// The line of a delivery.
pub(super) fn of(db: &impl Reader, number: u64, delivery: Delivery) -> Result<Run, ApiError> {
    let tasks = load(db, &delivery.tasks)?;
    let former = load(db, &delivery.former_tasks)?;
    let state = state(&delivery, &tasks);
    let ended = match state {
        RunState::Succeeded | RunState::Failed => tasks.iter().filter_map(|t| t.ended_at).max(),
        RunState::DeadLettered | RunState::Delivered => delivery.finished_at,
        _ => None,
    };
    let mut starts = Vec::with_capacity(former.len() + tasks.len());
    for (of, record) in former
        .iter()
        .map(|t| (true, t))
        .chain(tasks.iter().map(|t| (false, t)))
    {
        starts.push(start(db, record, of)?);
    }
    let first = |at: fn(&Start) -> Option<&String>| {
        let those = starts.iter().filter(|it| !it.former);
        those.filter_map(at).min().cloned()
    };
    let containers = tasks
        .iter()
        .flat_map(|t| t.task.containers.iter().flatten());
    Ok(Run {
        number,
        state,
        reason: reason(&delivery, &tasks, state),
        dead_letter_queue: match &delivery.outcome {
            Outcome::GivenUp(DeadLetter::Sent(queue)) => Some(queue.clone()),
            _ => None,
        },
        exit_codes: containers.map(|c| c.exit_code).collect(),
        bucket: delivery.object.as_ref().map(|o| o.bucket.clone()),
        key: delivery.object.as_ref().map(|o| o.key.clone()),
        version_id: delivery.object.as_ref().and_then(|o| o.version_id.clone()),
        rule: delivery.rule,
        bus: delivery.bus,
        target: delivery.target.arn.unwrap_or_default(),
        event_id: delivery.event_id,
        matched_at: delivery.matched_at.iso8601_millis(),
        queued_at: first(|it| Some(&it.queued_at)),
        starting_at: first(|it| it.starting_at.as_ref()),
        running_at: first(|it| it.running_at.as_ref()),
        ended_at: ended.map(Timestamp::iso8601_millis),
        attempts: delivery.attempts,
        tasks: delivery.tasks,
        starts,
        repetitions: delivery.repetitions,
        replay: delivery.replay,
        replay_of: delivery.replay_of,
        replayed_as: delivery.replayed_as,
    })
}

/// How the run of a delivery stands.
pub(crate) fn state_of(db: &impl Reader, delivery: &Delivery) -> Result<RunState, ApiError> {
    Ok(state(delivery, &load(db, &delivery.tasks)?))
}

fn load(db: &impl Reader, arns: &[String]) -> Result<Vec<TaskRecord>, ApiError> {
    let mut found = Vec::with_capacity(arns.len());
    for arn in arns {
        found.extend(task::by_arn(db, arn)?);
    }
    Ok(found)
}

fn start(db: &impl Reader, record: &TaskRecord, former: bool) -> Result<Start, ApiError> {
    let logs = logs(db, record)?;
    let task = &record.task;
    let container = |(index, of): (usize, &landfall_core::api::generated::ecs::Container)| {
        let log = logs.get(index).and_then(Option::as_ref);
        Container {
            name: of.name.clone().unwrap_or_default(),
            exit_code: of.exit_code,
            reason: of.reason.clone(),
            log_group: log.map(|(group, _)| group.clone()),
            log_stream: log.map(|(_, stream)| stream.clone()),
        }
    };
    Ok(Start {
        task: record.arn().to_owned(),
        former,
        status: task.last_status.clone().unwrap_or_default(),
        queued_at: record.requested_at.iso8601_millis(),
        starting_at: record.placed_at.map(Timestamp::iso8601_millis),
        running_at: task
            .started_at
            .map(|at| Timestamp::from(at).iso8601_millis()),
        ended_at: record.ended_at.map(Timestamp::iso8601_millis),
        stop_code: task.stop_code.clone(),
        stopped_reason: task.stopped_reason.clone(),
        containers: task
            .containers
            .iter()
            .flatten()
            .enumerate()
            .map(container)
            .collect(),
    })
}

fn state(delivery: &Delivery, tasks: &[TaskRecord]) -> RunState {
    match &delivery.outcome {
        Outcome::Pending => return RunState::Matched,
        Outcome::GivenUp(_) => return RunState::DeadLettered,
        Outcome::Delivered if delivery.tasks.is_empty() => return RunState::Delivered,
        Outcome::Delivered => {}
    }
    let earliest = tasks
        .iter()
        .map(TaskRecord::status)
        .min()
        .unwrap_or(TaskStatus::Stopped);
    match earliest {
        TaskStatus::Provisioning => RunState::Queued,
        TaskStatus::Pending | TaskStatus::Activating => RunState::Starting,
        TaskStatus::Stopped | TaskStatus::Deleted => {
            let codes = tasks
                .iter()
                .flat_map(|t| t.task.containers.iter().flatten());
            let good = codes.map(|c| c.exit_code).all(|code| code == Some(0));
            if good && !tasks.is_empty() {
                RunState::Succeeded
            } else {
                RunState::Failed
            }
        }
        _ => RunState::Running,
    }
}

fn reason(delivery: &Delivery, tasks: &[TaskRecord], state: RunState) -> Option<String> {
    let refusal = delivery.last_refusal.as_ref().map(|r| r.message.clone());
    match (&delivery.outcome, state) {
        (Outcome::GivenUp(DeadLetter::NoQueue), _) => {
            refusal.map(|why| format!("{why} (the target has no dead-letter queue)"))
        }
        (Outcome::GivenUp(DeadLetter::Sent(queue)), _) => {
            refusal.map(|why| format!("{why} (the event is in {queue})"))
        }
        (Outcome::GivenUp(DeadLetter::Failed(cause)), _) => refusal.map(|why| {
            format!("{why} (and it could not be put into the dead-letter queue: {cause})")
        }),
        (Outcome::Pending, _) => refusal,
        (Outcome::Delivered, RunState::Failed) => {
            let why = tasks.iter().find_map(why_stopped);
            match delivery.repetitions {
                0 => why,
                times => why.map(|why| format!("{why} (it was run {} times)", times + 1)),
            }
        }
        (Outcome::Delivered, _) => None,
    }
}

fn why_stopped(record: &TaskRecord) -> Option<String> {
    let containers = record.task.containers.iter().flatten();
    let own = containers.filter_map(|c| c.reason.clone()).next();
    own.or_else(|| record.task.stopped_reason.clone())
}
