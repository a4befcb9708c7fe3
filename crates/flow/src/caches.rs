//! What the loop remembers between two turns. All of it can be rebuilt from the store; never the truth.

use std::collections::HashMap;

use landfall_pattern::{EventError, Scratch, Snapshot};

use crate::count::Counting;
use crate::key::Key;
use crate::land::bucket::ReadBuckets;
use crate::route::BusKey;
use crate::route::archive::Sweep;
use crate::run::Launches;
use crate::tell::Keeping;
use crate::trail::Waiting;

/// The compiled rules of a bus.
struct Rules {
    rules: Snapshot<String>,
    /// Whether one of them takes read-only management events.
    want_reads: bool,
}

/// Shortcuts past reads of the store.
pub struct Caches {
    /// The compiled rules of each bus that an event has met.
    matchers: HashMap<BusKey, Rules>,
    /// Memory for asking any of them.
    scratch: Scratch,
    /// Events may wait for their rules.
    pub(crate) events_waiting: bool,
    /// Every event up to this number has met its rules.
    pub(crate) routed: u64,
    /// No delivery is due before this moment (milliseconds since the epoch); `None`: none is due at all.
    pub(crate) deliveries_due: Option<i64>,
    /// Every mark of a due delivery up to this one has been taken away.
    pub(crate) deliveries_past: Option<Key>,
    /// Which tasks have a place, and where others wait for one.
    pub(crate) launches: Launches,
    /// What waits for trails.
    pub(crate) trails: Waiting,
    /// How far archives are looked through for what must go.
    pub(crate) archives: Sweep,
    /// Replays may have events to send.
    pub(crate) replays_active: bool,
    /// Buckets that uploads have met.
    pub(crate) buckets: ReadBuckets,
    /// How the ledger is kept within bounds.
    pub(crate) ledger: Keeping,
    /// What has been counted.
    pub(crate) counting: Counting,
}

impl Caches {
    /// At a start anything may be waiting.
    pub(crate) fn at_start(trails: Waiting, counting: Counting) -> Self {
        Self {
            matchers: HashMap::new(),
            scratch: Scratch::default(),
            events_waiting: true,
            routed: 0,
            deliveries_due: Some(0),
            deliveries_past: None,
            launches: Launches::default(),
            trails,
            archives: Sweep::at_start(),
            replays_active: true,
            buckets: ReadBuckets::default(),
            ledger: Keeping::at_start(),
            counting,
        }
    }

    /// The rules of `bus` have changed.
    pub fn forget_rules(&mut self, bus: &BusKey) {
        self.matchers.remove(bus);
    }

    /// Whether the rules of `bus` have been compiled.
    pub(crate) fn knows_rules(&self, bus: &BusKey) -> bool {
        self.matchers.contains_key(bus)
    }

    /// The names of the compiled rules of `bus` that match an event, ascending. `is_distinct`: no path comes twice in it.
    pub(crate) fn matches(
        &mut self,
        bus: &BusKey,
        json: &str,
        is_distinct: bool,
    ) -> Result<Vec<String>, EventError> {
        let mut names = Vec::new();
        let Some(Rules { rules, .. }) = self.matchers.get(bus) else {
            return Ok(names);
        };
        let found = |name: &String| names.push(name.clone());
        match is_distinct {
            true => rules.matches_distinct_with(json, &mut self.scratch, found),
            false => rules.matches_with(json, &mut self.scratch, found),
        }?;
        names.sort_unstable();
        Ok(names)
    }

    /// Whether a rule of `bus` takes read-only management events, if its rules have been compiled.
    pub(crate) fn wants_reads(&self, bus: &BusKey) -> Option<bool> {
        self.matchers.get(bus).map(|rules| rules.want_reads)
    }

    /// Remembers the compiled rules of `bus`.
    pub(crate) fn remember_rules(
        &mut self,
        bus: &BusKey,
        rules: Snapshot<String>,
        want_reads: bool,
    ) {
        self.matchers
            .insert(bus.clone(), Rules { rules, want_reads });
    }

    /// A step failed and was taken back: look at everything again.
    pub(crate) fn doubt(&mut self, retry_at_millis: i64) {
        self.events_waiting = true;
        self.launches.doubt();
        self.deliveries_due = Some(retry_at_millis);
        self.deliveries_past = None;
        self.archives.look_now();
        self.replays_active = true;
        self.trails.doubt(retry_at_millis);
        self.ledger.doubt(retry_at_millis);
    }
}
