//! The newest event of one object meets the rules of its bus once more, as they are now, whether one of them ever
//! matched it or not.

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;

use super::ask::{Answer, Ask, Item};
use super::runs::{event, link};
use crate::deliver::{Delivery, delivery_key};
use crate::drive::Flow;
use crate::land::event::created_again;
use crate::land::object::ObjectAt;
use crate::route::{self, Again, BusKey, ObjectRef, StoredEvent};
use crate::tell;
use crate::tx::{Reader, Tx};

/// The event, and the runs that it has led to, by number.
struct Found {
    event: StoredEvent,
    runs: Vec<(u64, Delivery)>,
}

/// Why the changes of a decision are taken back.
enum Undone {
    /// Nothing was to be changed.
    DryRun(Answer),
    /// It failed.
    Failed(ApiError),
}

impl From<ApiError> for Undone {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

/// Lets the event meet the rules.
pub(super) async fn repeat(flow: &Flow, ask: &Ask, object: ObjectRef) -> Result<Answer, ApiError> {
    let found = match find(&flow.view(), &object, flow.clock().now())? {
        Some(found) => found,
        None => made_again(flow, object)?,
    };
    let (rule, is_dry) = (ask.rule.clone(), ask.dry_run);
    let decide = move |tx: &mut Tx<'_>| {
        let done = tx.attempt(|tx| {
            let answer = meet(tx, found, rule.as_deref())?;
            match is_dry {
                true => Err(Undone::DryRun(answer)),
                false => Ok(answer),
            }
        });
        match done {
            Ok(answer) | Err(Undone::DryRun(answer)) => Ok(answer),
            Err(Undone::Failed(error)) => Err(error),
        }
    };
    flow.write(decide).await
}

/// The newest event of the object that the ledger tells of. A repetition makes no event newer than it was.
fn find(db: &impl Reader, object: &ObjectRef, now: Timestamp) -> Result<Option<Found>, ApiError> {
    let is_of_version = |delivery: &Delivery| {
        let version = delivery.object.as_ref().map(|it| &it.version_id);
        object.version_id.is_none() || version == Some(&object.version_id)
    };
    let most = limits::REPLAY_OBJECT_RUNS_LOOKED_AT_MAX;
    let mut runs = tell::of_object(db, &object.bucket, &object.key, most)?;
    runs.retain(|(_, run)| is_of_version(run) && !run.event_json.is_empty());
    let first = runs.iter().find(|(_, run)| run.replay.is_none());
    let Some((_, newest)) = first.or(runs.first()) else {
        return Ok(None);
    };
    let event = event(newest, Again::by_landfall(), now);
    runs.retain(|(_, run)| run.event_id == event.id);
    Ok(Some(Found { event, runs }))
}

/// The event of an object that no rule has matched: made of the version that is stored.
fn made_again(flow: &Flow, object: ObjectRef) -> Result<Found, ApiError> {
    let at = ObjectAt {
        bucket: object.bucket,
        key: object.key,
        version_id: object.version_id,
    };
    let (id, now) = (flow.ids().uuid(), flow.clock().now());
    let mut event = created_again(&flow.view(), &at, id, now)?;
    event.again = Some(Again::by_landfall());
    Ok(Found {
        event,
        runs: Vec::new(),
    })
}

fn meet(tx: &mut Tx<'_>, found: Found, rule: Option<&str>) -> Result<Answer, ApiError> {
    let Found { mut event, runs } = found;
    let bus = BusKey {
        account: event.account.clone(),
        region: event.region.clone(),
        name: event.bus.clone(),
    };
    let token = tx.next_sequence().to_string();
    if let Some(again) = &mut event.again {
        again.token = token;
        again.rules = rule.map(|name| bus.rule_arn(name)).into_iter().collect();
    }
    let mut answer = Answer::default();
    for number in route::meet(tx, &event)? {
        let Some(delivery) = tx.get::<Delivery>(&delivery_key(number))? else {
            continue;
        };
        let same = |it: &&(u64, Delivery)| {
            let (_, former) = it;
            former.replay_of.is_none()
                && former.rule_arn == delivery.rule_arn
                && former.target.id == delivery.target.id
        };
        let former = runs.iter().find(same).map(|(number, _)| *number);
        if let Some(former) = former
            && let Some(mut original) = tx.get::<Delivery>(&delivery_key(former))?
        {
            link(tx, former, &mut original, number)?;
        }
        let mut item = Item::of(former, &delivery);
        item.replay = Some(number);
        answer.replayed.push(item);
    }
    Ok(answer)
}
