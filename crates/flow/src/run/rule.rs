//! A delivery to an ECS target as a RunTask request. Never runs it.

use landfall_core::api::generated::{ecs, events};
use landfall_core::error::ApiError;
use landfall_core::task::{parse_override, start_token, started_by_rule};

use super::invalid;
use crate::deliver::Delivery;

/// The request that EventBridge makes for a target: its parameters, and its input as the overrides. Of several tasks a
/// further start makes those that are missing.
pub fn from_rule(
    delivery: &Delivery,
    parameters: &events::EcsParameters,
    input: &str,
) -> Result<ecs::RunTaskRequest, ApiError> {
    let there = i32::try_from(delivery.tasks.len()).unwrap_or(i32::MAX);
    Ok(ecs::RunTaskRequest {
        cluster: delivery.target.arn.clone(),
        task_definition: parameters.task_definition_arn.clone(),
        count: Some(parameters.task_count.unwrap_or(1).saturating_sub(there)),
        launch_type: parameters.launch_type.clone(),
        capacity_provider_strategy: same(parameters.capacity_provider_strategy.as_ref())?,
        network_configuration: parameters.network_configuration.as_ref().map(network),
        platform_version: parameters.platform_version.clone(),
        group: parameters.group.clone(),
        enable_ecs_managed_tags: parameters.enable_ecs_managed_tags,
        enable_execute_command: parameters.enable_execute_command,
        placement_constraints: same(parameters.placement_constraints.as_ref())?,
        placement_strategy: same(parameters.placement_strategy.as_ref())?,
        propagate_tags: parameters.propagate_tags.clone(),
        reference_id: parameters.reference_id.clone(),
        tags: parameters.tags.as_ref().map(|tags| {
            let tag = |t: &events::Tag| ecs::Tag {
                key: t.key.clone(),
                value: t.value.clone(),
            };
            tags.iter().map(tag).collect()
        }),
        overrides: Some(overrides(input)?),
        started_by: Some(started_by_rule(&delivery.rule)),
        client_token: Some(start_token(&delivery.id, delivery.starts)),
        volume_configurations: None,
    })
}

/// The one shape whose members the two APIs spell differently.
fn network(given: &events::NetworkConfiguration) -> ecs::NetworkConfiguration {
    let vpc = |v: &events::AwsVpcConfiguration| ecs::AwsVpcConfiguration {
        subnets: v.subnets.clone(),
        security_groups: v.security_groups.clone(),
        assign_public_ip: v.assign_public_ip.clone(),
    };
    ecs::NetworkConfiguration {
        awsvpc_configuration: given.awsvpc_configuration.as_ref().map(vpc),
    }
}

/// Both APIs have these shapes with the same member names.
fn same<A: serde::Serialize, B: serde::de::DeserializeOwned>(
    shape: Option<&A>,
) -> Result<Option<B>, ApiError> {
    let convert = |shape| serde_json::from_value(serde_json::to_value(shape)?);
    shape
        .map(convert)
        .transpose()
        .map_err(|e| ApiError::internal(format!("a stored target: {e}")))
}

/// The transformed input as overrides: what is no override is ignored, what has the wrong type is an error.
fn overrides(input: &str) -> Result<ecs::TaskOverride, ApiError> {
    let parsed = parse_override(input).map_err(|e| invalid(e.to_string()))?;
    Ok(same(Some(&parsed))?.unwrap_or_default())
}
