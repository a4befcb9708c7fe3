//! The stored forms of what waits for a place and of what has one. Never decides who is next.

use landfall_core::error::ApiError;
use landfall_core::task::room::Size;
use landfall_store::{Direction, Space};
use serde::{Deserialize, Serialize};

use super::task::TaskRecord;
use crate::key::{self, Key};
use crate::record::Record;
use crate::tx::{Reader, Tx};

/// A task that waits for a place: the key says in which line, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Its ARN.
    pub task_arn: String,
    /// Its cluster.
    pub cluster_arn: String,
    /// CPU that it will take.
    pub cpu_units: u64,
    /// Memory that it will take.
    pub memory_mib: u64,
}

impl Waiting {
    /// What it will take.
    pub fn size(&self) -> Size {
        Size {
            cpu_units: self.cpu_units,
            memory_mib: self.memory_mib,
        }
    }
}

/// A waiting task as it was stored when there was one line for all, in order of its number.
#[derive(Debug, Serialize, Deserialize)]
pub struct FormerWaiting {
    task_arn: String,
}
crate::record!(FormerWaiting in Road);

impl Record for Waiting {
    const SPACE: Space = Space::Road;
    const VERSION: u8 = 2;
    type Previous = FormerWaiting;

    fn from_previous(previous: FormerWaiting) -> Self {
        Self {
            task_arn: previous.task_arn,
            cluster_arn: String::new(),
            cpu_units: 0,
            memory_mib: 0,
        }
    }
}

/// Marks a task that has a place: it has been admitted and has not stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Its cluster; empty in marks of the former form.
    pub cluster_arn: String,
    /// The rule that started it, if one did.
    pub rule_arn: Option<String>,
    /// CPU that it takes.
    pub cpu_units: u64,
    /// Memory that it takes.
    pub memory_mib: u64,
}

impl Placed {
    /// What it takes.
    pub fn size(&self) -> Size {
        Size {
            cpu_units: self.cpu_units,
            memory_mib: self.memory_mib,
        }
    }

    /// Whose caps it counts for.
    pub fn holders(&self) -> impl Iterator<Item = &str> + Clone {
        self.rule_arn
            .as_deref()
            .into_iter()
            .chain([self.cluster_arn.as_str()])
    }
}

/// The mark as it was stored when waiting tasks had one too.
#[derive(Debug, Serialize, Deserialize)]
pub struct Active {}
crate::record!(Active in Road);

impl Record for Placed {
    const SPACE: Space = Space::Road;
    const VERSION: u8 = 2;
    type Previous = Active;

    fn from_previous(_: Active) -> Self {
        Self {
            cluster_arn: String::new(),
            rule_arn: None,
            cpu_units: 0,
            memory_mib: 0,
        }
    }
}

/// Key of the marks of all placed tasks.
pub(super) fn all_placed() -> Key {
    Key::new("active")
}

/// Prefix of the marks of the placed tasks of an account and region.
pub(super) fn placed_prefix(account: &str, region: &str) -> Key {
    all_placed().part(account).part(region)
}

/// The mark of a task.
pub(super) fn placed_key(record: &TaskRecord) -> Key {
    placed_prefix(&record.account, &record.region).part(&record.id)
}

/// The mark of a task that has been admitted.
pub(super) fn placed(record: &TaskRecord) -> Placed {
    let size = record.size();
    Placed {
        cluster_arn: record.task.cluster_arn.clone().unwrap_or_default(),
        rule_arn: record.rule_arn.clone(),
        cpu_units: size.cpu_units,
        memory_mib: size.memory_mib,
    }
}

/// Prefix of all lines. A line's name is an ARN, and keys of the former form hold a number there.
pub(super) fn all_lines() -> Key {
    Key::new("waiting").beginning("arn:")
}

/// Prefix of what waits in a line.
pub(super) fn line_prefix(name: &str) -> Key {
    Key::new("waiting").part(name)
}

/// A place in a line.
pub(super) fn waiting_key(name: &str, number: u64) -> Key {
    line_prefix(name).number(number)
}

/// The line and the number in it that a key says.
pub(super) fn place_in_line(key: &Key) -> Result<(String, u64), ApiError> {
    let mut parts = key::parts(key.bytes()).into_iter();
    let name = parts.next().and_then(|part| String::from_utf8(part).ok());
    let number = parts.next().and_then(|part| key::number(&part));
    name.zip(number)
        .ok_or_else(|| ApiError::internal("a waiting task has a damaged key"))
}

/// Puts a task into its line, behind all others or at a number that it has had before.
pub(super) fn join(
    tx: &mut Tx<'_>,
    record: &mut TaskRecord,
    number: Option<u64>,
) -> Result<(), ApiError> {
    let number = number.unwrap_or_else(|| tx.next_sequence());
    let size = record.size();
    let waiting = Waiting {
        task_arn: record.arn().to_owned(),
        cluster_arn: record.task.cluster_arn.clone().unwrap_or_default(),
        cpu_units: size.cpu_units,
        memory_mib: size.memory_mib,
    };
    tx.put(&waiting_key(record.line(), number), &waiting)?;
    tx.caches.launches.join(record.line(), number);
    record.number = Some(number);
    Ok(())
}

/// Takes a task out of its line.
pub(super) fn leave(tx: &mut Tx<'_>, record: &mut TaskRecord) {
    if let Some(number) = record.number.take() {
        tx.delete::<Waiting>(&waiting_key(record.line(), number));
    }
}

/// How many tasks of a cluster wait.
pub(super) fn waiting_of(db: &impl Reader, cluster_arn: &str) -> Result<usize, ApiError> {
    let mut count = 0;
    for entry in db.list::<Waiting>(&all_lines(), Direction::Forward) {
        count += usize::from(entry?.1.cluster_arn == cluster_arn);
    }
    Ok(count)
}
