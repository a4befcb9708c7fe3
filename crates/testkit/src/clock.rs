//! A clock that stands still until the test turns it. Never reads the system's.

use std::sync::atomic::{AtomicI64, Ordering};

use landfall_core::clock::{Clock, Timestamp};

/// A settable [`Clock`].
#[derive(Debug)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Turns the clock to `now`, forward or back.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }

    /// Turns the clock forward by `millis`.
    pub fn advance_millis(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Default for TestClock {
    /// 2026-11-12T00:00:00Z.
    fn default() -> Self {
        Self::at(Timestamp(1_794_441_600_000))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_shows_what_it_was_turned_to() {
        let clock = TestClock::default();
        assert_eq!(clock.now().rfc3339_seconds(), "2026-11-12T00:00:00Z");
        clock.advance_millis(1_500);
        assert_eq!(clock.now().iso8601_millis(), "2026-11-12T00:00:01.500Z");
        clock.set(Timestamp(7));
        assert_eq!(clock.now(), Timestamp(7));
    }
}
