//! The table from the CloudTrail record of an S3 call to the event that S3 sends itself.
//!
//! Data and look-ups only: who applies it to a pattern or a path is next door.

/// `detail-type` of the old road.
pub(crate) const OLD_DETAIL_TYPE: &str = "AWS API Call via CloudTrail";

/// An S3 call and the event that S3 sends for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    /// `eventName` of the record.
    pub(crate) event_name: &'static str,
    /// `detail-type` of the direct event.
    pub(crate) detail_type: &'static str,
    /// `reason` of the direct event; some kinds have none.
    pub(crate) reason: Option<&'static str>,
}

const fn call(
    event_name: &'static str,
    detail_type: &'static str,
    reason: Option<&'static str>,
) -> Call {
    Call {
        event_name,
        detail_type,
        reason,
    }
}

/// Every call that has a direct event.
pub(crate) const CALLS: [Call; 10] = [
    call("PutObject", "Object Created", Some("PutObject")),
    call("PostObject", "Object Created", Some("POST Object")),
    call("CopyObject", "Object Created", Some("CopyObject")),
    call(
        "CompleteMultipartUpload",
        "Object Created",
        Some("CompleteMultipartUpload"),
    ),
    call("DeleteObject", "Object Deleted", Some("DeleteObject")),
    call("DeleteObjects", "Object Deleted", Some("DeleteObject")),
    call("PutObjectTagging", "Object Tags Added", None),
    call("DeleteObjectTagging", "Object Tags Deleted", None),
    call("PutObjectAcl", "Object ACL Updated", None),
    call("RestoreObject", "Object Restore Initiated", None),
];

/// The other calls that write objects; S3 sends no event of its own for them.
pub(crate) const CALLS_WITHOUT_EVENT: [&str; 6] = [
    "CreateMultipartUpload",
    "UploadPart",
    "UploadPartCopy",
    "AbortMultipartUpload",
    "PutObjectLegalHold",
    "PutObjectRetention",
];

/// The direct event of a call.
pub(crate) fn call_named(event_name: &str) -> Option<Call> {
    CALLS.into_iter().find(|it| it.event_name == event_name)
}

/// What the direct event has in the place of a part of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twin {
    /// The same, at this path from the root of the event.
    At(&'static str),
    /// Nearly the same, at this path; the second text says where it differs.
    Nearly(&'static str, &'static str),
    /// Nothing, and nothing is lost: it always has this value in the record of an S3 object call.
    Always(&'static str),
    /// Nothing, and nothing is lost: a direct event is never about a call that failed.
    OnlyOfFailures,
    /// Nothing; the text advises what to do.
    None(&'static str),
}

/// What the direct event has for a part of the record, by its path below `detail`.
pub(crate) fn twin(path: &str) -> Twin {
    match path {
        "requestParameters.bucketName" => Twin::At("detail.bucket.name"),
        "requestParameters.key" => Twin::At("detail.object.key"),
        "requestID" => Twin::At("detail.request-id"),
        "resources[1].ARN" => Twin::At("resources[0]"),
        "awsRegion" => Twin::At("region"),
        "recipientAccountId" => Twin::At("account"),
        "eventTime" => Twin::At("time"),
        "additionalEventData.bytesTransferredIn" => Twin::Nearly(
            "detail.object.size",
            "the size is that of the whole object, also after a copy or a multipart upload",
        ),
        "responseElements.x-amz-version-id" => Twin::Nearly(
            "detail.object.version-id",
            "the version id is absent where the bucket is not versioned, in both forms",
        ),
        "eventName" => Twin::Nearly(
            "detail.reason",
            "the reason of a browser upload is `POST Object`, not `PostObject`",
        ),
        "sourceIPAddress" => Twin::Nearly(
            "detail.source-ip-address",
            "for calls that an AWS service makes, CloudTrail writes the service's name, S3 an address or nothing",
        ),
        "userIdentity.accountId" => Twin::Nearly(
            "detail.requester",
            "the requester is the account that called, or the name of an AWS service",
        ),
        "eventSource" => Twin::Always("\"s3.amazonaws.com\""),
        "readOnly" => Twin::Always("false"),
        "managementEvent" => Twin::Always("false"),
        "eventCategory" => Twin::Always("\"Data\""),
        "eventType" => Twin::Always("\"AwsApiCall\""),
        "errorCode" | "errorMessage" => Twin::OnlyOfFailures,
        _ => Twin::None(advice(path)),
    }
}

fn advice(path: &str) -> &'static str {
    let first = path.split(['.', '[']).next().unwrap_or_default();
    match first {
        "userIdentity" => {
            "S3's own event names only the calling account (`detail.requester`): keep the trail for this rule, give \
             each caller a prefix or a bucket of its own, or let the task ask who wrote the object"
        }
        "requestParameters" => {
            "S3's own event has only the bucket and the key of the request: let the task read the rest from the object"
        }
        "responseElements" | "additionalEventData" | "tlsDetails" | "userAgent" => {
            "S3's own event does not tell how the call was made: let the task read what it needs from the object"
        }
        "resources" => {
            "S3's own event has the bucket's ARN in `resources` and names bucket and key in `detail`: filter on \
             `detail.bucket.name` and `detail.object.key`"
        }
        _ => {
            "S3's own event has `bucket`, `object`, `request-id`, `requester`, `source-ip-address` and `reason` in its \
             detail: use one of these, or keep the trail for this rule"
        }
    }
}
