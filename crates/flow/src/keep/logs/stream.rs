//! Streams of a group. Never reads what an event says.

use landfall_core::api::generated::logs as api;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::Direction;
use serde::{Deserialize, Serialize};

use super::group::{Group, identified, named};
use super::{event, invalid};
use crate::key::Key;
use crate::page::page;
use crate::tx::{Reader, Tx};

/// A stream of a log group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stream {
    /// Unique in its group.
    pub name: String,
    /// Unique in the store; leads to the events.
    pub id: u64,
    pub created: Timestamp,
    /// Times of the earliest and the latest event.
    pub first_event: Option<Timestamp>,
    pub last_event: Option<Timestamp>,
    pub last_ingestion: Option<Timestamp>,
    /// Bytes of all events with their overhead.
    pub bytes: u64,
}
crate::record!(Stream in Streams);

/// `CreateLogStream`.
pub fn create_stream(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::CreateLogStreamRequest,
) -> Result<(), ApiError> {
    let group = named(tx, caller, request.log_group_name.as_deref())?;
    let name = request.log_stream_name.as_deref().unwrap_or_default();
    if lookup(tx, &group, name)?.is_some() {
        let text = "The specified log stream already exists";
        return Err(ApiError::client("ResourceAlreadyExistsException", text));
    }
    let stream = fresh(tx, name);
    save(tx, &group, &stream)
}

/// `DeleteLogStream`: with all its events.
pub fn delete_stream(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::DeleteLogStreamRequest,
) -> Result<(), ApiError> {
    let group = named(tx, caller, request.log_group_name.as_deref())?;
    let stream = find(tx, &group, request.log_stream_name.as_deref())?;
    remove(tx, &group, &stream)
}

/// `DescribeLogStreams`.
pub fn describe_streams(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeLogStreamsRequest,
) -> Result<api::DescribeLogStreamsResponse, ApiError> {
    let name = request.log_group_name.as_deref();
    let group = identified(db, caller, name, request.log_group_identifier.as_deref())?;
    let begin = request
        .log_stream_name_prefix
        .as_deref()
        .unwrap_or_default();
    let by_time = request.order_by.as_deref() == Some("LastEventTime");
    if by_time && !begin.is_empty() {
        return Err(invalid(
            "Cannot order by LastEventTime with a logStreamNamePrefix.",
        ));
    }
    let mut streams = db.all::<Stream>(&prefix(&group).beginning(begin))?;
    if by_time {
        streams.sort_by_key(|s| s.last_event);
    }
    if request.descending == Some(true) {
        streams.reverse();
    }
    let token = request.next_token.as_deref();
    let (streams, next_token) = page(streams, token, request.limit, limits::LOGS_DESCRIBE_MAX)?;
    let log_streams = Some(streams.into_iter().map(|s| describe(&group, s)).collect());
    Ok(api::DescribeLogStreamsResponse {
        log_streams,
        next_token,
    })
}

/// The stream of a name, when there is one.
pub(super) fn lookup(
    db: &impl Reader,
    group: &Group,
    name: &str,
) -> Result<Option<Stream>, ApiError> {
    db.get(&prefix(group).part(name))
}

/// The stream of a name, or AWS's error.
pub(super) fn find(
    db: &impl Reader,
    group: &Group,
    name: Option<&str>,
) -> Result<Stream, ApiError> {
    lookup(db, group, name.unwrap_or_default())?
        .ok_or_else(|| ApiError::not_found("The specified log stream does not exist."))
}

/// The streams whose names begin with `begin`, by name.
pub(super) fn beginning(
    db: &impl Reader,
    group: &Group,
    begin: &str,
) -> Result<Vec<Stream>, ApiError> {
    db.all(&prefix(group).beginning(begin))
}

/// A stream that is not stored yet.
pub(super) fn fresh(tx: &mut Tx<'_>, name: &str) -> Stream {
    Stream {
        name: name.to_owned(),
        id: tx.next_sequence(),
        created: tx.now(),
        first_event: None,
        last_event: None,
        last_ingestion: None,
        bytes: 0,
    }
}

/// Writes a stream.
pub(super) fn save(tx: &mut Tx<'_>, group: &Group, stream: &Stream) -> Result<(), ApiError> {
    tx.put(&prefix(group).part(&stream.name), stream)
}

/// Removes every stream of a group.
pub(super) fn remove_all(tx: &mut Tx<'_>, group: &Group) -> Result<(), ApiError> {
    for stream in tx.all::<Stream>(&prefix(group))? {
        remove(tx, group, &stream)?;
    }
    Ok(())
}

/// Bytes of all streams of a group.
pub(super) fn stored_bytes(db: &impl Reader, group: &Group) -> Result<i64, ApiError> {
    let mut bytes = 0_u64;
    for entry in db.list::<Stream>(&prefix(group), Direction::Forward) {
        bytes = bytes.saturating_add(entry?.1.bytes);
    }
    Ok(i64::try_from(bytes).unwrap_or(i64::MAX))
}

fn remove(tx: &mut Tx<'_>, group: &Group, stream: &Stream) -> Result<(), ApiError> {
    event::remove_all(tx, stream.id)?;
    tx.delete::<Stream>(&prefix(group).part(&stream.name));
    Ok(())
}

fn describe(group: &Group, stream: Stream) -> api::LogStream {
    api::LogStream {
        arn: Some(format!("{}:log-stream:{}", group.arn(), stream.name)),
        log_stream_name: Some(stream.name),
        creation_time: Some(stream.created.0),
        first_event_timestamp: stream.first_event.map(|t| t.0),
        last_event_timestamp: stream.last_event.map(|t| t.0),
        last_ingestion_time: stream.last_ingestion.map(|t| t.0),
        upload_sequence_token: stream.last_ingestion.map(|t| format!("{:056}", t.0)),
        stored_bytes: Some(0),
    }
}

fn prefix(group: &Group) -> Key {
    Key::new("log-stream").number(group.id)
}
