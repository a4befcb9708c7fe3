//! Runs of the ledger run again: with the event that they had, against the rule and the target as they are now, for the
//! fault may have been mended there. A bounded number of them in each commit.

use std::ops::Bound;

use landfall_core::api::generated::events as api;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::Direction;

use super::ask::{Answer, Ask, Item, Next};
use crate::deliver::{self, Delivery, delivery_key};
use crate::drive::Flow;
use crate::key::Key;
use crate::route::{Again, BusKey, Rule, StoredEvent, rules};
use crate::tell;
use crate::tx::{Reader, Tx};

/// What is to be done about one run.
enum Decision {
    /// The question is not about it.
    Nothing,
    /// It, or the repetition with this number, is under way.
    UnderWay(u64),
    /// It cannot be repeated, for this reason.
    Refused(String),
    /// Repeat it so.
    Repeat(Box<(Rule, api::Target)>),
}

/// Does one part of what is asked for.
pub(super) async fn repeat(flow: &Flow, ask: Ask) -> Result<Answer, ApiError> {
    let (numbers, next) = look(&flow.view(), &ask)?;
    let mut answer = match ask.dry_run {
        true => {
            let view = flow.view();
            answer(&view, &ask, &numbers)?
        }
        false if numbers.is_empty() => Answer::default(),
        false => flow.write(move |tx| make(tx, &ask, &numbers)).await?,
    };
    answer.next = next;
    Ok(answer)
}

/// The next runs that the question is about, found without holding up the loop.
fn look(db: &impl Reader, ask: &Ask) -> Result<(Vec<u64>, Option<Next>), ApiError> {
    let span = ask.span()?;
    let (_, end) = Key::new("delivery").range();
    let up_to = match ask.up_to {
        Some(number) => number,
        None => newest(db)?,
    };
    let from = Bound::Excluded(delivery_key(ask.after).bytes().to_vec());
    let (mut found, mut after) = (Vec::new(), up_to);
    let entries = db.list_between::<Delivery>(from, end, Direction::Forward);
    for (looked_at, entry) in entries.enumerate() {
        let (key, delivery) = entry?;
        let number = tell::number_of(&key).unwrap_or(0);
        let is_enough = found.len() == limits::REPLAY_RUNS_PER_COMMIT_MAX
            || looked_at == limits::REPLAY_RUNS_LOOKED_AT_MAX;
        if number > up_to || is_enough {
            break;
        }
        after = number;
        if ask.is_about(span, &delivery)
            && !matches!(decide(db, ask, number, &delivery)?, Decision::Nothing)
        {
            found.push(number);
        }
    }
    let from = Bound::Excluded(delivery_key(after).bytes().to_vec());
    let to = Bound::Included(delivery_key(up_to).bytes().to_vec());
    let is_more = after < up_to
        && db
            .list_between::<Delivery>(from, to, Direction::Forward)
            .next()
            .is_some();
    Ok((found, is_more.then_some(Next { after, up_to })))
}

fn newest(db: &impl Reader) -> Result<u64, ApiError> {
    let newest = db
        .list::<Delivery>(&Key::new("delivery"), Direction::Backward)
        .next();
    Ok(newest
        .transpose()?
        .map_or(0, |(key, _)| tell::number_of(&key).unwrap_or(0)))
}

fn decide(
    db: &impl Reader,
    ask: &Ask,
    number: u64,
    delivery: &Delivery,
) -> Result<Decision, ApiError> {
    // A repetition is repeated by repeating what it repeats.
    if let Some(of) = delivery.replay_of
        && db.has::<Delivery>(&delivery_key(of))?
    {
        return Ok(Decision::Nothing);
    }
    let state = tell::state_of(db, delivery)?;
    match (state.is_final(), ask.failed) {
        (false, true) => return Ok(Decision::Nothing),
        (false, false) => return Ok(Decision::UnderWay(number)),
        (true, true) if state.is_good() => return Ok(Decision::Nothing),
        _ => {}
    }
    for replay in &delivery.replayed_as {
        let Some(again) = db.get::<Delivery>(&delivery_key(*replay))? else {
            continue;
        };
        let state = tell::state_of(db, &again)?;
        if !state.is_final() {
            return Ok(Decision::UnderWay(*replay));
        }
        if ask.failed && state.is_good() {
            return Ok(Decision::Nothing);
        }
    }
    Ok(match aim(db, delivery)? {
        Ok(aim) => Decision::Repeat(Box::new(aim)),
        Err(reason) => Decision::Refused(reason),
    })
}

/// The rule and the target of a delivery as they are now, or why there are none.
fn aim(
    db: &impl Reader,
    delivery: &Delivery,
) -> Result<Result<(Rule, api::Target), String>, ApiError> {
    if delivery.event_json.is_empty() {
        let text = "its event was not kept by the version of Landfall that ran it";
        return Ok(Err(text.to_owned()));
    }
    let (name, bus) = (&delivery.rule, source(delivery));
    let rule = match rules::find(db, &bus, name) {
        Ok(rule) => rule,
        Err(e) if e.status >= 500 => return Err(e),
        Err(_) => return Ok(Err(format!("rule {name} does not exist any more"))),
    };
    if !rule.is_enabled() {
        return Ok(Err(format!("rule {name} is disabled")));
    }
    let target = rule.targets.iter().find(|it| it.id == delivery.target.id);
    let id = delivery.target.id.as_deref().unwrap_or_default();
    Ok(match target.cloned() {
        Some(target) => Ok((rule, target)),
        None => Err(format!("rule {name} has no target {id} any more")),
    })
}

fn source(delivery: &Delivery) -> BusKey {
    BusKey {
        account: delivery.account.clone(),
        region: delivery.region.clone(),
        name: delivery.bus.clone(),
    }
}

/// What would be done about some runs.
fn answer(db: &impl Reader, ask: &Ask, numbers: &[u64]) -> Result<Answer, ApiError> {
    let mut answer = Answer::default();
    for number in numbers {
        if let Some(delivery) = db.get::<Delivery>(&delivery_key(*number))? {
            let decision = decide(db, ask, *number, &delivery)?;
            note(&mut answer, *number, &delivery, &decision, None);
        }
    }
    Ok(answer)
}

/// Repeats runs, each decided anew inside the commit: a question that is asked twice at once repeats nothing twice.
fn make(tx: &mut Tx<'_>, ask: &Ask, numbers: &[u64]) -> Result<Answer, ApiError> {
    let mut answer = Answer::default();
    for number in numbers {
        let Some(mut delivery) = tx.get::<Delivery>(&delivery_key(*number))? else {
            continue;
        };
        let decision = decide(tx, ask, *number, &delivery)?;
        let replay = match &decision {
            Decision::Repeat(aim) => Some(again(tx, *number, &mut delivery, aim)?),
            _ => None,
        };
        note(&mut answer, *number, &delivery, &decision, replay);
    }
    Ok(answer)
}

/// Makes the delivery that repeats another one; its id follows from that one's and from how often it was repeated.
fn again(
    tx: &mut Tx<'_>,
    number: u64,
    delivery: &mut Delivery,
    (rule, target): &(Rule, api::Target),
) -> Result<u64, ApiError> {
    let bus = source(delivery);
    let again = Again {
        token: format!("{number}#{}", delivery.replayed_as.len()),
        ..Again::by_landfall()
    };
    let event = event(delivery, again, tx.now());
    let replay = deliver::enqueue(tx, &bus, rule, target, &event)?;
    link(tx, number, delivery, replay)?;
    Ok(replay)
}

/// The event of a delivery, on its way again. It is as old as a new one, or its retries would be over before they begin.
pub(super) fn event(delivery: &Delivery, again: Again, now: Timestamp) -> StoredEvent {
    StoredEvent {
        id: delivery.event_id.clone(),
        account: delivery.account.clone(),
        region: delivery.region.clone(),
        bus: delivery.bus.clone(),
        json: delivery.event_json.clone(),
        ingested_at: now,
        object: delivery.object.clone(),
        hops: delivery.hops,
        again: Some(again),
    }
}

/// Lets a delivery and its repetition know of each other.
pub(super) fn link(
    tx: &mut Tx<'_>,
    number: u64,
    delivery: &mut Delivery,
    replay: u64,
) -> Result<(), ApiError> {
    if let Some(mut again) = tx.get::<Delivery>(&delivery_key(replay))? {
        again.replay_of = Some(number);
        tx.put(&delivery_key(replay), &again)?;
    }
    delivery.replayed_as.push(replay);
    tx.put(&delivery_key(number), delivery)?;
    tell::changed(tx, number, delivery)
}

fn note(
    answer: &mut Answer,
    number: u64,
    delivery: &Delivery,
    decision: &Decision,
    replay: Option<u64>,
) {
    let mut item = Item::of(Some(number), delivery);
    match decision {
        Decision::Nothing => {}
        Decision::UnderWay(which) => {
            item.replay = (*which != number).then_some(*which);
            answer.under_way.push(item);
        }
        Decision::Refused(reason) => {
            item.reason = Some(reason.clone());
            answer.refused.push(item);
        }
        Decision::Repeat(_) => {
            item.replay = replay;
            answer.replayed.push(item);
        }
    }
}
