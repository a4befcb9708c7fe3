//! Events meet the rules of their bus: buses, rules and targets as the API knows them, and the step of the loop
//! that turns each match into a delivery. Never attempts a delivery.

mod event;

pub use event::{ObjectRef, StoredEvent, emit, event_key};
use landfall_core::error::ApiError;

use crate::drive::Pending;
use crate::tx::Tx;

/// Compiled rules by bus.
#[derive(Default)]
pub struct Matchers {}

/// One step of the loop.
pub(crate) fn turn(_: &mut Tx<'_>) -> Result<Pending, ApiError> {
    Ok(Pending::default())
}
