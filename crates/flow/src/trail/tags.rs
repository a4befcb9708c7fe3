//! Tags of trails.

use landfall_core::api::generated::cloudtrail as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::limits;

use super::trails::{at_home, find};
use crate::keep::tags;
use crate::tx::{Reader, Tx};

fn missing(error: ApiError) -> ApiError {
    match error.code.as_ref() {
        "TrailNotFoundException" => ApiError::not_found(error.message),
        _ => error,
    }
}

/// Tags must be given to an ARN.
fn arn(given: Option<&str>) -> Result<&str, ApiError> {
    let given = given.unwrap_or_default();
    match given.starts_with("arn:") {
        true => Ok(given),
        false => Err(ApiError::client(
            "CloudTrailARNInvalidException",
            format!("The specified ARN {given} is not valid for a trail."),
        )),
    }
}

/// Gives tags to an ARN.
pub(super) fn put(tx: &mut Tx<'_>, arn: &str, list: Vec<api::Tag>) -> Result<(), ApiError> {
    let pairs: Vec<(String, String)> = tags::pairs([list]).collect();
    let reserved = pairs.iter().find(|(key, _)| key.starts_with("aws:"));
    if let Some((key, _)) = reserved {
        return Err(ApiError::client(
            "InvalidTagParameterException",
            format!("The tag key {key} is reserved: it begins with aws:."),
        ));
    }
    if pairs.is_empty() {
        return Ok(());
    }
    tags::add(tx, arn, pairs)?;
    let max = limits::CLOUDTRAIL_TAGS_MAX;
    if tags::of(tx, arn)?.0.len() > max {
        return Err(ApiError::client(
            "TagsLimitExceededException",
            format!("The number of tags per trail exceeds the limit of {max}."),
        ));
    }
    Ok(())
}

/// `AddTags`.
pub fn add(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::AddTagsRequest,
) -> Result<api::AddTagsResponse, ApiError> {
    let given = arn(request.resource_id.as_deref())?;
    let trail = at_home(tx, caller, Some(given)).map_err(missing)?;
    put(tx, &trail.arn(), request.tags_list.unwrap_or_default())?;
    Ok(api::AddTagsResponse {})
}

/// `RemoveTags`, by key.
pub fn remove(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::RemoveTagsRequest,
) -> Result<api::RemoveTagsResponse, ApiError> {
    let given = arn(request.resource_id.as_deref())?;
    let trail = at_home(tx, caller, Some(given)).map_err(missing)?;
    let list = request.tags_list.unwrap_or_default().into_iter();
    let names: Vec<String> = list.filter_map(|tag| tag.key).collect();
    tags::remove(tx, &trail.arn(), &names)?;
    Ok(api::RemoveTagsResponse {})
}

/// `ListTags`.
pub fn list(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListTagsRequest,
) -> Result<api::ListTagsResponse, ApiError> {
    let mut all = Vec::new();
    for given in request.resource_id_list.iter().flatten() {
        let trail = find(db, caller, Some(arn(Some(given))?)).map_err(missing)?;
        all.push(api::ResourceTag {
            resource_id: Some(given.clone()),
            tags_list: Some(tags::shown(tags::of(db, &trail.arn())?.0)),
        });
    }
    Ok(api::ListTagsResponse {
        resource_tag_list: Some(all),
        next_token: None,
    })
}
