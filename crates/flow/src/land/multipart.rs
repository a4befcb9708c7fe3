//! Uploads in parts: begun, filled, completed into an object without copying a byte, or aborted. The object's event
//! is in the commit of the completion; parts cause none.

use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::event::CreatedReason;
use landfall_core::limits;

use super::checksum::{self, Algorithm, Checksum, Coverage};
use super::condition::WriteCondition;
use super::event::{self, Kind};
use super::model::{
    Attributes, Body, BucketRecord, Origin, PartRecord, PartsRecord, Tags, UploadRecord,
    VersionRecord, number_of_id, opaque_id, part_key, parts_key, upload_key, upload_parts_key,
};
use super::receive::Received;
use super::{bucket, error, object, version};
use crate::tx::{Reader, Tx};

/// An upload to be begun.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// Bucket.
    pub bucket: String,
    /// Key, raw.
    pub key: String,
    /// What the client says about the object.
    pub attributes: Attributes,
    /// The object's tags.
    pub tags: Tags,
    /// Checksum algorithm; none lets Landfall choose.
    pub algorithm: Option<Algorithm>,
    /// What the object's checksum is to cover.
    pub coverage: Option<Coverage>,
}

/// Begins an upload.
///
/// Errors: `NoSuchBucket`, `InvalidRequest` for a checksum that cannot be had so.
pub fn create_upload(tx: &mut Tx<'_>, new: NewUpload) -> Result<UploadRecord, ApiError> {
    bucket::bucket(tx, &new.bucket)?;
    let algorithm = new.algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let coverage = new.coverage.unwrap_or_else(|| algorithm.default_coverage());
    if !algorithm.allows(coverage) {
        let coverage = match coverage {
            Coverage::FullObject => "FULL_OBJECT",
            Coverage::Composite => "COMPOSITE",
        };
        return Err(error::invalid_request(format!(
            "The {coverage} checksum type cannot be used with the {} checksum algorithm.",
            algorithm.name().to_lowercase()
        )));
    }
    let number = tx.next_sequence();
    let mut random = [0; 16];
    tx.ids().fill(&mut random);
    let upload = UploadRecord {
        number,
        upload_id: opaque_id(random, number),
        key: new.key,
        initiated_at: tx.now(),
        attributes: new.attributes,
        tags: new.tags,
        algorithm: new.algorithm,
        coverage,
    };
    tx.put(&upload_key(&new.bucket, &upload.key, number), &upload)?;
    Ok(upload)
}

/// The upload of that id.
///
/// Errors: `NoSuchBucket`, `NoSuchUpload`.
pub fn upload(
    reader: &impl Reader,
    bucket: &str,
    key: &str,
    id: &str,
) -> Result<UploadRecord, ApiError> {
    bucket::bucket(reader, bucket)?;
    let missing = || error::no_such_upload(id);
    let number = number_of_id(id).ok_or_else(missing)?;
    reader
        .get::<UploadRecord>(&upload_key(bucket, key, number))?
        .filter(|upload| upload.upload_id == id)
        .ok_or_else(missing)
}

/// Whether a part number is one.
///
/// Errors: `InvalidArgument`.
pub fn check_part_number(number: i32) -> Result<u16, ApiError> {
    let max = limits::S3_PARTS_MAX;
    u16::try_from(number)
        .ok()
        .filter(|n| (1..=max).contains(n))
        .ok_or_else(|| {
            let message = format!("Part number must be an integer between 1 and {max}, inclusive");
            error::invalid_argument(&message, "partNumber", &number.to_string())
        })
}

/// Whether a part may come with a checksum of this algorithm.
///
/// Errors: `InvalidRequest`.
pub fn check_part_algorithm(
    upload: &UploadRecord,
    given: Option<Algorithm>,
) -> Result<(), ApiError> {
    match (upload.algorithm, given) {
        (Some(expected), Some(actual)) if expected != actual => {
            Err(error::invalid_request(format!(
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                expected.name().to_lowercase(),
                actual.name().to_lowercase()
            )))
        }
        _ => Ok(()),
    }
}

/// Writes a part whose bytes have been received; an earlier part of the number goes.
///
/// Errors: `NoSuchBucket`, `NoSuchUpload`.
pub fn put_part(
    tx: &mut Tx<'_>,
    bucket: &str,
    key: &str,
    id: &str,
    number: u16,
    received: &Received,
) -> Result<PartRecord, ApiError> {
    let upload = upload(tx, bucket, key, id)?;
    let at = part_key(upload.number, number);
    if let Some(earlier) = tx.get::<PartRecord>(&at)? {
        version::remove_stored(tx, &earlier.stored);
    }
    let part = PartRecord {
        number,
        size: received.size,
        etag: received.md5.clone(),
        modified_at: tx.now(),
        checksum: Some(received.checksum.clone()),
        stored: received.store(tx)?,
    };
    tx.put(&at, &part)?;
    Ok(part)
}

/// The parts of an upload behind a number, in order.
pub fn parts(
    reader: &impl Reader,
    upload: &UploadRecord,
    behind: u16,
) -> Result<Vec<PartRecord>, ApiError> {
    let prefix = upload_parts_key(upload.number);
    let from = part_key(upload.number, behind).past();
    reader
        .list_between(from, prefix.range().1, landfall_store::Direction::Forward)
        .map(|entry| entry.map(|(_, part)| part))
        .collect()
}

/// Gives an upload and all its parts up.
///
/// Errors: `NoSuchBucket`, `NoSuchUpload`.
pub fn abort_upload(tx: &mut Tx<'_>, bucket: &str, key: &str, id: &str) -> Result<(), ApiError> {
    let upload = upload(tx, bucket, key, id)?;
    discard(tx, bucket, &upload)
}

/// Removes an upload with its parts.
pub(super) fn discard(
    tx: &mut Tx<'_>,
    bucket: &str,
    upload: &UploadRecord,
) -> Result<(), ApiError> {
    for part in parts(tx, upload, 0)? {
        version::remove_stored(tx, &part.stored);
        tx.delete::<PartRecord>(&part_key(upload.number, part.number));
    }
    tx.delete::<UploadRecord>(&upload_key(bucket, &upload.key, upload.number));
    Ok(())
}

/// A part as the client names it on completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPart {
    /// Part number.
    pub number: i32,
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its checksum, if the client names one.
    pub checksum: Option<(Algorithm, String)>,
}

/// A completion.
#[derive(Debug, Clone)]
pub struct Completion {
    /// Bucket.
    pub bucket: String,
    /// Key, raw.
    pub key: String,
    /// Upload id.
    pub upload_id: String,
    /// The parts that make the object, in order.
    pub parts: Vec<NamedPart>,
    /// When the object may be written.
    pub condition: WriteCondition,
    /// The checksum that the client expects of the whole.
    pub checksum: Option<(Algorithm, String)>,
    /// What the client says that it covers.
    pub coverage: Option<Coverage>,
    /// The size that the client expects.
    pub size: Option<u64>,
}

/// Makes the object of an upload, with its event.
///
/// Errors: `NoSuchBucket`, `NoSuchUpload`, `MalformedXML`, `InvalidPart`, `InvalidPartOrder`, `EntityTooSmall`,
/// `InvalidRequest`, `BadDigest`, those of the condition.
pub fn complete_upload(
    tx: &mut Tx<'_>,
    caller: &Caller,
    completion: &Completion,
) -> Result<VersionRecord, ApiError> {
    let bucket = bucket::bucket(tx, &completion.bucket)?;
    let upload = upload(tx, &bucket.name, &completion.key, &completion.upload_id)?;
    let before = version::current(tx, &bucket.name, &completion.key)?;
    completion
        .condition
        .check(&completion.key, before.as_ref())?;
    let chosen = choose(tx, &upload, &completion.parts)?;
    let checksum = checksum_of(&upload, &chosen);
    check_expectations(completion, &upload, &chosen, checksum.as_ref())?;
    let mut record = VersionRecord {
        number: 0,
        version_id: None,
        delete_marker: false,
        size: chosen.iter().map(|part| part.size).sum(),
        etag: checksum::etag_over_parts(chosen.iter().map(|part| part.etag.as_str())),
        modified_at: tx.now(),
        checksum,
        body: Body::Parts(upload.number),
        attributes: upload.attributes.clone(),
        tags: upload.tags.clone(),
        origin: Some(Origin::of(caller, CreatedReason::CompleteMultipartUpload)),
    };
    consume(tx, &bucket, &upload, chosen)?;
    version::insert(tx, &bucket, &completion.key, &mut record, before)?;
    object::answer_version(tx, &record);
    event::emit(tx, caller, &bucket, &completion.key, &record, Kind::Created)?;
    Ok(record)
}

/// The stored parts that the client names, checked one by one.
fn choose(
    tx: &Tx<'_>,
    upload: &UploadRecord,
    named: &[NamedPart],
) -> Result<Vec<PartRecord>, ApiError> {
    let id = &upload.upload_id;
    if named.is_empty() {
        return Err(error::malformed_xml());
    }
    let ascending = named
        .iter()
        .zip(named.iter().skip(1))
        .all(|(a, b)| a.number < b.number);
    if !ascending {
        return Err(error::invalid_part_order(id));
    }
    let mut chosen: Vec<PartRecord> = Vec::with_capacity(named.len());
    for name in named {
        let number = check_part_number(name.number)?;
        let part: Option<PartRecord> = tx.get(&part_key(upload.number, number))?;
        let part = part
            .filter(|part| part.etag == name.etag && checksum_fits(part, name))
            .ok_or_else(|| error::invalid_part(id, number, &name.etag))?;
        chosen.push(part);
    }
    let min = limits::S3_PART_BYTES_MIN;
    let but_last = chosen.len() - 1;
    match chosen.iter().take(but_last).find(|part| part.size < min) {
        Some(small) => Err(error::entity_too_small(
            small.number,
            &small.etag,
            small.size,
            min,
        )),
        None => Ok(chosen),
    }
}

/// A checksum in another algorithm than the kept one was held against the bytes when they came.
fn checksum_fits(part: &PartRecord, name: &NamedPart) -> bool {
    match (&name.checksum, &part.checksum) {
        (Some((algorithm, value)), Some(kept)) if *algorithm == kept.algorithm => {
            *value == kept.value
        }
        _ => true,
    }
}

fn checksum_of(upload: &UploadRecord, parts: &[PartRecord]) -> Option<Checksum> {
    let values = parts.iter().map(|part| (part.checksum.as_ref(), part.size));
    checksum::over_parts(upload.kept_algorithm(), upload.coverage, values)
}

fn check_expectations(
    completion: &Completion,
    upload: &UploadRecord,
    parts: &[PartRecord],
    checksum: Option<&Checksum>,
) -> Result<(), ApiError> {
    if completion.coverage.is_some_and(|c| c != upload.coverage) {
        let message = "The upload was created using a different checksum type than the one of the complete request.";
        return Err(error::invalid_request(message));
    }
    let size: u64 = parts.iter().map(|part| part.size).sum();
    if completion.size.is_some_and(|expected| expected != size) {
        let message = format!(
            "The provided 'x-amz-mp-object-size' header value {} does not match what was computed: {size}",
            completion.size.unwrap_or_default()
        );
        return Err(error::invalid_request(message));
    }
    if size > limits::S3_OBJECT_BYTES_MAX {
        return Err(error::entity_too_large(size, limits::S3_OBJECT_BYTES_MAX));
    }
    match (&completion.checksum, checksum) {
        (Some((algorithm, value)), Some(kept))
            if *algorithm == kept.algorithm && bare(value) != bare(&kept.value) =>
        {
            Err(error::bad_checksum(algorithm.name()))
        }
        _ => Ok(()),
    }
}

/// A composite value with or without its number of parts.
fn bare(value: &str) -> &str {
    value.split_once('-').map_or(value, |(digest, _)| digest)
}

/// The upload's records go; the chosen parts become the object's, the others are given up.
fn consume(
    tx: &mut Tx<'_>,
    bucket: &BucketRecord,
    upload: &UploadRecord,
    chosen: Vec<PartRecord>,
) -> Result<(), ApiError> {
    let mut kept = chosen.iter().map(|part| part.number).peekable();
    for part in parts(tx, upload, 0)? {
        if kept.next_if_eq(&part.number).is_none() {
            version::remove_stored(tx, &part.stored);
        }
        tx.delete::<PartRecord>(&part_key(upload.number, part.number));
    }
    tx.delete::<UploadRecord>(&upload_key(&bucket.name, &upload.key, upload.number));
    tx.put(&parts_key(upload.number), &PartsRecord { parts: chosen })
}
