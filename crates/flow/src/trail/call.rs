//! A call on its way: the wire describes it, and the first write that it makes takes its record into the same commit.
//!
//! The description travels beside the call, not through the operations: whoever serves a request runs it inside
//! [`scope`], and [`Flow::write`](crate::Flow::write) asks [`ongoing`]. A call that wrote nothing, because it only read or
//! because it failed before, is recorded by [`Ongoing::finish`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use landfall_core::error::ApiError;
pub use landfall_core::trail::call::{Call, Target};
use serde::Serialize;
use serde_json::{Map, Value};

use super::model::Trail;
use super::{record, watch};
use crate::drive::Flow;
use crate::tx::Tx;

tokio::task_local! {
    static ONGOING: Arc<Ongoing>;
}

/// What a verb says of a call while it decides it.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// The answer, or parts of it.
    pub(crate) elements: Map<String, Value>,
    /// The key, where only the body of the request tells it.
    pub(crate) key: Option<String>,
}

/// A call that is being served.
#[derive(Debug, Default)]
pub struct Ongoing {
    call: OnceLock<Call>,
    recorded: AtomicBool,
}

/// Serves a call so that its first write takes the record along.
pub async fn scope<T>(ongoing: Arc<Ongoing>, serving: impl Future<Output = T>) -> T {
    ONGOING.scope(ongoing, serving).await
}

/// The call that the current task serves, if it is known by now what it is and nobody has recorded it.
pub(crate) fn ongoing() -> Option<Arc<Ongoing>> {
    ONGOING
        .try_with(|it| (it.call.get().is_some() && !it.is_recorded()).then(|| Arc::clone(it)))
        .ok()
        .flatten()
}

impl Ongoing {
    /// A call that is known.
    pub fn of(call: Call) -> Arc<Self> {
        Arc::new(Self {
            call: OnceLock::from(call),
            recorded: AtomicBool::new(false),
        })
    }

    /// Says what the call is.
    pub fn begin(&self, call: Call) {
        // Whoever says it first knows it best: a call that is refused is told of before it is served.
        let _ = self.call.set(call);
    }

    /// Whether it is known what the call is.
    pub fn is_begun(&self) -> bool {
        self.call.get().is_some()
    }

    fn is_recorded(&self) -> bool {
        self.recorded.load(Ordering::Relaxed)
    }

    /// Decides the call's write and writes its record with it: both become durable, or neither. The record of a failure
    /// stands alone, for what failed left nothing.
    pub(crate) fn decide<T>(
        &self,
        tx: &mut Tx<'_>,
        decide: impl FnOnce(&mut Tx<'_>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let (Some(call), false) = (self.call.get(), self.is_recorded()) else {
            return tx.attempt(decide);
        };
        // Those that looked when the call came: who switches a trail off is still seen by it.
        let trails = watch::live(tx)?;
        tx.said = Some(Said::default());
        let decided = tx.attempt(|tx| {
            let decided = decide(tx)?;
            let said = tx.said.take().unwrap_or_default();
            record::write(tx, &trails, call, Ok(said))?;
            Ok(decided)
        });
        tx.said = None;
        if let Err(error) = &decided {
            record_failure(tx, &trails, call, error);
        }
        self.recorded.store(true, Ordering::Relaxed);
        decided
    }

    /// Records a call that no write has recorded, before it is answered. Only who read what no trail looks at need not
    /// wait: the event history may lose it.
    pub async fn finish(self: Arc<Self>, flow: &Flow, error: Option<ApiError>, bytes_out: u64) {
        let Some(call) = self.call.get().filter(|_| !self.is_recorded()) else {
            return;
        };
        let mut call = call.clone();
        if call.target.is_data() && !flow.trails().take(&call) {
            return;
        }
        if bytes_out > 0 {
            let sent = "bytesTransferredOut".to_owned();
            call.additional.insert(sent, bytes_out.into());
        }
        let may_wait = call.read_only && !flow.trails().take(&call);
        let job = move |tx: &mut Tx<'_>| {
            let trails = watch::live(tx)?;
            let outcome = error.as_ref().map_or(Ok(Said::default()), Err);
            record::write(tx, &trails, &call, outcome)
        };
        let flow = flow.clone();
        let writing = async move {
            if let Err(e) = flow.write(job).await {
                tracing::warn!(error = %e, "a call could not be recorded");
            }
        };
        if may_wait {
            tokio::spawn(writing);
        } else {
            writing.await;
        }
    }
}

/// A failure that cannot be recorded is still answered.
fn record_failure(tx: &mut Tx<'_>, trails: &[Trail], call: &Call, error: &ApiError) {
    let written = tx.attempt(|tx| record::write(tx, trails, call, Err(error)));
    if let Err(e) = written {
        tracing::warn!(error = %e, "a failed call could not be recorded");
    }
}

impl Tx<'_> {
    /// Says what the call that is being decided answers; costs nothing when nobody records it.
    pub fn tell<T: Serialize>(&mut self, decided: Result<T, ApiError>) -> Result<T, ApiError> {
        if let (Some(said), Ok(answer)) = (&mut self.said, &decided)
            && let Ok(Value::Object(members)) = serde_json::to_value(answer)
        {
            said.elements.extend(members);
        }
        decided
    }

    /// Says one member of the answer.
    pub fn answers(&mut self, name: &str, value: &str) {
        if let Some(said) = &mut self.said {
            said.elements.insert(name.to_owned(), value.into());
        }
    }

    /// Says the key of the object, where the request's head did not.
    pub fn about_key(&mut self, key: &str) {
        if let Some(said) = &mut self.said {
            said.key = Some(key.to_owned());
        }
    }
}
