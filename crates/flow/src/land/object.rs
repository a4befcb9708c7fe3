//! Objects arrive and go: each write or deletion and its event become durable in one commit. Never handles a byte of
//! a body larger than the inline limit: those are durable before the commit begins.

use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::event::CreatedReason;
use landfall_core::limits;

use super::condition::WriteCondition;
use super::event::{self, Kind};
use super::model::{Attributes, Body, BucketRecord, Origin, Tags, VersionRecord, Versioning};
use super::receive::Received;
use super::{bucket, error, version};
use crate::tx::{Reader, Tx};

/// An object to be written.
#[derive(Debug)]
pub struct NewObject {
    /// Bucket.
    pub bucket: String,
    /// Key, raw.
    pub key: String,
    /// What the client says about it.
    pub attributes: Attributes,
    /// Its tags.
    pub tags: Tags,
    /// When it may be written.
    pub condition: WriteCondition,
    /// The reason that its event gives.
    pub reason: CreatedReason,
}

/// Refuses a key that S3 would not take.
///
/// Errors: `KeyTooLongError`.
pub fn check_key(key: &str) -> Result<(), ApiError> {
    let max = limits::S3_KEY_BYTES_MAX;
    if key.len() <= max {
        return Ok(());
    }
    let e = ApiError::client("KeyTooLongError", "Your key is too long");
    Err(e
        .member("Size", key.len().to_string())
        .member("MaxSizeAllowed", max.to_string()))
}

/// Refuses metadata above the limit.
///
/// Errors: `MetadataTooLarge`.
pub fn check_attributes(attributes: &Attributes) -> Result<(), ApiError> {
    let entries = attributes.metadata.iter();
    let size: usize = entries.map(|(name, value)| name.len() + value.len()).sum();
    let max = limits::S3_USER_METADATA_BYTES_MAX;
    if size <= max {
        return Ok(());
    }
    let message = "Your metadata headers exceed the maximum allowed metadata size";
    Err(ApiError::client("MetadataTooLarge", message)
        .member("Size", size.to_string())
        .member("MaxSizeAllowed", max.to_string()))
}

/// Writes an object whose bytes have been received, with its event.
///
/// Errors: `NoSuchBucket`, those of the condition.
pub fn put_object(
    tx: &mut Tx<'_>,
    caller: &Caller,
    new: NewObject,
    received: &Received,
) -> Result<VersionRecord, ApiError> {
    tx.about_key(&new.key);
    let bucket = bucket::bucket_of_upload(tx, &new.bucket)?;
    let before = version::current(tx, &new.bucket, &new.key)?;
    new.condition.check(&new.key, before.as_ref())?;
    let stored = received.store(tx)?;
    let mut record = VersionRecord {
        number: 0,
        version_id: None,
        delete_marker: false,
        size: received.size,
        etag: received.md5.clone(),
        modified_at: tx.now(),
        checksum: Some(received.checksum.clone()),
        body: Body::Whole(stored),
        attributes: new.attributes,
        tags: new.tags,
        origin: Some(Origin::of(caller, new.reason)),
    };
    version::insert(tx, &bucket, &new.key, &mut record, before)?;
    answer_version(tx, &record);
    event::emit(tx, caller, &bucket, &new.key, &record, Kind::Created)?;
    Ok(record)
}

/// Says the version id that the answer's head bears.
pub(super) fn answer_version(tx: &mut Tx<'_>, record: &VersionRecord) {
    if let Some(id) = &record.version_id {
        tx.answers("x-amz-version-id", id);
    }
}

/// What a deletion did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Whether a delete marker was made or removed.
    pub delete_marker: bool,
    /// The version that was made (a marker) or removed; none for what has no version id.
    pub version_id: Option<String>,
}

/// Deletes a key or one version of it, with its event. Deleting what is not there is no error.
///
/// Errors: `NoSuchBucket`, `PreconditionFailed`, `InvalidArgument`.
pub fn delete_object(
    tx: &mut Tx<'_>,
    caller: &Caller,
    bucket: &str,
    key: &str,
    version_id: Option<&str>,
    condition: &WriteCondition,
) -> Result<Deleted, ApiError> {
    let bucket = bucket::bucket(tx, bucket)?;
    if let Some(version_id) = version_id {
        return delete_version(tx, caller, &bucket, key, version_id);
    }
    let before = version::current(tx, &bucket.name, key)?;
    condition.check(key, before.as_ref())?;
    match bucket.versioning {
        Versioning::Off => delete_current(tx, caller, &bucket, key, before),
        Versioning::Enabled | Versioning::Suspended => mark(tx, caller, &bucket, key, before),
    }
}

fn delete_current(
    tx: &mut Tx<'_>,
    caller: &Caller,
    bucket: &BucketRecord,
    key: &str,
    before: Option<VersionRecord>,
) -> Result<Deleted, ApiError> {
    if let Some(record) = before {
        version::remove(tx, &bucket.name, key, &record, true)?;
        event::emit(tx, caller, bucket, key, &record, Kind::DeletedForGood)?;
    }
    Ok(Deleted::default())
}

fn mark(
    tx: &mut Tx<'_>,
    caller: &Caller,
    bucket: &BucketRecord,
    key: &str,
    before: Option<VersionRecord>,
) -> Result<Deleted, ApiError> {
    let mut marker = VersionRecord {
        number: 0,
        version_id: None,
        delete_marker: true,
        size: 0,
        etag: String::new(),
        modified_at: tx.now(),
        checksum: None,
        body: Body::Whole(super::model::Stored::Empty),
        attributes: Attributes::default(),
        tags: Tags::new(),
        origin: None,
    };
    version::insert(tx, bucket, key, &mut marker, before)?;
    event::emit(tx, caller, bucket, key, &marker, Kind::MarkerCreated)?;
    Ok(Deleted {
        delete_marker: true,
        version_id: Some(marker.shown_version_id().to_owned()),
    })
}

fn delete_version(
    tx: &mut Tx<'_>,
    caller: &Caller,
    bucket: &BucketRecord,
    key: &str,
    version_id: &str,
) -> Result<Deleted, ApiError> {
    let gone = |delete_marker| Deleted {
        delete_marker,
        version_id: Some(version_id.to_owned()),
    };
    let (record, is_current) = match version::find(tx, &bucket.name, key, Some(version_id)) {
        Ok(found) => found,
        Err(e) if e.code == "NoSuchVersion" => return Ok(gone(false)),
        Err(e) => return Err(e),
    };
    version::remove(tx, &bucket.name, key, &record, is_current)?;
    event::emit(tx, caller, bucket, key, &record, Kind::DeletedForGood)?;
    Ok(gone(record.delete_marker))
}

/// One key, or one version of it, of a deletion of many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteEntry {
    /// Key, raw.
    pub key: String,
    /// Version.
    pub version_id: Option<String>,
    /// When it may be deleted.
    pub condition: WriteCondition,
}

/// Deletes many keys in one commit: each by itself, so that one that fails holds no other up.
///
/// Errors: `NoSuchBucket`, `MalformedXML` for none or too many keys.
pub fn delete_objects(
    tx: &mut Tx<'_>,
    caller: &Caller,
    bucket: &str,
    entries: &[DeleteEntry],
) -> Result<Vec<Result<Deleted, ApiError>>, ApiError> {
    bucket::bucket(tx, bucket)?;
    if entries.is_empty() || entries.len() > limits::S3_DELETE_KEYS_MAX {
        return Err(error::malformed_xml());
    }
    let each = entries.iter().map(|entry| {
        tx.attempt(|tx| {
            let version_id = entry.version_id.as_deref();
            delete_object(tx, caller, bucket, &entry.key, version_id, &entry.condition)
        })
    });
    Ok(each.collect())
}

/// The live object that a sub-resource verb is about.
pub(super) fn live(
    db: &impl Reader,
    bucket: &str,
    key: &str,
    version_id: Option<&str>,
) -> Result<(VersionRecord, bool), ApiError> {
    let (record, is_current) = version::find(db, bucket, key, version_id)?;
    match (record.delete_marker, version_id) {
        (false, _) => Ok((record, is_current)),
        (true, None) => Err(error::no_such_key(key)),
        (true, Some(_)) => Err(error::method_not_allowed("PUT")),
    }
}

/// Replaces the tags of an object; an empty set deletes them. Answers the version.
///
/// Errors: `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`, those of the tags.
pub fn put_object_tags(
    tx: &mut Tx<'_>,
    caller: &Caller,
    at: &ObjectAt,
    tags: Tags,
) -> Result<VersionRecord, ApiError> {
    bucket::check_tags(&tags, limits::S3_OBJECT_TAGS_MAX)?;
    let bucket = bucket::bucket(tx, &at.bucket)?;
    let (mut record, is_current) = live(tx, &at.bucket, &at.key, at.version_id.as_deref())?;
    let kind = match tags.is_empty() {
        true => Kind::TagsDeleted,
        false => Kind::TagsAdded,
    };
    record.tags = tags;
    version::replace(tx, &at.bucket, &at.key, &record, is_current)?;
    event::emit(tx, caller, &bucket, &at.key, &record, kind)?;
    Ok(record)
}

/// Sets the canned ACL of an object. Answers the version.
///
/// Errors: `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`.
pub fn put_object_acl(
    tx: &mut Tx<'_>,
    caller: &Caller,
    at: &ObjectAt,
    canned: &str,
) -> Result<VersionRecord, ApiError> {
    let bucket = bucket::bucket(tx, &at.bucket)?;
    let (mut record, is_current) = live(tx, &at.bucket, &at.key, at.version_id.as_deref())?;
    let acl = Some(canned.to_owned()).filter(|c| c != "private");
    if record.attributes.acl != acl {
        record.attributes.acl = acl;
        version::replace(tx, &at.bucket, &at.key, &record, is_current)?;
        event::emit(tx, caller, &bucket, &at.key, &record, Kind::AclUpdated)?;
    }
    Ok(record)
}

/// An object, or one version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectAt {
    /// Bucket.
    pub bucket: String,
    /// Key, raw.
    pub key: String,
    /// Version; the current one when none.
    pub version_id: Option<String>,
}
