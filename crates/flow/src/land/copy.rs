//! Copies: the bytes of an object, or a range of them, become another object or a part of an upload. The bytes pass
//! as a stream; the new object shares nothing with its source.

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::event::CreatedReason;
use landfall_core::limits;

use super::checksum::Algorithm;
use super::condition::{ReadCondition, Unmet, WriteCondition};
use super::model::{Attributes, PartRecord, Tags, VersionRecord};
use super::object::{self, NewObject, ObjectAt};
use super::read::{self, Chunks, Found, ReadObject, Wanted};
use super::receive::{Claims, receive};
use super::{bucket, error, multipart};
use crate::drive::Flow;

/// A copy of an object.
#[derive(Debug, Clone)]
pub struct CopyObject {
    /// The source.
    pub source: ObjectAt,
    /// Conditions on the source.
    pub condition: ReadCondition,
    /// Destination bucket.
    pub bucket: String,
    /// Destination key, raw.
    pub key: String,
    /// New attributes; none keeps the source's, but for what `kept` says.
    pub replace: Option<Attributes>,
    /// Storage class and ACL of the copy, which never come from the source.
    pub storage_class: Option<String>,
    /// Canned ACL of the copy.
    pub acl: Option<String>,
    /// Website redirect of the copy, which never comes from the source.
    pub website_redirect: Option<String>,
    /// New tags; none keeps the source's.
    pub tags: Option<Tags>,
    /// Checksum algorithm of the copy; none keeps the source's.
    pub algorithm: Option<Algorithm>,
    /// Whether something is changed that allows a copy onto itself.
    pub changes: bool,
    /// When the destination may be written.
    pub write_condition: WriteCondition,
}

/// A finished copy.
#[derive(Debug, Clone)]
pub struct Copied<T> {
    /// What was made.
    pub made: T,
    /// Version id of the source, if it has one.
    pub source_version_id: Option<String>,
}

/// Copies an object.
///
/// Errors: those of reading the source and writing the destination, `InvalidRequest` for a copy onto itself that
/// changes nothing.
pub async fn copy_object(
    flow: &Flow,
    caller: &Caller,
    copy: CopyObject,
) -> Result<Copied<VersionRecord>, ApiError> {
    let same = copy.source.bucket == copy.bucket && copy.source.key == copy.key;
    if same && copy.source.version_id.is_none() && !copy.changes {
        return Err(error::invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself without changing the \
             object's metadata, storage class, website redirect location or encryption attributes.",
        ));
    }
    bucket::bucket(&flow.view(), &copy.bucket)?;
    let (found, chunks) = source(flow, &copy.source, &copy.condition, Wanted::All).await?;
    if found.version.size > limits::S3_PUT_BYTES_MAX {
        return Err(error::invalid_request(format!(
            "The specified copy source is larger than the maximum allowable size for a copy source: {}",
            limits::S3_PUT_BYTES_MAX
        )));
    }
    let source_version_id = found.version.version_id.clone();
    let kept = found.version.checksum.as_ref().map(|c| c.algorithm);
    let claims = Claims {
        length: Some(found.length),
        keep: Some(copy.algorithm.or(kept).unwrap_or(Algorithm::Crc64Nvme)),
        ..Claims::default()
    };
    let received = receive(flow, errors(chunks), claims).await?;
    let new = destination(copy, found.version);
    let caller = caller.clone();
    let made = received
        .commit(flow, move |tx, received| {
            object::put_object(tx, &caller, new, received)
        })
        .await?;
    Ok(Copied {
        made,
        source_version_id,
    })
}

fn destination(copy: CopyObject, source: VersionRecord) -> NewObject {
    let mut attributes = copy.replace.unwrap_or(source.attributes);
    attributes.storage_class = copy.storage_class;
    attributes.acl = copy.acl;
    attributes.website_redirect = copy.website_redirect;
    NewObject {
        bucket: copy.bucket,
        key: copy.key,
        attributes,
        tags: copy.tags.unwrap_or(source.tags),
        condition: copy.write_condition,
        reason: CreatedReason::CopyObject,
    }
}

fn errors(chunks: Chunks) -> impl Stream<Item = Result<Bytes, ApiError>> + Send {
    chunks.map_err(ApiError::from)
}

/// Opens the source of a copy: what would be 304 for a reader is 412 here.
async fn source(
    flow: &Flow,
    at: &ObjectAt,
    condition: &ReadCondition,
    wanted: Wanted,
) -> Result<(Found, Chunks), ApiError> {
    let request = ReadObject {
        at: at.clone(),
        condition: ReadCondition::default(),
        wanted,
        method: "COPY",
    };
    let (found, chunks) = read::get_object(flow, &request).await.map_err(as_source)?;
    let (etag, at): (&str, Timestamp) = (&found.version.etag, found.version.modified_at);
    condition.check(etag, at).map_err(|unmet| {
        let (Unmet::Precondition(header) | Unmet::NotModified(header)) = unmet;
        error::precondition_failed(match header {
            "If-Match" => "x-amz-copy-source-If-Match",
            "If-None-Match" => "x-amz-copy-source-If-None-Match",
            "If-Modified-Since" => "x-amz-copy-source-If-Modified-Since",
            _ => "x-amz-copy-source-If-Unmodified-Since",
        })
    })?;
    Ok((found, chunks))
}

/// A delete marker as source is a bad request, and its particulars stay out of the answer's headers.
fn as_source(error: ApiError) -> ApiError {
    match error.code.as_ref() {
        "MethodNotAllowed" => error::invalid_request(
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        ),
        "NoSuchKey" => ApiError {
            members: error
                .members
                .into_iter()
                .filter(|(name, _)| *name == "Key")
                .collect(),
            ..error
        },
        _ => error,
    }
}

/// A copy of bytes into a part.
#[derive(Debug, Clone)]
pub struct CopyPart {
    /// The source.
    pub source: ObjectAt,
    /// Conditions on the source.
    pub condition: ReadCondition,
    /// The bytes of the source, both ends included; none for all.
    pub range: Option<(u64, u64)>,
    /// Destination bucket.
    pub bucket: String,
    /// Destination key, raw.
    pub key: String,
    /// Upload id.
    pub upload_id: String,
    /// Part number.
    pub number: u16,
}

/// Copies bytes of an object into a part of an upload.
///
/// Errors: those of reading the source, `InvalidRange`, `NoSuchUpload`.
pub async fn copy_part(flow: &Flow, copy: CopyPart) -> Result<Copied<PartRecord>, ApiError> {
    let upload = multipart::upload(&flow.view(), &copy.bucket, &copy.key, &copy.upload_id)?;
    let wanted = match copy.range {
        Some((first, last)) => Wanted::Between(first, Some(last)),
        None => Wanted::All,
    };
    let (found, chunks) = source(flow, &copy.source, &copy.condition, wanted).await?;
    if let Some((first, last)) = copy.range
        && last >= found.version.size
    {
        let size = found.version.size;
        let message = format!("Range specified is not valid for source object of size: {size}");
        return Err(error::invalid_argument(
            &message,
            "x-amz-copy-source-range",
            &format!("bytes={first}-{last}"),
        ));
    }
    let claims = Claims {
        length: Some(found.length),
        keep: Some(upload.kept_algorithm()),
        ..Claims::default()
    };
    let received = receive(flow, errors(chunks), claims).await?;
    let source_version_id = found.version.version_id;
    let made = received
        .commit(flow, move |tx, received| {
            let CopyPart {
                bucket,
                key,
                upload_id,
                number,
                ..
            } = &copy;
            multipart::put_part(tx, bucket, key, upload_id, *number, received)
        })
        .await?;
    Ok(Copied {
        made,
        source_version_id,
    })
}
