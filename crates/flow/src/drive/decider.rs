//! One turn of the loop: decide a group of jobs, take the pipeline's steps, commit, answer. Never knows which thread it
//! runs on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use landfall_core::clock::Clock;
use landfall_core::error::ApiError;
use landfall_core::ids::Ids;
use landfall_core::limits;
use landfall_core::settings::Settings;
use landfall_store::{State, StoreError};

use super::{FlowParts, Pending};
use crate::caches::Caches;
use crate::count::{Counting, Totals};
use crate::trail::{self, Waiting, Watch};
use crate::tx::{Effect, Reader as _, Tx, View};
use crate::{build, count, deliver, record, route, run, tell};

/// Tells the client that waits for a job, once its commit has succeeded or failed.
pub(super) type Answer = Box<dyn FnOnce(Result<(), &StoreError>) + Send>;
/// A change to be decided.
pub(super) type Job = Box<dyn FnOnce(&mut Tx<'_>) -> Answer + Send>;

/// The counter of the store's one sequence, reserved in blocks so that it never repeats after a crash.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Reserved {
    up_to: u64,
}
crate::record!(Reserved in Control);

const SEQUENCE_BLOCK: u64 = 1 << 20;
/// The longest sleep of the loop when nothing is due.
const IDLE: Duration = Duration::from_secs(60);

/// The state of the loop that is not in the store: all of it can be rebuilt from the store.
pub(super) struct Decider {
    state: Arc<dyn State>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    settings: Settings,
    sequence: u64,
    reserved: u64,
    caches: Caches,
    totals: Arc<Totals>,
    recovering: bool,
}

impl Decider {
    pub(super) fn new(
        parts: &FlowParts,
        trails: &Arc<Watch>,
        totals: &Arc<Totals>,
    ) -> Result<Self, ApiError> {
        let view = View::new(&*parts.state);
        let reserved = view
            .get::<Reserved>(&reserved_key())?
            .map_or(0, |r| r.up_to);
        trails.look(&view)?;
        Ok(Self {
            state: Arc::clone(&parts.state),
            clock: Arc::clone(&parts.clock),
            ids: Arc::clone(&parts.ids),
            settings: parts.settings.clone(),
            sequence: reserved,
            reserved,
            caches: Caches::at_start(
                Waiting::at_start(Arc::clone(trails)),
                Counting::new(Arc::clone(totals)),
            ),
            totals: Arc::clone(totals),
            recovering: true,
        })
    }

    /// One group: decide, advance the pipeline, commit, answer.
    pub(super) fn turn(&mut self, jobs: Vec<Job>) -> Result<(Vec<Effect>, Pending), StoreError> {
        let now = self.clock.now();
        let mut tx = Tx::new(
            &*self.state,
            &*self.ids,
            &self.settings,
            now,
            &mut self.sequence,
            &mut self.caches,
        );
        let answers: Vec<Answer> = jobs.into_iter().map(|job| job(&mut tx)).collect();
        let recovery = if self.recovering { RECOVERY } else { &[] };
        self.recovering = false;
        let pending = advance(&mut tx, recovery.iter().chain(STEPS));
        count::settle(&mut tx);
        let (mut batch, effects) = tx.finish();
        if self.sequence > self.reserved {
            self.reserved = self.sequence.next_multiple_of(SEQUENCE_BLOCK);
            let reserved = Reserved {
                up_to: self.reserved,
            };
            let bytes = record::Record::encode(&reserved)
                .map_err(|e| StoreError::Io(e.to_string().into()))?;
            let space = landfall_store::Space::Control;
            batch
                .writes
                .push((space, reserved_key().bytes().to_vec(), Some(bytes.into())));
        }
        let committed = if batch.writes.is_empty() {
            Ok(())
        } else {
            self.totals.commit(|| self.state.commit(batch))
        };
        for answer in answers {
            answer(committed.as_ref().copied());
        }
        committed.map(|()| (effects, pending))
    }

    /// When the next turn is due, should no job arrive before.
    pub(super) fn due(&self, pending: Pending) -> Instant {
        Instant::now() + self.sleep(pending)
    }

    fn sleep(&self, pending: Pending) -> Duration {
        if pending.more {
            return Duration::ZERO;
        }
        let Some(due) = pending.due_millis else {
            return IDLE;
        };
        let millis = due.saturating_sub(self.clock.now().0).max(0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0)).min(IDLE)
    }
}

type Step = fn(&mut Tx<'_>) -> Result<Pending, ApiError>;

const RECOVERY: &[(&str, Step)] = &[
    ("recover tasks", run::recover),
    ("recover stacks", build::recover),
    ("recover the ledger", tell::recover),
];

const STEPS: &[(&str, Step)] = &[
    ("trail", trail::turn),
    ("route", route::turn),
    ("replay", route::replay::turn),
    ("deliver", deliver::turn),
    ("run", run::turn),
    ("archive", route::archive::turn),
    ("tell", tell::turn),
];

/// Takes the steps in order. One that fails is taken back and tried again later; the clients' jobs stand.
fn advance<'a>(tx: &mut Tx<'_>, steps: impl Iterator<Item = &'a (&'a str, Step)>) -> Pending {
    let mut pending = Pending::default();
    for (room, step) in steps {
        match tx.attempt(step) {
            Ok(left) => pending = pending.and(left),
            Err(e) => {
                tracing::error!(room, error = %e, "a step failed and is tried again");
                let retry_at = tx.now().plus_millis(limits::STEP_RETRY_MILLIS);
                tx.caches.doubt(retry_at.0);
                return Pending {
                    more: false,
                    due_millis: Some(retry_at.0),
                };
            }
        }
    }
    pending.more |= tx.caches.events_waiting;
    pending
}

fn reserved_key() -> crate::Key {
    crate::Key::new("sequence")
}
