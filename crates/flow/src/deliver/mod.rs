//! A match becomes a delivery: transformed, attempted, backed off, or given up to the dead-letter queue.
//!
//! Every outcome is a committed record that the ledger can show. Never drops a delivery without a reason on it.

mod again;
mod attempt;
mod record;

use landfall_core::api::generated::events as api;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::retry::{self, Next, RetryPolicy};
use landfall_core::task::delivery_id;
use landfall_store::Direction;

pub(crate) use again::not_started;
pub use record::{DeadLetter, Delivery, Due, Outcome, Refusal, delivery_key};

use crate::drive::Pending;
use crate::key::{self, Key};
use crate::route::{BusKey, Rule, StoredEvent};
use crate::trail::own::{self, Keep};
use crate::tx::{Reader, Tx};

/// Writes the delivery of one event to one target, due at once.
pub(crate) fn enqueue(
    tx: &mut Tx<'_>,
    bus: &BusKey,
    rule: &Rule,
    target: &api::Target,
    event: &StoredEvent,
) -> Result<(), ApiError> {
    let rule_arn = bus.rule_arn(&rule.name);
    let delivery = Delivery {
        id: delivery_id(
            &event.id,
            &rule_arn,
            target.id.as_deref().unwrap_or_default(),
        ),
        event_id: event.id.clone(),
        event_json: event.json.clone(),
        object: event.object.clone(),
        hops: event.hops,
        account: bus.account.clone(),
        region: bus.region.clone(),
        bus: bus.name.clone(),
        rule: rule.name.clone(),
        rule_arn,
        target: target.clone(),
        matched_at: tx.now(),
        ingested_at: event.ingested_at,
        attempts: 0,
        outcome: Outcome::Pending,
        last_refusal: None,
        tasks: Vec::new(),
        former_tasks: Vec::new(),
        starts: 0,
        finished_at: None,
    };
    let number = tx.next_sequence();
    let now = tx.now();
    schedule(tx, number, now.0)?;
    tx.put(&delivery_key(number), &delivery)
}

/// One step of the loop: attempts what is due.
pub(crate) fn turn(tx: &mut Tx<'_>) -> Result<Pending, ApiError> {
    let now = tx.now();
    let earliest = tx.caches.deliveries_due;
    if !earliest.is_some_and(|due| is_due(due, now)) {
        return Ok(Pending {
            more: false,
            due_millis: earliest,
        });
    }
    let (from, to) = Key::new("due").range();
    let waiting: Vec<Key> = tx
        .list_between::<Due>(from, to, Direction::Forward)
        .take(limits::DELIVERIES_PER_TURN_MAX + 1)
        .map(|entry| entry.map(|(key, _)| key))
        .collect::<Result<_, _>>()?;
    tx.caches.deliveries_due = None;
    for (count, key) in waiting.into_iter().enumerate() {
        let (due, number) = due_parts(&key)?;
        if !is_due(due, now) || count == limits::DELIVERIES_PER_TURN_MAX {
            let caches = &mut tx.caches;
            caches.deliveries_due = Some(caches.deliveries_due.map_or(due, |d| d.min(due)));
            break;
        }
        tx.delete::<Due>(&key);
        let Some(mut delivery) = tx.get::<Delivery>(&delivery_key(number))? else {
            continue;
        };
        advance(tx, number, &mut delivery)?;
        tx.put(&delivery_key(number), &delivery)?;
    }
    let due_millis = tx.caches.deliveries_due;
    Ok(Pending {
        more: due_millis.is_some_and(|due| is_due(due, now)),
        due_millis,
    })
}

/// No delivery waits longer than the longest delay: where one seems to, the clock was set back.
fn is_due(due_millis: i64, now: Timestamp) -> bool {
    let longest = now.plus_millis(limits::RETRY_DELAY_MILLIS_MAX);
    due_millis <= now.0 || due_millis > longest.0
}

/// One attempt and what follows from it.
fn advance(tx: &mut Tx<'_>, number: u64, delivery: &mut Delivery) -> Result<(), ApiError> {
    delivery.attempts += 1;
    match own::recorded(tx, Keep::All, |tx| attempt::deliver(tx, number, delivery))? {
        Ok(tasks) => {
            delivery.starts += u32::from(!tasks.is_empty());
            delivery.tasks.extend(tasks);
            delivery.last_refusal = None;
            finish(tx, delivery, Outcome::Delivered);
            Ok(())
        }
        Err(refusal) => refused(tx, number, delivery, refusal),
    }
}

fn refused(
    tx: &mut Tx<'_>,
    number: u64,
    delivery: &mut Delivery,
    refusal: Refusal,
) -> Result<(), ApiError> {
    let mut jitter = [0_u8; 8];
    tx.ids().fill(&mut jitter);
    let next = retry::decide(
        policy(&delivery.target),
        delivery.attempts,
        delivery.matched_at,
        tx.now(),
        refusal.code.kind(),
        u64::from_le_bytes(jitter),
    );
    match next {
        Next::RetryAt(at) => {
            delivery.last_refusal = Some(refusal);
            schedule(tx, number, at.0)
        }
        Next::GiveUp(condition) => {
            tracing::warn!(
                rule = %delivery.rule, target = ?delivery.target.arn, reason = %refusal.message,
                "a delivery failed for good"
            );
            let outcome = attempt::dead_letter(tx, delivery, &refusal, condition);
            delivery.last_refusal = Some(refusal);
            finish(tx, delivery, outcome);
            Ok(())
        }
    }
}

/// The record stays as the ledger's entry, with the event, of which it may have to be made again.
fn finish(tx: &Tx<'_>, delivery: &mut Delivery, outcome: Outcome) {
    delivery.outcome = outcome;
    delivery.finished_at = Some(tx.now());
}

fn policy(target: &api::Target) -> RetryPolicy {
    let given = target.retry_policy.as_ref();
    let number = |value: Option<i32>, default: u32| {
        value.and_then(|v| u32::try_from(v).ok()).unwrap_or(default)
    };
    RetryPolicy {
        attempts_max: number(
            given.and_then(|p| p.maximum_retry_attempts),
            limits::EVENTS_RETRY_ATTEMPTS_MAX,
        ),
        age_seconds_max: number(
            given.and_then(|p| p.maximum_event_age_in_seconds),
            limits::EVENTS_RETRY_AGE_SECONDS_MAX,
        ),
    }
}

fn schedule(tx: &mut Tx<'_>, number: u64, due_millis: i64) -> Result<(), ApiError> {
    let earliest = tx
        .caches
        .deliveries_due
        .map_or(due_millis, |d| d.min(due_millis));
    tx.caches.deliveries_due = Some(earliest);
    let due = u64::try_from(due_millis).unwrap_or(0);
    tx.put(&Key::new("due").number(due).number(number), &Due {})
}

fn due_parts(key: &Key) -> Result<(i64, u64), ApiError> {
    let parts = key::parts(key.bytes());
    let number = |i: usize| parts.get(i).and_then(|p| key::number(p));
    match (number(0), number(1)) {
        (Some(due), Some(number)) => Ok((i64::try_from(due).unwrap_or(i64::MAX), number)),
        _ => Err(ApiError::internal("a due delivery has a damaged key")),
    }
}
