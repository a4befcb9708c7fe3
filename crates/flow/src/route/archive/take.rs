//! An event goes into an archive, in the commit in which it meets its rules. Never takes an event that comes again.

use landfall_core::error::ApiError;
use landfall_core::event::time_of;

use super::RULE_PREFIX;
use super::record::{Archive, Tally, held_key, key_of, tally_key};
use crate::route::{BusKey, Rule, StoredEvent};
use crate::tx::{Reader as _, Tx};

/// Keeps an event that the managed rule of an archive has matched.
pub(in crate::route) fn take(
    tx: &mut Tx<'_>,
    bus: &BusKey,
    rule: &Rule,
    event: &StoredEvent,
) -> Result<(), ApiError> {
    let name = rule.name.strip_prefix(RULE_PREFIX).unwrap_or_default();
    let found = tx.get::<Archive>(&key_of(&bus.account, &bus.region, name))?;
    let (Some(archive), None) = (found, &event.again) else {
        return Ok(());
    };
    let time = time_of(&event.json).unwrap_or(event.ingested_at);
    let number = tx.next_sequence();
    tx.put(&held_key(&archive.id, time, number), event)?;
    let mut tally = tx
        .get::<Tally>(&tally_key(&archive.id))?
        .unwrap_or_default();
    tally.events += 1;
    tally.bytes += event.json.len() as u64;
    tx.put(&tally_key(&archive.id), &tally)
}
