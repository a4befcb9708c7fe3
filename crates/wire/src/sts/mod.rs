//! AWS STS. A session's access key id carries its account, so no session is kept. Never checks a trust policy.

use landfall_core::api::generated::sts as api;
use landfall_flow::Flow;
use landfall_flow::keep::roles;

/// The service.
pub struct Sts(pub Flow);

crate::service! {
    impl Sts for api::SERVICE {
        AssumeRole => assume_role,
        GetCallerIdentity => get_caller_identity,
        GetSessionToken => get_session_token,
    }
}

crate::verbs! { Sts {
    write assume_role(api::AssumeRoleRequest) -> api::AssumeRoleResponse =
        |tx, caller, r| roles::assume_role(tx, caller, r);
    read get_caller_identity(api::GetCallerIdentityRequest) -> api::GetCallerIdentityResponse =
        |db, caller, r| roles::get_caller_identity(db, caller, r.clone());
    write get_session_token(api::GetSessionTokenRequest) -> api::GetSessionTokenResponse =
        |tx, caller, r| roles::get_session_token(tx, caller, r);
}}
