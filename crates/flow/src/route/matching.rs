//! The step of the loop that turns events into deliveries: read the new events in order, ask the bus's matcher, write
//! one delivery for each target of each rule that matched, and move the cursor, all in one commit.
//!
//! Never attempts a delivery, never keeps an event that no rule wanted.

use std::ops::Bound;

use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_pattern::{Matcher, Pattern};
use landfall_store::Direction;

use super::bus::BusKey;
use super::event::{StoredEvent, event_key, event_number};
use super::rules::{Rule, prefix};
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
        route(tx, &event)?;
        tx.delete::<StoredEvent>(&key);
        routed = event_number(&key).unwrap_or(routed);
    }
    tx.caches.routed = routed;
    Ok(Pending {
        more,
        due_millis: None,
    })
}

fn route(tx: &mut Tx<'_>, event: &StoredEvent) -> Result<(), ApiError> {
    let bus = BusKey {
        account: event.account.clone(),
        region: event.region.clone(),
        name: event.bus.clone(),
    };
    compile(tx, &bus)?;
    let found = tx.caches.matcher(&bus).map(|m| m.matches(&event.json));
    let names = match found.transpose() {
        Ok(names) => names.unwrap_or_default(),
        Err(e) => {
            tracing::error!(event = %event.id, error = %e, "an event cannot be read and is dropped");
            return Ok(());
        }
    };
    for name in names {
        let Some(rule) = tx.get::<Rule>(&prefix(&bus).part(&name))? else {
            continue;
        };
        for target in &rule.targets {
            deliver::enqueue(tx, &bus, &rule, target, event)?;
        }
    }
    Ok(())
}

fn compile(tx: &mut Tx<'_>, bus: &BusKey) -> Result<(), ApiError> {
    if tx.caches.matcher(bus).is_some() {
        return Ok(());
    }
    let mut rules = Vec::new();
    for entry in tx.list::<Rule>(&prefix(bus), Direction::Forward) {
        let (_, rule) = entry?;
        if !rule.is_enabled() {
            continue;
        }
        match Pattern::parse(&rule.pattern) {
            Ok(pattern) => rules.push((rule.name, pattern)),
            Err(e) => {
                tracing::error!(rule = %rule.name, error = %e, "a stored rule cannot be compiled");
            }
        }
    }
    let mut matcher = Matcher::new();
    matcher.extend(rules);
    tx.caches.remember_rules(bus, matcher);
    Ok(())
}
