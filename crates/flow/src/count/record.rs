//! The stored form of what was counted. Never decides what counts.

use std::collections::BTreeMap;

use landfall_core::metrics::{Metric, Samples};
use serde::{Deserialize, Serialize};

use crate::key::{self, Key};
use crate::route::BusKey;

/// Whose samples they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    /// 12-digit account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Name of the bus; empty for what is counted of the account as a whole.
    pub bus: String,
    /// Name of the rule; empty for what is counted of the account as a whole.
    pub rule: String,
}

impl Series {
    /// The samples of a rule.
    pub(crate) fn of_rule(bus: &BusKey, rule: &str) -> Self {
        Self {
            account: bus.account.clone(),
            region: bus.region.clone(),
            bus: bus.name.clone(),
            rule: rule.to_owned(),
        }
    }

    /// The samples that belong to no rule.
    pub(crate) fn of_account(account: &str, region: &str) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            bus: String::new(),
            rule: String::new(),
        }
    }

    /// Prefix of the keys of all its minutes.
    pub(super) fn prefix(&self) -> Key {
        of_account(&self.account, &self.region)
            .part(&self.bus)
            .part(&self.rule)
    }

    pub(super) fn key(&self, minute: u64) -> Key {
        self.prefix().number(minute)
    }

    /// The series and the minute of a key.
    pub(super) fn parse(key: &Key) -> Option<(Self, u64)> {
        let parts = key::parts(key.bytes());
        let [account, region, bus, rule, minute] = &parts[..] else {
            return None;
        };
        let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
        let series = Self {
            account: text(account),
            region: text(region),
            bus: text(bus),
            rule: text(rule),
        };
        Some((series, key::number(minute)?))
    }
}

/// Prefix of the keys of all series.
pub(super) fn all() -> Key {
    Key::new("metric")
}

/// Prefix of the keys of all series of an account and region.
pub(super) fn of_account(account: &str, region: &str) -> Key {
    all().part(account).part(region)
}

/// What was counted of a series in one minute.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Minute {
    samples: BTreeMap<Metric, Samples>,
}
crate::record!(Minute in Road);

impl Minute {
    /// The samples of a metric, if there are any.
    pub(super) fn of(&self, metric: Metric) -> Option<Samples> {
        self.samples.get(&metric).copied()
    }

    /// The metrics that have samples.
    pub(super) fn metrics(&self) -> impl Iterator<Item = Metric> {
        self.samples.keys().copied()
    }

    pub(super) fn put(&mut self, metric: Metric, more: Samples) {
        let former = self.samples.get(&metric).copied();
        let whole = former.map_or(more, |former| former.and(more));
        self.samples.insert(metric, whole);
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        for (metric, samples) in other.samples {
            self.put(metric, samples);
        }
        self
    }
}
