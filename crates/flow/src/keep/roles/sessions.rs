//! STS: who the caller is, and credentials of sessions. Sessions leave no trace in the store: see `token.rs`. The access
//! key id itself carries the account (see [`landfall_core::caller::account_of`]). Never asks a trust policy, for Landfall
//! evaluates no IAM policy; a role need not even exist.

use landfall_core::api::generated::sts as api;
use landfall_core::arn::{Arn, arn};
use landfall_core::caller::{Caller, Identity, RoleSession, session_key_id};
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use sha2::{Digest, Sha256};

use super::token::{self, Minted, Session};
use super::{ID_ALPHABET, role};
use crate::drive::Flow;
use crate::tx::{Reader, Tx};

const ROLE_SESSION_SECONDS_DEFAULT: i32 = 3_600;
const USER_SESSION_SECONDS_DEFAULT: i32 = 43_200;
/// Characters of a session's access key id that are its own.
const OWN_CHARS: usize = 4;

/// `GetCallerIdentity`: the role's session, or the account's root user, for Landfall keeps no users.
pub fn get_caller_identity(
    _db: &impl Reader,
    caller: &Caller,
    _request: api::GetCallerIdentityRequest,
) -> Result<api::GetCallerIdentityResponse, ApiError> {
    let (user_id, account, arn) = match &caller.identity {
        Identity::Role(session) => (
            session.principal_id(),
            session.account().to_owned(),
            session.arn(),
        ),
        Identity::Root | Identity::Service => (
            caller.account.clone(),
            caller.account.clone(),
            arn("iam", "", &caller.account, "root"),
        ),
    };
    Ok(api::GetCallerIdentityResponse {
        user_id: Some(user_id),
        account: Some(account),
        arn: Some(arn),
    })
}

/// A session of the role with an ARN; none when it is no role's.
///
/// # Errors
/// Only what keeps the store from being read.
pub fn assumed(
    db: &impl Reader,
    role_arn: &str,
    name: &str,
    now: Timestamp,
) -> Result<Option<RoleSession>, ApiError> {
    let Some(parsed) = Arn::parse(role_arn).filter(|it| it.service == "iam") else {
        return Ok(None);
    };
    let Some(path) = parsed.resource.strip_prefix("role/") else {
        return Ok(None);
    };
    let role_name = path.rsplit('/').next().unwrap_or(path);
    let owner = Caller::service("sts.amazonaws.com", parsed.account, "", String::new());
    let role_id = match role::find(db, &owner, Some(role_name)) {
        Ok(role) => role.id,
        Err(error) if error.status == 404 => derived_role_id(role_arn),
        Err(error) => return Err(error),
    };
    Ok(Some(RoleSession {
        role_arn: role_arn.to_owned(),
        role_id,
        name: name.to_owned(),
        created: now,
    }))
}

/// `AssumeRole`: credentials for the account in the role's ARN.
pub fn assume_role(
    tx: &mut Tx<'_>,
    _caller: &Caller,
    request: api::AssumeRoleRequest,
) -> Result<api::AssumeRoleResponse, ApiError> {
    let role_arn = request.role_arn.unwrap_or_default();
    let name = request.role_session_name.unwrap_or_default();
    let Some(session) = assumed(tx, &role_arn, &name, tx.now())? else {
        let message = format!("{role_arn} is invalid");
        return Err(ApiError::client("ValidationError", message));
    };
    let user = api::AssumedRoleUser {
        assumed_role_id: Some(session.principal_id()),
        arn: Some(session.arn()),
    };
    let seconds = request
        .duration_seconds
        .unwrap_or(ROLE_SESSION_SECONDS_DEFAULT);
    let account = session.account().to_owned();
    let credentials = credentials(tx, &account, Identity::Role(session), seconds)?;
    Ok(api::AssumeRoleResponse {
        credentials: Some(credentials),
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
    let identity = caller.identity.clone();
    let credentials = credentials(tx, &caller.account, identity, seconds)?;
    Ok(api::GetSessionTokenResponse {
        credentials: Some(credentials),
    })
}

fn credentials(
    tx: &mut Tx<'_>,
    account: &str,
    identity: Identity,
    seconds: i32,
) -> Result<api::Credentials, ApiError> {
    let expires = tx.now().plus_millis(i64::from(seconds) * 1_000);
    let own = tx.ids().text(OWN_CHARS, ID_ALPHABET);
    let session = Session {
        access_key_id: session_key_id(account, &own),
        identity,
        expires: Some(expires),
    };
    let minted = token::mint(tx, &session)?;
    Ok(api::Credentials {
        access_key_id: Some(minted.access_key_id),
        secret_access_key: Some(minted.secret),
        session_token: Some(minted.token),
        expiration: Some(expires.into()),
    })
}

/// The credentials of a task's role, for the resources of the task's account: the session is named after the task, as
/// ECS does, and lives as long as it. None when the ARN is no role's.
///
/// # Errors
/// Only what keeps the store from being read or written.
pub async fn of_task(
    flow: &Flow,
    account: &str,
    role_arn: &str,
    (task_id, created): (&str, Timestamp),
) -> Result<Option<Minted>, ApiError> {
    let Some(role) = assumed(&flow.view(), role_arn, task_id, created)? else {
        return Ok(None);
    };
    let own = Sha256::digest(task_id)
        .iter()
        .take(OWN_CHARS)
        .filter_map(|byte| ID_ALPHABET.get(usize::from(*byte) % ID_ALPHABET.len()))
        .map(|byte| char::from(*byte))
        .collect::<String>();
    let session = Session {
        access_key_id: session_key_id(account, &own),
        identity: Identity::Role(role),
        expires: None,
    };
    token::mint_beside(flow, session).await.map(Some)
}

fn derived_role_id(role_arn: &str) -> String {
    let hash = hex::encode_upper(Sha256::digest(role_arn));
    format!("AROA{}", hash.get(..17).unwrap_or_default())
}
