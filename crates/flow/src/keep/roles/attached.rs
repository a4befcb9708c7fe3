//! Managed policies that a role names. Never evaluated.

use landfall_core::api::generated::iam as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;

use super::role::{find, store};
use super::{no_such_entity, paging, policy};
use crate::tx::{Reader, Tx};

/// `AttachRolePolicy`: attaching twice is no error.
pub fn attach_role_policy(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::AttachRolePolicyRequest,
) -> Result<(), ApiError> {
    let mut role = find(tx, caller, request.role_name.as_deref())?;
    let arn = request.policy_arn.unwrap_or_default();
    if policy::lookup(tx, caller, &arn)?.is_none() {
        return Err(no_such_entity(format!(
            "Policy {arn} does not exist or is not attachable."
        )));
    }
    if role.attached.contains(&arn) {
        return Ok(());
    }
    role.attached.push(arn);
    store(tx, caller, &role)
}

/// `DetachRolePolicy`.
pub fn detach_role_policy(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::DetachRolePolicyRequest,
) -> Result<(), ApiError> {
    let mut role = find(tx, caller, request.role_name.as_deref())?;
    let arn = request.policy_arn.unwrap_or_default();
    let before = role.attached.len();
    role.attached.retain(|attached| *attached != arn);
    if role.attached.len() == before {
        return Err(no_such_entity(format!("Policy {arn} was not found.")));
    }
    store(tx, caller, &role)
}

/// `ListAttachedRolePolicies`.
pub fn list_attached_role_policies(
    db: &impl Reader,
    caller: &Caller,
    request: api::ListAttachedRolePoliciesRequest,
) -> Result<api::ListAttachedRolePoliciesResponse, ApiError> {
    let role = find(db, caller, request.role_name.as_deref())?;
    let begin = request.path_prefix.as_deref().unwrap_or("/");
    let listed = |arn: String| {
        let (path, name) = policy::path_and_name(&arn);
        path.starts_with(begin).then(|| api::AttachedPolicy {
            policy_name: Some(name.to_owned()),
            policy_arn: Some(arn.clone()),
        })
    };
    let policies = role.attached.into_iter().filter_map(listed).collect();
    let page = paging::cut(policies, request.marker.as_deref(), request.max_items)?;
    Ok(api::ListAttachedRolePoliciesResponse {
        attached_policies: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}
