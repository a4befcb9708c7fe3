//! Objects are read: found, held against the reader's conditions, and opened as a stream over their pieces. Never
//! goes through the decider.

use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use landfall_core::error::ApiError;
use landfall_store::{ContentId, Space, StoreError};

use super::condition::{ReadCondition, Unmet};
use super::model::{
    Body, BucketRecord, PartRecord, PartsRecord, Stored, VersionRecord, body_key, parts_key,
};
use super::object::ObjectAt;
use super::{bucket, error, version};
use crate::drive::Flow;
use crate::tx::Reader;

/// Which bytes of an object are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Wanted {
    /// All of them.
    #[default]
    All,
    /// From a position to another, both included, or to the end.
    Between(u64, Option<u64>),
    /// This many at the end.
    Last(u64),
    /// The bytes of one part.
    Part(i32),
}

/// A request to read an object.
#[derive(Debug, Clone)]
pub struct ReadObject {
    /// Which object.
    pub at: ObjectAt,
    /// Conditions.
    pub condition: ReadCondition,
    /// Which bytes.
    pub wanted: Wanted,
    /// `GET` or `HEAD`, for errors.
    pub method: &'static str,
}

/// An object that may be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its bucket.
    pub bucket: BucketRecord,
    /// The version.
    pub version: VersionRecord,
    /// First byte wanted.
    pub offset: u64,
    /// Bytes wanted.
    pub length: u64,
    /// Whether only some of the bytes are wanted.
    pub partial: bool,
    /// Number of parts, when a part was asked for and the object has parts.
    pub parts_count: Option<usize>,
    /// The checksum of the part that was asked for.
    pub part: Option<PartRecord>,
}

/// Finds the object and checks that it may be read so.
///
/// Errors: `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`, `MethodNotAllowed`, `PreconditionFailed`, `NotModified`,
/// `InvalidRange`, `InvalidPartNumber`.
pub fn find_object(reader: &impl Reader, request: &ReadObject) -> Result<Found, ApiError> {
    let at = &request.at;
    let bucket = bucket::bucket(reader, &at.bucket)?;
    let version = live(reader, at, request.method)?;
    let held = request.condition.check(&version.etag, version.modified_at);
    held.map_err(|unmet| unmet_error(unmet, &version))?;
    let mut found = Found {
        bucket,
        offset: 0,
        length: version.size,
        partial: false,
        parts_count: None,
        part: None,
        version,
    };
    match request.wanted {
        Wanted::All => {}
        Wanted::Part(number) => narrow_to_part(reader, &mut found, number)?,
        _ => narrow_to_range(&mut found, &request.wanted)?,
    }
    Ok(found)
}

fn unmet_error(unmet: Unmet, version: &VersionRecord) -> ApiError {
    match unmet {
        Unmet::Precondition(header) => error::precondition_failed(header),
        Unmet::NotModified(_) => error::not_modified()
            .member(super::ETAG_MEMBER, version.etag.clone())
            .member(super::MODIFIED_MEMBER, version.modified_at.0.to_string()),
    }
}

/// The version that a reader means, which must not be a delete marker.
pub fn live(
    reader: &impl Reader,
    at: &ObjectAt,
    method: &'static str,
) -> Result<VersionRecord, ApiError> {
    let version_id = at.version_id.as_deref();
    let (version, _) = version::find(reader, &at.bucket, &at.key, version_id)?;
    if !version.delete_marker {
        return Ok(version);
    }
    let e = match version_id {
        None => error::no_such_key(&at.key),
        Some(_) => error::method_not_allowed(method)
            .member(super::MODIFIED_MEMBER, version.modified_at.0.to_string()),
    };
    let id = version.shown_version_id();
    Err(e.member(super::MARKER_MEMBER, id.to_owned()))
}

fn narrow_to_range(found: &mut Found, wanted: &Wanted) -> Result<(), ApiError> {
    let size = found.version.size;
    let (offset, length, text) = match wanted {
        Wanted::Between(first, last) => {
            let end = last.map_or(size, |l| l.saturating_add(1)).min(size);
            let last = last.map(|l| l.to_string()).unwrap_or_default();
            (
                *first,
                end.saturating_sub(*first),
                format!("bytes={first}-{last}"),
            )
        }
        Wanted::Last(count) => {
            let length = (*count).min(size);
            (size - length, length, format!("bytes=-{count}"))
        }
        Wanted::All | Wanted::Part(_) => return Ok(()),
    };
    if length == 0 {
        return Err(error::invalid_range(&text, size));
    }
    found.offset = offset;
    found.length = length;
    found.partial = true;
    Ok(())
}

fn narrow_to_part(reader: &impl Reader, found: &mut Found, number: i32) -> Result<(), ApiError> {
    let parts = parts_of(reader, &found.version)?;
    let Some(parts) = parts else {
        found.partial = number == 1 && found.version.size > 0;
        return match number {
            1 => Ok(()),
            _ => Err(error::invalid_part_number(number, 1)),
        };
    };
    let mut offset = 0;
    for part in &parts {
        if i32::from(part.number) == number {
            found.offset = offset;
            found.length = part.size;
            found.partial = true;
            found.parts_count = Some(parts.len());
            found.part = Some(part.clone());
            return Ok(());
        }
        offset += part.size;
    }
    Err(error::invalid_part_number(number, parts.len()))
}

/// The parts of a version; none when it was written in one piece.
pub fn parts_of(
    reader: &impl Reader,
    version: &VersionRecord,
) -> Result<Option<Vec<PartRecord>>, ApiError> {
    match version.body {
        Body::Whole(_) => Ok(None),
        Body::Parts(number) => Ok(reader
            .get::<PartsRecord>(&parts_key(number))?
            .map(|record| record.parts)),
    }
}

/// Chunks of an object's bytes.
pub type Chunks = BoxStream<'static, Result<Bytes, StoreError>>;

/// Reads an object: finds it and opens the wanted bytes. An object that is replaced in between is found anew.
///
/// Errors: those of [`find_object`].
pub async fn get_object(flow: &Flow, request: &ReadObject) -> Result<(Found, Chunks), ApiError> {
    const TRIES: usize = 8;
    for _ in 0..TRIES {
        let found = find_object(&flow.view(), request)?;
        if let Some(chunks) = open(flow, &found.version, found.offset, found.length).await? {
            return Ok((found, chunks));
        }
    }
    let message = "A conflicting conditional operation is currently in progress against this resource. Please try again.";
    Err(ApiError::with_status("OperationAborted", 409, message))
}

/// Opens bytes of a version; `None` when they are gone because the version is.
async fn open(
    flow: &Flow,
    version: &VersionRecord,
    offset: u64,
    length: u64,
) -> Result<Option<Chunks>, ApiError> {
    if length == 0 {
        return Ok(Some(stream::empty().boxed()));
    }
    match &version.body {
        Body::Whole(stored) => open_piece(flow, stored, offset, length).await,
        Body::Parts(_) => match parts_of(&flow.view(), version)? {
            None => Ok(None),
            Some(parts) => open_parts(flow, parts, offset, length).await,
        },
    }
}

async fn open_piece(
    flow: &Flow,
    stored: &Stored,
    offset: u64,
    length: u64,
) -> Result<Option<Chunks>, ApiError> {
    match stored {
        Stored::Empty => Ok(Some(stream::empty().boxed())),
        Stored::Inline(number) => {
            let key = body_key(*number);
            let bytes = flow.view().get_raw(Space::Objects, key.bytes())?;
            Ok(bytes.map(|bytes| once(slice(&bytes, offset, length))))
        }
        Stored::Content(id) => {
            let id = ContentId(id.clone());
            match flow.contents().open(&id, offset, length).await {
                Ok(chunks) => Ok(Some(chunks)),
                Err(StoreError::NoSuchContent) => Ok(None),
                Err(e) => Err(e.into()),
            }
        }
    }
}

fn once(bytes: Bytes) -> Chunks {
    stream::iter([Ok(bytes)]).boxed()
}

fn slice(bytes: &Bytes, offset: u64, length: u64) -> Bytes {
    let clamp = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(clamp(offset)..clamp(offset.saturating_add(length)))
}

/// The first piece is opened at once, so that a version that is gone is noticed before any byte is sent.
async fn open_parts(
    flow: &Flow,
    parts: Vec<PartRecord>,
    offset: u64,
    length: u64,
) -> Result<Option<Chunks>, ApiError> {
    let mut pieces = pieces(parts, offset, length).into_iter();
    let Some((stored, from, count)) = pieces.next() else {
        return Ok(Some(stream::empty().boxed()));
    };
    let Some(first) = open_piece(flow, &stored, from, count).await? else {
        return Ok(None);
    };
    let flow = flow.clone();
    let rest = stream::iter(pieces).then(move |(stored, from, count)| {
        let flow = flow.clone();
        async move {
            let opened = open_piece(&flow, &stored, from, count).await;
            opened
                .map_err(|e| StoreError::Io(e.message.into()))?
                .ok_or(StoreError::NoSuchContent)
        }
    });
    Ok(Some(first.chain(rest.try_flatten()).boxed()))
}

/// The pieces that hold a range: what, from where in it, how many bytes.
fn pieces(parts: Vec<PartRecord>, offset: u64, length: u64) -> Vec<(Stored, u64, u64)> {
    let end = offset.saturating_add(length);
    let mut start = 0;
    let mut pieces = Vec::new();
    for part in parts {
        let from = offset.max(start);
        let to = end.min(start + part.size);
        if from < to {
            pieces.push((part.stored, from - start, to - from));
        }
        start += part.size;
    }
    pieces
}
