//! Event selectors of a trail, put and shown. What they take is decided in `landfall_core::trail`.

use landfall_core::api::generated::cloudtrail as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::trail::{checked, standard};

use super::trails::{at_home, find, save};
use crate::tx::{Reader, Tx};

/// `PutEventSelectors`: the new ones take the place of all former ones.
pub fn put(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::PutEventSelectorsRequest,
) -> Result<api::PutEventSelectorsResponse, ApiError> {
    let mut trail = at_home(tx, caller, request.trail_name.as_deref())?;
    let (basic, advanced) = checked(request)?;
    trail.selectors = basic;
    trail.advanced = advanced;
    trail.custom = true;
    save(tx, &trail)?;
    Ok(api::PutEventSelectorsResponse {
        trail_arn: Some(trail.arn()),
        event_selectors: Some(trail.selectors).filter(|list| !list.is_empty()),
        advanced_event_selectors: Some(trail.advanced).filter(|list| !list.is_empty()),
    })
}

/// Makes the selectors those of a trail that was told nothing.
pub fn reset(tx: &mut Tx<'_>, caller: &Caller, name: &str) -> Result<(), ApiError> {
    let mut trail = at_home(tx, caller, Some(name))?;
    trail.selectors = vec![standard()];
    trail.advanced = Vec::new();
    trail.custom = false;
    save(tx, &trail)
}

/// `GetEventSelectors`.
pub fn get(
    db: &impl Reader,
    caller: &Caller,
    request: &api::GetEventSelectorsRequest,
) -> Result<api::GetEventSelectorsResponse, ApiError> {
    let trail = find(db, caller, request.trail_name.as_deref())?;
    Ok(api::GetEventSelectorsResponse {
        trail_arn: Some(trail.arn()),
        event_selectors: Some(trail.selectors).filter(|list| !list.is_empty()),
        advanced_event_selectors: Some(trail.advanced).filter(|list| !list.is_empty()),
    })
}

/// `GetInsightSelectors`: no trail has any.
pub fn insights(
    db: &impl Reader,
    caller: &Caller,
    request: &api::GetInsightSelectorsRequest,
) -> Result<api::GetInsightSelectorsResponse, ApiError> {
    if request.event_data_store.is_some() {
        return Err(ApiError::client(
            "UnsupportedOperationException",
            "EventDataStore is not served by Landfall.",
        ));
    }
    let trail = find(db, caller, request.trail_name.as_deref())?;
    Err(ApiError::client(
        "InsightNotEnabledException",
        format!("Trail {} does not have Insights enabled.", trail.arn()),
    ))
}
