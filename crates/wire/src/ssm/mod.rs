//! AWS Systems Manager, its Parameter Store. Never keeps a value: the pipeline does.

use landfall_core::api::generated::ssm as api;
use landfall_flow::Flow;
use landfall_flow::keep::parameters;

/// The service.
pub struct Ssm(pub Flow);

crate::service! {
    impl Ssm for api::SERVICE {
        AddTagsToResource => add_tags,
        DeleteParameter => delete,
        DeleteParameters => delete_many,
        DescribeParameters => describe,
        GetParameter => get,
        GetParameterHistory => get_history,
        GetParameters => get_many,
        GetParametersByPath => get_by_path,
        ListTagsForResource => list_tags,
        PutParameter => put,
        RemoveTagsFromResource => remove_tags,
    }
}

crate::verbs! { Ssm {
    write put(api::PutParameterRequest) -> api::PutParameterResult =
        |tx, caller, r| parameters::put(tx, caller, r);
    write delete(api::DeleteParameterRequest) -> api::DeleteParameterResult =
        |tx, caller, r| parameters::delete(tx, caller, &r);
    write delete_many(api::DeleteParametersRequest) -> api::DeleteParametersResult =
        |tx, caller, r| parameters::delete_many(tx, caller, r);
    read describe(api::DescribeParametersRequest) -> api::DescribeParametersResult =
        |db, caller, r| parameters::describe(db, caller, r);
    read get(api::GetParameterRequest) -> api::GetParameterResult =
        |db, caller, r| parameters::get(db, caller, r);
    read get_many(api::GetParametersRequest) -> api::GetParametersResult =
        |db, caller, r| parameters::get_many(db, caller, r);
    read get_by_path(api::GetParametersByPathRequest) -> api::GetParametersByPathResult =
        |db, caller, r| parameters::get_by_path(db, caller, r);
    read get_history(api::GetParameterHistoryRequest) -> api::GetParameterHistoryResult =
        |db, caller, r| parameters::get_history(db, caller, r);
    write add_tags(api::AddTagsToResourceRequest) -> api::AddTagsToResourceResult =
        |tx, caller, r| parameters::add_tags(tx, caller, r);
    write remove_tags(api::RemoveTagsFromResourceRequest) -> api::RemoveTagsFromResourceResult =
        |tx, caller, r| parameters::remove_tags(tx, caller, &r);
    read list_tags(api::ListTagsForResourceRequest) -> api::ListTagsForResourceResult =
        |db, caller, r| parameters::list_tags(db, caller, r);
} }
