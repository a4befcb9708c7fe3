//! AWS CloudTrail. Never records a call: the dispatcher and the pipeline do.

use landfall_core::api::generated::cloudtrail as api;
use landfall_flow::Flow;
use landfall_flow::trail::{history, keys, selectors, tags, trails};

/// The service.
pub struct CloudTrail(pub Flow);

crate::service! {
    impl CloudTrail for api::SERVICE {
        AddTags => add_tags,
        CreateTrail => create_trail,
        DeleteTrail => delete_trail,
        DescribeTrails => describe_trails,
        GetEventSelectors => get_event_selectors,
        GetInsightSelectors => get_insight_selectors,
        GetTrail => get_trail,
        GetTrailStatus => get_trail_status,
        ListPublicKeys => list_public_keys,
        ListTags => list_tags,
        ListTrails => list_trails,
        LookupEvents => lookup_events,
        PutEventSelectors => put_event_selectors,
        RemoveTags => remove_tags,
        StartLogging => start_logging,
        StopLogging => stop_logging,
        UpdateTrail => update_trail,
    }
}

crate::verbs! { CloudTrail {
    write create_trail(api::CreateTrailRequest) -> api::CreateTrailResponse =
        |tx, caller, r| trails::create(tx, caller, r);
    write update_trail(api::UpdateTrailRequest) -> api::UpdateTrailResponse =
        |tx, caller, r| trails::update(tx, caller, r);
    read describe_trails(api::DescribeTrailsRequest) -> api::DescribeTrailsResponse =
        |db, caller, r| trails::describe(db, caller, r);
    read get_trail(api::GetTrailRequest) -> api::GetTrailResponse = |db, caller, r| trails::get(db, caller, r);
    read list_trails(api::ListTrailsRequest) -> api::ListTrailsResponse = |db, caller, r| trails::list(db, caller, r);
    read get_trail_status(api::GetTrailStatusRequest) -> api::GetTrailStatusResponse =
        |db, caller, r| trails::status(db, caller, r);
    write start_logging(api::StartLoggingRequest) -> api::StartLoggingResponse = |tx, caller, r|
        trails::set_logging(tx, caller, r.name.as_deref(), true).map(|()| api::StartLoggingResponse {});
    write stop_logging(api::StopLoggingRequest) -> api::StopLoggingResponse = |tx, caller, r|
        trails::set_logging(tx, caller, r.name.as_deref(), false).map(|()| api::StopLoggingResponse {});
    write delete_trail(api::DeleteTrailRequest) -> api::DeleteTrailResponse = |tx, caller, r|
        trails::delete(tx, caller, &r).map(|()| api::DeleteTrailResponse {});
    write put_event_selectors(api::PutEventSelectorsRequest) -> api::PutEventSelectorsResponse =
        |tx, caller, r| selectors::put(tx, caller, r);
    read get_event_selectors(api::GetEventSelectorsRequest) -> api::GetEventSelectorsResponse =
        |db, caller, r| selectors::get(db, caller, r);
    read get_insight_selectors(api::GetInsightSelectorsRequest) -> api::GetInsightSelectorsResponse =
        |db, caller, r| selectors::insights(db, caller, r);
    write add_tags(api::AddTagsRequest) -> api::AddTagsResponse = |tx, caller, r| tags::add(tx, caller, r);
    write remove_tags(api::RemoveTagsRequest) -> api::RemoveTagsResponse = |tx, caller, r| tags::remove(tx, caller, r);
    read list_tags(api::ListTagsRequest) -> api::ListTagsResponse = |db, caller, r| tags::list(db, caller, r);
    read lookup_events(api::LookupEventsRequest) -> api::LookupEventsResponse =
        |db, caller, r| history::lookup(db, caller, r);
    read list_public_keys(api::ListPublicKeysRequest) -> api::ListPublicKeysResponse =
        |db, caller, r| keys::list(db, caller, r);
} }
