//! Many streams of a group at once, in order of time: `FilterLogEvents`. Never reads a stream that ended before the
//! asked time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use landfall_core::api::generated::logs as api;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::Direction;

use super::event::{self, LogEvent, Place};
use super::group::{Group, identified};
use super::invalid;
use super::pattern::Pattern;
use super::stream::{self, Stream};
use crate::tx::Reader;

type Events<'a> = Box<dyn Iterator<Item = Result<(Place, LogEvent), ApiError>> + 'a>;

/// `FilterLogEvents`: the matching events of the streams, interleaved by time. A page may be empty and still name a
/// next one, as on AWS.
pub fn filter_events(
    db: &impl Reader,
    caller: &Caller,
    now: Timestamp,
    request: &api::FilterLogEventsRequest,
) -> Result<api::FilterLogEventsResponse, ApiError> {
    let name = request.log_group_name.as_deref();
    let group = identified(db, caller, name, request.log_group_identifier.as_deref())?;
    let pattern = Pattern::parse(request.filter_pattern.as_deref().unwrap_or_default())
        .map_err(|e| invalid(e.to_string()))?;
    let streams = streams(db, &group, request)?;
    let from = Place::before(
        request
            .start_time
            .unwrap_or_default()
            .max(group.kept_from(now)),
    );
    let from = match request.next_token.as_deref() {
        Some(text) => parse_token(text)?.max(from),
        None => from,
    };
    let to = Place::before(
        request
            .end_time
            .map_or(i64::MAX, |end| end.saturating_add(1)),
    );
    let wish = request.limit.and_then(|l| usize::try_from(l).ok());
    let limit = wish.unwrap_or(limits::LOGS_EVENTS_PER_PAGE_MAX);
    let mut merged = Merged::new(db, &streams, from, to)?;
    let (mut events, mut bytes, mut examined) = (Vec::new(), 0, 0);
    let mut next_token = None;
    while let Some((place, event, name)) = merged.next()? {
        let is_full = events.len() >= limit
            || bytes > limits::LOGS_BATCH_BYTES_MAX
            || examined >= limits::LOGS_EVENTS_EXAMINED_MAX;
        if is_full {
            next_token = Some(place.digits());
            break;
        }
        examined += 1;
        if pattern.matches(&event.message) {
            bytes += event.message.len() + limits::LOGS_EVENT_OVERHEAD_BYTES;
            events.push(answer(name, place, event));
        }
    }
    let searched_log_streams = Some(Vec::new());
    Ok(api::FilterLogEventsResponse {
        events: Some(events),
        searched_log_streams,
        next_token,
    })
}

fn streams(
    db: &impl Reader,
    group: &Group,
    request: &api::FilterLogEventsRequest,
) -> Result<Vec<Stream>, ApiError> {
    let names = request.log_stream_names.as_deref().unwrap_or_default();
    let prefix = request.log_stream_name_prefix.as_deref();
    match (names, prefix) {
        ([_, ..], Some(_)) => Err(invalid(
            "logStreamNamePrefix and logStreamNames are mutually exclusive parameters.",
        )),
        ([], prefix) => stream::beginning(db, group, prefix.unwrap_or_default()),
        (names, None) => {
            let mut unique: Vec<&String> = names.iter().collect();
            unique.sort();
            unique.dedup();
            unique
                .into_iter()
                .map(|name| stream::find(db, group, Some(name)))
                .collect()
        }
    }
}

/// The next event of several streams, earliest first.
struct Merged<'a> {
    sources: Vec<(&'a str, Events<'a>)>,
    heads: BinaryHeap<Reverse<Head>>,
}

/// The next event of one stream.
struct Head {
    place: Place,
    source: usize,
    event: LogEvent,
}

impl<'a> Merged<'a> {
    fn new<R: Reader>(
        db: &'a R,
        streams: &'a [Stream],
        from: Place,
        to: Place,
    ) -> Result<Self, ApiError> {
        let mut merged = Self {
            sources: Vec::new(),
            heads: BinaryHeap::new(),
        };
        for stream in streams {
            let overlaps = |at: Timestamp| Place::before(at.0.saturating_add(1)) > from;
            if stream.last_event.is_some_and(overlaps) {
                let events = event::between(db, stream.id, from, to, Direction::Forward);
                merged.sources.push((&stream.name, Box::new(events)));
                merged.advance(merged.sources.len() - 1)?;
            }
        }
        Ok(merged)
    }

    fn next(&mut self) -> Result<Option<(Place, LogEvent, &'a str)>, ApiError> {
        let Some(Reverse(Head {
            place,
            source,
            event,
        })) = self.heads.pop()
        else {
            return Ok(None);
        };
        self.advance(source)?;
        let name = self.sources.get(source).map_or("", |(name, _)| name);
        Ok(Some((place, event, name)))
    }

    fn advance(&mut self, source: usize) -> Result<(), ApiError> {
        let head = self
            .sources
            .get_mut(source)
            .and_then(|(_, events)| events.next());
        if let Some((place, event)) = head.transpose()? {
            self.heads.push(Reverse(Head {
                place,
                source,
                event,
            }));
        }
        Ok(())
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place.cmp(&other.place)
    }
}

fn parse_token(text: &str) -> Result<Place, ApiError> {
    Place::parse(text).ok_or_else(|| invalid("The specified nextToken is invalid."))
}

fn answer(stream: &str, place: Place, event: LogEvent) -> api::FilteredLogEvent {
    api::FilteredLogEvent {
        log_stream_name: Some(stream.to_owned()),
        timestamp: Some(place.millis()),
        message: Some(event.message),
        ingestion_time: Some(event.ingested.0),
        event_id: Some(place.digits()),
    }
}
