//! The description of a call of S3, for its record: all that its head says, the same way for every operation.
//! Never reads a body.

use std::sync::Arc;

use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST};
use http::{HeaderMap, Method, Request};
use landfall_core::caller::Caller;
use landfall_core::trail::calls::is_read_only;
use landfall_flow::Flow;
use landfall_flow::trail::{Call, Ongoing, Target};
use serde_json::{Map, Value};

use super::host;

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

/// The head of a request, as it came.
#[derive(Debug)]
struct Head {
    method: Method,
    headers: HeaderMap,
    query: Vec<(String, String)>,
    bucket: String,
    key: String,
}

/// A call that may be recorded.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    /// What becomes of it.
    pub(super) ongoing: Arc<Ongoing>,
    head: Arc<Head>,
}

/// Watches a request, unless nobody would record it: calls on objects are looked at only when a trail wants them.
pub(super) fn watch<B>(flow: &Flow, request: &Request<B>) -> Option<Watched> {
    let header = |name| request.headers().get(name).and_then(|v| v.to_str().ok());
    let path = request.uri().path();
    let path = path.strip_prefix('/').unwrap_or(path);
    let (bucket, key) = match header(HOST).and_then(host::bucket_of) {
        Some(bucket) => (bucket, path),
        None => path.split_once('/').unwrap_or((path, "")),
    };
    if !key.is_empty() && !flow.records_data() {
        return None;
    }
    let decoded = percent_encoding::percent_decode_str(key).decode_utf8_lossy();
    let head = Head {
        method: request.method().clone(),
        headers: request.headers().clone(),
        query: super::convert::query_pairs(request.uri().query()),
        bucket: bucket.to_owned(),
        key: decoded.into_owned(),
    };
    Some(Watched {
        ongoing: Arc::default(),
        head: Arc::new(head),
    })
}

impl Watched {
    /// Says which operation it is.
    pub(super) fn begin(&self, flow: &Flow, operation: &str, caller: &Caller) {
        let operation = camel(operation);
        let name = name_of(&operation, &self.head.method);
        let target = self.target(name);
        if !target.is_data() || flow.records_data() {
            self.ongoing.begin(self.head.call(name, target, caller));
        }
    }

    fn target(&self, name: &str) -> Target {
        let Head { bucket, key, .. } = &*self.head;
        let key = Some(key.clone()).filter(|key| !key.is_empty());
        let bucket = bucket.clone();
        match (&key, bucket.is_empty()) {
            (_, true) => Target::Control,
            (None, _) if !DATA.contains(&name) => Target::Bucket(bucket),
            _ => Target::Object { bucket, key },
        }
    }
}

fn name_of<'a>(operation: &'a str, method: &Method) -> &'a str {
    if operation == "PutObject" && method == Method::POST {
        return "PostObject";
    }
    let renamed = NAMES.iter().find(|(theirs, _)| *theirs == operation);
    renamed.map_or(operation, |(_, ours)| ours)
}

impl Head {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    fn call(&self, name: &str, target: Target, caller: &Caller) -> Call {
        let host = self.header(HOST.as_str()).unwrap_or_default().to_owned();
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
            target,
            read_only: is_read_only(name),
            elements,
            answer: None,
            additional: self.additional(),
        }
    }

    fn parameters(&self, host: &str) -> Map<String, Value> {
        let mut parameters = Map::new();
        let mut put = |name: &str, value: &str| {
            parameters.insert(name.to_owned(), value.into());
        };
        if !self.bucket.is_empty() {
            put("bucketName", &self.bucket);
        }
        put("Host", host);
        if !self.key.is_empty() {
            put("key", &self.key);
        }
        let is_signature = |name: &str| {
            matches!(name, "AWSAccessKeyId" | "Signature" | "Expires")
                || name.to_ascii_lowercase().starts_with("x-amz-")
        };
        for (name, value) in &self.query {
            if !is_signature(name) {
                put(name, value);
            }
        }
        for (name, value) in &self.headers {
            let name = name.as_str();
            let is_parameter = name.starts_with("x-amz-")
                && !NO_PARAMETERS.iter().any(|other| name.starts_with(other));
            if let (true, Ok(value)) = (is_parameter, value.to_str()) {
                put(name, value);
            }
        }
        parameters
    }

    fn additional(&self) -> Map<String, Value> {
        let queried = |name: &str| self.query.iter().any(|(other, _)| other == name);
        let (version, method) = match self.header(AUTHORIZATION.as_str()) {
            Some(text) if text.starts_with("AWS ") => (Some("SigV2"), Some("AuthHeader")),
            Some(_) => (Some("SigV4"), Some("AuthHeader")),
            None if queried("X-Amz-Signature") => (Some("SigV4"), Some("QueryString")),
            None if queried("Signature") => (Some("SigV2"), Some("QueryString")),
            None => (None, None),
        };
        let length = self
            .header("x-amz-decoded-content-length")
            .or_else(|| self.header(CONTENT_LENGTH.as_str()));
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
        put("x-amz-id-2", super::HOST_ID.into());
        additional
    }
}

/// `put_object` as the API writes it.
fn camel(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|c| c.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    name.split('_').map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_the_names_that_records_give_them() {
        for (operation, method, name) in [
            ("put_object", Method::PUT, "PutObject"),
            ("put_object", Method::POST, "PostObject"),
            ("list_objects_v2", Method::GET, "ListObjects"),
            (
                "put_bucket_notification_configuration",
                Method::PUT,
                "PutBucketNotification",
            ),
            (
                "complete_multipart_upload",
                Method::POST,
                "CompleteMultipartUpload",
            ),
        ] {
            assert_eq!(name_of(&camel(operation), &method), name);
        }
    }
}
