//! Whether CloudTrail may write into a bucket, as the bucket's policy says. Never asks an identity policy.

use landfall_core::error::ApiError;
use landfall_core::policy::{PolicyRequest, Principal, allows};

use super::model::Trail;
use crate::land::bucket;
use crate::land::config::Policy;
use crate::tx::Reader;

const SERVICE: &str = "cloudtrail.amazonaws.com";

/// Where the log files of an account stand in a bucket: a prefix of keys without a slash at its end.
pub(super) fn root(prefix: Option<&str>, account: &str) -> String {
    match prefix {
        None | Some("") => format!("AWSLogs/{account}"),
        Some(prefix) => format!("{prefix}/AWSLogs/{account}"),
    }
}

/// Refuses a trail's bucket that CloudTrail may not look at or not write to.
///
/// Errors: `S3BucketDoesNotExistException`, `InsufficientS3BucketPolicyException`.
pub(super) fn check(db: &impl Reader, trail: &Trail) -> Result<(), ApiError> {
    let (name, account, trail_arn) = (&trail.bucket, &trail.account, trail.arn());
    if bucket::bucket(db, name).is_err() {
        return Err(ApiError::client(
            "S3BucketDoesNotExistException",
            format!("S3 bucket {name} does not exist!"),
        ));
    }
    let policy = bucket::config::<Policy>(db, name).map(|policy| policy.text);
    let policy = policy.unwrap_or_default();
    let bucket_arn = format!("arn:aws:s3:::{name}");
    let key = format!(
        "{bucket_arn}/{}/CloudTrail/test.json.gz",
        root(trail.prefix.as_deref(), account)
    );
    let asks = |action, resource| {
        let request = PolicyRequest {
            principal: Principal::Service(SERVICE),
            action,
            resource,
            context: vec![
                ("aws:SourceArn", trail_arn.as_str()),
                ("aws:SourceAccount", account.as_str()),
                ("aws:SecureTransport", "true"),
                ("s3:x-amz-acl", "bucket-owner-full-control"),
            ],
        };
        allows(&policy, &request)
    };
    if asks("s3:GetBucketAcl", bucket_arn.as_str()) && asks("s3:PutObject", key.as_str()) {
        return Ok(());
    }
    Err(ApiError::client(
        "InsufficientS3BucketPolicyException",
        format!("Incorrect S3 bucket policy is detected for bucket: {name}"),
    ))
}
