//! The stored form of archives and of what they hold. Never decides anything.

use std::ops::Bound;

use landfall_core::arn::arn;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};

use crate::key::{self, Key};
use crate::route::BusKey;
use crate::tx::Reader;

/// An archive of a bus of its account and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// Sets what it holds apart from what a deleted archive of the same name held.
    pub id: String,
    /// Unique in its account and region.
    pub name: String,
    /// 12-digit account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Name of the bus.
    pub bus: String,
    /// Free text.
    pub description: Option<String>,
    /// The event pattern as it was put; without one it takes every event.
    pub pattern: Option<String>,
    /// Days that an event is kept; 0: for ever.
    pub retention_days: u32,
    /// Kept and told; nothing is encrypted with it.
    pub kms_key: Option<String>,
    /// When it was made.
    pub created: Timestamp,
}
crate::record!(Archive in Control);

/// How much an archive holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Events.
    pub events: u64,
    /// Bytes of their JSON text.
    pub bytes: u64,
}
crate::record!(Tally in Road);

/// An archive that was deleted: what it held is still to be removed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Departed {}
crate::record!(Departed in Control);

impl Archive {
    pub(super) fn key(&self) -> Key {
        key_of(&self.account, &self.region, &self.name)
    }

    /// The bus whose events it takes.
    pub fn source(&self) -> BusKey {
        BusKey {
            account: self.account.clone(),
            region: self.region.clone(),
            name: self.bus.clone(),
        }
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        let resource = format_args!("archive/{}", self.name);
        arn("events", &self.region, &self.account, resource)
    }
}

pub(super) fn prefix(account: &str, region: &str) -> Key {
    Key::new("archive").part(account).part(region)
}

pub(super) fn key_of(account: &str, region: &str, name: &str) -> Key {
    prefix(account, region).part(name)
}

pub(super) fn tally_key(id: &str) -> Key {
    Key::new("archive-tally").part(id)
}

pub(super) fn departed_key(id: &str) -> Key {
    Key::new("archive-departed").part(id)
}

/// Prefix of the keys of all that an archive holds, in the order of the events' own times.
pub(super) fn held_prefix(id: &str) -> Key {
    Key::new("archived").part(id)
}

/// Key of an event in an archive; events of one time are told apart by a number of the store's sequence.
pub(in crate::route) fn held_key(id: &str, time: Timestamp, number: u64) -> Key {
    held_prefix(id).number(ordered(time)).number(number)
}

/// Bounds of the events of an archive from one time until in front of another one.
pub(in crate::route) fn held_range(
    id: &str,
    from: Timestamp,
    until: Timestamp,
) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let at = |time| held_prefix(id).number(ordered(time)).bytes().to_vec();
    (Bound::Included(at(from)), Bound::Excluded(at(until)))
}

/// The time and the number in the key of an event in an archive.
pub(in crate::route) fn held_time(key: &Key) -> Option<(Timestamp, u64)> {
    let parts = key::parts(key.bytes());
    let number = |place: usize| parts.get(place).and_then(|part| key::number(part));
    let time = i64::try_from(number(1)?).ok()?;
    Some((Timestamp(time), number(2)?))
}

/// Times before 1970 count as its beginning.
fn ordered(time: Timestamp) -> u64 {
    u64::try_from(time.0).unwrap_or(0)
}

/// The archive, or AWS's error when there is none.
pub(in crate::route) fn find(
    db: &impl Reader,
    account: &str,
    region: &str,
    name: &str,
) -> Result<Archive, ApiError> {
    let found = db.get::<Archive>(&key_of(account, region, name))?;
    found.ok_or_else(|| ApiError::not_found(format!("Archive {name} does not exist.")))
}
