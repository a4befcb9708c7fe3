//! Which trails look at what, remembered between calls, so that a call that nobody looks at costs nothing.
//! All of it can be rebuilt from the store; never the truth.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use landfall_core::error::ApiError;
use landfall_core::explain::Trails;
use landfall_core::trail::record::Facts;
use landfall_core::trail::{Subject, take, take_data};

use super::call::Call;
use super::model::Trail;
use crate::key::Key;
use crate::tx::{Reader, Tx};

/// The trails that record, shared by the loop, which writes it, and all who serve requests.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    trails: RwLock<Arc<[Trail]>>,
    takes_data: AtomicBool,
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
        let takes_data = |trail: &Trail| take_data(&trail.selectors, &trail.advanced);
        let any = trails.iter().any(takes_data);
        self.takes_data.store(any, Ordering::Release);
        *self.trails.write().unwrap_or_else(PoisonError::into_inner) = trails;
    }

    /// Whether any trail looks at data events at all.
    pub(crate) fn look_at_data(&self) -> bool {
        self.takes_data.load(Ordering::Acquire)
    }

    /// Whether any trail, of whatever account and region, selects a call.
    pub(crate) fn take(&self, call: &Call) -> bool {
        let (caller_arn, object_arn) = (call.caller.arn(), call.target.object_arn());
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

/// Whether a trail takes a call that belongs there.
pub(super) fn takes(trail: &Trail, facts: &Facts, subject: &Subject<'_>) -> bool {
    trail.account == facts.account
        && (trail.multi_region || trail.home == facts.region)
        && (trail.global || !facts.is_global)
        && take(&trail.selectors, &trail.advanced, subject)
}

/// What the trails of an account make of calls on an object in a region.
pub(crate) fn of_object(
    db: &impl Reader,
    account: &str,
    region: &str,
    subject: &Subject<'_>,
) -> Result<Trails, ApiError> {
    let mut trails: Vec<Trail> = db.all(&Key::new("trail"))?;
    trails.retain(|it| it.account == account && (it.multi_region || it.home == region));
    let selects = |it: &&Trail| take(&it.selectors, &it.advanced, subject);
    let selecting: Vec<&Trail> = trails.iter().filter(selects).collect();
    let logs = selecting.iter().find(|it| it.logging);
    Ok(match (logs, selecting.first()) {
        (Some(trail), _) => Trails::Log(trail.name.clone()),
        (None, Some(trail)) => Trails::Stopped(trail.name.clone()),
        (None, None) => Trails::NoneSelects(trails.len()),
    })
}

#[cfg(test)]
mod tests {
    use landfall_core::clock::Timestamp;
    use landfall_core::trail::standard;

    use super::*;

    #[test]
    fn a_trail_takes_what_belongs_to_its_account_and_region() {
        let trail = |home: &str, multi_region, global| Trail {
            account: "1".to_owned(),
            home: home.to_owned(),
            name: "n".to_owned(),
            bucket: "b".to_owned(),
            prefix: None,
            global,
            multi_region,
            validation: false,
            selectors: vec![standard()],
            advanced: Vec::new(),
            custom: false,
            logging: true,
            started_at: None,
            stopped_at: None,
            recursive: true,
        };
        let subject = Subject {
            source: "iam.amazonaws.com",
            name: "CreateRole",
            read_only: false,
            caller_arn: "",
            object_arn: None,
        };
        let table = [
            (
                trail("us-east-1", false, true),
                "1",
                "us-east-1",
                true,
                true,
            ),
            (
                trail("us-east-1", false, false),
                "1",
                "us-east-1",
                true,
                false,
            ),
            (
                trail("us-east-1", false, false),
                "1",
                "us-east-1",
                false,
                true,
            ),
            (
                trail("eu-west-1", false, true),
                "1",
                "us-east-1",
                true,
                false,
            ),
            (trail("eu-west-1", true, true), "1", "us-east-1", true, true),
            (
                trail("us-east-1", true, true),
                "2",
                "us-east-1",
                false,
                false,
            ),
        ];
        for (trail, account, region, is_global, expected) in table {
            let facts = Facts {
                at: Timestamp(0),
                id: String::new(),
                account: account.to_owned(),
                region: region.to_owned(),
                is_global,
                owner: None,
                caller_arn: String::new(),
                object_arn: None,
            };
            assert_eq!(
                takes(&trail, &facts, &subject),
                expected,
                "{trail:?} {facts:?}"
            );
        }
    }
}
