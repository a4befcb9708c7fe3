//! Access control lists: canned ones are kept and shown as grants. They have no effect: Landfall serves whoever may
//! sign. Buckets enforce the owner unless their ownership controls say otherwise, as on AWS.

use landfall_core::error::ApiError;
use landfall_flow::land::bucket::{self, config, put_config};
use landfall_flow::land::config::{Acl, Ownership};
use landfall_flow::land::object::{ObjectAt, put_object_acl as put_acl};
use landfall_flow::land::read;
use landfall_flow::{Reader, Tx};
use s3s::dto;

use super::call::{Answer, Call, ok};

const PRIVATE: &str = "private";
const ENFORCED: &str = "BucketOwnerEnforced";
const CANNED: [&str; 7] = [
    PRIVATE,
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
];

/// The owner of everything of an account: a canonical id derived from the account's.
pub(super) fn owner(account: &str) -> dto::Owner {
    dto::Owner {
        display_name: None,
        id: Some(canonical_id(account)),
    }
}

/// The canonical user id of an account: 64 hex digits.
pub(super) fn canonical_id(account: &str) -> String {
    use sha2::{Digest as _, Sha256};
    hex::encode(Sha256::digest(account.as_bytes()))
}

fn grants(account: &str, canned: &str) -> dto::Grants {
    let everyone = "http://acs.amazonaws.com/groups/global/AllUsers";
    let signed = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
    let mut grants = vec![grant(Some(canonical_id(account)), None, "FULL_CONTROL")];
    let more: &[(&str, &str)] = match canned {
        "public-read" => &[(everyone, "READ")],
        "public-read-write" => &[(everyone, "READ"), (everyone, "WRITE")],
        "authenticated-read" => &[(signed, "READ")],
        _ => &[],
    };
    grants.extend(more.iter().map(|(uri, p)| grant(None, Some(uri), p)));
    grants
}

fn grant(id: Option<String>, uri: Option<&str>, permission: &str) -> dto::Grant {
    let kind = if id.is_some() {
        "CanonicalUser"
    } else {
        "Group"
    };
    dto::Grant {
        grantee: Some(dto::Grantee {
            display_name: None,
            email_address: None,
            id,
            type_: dto::Type::from_static(if kind == "Group" {
                dto::Type::GROUP
            } else {
                dto::Type::CANONICAL_USER
            }),
            uri: uri.map(str::to_owned),
        }),
        permission: Some(dto::Permission::from(permission.to_owned())),
    }
}

/// The canned ACL that a request asks for. Grants are accepted only where they say what `private` says.
fn asked(
    call: &Call,
    canned: Option<String>,
    policy: Option<dto::AccessControlPolicy>,
    account: &str,
) -> Result<String, ApiError> {
    call.refuse_headers(&[
        "x-amz-grant-full-control",
        "x-amz-grant-read",
        "x-amz-grant-read-acp",
        "x-amz-grant-write",
        "x-amz-grant-write-acp",
    ])?;
    if let Some(canned) = canned {
        return check_canned(canned);
    }
    let wanted = policy.and_then(|p| p.grants).unwrap_or_default();
    let as_canned = CANNED.iter().find(|c| {
        let canned = grants(account, c);
        let said = |g: &dto::Grant| {
            (
                subject(g),
                g.permission.as_ref().map(|p| p.as_str().to_owned()),
            )
        };
        canned.len() == wanted.len()
            && wanted
                .iter()
                .all(|w| canned.iter().any(|g| said(g) == said(w)))
    });
    as_canned.map(|c| (*c).to_owned()).ok_or_else(|| {
        ApiError::not_implemented(
            "Only access control lists that a canned ACL can express are implemented",
        )
    })
}

fn subject(grant: &dto::Grant) -> Option<String> {
    let grantee = grant.grantee.as_ref()?;
    grantee.id.clone().or_else(|| grantee.uri.clone())
}

fn check_canned(canned: String) -> Result<String, ApiError> {
    match CANNED.contains(&canned.as_str()) {
        true => Ok(canned),
        false => Err(landfall_flow::land::error::invalid_argument(
            "Invalid canned ACL",
            "x-amz-acl",
            &canned,
        )),
    }
}

fn is_enforced(reader: &impl Reader, bucket: &str) -> Result<bool, ApiError> {
    match config::<Ownership>(reader, bucket) {
        Ok(ownership) => Ok(ownership.rule == ENFORCED),
        Err(e) if e.code == "OwnershipControlsNotFoundError" => Ok(true),
        Err(e) => Err(e),
    }
}

fn not_supported() -> ApiError {
    ApiError::client(
        "AccessControlListNotSupported",
        "The bucket does not allow ACLs",
    )
}

/// Whether objects of the bucket may be written with this canned ACL.
///
/// Errors: `AccessControlListNotSupported`, `InvalidArgument`.
pub(super) fn check_object_acl(
    reader: &impl Reader,
    bucket: &str,
    canned: Option<dto::ObjectCannedACL>,
) -> Result<Option<String>, ApiError> {
    let canned = canned
        .map(|c| check_canned(c.as_str().to_owned()))
        .transpose()?;
    match canned.as_deref() {
        None | Some(PRIVATE) => Ok(None),
        Some("bucket-owner-full-control") => Ok(canned),
        Some(_) if is_enforced(reader, bucket)? => Err(not_supported()),
        Some(_) => Ok(canned),
    }
}

/// What CreateBucket says of ownership and ACL.
pub(super) fn set_at_creation(
    tx: &mut Tx<'_>,
    bucket: &str,
    ownership: Option<String>,
    canned: Option<String>,
) -> Result<(), ApiError> {
    if let Some(rule) = ownership {
        put_config(tx, bucket, &Ownership { rule })?;
    }
    match canned
        .map(check_canned)
        .transpose()?
        .filter(|c| c != PRIVATE)
    {
        None => Ok(()),
        Some(_) if is_enforced(tx, bucket)? => Err(ApiError::client(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        )),
        Some(canned) => put_config(tx, bucket, &Acl { canned }),
    }
}

/// GetBucketAcl.
pub(super) async fn get_bucket_acl(
    call: Call,
    input: dto::GetBucketAclInput,
) -> Answer<dto::GetBucketAclOutput> {
    let found = bucket::bucket(&call.flow.view(), &input.bucket)?;
    let acl = config::<Acl>(&call.flow.view(), &input.bucket);
    let canned = acl.map_or(PRIVATE.to_owned(), |acl| acl.canned);
    let mut output = dto::GetBucketAclOutput::default();
    output.owner = Some(owner(&found.account));
    output.grants = Some(grants(&found.account, &canned));
    ok(output)
}

/// PutBucketAcl.
pub(super) async fn put_bucket_acl(
    call: Call,
    input: dto::PutBucketAclInput,
) -> Answer<dto::PutBucketAclOutput> {
    let found = bucket::bucket(&call.flow.view(), &input.bucket)?;
    let canned = input.acl.map(|acl| acl.as_str().to_owned());
    let canned = asked(&call, canned, input.access_control_policy, &found.account)?;
    call.flow
        .write(move |tx| match is_enforced(tx, &input.bucket)? {
            true => Err(not_supported()),
            false => put_config(tx, &input.bucket, &Acl { canned }),
        })
        .await?;
    ok(dto::PutBucketAclOutput::default())
}

/// GetObjectAcl.
pub(super) async fn get_object_acl(
    call: Call,
    input: dto::GetObjectAclInput,
) -> Answer<dto::GetObjectAclOutput> {
    let at = ObjectAt {
        bucket: input.bucket,
        key: input.key,
        version_id: input.version_id,
    };
    let found = bucket::bucket(&call.flow.view(), &at.bucket)?;
    let version = read::live(&call.flow.view(), &at, "GET")?;
    let canned = version.attributes.acl.as_deref().unwrap_or(PRIVATE);
    let mut output = dto::GetObjectAclOutput::default();
    output.owner = Some(owner(&found.account));
    output.grants = Some(grants(&found.account, canned));
    ok(output)
}

/// PutObjectAcl.
pub(super) async fn put_object_acl(
    call: Call,
    input: dto::PutObjectAclInput,
) -> Answer<dto::PutObjectAclOutput> {
    let at = ObjectAt {
        bucket: input.bucket,
        key: input.key,
        version_id: input.version_id,
    };
    let found = bucket::bucket(&call.flow.view(), &at.bucket)?;
    let canned = input.acl.map(|acl| acl.as_str().to_owned());
    let canned = asked(&call, canned, input.access_control_policy, &found.account)?;
    let caller = call.caller;
    call.flow
        .write(move |tx| {
            if is_enforced(tx, &at.bucket)? && canned != "bucket-owner-full-control" {
                return Err(not_supported());
            }
            put_acl(tx, &caller, &at, &canned)
        })
        .await?;
    ok(dto::PutObjectAclOutput::default())
}
