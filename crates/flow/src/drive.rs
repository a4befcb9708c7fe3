//! The only loop: input → decision → commit → effects → their results are inputs.
//!
//! One turn at a time owns every change of state. Nobody is answered and nothing is started before the commit that says
//! so is on stable storage. Never decides anything itself: the rooms do.

mod decider;
mod gate;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use landfall_core::clock::Clock;
use landfall_core::error::ApiError;
use landfall_core::ids::Ids;
use landfall_core::settings::Settings;
use landfall_runtime::Runtime;
use landfall_store::{Contents, State};
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};

use self::decider::{Decider, Job};
use self::gate::Gate;
use crate::count::Totals;
use crate::tell::News;
use crate::trail::{self, Watch};
use crate::tx::{Tx, View};

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
    /// What the host's owner has set.
    pub settings: Settings,
}

/// The handle of the pipeline: cheap to clone, shared by all protocol handlers and executors.
#[derive(Clone)]
pub struct Flow {
    inner: Arc<Inner>,
}

struct Inner {
    parts: FlowParts,
    gate: Gate,
    handle: Handle,
    waiters: Mutex<HashMap<String, Arc<Notify>>>,
    trails: Arc<Watch>,
    news: News,
    totals: Arc<Totals>,
    failure: watch::Sender<Option<String>>,
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

impl Flow {
    /// Starts the loop over a state and goes on where it stopped. Must be called inside a tokio runtime.
    pub fn open(parts: FlowParts) -> Result<Self, ApiError> {
        let trails = Arc::new(Watch::default());
        let totals = Arc::new(Totals::default());
        let gate = Gate::new(Decider::new(&parts, &trails, &totals)?);
        let news = News::new(parts.clock.now());
        let flow = Self {
            inner: Arc::new(Inner {
                parts,
                news,
                gate,
                handle: Handle::current(),
                waiters: Mutex::default(),
                trails,
                totals,
                failure: watch::Sender::new(None),
            }),
        };
        let driven = flow.clone();
        std::thread::Builder::new()
            .name("decider".to_owned())
            .spawn(move || driven.inner.gate.stand_by(&driven))
            .map_err(|e| ApiError::internal(format!("cannot start the decider: {e}")))?;
        Ok(flow)
    }

    /// Decides a change and answers after it is durable. `decide` must not block; when it fails, nothing that it
    /// wrote remains. Alone, it is decided and committed where it stands, so the future may hold its thread for the time
    /// of one sync.
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
        self.inner.gate.submit(self, job)?;
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

    /// What the host's owner has set.
    pub fn settings(&self) -> &Settings {
        &self.inner.parts.settings
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

    /// What has just changed in the ledger.
    pub(crate) fn news(&self) -> &News {
        &self.inner.news
    }

    /// Ends the waits of those who follow the ledger: the server is about to stop.
    pub fn end_waits(&self) {
        self.inner.news.end_waits();
    }

    /// Which trails look at what.
    pub(crate) fn trails(&self) -> &Watch {
        &self.inner.trails
    }

    /// What has been counted since the start.
    pub fn totals(&self) -> &Totals {
        &self.inner.totals
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

    /// The runtime on which effects run.
    pub(crate) fn handle(&self) -> &Handle {
        &self.inner.handle
    }

    /// The store has failed: those who wait for it learn why.
    fn fail(&self, reason: String) {
        self.inner.failure.send_replace(Some(reason));
    }

    /// Resolves when the store has failed; the process must then exit with an error.
    pub async fn failed(&self) -> String {
        let mut failure = self.inner.failure.subscribe();
        match failure.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => "the decider is gone".to_owned(),
        }
    }
}
