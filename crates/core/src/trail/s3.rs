//! The call that a request of S3 is, for its record: all that its head says, the same way for every operation.
//! Never reads a body, and never knows where the head came from.

use serde_json::{Map, Value};

use super::call::{Call, Target};
use super::calls::is_read_only;
use crate::caller::Caller;

/// What identifies the host that answered; a record repeats it.
pub const HOST_ID: &str = "bGFuZGZhbGw=";
/// Operations that CloudTrail calls by another name.
const NAMES: [(&str, &str); 12] = [
    ("DeletePublicAccessBlock", "DeleteBucketPublicAccessBlock"),
    (
        "GetBucketAccelerateConfiguration",
        "GetAccelerateConfiguration",
    ),
    ("GetBucketLifecycleConfiguration", "GetBucketLifecycle"),
    (
        "GetBucketNotificationConfiguration",
        "GetBucketNotification",
    ),
    (
        "GetObjectLockConfiguration",
        "GetBucketObjectLockConfiguration",
    ),
    ("GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("ListObjectsV2", "ListObjects"),
    (
        "PutBucketAccelerateConfiguration",
        "PutAccelerateConfiguration",
    ),
    ("PutBucketLifecycleConfiguration", "PutBucketLifecycle"),
    (
        "PutBucketNotificationConfiguration",
        "PutBucketNotification",
    ),
    (
        "PutObjectLockConfiguration",
        "PutBucketObjectLockConfiguration",
    ),
    ("PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
];
/// Operations on a bucket that are data events.
const DATA: [&str; 6] = [
    "DeleteObjects",
    "HeadBucket",
    "ListMultipartUploads",
    "ListObjectVersions",
    "ListObjects",
    "PostObject",
];
/// Operations that answer how the object is encrypted.
const ENCRYPTING: [&str; 7] = [
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateMultipartUpload",
    "PostObject",
    "PutObject",
    "UploadPart",
    "UploadPartCopy",
];
/// Headers of the transport and the signature, which are no parameters.
const NO_PARAMETERS: [&str; 8] = [
    "x-amz-checksum-",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-meta-",
    "x-amz-sdk-",
    "x-amz-security-token",
    "x-amz-trailer",
];

/// The head of a request.
#[derive(Debug, Clone, Default)]
pub struct Head<'a> {
    /// Whether its method is `POST`.
    pub is_post: bool,
    /// Bucket; empty for calls on none.
    pub bucket: &'a str,
    /// Key, decoded; empty for calls on none.
    pub key: &'a str,
    /// The query's pairs, decoded.
    pub query: &'a [(String, String)],
    /// Headers that are text, their names in small letters.
    pub headers: &'a [(&'a str, &'a str)],
}

impl Head<'_> {
    /// The call that it is; `operation` as the API names it.
    pub fn call(&self, operation: &str, caller: &Caller) -> Call {
        let name = name_of(operation, self.is_post);
        let host = self.header("host").unwrap_or_default().to_owned();
        let mut elements = Map::new();
        if ENCRYPTING.contains(&name) {
            let encryption = "x-amz-server-side-encryption".to_owned();
            elements.insert(encryption, "AES256".into());
        }
        Call {
            source: "s3.amazonaws.com".to_owned(),
            name: name.to_owned(),
            caller: caller.clone(),
            // The signature of a form is in its body.
            signed: !caller.access_key_id.is_empty() || name == "PostObject",
            parameters: self.parameters(&host),
            host,
            target: self.target(name),
            read_only: is_read_only(name),
            elements,
            answer: None,
            additional: self.additional(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| *value)
    }

    fn target(&self, name: &str) -> Target {
        let key = Some(self.key.to_owned()).filter(|key| !key.is_empty());
        let bucket = self.bucket.to_owned();
        match (&key, bucket.is_empty()) {
            (_, true) => Target::Control,
            (None, _) if !DATA.contains(&name) => Target::Bucket(bucket),
            _ => Target::Object { bucket, key },
        }
    }

    fn parameters(&self, host: &str) -> Map<String, Value> {
        let mut parameters = Map::new();
        let mut put = |name: &str, value: &str| {
            parameters.insert(name.to_owned(), value.into());
        };
        if !self.bucket.is_empty() {
            put("bucketName", self.bucket);
        }
        put("Host", host);
        if !self.key.is_empty() {
            put("key", self.key);
        }
        let is_signature = |name: &str| {
            matches!(name, "AWSAccessKeyId" | "Signature" | "Expires")
                || name.to_ascii_lowercase().starts_with("x-amz-")
        };
        for (name, value) in self.query {
            if !is_signature(name) {
                put(name, value);
            }
        }
        for (name, value) in self.headers {
            let is_parameter = name.starts_with("x-amz-")
                && !NO_PARAMETERS.iter().any(|other| name.starts_with(other));
            if is_parameter {
                put(name, value);
            }
        }
        parameters
    }

    fn additional(&self) -> Map<String, Value> {
        let queried = |name: &str| self.query.iter().any(|(other, _)| other == name);
        let (version, method) = match self.header("authorization") {
            Some(text) if text.starts_with("AWS ") => (Some("SigV2"), Some("AuthHeader")),
            Some(_) => (Some("SigV4"), Some("AuthHeader")),
            None if queried("X-Amz-Signature") => (Some("SigV4"), Some("QueryString")),
            None if queried("Signature") => (Some("SigV2"), Some("QueryString")),
            None => (None, None),
        };
        let length = self
            .header("x-amz-decoded-content-length")
            .or_else(|| self.header("content-length"));
        let length: u64 = length.and_then(|n| n.parse().ok()).unwrap_or(0);
        let mut additional = Map::new();
        let mut put = |name: &str, value: Value| {
            additional.insert(name.to_owned(), value);
        };
        if let (Some(version), Some(method)) = (version, method) {
            put("SignatureVersion", version.into());
            put("AuthenticationMethod", method.into());
        }
        put("bytesTransferredIn", length.into());
        put("bytesTransferredOut", 0.into());
        put("x-amz-id-2", HOST_ID.into());
        additional
    }
}

fn name_of(operation: &str, is_post: bool) -> &str {
    if operation == "PutObject" && is_post {
        return "PostObject";
    }
    let renamed = NAMES.iter().find(|(theirs, _)| *theirs == operation);
    renamed.map_or(operation, |(_, ours)| ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_the_names_that_records_give_them() {
        for (operation, is_post, name) in [
            ("PutObject", false, "PutObject"),
            ("PutObject", true, "PostObject"),
            ("ListObjectsV2", false, "ListObjects"),
            (
                "PutBucketNotificationConfiguration",
                false,
                "PutBucketNotification",
            ),
            ("CompleteMultipartUpload", true, "CompleteMultipartUpload"),
        ] {
            assert_eq!(name_of(operation, is_post), name);
        }
    }
}
