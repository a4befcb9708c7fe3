//! What versions before this one left: one line for all waiting tasks, and a mark on each task that had not stopped,
//! placed or not. Never touches what has the present form.

use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::task::TaskStatus;
use landfall_store::Direction;

use super::queue::{self, Placed, Waiting};
use super::task::{self, TaskRecord};
use crate::deliver::{self, Delivery};
use crate::key::{self, Key};
use crate::tx::{Reader, Tx};

/// Moves some of the tasks that wait in the one line into the lines of their rules; whether there were any.
pub(super) fn take_over(tx: &mut Tx<'_>) -> Result<bool, ApiError> {
    let (from, _) = Key::new("waiting").range();
    let (to, _) = queue::all_lines().range();
    let to = match to {
        std::ops::Bound::Included(first) => std::ops::Bound::Excluded(first),
        other => other,
    };
    let waiting: Vec<(Key, Waiting)> = tx
        .list_between::<Waiting>(from, to, Direction::Forward)
        .take(limits::TASKS_TAKEN_OVER_PER_TURN_MAX)
        .collect::<Result<_, _>>()?;
    for (key, entry) in &waiting {
        tx.delete::<Waiting>(key);
        if let Some(record) = task::by_arn(tx, &entry.task_arn)? {
            join(tx, record, number_of(key))?;
        }
    }
    Ok(!waiting.is_empty())
}

fn join(tx: &mut Tx<'_>, mut record: TaskRecord, number: Option<u64>) -> Result<(), ApiError> {
    if record.status() != TaskStatus::Provisioning {
        return Ok(());
    }
    record.rule_arn = rule_of(tx, &record)?;
    queue::join(tx, &mut record, number)?;
    task::save(tx, &record)
}

fn number_of(key: &Key) -> Option<u64> {
    key::parts(key.bytes())
        .first()
        .and_then(|part| key::number(part))
}

/// Whether a mark stands for a task that has a place; one of the former form is replaced, or goes.
pub(super) fn is_placed(
    tx: &mut Tx<'_>,
    mark: &Key,
    placed: &Placed,
    record: &TaskRecord,
) -> Result<bool, ApiError> {
    if !placed.cluster_arn.is_empty() {
        return Ok(true);
    }
    if record.status() == TaskStatus::Provisioning {
        tx.delete::<Placed>(mark);
        return Ok(false);
    }
    let mut record = record.clone();
    record.rule_arn = rule_of(tx, &record)?;
    tx.put(mark, &queue::placed(&record))?;
    task::save(tx, &record)?;
    Ok(true)
}

fn rule_of(tx: &Tx<'_>, record: &TaskRecord) -> Result<Option<String>, ApiError> {
    let Some(number) = record.delivery else {
        return Ok(None);
    };
    let delivery = tx.get::<Delivery>(&deliver::delivery_key(number))?;
    Ok(delivery.map(|delivery| delivery.rule_arn))
}
