//! The ledger: for every object version and every rule that matched it, what ran and how it ended. Reads what the other
//! rooms wrote; never changes anything.

use std::ops::Bound;

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::task::TaskStatus;
use landfall_store::Direction;
use serde::Serialize;

use crate::deliver::{DeadLetter, Delivery, Outcome, delivery_key};
use crate::key::{self, Key};
use crate::run::{TaskRecord, task};
use crate::tx::Reader;

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, Serialize)]
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
    /// When it ended.
    pub ended_at: Option<String>,
    /// Attempts at the target.
    pub attempts: u32,
    /// ARNs of the tasks.
    pub tasks: Vec<String>,
    /// ARNs of tasks that failed and that another one has taken the place of, or will; oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub former_tasks: Vec<String>,
    /// How often a run that failed was repeated.
    #[serde(skip_serializing_if = "is_none")]
    pub repetitions: u32,
    /// Exit codes of the tasks' containers, in order; a container without one never ran or was lost.
    pub exit_codes: Vec<Option<i32>>,
    /// Why it failed, in one sentence.
    pub reason: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_none(count: &u32) -> bool {
    *count == 0
}

/// The newest `count` runs behind number `after`, oldest first.
pub fn runs(db: &impl Reader, after: u64, count: usize) -> Result<Vec<Run>, ApiError> {
    let from = Bound::Excluded(delivery_key(after).bytes().to_vec());
    let (_, to) = Key::new("delivery").range();
    let mut all = Vec::new();
    for entry in db
        .list_between::<Delivery>(from, to, Direction::Backward)
        .take(count)
    {
        let (key, delivery) = entry?;
        let number = key::parts(key.bytes())
            .first()
            .and_then(|p| key::number(p))
            .unwrap_or(0);
        all.push(run(db, number, delivery)?);
    }
    all.reverse();
    Ok(all)
}

fn run(db: &impl Reader, number: u64, delivery: Delivery) -> Result<Run, ApiError> {
    let mut tasks = Vec::new();
    for arn in &delivery.tasks {
        tasks.extend(task::by_arn(db, arn)?);
    }
    let state = state(&delivery, &tasks);
    let ended = match state {
        RunState::Succeeded | RunState::Failed => tasks.iter().filter_map(|t| t.ended_at).max(),
        RunState::DeadLettered | RunState::Delivered => delivery.finished_at,
        _ => None,
    };
    let containers = tasks
        .iter()
        .flat_map(|t| t.task.containers.iter().flatten());
    Ok(Run {
        number,
        state,
        reason: reason(&delivery, &tasks, state),
        exit_codes: containers.map(|c| c.exit_code).collect(),
        bucket: delivery.object.as_ref().map(|o| o.bucket.clone()),
        key: delivery.object.as_ref().map(|o| o.key.clone()),
        version_id: delivery.object.as_ref().and_then(|o| o.version_id.clone()),
        rule: delivery.rule,
        bus: delivery.bus,
        target: delivery.target.arn.unwrap_or_default(),
        event_id: delivery.event_id,
        matched_at: delivery.matched_at.iso8601_millis(),
        ended_at: ended.map(Timestamp::iso8601_millis),
        attempts: delivery.attempts,
        tasks: delivery.tasks,
        former_tasks: delivery.former_tasks,
        repetitions: delivery.repetitions,
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
