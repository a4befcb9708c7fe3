//! What has just changed in the ledger, for those who follow it: the numbers of the runs, in order, as far back as a
//! bounded memory goes. Never stored: who was away for too long, or comes from before a restart, is told so.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::query::Filter;
use super::run::Run;
use crate::deliver::{Delivery, delivery_key};
use crate::drive::Flow;
use crate::tx::Reader as _;

/// The changes since the start, the latest of them remembered.
pub(crate) struct News {
    /// When the server started: positions of other starts are foreign.
    epoch: i64,
    changes: Mutex<Latest>,
    more: Notify,
    is_over: AtomicBool,
}

#[derive(Default)]
struct Latest {
    /// How many changes have been forgotten.
    forgotten: u64,
    numbers: VecDeque<u64>,
}

/// Runs that have changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// As they stand now, each once.
    pub runs: Vec<Run>,
    /// Where to go on.
    pub position: String,
    /// Whether changes were missed: the ledger itself must be asked.
    pub missed: bool,
}

impl News {
    pub(crate) fn new(started: Timestamp) -> Self {
        Self {
            epoch: started.0,
            changes: Mutex::default(),
            more: Notify::new(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Nobody waits any more, now or later: the server is about to stop.
    pub(crate) fn end_waits(&self) {
        self.is_over.store(true, Ordering::Release);
        self.more.notify_waiters();
    }

    /// A run has changed, and the change is durable.
    pub(crate) fn tell(&self, number: u64) {
        let mut latest = self.latest();
        latest.numbers.push_back(number);
        if latest.numbers.len() > limits::LEDGER_CHANGES_REMEMBERED_MAX {
            latest.numbers.pop_front();
            latest.forgotten += 1;
        }
        drop(latest);
        self.more.notify_waiters();
    }

    /// The runs changed since a position, and the position behind them; none when the position is too old.
    fn since(&self, position: u64) -> Option<(BTreeSet<u64>, u64)> {
        let latest = self.latest();
        let skip = usize::try_from(position.checked_sub(latest.forgotten)?).ok()?;
        let some = latest
            .numbers
            .iter()
            .skip(skip)
            .take(limits::LEDGER_CHANGES_PER_ANSWER_MAX);
        let some: Vec<u64> = some.copied().collect();
        let next = position + some.len() as u64;
        Some((some.into_iter().collect(), next))
    }

    fn end(&self) -> u64 {
        let latest = self.latest();
        latest.forgotten + latest.numbers.len() as u64
    }

    fn written(&self, position: u64) -> String {
        format!("{:x}-{position:x}", self.epoch)
    }

    /// The position in a text; none when it is of another start, or beyond all that has happened.
    fn read(&self, text: &str) -> Option<u64> {
        let (epoch, position) = text.split_once('-')?;
        let position = u64::from_str_radix(position, 16).ok()?;
        let is_ours = i64::from_str_radix(epoch, 16).ok() == Some(self.epoch);
        Some(position).filter(|it| is_ours && *it <= self.end())
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runs that pass and have changed since a position; waits for the first of them, but not longer than `wait`.
/// Without a position answers at once where to begin.
pub async fn changes(
    flow: &Flow,
    filter: &Filter,
    from: Option<&str>,
    wait: Duration,
) -> Result<Changes, ApiError> {
    let news = flow.news();
    let until = Instant::now() + wait;
    let answer = |runs, position, missed| Changes {
        runs,
        position: news.written(position),
        missed,
    };
    let Some(from) = from else {
        return Ok(answer(Vec::new(), news.end(), false));
    };
    let Some(mut position) = news.read(from) else {
        return Ok(answer(Vec::new(), news.end(), true));
    };
    loop {
        let mut more = std::pin::pin!(news.more.notified());
        more.as_mut().enable();
        let Some((numbers, next)) = news.since(position) else {
            return Ok(answer(Vec::new(), news.end(), true));
        };
        let is_idle = numbers.is_empty();
        let runs = passing(flow, filter, numbers)?;
        position = next;
        let is_over = Instant::now() >= until || news.is_over.load(Ordering::Acquire);
        if !runs.is_empty() || is_over {
            return Ok(answer(runs, position, false));
        }
        if is_idle && tokio::time::timeout_at(until, more).await.is_err() {
            return Ok(answer(runs, position, false));
        }
    }
}

fn passing(flow: &Flow, filter: &Filter, numbers: BTreeSet<u64>) -> Result<Vec<Run>, ApiError> {
    let view = flow.view();
    let mut runs = Vec::new();
    for number in numbers {
        if let Some(delivery) = view.get::<Delivery>(&delivery_key(number))? {
            runs.extend(filter.passing(&view, number, delivery)?);
        }
    }
    Ok(runs)
}
