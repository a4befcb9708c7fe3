//! Events meet the rules of their bus: buses, rules and targets as the API knows them, and the step of the loop
//! that turns each match into a delivery. Never attempts a delivery.

pub mod archive;
pub mod bus;
mod event;
mod matching;
pub mod put_events;
pub mod replay;
pub mod rules;
pub mod targets;

pub use bus::{BusKey, DEFAULT_BUS};
pub(crate) use event::emit_if_wanted;
pub use event::{Again, ObjectRef, StoredEvent, emit};
use landfall_core::api::value::EpochSeconds;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
pub(crate) use matching::{meet, turn, wants_reads};
pub use rules::Rule;

/// AWS's word for every quota of EventBridge.
fn limit_exceeded() -> ApiError {
    ApiError::client(
        "LimitExceededException",
        "The requested resource exceeds the maximum number allowed.",
    )
}

fn epoch(at: Timestamp) -> Option<EpochSeconds> {
    (at != Timestamp::default()).then(|| EpochSeconds(at.epoch_seconds()))
}
