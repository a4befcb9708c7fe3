//! Buckets: created, found, listed, deleted; their versioning and notification switches and the configurations that
//! stand beside them. Never touches objects but to see whether there are any.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bytes::Bytes;
use landfall_core::caller::{Caller, DEFAULT_REGION};
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::Direction;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error;
use super::model::{
    BucketRecord, ConfigRecord, Tags, UploadRecord, VersionRecord, Versioning, bucket_key,
    config_key, objects_key, uploads_key,
};
use crate::key::Key;
use crate::record::Record as _;
use crate::tx::{Reader, Tx};

/// Creates a bucket in a region. A second creation by the owner is no error in `us-east-1`, where it changes nothing.
///
/// Errors: `InvalidBucketName`, `BucketAlreadyExists`, `BucketAlreadyOwnedByYou`.
pub fn create_bucket(
    tx: &mut Tx<'_>,
    caller: &Caller,
    name: &str,
    region: &str,
) -> Result<BucketRecord, ApiError> {
    check_name(name)?;
    if let Some(existing) = tx.get::<BucketRecord>(&bucket_key(name))? {
        return match existing.account == caller.account {
            false => Err(already_exists(name)),
            true if existing.region == DEFAULT_REGION && region == DEFAULT_REGION => Ok(existing),
            true => Err(already_owned(name)),
        };
    }
    let bucket = BucketRecord {
        name: name.to_owned(),
        account: caller.account.clone(),
        region: region.to_owned(),
        created_at: tx.now(),
        versioning: Versioning::Off,
        event_bridge: false,
    };
    tx.put(&bucket_key(name), &bucket)?;
    Ok(bucket)
}

fn already_exists(name: &str) -> ApiError {
    let message = "The requested bucket name is not available. The bucket namespace is shared by all users of the \
                   system. Please select a different name and try again.";
    ApiError::with_status("BucketAlreadyExists", 409, message).member("BucketName", name)
}

fn already_owned(name: &str) -> ApiError {
    let message =
        "Your previous request to create the named bucket succeeded and you already own it.";
    ApiError::with_status("BucketAlreadyOwnedByYou", 409, message).member("BucketName", name)
}

/// The region that a new bucket belongs to, from the caller's region and the location constraint.
///
/// Errors: `IllegalLocationConstraintException`, `InvalidLocationConstraint`.
pub fn region_of_new_bucket(caller: &Caller, constraint: Option<&str>) -> Result<String, ApiError> {
    let constraint = constraint.filter(|c| !c.is_empty());
    match constraint {
        None if caller.region == DEFAULT_REGION => Ok(DEFAULT_REGION.to_owned()),
        None => Err(illegal_location("unspecified")),
        Some(constraint) if !is_region(constraint) => {
            let message = "The specified location-constraint is not valid";
            let e = ApiError::client("InvalidLocationConstraint", message);
            Err(e.member("LocationConstraint", constraint))
        }
        Some("EU") => Ok("eu-west-1".to_owned()),
        Some(c) if caller.region == DEFAULT_REGION || caller.region == c => Ok(c.to_owned()),
        Some(c) => Err(illegal_location(c)),
    }
}

fn is_region(text: &str) -> bool {
    let words: Vec<&str> = text.split('-').collect();
    let number = words.last().is_some_and(|w| w.parse::<u8>().is_ok());
    text == "EU" || (text != DEFAULT_REGION && words.len() >= 3 && number)
}

fn illegal_location(constraint: &str) -> ApiError {
    ApiError::client(
        "IllegalLocationConstraintException",
        format!(
            "The {constraint} location constraint is incompatible for the region specific endpoint this request was \
             sent to."
        ),
    )
}

/// Whether the name is one that S3 gives out.
///
/// Errors: `InvalidBucketName`.
pub fn check_name(name: &str) -> Result<(), ApiError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    let edges = bytes.first().is_some_and(|b| plain(*b)) && bytes.last().is_some_and(|b| plain(*b));
    let valid = (3..=63).contains(&name.len())
        && edges
        && bytes.iter().all(|b| plain(*b) || matches!(b, b'-' | b'.'))
        && !name.contains("..")
        && name.parse::<Ipv4Addr>().is_err()
        && !["xn--", "sthree-", "amzn-s3-demo-"]
            .iter()
            .any(|p| name.starts_with(p))
        && !["-s3alias", "--ol-s3", ".mrap", "--x-s3"]
            .iter()
            .any(|s| name.ends_with(s));
    if valid {
        return Ok(());
    }
    let message = "The specified bucket is not valid.";
    Err(ApiError::client("InvalidBucketName", message).member("BucketName", name))
}

/// The bucket of that name.
///
/// Errors: `NoSuchBucket`.
pub fn bucket(reader: &impl Reader, name: &str) -> Result<BucketRecord, ApiError> {
    reader
        .get(&bucket_key(name))?
        .ok_or_else(|| error::no_such_bucket(name))
}

/// Refuses a bucket that is not there, without a look at what is stored of it.
///
/// Errors: `NoSuchBucket`.
pub fn check_exists(reader: &impl Reader, name: &str) -> Result<(), ApiError> {
    match reader.has::<BucketRecord>(&bucket_key(name))? {
        true => Ok(()),
        false => Err(error::no_such_bucket(name)),
    }
}

/// The bucket of that name, read anew only when its stored bytes are others than last time: every upload asks.
///
/// Errors: `NoSuchBucket`.
pub(super) fn bucket_of_upload(tx: &mut Tx<'_>, name: &str) -> Result<Arc<BucketRecord>, ApiError> {
    let stored = tx
        .get_raw(BucketRecord::SPACE, bucket_key(name).bytes())?
        .ok_or_else(|| error::no_such_bucket(name))?;
    if let Some(bucket) = tx.caches.buckets.get(name, &stored) {
        return Ok(bucket);
    }
    let bucket = Arc::new(BucketRecord::decode(&stored)?);
    tx.caches.buckets.remember(stored, Arc::clone(&bucket));
    Ok(bucket)
}

/// Buckets beside the bytes that they were read from.
#[derive(Default)]
pub(crate) struct ReadBuckets(HashMap<String, (Bytes, Arc<BucketRecord>)>);

impl ReadBuckets {
    fn get(&self, name: &str, stored: &Bytes) -> Option<Arc<BucketRecord>> {
        let (bytes, bucket) = self.0.get(name)?;
        (bytes == stored).then(|| Arc::clone(bucket))
    }

    fn remember(&mut self, stored: Bytes, bucket: Arc<BucketRecord>) {
        if self.0.len() >= limits::BUCKETS_REMEMBERED_MAX {
            self.0.clear();
        }
        self.0.insert(bucket.name.clone(), (stored, bucket));
    }
}

/// Refuses when the client expects another owner.
///
/// Errors: `AccessDenied`.
pub fn check_owner(bucket: &BucketRecord, expected: Option<&str>) -> Result<(), ApiError> {
    match expected {
        Some(account) if account != bucket.account => Err(error::access_denied()),
        _ => Ok(()),
    }
}

/// The account's buckets by name.
pub fn list_buckets(reader: &impl Reader, account: &str) -> Result<Vec<BucketRecord>, ApiError> {
    let mut all: Vec<BucketRecord> = reader.all(&Key::new("bucket"))?;
    all.retain(|bucket| bucket.account == account);
    Ok(all)
}

/// Deletes an empty bucket and its configurations. Unfinished uploads go with it.
///
/// Errors: `NoSuchBucket`, `BucketNotEmpty`.
pub fn delete_bucket(tx: &mut Tx<'_>, name: &str) -> Result<(), ApiError> {
    let record = bucket(tx, name)?;
    let root = objects_key(name);
    let mut objects = tx.list::<VersionRecord>(&root, Direction::Forward);
    if objects.next().transpose()?.is_some() {
        let message = match record.versioning {
            Versioning::Off => "The bucket you tried to delete is not empty",
            _ => {
                "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
            }
        };
        let e = ApiError::with_status("BucketNotEmpty", 409, message);
        return Err(e.member("BucketName", name));
    }
    drop(objects);
    let uploads: Vec<UploadRecord> = tx.all(&uploads_key(name))?;
    for upload in uploads {
        super::multipart::discard(tx, name, &upload)?;
    }
    let configs = Key::new("bucket-config").part(name);
    let keys = tx
        .list::<ConfigRecord>(&configs, Direction::Forward)
        .map(|entry| entry.map(|(key, _)| key))
        .collect::<Result<Vec<Key>, _>>()?;
    for key in keys {
        tx.delete::<ConfigRecord>(&key);
    }
    tx.delete::<BucketRecord>(&bucket_key(name));
    Ok(())
}

/// Turns delivery of the bucket's events to EventBridge on or off.
pub fn put_event_bridge(tx: &mut Tx<'_>, name: &str, on: bool) -> Result<(), ApiError> {
    let mut record = bucket(tx, name)?;
    record.event_bridge = on;
    tx.put(&bucket_key(name), &record)
}

/// Enables or suspends versioning; once enabled it cannot be off again.
///
/// Errors: `IllegalVersioningConfigurationException`.
pub fn put_versioning(tx: &mut Tx<'_>, name: &str, versioning: Versioning) -> Result<(), ApiError> {
    let mut record = bucket(tx, name)?;
    if versioning == Versioning::Off {
        let message = "The versioning configuration specified in the request is invalid.";
        return Err(ApiError::client(
            "IllegalVersioningConfigurationException",
            message,
        ));
    }
    record.versioning = versioning;
    tx.put(&bucket_key(name), &record)
}

/// A kind of configuration that stands beside a bucket.
pub trait Config: Serialize + DeserializeOwned {
    /// Part of the stored key; never changes.
    const KIND: &'static str;

    /// The answer when the bucket has none.
    fn missing(bucket: &str) -> ApiError;
}

/// A configuration of a bucket.
///
/// Errors: `NoSuchBucket`, the kind's own when there is none.
pub fn config<C: Config>(reader: &impl Reader, name: &str) -> Result<C, ApiError> {
    bucket(reader, name)?;
    let record: ConfigRecord = reader
        .get(&config_key(name, C::KIND))?
        .ok_or_else(|| C::missing(name))?;
    serde_json::from_str(&record.json)
        .map_err(|e| ApiError::internal(format!("a stored configuration is damaged: {e}")))
}

/// Writes a configuration of a bucket.
///
/// Errors: `NoSuchBucket`.
pub fn put_config<C: Config>(tx: &mut Tx<'_>, name: &str, config: &C) -> Result<(), ApiError> {
    bucket(tx, name)?;
    let json = serde_json::to_string(config)
        .map_err(|e| ApiError::internal(format!("cannot encode a configuration: {e}")))?;
    tx.put(&config_key(name, C::KIND), &ConfigRecord { json })
}

/// Deletes a configuration of a bucket; deleting none is no error.
///
/// Errors: `NoSuchBucket`.
pub fn delete_config<C: Config>(tx: &mut Tx<'_>, name: &str) -> Result<(), ApiError> {
    bucket(tx, name)?;
    tx.delete::<ConfigRecord>(&config_key(name, C::KIND));
    Ok(())
}

/// Whether tags are ones that S3 takes, at most `max` of them.
///
/// Errors: `InvalidTag`, `BadRequest`.
pub fn check_tags(tags: &Tags, max: usize) -> Result<(), ApiError> {
    if tags.len() > max {
        let what = if max == limits::S3_OBJECT_TAGS_MAX {
            "Object"
        } else {
            "Bucket"
        };
        let message = format!("{what} tags cannot be greater than {max}");
        return Err(ApiError::client("BadRequest", message));
    }
    for (index, (key, value)) in tags.iter().enumerate() {
        if key.is_empty() || key.chars().count() > 128 {
            let e = error::invalid_tag("The TagKey you have provided is invalid");
            return Err(e.member("TagKey", key));
        }
        if value.chars().count() > 256 {
            let e = error::invalid_tag("The TagValue you have provided is invalid");
            return Err(e.member("TagKey", key).member("TagValue", value));
        }
        if key.starts_with("aws:") {
            return Err(error::invalid_tag(
                "System tags cannot be added/updated by requester",
            ));
        }
        if tags.iter().take(index).any(|(earlier, _)| earlier == key) {
            let e = error::invalid_tag("Cannot provide multiple Tags with the same key");
            return Err(e.member("TagKey", key));
        }
    }
    Ok(())
}
