//! AWS IAM: roles and policies. Never evaluates a policy: nothing in Landfall does.

use landfall_core::api::generated::iam as api;
use landfall_flow::Flow;
use landfall_flow::keep::roles;

/// The service.
pub struct Iam(pub Flow);

crate::service! {
    impl Iam for api::SERVICE {
        AttachRolePolicy => attach_role_policy,
        CreatePolicy => create_policy,
        CreateRole => create_role,
        DeletePolicy => delete_policy,
        DeleteRole => delete_role,
        DeleteRolePolicy => delete_role_policy,
        DetachRolePolicy => detach_role_policy,
        GetPolicy => get_policy,
        GetPolicyVersion => get_policy_version,
        GetRole => get_role,
        GetRolePolicy => get_role_policy,
        ListAttachedRolePolicies => list_attached_role_policies,
        ListInstanceProfilesForRole => list_instance_profiles_for_role,
        ListPolicies => list_policies,
        ListPolicyVersions => list_policy_versions,
        ListRolePolicies => list_role_policies,
        ListRoleTags => list_role_tags,
        ListRoles => list_roles,
        PutRolePolicy => put_role_policy,
        TagRole => tag_role,
        UntagRole => untag_role,
        UpdateAssumeRolePolicy => update_assume_role_policy,
        UpdateRole => update_role,
    }
}

crate::verbs! { Iam {
    write attach_role_policy(api::AttachRolePolicyRequest) -> () =
        |tx, caller, r| roles::attach_role_policy(tx, caller, r);
    write create_policy(api::CreatePolicyRequest) -> api::CreatePolicyResponse =
        |tx, caller, r| roles::create_policy(tx, caller, r);
    write create_role(api::CreateRoleRequest) -> api::CreateRoleResponse =
        |tx, caller, r| roles::create_role(tx, caller, r);
    write delete_policy(api::DeletePolicyRequest) -> () =
        |tx, caller, r| roles::delete_policy(tx, caller, r);
    write delete_role(api::DeleteRoleRequest) -> () =
        |tx, caller, r| roles::delete_role(tx, caller, r);
    write delete_role_policy(api::DeleteRolePolicyRequest) -> () =
        |tx, caller, r| roles::delete_role_policy(tx, caller, r);
    write detach_role_policy(api::DetachRolePolicyRequest) -> () =
        |tx, caller, r| roles::detach_role_policy(tx, caller, r);
    read get_policy(api::GetPolicyRequest) -> api::GetPolicyResponse =
        |db, caller, r| roles::get_policy(db, caller, r.clone());
    read get_policy_version(api::GetPolicyVersionRequest) -> api::GetPolicyVersionResponse =
        |db, caller, r| roles::get_policy_version(db, caller, r.clone());
    read get_role(api::GetRoleRequest) -> api::GetRoleResponse =
        |db, caller, r| roles::get_role(db, caller, r.clone());
    read get_role_policy(api::GetRolePolicyRequest) -> api::GetRolePolicyResponse =
        |db, caller, r| roles::get_role_policy(db, caller, r.clone());
    read list_attached_role_policies(api::ListAttachedRolePoliciesRequest) -> api::ListAttachedRolePoliciesResponse =
        |db, caller, r| roles::list_attached_role_policies(db, caller, r.clone());
    read list_instance_profiles_for_role(api::ListInstanceProfilesForRoleRequest) -> api::ListInstanceProfilesForRoleResponse =
        |db, caller, r| roles::list_instance_profiles_for_role(db, caller, r.clone());
    read list_policies(api::ListPoliciesRequest) -> api::ListPoliciesResponse =
        |db, caller, r| roles::list_policies(db, caller, r.clone());
    read list_policy_versions(api::ListPolicyVersionsRequest) -> api::ListPolicyVersionsResponse =
        |db, caller, r| roles::list_policy_versions(db, caller, r.clone());
    read list_role_policies(api::ListRolePoliciesRequest) -> api::ListRolePoliciesResponse =
        |db, caller, r| roles::list_role_policies(db, caller, r.clone());
    read list_role_tags(api::ListRoleTagsRequest) -> api::ListRoleTagsResponse =
        |db, caller, r| roles::list_role_tags(db, caller, r.clone());
    read list_roles(api::ListRolesRequest) -> api::ListRolesResponse =
        |db, caller, r| roles::list_roles(db, caller, r.clone());
    write put_role_policy(api::PutRolePolicyRequest) -> () =
        |tx, caller, r| roles::put_role_policy(tx, caller, r);
    write tag_role(api::TagRoleRequest) -> () =
        |tx, caller, r| roles::tag_role(tx, caller, r);
    write untag_role(api::UntagRoleRequest) -> () =
        |tx, caller, r| roles::untag_role(tx, caller, r);
    write update_assume_role_policy(api::UpdateAssumeRolePolicyRequest) -> () =
        |tx, caller, r| roles::update_assume_role_policy(tx, caller, r);
    write update_role(api::UpdateRoleRequest) -> api::UpdateRoleResponse =
        |tx, caller, r| roles::update_role(tx, caller, r);
}}
