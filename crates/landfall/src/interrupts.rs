//! Being asked to stop, by Ctrl-C or by another process. From `listen` on, the request is waited for and no longer ends
//! the process. Never decides what a request means.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The requests to stop that come after `listen`.
pub struct Interrupts {
    terminate: Option<Signal>,
    interrupt: Option<Signal>,
}

impl Interrupts {
    /// Whoever tells others where it is must listen before, since they may ask at once.
    pub fn listen() -> Self {
        Self {
            terminate: signal(SignalKind::terminate()).ok(),
            interrupt: signal(SignalKind::interrupt()).ok(),
        }
    }

    /// Resolves at the next request.
    pub async fn next(&mut self) {
        tokio::select! {
            () = received(&mut self.terminate) => {}
            () = received(&mut self.interrupt) => {}
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    let came = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if came.is_none() {
        std::future::pending::<()>().await;
    }
}
