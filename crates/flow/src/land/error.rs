//! The errors of S3: each code, status and message in one place. Never decides when to use them.

use landfall_core::error::ApiError;

/// 404 for a bucket.
pub fn no_such_bucket(bucket: &str) -> ApiError {
    ApiError::with_status("NoSuchBucket", 404, "The specified bucket does not exist")
        .member("BucketName", bucket)
}

/// 404 for a key.
pub fn no_such_key(key: &str) -> ApiError {
    ApiError::with_status("NoSuchKey", 404, "The specified key does not exist.").member("Key", key)
}

/// 404 for a version of a key.
pub fn no_such_version(key: &str, version: &str) -> ApiError {
    let message = "The specified version does not exist.";
    ApiError::with_status("NoSuchVersion", 404, message)
        .member("Key", key)
        .member("VersionId", version)
}

/// 400 for a version id that cannot be one.
pub fn invalid_version_id(version: &str) -> ApiError {
    invalid_argument("Invalid version id specified", "versionId", version)
}

/// 405 for reading a delete marker by its version id.
pub fn method_not_allowed(method: &str) -> ApiError {
    let message = "The specified method is not allowed against this resource.";
    ApiError::with_status("MethodNotAllowed", 405, message)
        .member("Method", method)
        .member("ResourceType", "DeleteMarker")
}

/// 412, naming the header that did not hold.
pub fn precondition_failed(condition: &'static str) -> ApiError {
    let message = "At least one of the pre-conditions you specified did not hold";
    ApiError::with_status("PreconditionFailed", 412, message).member("Condition", condition)
}

/// 304: the reader has it already.
pub fn not_modified() -> ApiError {
    ApiError::with_status("NotModified", 304, "Not Modified")
}

/// 416 for a range outside the object.
pub fn invalid_range(range: &str, size: u64) -> ApiError {
    let message = "The requested range is not satisfiable";
    ApiError::with_status("InvalidRange", 416, message)
        .member("RangeRequested", range)
        .member("ActualObjectSize", size.to_string())
}

/// 416 for a part number that the object does not have.
pub fn invalid_part_number(number: i32, count: usize) -> ApiError {
    let message = "The requested partnumber is not satisfiable";
    ApiError::with_status("InvalidPartNumber", 416, message)
        .member("ActualPartCount", count.to_string())
        .member("PartNumberRequested", number.to_string())
}

/// 400 for an argument, with its name and value.
pub fn invalid_argument(message: &str, name: &str, value: &str) -> ApiError {
    ApiError::client("InvalidArgument", message)
        .member("ArgumentName", name)
        .member("ArgumentValue", value)
}

/// 400 for a request that makes no sense as a whole.
pub fn invalid_request(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidRequest", message)
}

/// 404 for an upload.
pub fn no_such_upload(upload: &str) -> ApiError {
    let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been \
                   aborted or completed.";
    ApiError::with_status("NoSuchUpload", 404, message).member("UploadId", upload)
}

/// 400 for a part that is not there or is another one.
pub fn invalid_part(upload: &str, number: u16, etag: &str) -> ApiError {
    let message = "One or more of the specified parts could not be found.  The part may not have been uploaded, or \
                   the specified entity tag may not match the part's entity tag.";
    ApiError::client("InvalidPart", message)
        .member("UploadId", upload)
        .member("PartNumber", number.to_string())
        .member("ETag", etag)
}

/// 400 for parts out of order.
pub fn invalid_part_order(upload: &str) -> ApiError {
    let message =
        "The list of parts was not in ascending order. Parts must be ordered by part number.";
    ApiError::client("InvalidPartOrder", message).member("UploadId", upload)
}

/// 400 for a part below the least size that is not the last.
pub fn entity_too_small(number: u16, etag: &str, size: u64, min: u64) -> ApiError {
    let message = "Your proposed upload is smaller than the minimum allowed size";
    ApiError::client("EntityTooSmall", message)
        .member("ETag", etag)
        .member("MinSizeAllowed", min.to_string())
        .member("ProposedSize", size.to_string())
        .member("PartNumber", number.to_string())
}

/// 400 for a body above the limit.
pub fn entity_too_large(size: u64, max: u64) -> ApiError {
    let message = "Your proposed upload exceeds the maximum allowed size";
    ApiError::client("EntityTooLarge", message)
        .member("ProposedSize", size.to_string())
        .member("MaxSizeAllowed", max.to_string())
}

/// 400 for a body that ended early or went on too long.
pub fn incomplete_body() -> ApiError {
    let message =
        "You did not provide the number of bytes specified by the Content-Length HTTP header";
    ApiError::client("IncompleteBody", message)
}

/// 400 for a Content-MD5 that is not what came.
pub fn bad_md5(expected: &str, calculated: &str) -> ApiError {
    let message = "The Content-MD5 you specified did not match what we received.";
    ApiError::client("BadDigest", message)
        .member("ExpectedDigest", expected)
        .member("CalculatedDigest", calculated)
}

/// 400 for a Content-MD5 that is none.
pub fn invalid_md5(value: &str) -> ApiError {
    let message = "The Content-MD5 you specified was invalid.";
    ApiError::client("InvalidDigest", message).member("Content-MD5", value)
}

/// 400 for a checksum that is not what came.
pub fn bad_checksum(algorithm: &str) -> ApiError {
    let message = format!("The {algorithm} you specified did not match the calculated checksum.");
    ApiError::client("BadDigest", message)
}

/// 400 for a checksum header whose value cannot be one.
pub fn invalid_checksum(header: &str) -> ApiError {
    invalid_request(format!("Value for {header} header is invalid."))
}

/// 400 for a signed payload hash that is not what came.
pub fn bad_sha256(client: &str, computed: &str) -> ApiError {
    let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
    ApiError::client("XAmzContentSHA256Mismatch", message)
        .member("ClientComputedContentSHA256", client)
        .member("S3ComputedContentSHA256", computed)
}

/// 403.
pub fn access_denied() -> ApiError {
    ApiError::with_status("AccessDenied", 403, "Access Denied")
}

/// 400 for tags.
pub fn invalid_tag(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidTag", message)
}

/// 400 for a document that does not say what it should.
pub fn malformed_xml() -> ApiError {
    let message =
        "The XML you provided was not well-formed or did not validate against our published schema";
    ApiError::client("MalformedXML", message)
}
