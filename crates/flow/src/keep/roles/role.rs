//! Roles as the API knows them. Never decides whether a role may do a thing.

use std::collections::BTreeMap;

use landfall_core::api::generated::iam as api;
use landfall_core::arn::arn;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};

use super::{already_exists, delete_conflict, document, new_id, no_such_entity, paging};
use crate::keep::tags;
use crate::key::Key;
use crate::tx::{Reader, Tx};

const SESSION_SECONDS_DEFAULT: i32 = 3_600;

/// A role with the policies that it holds or names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Role {
    /// As given; unique in the account without regard to case.
    pub(super) name: String,
    /// Begins and ends with `/`.
    pub(super) path: String,
    /// `AROA…`.
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) created: Timestamp,
    /// The trust policy as it was put.
    pub(super) trust: String,
    pub(super) description: Option<String>,
    pub(super) session_seconds_max: i32,
    pub(super) boundary: Option<String>,
    /// Inline policies: name and document.
    pub(super) inline: BTreeMap<String, String>,
    /// ARNs in the order they were attached.
    pub(super) attached: Vec<String>,
}
crate::record!(Role in Control);

fn prefix(account: &str) -> Key {
    Key::new("iam-role").part(account)
}

fn key(account: &str, name: &str) -> Key {
    prefix(account).part(name.to_ascii_lowercase())
}

/// All roles of the caller's account, by name.
pub(super) fn all(db: &impl Reader, caller: &Caller) -> Result<Vec<Role>, ApiError> {
    db.all(&prefix(&caller.account))
}

/// The role, or AWS's error when there is none.
pub(super) fn find(
    db: &impl Reader,
    caller: &Caller,
    name: Option<&str>,
) -> Result<Role, ApiError> {
    let name = name.unwrap_or_default();
    db.get(&key(&caller.account, name))?
        .ok_or_else(|| no_such_entity(format!("The role with name {name} cannot be found.")))
}

/// Writes a role.
pub(super) fn store(tx: &mut Tx<'_>, caller: &Caller, role: &Role) -> Result<(), ApiError> {
    tx.put(&key(&caller.account, &role.name), role)
}

/// `CreateRole`.
pub fn create_role(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::CreateRoleRequest,
) -> Result<api::CreateRoleResponse, ApiError> {
    let name = request.role_name.unwrap_or_default();
    let trust = request.assume_role_policy_document.unwrap_or_default();
    document::check(&trust)?;
    if tx.has::<Role>(&key(&caller.account, &name))? {
        return Err(already_exists(format!(
            "Role with name {name} already exists."
        )));
    }
    let path = request.path.unwrap_or_else(|| "/".to_owned());
    let role = Role {
        id: new_id(tx.ids(), "AROA"),
        arn: arn("iam", "", &caller.account, format!("role{path}{name}")),
        created: tx.now(),
        trust,
        description: request.description,
        session_seconds_max: request
            .max_session_duration
            .unwrap_or(SESSION_SECONDS_DEFAULT),
        boundary: request.permissions_boundary,
        inline: BTreeMap::new(),
        attached: Vec::new(),
        name,
        path,
    };
    store(tx, caller, &role)?;
    tags::add(tx, &role.arn, tags::pairs(request.tags))?;
    let role = Some(answer(tx, role)?);
    Ok(api::CreateRoleResponse { role })
}

/// `DeleteRole`: a role that still has policies stays.
pub fn delete_role(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::DeleteRoleRequest,
) -> Result<(), ApiError> {
    let role = find(tx, caller, request.role_name.as_deref())?;
    if !role.attached.is_empty() {
        return Err(delete_conflict(
            "Cannot delete entity, must detach all policies first.",
        ));
    }
    if !role.inline.is_empty() {
        return Err(delete_conflict(
            "Cannot delete entity, must delete policies first.",
        ));
    }
    tags::clear(tx, &role.arn);
    tx.delete::<Role>(&key(&caller.account, &role.name));
    Ok(())
}

/// `GetRole`.
pub fn get_role(
    db: &impl Reader,
    caller: &Caller,
    request: api::GetRoleRequest,
) -> Result<api::GetRoleResponse, ApiError> {
    let role = find(db, caller, request.role_name.as_deref())?;
    let role = Some(answer(db, role)?);
    Ok(api::GetRoleResponse { role })
}

/// `ListRoles`.
pub fn list_roles(
    db: &impl Reader,
    caller: &Caller,
    request: api::ListRolesRequest,
) -> Result<api::ListRolesResponse, ApiError> {
    let mut roles = all(db, caller)?;
    let begin = request.path_prefix.as_deref().unwrap_or("/");
    roles.retain(|role| role.path.starts_with(begin));
    let page = paging::cut(roles, request.marker.as_deref(), request.max_items)?;
    // A listing leaves out what only GetRole tells.
    let listed = |role| api::Role {
        tags: None,
        permissions_boundary: None,
        role_last_used: None,
        ..without_tags(role)
    };
    Ok(api::ListRolesResponse {
        roles: Some(page.items.into_iter().map(listed).collect()),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

/// `UpdateRole`: what is not given stays.
pub fn update_role(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::UpdateRoleRequest,
) -> Result<api::UpdateRoleResponse, ApiError> {
    let mut role = find(tx, caller, request.role_name.as_deref())?;
    role.description = request.description.or(role.description);
    role.session_seconds_max = request
        .max_session_duration
        .unwrap_or(role.session_seconds_max);
    store(tx, caller, &role)?;
    Ok(api::UpdateRoleResponse {})
}

/// `UpdateAssumeRolePolicy`.
pub fn update_assume_role_policy(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::UpdateAssumeRolePolicyRequest,
) -> Result<(), ApiError> {
    let mut role = find(tx, caller, request.role_name.as_deref())?;
    role.trust = request.policy_document.unwrap_or_default();
    document::check(&role.trust)?;
    store(tx, caller, &role)
}

/// `TagRole`.
pub fn tag_role(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::TagRoleRequest,
) -> Result<(), ApiError> {
    let role = find(tx, caller, request.role_name.as_deref())?;
    tags::add(tx, &role.arn, tags::pairs(request.tags))
}

/// `UntagRole`.
pub fn untag_role(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::UntagRoleRequest,
) -> Result<(), ApiError> {
    let role = find(tx, caller, request.role_name.as_deref())?;
    tags::remove(tx, &role.arn, &request.tag_keys.unwrap_or_default())
}

/// `ListRoleTags`.
pub fn list_role_tags(
    db: &impl Reader,
    caller: &Caller,
    request: api::ListRoleTagsRequest,
) -> Result<api::ListRoleTagsResponse, ApiError> {
    let role = find(db, caller, request.role_name.as_deref())?;
    let tags = tags::shown(tags::of(db, &role.arn)?.0);
    let page = paging::cut(tags, request.marker.as_deref(), request.max_items)?;
    Ok(api::ListRoleTagsResponse {
        tags: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

/// `ListInstanceProfilesForRole`: always empty, for there are no instances.
pub fn list_instance_profiles_for_role(
    db: &impl Reader,
    caller: &Caller,
    request: api::ListInstanceProfilesForRoleRequest,
) -> Result<api::ListInstanceProfilesForRoleResponse, ApiError> {
    find(db, caller, request.role_name.as_deref())?;
    Ok(api::ListInstanceProfilesForRoleResponse {
        instance_profiles: Some(Vec::new()),
        is_truncated: Some(false),
        marker: None,
    })
}

fn answer(db: &impl Reader, role: Role) -> Result<api::Role, ApiError> {
    let tags = tags::shown(tags::of(db, &role.arn)?.0);
    Ok(api::Role {
        tags: (!tags.is_empty()).then_some(tags),
        ..without_tags(role)
    })
}

fn without_tags(role: Role) -> api::Role {
    let boundary = |arn| api::AttachedPermissionsBoundary {
        permissions_boundary_type: Some("Policy".to_owned()),
        permissions_boundary_arn: Some(arn),
    };
    api::Role {
        path: Some(role.path),
        role_name: Some(role.name),
        role_id: Some(role.id),
        arn: Some(role.arn),
        create_date: Some(role.created.into()),
        assume_role_policy_document: Some(document::encoded(&role.trust)),
        description: role.description,
        max_session_duration: Some(role.session_seconds_max),
        permissions_boundary: role.boundary.map(boundary),
        tags: None,
        role_last_used: Some(api::RoleLastUsed::default()),
    }
}
