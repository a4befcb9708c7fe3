//! Where log events lie: by stream, time and number, so that every read is one range. Never checks a limit.

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_store::Direction;
use serde::{Deserialize, Serialize};

use crate::key::{self, Key};
use crate::tx::{Reader, Tx};

/// What a log event says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LogEvent {
    pub message: String,
    pub ingested: Timestamp,
}
crate::record!(LogEvent in Streams);

/// A place between or at events: ordered by time, then by number. Numbers are unique in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Milliseconds since the epoch, never negative.
    pub at: u64,
    pub number: u64,
}

impl Place {
    /// Before every event of a moment; moments before the epoch are the epoch.
    pub fn before(millis: i64) -> Self {
        Self {
            at: u64::try_from(millis).unwrap_or_default(),
            number: 0,
        }
    }

    /// The place right behind this one.
    pub fn next(self) -> Self {
        Self {
            number: self.number.saturating_add(1),
            ..self
        }
    }

    /// Reads `at:number`, both 28 digits long, without the colon.
    pub fn parse(digits: &str) -> Option<Self> {
        if digits.len() != 56 {
            return None;
        }
        let (at, number) = digits.split_at_checked(28)?;
        Some(Self {
            at: at.parse().ok()?,
            number: number.parse().ok()?,
        })
    }

    /// The 56 digits that [`Place::parse`] reads.
    pub fn digits(self) -> String {
        format!("{:028}{:028}", self.at, self.number)
    }

    /// Milliseconds since the epoch.
    pub fn millis(self) -> i64 {
        i64::try_from(self.at).unwrap_or(i64::MAX)
    }
}

/// Writes an event.
pub(super) fn put(
    tx: &mut Tx<'_>,
    stream: u64,
    at: Timestamp,
    message: String,
) -> Result<(), ApiError> {
    let place = Place {
        number: tx.next_sequence(),
        ..Place::before(at.0)
    };
    let ingested = tx.now();
    tx.put(&key_of(stream, place), &LogEvent { message, ingested })
}

/// The events of a stream from `from` on and before `to`, lazily.
pub(super) fn between<'a>(
    db: &'a impl Reader,
    stream: u64,
    from: Place,
    to: Place,
    direction: Direction,
) -> impl Iterator<Item = Result<(Place, LogEvent), ApiError>> + 'a {
    let (from, to) = (from.min(to), to);
    let from = std::ops::Bound::Included(key_of(stream, from).bytes().to_vec());
    let to = std::ops::Bound::Excluded(key_of(stream, to).bytes().to_vec());
    db.list_between::<LogEvent>(from, to, direction)
        .map(|entry| entry.map(|(key, event)| (place_of(&key), event)))
}

/// Removes the events before `to`, oldest first, at most `count`; returns their messages' bytes and how many they are.
pub(super) fn remove_before(
    tx: &mut Tx<'_>,
    stream: u64,
    to: Place,
    count: usize,
) -> Result<(usize, usize), ApiError> {
    let old: Vec<(Place, usize)> = between(tx, stream, Place::before(0), to, Direction::Forward)
        .take(count)
        .map(|entry| entry.map(|(place, event)| (place, event.message.len())))
        .collect::<Result<_, ApiError>>()?;
    for (place, _) in &old {
        tx.delete::<LogEvent>(&key_of(stream, *place));
    }
    Ok((old.iter().map(|(_, bytes)| bytes).sum(), old.len()))
}

/// Removes every event of a stream.
pub(super) fn remove_all(tx: &mut Tx<'_>, stream: u64) -> Result<(), ApiError> {
    let end = Place {
        at: u64::MAX,
        number: u64::MAX,
    };
    remove_before(tx, stream, end, usize::MAX).map(|_| ())
}

fn key_of(stream: u64, place: Place) -> Key {
    Key::new("log-event")
        .number(stream)
        .number(place.at)
        .number(place.number)
}

fn place_of(encoded: &Key) -> Place {
    let mut parts = key::parts(encoded.bytes()).into_iter().skip(1);
    let mut next = || {
        parts
            .next()
            .and_then(|p| key::number(&p))
            .unwrap_or_default()
    };
    Place {
        at: next(),
        number: next(),
    }
}
