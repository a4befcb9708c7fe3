//! Minutes that are too old go, a few whenever a new one begins, in turn through all series: the store stops growing when
//! as many go as come. Never looks at more than a named number of records at once.

use std::ops::Bound;

use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::Direction;

use super::record::{self, Minute, Series};
use crate::key::Key;
use crate::tx::{Reader as _, Tx};

/// Where the round stands: behind this key.
#[derive(Default)]
pub(super) struct Round {
    behind: Option<Bound<Vec<u8>>>,
}

/// Removes the old ones among the next records.
pub(super) fn step(tx: &mut Tx<'_>, minute: u64) -> Result<(), ApiError> {
    let oldest = minute.saturating_sub(limits::METRICS_MINUTES_KEPT);
    let (begin, end) = record::all().range();
    let mut from = tx.caches.counting.prune.behind.take().unwrap_or(begin);
    for _ in 0..limits::METRICS_PRUNED_PER_MINUTE_MAX {
        let next = tx
            .list_between::<Minute>(from.clone(), end.clone(), Direction::Forward)
            .next()
            .transpose()?;
        let Some((key, _)) = next else {
            return Ok(());
        };
        from = match Series::parse(&key) {
            Some((_, at)) if at < oldest => {
                tx.delete::<Minute>(&key);
                after(&key)
            }
            // The series is in order of time: nothing behind this one is old.
            Some((series, _)) => series.prefix().past(),
            None => after(&key),
        };
    }
    tx.caches.counting.prune.behind = Some(from);
    Ok(())
}

fn after(key: &Key) -> Bound<Vec<u8>> {
    Bound::Excluded(key.bytes().to_vec())
}
