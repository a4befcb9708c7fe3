//! One stream, forward and backward: `GetLogEvents`. Never looks into another stream.

use landfall_core::api::generated::logs as api;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::Direction;

use super::event::{self, LogEvent, Place};
use super::group::identified;
use super::{invalid, stream};
use crate::tx::Reader;

/// A token: which way to go on, and from which place between two events.
#[derive(Debug, Clone, Copy)]
struct Token {
    direction: Direction,
    place: Place,
}

impl Token {
    fn parse(text: &str) -> Option<Self> {
        let (way, digits) = text.split_once('/')?;
        let direction = match way {
            "f" => Direction::Forward,
            "b" => Direction::Backward,
            _ => return None,
        };
        Some(Self {
            direction,
            place: Place::parse(digits.strip_suffix("/s")?)?,
        })
    }

    fn text(self) -> String {
        let way = if self.direction == Direction::Forward {
            'f'
        } else {
            'b'
        };
        format!("{way}/{}/s", self.place.digits())
    }
}

/// `GetLogEvents`: a page in order of time. At an end of the stream the token that was given comes back.
pub fn get_events(
    db: &impl Reader,
    caller: &Caller,
    now: Timestamp,
    request: &api::GetLogEventsRequest,
) -> Result<api::GetLogEventsResponse, ApiError> {
    let name = request.log_group_name.as_deref();
    let group = identified(db, caller, name, request.log_group_identifier.as_deref())?;
    let stream = stream::find(db, &group, request.log_stream_name.as_deref())?;
    let start = request
        .start_time
        .unwrap_or_default()
        .max(group.kept_from(now));
    let (mut from, mut to) = (
        Place::before(start),
        Place::before(request.end_time.unwrap_or(i64::MAX)),
    );
    let from_head = request.start_from_head.unwrap_or_default();
    let token = request.next_token.as_deref().map(|text| {
        Token::parse(text).ok_or_else(|| invalid("The specified nextToken is invalid."))
    });
    let token = token.transpose()?;
    let direction = match token {
        Some(token) => token.direction,
        None if from_head => Direction::Forward,
        None => Direction::Backward,
    };
    match token {
        Some(Token {
            direction: Direction::Forward,
            place,
        }) => from = from.max(place),
        Some(Token {
            direction: Direction::Backward,
            place,
        }) => to = to.min(place),
        None => {}
    }
    let wish = request.limit.and_then(|l| usize::try_from(l).ok());
    let limit = wish.unwrap_or(limits::LOGS_EVENTS_PER_PAGE_MAX);
    let mut found = take(event::between(db, stream.id, from, to, direction), limit)?;
    if direction == Direction::Backward {
        found.reverse();
    }
    let here = token.map_or(from, |t| t.place);
    let first = found.first().map_or(here, |(place, _)| *place);
    let end = found.last().map_or(here, |(place, _)| place.next());
    Ok(api::GetLogEventsResponse {
        events: Some(found.into_iter().map(answer).collect()),
        next_forward_token: Some(
            Token {
                direction: Direction::Forward,
                place: end,
            }
            .text(),
        ),
        next_backward_token: Some(
            Token {
                direction: Direction::Backward,
                place: first,
            }
            .text(),
        ),
    })
}

/// The first events, as many as one answer may hold.
fn take(
    events: impl Iterator<Item = Result<(Place, LogEvent), ApiError>>,
    limit: usize,
) -> Result<Vec<(Place, LogEvent)>, ApiError> {
    let (mut found, mut bytes) = (Vec::new(), 0);
    for entry in events.take(limit) {
        let (place, event) = entry?;
        bytes += event.message.len() + limits::LOGS_EVENT_OVERHEAD_BYTES;
        if bytes > limits::LOGS_BATCH_BYTES_MAX && !found.is_empty() {
            break;
        }
        found.push((place, event));
    }
    Ok(found)
}

fn answer((place, event): (Place, LogEvent)) -> api::OutputLogEvent {
    api::OutputLogEvent {
        timestamp: Some(place.millis()),
        message: Some(event.message),
        ingestion_time: Some(event.ingested.0),
    }
}
