//! A delivery that its target took and that failed behind it: back to those that are due. Never starts anything itself:
//! the step of the loop does, at its time.

use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::retry;
use landfall_core::task::wishes;

use super::record::{Delivery, Outcome, Refusal, delivery_key};
use crate::keep::tags;
use crate::tx::{Reader as _, Tx};

/// What failed behind a delivery.
pub(crate) enum Fault<'a> {
    /// A task could not be started: that counts as a failed delivery.
    Start(Refusal),
    /// A task of this definition ran and failed: it is for the tags of the rule and the definition to say what follows.
    Exit {
        /// ARN of the definition.
        definition: &'a str,
    },
}

/// How often a run that failed is repeated.
struct Repetition {
    times: u64,
    first_millis: i64,
}

/// A task of a delivery failed.
pub(crate) fn failed_behind(
    tx: &mut Tx<'_>,
    number: u64,
    task_arn: &str,
    fault: Fault<'_>,
) -> Result<(), ApiError> {
    let Some((mut delivery, place)) = delivery_of(tx, number, task_arn)? else {
        return Ok(());
    };
    let is_due = match fault {
        Fault::Start(refusal) => not_started(tx, number, &mut delivery, refusal)?,
        Fault::Exit { definition } => match repetition(tx, &delivery, definition)? {
            Some(wish) => ran_badly(tx, number, &mut delivery, &wish)?,
            None => return Ok(()),
        },
    };
    if is_due {
        let task = delivery.tasks.remove(place);
        delivery.former_tasks.push(task);
    }
    super::save(tx, number, &delivery)
}

/// The delivery, and where the task stands in it; none when there is nothing that a new start could be made of.
fn delivery_of(
    tx: &Tx<'_>,
    number: u64,
    task_arn: &str,
) -> Result<Option<(Delivery, usize)>, ApiError> {
    let delivery = tx.get::<Delivery>(&delivery_key(number))?;
    let given_up = |it: &Delivery| matches!(it.outcome, Outcome::GivenUp(_));
    let found = delivery.filter(|it| !it.event_json.is_empty() && !given_up(it));
    Ok(found.and_then(|delivery| {
        let place = delivery.tasks.iter().position(|arn| arn == task_arn)?;
        Some((delivery, place))
    }))
}

/// Whether another start is due.
fn not_started(
    tx: &mut Tx<'_>,
    number: u64,
    delivery: &mut Delivery,
    refusal: Refusal,
) -> Result<bool, ApiError> {
    // Another of its tasks has failed before: the start that is due makes up for both.
    if delivery.outcome != Outcome::Pending {
        reopen(delivery);
        super::refused(tx, number, delivery, refusal)?;
    }
    Ok(delivery.outcome == Outcome::Pending)
}

/// Whether another start is due.
fn ran_badly(
    tx: &mut Tx<'_>,
    number: u64,
    delivery: &mut Delivery,
    wish: &Repetition,
) -> Result<bool, ApiError> {
    if delivery.outcome == Outcome::Pending {
        return Ok(true);
    }
    if u64::from(delivery.repetitions) >= wish.times {
        return Ok(false);
    }
    reopen(delivery);
    delivery.repetitions += 1;
    let delay = retry::delay_millis(wish.first_millis, delivery.repetitions, super::jitter(tx));
    let due = tx.now().plus_millis(delay);
    super::schedule(tx, number, due.0)?;
    Ok(true)
}

fn reopen(delivery: &mut Delivery) {
    delivery.outcome = Outcome::Pending;
    delivery.finished_at = None;
}

/// What the tags say of a run that failed: the rule's before the definition's.
fn repetition(
    tx: &Tx<'_>,
    delivery: &Delivery,
    definition: &str,
) -> Result<Option<Repetition>, ApiError> {
    let (of_rule, of_definition) = (tags::of(tx, &delivery.rule_arn)?, tags::of(tx, definition)?);
    let number = |name| {
        let said = of_rule.0.get(name).or_else(|| of_definition.0.get(name));
        said.and_then(|value| wishes::number(value))
    };
    let seconds = number(wishes::RETRY_ON_EXIT_SECONDS).and_then(|n| i64::try_from(n).ok());
    let first_millis = seconds.map_or(limits::RETRY_DELAY_MILLIS_FIRST, |n| n * 1_000);
    Ok(number(wishes::RETRY_ON_EXIT).map(|times| Repetition {
        times,
        first_millis,
    }))
}
