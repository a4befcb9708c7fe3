//! Tags of parameters. Never tags another resource of Systems Manager.

use landfall_core::api::generated::ssm as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::limits;

use super::find;
use super::name::Selected;
use crate::keep::tags;
use crate::tx::{Reader, Tx};

/// `AddTagsToResource`.
pub fn add_tags(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::AddTagsToResourceRequest,
) -> Result<api::AddTagsToResourceResult, ApiError> {
    let arn = arn(
        tx,
        caller,
        request.resource_type.as_deref(),
        request.resource_id.as_deref(),
    )?;
    tags::add(tx, &arn, tags::pairs(request.tags))?;
    if tags::of(tx, &arn)?.0.len() > limits::TAGS_PER_RESOURCE_MAX {
        let text = "The resource has too many tags.";
        return Err(ApiError::client("TooManyTagsError", text));
    }
    Ok(api::AddTagsToResourceResult {})
}

/// `RemoveTagsFromResource`.
pub fn remove_tags(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::RemoveTagsFromResourceRequest,
) -> Result<api::RemoveTagsFromResourceResult, ApiError> {
    let arn = arn(
        tx,
        caller,
        request.resource_type.as_deref(),
        request.resource_id.as_deref(),
    )?;
    tags::remove(tx, &arn, request.tag_keys.as_deref().unwrap_or_default())?;
    Ok(api::RemoveTagsFromResourceResult {})
}

/// `ListTagsForResource`.
pub fn list_tags(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListTagsForResourceRequest,
) -> Result<api::ListTagsForResourceResult, ApiError> {
    let arn = arn(
        db,
        caller,
        request.resource_type.as_deref(),
        request.resource_id.as_deref(),
    )?;
    let tag_list = Some(tags::shown(tags::of(db, &arn)?.0));
    Ok(api::ListTagsForResourceResult { tag_list })
}

fn arn(
    db: &impl Reader,
    caller: &Caller,
    kind: Option<&str>,
    id: Option<&str>,
) -> Result<String, ApiError> {
    if kind != Some("Parameter") {
        let text = "The resource type isn't valid: Landfall keeps tags of parameters only.";
        return Err(ApiError::client("InvalidResourceType", text));
    }
    match find(db, caller, &Selected::parse(id.unwrap_or_default())) {
        Ok(parameter) => Ok(parameter.arn()),
        Err(e) if e.status < 500 => Err(ApiError::client(
            "InvalidResourceId",
            "The resource ID isn't valid. Verify that you entered the correct ID and try again.",
        )),
        Err(e) => Err(e),
    }
}
