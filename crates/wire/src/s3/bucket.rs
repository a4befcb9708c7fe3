//! Buckets themselves: created, found, listed, deleted, their place and the switches of versioning and notification.

use http::StatusCode;
use landfall_core::caller::DEFAULT_REGION;
use landfall_core::error::ApiError;
use landfall_flow::land::bucket;
use landfall_flow::land::model::Versioning;
use s3s::{S3Response, dto};

use super::call::{Answer, Call, ok};
use super::convert::{count, time};

/// CreateBucket.
pub(super) async fn create_bucket(
    call: Call,
    input: dto::CreateBucketInput,
) -> Answer<dto::CreateBucketOutput> {
    if input.object_lock_enabled_for_bucket == Some(true) {
        return Err(ApiError::not_implemented("Object Lock is not implemented"));
    }
    let configuration = input.create_bucket_configuration;
    let constraint = configuration.and_then(|c| c.location_constraint);
    let constraint = constraint
        .as_ref()
        .map(dto::BucketLocationConstraint::as_str);
    let region = bucket::region_of_new_bucket(&call.caller, constraint)?;
    let canned = input.acl.map(|acl| acl.as_str().to_owned());
    let ownership = input.object_ownership.map(|o| o.as_str().to_owned());
    let (caller, name) = (call.caller, input.bucket.clone());
    call.flow
        .write(move |tx| {
            bucket::create_bucket(tx, &caller, &name, &region)?;
            super::acl::set_at_creation(tx, &name, ownership, canned)
        })
        .await?;
    let mut output = dto::CreateBucketOutput::default();
    output.location = Some(format!("/{}", input.bucket));
    ok(output)
}

/// HeadBucket.
pub(super) async fn head_bucket(
    call: Call,
    input: dto::HeadBucketInput,
) -> Answer<dto::HeadBucketOutput> {
    let found = bucket::bucket(&call.flow.view(), &input.bucket)?;
    let mut output = dto::HeadBucketOutput::default();
    output.bucket_region = Some(found.region);
    output.access_point_alias = Some(false);
    ok(output)
}

/// ListBuckets.
pub(super) async fn list_buckets(
    call: Call,
    input: dto::ListBucketsInput,
) -> Answer<dto::ListBucketsOutput> {
    let max = input
        .max_buckets
        .map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(0));
    let prefix = input.prefix.clone().unwrap_or_default();
    let region = input
        .bucket_region
        .as_deref()
        .unwrap_or_default()
        .to_owned();
    let after = input.continuation_token.unwrap_or_default();
    let mut all = bucket::list_buckets(&call.flow.view(), &call.caller.account)?;
    all.retain(|b| {
        b.name.starts_with(&prefix) && (region.is_empty() || b.region == region) && b.name > after
    });
    let is_more = all.len() > max;
    all.truncate(max);
    let mut output = dto::ListBucketsOutput::default();
    output.continuation_token = match is_more {
        true => all.last().map(|b| b.name.clone()),
        false => None,
    };
    output.owner = Some(super::acl::owner(&call.caller.account));
    output.prefix = input.prefix;
    let each = all.into_iter().map(|b| dto::Bucket {
        bucket_region: Some(b.region),
        creation_date: Some(time(b.created_at)),
        name: Some(b.name),
    });
    output.buckets = Some(each.collect());
    ok(output)
}

/// DeleteBucket.
pub(super) async fn delete_bucket(
    call: Call,
    input: dto::DeleteBucketInput,
) -> Answer<dto::DeleteBucketOutput> {
    call.flow
        .write(move |tx| bucket::delete_bucket(tx, &input.bucket))
        .await?;
    Ok(S3Response::with_status(
        dto::DeleteBucketOutput::default(),
        StatusCode::NO_CONTENT,
    ))
}

/// GetBucketLocation.
pub(super) async fn get_bucket_location(
    call: Call,
    input: dto::GetBucketLocationInput,
) -> Answer<dto::GetBucketLocationOutput> {
    let found = bucket::bucket(&call.flow.view(), &input.bucket)?;
    let region = Some(found.region).filter(|r| r != DEFAULT_REGION);
    let mut output = dto::GetBucketLocationOutput::default();
    output.location_constraint = region.map(dto::BucketLocationConstraint::from);
    ok(output)
}

/// GetBucketVersioning.
pub(super) async fn get_bucket_versioning(
    call: Call,
    input: dto::GetBucketVersioningInput,
) -> Answer<dto::GetBucketVersioningOutput> {
    let found = bucket::bucket(&call.flow.view(), &input.bucket)?;
    let mut output = dto::GetBucketVersioningOutput::default();
    output.status = match found.versioning {
        Versioning::Off => None,
        Versioning::Enabled => Some(dto::BucketVersioningStatus::from_static("Enabled")),
        Versioning::Suspended => Some(dto::BucketVersioningStatus::from_static("Suspended")),
    };
    ok(output)
}

/// PutBucketVersioning.
pub(super) async fn put_bucket_versioning(
    call: Call,
    input: dto::PutBucketVersioningInput,
) -> Answer<dto::PutBucketVersioningOutput> {
    let configuration = input.versioning_configuration;
    if configuration
        .mfa_delete
        .is_some_and(|m| m.as_str() == "Enabled")
    {
        return Err(ApiError::not_implemented("MFA Delete is not implemented"));
    }
    let versioning = match configuration
        .status
        .as_ref()
        .map(dto::BucketVersioningStatus::as_str)
    {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        Some(_) => return Err(landfall_flow::land::error::malformed_xml()),
        None => Versioning::Off,
    };
    call.flow
        .write(move |tx| bucket::put_versioning(tx, &input.bucket, versioning))
        .await?;
    ok(dto::PutBucketVersioningOutput::default())
}

/// GetBucketNotificationConfiguration.
pub(super) async fn get_bucket_notification_configuration(
    call: Call,
    input: dto::GetBucketNotificationConfigurationInput,
) -> Answer<dto::GetBucketNotificationConfigurationOutput> {
    let found = bucket::bucket(&call.flow.view(), &input.bucket)?;
    let mut output = dto::GetBucketNotificationConfigurationOutput::default();
    output.event_bridge_configuration = found
        .event_bridge
        .then(dto::EventBridgeConfiguration::default);
    ok(output)
}

/// PutBucketNotificationConfiguration: only EventBridge is a destination here.
pub(super) async fn put_bucket_notification_configuration(
    call: Call,
    input: dto::PutBucketNotificationConfigurationInput,
) -> Answer<dto::PutBucketNotificationConfigurationOutput> {
    let configuration = input.notification_configuration;
    let others = [
        (
            "TopicConfiguration",
            configuration.topic_configurations.map(|c| c.len()),
        ),
        (
            "QueueConfiguration",
            configuration.queue_configurations.map(|c| c.len()),
        ),
        (
            "CloudFunctionConfiguration",
            configuration
                .lambda_function_configurations
                .map(|c| c.len()),
        ),
    ];
    if let Some((name, _)) = others.iter().find(|(_, n)| n.is_some_and(|n| n > 0)) {
        return Err(ApiError::not_implemented(format!(
            "{name} is not implemented: Landfall delivers the events of a bucket to EventBridge only. Use \
             EventBridgeConfiguration and a rule with the target that you want."
        )));
    }
    let on = configuration.event_bridge_configuration.is_some();
    call.flow
        .write(move |tx| bucket::put_event_bridge(tx, &input.bucket, on))
        .await?;
    ok(dto::PutBucketNotificationConfigurationOutput::default())
}

/// How many of something a listing may hold.
pub(super) fn page_size(asked: Option<i32>, max: i32) -> Result<usize, ApiError> {
    let asked = asked.unwrap_or(max);
    usize::try_from(asked.min(max)).map_err(|_| {
        landfall_flow::land::error::invalid_argument(
            "Argument maxKeys must be an integer between 0 and 2147483647",
            "maxKeys",
            &asked.to_string(),
        )
    })
}

/// A page size as it is answered.
pub(super) fn shown(size: usize) -> i32 {
    count(size)
}
