//! Events on their way: written in the commit that caused them, read in order by the router. Never lost, never
//! reordered between commits.

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};

use super::bus::BusKey;
use crate::key::{self, Key};
use crate::tx::Tx;

/// The object that an event is about, for the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Bucket name.
    pub bucket: String,
    /// Object key, raw.
    pub key: String,
    /// Version id; absent on unversioned buckets.
    pub version_id: Option<String>,
}

/// Why an event comes again, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// Sets its deliveries apart from those that it had before.
    pub token: String,
    /// The ARN of the replay that sends it, or `landfall`.
    pub by: String,
    /// ARNs of the only rules that it goes to; empty: to all.
    pub rules: Vec<String>,
}

impl Again {
    /// Sent by `landfall replay`, to every rule.
    pub(crate) fn by_landfall() -> Self {
        Self {
            token: String::new(),
            by: "landfall".to_owned(),
            rules: Vec::new(),
        }
    }
}

/// An event as it waits for its bus's rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// The envelope's `id`.
    pub id: String,
    /// Account of the bus.
    pub account: String,
    /// Region of the bus.
    pub region: String,
    /// Name of the bus, `default` for events of AWS services.
    pub bus: String,
    /// The whole event as JSON text, exactly as targets get it.
    pub json: String,
    /// When it was taken in.
    pub ingested_at: Timestamp,
    /// The object it is about, if it is about one.
    pub object: Option<ObjectRef>,
    /// Buses it has already passed, against loops.
    pub hops: u8,
    /// Why it comes again, if it has been here before.
    #[serde(default)]
    pub again: Option<Again>,
}
crate::record!(StoredEvent in Road);

/// Key of an event by its number in the store's sequence.
pub fn event_key(number: u64) -> Key {
    Key::new("event").number(number)
}

/// The number in an event's key.
pub fn event_number(key: &Key) -> Option<u64> {
    key::parts(key.bytes())
        .first()
        .and_then(|part| key::number(part))
}

/// Takes in an event that most likely nobody waits for: where the rules of its bus are known and none wants it, it is not
/// even written.
pub(crate) fn emit_if_wanted(tx: &mut Tx<'_>, event: &StoredEvent) -> Result<(), ApiError> {
    let bus = BusKey {
        account: event.account.clone(),
        region: event.region.clone(),
        name: event.bus.clone(),
    };
    let is_known = tx.caches.knows_rules(&bus);
    match tx.caches.matches(&bus, &event.json, false) {
        Ok(rules) if is_known && rules.is_empty() => Ok(()),
        _ => emit(tx, event).map(drop),
    }
}

/// Takes an event in: it becomes durable with whatever else this transaction writes.
pub fn emit(tx: &mut Tx<'_>, event: &StoredEvent) -> Result<u64, ApiError> {
    let number = tx.next_sequence();
    tx.put(&event_key(number), event)?;
    tx.caches.events_waiting = true;
    Ok(number)
}
