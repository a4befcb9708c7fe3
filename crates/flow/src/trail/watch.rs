//! Which trails look at what, remembered between calls, so that a call that nobody looks at costs nothing.
//! All of it can be rebuilt from the store; never the truth.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use landfall_core::arn::arn;
use landfall_core::error::ApiError;
use landfall_core::trail::{Subject, take, take_data};

use super::call::Call;
use super::model::Trail;
use super::record::object_arn;
use crate::key::Key;
use crate::tx::{Reader, Tx};

/// The trails that record, shared by the loop, which writes it, and all who serve requests.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    trails: RwLock<Arc<[Trail]>>,
    delay_millis: AtomicI64,
}

impl Watch {
    /// The trails that record.
    pub(crate) fn trails(&self) -> Arc<[Trail]> {
        Arc::clone(&self.trails.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the trails from the store.
    pub(crate) fn look(&self, reader: &impl Reader) -> Result<(), ApiError> {
        self.set(load(reader)?);
        Ok(())
    }

    fn set(&self, trails: Arc<[Trail]>) {
        *self.trails.write().unwrap_or_else(PoisonError::into_inner) = trails;
    }

    /// Whether any trail looks at data events at all.
    pub(crate) fn look_at_data(&self) -> bool {
        self.trails()
            .iter()
            .any(|trail| take_data(&trail.selectors, &trail.advanced))
    }

    /// Whether any trail, of whatever account and region, selects a call.
    pub(crate) fn take(&self, call: &Call) -> bool {
        let caller_arn = arn("iam", "", &call.caller.account, "root");
        let object_arn = object_arn(&call.target);
        let subject = Subject {
            source: &call.source,
            name: &call.name,
            read_only: call.read_only,
            caller_arn: &caller_arn,
            object_arn: object_arn.as_deref(),
        };
        self.trails()
            .iter()
            .any(|trail| take(&trail.selectors, &trail.advanced, &subject))
    }

    /// How long AWS's delay is imitated.
    pub(crate) fn delay_millis(&self) -> i64 {
        self.delay_millis.load(Ordering::Relaxed)
    }

    /// Imitates AWS's delay from now on.
    pub(crate) fn set_delay_millis(&self, millis: i64) {
        self.delay_millis.store(millis, Ordering::Relaxed);
    }
}

/// Reads the trails that record from the store.
fn load(reader: &impl Reader) -> Result<Arc<[Trail]>, ApiError> {
    let mut trails: Vec<Trail> = reader.all(&Key::new("trail"))?;
    trails.retain(|trail| trail.logging);
    Ok(trails.into())
}

/// The trails that record, as this transaction sees them.
pub(super) fn live(tx: &mut Tx<'_>) -> Result<Arc<[Trail]>, ApiError> {
    if tx.caches.trails.is_known {
        return Ok(tx.caches.trails.watch.trails());
    }
    let trails = load(tx)?;
    tx.caches.trails.watch.set(Arc::clone(&trails));
    tx.caches.trails.is_known = true;
    Ok(trails)
}

/// Whether a trail takes a call in an account and region.
pub(super) fn takes(trail: &Trail, account: &str, region: &str, subject: &Subject<'_>) -> bool {
    trail.account == account
        && (trail.multi_region || trail.home == region)
        && take(&trail.selectors, &trail.advanced, subject)
}
