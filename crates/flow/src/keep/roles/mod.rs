//! IAM roles and policies, and the sessions that STS hands out. They exist so that templates and tools that create
//! and name them work; Landfall never evaluates an IAM policy.

mod attached;
mod document;
mod inline;
mod paging;
mod policy;
mod role;
pub(crate) mod sessions;
#[cfg(test)]
mod tests;
pub mod token;

pub use attached::{attach_role_policy, detach_role_policy, list_attached_role_policies};
pub use inline::{delete_role_policy, get_role_policy, list_role_policies, put_role_policy};
use landfall_core::error::ApiError;
use landfall_core::ids::Ids;
pub use policy::{
    create_policy, delete_policy, get_policy, get_policy_version, list_policies,
    list_policy_versions,
};
pub use role::{
    create_role, delete_role, get_role, list_instance_profiles_for_role, list_role_tags,
    list_roles, tag_role, untag_role, update_assume_role_policy, update_role,
};
pub use sessions::{assume_role, get_caller_identity, get_session_token};

const ID_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ID_CHARS: usize = 17;

/// An id such as `AROA…`: 21 characters.
fn new_id(ids: &dyn Ids, prefix: &str) -> String {
    format!("{prefix}{}", ids.text(ID_CHARS, ID_ALPHABET))
}

fn no_such_entity(message: impl Into<String>) -> ApiError {
    ApiError::with_status("NoSuchEntity", 404, message)
}

fn already_exists(message: impl Into<String>) -> ApiError {
    ApiError::with_status("EntityAlreadyExists", 409, message)
}

fn delete_conflict(message: impl Into<String>) -> ApiError {
    ApiError::with_status("DeleteConflict", 409, message)
}
