//! Tags of log groups, through the old API (by name) and the new one (by ARN). Never tags anything else.

use std::collections::BTreeMap;

use landfall_core::api::generated::logs as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::limits;

use super::group::{Group, by_arn, named};
use crate::keep::tags;
use crate::tx::{Reader, Tx};

/// `TagLogGroup`.
pub fn tag_log_group(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::TagLogGroupRequest,
) -> Result<(), ApiError> {
    let group = named(tx, caller, request.log_group_name.as_deref())?;
    add(tx, &group, request.tags)
}

/// `TagResource`.
pub fn tag_resource(
    tx: &mut Tx<'_>,
    _caller: &Caller,
    request: api::TagResourceRequest,
) -> Result<(), ApiError> {
    let group = by_arn(tx, request.resource_arn.as_deref().unwrap_or_default())?;
    add(tx, &group, request.tags)
}

/// `UntagLogGroup`.
pub fn untag_log_group(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::UntagLogGroupRequest,
) -> Result<(), ApiError> {
    let group = named(tx, caller, request.log_group_name.as_deref())?;
    tags::remove(
        tx,
        &group.arn(),
        request.tags.as_deref().unwrap_or_default(),
    )
}

/// `UntagResource`.
pub fn untag_resource(
    tx: &mut Tx<'_>,
    _caller: &Caller,
    request: &api::UntagResourceRequest,
) -> Result<(), ApiError> {
    let group = by_arn(tx, request.resource_arn.as_deref().unwrap_or_default())?;
    tags::remove(
        tx,
        &group.arn(),
        request.tag_keys.as_deref().unwrap_or_default(),
    )
}

/// `ListTagsLogGroup`.
pub fn list_tags_log_group(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListTagsLogGroupRequest,
) -> Result<api::ListTagsLogGroupResponse, ApiError> {
    let group = named(db, caller, request.log_group_name.as_deref())?;
    Ok(api::ListTagsLogGroupResponse {
        tags: Some(all(db, &group)?),
    })
}

/// `ListTagsForResource`.
pub fn list_tags_for_resource(
    db: &impl Reader,
    _caller: &Caller,
    request: &api::ListTagsForResourceRequest,
) -> Result<api::ListTagsForResourceResponse, ApiError> {
    let group = by_arn(db, request.resource_arn.as_deref().unwrap_or_default())?;
    Ok(api::ListTagsForResourceResponse {
        tags: Some(all(db, &group)?),
    })
}

fn add(
    tx: &mut Tx<'_>,
    group: &Group,
    given: Option<BTreeMap<String, String>>,
) -> Result<(), ApiError> {
    tags::add(tx, &group.arn(), given.unwrap_or_default())?;
    if tags::of(tx, &group.arn())?.0.len() > limits::TAGS_PER_RESOURCE_MAX {
        let text = "The resource has too many tags.";
        return Err(ApiError::client("TooManyTagsException", text));
    }
    Ok(())
}

fn all(db: &impl Reader, group: &Group) -> Result<BTreeMap<String, String>, ApiError> {
    Ok(tags::of(db, &group.arn())?.0.into_iter().collect())
}
