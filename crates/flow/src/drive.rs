//! The only loop: input → decision → commit → effects → their results are inputs.
//!
//! One thread owns every change of state. Nobody is answered and nothing is started before the commit that says so
//! is on stable storage. Never decides anything itself: the rooms do.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use landfall_core::clock::Clock;
use landfall_core::error::ApiError;
use landfall_core::ids::Ids;
use landfall_core::limits;
use landfall_runtime::Runtime;
use landfall_store::{Contents, State, StoreError};
use tokio::sync::{Notify, oneshot, watch};

use crate::caches::Caches;
use crate::run::effects::Executor;
use crate::trail::{self, Waiting, Watch};
use crate::tx::{Effect, Tx, View};
use crate::{build, deliver, record, route, run};

/// What a flow is made of.
pub struct FlowParts {
    /// Durable keys.
    pub state: Arc<dyn State>,
    /// Durable object bytes.
    pub contents: Arc<dyn Contents>,
    /// Containers.
    pub runtime: Arc<dyn Runtime>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for drawn ids.
    pub ids: Arc<dyn Ids>,
    /// URL under which containers reach this server, such as `http://127.0.0.1:4566`.
    pub endpoint: String,
    /// Access key id and secret given to containers, when the server checks signatures.
    pub container_credentials: Option<(String, String)>,
}

type Answer = Box<dyn FnOnce(Result<(), &StoreError>) + Send>;
type Job = Box<dyn FnOnce(&mut Tx<'_>) -> Answer + Send>;

/// The handle of the pipeline: cheap to clone, shared by all protocol handlers and executors.
#[derive(Clone)]
pub struct Flow {
    inner: Arc<Inner>,
}

struct Inner {
    parts: FlowParts,
    jobs: SyncSender<Job>,
    waiters: Mutex<HashMap<String, Arc<Notify>>>,
    trails: Arc<Watch>,
    failure: watch::Receiver<Option<String>>,
}

/// The counter of the store's one sequence, reserved in blocks so that it never repeats after a crash.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Reserved {
    up_to: u64,
}
crate::record!(Reserved in Control);

const SEQUENCE_BLOCK: u64 = 1 << 20;
/// The longest sleep of the loop when nothing is due.
const IDLE: Duration = Duration::from_secs(60);

impl Flow {
    /// Starts the loop over a state and goes on where it stopped. Must be called inside a tokio runtime.
    pub fn open(parts: FlowParts) -> Result<Self, ApiError> {
        let (jobs, inbox) = sync_channel(limits::DECIDER_QUEUE_JOBS_MAX);
        let (failed, failure) = watch::channel(None);
        let waiters = Mutex::default();
        let trails = Arc::new(Watch::default());
        let decider = Decider::new(&parts, &trails)?;
        let flow = Self {
            inner: Arc::new(Inner {
                parts,
                jobs,
                waiters,
                trails,
                failure,
            }),
        };
        let executor = Executor::new(flow.clone(), tokio::runtime::Handle::current());
        std::thread::Builder::new()
            .name("decider".to_owned())
            .spawn(move || {
                let error = decider.run(&inbox, &executor);
                failed.send_replace(error.map(|e| e.to_string()).or(Some("stopped".to_owned())));
            })
            .map_err(|e| ApiError::internal(format!("cannot start the decider: {e}")))?;
        Ok(flow)
    }

    /// Decides a change and answers after it is durable. `decide` runs on the loop's thread and must not block; when
    /// it fails, nothing that it wrote remains.
    pub async fn write<T: Send + 'static>(
        &self,
        decide: impl FnOnce(&mut Tx<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (sender, receiver) = oneshot::channel();
        let call = trail::ongoing();
        let job: Job = Box::new(move |tx| {
            let decided = match call {
                Some(call) => call.decide(tx, decide),
                None => tx.attempt(decide),
            };
            Box::new(move |committed| {
                let answer = match committed {
                    Ok(()) => decided,
                    Err(e) => Err(ApiError::internal(e.to_string())),
                };
                drop(sender.send(answer));
            })
        });
        self.inner.jobs.try_send(job).map_err(|e| match e {
            TrySendError::Full(_) => {
                ApiError::with_status("SlowDown", 503, "Please reduce your request rate.")
            }
            TrySendError::Disconnected(_) => ApiError::internal("the server is stopping"),
        })?;
        receiver
            .await
            .map_err(|_| ApiError::internal("the server is stopping"))?
    }

    /// The committed state.
    pub fn view(&self) -> View<'_> {
        View::new(&*self.inner.parts.state)
    }

    /// Object bytes.
    pub fn contents(&self) -> &dyn Contents {
        &*self.inner.parts.contents
    }

    /// Containers.
    pub fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.inner.parts.runtime
    }

    /// Time.
    pub fn clock(&self) -> &dyn Clock {
        &*self.inner.parts.clock
    }

    /// Randomness.
    pub fn ids(&self) -> &dyn Ids {
        &*self.inner.parts.ids
    }

    /// URL under which containers reach this server.
    pub fn endpoint(&self) -> &str {
        &self.inner.parts.endpoint
    }

    /// Access key id and secret that containers get, when the server checks signatures.
    pub fn container_credentials(&self) -> Option<&(String, String)> {
        self.inner.parts.container_credentials.as_ref()
    }

    /// Woken at each [`Effect::Wake`] of this name. Enable the notification before reading the state it is about.
    pub fn waiter(&self, name: &str) -> Arc<Notify> {
        let mut waiters = self
            .inner
            .waiters
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        waiters.retain(|_, notify| Arc::strong_count(notify) > 1);
        Arc::clone(waiters.entry(name.to_owned()).or_default())
    }

    /// Wakes those who wait under a name.
    pub(crate) fn wake(&self, name: &str) {
        let waiters = self
            .inner
            .waiters
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(notify) = waiters.get(name) {
            notify.notify_waiters();
        }
    }

    /// Which trails look at what.
    pub(crate) fn trails(&self) -> &Watch {
        &self.inner.trails
    }

    /// Whether any trail looks at data events, so that calls on objects must be described.
    pub fn records_data(&self) -> bool {
        self.inner.trails.look_at_data()
    }

    /// Lets what trails record appear so much later, as on AWS.
    pub fn delay_trails(&self, delay: Duration) {
        let millis = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        self.inner.trails.set_delay_millis(millis);
    }

    /// Resolves when the store has failed; the process must then exit with an error.
    pub async fn failed(&self) -> String {
        let mut failure = self.inner.failure.clone();
        match failure.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => "the decider is gone".to_owned(),
        }
    }
}

/// The state of the loop that is not in the store: all of it can be rebuilt from the store.
struct Decider {
    state: Arc<dyn State>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    sequence: u64,
    reserved: u64,
    caches: Caches,
    recovering: bool,
}

/// What a turn leaves to do.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// There is more to do right now.
    pub more: bool,
    /// The earliest moment at which something falls due, milliseconds since the epoch.
    pub due_millis: Option<i64>,
}

impl Pending {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let due_millis = match (self.due_millis, other.due_millis) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self {
            more: self.more || other.more,
            due_millis,
        }
    }
}

impl Decider {
    fn new(parts: &FlowParts, trails: &Arc<Watch>) -> Result<Self, ApiError> {
        use crate::tx::Reader as _;
        let view = View::new(&*parts.state);
        let reserved = view
            .get::<Reserved>(&reserved_key())?
            .map_or(0, |r| r.up_to);
        trails.look(&view)?;
        Ok(Self {
            state: Arc::clone(&parts.state),
            clock: Arc::clone(&parts.clock),
            ids: Arc::clone(&parts.ids),
            sequence: reserved,
            reserved,
            caches: Caches::at_start(Waiting::at_start(Arc::clone(trails))),
            recovering: true,
        })
    }

    fn run(mut self, inbox: &Receiver<Job>, executor: &Executor) -> Option<StoreError> {
        let mut wait = Duration::ZERO;
        loop {
            let mut jobs = Vec::new();
            match inbox.recv_timeout(wait) {
                Ok(job) => jobs.push(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
            jobs.extend(inbox.try_iter().take(limits::COMMIT_GROUP_JOBS_MAX));
            match self.turn(jobs) {
                Ok((effects, pending)) => {
                    executor.run(effects);
                    wait = self.sleep(pending);
                }
                Err(e) => {
                    tracing::error!(error = %e, "a commit failed: refusing all further writes");
                    return Some(e);
                }
            }
        }
    }

    /// One group: decide, advance the pipeline, commit, answer.
    fn turn(&mut self, jobs: Vec<Job>) -> Result<(Vec<Effect>, Pending), StoreError> {
        let now = self.clock.now();
        let mut tx = Tx::new(
            &*self.state,
            &*self.ids,
            now,
            &mut self.sequence,
            &mut self.caches,
        );
        let answers: Vec<Answer> = jobs.into_iter().map(|job| job(&mut tx)).collect();
        let recovery = if self.recovering { RECOVERY } else { &[] };
        self.recovering = false;
        let pending = advance(&mut tx, recovery.iter().chain(STEPS));
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
                .push((space, reserved_key().bytes().to_vec(), Some(bytes)));
        }
        let committed = if batch.writes.is_empty() {
            Ok(())
        } else {
            self.state.commit(batch)
        };
        for answer in answers {
            answer(committed.as_ref().copied());
        }
        committed.map(|()| (effects, pending))
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
];

const STEPS: &[(&str, Step)] = &[
    ("trail", trail::turn),
    ("route", route::turn),
    ("deliver", deliver::turn),
    ("run", run::turn),
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
