//! Amazon EventBridge. Never matches or delivers: the pipeline does.

use landfall_core::api::generated::events as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_flow::keep::tags;
use landfall_flow::route::{BusKey, archive, bus, put_events, replay, rules, targets};
use landfall_flow::{Flow, Tx};

/// The service.
pub struct Events(pub Flow);

crate::service! {
    impl Events for api::SERVICE {
        CancelReplay => cancel_replay,
        CreateArchive => create_archive,
        CreateEventBus => create_event_bus,
        DeleteArchive => delete_archive,
        DeleteEventBus => delete_event_bus,
        DeleteRule => delete_rule,
        DescribeArchive => describe_archive,
        DescribeEventBus => describe_event_bus,
        DescribeReplay => describe_replay,
        DescribeRule => describe_rule,
        DisableRule => disable_rule,
        EnableRule => enable_rule,
        ListArchives => list_archives,
        ListEventBuses => list_event_buses,
        ListReplays => list_replays,
        ListRuleNamesByTarget => list_rule_names_by_target,
        ListRules => list_rules,
        ListTagsForResource => list_tags,
        ListTargetsByRule => list_targets,
        PutEvents => put_events,
        PutPermission => put_permission,
        PutRule => put_rule,
        PutTargets => put_targets,
        RemovePermission => remove_permission,
        RemoveTargets => remove_targets,
        StartReplay => start_replay,
        TagResource => tag_resource,
        TestEventPattern => test_pattern,
        UntagResource => untag_resource,
        UpdateArchive => update_archive,
        UpdateEventBus => update_event_bus,
    }
}

crate::verbs! { Events {
    write create_event_bus(api::CreateEventBusRequest) -> api::CreateEventBusResponse =
        |tx, caller, r| bus::create(tx, caller, r);
    write delete_event_bus(api::DeleteEventBusRequest) -> () = |tx, caller, r| bus::delete(tx, caller, &r);
    write update_event_bus(api::UpdateEventBusRequest) -> api::UpdateEventBusResponse =
        |tx, caller, r| bus::update(tx, caller, r);
    read describe_event_bus(api::DescribeEventBusRequest) -> api::DescribeEventBusResponse =
        |db, caller, r| bus::describe(db, caller, r);
    read list_event_buses(api::ListEventBusesRequest) -> api::ListEventBusesResponse =
        |db, caller, r| bus::list(db, caller, r);
    write put_permission(api::PutPermissionRequest) -> () = |tx, caller, r| bus::put_permission(tx, caller, &r);
    write remove_permission(api::RemovePermissionRequest) -> () =
        |tx, caller, r| bus::remove_permission(tx, caller, &r);
    write put_rule(api::PutRuleRequest) -> api::PutRuleResponse = |tx, caller, r| rules::put(tx, caller, r);
    write delete_rule(api::DeleteRuleRequest) -> () = |tx, caller, r| rules::delete(tx, caller, &r);
    write enable_rule(api::EnableRuleRequest) -> () =
        |tx, caller, r| set_state(tx, caller, r.event_bus_name, r.name, "ENABLED");
    write disable_rule(api::DisableRuleRequest) -> () =
        |tx, caller, r| set_state(tx, caller, r.event_bus_name, r.name, "DISABLED");
    read describe_rule(api::DescribeRuleRequest) -> api::DescribeRuleResponse =
        |db, caller, r| rules::describe(db, caller, r);
    read list_rules(api::ListRulesRequest) -> api::ListRulesResponse = |db, caller, r| rules::list(db, caller, r);
    read list_rule_names_by_target(api::ListRuleNamesByTargetRequest) -> api::ListRuleNamesByTargetResponse =
        |db, caller, r| rules::list_names_by_target(db, caller, r);
    read test_pattern(api::TestEventPatternRequest) -> api::TestEventPatternResponse =
        |_db, _caller, r| rules::test_pattern(r);
    write put_targets(api::PutTargetsRequest) -> api::PutTargetsResponse =
        |tx, caller, r| targets::put(tx, caller, r);
    write remove_targets(api::RemoveTargetsRequest) -> api::RemoveTargetsResponse =
        |tx, caller, r| targets::remove(tx, caller, r);
    read list_targets(api::ListTargetsByRuleRequest) -> api::ListTargetsByRuleResponse =
        |db, caller, r| targets::list(db, caller, r);
    write create_archive(api::CreateArchiveRequest) -> api::CreateArchiveResponse =
        |tx, caller, r| archive::create(tx, caller, r);
    write update_archive(api::UpdateArchiveRequest) -> api::UpdateArchiveResponse =
        |tx, caller, r| archive::update(tx, caller, r);
    write delete_archive(api::DeleteArchiveRequest) -> api::DeleteArchiveResponse =
        |tx, caller, r| archive::delete(tx, caller, &r).map(|()| api::DeleteArchiveResponse {});
    read describe_archive(api::DescribeArchiveRequest) -> api::DescribeArchiveResponse =
        |db, caller, r| archive::describe(db, caller, r);
    read list_archives(api::ListArchivesRequest) -> api::ListArchivesResponse =
        |db, caller, r| archive::list(db, caller, r);
    write start_replay(api::StartReplayRequest) -> api::StartReplayResponse =
        |tx, caller, r| replay::start(tx, caller, r);
    write cancel_replay(api::CancelReplayRequest) -> api::CancelReplayResponse =
        |tx, caller, r| replay::cancel(tx, caller, &r);
    read describe_replay(api::DescribeReplayRequest) -> api::DescribeReplayResponse =
        |db, caller, r| replay::describe(db, caller, r);
    read list_replays(api::ListReplaysRequest) -> api::ListReplaysResponse =
        |db, caller, r| replay::list(db, caller, r);
    write put_events(api::PutEventsRequest) -> api::PutEventsResponse =
        |tx, caller, r| put_events::put(tx, caller, r);
    write tag_resource(api::TagResourceRequest) -> api::TagResourceResponse = |tx, caller, r| {
        let arn = r.resource_arn.unwrap_or_default();
        rules::check_tagged(tx, caller, &arn)?;
        tags::add(tx, &arn, tags::pairs(r.tags)).map(|()| api::TagResourceResponse {})
    };
    write untag_resource(api::UntagResourceRequest) -> api::UntagResourceResponse = |tx, caller, r| {
        let arn = r.resource_arn.unwrap_or_default();
        rules::check_tagged(tx, caller, &arn)?;
        tags::remove(tx, &arn, &r.tag_keys.unwrap_or_default()).map(|()| api::UntagResourceResponse {})
    };
    read list_tags(api::ListTagsForResourceRequest) -> api::ListTagsForResourceResponse = |db, caller, r| {
        let arn = r.resource_arn.as_deref().unwrap_or_default();
        rules::check_tagged(db, caller, arn)?;
        let tags = tags::shown(tags::of(db, arn)?.0);
        Ok(api::ListTagsForResourceResponse { tags: Some(tags) })
    };
} }

fn set_state(
    tx: &mut Tx<'_>,
    caller: &Caller,
    bus: Option<String>,
    name: Option<String>,
    state: &'static str,
) -> Result<(), ApiError> {
    let bus = BusKey::of(caller, bus.as_deref());
    rules::set_state(tx, &bus, name.as_deref().unwrap_or_default(), state)
}
