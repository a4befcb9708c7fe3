//! A delivery that its target took and that failed behind it: back to those that are due. Never starts anything itself:
//! the step of the loop does, at the time that the retry policy says.

use landfall_core::error::ApiError;

use super::record::{Delivery, Outcome, Refusal, delivery_key};
use crate::tx::{Reader as _, Tx};

/// A task of a delivery could not be started: that counts as a failed delivery.
pub(crate) fn not_started(
    tx: &mut Tx<'_>,
    number: u64,
    task_arn: &str,
    refusal: Refusal,
) -> Result<(), ApiError> {
    let Some((mut delivery, place)) = delivery_of(tx, number, task_arn)? else {
        return Ok(());
    };
    match delivery.outcome {
        Outcome::GivenUp(_) => return Ok(()),
        // Another of its tasks has failed before: the retry that is due makes up for both.
        Outcome::Pending => replaced(&mut delivery, place),
        Outcome::Delivered => {
            delivery.outcome = Outcome::Pending;
            delivery.finished_at = None;
            super::refused(tx, number, &mut delivery, refusal)?;
            if delivery.outcome == Outcome::Pending {
                replaced(&mut delivery, place);
            }
        }
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
    let found = delivery.filter(|it| !it.event_json.is_empty());
    Ok(found.and_then(|delivery| {
        let place = delivery.tasks.iter().position(|arn| arn == task_arn)?;
        Some((delivery, place))
    }))
}

fn replaced(delivery: &mut Delivery, place: usize) {
    let task = delivery.tasks.remove(place);
    delivery.former_tasks.push(task);
}
