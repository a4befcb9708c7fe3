//! What is kept beside the deliveries: which object each is about, which of them have ended, and how many those are.
//! Written in the commits that change the deliveries and their tasks; never says anything that these do not.

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_store::Space;
use serde::{Deserialize, Serialize};

use crate::deliver::{Delivery, Outcome, delivery_key};
use crate::key::Key;
use crate::run::{TaskRecord, task};
use crate::tx::{Effect, Reader, Tx};

/// Lists a delivery under its object: the key says which.
#[derive(Debug, Serialize, Deserialize)]
pub struct Listed {}
crate::record!(Listed in Road);

/// Lists a delivery that has ended with all its tasks, under the time of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Bytes of all that goes with it.
    pub bytes: u64,
}
crate::record!(Ended in Road);

/// Lists a stopped task that no delivery started, under the time of its end.
#[derive(Debug, Serialize, Deserialize)]
pub struct EndedTask {
    /// Its ARN.
    pub task_arn: String,
}
crate::record!(EndedTask in Road);

/// How much has ended and is still kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Deliveries.
    pub entries: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// How far what an older Landfall stored has been listed, as the last key looked at in hex; none when all of it is.
    pub listed: Option<String>,
}
crate::record!(Tally in Road);

/// Beginning of the keys that list the deliveries of a bucket's objects.
pub(super) fn listed_key(bucket: &str) -> Key {
    Key::new("run-object").part(bucket)
}

/// Key of what has ended, in order of time.
fn ended_key(at: Timestamp, number: u64) -> Key {
    moment(Key::new("run-ended"), at).number(number)
}

/// Appends a time that sorts.
fn moment(key: Key, at: Timestamp) -> Key {
    key.number(u64::try_from(at.0).unwrap_or(0))
}

pub(super) fn tally_key() -> Key {
    Key::new("run-tally")
}

/// A match has become a delivery.
pub(crate) fn entered(tx: &mut Tx<'_>, number: u64, delivery: &Delivery) -> Result<(), ApiError> {
    tx.effect(Effect::RunChanged(number));
    list(tx, number, delivery)
}

/// Lists a delivery under its object.
pub(super) fn list(tx: &mut Tx<'_>, number: u64, delivery: &Delivery) -> Result<(), ApiError> {
    match &delivery.object {
        Some(object) => tx.put(&place(number, &object.bucket, &object.key), &Listed {}),
        None => Ok(()),
    }
}

pub(super) fn place(number: u64, bucket: &str, key: &str) -> Key {
    listed_key(bucket).part(key).number(number)
}

/// A delivery has been written.
pub(crate) fn changed(tx: &mut Tx<'_>, number: u64, delivery: &Delivery) -> Result<(), ApiError> {
    tx.effect(Effect::RunChanged(number));
    close(tx, number, delivery)
}

/// A task has stopped and is written so.
pub(crate) fn task_ended(tx: &mut Tx<'_>, record: &TaskRecord) -> Result<(), ApiError> {
    let Some(number) = record.delivery else {
        let at = record.ended_at.unwrap_or(tx.now());
        let line = moment(Key::new("task-ended"), at).part(&record.id);
        let task_arn = record.arn().to_owned();
        tx.caches.ledger.listed_task(&line);
        return tx.put(&line, &EndedTask { task_arn });
    };
    match tx.get::<Delivery>(&delivery_key(number))? {
        Some(delivery) => close(tx, number, &delivery),
        None => Ok(()),
    }
}

/// Lists a delivery as ended when it is, and no longer when it is not.
pub(super) fn close(tx: &mut Tx<'_>, number: u64, delivery: &Delivery) -> Result<(), ApiError> {
    if !has_ended(tx, delivery)? {
        // What has been taken back has ended in this very commit.
        let at = ended_key(tx.now(), number);
        return match tx.get::<Ended>(&at)? {
            Some(ended) => strike(tx, &at, ended),
            None => Ok(()),
        };
    }
    let at = ended_key(ended_at(tx, delivery)?, number);
    if tx.has::<Ended>(&at)? {
        return Ok(());
    }
    let ended = Ended {
        bytes: weight(tx, number, delivery)?,
    };
    let mut tally = tally(tx)?;
    tally.entries += 1;
    tally.bytes += ended.bytes;
    tx.put(&tally_key(), &tally)?;
    tx.caches.ledger.listed(&at, &tx.settings().ledger);
    tx.put(&at, &ended)
}

/// Takes a line out of the list of those that have ended.
pub(super) fn strike(tx: &mut Tx<'_>, at: &Key, ended: Ended) -> Result<(), ApiError> {
    let mut tally = tally(tx)?;
    tally.entries = tally.entries.saturating_sub(1);
    tally.bytes = tally.bytes.saturating_sub(ended.bytes);
    tx.put(&tally_key(), &tally)?;
    tx.delete::<Ended>(at);
    Ok(())
}

pub(super) fn tally(db: &impl Reader) -> Result<Tally, ApiError> {
    Ok(db.get(&tally_key())?.unwrap_or_default())
}

/// Whether nothing will happen to it any more.
pub(super) fn has_ended(db: &impl Reader, delivery: &Delivery) -> Result<bool, ApiError> {
    if delivery.outcome == Outcome::Pending {
        return Ok(false);
    }
    for arn in &delivery.tasks {
        if task::is_active(db, arn)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// When it ended, of one that has.
pub(super) fn ended_at(db: &impl Reader, delivery: &Delivery) -> Result<Timestamp, ApiError> {
    let mut at = delivery.finished_at.unwrap_or(delivery.matched_at);
    for arn in &delivery.tasks {
        let ended = task::by_arn(db, arn)?.and_then(|task| task.ended_at);
        at = ended.map_or(at, |ended| at.max(ended));
    }
    Ok(at)
}

fn weight(db: &impl Reader, number: u64, delivery: &Delivery) -> Result<u64, ApiError> {
    let mut bytes = length(db, &delivery_key(number))?;
    let object = delivery.object.as_ref();
    bytes += object.map_or(0, |o| o.bucket.len() + o.key.len());
    for arn in all_tasks(delivery) {
        if let Some(key) = task::key_of(arn) {
            bytes += length(db, &key)?;
        }
    }
    Ok(bytes as u64)
}

/// Every task that it started.
pub(super) fn all_tasks(delivery: &Delivery) -> impl Iterator<Item = &String> {
    delivery.tasks.iter().chain(&delivery.former_tasks)
}

fn length(db: &impl Reader, key: &Key) -> Result<usize, ApiError> {
    Ok(db
        .get_raw(Space::Road, key.bytes())?
        .map_or(0, |it| it.len()))
}
