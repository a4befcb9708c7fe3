//! The `Object …` events of Amazon S3. Keys go in as they are: never URL-encoded, unlike in the older notifications.

use serde::{Deserialize, Serialize};

use super::Envelope;
use crate::clock::Timestamp;

/// The principal of what S3 does by itself.
const SERVICE: &str = "s3.amazonaws.com";

/// One event about one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Event {
    /// UUID of the event.
    pub id: String,
    /// When it happened.
    pub time: Timestamp,
    /// The bucket owner's account.
    pub account: String,
    /// The bucket's region.
    pub region: String,
    /// Bucket name.
    pub bucket: String,
    /// The object's key, byte for byte.
    pub key: String,
    /// Version id; left out of the event when `None` or `null` (unversioned and suspended buckets).
    pub version_id: Option<String>,
    /// `x-amz-request-id` of the answer.
    pub request_id: String,
    /// Account id of the caller; what S3 does by itself says `s3.amazonaws.com` instead.
    pub requester: String,
    /// The caller's address; left out of events about what S3 does by itself.
    pub source_ip: String,
    /// What happened.
    pub kind: S3EventKind,
}

/// What happened to the object, with the members that only this kind of event has.
/// Etags are without quotes, sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum S3EventKind {
    Created {
        reason: CreatedReason,
        size: u64,
        etag: String,
        sequencer: String,
    },
    Deleted {
        reason: DeletedReason,
        kind: DeletionType,
        etag: Option<String>,
        sequencer: String,
    },
    RestoreInitiated {
        size: u64,
        etag: String,
        source_storage_class: String,
    },
    RestoreCompleted {
        size: u64,
        etag: String,
        expires: Timestamp,
        source_storage_class: String,
    },
    RestoreExpired {
        etag: String,
    },
    StorageClassChanged {
        size: u64,
        etag: String,
        destination_storage_class: String,
    },
    AccessTierChanged {
        size: u64,
        etag: String,
        destination_access_tier: String,
    },
    TagsAdded {
        etag: String,
    },
    TagsDeleted {
        etag: String,
    },
    AclUpdated {
        etag: String,
    },
}

/// Which operation created the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CreatedReason {
    /// A plain PUT.
    PutObject,
    /// A browser form.
    #[serde(rename = "POST Object")]
    PostObject,
    /// A copy, also onto itself.
    CopyObject,
    /// The end of a multipart upload.
    CompleteMultipartUpload,
}

/// Who deleted the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum DeletedReason {
    /// A caller.
    DeleteObject,
    /// A lifecycle rule.
    #[serde(rename = "Lifecycle Expiration")]
    LifecycleExpiration,
}

/// What is left after the deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum DeletionType {
    /// Nothing: the object, the version or the marker is gone.
    #[serde(rename = "Permanently Deleted")]
    PermanentlyDeleted,
    /// A delete marker on top of the versions.
    #[serde(rename = "Delete Marker Created")]
    DeleteMarkerCreated,
}

impl S3EventKind {
    /// The event's `detail-type`.
    pub fn detail_type(&self) -> &'static str {
        match self {
            Self::Created { .. } => "Object Created",
            Self::Deleted { .. } => "Object Deleted",
            Self::RestoreInitiated { .. } => "Object Restore Initiated",
            Self::RestoreCompleted { .. } => "Object Restore Completed",
            Self::RestoreExpired { .. } => "Object Restore Expired",
            Self::StorageClassChanged { .. } => "Object Storage Class Changed",
            Self::AccessTierChanged { .. } => "Object Access Tier Changed",
            Self::TagsAdded { .. } => "Object Tags Added",
            Self::TagsDeleted { .. } => "Object Tags Deleted",
            Self::AclUpdated { .. } => "Object ACL Updated",
        }
    }

    /// Whether S3 did this by itself rather than for a caller.
    fn is_by_service(&self) -> bool {
        match self {
            Self::Deleted { reason, .. } => *reason == DeletedReason::LifecycleExpiration,
            Self::RestoreCompleted { .. }
            | Self::RestoreExpired { .. }
            | Self::StorageClassChanged { .. }
            | Self::AccessTierChanged { .. } => true,
            _ => false,
        }
    }

    fn fill(&self, detail: &mut Detail) {
        match self {
            Self::Created {
                reason,
                size,
                etag,
                sequencer,
            } => {
                detail
                    .object
                    .about(Some(*size), Some(etag), Some(sequencer));
                detail.reason = Some(Reason::Created(*reason));
            }
            Self::Deleted {
                reason,
                kind,
                etag,
                sequencer,
            } => {
                detail.object.about(None, etag.as_ref(), Some(sequencer));
                detail.reason = Some(Reason::Deleted(*reason));
                detail.deletion_type = Some(*kind);
            }
            Self::RestoreInitiated {
                size,
                etag,
                source_storage_class,
            } => {
                detail.object.about(Some(*size), Some(etag), None);
                detail.source_storage_class = Some(source_storage_class.clone());
            }
            Self::RestoreCompleted {
                size,
                etag,
                expires,
                source_storage_class,
            } => {
                detail.object.about(Some(*size), Some(etag), None);
                detail.restore_expiry_time = Some(expires.rfc3339_seconds());
                detail.source_storage_class = Some(source_storage_class.clone());
            }
            Self::StorageClassChanged {
                size,
                etag,
                destination_storage_class,
            } => {
                detail.object.about(Some(*size), Some(etag), None);
                detail.destination_storage_class = Some(destination_storage_class.clone());
            }
            Self::AccessTierChanged {
                size,
                etag,
                destination_access_tier,
            } => {
                detail.object.about(Some(*size), Some(etag), None);
                detail.destination_access_tier = Some(destination_access_tier.clone());
            }
            Self::RestoreExpired { etag }
            | Self::TagsAdded { etag }
            | Self::TagsDeleted { etag }
            | Self::AclUpdated { etag } => detail.object.about(None, Some(etag), None),
        }
    }
}

#[derive(Serialize)]
struct Bucket {
    name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Object {
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequencer: Option<String>,
}

impl Object {
    fn about(&mut self, size: Option<u64>, etag: Option<&String>, sequencer: Option<&String>) {
        self.size = size;
        self.etag = etag.cloned();
        self.sequencer = sequencer.cloned();
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Reason {
    Created(CreatedReason),
    Deleted(DeletedReason),
}

/// The detail in AWS's order of members.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    version: &'static str,
    bucket: Bucket,
    object: Object,
    request_id: String,
    requester: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deletion_type: Option<DeletionType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restore_expiry_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_storage_class: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_storage_class: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_access_tier: Option<String>,
}

impl S3Event {
    /// The event's JSON text.
    pub fn to_json(&self) -> String {
        let detail = serde_json::to_string(&self.detail());
        crate::invariant!(detail.is_ok(), "strings and numbers always serialise");
        self.envelope().around(&detail.unwrap_or_default())
    }

    fn envelope(&self) -> Envelope {
        Envelope {
            id: self.id.clone(),
            time: self.time,
            account: self.account.clone(),
            region: self.region.clone(),
            source: "aws.s3".to_owned(),
            detail_type: self.kind.detail_type().to_owned(),
            resources: vec![format!("arn:aws:s3:::{}", self.bucket)],
        }
    }

    fn detail(&self) -> Detail {
        let is_by_service = self.kind.is_by_service();
        let mut detail = Detail {
            version: "0",
            bucket: Bucket {
                name: self.bucket.clone(),
            },
            object: Object {
                key: self.key.clone(),
                size: None,
                etag: None,
                version_id: self.version_id.clone().filter(|id| id != "null"),
                sequencer: None,
            },
            request_id: self.request_id.clone(),
            requester: if is_by_service {
                SERVICE.to_owned()
            } else {
                self.requester.clone()
            },
            source_ip_address: (!is_by_service).then(|| self.source_ip.clone()),
            reason: None,
            deletion_type: None,
            restore_expiry_time: None,
            source_storage_class: None,
            destination_storage_class: None,
            destination_access_tier: None,
        };
        self.kind.fill(&mut detail);
        detail
    }
}

/// A counter as S3 writes sequencers: 18 upper-case hex digits, so that the order of texts is the order of numbers.
pub fn sequencer(count: u64) -> String {
    format!("{count:018X}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(kind: S3EventKind) -> S3Event {
        S3Event {
            id: "17793124-05d4-b198-2fde-7ededc63b103".into(),
            time: Timestamp::parse_rfc3339("2026-11-12T00:00:00Z").unwrap(),
            account: "111122223333".into(),
            region: "ca-central-1".into(),
            bucket: "in".into(),
            key: "in/a b.csv".into(),
            version_id: Some("IYV3p45B".into()),
            request_id: "N4N7GDK58NMKJ12R".into(),
            requester: "123456789012".into(),
            source_ip: "1.2.3.4".into(),
            kind,
        }
    }

    fn created(reason: CreatedReason) -> S3EventKind {
        S3EventKind::Created {
            reason,
            size: 5,
            etag: "b194".into(),
            sequencer: sequencer(0x1f),
        }
    }

    fn deleted(reason: DeletedReason, kind: DeletionType, etag: Option<&str>) -> S3EventKind {
        let etag = etag.map(str::to_owned);
        S3EventKind::Deleted {
            reason,
            kind,
            etag,
            sequencer: sequencer(32),
        }
    }

    /// Every kind with its detail type, the object's members behind the key, and the members behind the request id.
    fn table() -> Vec<(S3EventKind, &'static str, &'static str, &'static str)> {
        let etag = || "b194".to_owned();
        let expires = Timestamp::parse_rfc3339("2026-11-13T00:00:00Z").unwrap();
        let caller = r#""requester":"123456789012","source-ip-address":"1.2.3.4""#;
        vec![
            (
                created(CreatedReason::PutObject),
                "Object Created",
                r#","size":5,"etag":"b194","version-id":"IYV3p45B","sequencer":"00000000000000001F""#,
                r#""requester":"123456789012","source-ip-address":"1.2.3.4","reason":"PutObject""#,
            ),
            (
                deleted(
                    DeletedReason::DeleteObject,
                    DeletionType::DeleteMarkerCreated,
                    Some("d41d"),
                ),
                "Object Deleted",
                r#","etag":"d41d","version-id":"IYV3p45B","sequencer":"000000000000000020""#,
                r#""requester":"123456789012","source-ip-address":"1.2.3.4","reason":"DeleteObject","deletion-type":"Delete Marker Created""#,
            ),
            (
                deleted(
                    DeletedReason::DeleteObject,
                    DeletionType::PermanentlyDeleted,
                    None,
                ),
                "Object Deleted",
                r#","version-id":"IYV3p45B","sequencer":"000000000000000020""#,
                r#""requester":"123456789012","source-ip-address":"1.2.3.4","reason":"DeleteObject","deletion-type":"Permanently Deleted""#,
            ),
            (
                deleted(
                    DeletedReason::LifecycleExpiration,
                    DeletionType::PermanentlyDeleted,
                    Some("d41d"),
                ),
                "Object Deleted",
                r#","etag":"d41d","version-id":"IYV3p45B","sequencer":"000000000000000020""#,
                r#""requester":"s3.amazonaws.com","reason":"Lifecycle Expiration","deletion-type":"Permanently Deleted""#,
            ),
            (
                S3EventKind::RestoreInitiated {
                    size: 5,
                    etag: etag(),
                    source_storage_class: "GLACIER".into(),
                },
                "Object Restore Initiated",
                r#","size":5,"etag":"b194","version-id":"IYV3p45B""#,
                r#""requester":"123456789012","source-ip-address":"1.2.3.4","source-storage-class":"GLACIER""#,
            ),
            (
                S3EventKind::RestoreCompleted {
                    size: 5,
                    etag: etag(),
                    expires,
                    source_storage_class: "GLACIER".into(),
                },
                "Object Restore Completed",
                r#","size":5,"etag":"b194","version-id":"IYV3p45B""#,
                r#""requester":"s3.amazonaws.com","restore-expiry-time":"2026-11-13T00:00:00Z","source-storage-class":"GLACIER""#,
            ),
            (
                S3EventKind::RestoreExpired { etag: etag() },
                "Object Restore Expired",
                r#","etag":"b194","version-id":"IYV3p45B""#,
                r#""requester":"s3.amazonaws.com""#,
            ),
            (
                S3EventKind::StorageClassChanged {
                    size: 5,
                    etag: etag(),
                    destination_storage_class: "GLACIER".into(),
                },
                "Object Storage Class Changed",
                r#","size":5,"etag":"b194","version-id":"IYV3p45B""#,
                r#""requester":"s3.amazonaws.com","destination-storage-class":"GLACIER""#,
            ),
            (
                S3EventKind::AccessTierChanged {
                    size: 5,
                    etag: etag(),
                    destination_access_tier: "ARCHIVE_ACCESS".into(),
                },
                "Object Access Tier Changed",
                r#","size":5,"etag":"b194","version-id":"IYV3p45B""#,
                r#""requester":"s3.amazonaws.com","destination-access-tier":"ARCHIVE_ACCESS""#,
            ),
            (
                S3EventKind::TagsAdded { etag: etag() },
                "Object Tags Added",
                r#","etag":"b194","version-id":"IYV3p45B""#,
                caller,
            ),
            (
                S3EventKind::TagsDeleted { etag: etag() },
                "Object Tags Deleted",
                r#","etag":"b194","version-id":"IYV3p45B""#,
                caller,
            ),
            (
                S3EventKind::AclUpdated { etag: etag() },
                "Object ACL Updated",
                r#","etag":"b194","version-id":"IYV3p45B""#,
                caller,
            ),
        ]
    }

    #[test]
    fn every_kind_has_exactly_its_members_in_order() {
        for (kind, detail_type, object, tail) in table() {
            let expected = format!(
                concat!(
                    r#"{{"version":"0","id":"17793124-05d4-b198-2fde-7ededc63b103","detail-type":"{}","#,
                    r#""source":"aws.s3","account":"111122223333","time":"2026-11-12T00:00:00Z","#,
                    r#""region":"ca-central-1","resources":["arn:aws:s3:::in"],"detail":{{"version":"0","#,
                    r#""bucket":{{"name":"in"}},"object":{{"key":"in/a b.csv"{}}},"#,
                    r#""request-id":"N4N7GDK58NMKJ12R",{}}}}}"#
                ),
                detail_type, object, tail
            );
            assert_eq!(event(kind).to_json(), expected);
        }
    }

    /// The bus matches these events by it: a path that has been seen does not come again.
    #[test]
    fn no_name_comes_twice_and_none_has_a_dot() {
        fn names(value: &serde_json::Value) -> Vec<&str> {
            let fields = value.as_object().into_iter().flatten();
            fields
                .flat_map(|(name, value)| names(value).into_iter().chain([name.as_str()]))
                .collect()
        }
        for (kind, ..) in table() {
            let text = event(kind).to_json();
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(
                value.to_string(),
                text,
                "a name that is there twice is read once"
            );
            assert!(
                names(&value).iter().all(|name| !name.contains('.')),
                "{text}"
            );
        }
    }

    #[test]
    fn reasons_are_spelled_as_aws_does() {
        for (reason, text) in [
            (CreatedReason::PutObject, "\"reason\":\"PutObject\""),
            (CreatedReason::PostObject, "\"reason\":\"POST Object\""),
            (CreatedReason::CopyObject, "\"reason\":\"CopyObject\""),
            (
                CreatedReason::CompleteMultipartUpload,
                "\"reason\":\"CompleteMultipartUpload\"",
            ),
        ] {
            assert!(event(created(reason)).to_json().contains(text), "{text}");
        }
    }

    #[test]
    fn the_null_version_is_left_out() {
        for version_id in [None, Some("null".to_owned())] {
            let event = S3Event {
                version_id,
                ..event(created(CreatedReason::PutObject))
            };
            assert!(!event.to_json().contains("version-id"));
        }
    }

    proptest! {
        #[test]
        fn keys_come_back_as_they_went_in(key in any::<String>()) {
            let event = S3Event { key: key.clone(), ..event(created(CreatedReason::PutObject)) };
            let value: serde_json::Value = serde_json::from_str(&event.to_json()).unwrap();
            prop_assert_eq!(value["detail"]["object"]["key"].as_str(), Some(key.as_str()));
        }

        #[test]
        fn sequencers_order_as_their_numbers(a in any::<u64>(), b in any::<u64>()) {
            prop_assert_eq!(sequencer(a).len(), 18);
            prop_assert_eq!(sequencer(a).cmp(&sequencer(b)), a.cmp(&b));
        }
    }
}
