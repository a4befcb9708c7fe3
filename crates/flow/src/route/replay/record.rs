//! The stored form of a replay. Never decides anything.

use landfall_core::api::generated::events as api;
use landfall_core::arn::arn;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};

use crate::key::Key;
use crate::tx::Reader;

/// A replay, also when it has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// Unique in its account and region.
    pub name: String,
    /// 12-digit account.
    pub account: String,
    /// Region.
    pub region: String,
    /// A number of the store's sequence: sets its deliveries apart from those of a forgotten replay of the same name.
    pub number: u64,
    /// ARN of the archive as the request gave it.
    pub source_arn: String,
    /// Name of the archive.
    pub archive: String,
    /// Id of the archive.
    pub archive_id: String,
    /// Free text.
    pub description: Option<String>,
    /// The bus, and the rules if not all of them.
    pub destination: api::ReplayDestination,
    /// Events from this time on are sent.
    pub from: Timestamp,
    /// Events in front of this time are sent.
    pub until: Timestamp,
    /// AWS's word.
    pub state: String,
    /// Why it is in that state.
    pub state_reason: Option<String>,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The time and the number in the archive of the last event that was sent.
    pub sent: Option<(Timestamp, u64)>,
}
crate::record!(Replay in Road);

/// Marks a replay that has not ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct Active {}
crate::record!(Active in Road);

impl Replay {
    pub(super) fn arn(&self) -> String {
        let resource = format_args!("replay/{}", self.name);
        arn("events", &self.region, &self.account, resource)
    }

    pub(super) fn key(&self) -> Key {
        prefix(&self.account, &self.region).part(&self.name)
    }

    pub(super) fn active_key(&self) -> Key {
        active_prefix(&self.account, &self.region).part(&self.name)
    }
}

pub(super) fn prefix(account: &str, region: &str) -> Key {
    Key::new("replay").part(account).part(region)
}

pub(super) fn active_prefix(account: &str, region: &str) -> Key {
    Key::new("replay-active").part(account).part(region)
}

/// The replay, or AWS's error when there is none.
pub(super) fn find(
    db: &impl Reader,
    account: &str,
    region: &str,
    name: &str,
) -> Result<Replay, ApiError> {
    let found = db.get::<Replay>(&prefix(account, region).part(name))?;
    found.ok_or_else(|| ApiError::not_found(format!("Replay {name} does not exist.")))
}
