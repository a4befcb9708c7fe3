//! What EventBridge counts, minute by minute: samples are noted where the thing happens, join the turn's commit in one
//! record for each rule and minute, and are read back through CloudWatch's API. Never counts what was taken back.

pub mod cloudwatch;
pub mod gauges;
mod prune;
mod read;
mod record;
mod totals;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::metrics::{Metric, Samples};

pub use record::{Minute, Series};
pub use totals::{Totals, TotalsOf};

use crate::tx::{Reader as _, Tx};

/// Samples of one happening, on their way into the commit.
pub(crate) struct Counted {
    series: Series,
    samples: Vec<(Metric, f64)>,
}

/// What the loop remembers of the minute that runs, so that it need not be read again, and the totals.
pub(crate) struct Counting {
    minute: u64,
    current: HashMap<Series, Minute>,
    prune: prune::Round,
    totals: Arc<Totals>,
}

impl Counting {
    pub(crate) fn new(totals: Arc<Totals>) -> Self {
        Self {
            minute: 0,
            current: HashMap::new(),
            prune: prune::Round::default(),
            totals,
        }
    }

    fn forget(&mut self) {
        self.current.clear();
    }

    /// What is known of a series in a minute; of former minutes nothing is.
    fn known(&mut self, series: &Series, minute: u64) -> Option<Minute> {
        if self.minute != minute || self.current.len() >= limits::METRICS_SERIES_REMEMBERED_MAX {
            self.minute = minute;
            self.forget();
        }
        self.current.get(series).cloned()
    }
}

impl Tx<'_> {
    /// Notes samples of a series; they are written with this turn's commit.
    pub(crate) fn count(&mut self, series: Series, samples: Vec<(Metric, f64)>) {
        self.counted.push(Counted { series, samples });
    }
}

/// Writes what the turn has counted. A store that cannot be read loses the counts of this turn and nothing else.
pub(crate) fn settle(tx: &mut Tx<'_>) {
    let counted = std::mem::take(&mut tx.counted);
    if counted.is_empty() {
        return;
    }
    let mut merged: BTreeMap<Series, Minute> = BTreeMap::new();
    for Counted { series, samples } in counted {
        tx.caches.counting.totals.add(&series, &samples);
        merged.entry(series).or_default().add(samples);
    }
    if let Err(e) = tx.attempt(|tx| write(tx, merged)) {
        tracing::error!(error = %e, "the counts of a turn are lost");
        tx.caches.counting.forget();
    }
}

fn write(tx: &mut Tx<'_>, merged: BTreeMap<Series, Minute>) -> Result<(), ApiError> {
    let minute = minute_of(tx.now());
    for (series, counted) in merged {
        let key = series.key(minute);
        let former = match tx.caches.counting.known(&series, minute) {
            Some(known) => Some(known),
            None => tx.get::<Minute>(&key)?,
        };
        if former.is_none() {
            prune::step(tx, minute)?;
        }
        let whole = former.unwrap_or_default().and(counted);
        tx.put(&key, &whole)?;
        tx.caches.counting.current.insert(series, whole);
    }
    Ok(())
}

fn minute_of(at: Timestamp) -> u64 {
    u64::try_from(at.0 / 60_000).unwrap_or(0)
}

/// One sample of a count.
pub(crate) fn once(metric: Metric) -> (Metric, f64) {
    (metric, 1.0)
}

/// A duration as a sample.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn millis(metric: Metric, from: Timestamp, to: Timestamp) -> (Metric, f64) {
    (metric, to.0.saturating_sub(from.0).max(0) as f64)
}

/// An amount as samples' sum.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn amount(metric: Metric, amount: usize) -> (Metric, f64) {
    (metric, amount as f64)
}

impl Minute {
    fn add(&mut self, samples: Vec<(Metric, f64)>) {
        for (metric, value) in samples {
            self.put(metric, Samples::one(value));
        }
    }
}
