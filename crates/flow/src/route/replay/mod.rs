//! Replays of archives: the events of a span of time go back to the rules of their bus, once each. Never sends an event
//! to another bus than the one that it came from.

mod record;
mod turn;
mod verbs;

pub use record::{Active, Replay};
pub(super) use turn::forget_old;
pub(crate) use turn::turn;
pub use verbs::{cancel, describe, list, start};
