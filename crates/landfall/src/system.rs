//! The system's clock and randomness. Never used by the pipeline but through its traits.

use std::time::{SystemTime, UNIX_EPOCH};

use landfall_core::clock::{Clock, Timestamp};
use landfall_core::ids::Ids;

/// The wall clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The kernel's randomness.
pub struct SystemIds;

impl Ids for SystemIds {
    fn fill(&self, buffer: &mut [u8]) {
        landfall_core::invariant!(
            getrandom::fill(buffer).is_ok(),
            "a running kernel gives random bytes"
        );
    }
}
