//! The table of operations: which function answers which operation of the S3 library's trait. Nothing else.

use async_trait::async_trait;
use landfall_core::error::ApiError;
use landfall_flow::Flow;
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result};

use super::call::{Call, Context};
use super::{acl, bucket, config, copy, delete, get, list, multipart, put, tagging};

/// Answers operations from the pipeline.
pub(super) struct Adapter {
    pub(super) flow: Flow,
}

fn context<T>(request: &mut S3Request<T>) -> S3Result<Context> {
    let context = request.extensions.remove::<Context>();
    context.ok_or_else(|| s3s::s3_error!(InternalError, "the request has no context"))
}

macro_rules! operations {
    (
        served { $($module:ident :: $name:ident ( $input:ident ) -> $output:ident;)* }
        refused { $($refused:ident ( $refused_input:ident ) -> $refused_output:ident: $why:literal;)* }
    ) => {
        #[async_trait]
        impl S3 for Adapter {
            $(
                async fn $name(&self, mut request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    let context = context(&mut request)?;
                    context.begin(&self.flow, stringify!($name));
                    let slot = context.slot.clone();
                    let call = Call::new(&self.flow, context, &mut request);
                    $module::$name(call, request.input).await.map_err(|e| slot.keep(e))
                }
            )*
            $(
                async fn $refused(
                    &self,
                    mut request: S3Request<$refused_input>,
                ) -> S3Result<S3Response<$refused_output>> {
                    let context = context(&mut request)?;
                    context.begin(&self.flow, stringify!($refused));
                    Err(context.slot.keep(ApiError::not_implemented($why)))
                }
            )*
        }
    };
}

operations! {
    served {
    acl::get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput;
    acl::get_object_acl(GetObjectAclInput) -> GetObjectAclOutput;
    acl::put_bucket_acl(PutBucketAclInput) -> PutBucketAclOutput;
    acl::put_object_acl(PutObjectAclInput) -> PutObjectAclOutput;
    bucket::create_bucket(CreateBucketInput) -> CreateBucketOutput;
    bucket::delete_bucket(DeleteBucketInput) -> DeleteBucketOutput;
    bucket::get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput;
    bucket::get_bucket_notification_configuration(GetBucketNotificationConfigurationInput)
        -> GetBucketNotificationConfigurationOutput;
    bucket::get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput;
    bucket::head_bucket(HeadBucketInput) -> HeadBucketOutput;
    bucket::list_buckets(ListBucketsInput) -> ListBucketsOutput;
    bucket::put_bucket_notification_configuration(PutBucketNotificationConfigurationInput)
        -> PutBucketNotificationConfigurationOutput;
    bucket::put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput;
    config::delete_bucket_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput;
    config::delete_bucket_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput;
    config::delete_bucket_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput;
    config::delete_bucket_ownership_controls(DeleteBucketOwnershipControlsInput)
        -> DeleteBucketOwnershipControlsOutput;
    config::delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput;
    config::delete_bucket_replication(DeleteBucketReplicationInput) -> DeleteBucketReplicationOutput;
    config::delete_bucket_website(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput;
    config::delete_public_access_block(DeletePublicAccessBlockInput) -> DeletePublicAccessBlockOutput;
    config::get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput)
        -> GetBucketAccelerateConfigurationOutput;
    config::get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput;
    config::get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput;
    config::get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput)
        -> GetBucketLifecycleConfigurationOutput;
    config::get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput;
    config::get_bucket_ownership_controls(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput;
    config::get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput;
    config::get_bucket_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput;
    config::get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput;
    config::get_bucket_request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput;
    config::get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput;
    config::get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput;
    config::get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput;
    config::put_bucket_accelerate_configuration(PutBucketAccelerateConfigurationInput)
        -> PutBucketAccelerateConfigurationOutput;
    config::put_bucket_cors(PutBucketCorsInput) -> PutBucketCorsOutput;
    config::put_bucket_encryption(PutBucketEncryptionInput) -> PutBucketEncryptionOutput;
    config::put_bucket_lifecycle_configuration(PutBucketLifecycleConfigurationInput)
        -> PutBucketLifecycleConfigurationOutput;
    config::put_bucket_logging(PutBucketLoggingInput) -> PutBucketLoggingOutput;
    config::put_bucket_ownership_controls(PutBucketOwnershipControlsInput) -> PutBucketOwnershipControlsOutput;
    config::put_bucket_policy(PutBucketPolicyInput) -> PutBucketPolicyOutput;
    config::put_bucket_replication(PutBucketReplicationInput) -> PutBucketReplicationOutput;
    config::put_bucket_request_payment(PutBucketRequestPaymentInput) -> PutBucketRequestPaymentOutput;
    config::put_bucket_website(PutBucketWebsiteInput) -> PutBucketWebsiteOutput;
    config::put_object_lock_configuration(PutObjectLockConfigurationInput) -> PutObjectLockConfigurationOutput;
    config::put_public_access_block(PutPublicAccessBlockInput) -> PutPublicAccessBlockOutput;
    copy::copy_object(CopyObjectInput) -> CopyObjectOutput;
    copy::upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput;
    delete::delete_object(DeleteObjectInput) -> DeleteObjectOutput;
    delete::delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
    get::get_object(GetObjectInput) -> GetObjectOutput;
    get::get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput;
    get::head_object(HeadObjectInput) -> HeadObjectOutput;
    list::list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput;
    list::list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput;
    list::list_objects(ListObjectsInput) -> ListObjectsOutput;
    list::list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
    multipart::abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
    multipart::complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
    multipart::create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
    multipart::list_parts(ListPartsInput) -> ListPartsOutput;
    multipart::upload_part(UploadPartInput) -> UploadPartOutput;
    put::put_object(PutObjectInput) -> PutObjectOutput;
    tagging::delete_bucket_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput;
    tagging::delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput;
    tagging::get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput;
    tagging::get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput;
    tagging::put_bucket_tagging(PutBucketTaggingInput) -> PutBucketTaggingOutput;
    tagging::put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput;
    }
    refused {
    restore_object(RestoreObjectInput) -> RestoreObjectOutput:
        "RestoreObject is not implemented: no object is ever in an archive";
    select_object_content(SelectObjectContentInput) -> SelectObjectContentOutput:
        "SelectObjectContent is not implemented";
    }
}
