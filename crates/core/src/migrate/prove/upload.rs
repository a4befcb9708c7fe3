//! One thing that somebody does to an object, and how both roads tell of it: CloudTrail's records and S3's own event.
//!
//! Both are built by the code that the server runs. Never decides who hears of them.

use serde_json::{Map, Value};

use crate::caller::{Caller, Identity};
use crate::clock::Timestamp;
use crate::error::ApiError;
use crate::event::{CreatedReason, DeletedReason, DeletionType, Envelope, S3Event, S3EventKind};
use crate::migrate::table::{OLD_DETAIL_TYPE, call_named};
use crate::trail::calls::is_read_only;
use crate::trail::record::{Facts, Outcome, members};
use crate::trail::s3::Head;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Operation {
    PutObject,
    PostObject,
    CopyObject,
    CompleteMultipartUpload,
    DeleteObject,
    PutObjectTagging,
    DeleteObjectTagging,
    PutObjectAcl,
    RestoreObject,
    GetObject,
}

impl Operation {
    /// All of them, uploads first.
    pub const ALL: [Self; 10] = [
        Self::PutObject,
        Self::PostObject,
        Self::CopyObject,
        Self::CompleteMultipartUpload,
        Self::DeleteObject,
        Self::PutObjectTagging,
        Self::DeleteObjectTagging,
        Self::PutObjectAcl,
        Self::RestoreObject,
        Self::GetObject,
    ];

    /// `eventName` of its (last) record.
    pub fn event_name(self) -> &'static str {
        match self {
            Self::PutObject => "PutObject",
            Self::PostObject => "PostObject",
            Self::CopyObject => "CopyObject",
            Self::CompleteMultipartUpload => "CompleteMultipartUpload",
            Self::DeleteObject => "DeleteObject",
            Self::PutObjectTagging => "PutObjectTagging",
            Self::DeleteObjectTagging => "DeleteObjectTagging",
            Self::PutObjectAcl => "PutObjectAcl",
            Self::RestoreObject => "RestoreObject",
            Self::GetObject => "GetObject",
        }
    }

    /// The operation that a record is about.
    pub fn named(event_name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|it| it.event_name() == event_name)
    }

    /// The records that it makes, in order.
    fn calls(self, fails: bool) -> &'static [&'static str] {
        match (self, fails) {
            (Self::PutObject, _) => &["PutObject"],
            (Self::PostObject, _) => &["PostObject"],
            (Self::CopyObject, _) => &["CopyObject"],
            (Self::CompleteMultipartUpload, true) => &["CreateMultipartUpload"],
            (Self::CompleteMultipartUpload, false) => &[
                "CreateMultipartUpload",
                "UploadPart",
                "UploadPart",
                "CompleteMultipartUpload",
            ],
            (Self::DeleteObject, _) => &["DeleteObject"],
            (Self::PutObjectTagging, _) => &["PutObjectTagging"],
            (Self::DeleteObjectTagging, _) => &["DeleteObjectTagging"],
            (Self::PutObjectAcl, _) => &["PutObjectAcl"],
            (Self::RestoreObject, _) => &["RestoreObject"],
            (Self::GetObject, _) => &["GetObject"],
        }
    }
}

/// One upload, or another thing done to an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    /// Bucket name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// What is done.
    pub operation: Operation,
    /// Size of the object in bytes.
    pub size: u64,
    /// The caller's address.
    pub source_ip: String,
    /// The caller's account.
    pub account: String,
    /// Whether the bucket is versioned.
    pub versioned: bool,
    /// Whether S3 refuses it.
    pub fails: bool,
    /// CloudTrail's own record of it, where there is one.
    pub record: Option<Box<Value>>,
}

/// Where and when the uploads of a proof happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Account of the bucket.
    pub account: String,
    /// Region of the bucket.
    pub region: String,
}

/// One call that an upload makes.
pub(super) struct Call<'a> {
    /// `eventName` of its record.
    pub(super) name: &'a str,
    pub(super) is_read: bool,
}

const ID: &str = "17793124-05d4-b198-2fde-7ededc63b103";
const EVENT_ID: &str = "c5b2d4c0-3b1a-4d39-9d0a-2f6a6f0c2f11";
const REQUEST_ID: &str = "N4N7GDK58NMKJ12R";
const ETAG: &str = "b1946ac92492d2347c6235b4d2611184";
const VERSION_ID: &str = "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e";
const SEQUENCER: &str = "00617F08299329D189";
/// 2026-11-12T00:00:00Z. Both events carry the same time, so that input transformers give the same.
const TIME: Timestamp = Timestamp(1_794_441_600_000);

impl Upload {
    /// The calls that it makes, in order.
    pub(super) fn calls(&self) -> Vec<Call<'_>> {
        if let Some(record) = &self.record {
            let name = record.get("eventName").and_then(Value::as_str);
            return vec![Call {
                name: name.unwrap_or_default(),
                is_read: record.get("readOnly").and_then(Value::as_bool) == Some(true),
            }];
        }
        let call = |name: &&'static str| Call {
            name,
            is_read: is_read_only(name),
        };
        let calls = self.operation.calls(self.fails);
        calls.iter().map(call).collect()
    }

    /// What CloudTrail puts on the bus for a call.
    pub(super) fn told(&self, call: &Call<'_>, place: &Place) -> String {
        match &self.record {
            Some(record) => envelope(place, time_of(record), record),
            None => self.tell(call.name, place),
        }
    }

    /// What CloudTrail would put on the bus for each of its calls.
    pub fn told_all(&self, place: &Place) -> Vec<String> {
        let calls = self.calls();
        calls.iter().map(|call| self.told(call, place)).collect()
    }

    /// What S3 puts on the bus; nothing for calls that fail or only read.
    pub(super) fn direct(&self, place: &Place) -> Option<String> {
        if self.fails {
            return None;
        }
        let request_id = self.record.as_ref().map(|it| text(it, "requestID"));
        let event = S3Event {
            id: ID.to_owned(),
            time: self.record.as_ref().map_or(TIME, |it| time_of(it)),
            account: place.account.clone(),
            region: place.region.clone(),
            bucket: self.bucket.clone(),
            key: self.key.clone(),
            version_id: self.versioned.then(|| VERSION_ID.to_owned()),
            request_id: request_id.unwrap_or_else(|| REQUEST_ID.to_owned()),
            requester: self.account.clone(),
            source_ip: self.source_ip.clone(),
            kind: self.kind()?,
        };
        Some(event.to_json())
    }

    fn kind(&self) -> Option<S3EventKind> {
        let (size, etag) = (self.size, ETAG.to_owned());
        let created = |reason| S3EventKind::Created {
            reason,
            size,
            etag: ETAG.to_owned(),
            sequencer: SEQUENCER.to_owned(),
        };
        Some(match self.operation {
            Operation::PutObject => created(CreatedReason::PutObject),
            Operation::PostObject => created(CreatedReason::PostObject),
            Operation::CopyObject => created(CreatedReason::CopyObject),
            Operation::CompleteMultipartUpload => created(CreatedReason::CompleteMultipartUpload),
            Operation::DeleteObject => S3EventKind::Deleted {
                reason: DeletedReason::DeleteObject,
                kind: if self.versioned {
                    DeletionType::DeleteMarkerCreated
                } else {
                    DeletionType::PermanentlyDeleted
                },
                etag: None,
                sequencer: SEQUENCER.to_owned(),
            },
            Operation::PutObjectTagging => S3EventKind::TagsAdded { etag },
            Operation::DeleteObjectTagging => S3EventKind::TagsDeleted { etag },
            Operation::PutObjectAcl => S3EventKind::AclUpdated { etag },
            Operation::RestoreObject => S3EventKind::RestoreInitiated {
                size,
                etag,
                source_storage_class: "GLACIER".to_owned(),
            },
            Operation::GetObject => return None,
        })
    }

    /// The event that tells of one call, built as the server builds it.
    fn tell(&self, name: &str, place: &Place) -> String {
        let request = request(name, self.size);
        let headers: Vec<(&str, &str)> = request
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        // The key of a form is in its body.
        let in_body = name == "PostObject";
        let head = Head {
            is_post: request.is_post,
            bucket: &self.bucket,
            key: if in_body { "" } else { &self.key },
            query: &request.query,
            headers: &headers,
        };
        let mut call = head.call(operation_of(name), &self.caller(place));
        let error = ApiError::with_status("AccessDenied", 403, "Access Denied");
        let outcome = if self.fails {
            Outcome::Failed(&error)
        } else {
            if in_body {
                call.name_key(&self.key);
            }
            Outcome::Done(self.said(name))
        };
        let bucket = (place.account.clone(), place.region.clone());
        let facts = Facts::of(&call, TIME, EVENT_ID.to_owned(), Some(bucket));
        let record = Value::Object(members(&call, &facts, outcome)).to_string();
        let event = facts.envelope(&call, ID.to_owned()).with_detail(&record);
        event.unwrap_or_default()
    }

    fn caller(&self, place: &Place) -> Caller {
        Caller {
            account: self.account.clone(),
            region: place.region.clone(),
            request_id: REQUEST_ID.to_owned(),
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            source_ip: self.source_ip.clone(),
            user_agent: "aws-cli/2.31.0".to_owned(),
            identity: Identity::Root,
        }
    }

    /// What the verb says of a success: the version that it made.
    fn said(&self, name: &str) -> Map<String, Value> {
        let makes = call_named(name).is_some_and(|it| it.detail_type == "Object Created");
        let version = (self.versioned && makes).then(|| {
            let name = "x-amz-version-id".to_owned();
            (name, Value::from(VERSION_ID))
        });
        version.into_iter().collect()
    }

    /// A record as an upload; `None` for calls that are not about an object.
    pub fn of_record(record: &Value) -> Option<Self> {
        if text(record, "eventSource") != "s3.amazonaws.com" {
            return None;
        }
        let name = text(record, "eventName");
        let operation = call_named(&name).and_then(|_| Operation::named(&name));
        let parameters = record.get("requestParameters")?;
        let version = record
            .get("responseElements")
            .and_then(|it| it.get("x-amz-version-id"));
        let size = record
            .get("additionalEventData")
            .and_then(|it| it.get("bytesTransferredIn")?.as_f64());
        // Records write sizes as floats; no object is larger than what fits.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let size = size.map_or(0, |it| it as u64);
        Some(Self {
            bucket: text(parameters, "bucketName"),
            key: text(parameters, "key"),
            operation: operation.unwrap_or(Operation::GetObject),
            size,
            source_ip: text(record, "sourceIPAddress"),
            account: record
                .get("userIdentity")
                .map(|it| text(it, "accountId"))
                .unwrap_or_default(),
            versioned: version.is_some(),
            fails: record.get("errorCode").is_some(),
            record: Some(Box::new(record.clone())),
        })
        .filter(|it| !it.bucket.is_empty() && !it.key.is_empty())
    }
}

/// What a client sends for a call, besides bucket and key.
struct Request {
    is_post: bool,
    query: Vec<(String, String)>,
    headers: Vec<(&'static str, String)>,
}

const UPLOAD_ID: &str = "VXBsb2FkIElEIGZvciBlbHZpbmcncyBtb3ZpZS5tMnRzIHVwbG9hZA";

fn request(name: &str, size: u64) -> Request {
    let query: &[(&str, &str)] = match name {
        "CreateMultipartUpload" => &[("uploads", "")],
        "UploadPart" => &[("partNumber", "1"), ("uploadId", UPLOAD_ID)],
        "CompleteMultipartUpload" => &[("uploadId", UPLOAD_ID)],
        "PutObjectTagging" | "DeleteObjectTagging" => &[("tagging", "")],
        "PutObjectAcl" => &[("acl", "")],
        "RestoreObject" => &[("restore", "")],
        _ => &[],
    };
    let own = match name {
        "CopyObject" => Some(("x-amz-copy-source", "in/original".to_owned())),
        "PutObjectAcl" => Some(("x-amz-acl", "private".to_owned())),
        "PutObject" | "PostObject" | "UploadPart" => Some(("content-length", size.to_string())),
        _ => None,
    };
    let both = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Request {
        is_post: matches!(
            name,
            "CreateMultipartUpload" | "CompleteMultipartUpload" | "PostObject" | "RestoreObject"
        ),
        query: query.iter().map(both).collect(),
        headers: [
            ("host", "s3.amazonaws.com".to_owned()),
            ("authorization", "AWS4-HMAC-SHA256".to_owned()),
        ]
        .into_iter()
        .chain(own)
        .collect(),
    }
}

/// The API's name of what a record calls so.
fn operation_of(name: &str) -> &str {
    match name {
        "PostObject" => "PutObject",
        name => name,
    }
}

fn text(value: &Value, name: &str) -> String {
    let found = value.get(name).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}

fn time_of(record: &Value) -> Timestamp {
    Timestamp::parse_rfc3339(&text(record, "eventTime")).unwrap_or(TIME)
}

fn envelope(place: &Place, time: Timestamp, record: &Value) -> String {
    let envelope = Envelope {
        id: ID.to_owned(),
        time,
        account: place.account.clone(),
        region: place.region.clone(),
        source: "aws.s3".to_owned(),
        detail_type: OLD_DETAIL_TYPE.to_owned(),
        resources: Vec::new(),
    };
    // A record is an object, and every object is a detail.
    envelope
        .with_detail(&record.to_string())
        .unwrap_or_default()
}
