//! The event of a change to an object, put into the commit of the change, and the same event made again later. Never
//! decides what the rules make of it.

use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::event::{
    CreatedReason, DeletedReason, DeletionType, S3Event, S3EventKind, sequencer,
};

use super::bucket;
use super::model::{Body, BucketRecord, Origin, VersionRecord};
use super::object::{self, ObjectAt};
use crate::route::{self, ObjectRef, StoredEvent};
use crate::tx::{Reader, Tx};

/// What AWS writes as the entity tag of a delete marker.
const ETAG_OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A version was written.
    Created,
    /// A version or a delete marker is gone.
    DeletedForGood,
    /// A delete marker was made.
    MarkerCreated,
    /// Tags were set.
    TagsAdded,
    /// All tags were removed.
    TagsDeleted,
    /// The access control list changed.
    AclUpdated,
}

/// Puts the event into the commit when the bucket's EventBridge delivery is on.
pub(super) fn emit(
    tx: &mut Tx<'_>,
    caller: &Caller,
    bucket: &BucketRecord,
    key: &str,
    version: &VersionRecord,
    kind: Kind,
) -> Result<(), ApiError> {
    if !bucket.event_bridge {
        return Ok(());
    }
    let event = S3Event {
        id: tx.ids().uuid(),
        time: tx.now(),
        account: bucket.account.clone(),
        region: bucket.region.clone(),
        bucket: bucket.name.clone(),
        key: key.to_owned(),
        version_id: version.version_id.clone(),
        request_id: caller.request_id.clone(),
        requester: caller.account.clone(),
        source_ip: caller.source_ip.clone(),
        kind: details(tx, version, kind),
    };
    route::emit(tx, &stored(event, tx.now())).map(|_| ())
}

/// The `Object Created` of a stored version once more, under an id of its own and at the time of the first one.
///
/// Says what the first one said, as far as it is recorded: of a version that an older Landfall wrote, the operation
/// follows from the form of its bytes, and who called is not known. Made also when the bucket sends no events.
///
/// Errors: `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`, `MethodNotAllowed` for a delete marker.
pub fn created_again(
    db: &impl Reader,
    at: &ObjectAt,
    id: String,
    now: Timestamp,
) -> Result<StoredEvent, ApiError> {
    let bucket = bucket::bucket(db, &at.bucket)?;
    let (version, _) = object::live(db, &at.bucket, &at.key, at.version_id.as_deref())?;
    let origin = version.origin.clone();
    let origin = origin.unwrap_or_else(|| unrecorded(&bucket, &version));
    let event = S3Event {
        id,
        time: version.modified_at,
        account: bucket.account,
        region: bucket.region,
        bucket: bucket.name,
        key: at.key.clone(),
        version_id: version.version_id.clone(),
        kind: created(&version, origin.reason),
        request_id: origin.request_id,
        requester: origin.requester,
        source_ip: origin.source_ip,
    };
    Ok(stored(event, now))
}

fn unrecorded(bucket: &BucketRecord, version: &VersionRecord) -> Origin {
    Origin {
        reason: match version.body {
            Body::Whole(_) => CreatedReason::PutObject,
            Body::Parts(_) => CreatedReason::CompleteMultipartUpload,
        },
        request_id: String::new(),
        requester: bucket.account.clone(),
        source_ip: String::new(),
    }
}

fn stored(event: S3Event, ingested_at: Timestamp) -> StoredEvent {
    StoredEvent {
        json: event.to_json(),
        id: event.id,
        account: event.account,
        region: event.region,
        bus: route::bus::DEFAULT_BUS.to_owned(),
        ingested_at,
        object: Some(ObjectRef {
            bucket: event.bucket,
            key: event.key,
            version_id: event.version_id,
        }),
        hops: 0,
        again: None,
    }
}

fn created(version: &VersionRecord, reason: CreatedReason) -> S3EventKind {
    S3EventKind::Created {
        reason,
        size: version.size,
        etag: version.etag.clone(),
        sequencer: sequencer(version.number),
    }
}

fn details(tx: &mut Tx<'_>, version: &VersionRecord, kind: Kind) -> S3EventKind {
    let etag = version.etag.clone();
    let deleted = |tx: &mut Tx<'_>, kind, etag: Option<&str>| S3EventKind::Deleted {
        reason: DeletedReason::DeleteObject,
        kind,
        etag: etag.map(str::to_owned),
        sequencer: sequencer(tx.next_sequence()),
    };
    match kind {
        Kind::Created => {
            let origin = version.origin.as_ref();
            created(
                version,
                origin.map_or(CreatedReason::PutObject, |it| it.reason),
            )
        }
        Kind::DeletedForGood => deleted(tx, DeletionType::PermanentlyDeleted, None),
        Kind::MarkerCreated => {
            deleted(tx, DeletionType::DeleteMarkerCreated, Some(ETAG_OF_NOTHING))
        }
        Kind::TagsAdded => S3EventKind::TagsAdded { etag },
        Kind::TagsDeleted => S3EventKind::TagsDeleted { etag },
        Kind::AclUpdated => S3EventKind::AclUpdated { etag },
    }
}
