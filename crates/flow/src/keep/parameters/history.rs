//! Former versions. Never changes one.

use landfall_core::api::generated::ssm as api;
use landfall_core::api::value::EpochSeconds;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::limits;

use super::name::Selected;
use super::{Parameter, find};
use crate::key::Key;
use crate::page::page;
use crate::tx::Reader;

/// `GetParameterHistory`: oldest first, the latest version included.
pub fn get_history(
    db: &impl Reader,
    caller: &Caller,
    request: &api::GetParameterHistoryRequest,
) -> Result<api::GetParameterHistoryResult, ApiError> {
    let wanted = Selected::parse(request.name.as_deref().unwrap_or_default());
    let latest = find(db, caller, &wanted)?;
    let all = db.all::<Parameter>(&prefix(&latest.account, &latest.region, &latest.name))?;
    let token = request.next_token.as_deref();
    let (all, next_token) = page(all, token, request.max_results, limits::SSM_DESCRIBE_MAX)?;
    let answer = |p: Parameter| api::ParameterHistory {
        value: Some(p.shown(request.with_decryption)),
        name: Some(p.name),
        r#type: Some(p.kind),
        key_id: p.key_id,
        last_modified_date: Some(EpochSeconds::from(p.modified)),
        last_modified_user: Some(p.modified_by),
        description: p.description,
        allowed_pattern: p.allowed_pattern,
        version: i64::try_from(p.version).ok(),
        labels: Some(Vec::new()),
        tier: Some(p.tier),
        policies: Some(Vec::new()),
        data_type: Some(p.data_type),
    };
    let parameters = Some(all.into_iter().map(answer).collect());
    Ok(api::GetParameterHistoryResult {
        parameters,
        next_token,
    })
}

/// Prefix of the keys of all versions.
pub(super) fn prefix(account: &str, region: &str, name: &str) -> Key {
    Key::new("parameter-version")
        .part(account)
        .part(region)
        .part(name)
}

/// Key of a version.
pub(super) fn key(account: &str, region: &str, name: &str, version: u64) -> Key {
    prefix(account, region, name).number(version)
}
