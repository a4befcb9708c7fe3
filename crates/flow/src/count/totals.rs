//! The same counts as totals since the start, for Prometheus. The loop adds to numbers that it holds; whoever reads them
//! takes no lock that the loop waits for, but while a rule is counted for the first time. Never stored.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use landfall_core::limits;
use landfall_core::metrics::Metric;

use super::record::Series;

/// All totals of the process.
#[derive(Debug, Default)]
pub struct Totals {
    series: RwLock<BTreeMap<Series, Arc<TotalsOf>>>,
    commits: AtomicU64,
    failed_commits: AtomicU64,
    puts: AtomicU64,
}

/// The totals of one series.
#[derive(Debug)]
pub struct TotalsOf {
    /// How often each metric was counted, and the sum of its samples, whole.
    of: [(AtomicU64, AtomicU64); Metric::ALL.len()],
}

impl Default for TotalsOf {
    fn default() -> Self {
        Self {
            of: std::array::from_fn(|_| (AtomicU64::new(0), AtomicU64::new(0))),
        }
    }
}

impl TotalsOf {
    /// How often a metric was counted, and the sum of its samples.
    pub fn get(&self, metric: Metric) -> (u64, u64) {
        let found = self.of.get(metric as usize);
        found.map_or((0, 0), |(count, sum)| {
            (count.load(Ordering::Relaxed), sum.load(Ordering::Relaxed))
        })
    }
}

impl Totals {
    /// Adds samples of a series. A series too many is counted with the account.
    pub(super) fn add(&self, series: &Series, samples: &[(Metric, f64)]) {
        let of = self.of(series);
        for (metric, value) in samples {
            if let Some((count, sum)) = of.of.get(*metric as usize) {
                count.fetch_add(1, Ordering::Relaxed);
                sum.fetch_add(whole(*value), Ordering::Relaxed);
            }
        }
    }

    fn of(&self, series: &Series) -> Arc<TotalsOf> {
        let found = self
            .series
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(series)
            .map(Arc::clone);
        found.unwrap_or_else(|| {
            let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
            let series = if all.len() < limits::METRICS_TOTALS_SERIES_MAX {
                series.clone()
            } else {
                Series::of_account(&series.account, &series.region)
            };
            Arc::clone(all.entry(series).or_default())
        })
    }

    /// Counts a commit by what becomes of it.
    pub(crate) fn commit<E>(&self, commit: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let committed = commit();
        let counter = match &committed {
            Ok(()) => &self.commits,
            Err(_) => &self.failed_commits,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        committed
    }

    /// Counts an object that PutObject made.
    pub fn count_put(&self) {
        self.puts.fetch_add(1, Ordering::Relaxed);
    }

    /// Objects that PutObject made.
    pub fn puts(&self) -> u64 {
        self.puts.load(Ordering::Relaxed)
    }

    /// Commits that are durable.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Commits that failed; after the first one the store refuses all others.
    pub fn failed_commits(&self) -> u64 {
        self.failed_commits.load(Ordering::Relaxed)
    }

    /// Every series with its totals.
    pub fn all(&self) -> Vec<(Series, Arc<TotalsOf>)> {
        let all = self.series.read().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .map(|(series, totals)| (series.clone(), Arc::clone(totals)))
            .collect()
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(value: f64) -> u64 {
    value.max(0.0) as u64
}
