//! Buckets with the configurations that Landfall keeps. The others are refused by name, never swallowed.

use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::template::{as_bool_loose, as_string_loose};
use serde_json::Value;

use super::{
    Built, Existing, Job, Properties, Provisioner, already_exists, document, gone_is_fine,
    not_served,
};
use crate::land::bucket;
use crate::land::config::{Encryption, Ownership, Policy, PublicAccessBlock, Tagging};
use crate::land::model::Versioning;
use crate::trail::own::{self, S3Call};
use crate::tx::Tx;

/// `AWS::S3::Bucket`.
pub const BUCKET: Provisioner = Provisioner {
    create,
    update,
    delete,
};

/// `AWS::S3::BucketPolicy`.
pub const BUCKET_POLICY: Provisioner = Provisioner {
    create: make_policy,
    update: change_policy,
    delete: delete_policy,
};

const SERVED: &[&str] = &[
    "AccessControl",
    "BucketEncryption",
    "BucketName",
    "NotificationConfiguration",
    "OwnershipControls",
    "PublicAccessBlockConfiguration",
    "Tags",
    "VersioningConfiguration",
];

fn create(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let name = job
        .text("BucketName")
        .unwrap_or_else(|| job.made_up(tx, 63).to_lowercase());
    if bucket::bucket(tx, &name).is_ok() {
        return Err(already_exists(&name));
    }
    asked(tx, job.caller, ("CreateBucket", ""), &name, |tx| {
        bucket::create_bucket(tx, job.caller, &name, &job.caller.region)
    })?;
    configure(tx, job, &name, &Properties::new())?;
    Ok(built(job.caller, name))
}

fn update(tx: &mut Tx<'_>, job: &Job<'_>, existing: &Existing<'_>) -> Result<Built, ApiError> {
    configure(tx, job, existing.physical_id, existing.properties)?;
    Ok(built(job.caller, existing.physical_id.to_owned()))
}

fn delete(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    let name = existing.physical_id;
    let delete = |tx: &mut Tx<'_>| bucket::delete_bucket(tx, name);
    gone_is_fine(asked(tx, caller, ("DeleteBucket", ""), name, delete))
}

/// A call on a bucket: the operation and the parameter of its query.
fn asked<A>(
    tx: &mut Tx<'_>,
    caller: &Caller,
    (operation, query): (&str, &str),
    bucket: &str,
    verb: impl FnOnce(&mut Tx<'_>) -> Result<A, ApiError>,
) -> Result<A, ApiError> {
    let asked = S3Call {
        operation,
        bucket,
        query,
        ..S3Call::default()
    };
    own::s3(tx, caller, asked, verb)
}

fn built(caller: &Caller, name: String) -> Built {
    let region = &caller.region;
    let attributes = [
        ("Arn", format!("arn:aws:s3:::{name}")),
        ("DomainName", format!("{name}.s3.amazonaws.com")),
        (
            "RegionalDomainName",
            format!("{name}.s3.{region}.amazonaws.com"),
        ),
        (
            "DualStackDomainName",
            format!("{name}.s3.dualstack.{region}.amazonaws.com"),
        ),
        (
            "WebsiteURL",
            format!("http://{name}.s3-website-{region}.amazonaws.com"),
        ),
    ];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), Value::from(value)));
    Built {
        physical_id: name,
        attributes: attributes.into_iter().collect(),
    }
}

/// Every configuration that differs from the old one.
fn configure(tx: &mut Tx<'_>, job: &Job<'_>, name: &str, old: &Properties) -> Result<(), ApiError> {
    if let Some(foreign) = job
        .properties
        .keys()
        .find(|it| !SERVED.contains(&it.as_str()))
    {
        return Err(not_served(&format!(
            "The property {foreign} of AWS::S3::Bucket"
        )));
    }
    for (property, step, put, delete, query) in STEPS {
        let new = job.properties.get(property);
        if new == old.get(property) {
            continue;
        }
        let operation = if new.is_some() { put } else { delete };
        asked(tx, job.caller, (operation, query), name, |tx| {
            step(tx, name, new)
        })?;
    }
    match job.text("AccessControl").as_deref() {
        None | Some("Private") => Ok(()),
        Some(other) => Err(not_served(&format!("AccessControl: {other}"))),
    }
}

type Configure = fn(&mut Tx<'_>, &str, Option<&Value>) -> Result<(), ApiError>;

/// Each configuration: its property, what changes it, the calls that put and delete it, and their query.
const STEPS: [(&str, Configure, &str, &str, &str); 6] = [
    (
        "VersioningConfiguration",
        versioning,
        "PutBucketVersioning",
        "PutBucketVersioning",
        "versioning",
    ),
    (
        "NotificationConfiguration",
        notification,
        "PutBucketNotificationConfiguration",
        "PutBucketNotificationConfiguration",
        "notification",
    ),
    (
        "Tags",
        tags,
        "PutBucketTagging",
        "DeleteBucketTagging",
        "tagging",
    ),
    (
        "BucketEncryption",
        encryption,
        "PutBucketEncryption",
        "DeleteBucketEncryption",
        "encryption",
    ),
    (
        "PublicAccessBlockConfiguration",
        public_access,
        "PutPublicAccessBlock",
        "DeletePublicAccessBlock",
        "publicAccessBlock",
    ),
    (
        "OwnershipControls",
        ownership,
        "PutBucketOwnershipControls",
        "DeleteBucketOwnershipControls",
        "ownershipControls",
    ),
];

fn only(value: &Value, names: &[&str], of: &str) -> Result<(), ApiError> {
    let entries = value.as_object().into_iter().flatten();
    match entries
        .map(|(name, _)| name)
        .find(|name| !names.contains(&name.as_str()))
    {
        None => Ok(()),
        Some(foreign) => Err(not_served(&format!("{of}.{foreign}"))),
    }
}

fn flag(value: Option<&Value>) -> bool {
    value.and_then(as_bool_loose).unwrap_or(false)
}

fn versioning(tx: &mut Tx<'_>, name: &str, wanted: Option<&Value>) -> Result<(), ApiError> {
    let status = wanted
        .and_then(|it| it.get("Status"))
        .and_then(as_string_loose);
    let versioning = match status.as_deref() {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") | None => Versioning::Suspended,
        Some(other) => {
            return Err(not_served(&format!(
                "VersioningConfiguration.Status {other}"
            )));
        }
    };
    let unversioned = bucket::bucket(tx, name)?.versioning == Versioning::Off;
    if unversioned && versioning == Versioning::Suspended {
        return Ok(());
    }
    bucket::put_versioning(tx, name, versioning)
}

fn notification(tx: &mut Tx<'_>, name: &str, wanted: Option<&Value>) -> Result<(), ApiError> {
    let Some(wanted) = wanted else {
        return bucket::put_event_bridge(tx, name, false);
    };
    only(
        wanted,
        &["EventBridgeConfiguration"],
        "NotificationConfiguration",
    )?;
    let on = wanted.get("EventBridgeConfiguration").is_some_and(|it| {
        it.get("EventBridgeEnabled")
            .is_none_or(|flag| as_bool_loose(flag).unwrap_or(false))
    });
    bucket::put_event_bridge(tx, name, on)
}

fn tags(tx: &mut Tx<'_>, name: &str, wanted: Option<&Value>) -> Result<(), ApiError> {
    let Some(wanted) = wanted else {
        return bucket::delete_config::<Tagging>(tx, name);
    };
    let properties = Properties::from_iter([("Tags".to_owned(), wanted.clone())]);
    let tags = super::tag_pairs(&properties);
    bucket::check_tags(&tags, landfall_core::limits::S3_BUCKET_TAGS_MAX)?;
    bucket::put_config(tx, name, &Tagging { tags })
}

fn encryption(tx: &mut Tx<'_>, name: &str, wanted: Option<&Value>) -> Result<(), ApiError> {
    let Some(wanted) = wanted else {
        return bucket::delete_config::<Encryption>(tx, name);
    };
    let rule = wanted.pointer("/ServerSideEncryptionConfiguration/0");
    let standard = rule.and_then(|it| it.get("ServerSideEncryptionByDefault"));
    let text = |member: &str| {
        standard
            .and_then(|it| it.get(member))
            .and_then(as_string_loose)
    };
    let Some(algorithm) = text("SSEAlgorithm") else {
        return Err(not_served("BucketEncryption without SSEAlgorithm"));
    };
    let encryption = Encryption {
        algorithm,
        kms_key_id: text("KMSMasterKeyID"),
        bucket_key: rule
            .and_then(|it| it.get("BucketKeyEnabled"))
            .and_then(as_bool_loose),
    };
    bucket::put_config(tx, name, &encryption)
}

fn public_access(tx: &mut Tx<'_>, name: &str, wanted: Option<&Value>) -> Result<(), ApiError> {
    let Some(wanted) = wanted else {
        return bucket::delete_config::<PublicAccessBlock>(tx, name);
    };
    let names = [
        "BlockPublicAcls",
        "IgnorePublicAcls",
        "BlockPublicPolicy",
        "RestrictPublicBuckets",
    ];
    only(wanted, &names, "PublicAccessBlockConfiguration")?;
    let block = PublicAccessBlock {
        block_public_acls: flag(wanted.get("BlockPublicAcls")),
        ignore_public_acls: flag(wanted.get("IgnorePublicAcls")),
        block_public_policy: flag(wanted.get("BlockPublicPolicy")),
        restrict_public_buckets: flag(wanted.get("RestrictPublicBuckets")),
    };
    bucket::put_config(tx, name, &block)
}

fn make_policy(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let name = job.required("Bucket")?;
    if bucket::config::<Policy>(tx, &name).is_ok() {
        return Err(already_exists(&format!("The bucket policy of {name}")));
    }
    put_policy(tx, job, name)
}

fn change_policy(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    existing: &Existing<'_>,
) -> Result<Built, ApiError> {
    put_policy(tx, job, existing.physical_id.to_owned())
}

fn put_policy(tx: &mut Tx<'_>, job: &Job<'_>, name: String) -> Result<Built, ApiError> {
    let text = document(job.properties.get("PolicyDocument")).unwrap_or_default();
    let policy = Policy::parse(text)?;
    asked(tx, job.caller, ("PutBucketPolicy", "policy"), &name, |tx| {
        bucket::put_config(tx, &name, &policy)
    })?;
    Ok(Built {
        physical_id: name,
        attributes: Properties::new(),
    })
}

fn delete_policy(
    tx: &mut Tx<'_>,
    caller: &Caller,
    existing: &Existing<'_>,
) -> Result<(), ApiError> {
    let name = existing.physical_id;
    let delete = |tx: &mut Tx<'_>| bucket::delete_config::<Policy>(tx, name);
    let operation = ("DeleteBucketPolicy", "policy");
    gone_is_fine(asked(tx, caller, operation, name, delete))
}

fn ownership(tx: &mut Tx<'_>, name: &str, wanted: Option<&Value>) -> Result<(), ApiError> {
    let rule = wanted.and_then(|it| it.pointer("/Rules/0/ObjectOwnership"));
    match rule.and_then(as_string_loose) {
        None => bucket::delete_config::<Ownership>(tx, name),
        Some(rule) => bucket::put_config(tx, name, &Ownership { rule }),
    }
}
