//! Effects.

use tokio::runtime::Handle;

use crate::drive::Flow;
use crate::tx::Effect;

/// Runs effects after their commit.
pub(crate) struct Executor {
    flow: Flow,
    handle: Handle,
}

impl Executor {
    /// An executor that spawns on `handle`.
    pub(crate) fn new(flow: Flow, handle: Handle) -> Self {
        Self { flow, handle }
    }

    /// Runs them, without waiting for their end.
    pub(crate) fn run(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Wake(name) => self.flow.wake(&name),
                Effect::RemoveContent(id) => {
                    let flow = self.flow.clone();
                    self.handle.spawn(async move {
                        if let Err(e) = flow.contents().remove(&id).await {
                            tracing::warn!(content = %id.0, error = %e, "cannot remove object bytes");
                        }
                    });
                }
                Effect::StartTask(_) | Effect::StopTask(_) | Effect::RemoveContainers(_) => {}
            }
        }
    }
}
