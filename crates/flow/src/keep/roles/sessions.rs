//! STS: who the caller is, and credentials of sessions. Sessions leave no trace in the store: the access key id itself
//! carries the account (see [`landfall_core::caller::account_of`]). Never asks a trust policy, for Landfall evaluates no
//! IAM policy; a role need not even exist.

use landfall_core::api::generated::sts as api;
use landfall_core::arn::{Arn, arn};
use landfall_core::caller::{Caller, session_key_id};
use landfall_core::error::ApiError;
use landfall_core::ids::Ids;
use sha2::{Digest, Sha256};

use super::{ID_ALPHABET, role};
use crate::tx::{Reader, Tx};

const ROLE_SESSION_SECONDS_DEFAULT: i32 = 3_600;
const USER_SESSION_SECONDS_DEFAULT: i32 = 43_200;
const SECRET_CHARS: usize = 40;
const TOKEN_CHARS: usize = 356;
const BASE64_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `GetCallerIdentity`: the account's root user, for Landfall keeps no users.
pub fn get_caller_identity(
    _db: &impl Reader,
    caller: &Caller,
    _request: api::GetCallerIdentityRequest,
) -> Result<api::GetCallerIdentityResponse, ApiError> {
    Ok(api::GetCallerIdentityResponse {
        user_id: Some(caller.account.clone()),
        account: Some(caller.account.clone()),
        arn: Some(arn("iam", "", &caller.account, "root")),
    })
}

/// `AssumeRole`: credentials for the account in the role's ARN.
pub fn assume_role(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::AssumeRoleRequest,
) -> Result<api::AssumeRoleResponse, ApiError> {
    let role_arn = request.role_arn.unwrap_or_default();
    let invalid = || ApiError::client("ValidationError", format!("{role_arn} is invalid"));
    let parsed = Arn::parse(&role_arn).ok_or_else(invalid)?;
    let name = match parsed.resource.strip_prefix("role/") {
        Some(path) if parsed.service == "iam" => path.rsplit('/').next().unwrap_or(path),
        _ => return Err(invalid()),
    };
    let owner = Caller {
        account: parsed.account.to_owned(),
        ..caller.clone()
    };
    let role_id = match role::find(tx, &owner, Some(name)) {
        Ok(role) => role.id,
        Err(error) if error.status == 404 => derived_role_id(&role_arn),
        Err(error) => return Err(error),
    };
    let session = request.role_session_name.unwrap_or_default();
    let user = api::AssumedRoleUser {
        assumed_role_id: Some(format!("{role_id}:{session}")),
        arn: Some(arn(
            "sts",
            "",
            parsed.account,
            format!("assumed-role/{name}/{session}"),
        )),
    };
    let seconds = request
        .duration_seconds
        .unwrap_or(ROLE_SESSION_SECONDS_DEFAULT);
    Ok(api::AssumeRoleResponse {
        credentials: Some(credentials(tx, parsed.account, seconds)),
        assumed_role_user: Some(user),
        packed_policy_size: request.policy.map(|_| 1),
        source_identity: request.source_identity,
    })
}

/// `GetSessionToken`: credentials for the caller's own account.
pub fn get_session_token(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::GetSessionTokenRequest,
) -> Result<api::GetSessionTokenResponse, ApiError> {
    let seconds = request
        .duration_seconds
        .unwrap_or(USER_SESSION_SECONDS_DEFAULT);
    Ok(api::GetSessionTokenResponse {
        credentials: Some(credentials(tx, &caller.account, seconds)),
    })
}

fn credentials(tx: &Tx<'_>, account: &str, seconds: i32) -> api::Credentials {
    let ids: &dyn Ids = tx.ids();
    let expiration = tx.now().plus_millis(i64::from(seconds) * 1_000);
    api::Credentials {
        access_key_id: Some(session_key_id(account, &ids.text(4, ID_ALPHABET))),
        secret_access_key: Some(ids.text(SECRET_CHARS, BASE64_ALPHABET)),
        session_token: Some(ids.text(TOKEN_CHARS, BASE64_ALPHABET)),
        expiration: Some(expiration.into()),
    }
}

fn derived_role_id(role_arn: &str) -> String {
    let hash = hex::encode_upper(Sha256::digest(role_arn));
    format!("AROA{}", hash.get(..17).unwrap_or_default())
}
