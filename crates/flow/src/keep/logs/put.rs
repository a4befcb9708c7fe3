//! Events come in: from clients, from containers, from EventBridge. Never reads back what was written.

use landfall_core::api::generated::logs as api;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use serde::Deserialize;

use super::event::{self, Place};
use super::group::{Group, by_arn, named};
use super::stream::{self, Stream};
use super::{invalid, policy};
use crate::keep::permit::ForRule;
use crate::tx::Tx;

/// `PutLogEvents`: events in order of time; those too old or too new are left out and told. Sequence tokens are
/// taken and given, and mean nothing.
pub fn put_events(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::PutLogEventsRequest,
) -> Result<api::PutLogEventsResponse, ApiError> {
    let group = named(tx, caller, request.log_group_name.as_deref())?;
    let stream = stream::find(tx, &group, request.log_stream_name.as_deref())?;
    let events: Vec<(Timestamp, String)> = request
        .log_events
        .into_iter()
        .flatten()
        .map(|e| {
            (
                Timestamp(e.timestamp.unwrap_or_default()),
                e.message.unwrap_or_default(),
            )
        })
        .collect();
    check_batch(&events)?;
    let bounds = Bounds::of(&events, &group, tx.now());
    let taken = events
        .get(bounds.first..bounds.end)
        .unwrap_or_default()
        .to_vec();
    let rejected = bounds.rejected(events.len());
    store(tx, &group, stream, taken)?;
    Ok(api::PutLogEventsResponse {
        next_sequence_token: Some(format!("{:056}", tx.next_sequence())),
        rejected_log_events_info: rejected,
        rejected_entity_info: None,
    })
}

/// Appends to a stream of a group, making the stream.
pub fn append(
    tx: &mut Tx<'_>,
    caller: &Caller,
    group: &str,
    stream: &str,
    events: &[(Timestamp, String)],
) -> Result<(), ApiError> {
    let group = named(tx, caller, Some(group))?;
    append_to(tx, &group, stream, events.to_vec())
}

/// Puts an event into the log group of an ARN, on behalf of EventBridge, if a resource policy of its account allows it.
/// A JSON object of exactly `timestamp` and `message` says both; every other text is the message.
pub fn deliver(
    tx: &mut Tx<'_>,
    rule: ForRule<'_>,
    arn: &str,
    stream: &str,
    text: &str,
) -> Result<(), ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shaped {
        timestamp: i64,
        message: String,
    }
    let group = by_arn(tx, arn)?;
    policy::check(tx, &group, rule, stream)?;
    let event = match serde_json::from_str::<Shaped>(text) {
        Ok(shaped) => (Timestamp(shaped.timestamp), shaped.message),
        Err(_) => (tx.now(), text.to_owned()),
    };
    append_to(tx, &group, stream, vec![event])
}

/// Which events of a batch are taken, by index.
struct Bounds {
    /// Events before this one are older than AWS takes.
    too_old_end: usize,
    /// Events before this one are older than the group keeps.
    expired_end: usize,
    first: usize,
    end: usize,
}

impl Bounds {
    fn of(events: &[(Timestamp, String)], group: &Group, now: Timestamp) -> Self {
        let until = |moment: i64| events.partition_point(|(at, _)| at.0 < moment);
        let too_old_end = until(now.0.saturating_sub(limits::LOGS_EVENT_AGE_MILLIS_MAX));
        let expired_end = until(group.kept_from(now));
        let end = until(
            now.0
                .saturating_add(limits::LOGS_EVENT_FUTURE_MILLIS_MAX + 1),
        );
        Self {
            too_old_end,
            expired_end,
            first: too_old_end.max(expired_end),
            end,
        }
    }

    fn rejected(&self, count: usize) -> Option<api::RejectedLogEventsInfo> {
        let index = |i: usize| i32::try_from(i).ok();
        let some = |is_there: bool, i: usize| is_there.then(|| index(i)).flatten();
        (self.first > 0 || self.end < count).then(|| api::RejectedLogEventsInfo {
            too_new_log_event_start_index: some(self.end < count, self.end),
            too_old_log_event_end_index: some(self.too_old_end > 0, self.too_old_end),
            expired_log_event_end_index: some(self.expired_end > 0, self.expired_end),
        })
    }
}

fn check_batch(events: &[(Timestamp, String)]) -> Result<(), ApiError> {
    let (overhead, max) = (
        limits::LOGS_EVENT_OVERHEAD_BYTES,
        limits::LOGS_BATCH_BYTES_MAX,
    );
    let size: usize = events
        .iter()
        .map(|(_, message)| message.len() + overhead)
        .sum();
    if size > max {
        return Err(invalid(format!(
            "Upload too large: {size} bytes exceeds limit of {max}"
        )));
    }
    if !events.is_sorted_by_key(|(at, _)| *at) {
        return Err(invalid(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    let first = events.first().map_or(0, |(at, _)| at.0);
    let last = events.last().map_or(0, |(at, _)| at.0);
    if last.saturating_sub(first) > limits::LOGS_BATCH_SPAN_MILLIS_MAX {
        return Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    Ok(())
}

fn append_to(
    tx: &mut Tx<'_>,
    group: &Group,
    name: &str,
    events: Vec<(Timestamp, String)>,
) -> Result<(), ApiError> {
    let stream = match stream::lookup(tx, group, name)? {
        Some(stream) => stream,
        None => stream::fresh(tx, name),
    };
    store(tx, group, stream, events)
}

fn store(
    tx: &mut Tx<'_>,
    group: &Group,
    mut stream: Stream,
    events: Vec<(Timestamp, String)>,
) -> Result<(), ApiError> {
    let kept_from = Place::before(group.kept_from(tx.now()));
    if stream
        .first_event
        .is_some_and(|at| Place::before(at.0) < kept_from)
    {
        drop_expired(tx, &mut stream, kept_from)?;
    }
    for (at, message) in events {
        stream.first_event = Some(stream.first_event.map_or(at, |first| first.min(at)));
        stream.last_event = stream.last_event.max(Some(at));
        stream.last_ingestion = Some(tx.now());
        stream.bytes = stream.bytes.saturating_add(weight(message.len(), 1));
        event::put(tx, stream.id, at, message)?;
    }
    stream::save(tx, group, &stream)
}

fn drop_expired(tx: &mut Tx<'_>, stream: &mut Stream, to: Place) -> Result<(), ApiError> {
    let max = limits::LOGS_EXPIRED_DROPPED_MAX;
    let (bytes, count) = event::remove_before(tx, stream.id, to, max)?;
    stream.bytes = stream.bytes.saturating_sub(weight(bytes, count));
    let end = Place {
        at: u64::MAX,
        number: u64::MAX,
    };
    let direction = landfall_store::Direction::Forward;
    let oldest = event::between(tx, stream.id, Place::before(0), end, direction)
        .next()
        .transpose()?;
    stream.first_event = oldest.map(|(place, _)| Timestamp(place.millis()));
    Ok(())
}

fn weight(bytes: usize, events: usize) -> u64 {
    let overhead = limits::LOGS_EVENT_OVERHEAD_BYTES.saturating_mul(events);
    u64::try_from(bytes.saturating_add(overhead)).unwrap_or(u64::MAX)
}
