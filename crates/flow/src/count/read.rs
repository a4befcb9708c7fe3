//! Reading back what was counted: one series, all of a bus, or all of an account. Never looks at more records than a named
//! number.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::metrics::{Metric, Samples, Window};
use landfall_store::Direction;

use super::record::{self, Minute, Series};
use crate::key::Key;
use crate::tx::Reader;

/// Which series a question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// Everything in an account and region.
    Account,
    /// All rules of a bus.
    Bus(String),
    /// One rule of a bus.
    Rule(String, String),
}

/// The series that a question is about.
fn series(
    db: &impl Reader,
    account: &str,
    region: &str,
    asked: &Asked,
) -> Result<Vec<Series>, ApiError> {
    let whole = record::of_account(account, region);
    match asked {
        Asked::Rule(bus, rule) => Ok(vec![Series {
            account: account.to_owned(),
            region: region.to_owned(),
            bus: bus.clone(),
            rule: rule.clone(),
        }]),
        Asked::Bus(bus) => under(db, &whole.part(bus)),
        Asked::Account => under(db, &whole),
    }
}

/// Every series whose keys begin so, found by leaping from one to the next.
pub(super) fn under(db: &impl Reader, prefix: &Key) -> Result<Vec<Series>, ApiError> {
    let (mut from, to) = prefix.range();
    let mut all = Vec::new();
    loop {
        let mut next = db.list_between::<Minute>(from, to.clone(), Direction::Forward);
        let Some((key, _)) = next.next().transpose()? else {
            return Ok(all);
        };
        let Some((series, _)) = Series::parse(&key) else {
            return Err(ApiError::internal("a counted minute has a damaged key"));
        };
        from = series.prefix().past();
        all.push(series);
    }
}

/// The samples of a metric by the beginning of their period; seconds since the epoch.
pub(super) fn periods(
    db: &impl Reader,
    (account, region): (&str, &str),
    asked: &Asked,
    metric: Metric,
    window: Window,
    budget: &mut usize,
) -> Result<BTreeMap<i64, Samples>, ApiError> {
    let mut periods: BTreeMap<i64, Samples> = BTreeMap::new();
    for series in series(db, account, region, asked)? {
        for entry in minutes(db, &series, window.minutes()) {
            let (minute, counted) = entry?;
            spend(budget)?;
            let Some(samples) = counted.of(metric) else {
                continue;
            };
            let at = window.period_of(minute);
            let whole = periods
                .get(&at)
                .map_or(samples, |former| former.and(samples));
            periods.insert(at, whole);
        }
    }
    Ok(periods)
}

/// The metrics that a series has samples of since a minute.
pub(super) fn metrics(
    db: &impl Reader,
    series: &Series,
    since: i64,
    budget: &mut usize,
) -> Result<BTreeSet<Metric>, ApiError> {
    let mut found = BTreeSet::new();
    for entry in minutes(db, series, (since, i64::MAX)) {
        spend(budget)?;
        found.extend(entry?.1.metrics());
    }
    Ok(found)
}

/// The minutes of a series from one on and before another.
fn minutes(
    db: &impl Reader,
    series: &Series,
    (first, end): (i64, i64),
) -> impl Iterator<Item = Result<(i64, Minute), ApiError>> {
    let key = |minute: i64| {
        series
            .key(u64::try_from(minute).unwrap_or(0))
            .bytes()
            .to_vec()
    };
    let bounds = (Bound::Included(key(first)), Bound::Excluded(key(end)));
    db.list_between::<Minute>(bounds.0, bounds.1, Direction::Forward)
        .map(|entry| {
            let (key, counted) = entry?;
            let minute = Series::parse(&key).and_then(|(_, minute)| i64::try_from(minute).ok());
            Ok((minute.unwrap_or_default(), counted))
        })
}

fn spend(budget: &mut usize) -> Result<(), ApiError> {
    *budget = budget.checked_sub(1).ok_or_else(|| {
        let max = limits::METRICS_RECORDS_READ_MAX;
        ApiError::client(
            "InvalidParameterCombination",
            format!("The request is about more than {max} minutes of rules; ask for a shorter time or for single rules."),
        )
    })?;
    Ok(())
}
