//! Tags of objects and buckets.

use http::StatusCode;
use landfall_core::limits;
use landfall_flow::land::bucket::{check_tags, config, delete_config, put_config};
use landfall_flow::land::config::Tagging;
use landfall_flow::land::model::Tags;
use landfall_flow::land::object::{self, ObjectAt};
use landfall_flow::land::{bucket, read};
use s3s::{S3Response, dto};

use super::call::{Answer, Call, ok};
use super::convert::{tag_set, tags};

/// GetObjectTagging.
pub(super) async fn get_object_tagging(
    call: Call,
    input: dto::GetObjectTaggingInput,
) -> Answer<dto::GetObjectTaggingOutput> {
    bucket::bucket(&call.flow.view(), &input.bucket)?;
    let at = ObjectAt {
        bucket: input.bucket,
        key: input.key,
        version_id: input.version_id,
    };
    let version = read::live(&call.flow.view(), &at, "GET")?;
    ok(dto::GetObjectTaggingOutput {
        tag_set: tag_set(&version.tags),
        version_id: version.version_id,
    })
}

/// PutObjectTagging.
pub(super) async fn put_object_tagging(
    call: Call,
    input: dto::PutObjectTaggingInput,
) -> Answer<dto::PutObjectTaggingOutput> {
    let at = ObjectAt {
        bucket: input.bucket,
        key: input.key,
        version_id: input.version_id,
    };
    let tags = tags(input.tagging.tag_set)?;
    let caller = call.caller;
    let version = call
        .flow
        .write(move |tx| object::put_object_tags(tx, &caller, &at, tags))
        .await?;
    ok(dto::PutObjectTaggingOutput {
        version_id: version.version_id,
    })
}

/// DeleteObjectTagging.
pub(super) async fn delete_object_tagging(
    call: Call,
    input: dto::DeleteObjectTaggingInput,
) -> Answer<dto::DeleteObjectTaggingOutput> {
    let at = ObjectAt {
        bucket: input.bucket,
        key: input.key,
        version_id: input.version_id,
    };
    let caller = call.caller;
    let version = call
        .flow
        .write(move |tx| object::put_object_tags(tx, &caller, &at, Tags::new()))
        .await?;
    let output = dto::DeleteObjectTaggingOutput {
        version_id: version.version_id,
    };
    Ok(S3Response::with_status(output, StatusCode::NO_CONTENT))
}

/// GetBucketTagging.
pub(super) async fn get_bucket_tagging(
    call: Call,
    input: dto::GetBucketTaggingInput,
) -> Answer<dto::GetBucketTaggingOutput> {
    let tagging: Tagging = config(&call.flow.view(), &input.bucket)?;
    ok(dto::GetBucketTaggingOutput {
        tag_set: tag_set(&tagging.tags),
    })
}

/// PutBucketTagging.
pub(super) async fn put_bucket_tagging(
    call: Call,
    input: dto::PutBucketTaggingInput,
) -> Answer<dto::PutBucketTaggingOutput> {
    let tags = tags(input.tagging.tag_set)?;
    check_tags(&tags, limits::S3_BUCKET_TAGS_MAX)?;
    call.flow
        .write(move |tx| put_config(tx, &input.bucket, &Tagging { tags }))
        .await?;
    let output = dto::PutBucketTaggingOutput::default();
    Ok(S3Response::with_status(output, StatusCode::NO_CONTENT))
}

/// DeleteBucketTagging.
pub(super) async fn delete_bucket_tagging(
    call: Call,
    input: dto::DeleteBucketTaggingInput,
) -> Answer<dto::DeleteBucketTaggingOutput> {
    call.flow
        .write(move |tx| delete_config::<Tagging>(tx, &input.bucket))
        .await?;
    let output = dto::DeleteBucketTaggingOutput::default();
    Ok(S3Response::with_status(output, StatusCode::NO_CONTENT))
}
