//! Policies written into a role. Never evaluated.

use landfall_core::api::generated::iam as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;

use super::role::{find, store};
use super::{document, no_such_entity, paging};
use crate::tx::{Reader, Tx};

/// `PutRolePolicy`: writes or replaces.
pub fn put_role_policy(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::PutRolePolicyRequest,
) -> Result<(), ApiError> {
    let mut role = find(tx, caller, request.role_name.as_deref())?;
    let document = request.policy_document.unwrap_or_default();
    document::check(&document)?;
    role.inline
        .insert(request.policy_name.unwrap_or_default(), document);
    store(tx, caller, &role)
}

/// `GetRolePolicy`.
pub fn get_role_policy(
    db: &impl Reader,
    caller: &Caller,
    request: api::GetRolePolicyRequest,
) -> Result<api::GetRolePolicyResponse, ApiError> {
    let role = find(db, caller, request.role_name.as_deref())?;
    let name = request.policy_name.unwrap_or_default();
    let document = role.inline.get(&name).ok_or_else(|| missing(&name))?;
    Ok(api::GetRolePolicyResponse {
        policy_document: Some(document::encoded(document)),
        role_name: Some(role.name),
        policy_name: Some(name),
    })
}

/// `DeleteRolePolicy`.
pub fn delete_role_policy(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::DeleteRolePolicyRequest,
) -> Result<(), ApiError> {
    let mut role = find(tx, caller, request.role_name.as_deref())?;
    let name = request.policy_name.unwrap_or_default();
    role.inline.remove(&name).ok_or_else(|| missing(&name))?;
    store(tx, caller, &role)
}

/// `ListRolePolicies`.
pub fn list_role_policies(
    db: &impl Reader,
    caller: &Caller,
    request: api::ListRolePoliciesRequest,
) -> Result<api::ListRolePoliciesResponse, ApiError> {
    let role = find(db, caller, request.role_name.as_deref())?;
    let names = role.inline.into_keys().collect();
    let page = paging::cut(names, request.marker.as_deref(), request.max_items)?;
    Ok(api::ListRolePoliciesResponse {
        policy_names: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

fn missing(name: &str) -> ApiError {
    no_such_entity(format!("The role policy with name {name} cannot be found."))
}
