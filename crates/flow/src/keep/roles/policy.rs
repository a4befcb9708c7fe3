//! Managed policies: the account's own, with their one version `v1`, and AWS's, which are known by the form of their
//! ARN only. Never holds the document of a policy of AWS.

use landfall_core::api::generated::iam as api;
use landfall_core::arn::{Arn, arn};
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{already_exists, delete_conflict, document, new_id, no_such_entity, paging, role};
use crate::keep::tags;
use crate::key::Key;
use crate::tx::{Reader, Tx};

const VERSION: &str = "v1";

/// A managed policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Policy {
    name: String,
    path: String,
    id: String,
    arn: String,
    created: Timestamp,
    description: Option<String>,
    /// `None` for a policy of AWS.
    document: Option<String>,
}
crate::record!(Policy in Control);

fn prefix(account: &str) -> Key {
    Key::new("iam-policy").part(account)
}

fn key(account: &str, name: &str) -> Key {
    prefix(account).part(name.to_ascii_lowercase())
}

/// Path and name in the ARN of a policy.
pub(super) fn path_and_name(arn: &str) -> (&str, &str) {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let whole = resource.strip_prefix("policy").unwrap_or_default();
    match whole.rfind('/') {
        Some(at) => whole.split_at(at + 1),
        None => ("/", whole),
    }
}

/// The policy behind an ARN: the account's own, or one of AWS by the form of its ARN.
pub(super) fn lookup(
    db: &impl Reader,
    caller: &Caller,
    arn: &str,
) -> Result<Option<Policy>, ApiError> {
    let (path, name) = path_and_name(arn);
    let parsed = Arn::parse(arn).filter(|a| a.service == "iam" && a.region.is_empty());
    match parsed.map(|a| a.account) {
        Some("aws") if !name.is_empty() => Ok(Some(of_aws(arn, path, name))),
        Some(account) if account == caller.account => {
            let policy = db.get::<Policy>(&key(account, name))?;
            Ok(policy.filter(|p| p.arn == arn))
        }
        _ => Ok(None),
    }
}

fn of_aws(arn: &str, path: &str, name: &str) -> Policy {
    let hash = hex::encode_upper(Sha256::digest(arn));
    Policy {
        name: name.to_owned(),
        path: path.to_owned(),
        id: format!("ANPA{}", hash.get(..17).unwrap_or_default()),
        arn: arn.to_owned(),
        created: Timestamp::default(),
        description: None,
        document: None,
    }
}

fn find(db: &impl Reader, caller: &Caller, arn: Option<&str>) -> Result<Policy, ApiError> {
    let arn = arn.unwrap_or_default();
    lookup(db, caller, arn)?.ok_or_else(|| no_such_entity(format!("Policy {arn} was not found.")))
}

/// `CreatePolicy`.
pub fn create_policy(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::CreatePolicyRequest,
) -> Result<api::CreatePolicyResponse, ApiError> {
    let name = request.policy_name.unwrap_or_default();
    let document = request.policy_document.unwrap_or_default();
    document::check(&document)?;
    let key = key(&caller.account, &name);
    if tx.has::<Policy>(&key)? {
        return Err(already_exists(format!(
            "A policy called {name} already exists. Duplicate names are not allowed."
        )));
    }
    let path = request.path.unwrap_or_else(|| "/".to_owned());
    let policy = Policy {
        id: new_id(tx.ids(), "ANPA"),
        arn: arn("iam", "", &caller.account, format!("policy{path}{name}")),
        created: tx.now(),
        description: request.description,
        document: Some(document),
        name,
        path,
    };
    tx.put(&key, &policy)?;
    tags::add(tx, &policy.arn, tags::pairs(request.tags))?;
    let policy = Some(answer(tx, caller, policy)?);
    Ok(api::CreatePolicyResponse { policy })
}

/// `DeletePolicy`: one that a role names stays.
pub fn delete_policy(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::DeletePolicyRequest,
) -> Result<(), ApiError> {
    let policy = find(tx, caller, request.policy_arn.as_deref())?;
    if policy.document.is_none() {
        return Err(ApiError::with_status(
            "AccessDenied",
            403,
            "Policies of AWS cannot be deleted.",
        ));
    }
    if attachments(tx, caller, &policy.arn)? > 0 {
        return Err(delete_conflict(
            "Cannot delete a policy attached to entities.",
        ));
    }
    tags::clear(tx, &policy.arn);
    tx.delete::<Policy>(&key(&caller.account, &policy.name));
    Ok(())
}

/// `GetPolicy`.
pub fn get_policy(
    db: &impl Reader,
    caller: &Caller,
    request: api::GetPolicyRequest,
) -> Result<api::GetPolicyResponse, ApiError> {
    let policy = find(db, caller, request.policy_arn.as_deref())?;
    let policy = Some(answer(db, caller, policy)?);
    Ok(api::GetPolicyResponse { policy })
}

/// `GetPolicyVersion`.
pub fn get_policy_version(
    db: &impl Reader,
    caller: &Caller,
    request: api::GetPolicyVersionRequest,
) -> Result<api::GetPolicyVersionResponse, ApiError> {
    let policy = find(db, caller, request.policy_arn.as_deref())?;
    let version = request.version_id.unwrap_or_default();
    if version != VERSION {
        return Err(no_such_entity(format!(
            "Policy {} version {version} does not exist or is not attachable.",
            policy.arn
        )));
    }
    let Some(document) = &policy.document else {
        return Err(ApiError::not_implemented(
            "Landfall does not hold the documents of the policies of AWS.",
        ));
    };
    let policy_version = Some(api::PolicyVersion {
        document: Some(document::encoded(document)),
        ..version_of(&policy)
    });
    Ok(api::GetPolicyVersionResponse { policy_version })
}

/// `ListPolicyVersions`: a policy has exactly one.
pub fn list_policy_versions(
    db: &impl Reader,
    caller: &Caller,
    request: api::ListPolicyVersionsRequest,
) -> Result<api::ListPolicyVersionsResponse, ApiError> {
    let policy = find(db, caller, request.policy_arn.as_deref())?;
    let versions = vec![version_of(&policy)];
    let page = paging::cut(versions, request.marker.as_deref(), request.max_items)?;
    Ok(api::ListPolicyVersionsResponse {
        versions: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

/// `ListPolicies`: the account's own, and of AWS's those that a role names.
pub fn list_policies(
    db: &impl Reader,
    caller: &Caller,
    request: api::ListPoliciesRequest,
) -> Result<api::ListPoliciesResponse, ApiError> {
    let scope = request.scope.as_deref().unwrap_or("All");
    let mut policies = match scope {
        "AWS" => Vec::new(),
        _ => db.all::<Policy>(&prefix(&caller.account))?,
    };
    if scope != "Local" {
        policies.extend(named_of_aws(db, caller)?);
    }
    let begin = request.path_prefix.as_deref().unwrap_or("/");
    policies.retain(|p| p.path.starts_with(begin));
    let listed = |policy| answer(db, caller, policy);
    let mut answers = policies
        .into_iter()
        .map(listed)
        .collect::<Result<Vec<_>, _>>()?;
    if request.only_attached == Some(true) {
        answers.retain(|p| p.attachment_count > Some(0));
    }
    let page = paging::cut(answers, request.marker.as_deref(), request.max_items)?;
    Ok(api::ListPoliciesResponse {
        policies: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

fn named_of_aws(db: &impl Reader, caller: &Caller) -> Result<Vec<Policy>, ApiError> {
    let roles = role::all(db, caller)?;
    let mut arns: Vec<String> = roles.into_iter().flat_map(|r| r.attached).collect();
    arns.sort();
    arns.dedup();
    let mut found = Vec::new();
    for arn in arns {
        found.extend(lookup(db, caller, &arn)?.filter(|p| p.document.is_none()));
    }
    Ok(found)
}

fn attachments(db: &impl Reader, caller: &Caller, arn: &str) -> Result<usize, ApiError> {
    let roles = role::all(db, caller)?;
    let names = |r: &&role::Role| r.attached.iter().any(|attached| attached == arn);
    Ok(roles.iter().filter(names).count())
}

fn version_of(policy: &Policy) -> api::PolicyVersion {
    api::PolicyVersion {
        document: None,
        version_id: Some(VERSION.to_owned()),
        is_default_version: Some(true),
        create_date: Some(policy.created.into()),
    }
}

fn answer(db: &impl Reader, caller: &Caller, policy: Policy) -> Result<api::Policy, ApiError> {
    let attached = attachments(db, caller, &policy.arn)?;
    let bounded = role::all(db, caller)?;
    let bounded = bounded
        .iter()
        .filter(|r| r.boundary.as_ref() == Some(&policy.arn))
        .count();
    let tags = tags::shown(tags::of(db, &policy.arn)?.0);
    Ok(api::Policy {
        policy_name: Some(policy.name),
        policy_id: Some(policy.id),
        arn: Some(policy.arn),
        path: Some(policy.path),
        default_version_id: Some(VERSION.to_owned()),
        attachment_count: i32::try_from(attached).ok(),
        permissions_boundary_usage_count: i32::try_from(bounded).ok(),
        is_attachable: Some(true),
        description: policy.description,
        create_date: Some(policy.created.into()),
        update_date: Some(policy.created.into()),
        tags: (!tags.is_empty()).then_some(tags),
    })
}
