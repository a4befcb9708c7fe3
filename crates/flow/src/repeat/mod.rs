//! What has run once runs again without a new upload: runs that failed, those of a span of time, or whatever the rules
//! make of one object now. Never repeats a run whose repetition is under way, and never starts anything itself: it makes
//! deliveries, which go the way of all others.

mod ask;
mod object;
mod runs;

pub use ask::{Answer, Ask, Item, Next};

use landfall_core::error::ApiError;

use crate::drive::Flow;

/// Does a part of what is asked for; the answer says how to ask for the rest.
pub async fn repeat(flow: &Flow, ask: Ask) -> Result<Answer, ApiError> {
    match ask.check()? {
        Some(object) => object::repeat(flow, &ask, object).await,
        None => runs::repeat(flow, ask).await,
    }
}
