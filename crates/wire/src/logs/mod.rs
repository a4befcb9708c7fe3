//! Amazon CloudWatch Logs. Never keeps an event: the pipeline does.

use landfall_core::api::generated::logs as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_flow::Flow;
use landfall_flow::keep::logs;

/// The service.
pub struct Logs(pub Flow);

crate::service! {
    impl Logs for api::SERVICE {
        CreateLogGroup => create_group,
        CreateLogStream => create_stream,
        DeleteLogGroup => delete_group,
        DeleteLogStream => delete_stream,
        DeleteResourcePolicy => delete_resource_policy,
        DeleteRetentionPolicy => delete_retention,
        DescribeLogGroups => describe_groups,
        DescribeLogStreams => describe_streams,
        DescribeResourcePolicies => describe_resource_policies,
        FilterLogEvents => filter_events,
        GetLogEvents => get_events,
        ListTagsForResource => list_tags_for_resource,
        ListTagsLogGroup => list_tags_log_group,
        PutLogEvents => put_events,
        PutResourcePolicy => put_resource_policy,
        PutRetentionPolicy => put_retention,
        TagLogGroup => tag_log_group,
        TagResource => tag_resource,
        UntagLogGroup => untag_log_group,
        UntagResource => untag_resource,
    }
}

crate::verbs! { Logs {
    write create_group(api::CreateLogGroupRequest) -> () = |tx, caller, r| logs::create_group(tx, caller, r);
    write delete_group(api::DeleteLogGroupRequest) -> () = |tx, caller, r| logs::delete_group(tx, caller, &r);
    read describe_groups(api::DescribeLogGroupsRequest) -> api::DescribeLogGroupsResponse =
        |db, caller, r| logs::describe_groups(db, caller, r);
    write put_retention(api::PutRetentionPolicyRequest) -> () =
        |tx, caller, r| logs::put_retention(tx, caller, &r);
    write delete_retention(api::DeleteRetentionPolicyRequest) -> () =
        |tx, caller, r| logs::delete_retention(tx, caller, &r);
    write create_stream(api::CreateLogStreamRequest) -> () =
        |tx, caller, r| logs::create_stream(tx, caller, &r);
    write delete_stream(api::DeleteLogStreamRequest) -> () =
        |tx, caller, r| logs::delete_stream(tx, caller, &r);
    read describe_streams(api::DescribeLogStreamsRequest) -> api::DescribeLogStreamsResponse =
        |db, caller, r| logs::describe_streams(db, caller, r);
    write put_events(api::PutLogEventsRequest) -> api::PutLogEventsResponse =
        |tx, caller, r| logs::put_events(tx, caller, r);
    write put_resource_policy(api::PutResourcePolicyRequest) -> api::PutResourcePolicyResponse =
        |tx, caller, r| logs::put_resource_policy(tx, caller, r);
    write delete_resource_policy(api::DeleteResourcePolicyRequest) -> () =
        |tx, caller, r| logs::delete_resource_policy(tx, caller, &r);
    read describe_resource_policies(api::DescribeResourcePoliciesRequest)
        -> api::DescribeResourcePoliciesResponse =
        |db, caller, r| logs::describe_resource_policies(db, caller, r);
    write tag_log_group(api::TagLogGroupRequest) -> () = |tx, caller, r| logs::tag_log_group(tx, caller, r);
    write untag_log_group(api::UntagLogGroupRequest) -> () =
        |tx, caller, r| logs::untag_log_group(tx, caller, &r);
    read list_tags_log_group(api::ListTagsLogGroupRequest) -> api::ListTagsLogGroupResponse =
        |db, caller, r| logs::list_tags_log_group(db, caller, r);
    write tag_resource(api::TagResourceRequest) -> () = |tx, caller, r| logs::tag_resource(tx, caller, r);
    write untag_resource(api::UntagResourceRequest) -> () =
        |tx, caller, r| logs::untag_resource(tx, caller, &r);
    read list_tags_for_resource(api::ListTagsForResourceRequest) -> api::ListTagsForResourceResponse =
        |db, caller, r| logs::list_tags_for_resource(db, caller, r);
} }

impl Logs {
    async fn get_events(
        &self,
        caller: Caller,
        request: api::GetLogEventsRequest,
    ) -> Result<api::GetLogEventsResponse, ApiError> {
        logs::get_events(&self.0.view(), &caller, self.0.clock().now(), &request)
    }

    async fn filter_events(
        &self,
        caller: Caller,
        request: api::FilterLogEventsRequest,
    ) -> Result<api::FilterLogEventsResponse, ApiError> {
        logs::filter_events(&self.0.view(), &caller, self.0.clock().now(), &request)
    }
}
