//! Who takes the next turn. A change that comes alone is decided and committed by the thread that brings it, since
//! waking another one would cost as much as the commit; what arrives meanwhile is left to the thread that stands by, in
//! groups. Never lets two turns overlap, never leaves a job behind.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use landfall_core::error::ApiError;
use landfall_core::limits;

use super::Flow;
use super::decider::{Decider, Job};
use crate::run::effects;

/// The jobs that wait, and the one who decides them.
pub(super) struct Gate {
    inbox: Mutex<Inbox>,
    /// Wakes the thread that stands by.
    called: Condvar,
    decider: Mutex<Decider>,
}

struct Inbox {
    jobs: Vec<Job>,
    /// A turn failed: nothing is taken any more.
    is_closed: bool,
    /// The thread that stands by has jobs to take.
    is_called: bool,
    /// The thread that stands by sleeps until then, if it sleeps.
    sleeps_until: Option<Instant>,
    /// When the next turn is due without a job.
    due: Instant,
    /// The last turn had more than one job: those who brought them come back together, and are decided together.
    is_crowded: bool,
}

impl Inbox {
    /// At most as many as may share a commit; the rest is left for the next turn.
    fn take(&mut self) -> Vec<Job> {
        self.is_crowded = self.jobs.len() > 1;
        if self.jobs.len() <= limits::COMMIT_GROUP_JOBS_MAX {
            return std::mem::take(&mut self.jobs);
        }
        self.is_called = true;
        self.jobs.drain(..limits::COMMIT_GROUP_JOBS_MAX).collect()
    }
}

impl Gate {
    pub(super) fn new(decider: Decider) -> Self {
        Self {
            inbox: Mutex::new(Inbox {
                jobs: Vec::new(),
                is_closed: false,
                is_called: false,
                sleeps_until: None,
                due: Instant::now(),
                is_crowded: false,
            }),
            called: Condvar::new(),
            decider: Mutex::new(decider),
        }
    }

    /// Has a job decided: at once when nobody else is at it, else soon.
    pub(super) fn submit(&self, flow: &Flow, job: Job) -> Result<(), ApiError> {
        let is_alone = self.put(job)?;
        if is_alone {
            match self.decider.try_lock() {
                Ok(mut decider) => {
                    self.alone(flow, &mut decider);
                    return Ok(());
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Poisoned(_)) => self.close(flow, "a decision panicked"),
            }
        }
        self.call();
        Ok(())
    }

    fn put(&self, job: Job) -> Result<bool, ApiError> {
        let mut inbox = self.inbox();
        if inbox.is_closed {
            return Err(ApiError::internal("the server is stopping"));
        }
        if inbox.jobs.len() >= limits::DECIDER_QUEUE_JOBS_MAX {
            return Err(ApiError::with_status(
                "SlowDown",
                503,
                "Please reduce your request rate.",
            ));
        }
        inbox.jobs.push(job);
        Ok(inbox.jobs.len() == 1 && !inbox.is_crowded)
    }

    fn alone(&self, flow: &Flow, decider: &mut Decider) {
        let jobs = self.inbox().take();
        // The thread that stands by may have been quicker.
        if !jobs.is_empty() {
            self.turn(flow, decider, jobs);
        }
    }

    /// Takes the turns that nobody else takes, for as long as the store is well.
    pub(super) fn stand_by(&self, flow: &Flow) {
        while self.sleep() {
            let Ok(mut decider) = self.decider.lock() else {
                return self.close(flow, "a decision panicked");
            };
            let jobs = self.inbox().take();
            self.turn(flow, &mut decider, jobs);
        }
    }

    fn turn(&self, flow: &Flow, decider: &mut Decider, jobs: Vec<Job>) {
        match decider.turn(jobs) {
            Ok((asked, pending)) => {
                effects::run(flow, asked);
                let due = decider.due(pending);
                self.plan(due);
            }
            Err(e) => {
                tracing::error!(error = %e, "a commit failed: refusing all further writes");
                self.close(flow, &e.to_string());
            }
        }
    }

    /// The next turn is due then; the one that sleeps longer is woken.
    fn plan(&self, due: Instant) {
        let mut inbox = self.inbox();
        inbox.due = due;
        if inbox.sleeps_until.is_some_and(|until| until > due) {
            self.called.notify_one();
        }
    }

    fn call(&self) {
        let mut inbox = self.inbox();
        inbox.is_called = true;
        if inbox.sleeps_until.is_some() {
            self.called.notify_one();
        }
    }

    /// Until there is a turn to take; false when there will be none.
    fn sleep(&self) -> bool {
        let mut inbox = self.inbox();
        loop {
            if inbox.is_closed {
                return false;
            }
            let now = Instant::now();
            if inbox.is_called || inbox.due <= now {
                inbox.is_called = false;
                return true;
            }
            inbox.sleeps_until = Some(inbox.due);
            let wait = inbox.due - now;
            inbox = self
                .called
                .wait_timeout(inbox, wait)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            inbox.sleeps_until = None;
        }
    }

    /// Nothing is decided any more; those who wait are told so by the loss of their jobs.
    fn close(&self, flow: &Flow, reason: &str) {
        let mut inbox = self.inbox();
        inbox.is_closed = true;
        inbox.jobs.clear();
        self.called.notify_one();
        drop(inbox);
        flow.fail(reason.to_owned());
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
