//! Questions to the ledger: by object, rule, state and time, a bounded piece of work at a time. Never changes anything.

use std::collections::BTreeSet;
use std::ops::Bound;

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::Direction;

use super::ledger::{Listed, listed_key};
use super::run::{self, Run, RunState};
use crate::deliver::{Delivery, delivery_key};
use crate::key::{self, Key};
use crate::tx::Reader;

/// Which runs are meant. What is not given lets all pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Bucket of the object.
    pub bucket: Option<String>,
    /// What the object's key begins with; needs a bucket.
    pub prefix: Option<String>,
    /// The object's whole key; needs a bucket.
    pub key: Option<String>,
    /// Name of the rule.
    pub rule: Option<String>,
    /// How it stands.
    pub state: Option<RunState>,
    /// Matched at this moment or later.
    pub since: Option<Timestamp>,
    /// Numbers above this one only.
    pub after: u64,
}

/// Some runs, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The runs.
    pub runs: Vec<Run>,
    /// There may be older ones: those below this number.
    pub next: Option<u64>,
}

impl Filter {
    /// Whether a delivery passes, its state aside.
    fn takes(&self, delivery: &Delivery) -> bool {
        let object = delivery.object.as_ref();
        let bucket = object.map(|o| o.bucket.as_str());
        let key = object.map(|o| o.key.as_str()).unwrap_or_default();
        self.bucket.as_deref().is_none_or(|it| bucket == Some(it))
            && self.key.as_deref().is_none_or(|it| key == it)
            && self.prefix.as_deref().is_none_or(|it| key.starts_with(it))
            && self.rule.as_deref().is_none_or(|it| delivery.rule == it)
            && self.since.is_none_or(|it| delivery.matched_at >= it)
    }

    /// The line of a delivery that passes.
    pub(super) fn passing(
        &self,
        db: &impl Reader,
        number: u64,
        delivery: Delivery,
    ) -> Result<Option<Run>, ApiError> {
        if !self.takes(&delivery) {
            return Ok(None);
        }
        let run = run::of(db, number, delivery)?;
        Ok(Some(run).filter(|run| self.state.is_none_or(|it| run.state == it)))
    }
}

/// The newest `count` runs below number `before` that pass.
///
/// Looks at so many deliveries at most as [`limits::RUNS_SCANNED_PER_PAGE_MAX`] says, so that a page may hold fewer, or
/// none, and yet not be the last.
pub fn runs(
    db: &impl Reader,
    filter: &Filter,
    before: Option<u64>,
    count: usize,
) -> Result<Page, ApiError> {
    let before = before.unwrap_or(u64::MAX);
    match of_objects(db, filter, before)? {
        Some(numbers) => {
            let some = numbers.into_iter().rev().map(|number| {
                let delivery = db.get::<Delivery>(&delivery_key(number))?;
                Ok(delivery.map(|delivery| (number, delivery)))
            });
            gather(db, filter, count, some)
        }
        None => {
            let from = Bound::Excluded(delivery_key(filter.after).bytes().to_vec());
            let to = Bound::Excluded(delivery_key(before).bytes().to_vec());
            let all = db.list_between::<Delivery>(from, to, Direction::Backward);
            let some = all.map(|entry| {
                let (key, delivery) = entry?;
                Ok(number_of(&key).map(|number| (number, delivery)))
            });
            gather(db, filter, count, some)
        }
    }
}

/// Takes from deliveries that come newest first until the page is full, or enough of them have been looked at.
fn gather(
    db: &impl Reader,
    filter: &Filter,
    count: usize,
    some: impl Iterator<Item = Result<Option<(u64, Delivery)>, ApiError>>,
) -> Result<Page, ApiError> {
    let (mut page, mut seen) = (Page::default(), None);
    for (looked_at, entry) in some.enumerate() {
        if page.runs.len() >= count || looked_at >= limits::RUNS_SCANNED_PER_PAGE_MAX {
            page.next = seen;
            break;
        }
        let Some((number, delivery)) = entry? else {
            continue;
        };
        seen = Some(number);
        // Numbers rise with time, so that all that follow are older still.
        if filter
            .since
            .is_some_and(|since| delivery.matched_at < since)
        {
            break;
        }
        page.runs.extend(filter.passing(db, number, delivery)?);
    }
    page.runs.reverse();
    Ok(page)
}

/// The numbers below `before` of the runs of the objects that are meant, when they are few enough to be told from the
/// index alone; `None` when the ledger itself has to be walked.
fn of_objects(
    db: &impl Reader,
    filter: &Filter,
    before: u64,
) -> Result<Option<BTreeSet<u64>>, ApiError> {
    let Some(bucket) = filter.bucket.as_deref() else {
        return Ok(None);
    };
    let of_bucket = listed_key(bucket);
    let range = match (&filter.key, &filter.prefix) {
        (Some(key), _) => of_bucket.part(key),
        (None, Some(prefix)) => of_bucket.beginning(prefix),
        (None, None) => of_bucket,
    };
    let mut numbers = BTreeSet::new();
    for (looked_at, entry) in db.list::<Listed>(&range, Direction::Forward).enumerate() {
        if looked_at >= limits::RUNS_INDEXED_PER_PAGE_MAX {
            return Ok(None);
        }
        let number = number_of(&entry?.0);
        numbers.extend(number.filter(|it| *it < before && *it > filter.after));
    }
    Ok(Some(numbers))
}

/// The newest `count` deliveries of the events of one object, newest first.
pub(crate) fn of_object(
    db: &impl Reader,
    bucket: &str,
    key: &str,
    count: usize,
) -> Result<Vec<(u64, Delivery)>, ApiError> {
    let all = listed_key(bucket).part(key);
    let mut found = Vec::new();
    for line in db.list::<Listed>(&all, Direction::Backward).take(count) {
        let number = number_of(&line?.0).unwrap_or(0);
        let delivery = db.get::<Delivery>(&delivery_key(number))?;
        found.extend(delivery.map(|delivery| (number, delivery)));
    }
    Ok(found)
}

/// The runs of these numbers; those that are not there are left out.
pub fn some(db: &impl Reader, numbers: &[u64]) -> Result<Vec<Run>, ApiError> {
    let all = numbers.iter().map(|number| single(db, *number));
    all.filter_map(Result::transpose).collect()
}

/// The run of that number.
pub fn single(db: &impl Reader, number: u64) -> Result<Option<Run>, ApiError> {
    let delivery = db.get::<Delivery>(&delivery_key(number))?;
    delivery.map(|it| run::of(db, number, it)).transpose()
}

/// The number at the end of a key.
pub(crate) fn number_of(key: &Key) -> Option<u64> {
    let parts = key::parts(key.bytes());
    parts.last().and_then(|part| key::number(part))
}
