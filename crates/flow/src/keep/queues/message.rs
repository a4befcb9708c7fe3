//! Where messages lie: an index by the moment they become visible, and their bodies, which never change.
//!
//! Receiving walks the index from its beginning, so it costs what it returns. Never decides who may see a message.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landfall_core::api::generated::sqs as api;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_store::Direction;
use serde::{Deserialize, Serialize};

use super::Queue;
use crate::key::{self, Key};
use crate::tx::{Reader, Tx};

/// What a message says; the same in every queue that it passes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Content {
    /// `MessageId`.
    pub id: String,
    pub body: String,
    pub attributes: BTreeMap<String, api::MessageAttributeValue>,
    /// System attributes that do not change: `SenderId`, `SentTimestamp`, `MessageGroupId`, …
    pub system: BTreeMap<String, String>,
}
crate::record!(Content in Streams);

/// What may change about a message; lies in the index.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Status {
    /// Gone from this moment on.
    pub expires_at: Timestamp,
    /// Receives in this queue and those before it.
    pub receives: u32,
    /// Receives in this queue, which the redrive policy counts.
    pub receives_here: u32,
    pub first_received: Option<Timestamp>,
    pub last_received: Option<Timestamp>,
    /// Names the last receive; zero before the first.
    pub receipt: u64,
}
crate::record!(Status in Streams);

/// Leads from a message's number to its place in the index.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    visible_at: Timestamp,
}
crate::record!(Place in Streams);

/// A message's place in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub number: u64,
    pub visible_at: Timestamp,
}

/// What a receipt handle says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    pub queue: u64,
    pub number: u64,
    pub receipt: u64,
}

/// How many messages there are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub visible: u64,
    pub in_flight: u64,
    pub delayed: u64,
}

impl Receipt {
    /// The receipt handle.
    pub fn handle(self) -> String {
        let Self {
            queue,
            number,
            receipt,
        } = self;
        URL_SAFE_NO_PAD.encode(format!("{queue}:{number}:{receipt}"))
    }

    /// Reads a receipt handle; `None` when it is none.
    pub fn parse(handle: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(handle).ok()?;
        let mut numbers = std::str::from_utf8(&bytes).ok()?.split(':').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self {
            queue: next()?,
            number: next()?,
            receipt: next()?,
        })
    }
}

/// Adds a message; returns its number.
pub(super) fn add(
    tx: &mut Tx<'_>,
    queue: &Queue,
    visible_at: Timestamp,
    status: &Status,
    content: &Content,
) -> Result<u64, ApiError> {
    let number = tx.next_sequence();
    tx.put(&content_key(queue, number), content)?;
    place(tx, queue, Position { number, visible_at }, status)?;
    Ok(number)
}

/// Moves a message in the index.
pub(super) fn shift(
    tx: &mut Tx<'_>,
    queue: &Queue,
    from: Position,
    visible_at: Timestamp,
    status: &Status,
) -> Result<(), ApiError> {
    tx.delete::<Status>(&index_key(queue, from));
    place(tx, queue, Position { visible_at, ..from }, status)
}

/// Removes a message.
pub(super) fn remove(tx: &mut Tx<'_>, queue: &Queue, position: Position) {
    tx.delete::<Status>(&index_key(queue, position));
    tx.delete::<Place>(&place_key(queue, position.number));
    tx.delete::<Content>(&content_key(queue, position.number));
}

/// Removes every message.
pub(super) fn remove_all(tx: &mut Tx<'_>, queue: &Queue) -> Result<(), ApiError> {
    let all: Vec<Position> = tx
        .list::<Status>(&index(queue), Direction::Forward)
        .map(|entry| Ok(position(&entry?.0)))
        .collect::<Result<_, ApiError>>()?;
    for position in all {
        remove(tx, queue, position);
    }
    Ok(())
}

/// The place and status of a message, when it is still there.
pub(super) fn status(
    db: &impl Reader,
    queue: &Queue,
    number: u64,
) -> Result<Option<(Position, Status)>, ApiError> {
    let Some(Place { visible_at }) = db.get(&place_key(queue, number))? else {
        return Ok(None);
    };
    let position = Position { number, visible_at };
    Ok(db
        .get(&index_key(queue, position))?
        .map(|status| (position, status)))
}

/// What a message says.
pub(super) fn content(db: &impl Reader, queue: &Queue, number: u64) -> Result<Content, ApiError> {
    db.get(&content_key(queue, number))?
        .ok_or_else(|| ApiError::internal("a message in the index has no content"))
}

/// The messages that are visible at `now`, longest visible first.
pub(super) fn visible(
    db: &impl Reader,
    queue: &Queue,
    now: Timestamp,
) -> impl Iterator<Item = Result<(Position, Status), ApiError>> {
    let (from, _) = index(queue).range();
    let (_, to) = index(queue).number(moment(now)).range();
    db.list_between::<Status>(from, to, Direction::Forward)
        .map(|entry| entry.map(|(key, status)| (position(&key), status)))
}

/// When the next message becomes visible that is not visible at `now`.
pub(super) fn next_visible(
    db: &impl Reader,
    queue: &Queue,
    now: Timestamp,
) -> Result<Option<Timestamp>, ApiError> {
    let from = index(queue).number(moment(now)).past();
    let (_, to) = index(queue).range();
    let first = db
        .list_between::<Status>(from, to, Direction::Forward)
        .next()
        .transpose()?;
    Ok(first.map(|(key, _)| position(&key).visible_at))
}

/// Counts the messages, as many of them as asked; those that have expired no longer count.
pub(super) fn counts(
    db: &impl Reader,
    queue: &Queue,
    now: Timestamp,
    max: usize,
) -> Result<Counts, ApiError> {
    let mut counts = Counts::default();
    for entry in db
        .list::<Status>(&index(queue), Direction::Forward)
        .take(max)
    {
        let (key, status) = entry?;
        if status.expires_at <= now {
            continue;
        }
        if position(&key).visible_at <= now {
            counts.visible += 1;
        } else if status.receipt == 0 {
            counts.delayed += 1;
        } else {
            counts.in_flight += 1;
        }
    }
    Ok(counts)
}

fn place(tx: &mut Tx<'_>, queue: &Queue, to: Position, status: &Status) -> Result<(), ApiError> {
    tx.put(&index_key(queue, to), status)?;
    tx.put(
        &place_key(queue, to.number),
        &Place {
            visible_at: to.visible_at,
        },
    )
}

fn index(queue: &Queue) -> Key {
    Key::new("queue-index").number(queue.id)
}

fn index_key(queue: &Queue, at: Position) -> Key {
    index(queue).number(moment(at.visible_at)).number(at.number)
}

fn place_key(queue: &Queue, number: u64) -> Key {
    Key::new("queue-place").number(queue.id).number(number)
}

fn content_key(queue: &Queue, number: u64) -> Key {
    Key::new("queue-content").number(queue.id).number(number)
}

fn position(encoded: &Key) -> Position {
    let mut parts = key::parts(encoded.bytes()).into_iter().skip(1);
    let mut next = || {
        parts
            .next()
            .and_then(|p| key::number(&p))
            .unwrap_or_default()
    };
    let visible_at = Timestamp(i64::try_from(next()).unwrap_or(i64::MAX));
    Position {
        visible_at,
        number: next(),
    }
}

fn moment(at: Timestamp) -> u64 {
    u64::try_from(at.0).unwrap_or_default()
}
