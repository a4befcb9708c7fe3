//! Amazon ECS. Never starts a container: the pipeline does.

use landfall_core::api::generated::ecs as api;
use landfall_core::error::ApiError;
use landfall_flow::keep::tags;
use landfall_flow::run::{self, cluster, definition, settings, task};
use landfall_flow::{Flow, Reader};

/// The service.
pub struct Ecs(pub Flow);

crate::service! {
    impl Ecs for api::SERVICE {
        CreateCluster => create_cluster,
        DeleteCluster => delete_cluster,
        DeleteTaskDefinitions => delete_definitions,
        DeregisterTaskDefinition => deregister,
        DescribeClusters => describe_clusters,
        DescribeTaskDefinition => describe_definition,
        DescribeTasks => describe_tasks,
        ListAccountSettings => list_settings,
        ListClusters => list_clusters,
        ListTagsForResource => list_tags,
        ListTaskDefinitionFamilies => list_families,
        ListTaskDefinitions => list_definitions,
        ListTasks => list_tasks,
        PutAccountSetting => put_setting,
        PutClusterCapacityProviders => put_capacity_providers,
        RegisterTaskDefinition => register,
        RunTask => run_task,
        StopTask => stop_task,
        TagResource => tag_resource,
        UntagResource => untag_resource,
        UpdateCluster => update_cluster,
        UpdateClusterSettings => update_settings,
    }
}

crate::verbs! { Ecs {
    write create_cluster(api::CreateClusterRequest) -> api::CreateClusterResponse =
        |tx, caller, r| cluster::create(tx, caller, r);
    write delete_cluster(api::DeleteClusterRequest) -> api::DeleteClusterResponse =
        |tx, caller, r| cluster::delete(tx, caller, &r);
    write update_cluster(api::UpdateClusterRequest) -> api::UpdateClusterResponse = |tx, caller, r| {
        let cluster = cluster::update(tx, caller, r.cluster.as_deref(), r.settings, r.configuration)?;
        Ok(api::UpdateClusterResponse { cluster })
    };
    write update_settings(api::UpdateClusterSettingsRequest) -> api::UpdateClusterSettingsResponse =
        |tx, caller, r| {
            let cluster = cluster::update(tx, caller, r.cluster.as_deref(), r.settings, None)?;
            Ok(api::UpdateClusterSettingsResponse { cluster })
        };
    write put_capacity_providers(api::PutClusterCapacityProvidersRequest) -> api::PutClusterCapacityProvidersResponse =
        |tx, caller, r| cluster::put_capacity_providers(tx, caller, r);
    read describe_clusters(api::DescribeClustersRequest) -> api::DescribeClustersResponse =
        |db, caller, r| cluster::describe(db, caller, r);
    read list_clusters(api::ListClustersRequest) -> api::ListClustersResponse =
        |db, caller, r| cluster::list(db, caller, r);
    write register(api::RegisterTaskDefinitionRequest) -> api::RegisterTaskDefinitionResponse =
        |tx, caller, r| definition::register(tx, caller, r);
    write deregister(api::DeregisterTaskDefinitionRequest) -> api::DeregisterTaskDefinitionResponse =
        |tx, caller, r| definition::deregister(tx, caller, &r);
    write delete_definitions(api::DeleteTaskDefinitionsRequest) -> api::DeleteTaskDefinitionsResponse =
        |tx, caller, r| definition::delete(tx, caller, &r);
    read describe_definition(api::DescribeTaskDefinitionRequest) -> api::DescribeTaskDefinitionResponse =
        |db, caller, r| definition::describe(db, caller, r);
    read list_definitions(api::ListTaskDefinitionsRequest) -> api::ListTaskDefinitionsResponse =
        |db, caller, r| definition::list(db, caller, r);
    read list_families(api::ListTaskDefinitionFamiliesRequest) -> api::ListTaskDefinitionFamiliesResponse =
        |db, caller, r| definition::list_families(db, caller, r);
    write run_task(api::RunTaskRequest) -> api::RunTaskResponse =
        |tx, caller, r| run::run_task(tx, caller, r, None);
    write stop_task(api::StopTaskRequest) -> api::StopTaskResponse = |tx, caller, r| task::stop(tx, caller, &r);
    read describe_tasks(api::DescribeTasksRequest) -> api::DescribeTasksResponse =
        |db, caller, r| task::describe(db, caller, r);
    read list_tasks(api::ListTasksRequest) -> api::ListTasksResponse = |db, caller, r| task::list(db, caller, r);
    write put_setting(api::PutAccountSettingRequest) -> api::PutAccountSettingResponse =
        |tx, caller, r| settings::put(tx, caller, &r);
    read list_settings(api::ListAccountSettingsRequest) -> api::ListAccountSettingsResponse =
        |db, caller, r| settings::list(db, caller, r);
    write tag_resource(api::TagResourceRequest) -> api::TagResourceResponse = |tx, _caller, r| {
        let arn = r.resource_arn.unwrap_or_default();
        check(tx, &arn)?;
        tags::add(tx, &arn, tags::pairs(r.tags)).map(|()| api::TagResourceResponse {})
    };
    write untag_resource(api::UntagResourceRequest) -> api::UntagResourceResponse = |tx, _caller, r| {
        let arn = r.resource_arn.unwrap_or_default();
        check(tx, &arn)?;
        tags::remove(tx, &arn, &r.tag_keys.unwrap_or_default()).map(|()| api::UntagResourceResponse {})
    };
    read list_tags(api::ListTagsForResourceRequest) -> api::ListTagsForResourceResponse = |db, _caller, r| {
        let arn = r.resource_arn.as_deref().unwrap_or_default();
        check(db, arn)?;
        Ok(api::ListTagsForResourceResponse { tags: Some(tags::shown(tags::of(db, arn)?.0)) })
    };
} }

fn check(db: &impl Reader, arn: &str) -> Result<(), ApiError> {
    run::check_exists(db, arn)
}
