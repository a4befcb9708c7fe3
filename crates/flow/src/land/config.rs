//! The configurations of a bucket that Landfall keeps: what each holds and what is answered when there is none.
//! Never enforces them: which ones have an effect is said where they are set.

use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};

use super::bucket::Config;
use super::model::Tags;

fn missing(code: &'static str, message: &str, bucket: &str) -> ApiError {
    ApiError::with_status(code, 404, message).member("BucketName", bucket)
}

/// Default encryption: objects are answered as encrypted with `AES256`, whatever stands here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub algorithm: String,
    /// KMS key.
    pub kms_key_id: Option<String>,
    /// Whether a bucket key is used.
    pub bucket_key: Option<bool>,
}

impl Encryption {
    /// What every bucket has that says nothing.
    pub fn standard() -> Self {
        Self {
            algorithm: "AES256".to_owned(),
            kms_key_id: None,
            bucket_key: Some(false),
        }
    }
}

impl Config for Encryption {
    const KIND: &'static str = "encryption";

    fn missing(bucket: &str) -> ApiError {
        let code = "ServerSideEncryptionConfigurationNotFoundError";
        missing(
            code,
            "The server side encryption configuration was not found",
            bucket,
        )
    }
}

/// Public access block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools)]
pub struct PublicAccessBlock {
    /// `BlockPublicAcls`.
    pub block_public_acls: bool,
    /// `IgnorePublicAcls`.
    pub ignore_public_acls: bool,
    /// `BlockPublicPolicy`.
    pub block_public_policy: bool,
    /// `RestrictPublicBuckets`.
    pub restrict_public_buckets: bool,
}

impl Config for PublicAccessBlock {
    const KIND: &'static str = "public-access-block";

    fn missing(bucket: &str) -> ApiError {
        let code = "NoSuchPublicAccessBlockConfiguration";
        missing(
            code,
            "The public access block configuration was not found",
            bucket,
        )
    }
}

/// Tags of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tagging {
    /// The tags.
    pub tags: Tags,
}

impl Config for Tagging {
    const KIND: &'static str = "tagging";

    fn missing(bucket: &str) -> ApiError {
        missing("NoSuchTagSet", "The TagSet does not exist", bucket)
    }
}

/// Ownership controls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// `BucketOwnerEnforced`, `BucketOwnerPreferred` or `ObjectWriter`.
    pub rule: String,
}

impl Config for Ownership {
    const KIND: &'static str = "ownership";

    fn missing(bucket: &str) -> ApiError {
        let code = "OwnershipControlsNotFoundError";
        missing(code, "The bucket ownership controls were not found", bucket)
    }
}

/// Bucket policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The policy document as it was given.
    pub text: String,
}

impl Policy {
    /// Takes a document in.
    ///
    /// Errors: `MalformedPolicy`.
    pub fn parse(text: String) -> Result<Self, ApiError> {
        let document: Option<serde_json::Value> = serde_json::from_str(&text).ok();
        let statements = document.as_ref().and_then(|d| d.get("Statement"));
        if statements.is_some_and(|s| s.is_array() || s.is_object()) {
            return Ok(Self { text });
        }
        let message = match document {
            None => "Policies must be valid JSON and the first byte must be '{'",
            Some(_) => "Missing required field Statement",
        };
        Err(ApiError::client("MalformedPolicy", message))
    }
}

impl Config for Policy {
    const KIND: &'static str = "policy";

    fn missing(bucket: &str) -> ApiError {
        missing(
            "NoSuchBucketPolicy",
            "The bucket policy does not exist",
            bucket,
        )
    }
}

/// Canned ACL of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acl {
    /// `private`, `public-read`, …
    pub canned: String,
}

impl Config for Acl {
    const KIND: &'static str = "acl";

    fn missing(_: &str) -> ApiError {
        ApiError::internal("every bucket has an access control list")
    }
}

/// The answer for a configuration that Landfall never keeps, by the name of the sub-resource.
pub fn never_there(subresource: &str, bucket: &str) -> ApiError {
    let (code, message) = match subresource {
        "cors" => (
            "NoSuchCORSConfiguration",
            "The CORS configuration does not exist",
        ),
        "website" => (
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration",
        ),
        "lifecycle" => (
            "NoSuchLifecycleConfiguration",
            "The lifecycle configuration does not exist",
        ),
        "replication" => (
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
        ),
        "object-lock" => (
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
        ),
        _ => (
            "NoSuchConfiguration",
            "The specified configuration does not exist.",
        ),
    };
    missing(code, message, bucket)
}
