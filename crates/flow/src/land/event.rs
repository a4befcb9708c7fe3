//! The event of a change to an object, put into the commit of the change. Never decides what the rules make of it.

use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::event::{
    CreatedReason, DeletedReason, DeletionType, S3Event, S3EventKind, sequencer,
};

use super::model::{BucketRecord, VersionRecord};
use crate::route::{self, ObjectRef, StoredEvent};
use crate::tx::Tx;

/// What AWS writes as the entity tag of a delete marker.
const ETAG_OF_NOTHING: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A version was written.
    Created(CreatedReason),
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
    let stored = StoredEvent {
        json: event.to_json(),
        id: event.id,
        account: event.account,
        region: event.region,
        bus: "default".to_owned(),
        ingested_at: tx.now(),
        object: Some(ObjectRef {
            bucket: event.bucket,
            key: event.key,
            version_id: event.version_id,
        }),
        hops: 0,
    };
    route::emit(tx, &stored).map(|_| ())
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
        Kind::Created(reason) => S3EventKind::Created {
            reason,
            size: version.size,
            etag,
            sequencer: sequencer(version.number),
        },
        Kind::DeletedForGood => deleted(tx, DeletionType::PermanentlyDeleted, None),
        Kind::MarkerCreated => {
            deleted(tx, DeletionType::DeleteMarkerCreated, Some(ETAG_OF_NOTHING))
        }
        Kind::TagsAdded => S3EventKind::TagsAdded { etag },
        Kind::TagsDeleted => S3EventKind::TagsDeleted { etag },
        Kind::AclUpdated => S3EventKind::AclUpdated { etag },
    }
}
