//! What the loop remembers between two turns. All of it can be rebuilt from the store; never the truth.

use std::collections::HashMap;

use landfall_pattern::Matcher;

use crate::count::Counting;
use crate::land::bucket::ReadBuckets;
use crate::route::BusKey;
use crate::trail::Waiting;

/// The compiled rules of a bus.
struct Rules {
    matcher: Matcher<String>,
    /// Whether one of them takes read-only management events.
    want_reads: bool,
}

/// Shortcuts past reads of the store.
pub struct Caches {
    /// The compiled rules of each bus that an event has met.
    matchers: HashMap<BusKey, Rules>,
    /// Events may wait for their rules.
    pub(crate) events_waiting: bool,
    /// Every event up to this number has met its rules.
    pub(crate) routed: u64,
    /// No delivery is due before this moment (milliseconds since the epoch); `None`: none is due at all.
    pub(crate) deliveries_due: Option<i64>,
    /// Tasks that have been placed and have not stopped.
    pub(crate) placed: usize,
    /// Tasks may wait for a place.
    pub(crate) tasks_waiting: bool,
    /// What waits for trails.
    pub(crate) trails: Waiting,
    /// Buckets that uploads have met.
    pub(crate) buckets: ReadBuckets,
    /// What has been counted.
    pub(crate) counting: Counting,
}

impl Caches {
    /// At a start anything may be waiting.
    pub(crate) fn at_start(trails: Waiting, counting: Counting) -> Self {
        Self {
            matchers: HashMap::new(),
            events_waiting: true,
            routed: 0,
            deliveries_due: Some(0),
            placed: 0,
            tasks_waiting: true,
            trails,
            buckets: ReadBuckets::default(),
            counting,
        }
    }

    /// The rules of `bus` have changed.
    pub fn forget_rules(&mut self, bus: &BusKey) {
        self.matchers.remove(bus);
    }

    /// The compiled rules of `bus`, if they have been compiled.
    pub(crate) fn matcher(&self, bus: &BusKey) -> Option<&Matcher<String>> {
        self.matchers.get(bus).map(|rules| &rules.matcher)
    }

    /// Whether a rule of `bus` takes read-only management events, if its rules have been compiled.
    pub(crate) fn wants_reads(&self, bus: &BusKey) -> Option<bool> {
        self.matchers.get(bus).map(|rules| rules.want_reads)
    }

    /// Remembers the compiled rules of `bus`.
    pub(crate) fn remember_rules(
        &mut self,
        bus: &BusKey,
        matcher: Matcher<String>,
        want_reads: bool,
    ) {
        let rules = Rules {
            matcher,
            want_reads,
        };
        self.matchers.insert(bus.clone(), rules);
    }

    /// A step failed and was taken back: look at everything again.
    pub(crate) fn doubt(&mut self, retry_at_millis: i64) {
        self.events_waiting = true;
        self.tasks_waiting = true;
        self.deliveries_due = Some(retry_at_millis);
        self.trails.doubt(retry_at_millis);
    }
}
