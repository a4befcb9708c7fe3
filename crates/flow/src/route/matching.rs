//! The step of the loop that turns events into deliveries: read the new events in order, ask the bus's matcher, write
//! one delivery for each target of each rule that matched, and move the cursor, all in one commit.
//!
//! Never attempts a delivery, never keeps an event that no rule wanted.

use std::borrow::Cow;
use std::ops::Bound;

use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::metrics::Metric;
use landfall_core::trail::calls;
use landfall_core::trail::record::DETAIL_TYPE;
use landfall_pattern::{Matcher, Pattern};
use landfall_store::Direction;
use serde::Deserialize;

use super::archive;
use super::bus::{BusKey, DEFAULT_BUS};
use super::event::{StoredEvent, event_key, event_number};
use super::rules::{Rule, prefix};
use crate::count::{Series, amount, once};
use crate::deliver;
use crate::drive::Pending;
use crate::key::Key;
use crate::tx::{Reader, Tx};

/// One step of the loop.
pub(crate) fn turn(tx: &mut Tx<'_>) -> Result<Pending, ApiError> {
    if !tx.caches.events_waiting {
        return Ok(Pending::default());
    }
    let from = Bound::Excluded(event_key(tx.caches.routed).bytes().to_vec());
    let (_, to) = Key::new("event").range();
    let events: Vec<(Key, StoredEvent)> = tx
        .list_between::<StoredEvent>(from, to, Direction::Forward)
        .take(limits::ROUTE_EVENTS_PER_TURN_MAX)
        .collect::<Result<_, _>>()?;
    let more = events.len() == limits::ROUTE_EVENTS_PER_TURN_MAX;
    tx.caches.events_waiting = more;
    let mut routed = tx.caches.routed;
    for (key, event) in events {
        meet(tx, &event)?;
        tx.delete::<StoredEvent>(&key);
        routed = event_number(&key).unwrap_or(routed);
    }
    tx.caches.routed = routed;
    Ok(Pending {
        more,
        due_millis: None,
    })
}

/// Lets an event meet the rules of its bus; the numbers of the deliveries that follow from it.
pub(crate) fn meet(tx: &mut Tx<'_>, event: &StoredEvent) -> Result<Vec<u64>, ApiError> {
    let bus = BusKey {
        account: event.account.clone(),
        region: event.region.clone(),
        name: event.bus.clone(),
    };
    compile(tx, &bus)?;
    let names = match tx.caches.matches(&bus, &event.json, is_distinct(event)) {
        Ok(names) => names,
        Err(e) => {
            tracing::error!(event = %event.id, error = %e, "an event cannot be read and is dropped");
            return Ok(Vec::new());
        }
    };
    let mut made = Vec::new();
    let is_quiet = !names.is_empty() && is_quiet(&event.json);
    let mut is_first = true;
    for name in names {
        let Some(rule) = tx.get::<Rule>(&prefix(&bus).part(&name))? else {
            continue;
        };
        if is_quiet && !rule.takes_reads() {
            continue;
        }
        if rule.managed_by.is_some() {
            archive::take(tx, &bus, &rule, event)?;
            continue;
        }
        let only = event.again.iter().flat_map(|again| &again.rules);
        let mut only = only.peekable();
        if only.peek().is_some() && !only.any(|arn| *arn == bus.rule_arn(&name)) {
            continue;
        }
        count_match(tx, &bus, &rule, std::mem::take(&mut is_first));
        for target in &rule.targets {
            made.push(deliver::enqueue(tx, &bus, &rule, target, event)?);
        }
    }
    Ok(made)
}

/// Whether no path can come twice in an event: Landfall alone named all that is in what S3 tells of an object. In what
/// others put, and in records of calls, which carry a request's own parameters, any name may stand.
fn is_distinct(event: &StoredEvent) -> bool {
    event.object.is_some() && event.hops == 0 && !event.json.contains(DETAIL_TYPE)
}

/// An event counts once for each rule that it matched, and once for its bus, with the first of them.
fn count_match(tx: &mut Tx<'_>, bus: &BusKey, rule: &Rule, is_first: bool) {
    let mut samples = vec![once(Metric::MatchedEvents), once(Metric::TriggeredRules)];
    if is_first {
        samples.push(once(Metric::MatchedEventsOfBus));
    }
    if !rule.targets.is_empty() {
        samples.push(amount(Metric::InvocationsCreated, rule.targets.len()));
    }
    tx.count(Series::of_rule(bus, &rule.name), samples);
}

/// Whether a rule of the default bus takes read-only management events.
pub(crate) fn wants_reads(tx: &mut Tx<'_>, account: &str, region: &str) -> Result<bool, ApiError> {
    let bus = BusKey {
        account: account.to_owned(),
        region: region.to_owned(),
        name: DEFAULT_BUS.to_owned(),
    };
    compile(tx, &bus)?;
    Ok(tx.caches.wants_reads(&bus) == Some(true))
}

/// What an event must say to be one that merely enabled rules do not get.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(rename = "detail-type")]
    detail_type: Cow<'a, str>,
    source: Cow<'a, str>,
    #[serde(borrow)]
    detail: ToldCall<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldCall<'a> {
    event_source: Cow<'a, str>,
    event_name: Cow<'a, str>,
    read_only: bool,
    management_event: bool,
}

/// Whether an event tells of a read-only management call that merely enabled rules do not get.
fn is_quiet(event: &str) -> bool {
    // Nearly no event is one: the text tells before it is read.
    if !event.contains(DETAIL_TYPE) {
        return false;
    }
    serde_json::from_str::<Told<'_>>(event).is_ok_and(|told| {
        let call = &told.detail;
        told.detail_type == DETAIL_TYPE
            && told.source.starts_with("aws.")
            && call.read_only
            && call.management_event
            && calls::is_quiet(&call.event_source, &call.event_name)
    })
}

fn compile(tx: &mut Tx<'_>, bus: &BusKey) -> Result<(), ApiError> {
    if tx.caches.knows_rules(bus) {
        return Ok(());
    }
    let mut rules = Vec::new();
    let mut want_reads = false;
    for entry in tx.list::<Rule>(&prefix(bus), Direction::Forward) {
        let (_, rule) = entry?;
        if !rule.is_enabled() {
            continue;
        }
        match Pattern::parse(&rule.pattern) {
            Ok(pattern) => {
                want_reads |= rule.takes_reads();
                rules.push((rule.name, pattern));
            }
            Err(e) => {
                tracing::error!(rule = %rule.name, error = %e, "a stored rule cannot be compiled");
            }
        }
    }
    let mut matcher = Matcher::new();
    matcher.extend(rules);
    tx.caches
        .remember_rules(bus, matcher.snapshot(), want_reads);
    Ok(())
}

#[cfg(test)]
mod tests {
    use landfall_core::clock::Timestamp;

    use super::*;
    use crate::route::event::ObjectRef;

    #[test]
    fn only_names_of_landfall_itself_are_known_to_be_distinct() {
        let of_s3 = StoredEvent {
            id: "1".to_owned(),
            account: "123456789012".to_owned(),
            region: "eu-central-1".to_owned(),
            bus: DEFAULT_BUS.to_owned(),
            json: r#"{"detail-type":"Object Created"}"#.to_owned(),
            ingested_at: Timestamp(0),
            object: Some(ObjectRef {
                bucket: "in".to_owned(),
                key: "a".to_owned(),
                version_id: None,
            }),
            hops: 0,
            again: None,
        };
        assert!(is_distinct(&of_s3));
        let put = StoredEvent {
            object: None,
            ..of_s3.clone()
        };
        assert!(!is_distinct(&put), "PutEvents brings any names");
        let passed_on = StoredEvent {
            hops: 1,
            ..of_s3.clone()
        };
        assert!(
            !is_distinct(&passed_on),
            "a target's transformer may have made it"
        );
        let record = StoredEvent {
            json: format!(r#"{{"detail-type":"{DETAIL_TYPE}"}}"#),
            ..of_s3
        };
        assert!(!is_distinct(&record), "a request names its own parameters");
    }
}
