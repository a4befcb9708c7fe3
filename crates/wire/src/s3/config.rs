//! Configurations of buckets: those that are kept, those that have only one value here, and those that are refused
//! because Landfall would not honour them.

use http::StatusCode;
use landfall_core::error::ApiError;
use landfall_flow::land::bucket::{self, config, delete_config, put_config};
use landfall_flow::land::config::{Encryption, Ownership, Policy, PublicAccessBlock, never_there};
use landfall_flow::land::error::malformed_xml;
use s3s::{S3Response, dto};

use super::call::{Answer, Call, ok};

fn no_content<T>(output: T) -> Answer<T> {
    Ok(S3Response::with_status(output, StatusCode::NO_CONTENT))
}

/// GetBucketEncryption: every bucket has one, as on AWS since 2023.
pub(super) async fn get_bucket_encryption(
    call: Call,
    input: dto::GetBucketEncryptionInput,
) -> Answer<dto::GetBucketEncryptionOutput> {
    bucket::bucket(&call.flow.view(), &input.bucket)?;
    let kept = config::<Encryption>(&call.flow.view(), &input.bucket);
    let kept = kept.unwrap_or_else(|_| Encryption::standard());
    let rule = dto::ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(dto::ServerSideEncryptionByDefault {
            kms_master_key_id: kept.kms_key_id,
            sse_algorithm: dto::ServerSideEncryption::from(kept.algorithm),
        }),
        bucket_key_enabled: kept.bucket_key,
    };
    ok(dto::GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(dto::ServerSideEncryptionConfiguration {
            rules: vec![rule],
        }),
    })
}

/// PutBucketEncryption.
pub(super) async fn put_bucket_encryption(
    call: Call,
    input: dto::PutBucketEncryptionInput,
) -> Answer<dto::PutBucketEncryptionOutput> {
    let mut rules = input.server_side_encryption_configuration.rules;
    let rule = rules
        .pop()
        .filter(|_| rules.is_empty())
        .ok_or_else(malformed_xml)?;
    let by_default = rule.apply_server_side_encryption_by_default;
    let by_default = by_default.ok_or_else(malformed_xml)?;
    let algorithm = by_default.sse_algorithm.as_str().to_owned();
    if !["AES256", "aws:kms", "aws:kms:dsse"].contains(&algorithm.as_str()) {
        return Err(malformed_xml());
    }
    if algorithm == "AES256" && by_default.kms_master_key_id.is_some() {
        return Err(landfall_flow::land::error::invalid_argument(
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            "ApplyServerSideEncryptionByDefault",
            "KMSMasterKeyID",
        ));
    }
    let kept = Encryption {
        algorithm,
        kms_key_id: by_default.kms_master_key_id,
        bucket_key: Some(rule.bucket_key_enabled.unwrap_or(false)),
    };
    call.flow
        .write(move |tx| put_config(tx, &input.bucket, &kept))
        .await?;
    ok(dto::PutBucketEncryptionOutput::default())
}

/// DeleteBucketEncryption: back to the standard one.
pub(super) async fn delete_bucket_encryption(
    call: Call,
    input: dto::DeleteBucketEncryptionInput,
) -> Answer<dto::DeleteBucketEncryptionOutput> {
    call.flow
        .write(move |tx| delete_config::<Encryption>(tx, &input.bucket))
        .await?;
    no_content(dto::DeleteBucketEncryptionOutput::default())
}

/// GetPublicAccessBlock.
pub(super) async fn get_public_access_block(
    call: Call,
    input: dto::GetPublicAccessBlockInput,
) -> Answer<dto::GetPublicAccessBlockOutput> {
    let kept: PublicAccessBlock = config(&call.flow.view(), &input.bucket)?;
    ok(dto::GetPublicAccessBlockOutput {
        public_access_block_configuration: Some(dto::PublicAccessBlockConfiguration {
            block_public_acls: Some(kept.block_public_acls),
            block_public_policy: Some(kept.block_public_policy),
            ignore_public_acls: Some(kept.ignore_public_acls),
            restrict_public_buckets: Some(kept.restrict_public_buckets),
        }),
    })
}

/// PutPublicAccessBlock.
pub(super) async fn put_public_access_block(
    call: Call,
    input: dto::PutPublicAccessBlockInput,
) -> Answer<dto::PutPublicAccessBlockOutput> {
    let asked = input.public_access_block_configuration;
    let kept = PublicAccessBlock {
        block_public_acls: asked.block_public_acls == Some(true),
        ignore_public_acls: asked.ignore_public_acls == Some(true),
        block_public_policy: asked.block_public_policy == Some(true),
        restrict_public_buckets: asked.restrict_public_buckets == Some(true),
    };
    call.flow
        .write(move |tx| put_config(tx, &input.bucket, &kept))
        .await?;
    ok(dto::PutPublicAccessBlockOutput::default())
}

/// DeletePublicAccessBlock.
pub(super) async fn delete_public_access_block(
    call: Call,
    input: dto::DeletePublicAccessBlockInput,
) -> Answer<dto::DeletePublicAccessBlockOutput> {
    call.flow
        .write(move |tx| delete_config::<PublicAccessBlock>(tx, &input.bucket))
        .await?;
    no_content(dto::DeletePublicAccessBlockOutput::default())
}

/// GetBucketOwnershipControls: a bucket that says nothing enforces its owner, as on AWS since 2023.
pub(super) async fn get_bucket_ownership_controls(
    call: Call,
    input: dto::GetBucketOwnershipControlsInput,
) -> Answer<dto::GetBucketOwnershipControlsOutput> {
    let kept: Ownership = config(&call.flow.view(), &input.bucket)?;
    let rule = dto::OwnershipControlsRule {
        object_ownership: dto::ObjectOwnership::from(kept.rule),
    };
    ok(dto::GetBucketOwnershipControlsOutput {
        ownership_controls: Some(dto::OwnershipControls { rules: vec![rule] }),
    })
}

/// PutBucketOwnershipControls.
pub(super) async fn put_bucket_ownership_controls(
    call: Call,
    input: dto::PutBucketOwnershipControlsInput,
) -> Answer<dto::PutBucketOwnershipControlsOutput> {
    let mut rules = input.ownership_controls.rules;
    let rule = rules
        .pop()
        .filter(|_| rules.is_empty())
        .ok_or_else(malformed_xml)?;
    let rule = rule.object_ownership.as_str().to_owned();
    if ![
        "BucketOwnerEnforced",
        "BucketOwnerPreferred",
        "ObjectWriter",
    ]
    .contains(&rule.as_str())
    {
        return Err(malformed_xml());
    }
    call.flow
        .write(move |tx| put_config(tx, &input.bucket, &Ownership { rule }))
        .await?;
    ok(dto::PutBucketOwnershipControlsOutput::default())
}

/// DeleteBucketOwnershipControls.
pub(super) async fn delete_bucket_ownership_controls(
    call: Call,
    input: dto::DeleteBucketOwnershipControlsInput,
) -> Answer<dto::DeleteBucketOwnershipControlsOutput> {
    call.flow
        .write(move |tx| delete_config::<Ownership>(tx, &input.bucket))
        .await?;
    no_content(dto::DeleteBucketOwnershipControlsOutput::default())
}

/// GetBucketPolicy.
pub(super) async fn get_bucket_policy(
    call: Call,
    input: dto::GetBucketPolicyInput,
) -> Answer<dto::GetBucketPolicyOutput> {
    let kept: Policy = config(&call.flow.view(), &input.bucket)?;
    ok(dto::GetBucketPolicyOutput {
        policy: Some(kept.text),
    })
}

/// PutBucketPolicy: kept and shown; Landfall does not decide who may do what.
pub(super) async fn put_bucket_policy(
    call: Call,
    input: dto::PutBucketPolicyInput,
) -> Answer<dto::PutBucketPolicyOutput> {
    let kept = Policy::parse(input.policy)?;
    call.flow
        .write(move |tx| put_config(tx, &input.bucket, &kept))
        .await?;
    no_content(dto::PutBucketPolicyOutput::default())
}

/// DeleteBucketPolicy.
pub(super) async fn delete_bucket_policy(
    call: Call,
    input: dto::DeleteBucketPolicyInput,
) -> Answer<dto::DeleteBucketPolicyOutput> {
    call.flow
        .write(move |tx| delete_config::<Policy>(tx, &input.bucket))
        .await?;
    no_content(dto::DeleteBucketPolicyOutput::default())
}

/// GetBucketPolicyStatus.
pub(super) async fn get_bucket_policy_status(
    call: Call,
    input: dto::GetBucketPolicyStatusInput,
) -> Answer<dto::GetBucketPolicyStatusOutput> {
    config::<Policy>(&call.flow.view(), &input.bucket)?;
    ok(dto::GetBucketPolicyStatusOutput {
        policy_status: Some(dto::PolicyStatus {
            is_public: Some(false),
        }),
    })
}

/// GetBucketAccelerateConfiguration: never accelerated.
pub(super) async fn get_bucket_accelerate_configuration(
    call: Call,
    input: dto::GetBucketAccelerateConfigurationInput,
) -> Answer<dto::GetBucketAccelerateConfigurationOutput> {
    bucket::bucket(&call.flow.view(), &input.bucket)?;
    ok(dto::GetBucketAccelerateConfigurationOutput::default())
}

/// PutBucketAccelerateConfiguration: only `Suspended`, which is what there is.
pub(super) async fn put_bucket_accelerate_configuration(
    call: Call,
    input: dto::PutBucketAccelerateConfigurationInput,
) -> Answer<dto::PutBucketAccelerateConfigurationOutput> {
    bucket::bucket(&call.flow.view(), &input.bucket)?;
    match input
        .accelerate_configuration
        .status
        .as_ref()
        .map(|s| s.as_str())
    {
        Some("Suspended") => ok(dto::PutBucketAccelerateConfigurationOutput::default()),
        _ => Err(ApiError::not_implemented(
            "Transfer acceleration is not implemented",
        )),
    }
}

/// GetBucketRequestPayment: the owner pays.
pub(super) async fn get_bucket_request_payment(
    call: Call,
    input: dto::GetBucketRequestPaymentInput,
) -> Answer<dto::GetBucketRequestPaymentOutput> {
    bucket::bucket(&call.flow.view(), &input.bucket)?;
    ok(dto::GetBucketRequestPaymentOutput {
        payer: Some(dto::Payer::from_static("BucketOwner")),
    })
}

/// PutBucketRequestPayment: only `BucketOwner`, which is what there is.
pub(super) async fn put_bucket_request_payment(
    call: Call,
    input: dto::PutBucketRequestPaymentInput,
) -> Answer<dto::PutBucketRequestPaymentOutput> {
    bucket::bucket(&call.flow.view(), &input.bucket)?;
    match input.request_payment_configuration.payer.as_str() {
        "BucketOwner" => ok(dto::PutBucketRequestPaymentOutput::default()),
        _ => Err(ApiError::not_implemented(
            "Requester pays buckets are not implemented",
        )),
    }
}

/// GetBucketLogging: never logged.
pub(super) async fn get_bucket_logging(
    call: Call,
    input: dto::GetBucketLoggingInput,
) -> Answer<dto::GetBucketLoggingOutput> {
    bucket::bucket(&call.flow.view(), &input.bucket)?;
    ok(dto::GetBucketLoggingOutput::default())
}

/// PutBucketLogging: only off, which is what there is.
pub(super) async fn put_bucket_logging(
    call: Call,
    input: dto::PutBucketLoggingInput,
) -> Answer<dto::PutBucketLoggingOutput> {
    bucket::bucket(&call.flow.view(), &input.bucket)?;
    match input.bucket_logging_status.logging_enabled {
        None => ok(dto::PutBucketLoggingOutput::default()),
        Some(_) => Err(ApiError::not_implemented(
            "Server access logging is not implemented",
        )),
    }
}

/// Operations on a configuration that Landfall never keeps: reading finds none, deleting is no error, writing is
/// refused.
macro_rules! never_kept {
    ($($get:ident($get_input:ident) -> $get_output:ident,
       $put:ident($put_input:ident) -> $put_output:ident: $name:literal, $what:literal;)*) => {$(
        #[doc = concat!("Answers that the bucket has no ", $what, ".")]
        pub(super) async fn $get(call: Call, input: dto::$get_input) -> Answer<dto::$get_output> {
            bucket::bucket(&call.flow.view(), &input.bucket)?;
            Err(never_there($name, &input.bucket))
        }

        #[doc = concat!("Refuses a ", $what, ".")]
        pub(super) async fn $put(call: Call, input: dto::$put_input) -> Answer<dto::$put_output> {
            bucket::bucket(&call.flow.view(), &input.bucket)?;
            Err(ApiError::not_implemented(concat!(
                "A ", $what, " is not implemented: Landfall would not act on it"
            )))
        }
    )*};
}

never_kept! {
    get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput,
    put_bucket_cors(PutBucketCorsInput) -> PutBucketCorsOutput: "cors", "CORS configuration";
    get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput,
    put_bucket_website(PutBucketWebsiteInput) -> PutBucketWebsiteOutput: "website", "website configuration";
    get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput) -> GetBucketLifecycleConfigurationOutput,
    put_bucket_lifecycle_configuration(PutBucketLifecycleConfigurationInput) -> PutBucketLifecycleConfigurationOutput:
        "lifecycle", "lifecycle configuration";
    get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput,
    put_bucket_replication(PutBucketReplicationInput) -> PutBucketReplicationOutput:
        "replication", "replication configuration";
    get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput,
    put_object_lock_configuration(PutObjectLockConfigurationInput) -> PutObjectLockConfigurationOutput:
        "object-lock", "Object Lock configuration";
}

macro_rules! nothing_to_delete {
    ($($delete:ident($input:ident) -> $output:ident;)*) => {$(
        /// Deletes a configuration that there never is.
        pub(super) async fn $delete(call: Call, input: dto::$input) -> Answer<dto::$output> {
            bucket::bucket(&call.flow.view(), &input.bucket)?;
            no_content(dto::$output::default())
        }
    )*};
}

nothing_to_delete! {
    delete_bucket_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput;
    delete_bucket_website(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput;
    delete_bucket_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput;
    delete_bucket_replication(DeleteBucketReplicationInput) -> DeleteBucketReplicationOutput;
}
