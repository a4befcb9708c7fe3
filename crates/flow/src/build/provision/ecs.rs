//! Clusters, their capacity providers and task definitions. Never runs a task.

use landfall_core::api::generated::ecs as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use serde_json::{Value, json};

use super::{
    Built, Existing, Job, Provisioner, already_exists, attributes, call, gone_is_fine, request,
    retag,
};
use crate::run::{cluster, definition};
use crate::tx::Tx;

/// `AWS::ECS::Cluster`.
pub const CLUSTER: Provisioner = Provisioner {
    create: create_cluster,
    update: update_cluster,
    delete: delete_cluster,
};
/// `AWS::ECS::ClusterCapacityProviderAssociations`.
pub const CAPACITY_PROVIDERS: Provisioner = Provisioner {
    create: put_providers,
    update: change_providers,
    delete: clear_providers,
};
/// `AWS::ECS::TaskDefinition`.
pub const TASK_DEFINITION: Provisioner = Provisioner {
    create: register,
    update: retag_definition,
    delete: deregister,
};

fn create_cluster(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let name = job.name(tx, "ClusterName", 255);
    if cluster::check_active(tx, job.caller, Some(&name)).is_ok() {
        return Err(already_exists(&name));
    }
    let mut properties = job.but(&["ClusterName"]);
    properties.insert("ClusterName".to_owned(), Value::from(name.as_str()));
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "CreateCluster",
        request(&api::SERVICE, "CreateCluster", properties)?,
        cluster::create,
    )?;
    Ok(built_cluster(job.caller, &name))
}

fn built_cluster(caller: &Caller, name: &str) -> Built {
    let arn = cluster::cluster_arn(caller, name);
    Built {
        physical_id: name.to_owned(),
        attributes: attributes([("Arn", &arn)]),
    }
}

fn update_cluster(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    existing: &Existing<'_>,
) -> Result<Built, ApiError> {
    let name = existing.physical_id;
    let made: api::CreateClusterRequest =
        request(&api::SERVICE, "CreateCluster", job.but(&["ClusterName"]))?;
    let (settings, configuration) = (made.settings, made.configuration);
    let asked = api::UpdateClusterRequest {
        cluster: Some(name.to_owned()),
        settings,
        configuration,
        ..Default::default()
    };
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "UpdateCluster",
        asked,
        |tx, caller, it| cluster::update(tx, caller, Some(name), it.settings, it.configuration),
    )?;
    let providers = api::PutClusterCapacityProvidersRequest {
        cluster: Some(name.to_owned()),
        capacity_providers: made.capacity_providers,
        default_capacity_provider_strategy: made.default_capacity_provider_strategy,
    };
    if ["CapacityProviders", "DefaultCapacityProviderStrategy"]
        .iter()
        .any(|it| job.properties.get(*it) != existing.properties.get(*it))
    {
        call(
            tx,
            job.caller,
            &api::SERVICE,
            "PutClusterCapacityProviders",
            providers,
            cluster::put_capacity_providers,
        )?;
    }
    retag(
        tx,
        &cluster::cluster_arn(job.caller, name),
        existing.properties,
        job,
    )?;
    Ok(built_cluster(job.caller, name))
}

fn delete_cluster(
    tx: &mut Tx<'_>,
    caller: &Caller,
    existing: &Existing<'_>,
) -> Result<(), ApiError> {
    let cluster = Some(existing.physical_id.to_owned());
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeleteCluster",
        api::DeleteClusterRequest { cluster },
        |tx, caller, it| cluster::delete(tx, caller, &it),
    ))
}

fn put_providers(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let mut properties = job.but(&[]);
    properties.entry("CapacityProviders").or_insert(json!([]));
    let name = job.required("Cluster")?;
    let request = request(&api::SERVICE, "PutClusterCapacityProviders", properties)?;
    call(
        tx,
        job.caller,
        &api::SERVICE,
        "PutClusterCapacityProviders",
        request,
        cluster::put_capacity_providers,
    )?;
    Ok(Built {
        physical_id: name,
        ..Default::default()
    })
}

fn change_providers(tx: &mut Tx<'_>, job: &Job<'_>, _: &Existing<'_>) -> Result<Built, ApiError> {
    put_providers(tx, job)
}

fn clear_providers(
    tx: &mut Tx<'_>,
    caller: &Caller,
    existing: &Existing<'_>,
) -> Result<(), ApiError> {
    let request = api::PutClusterCapacityProvidersRequest {
        cluster: Some(existing.physical_id.to_owned()),
        capacity_providers: Some(Vec::new()),
        default_capacity_provider_strategy: Some(Vec::new()),
    };
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "PutClusterCapacityProviders",
        request,
        cluster::put_capacity_providers,
    ))
}

fn register(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<Built, ApiError> {
    let mut properties = job.but(&["Family"]);
    let family = job.text("Family").unwrap_or_else(|| {
        let random = tx.ids().text(
            8,
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        );
        format!(
            "{}{}{random}",
            job.stack_name.replace('-', ""),
            job.logical_id
        )
    });
    properties.insert("Family".to_owned(), Value::from(family));
    let request = request(&api::SERVICE, "RegisterTaskDefinition", properties)?;
    let answer = call(
        tx,
        job.caller,
        &api::SERVICE,
        "RegisterTaskDefinition",
        request,
        definition::register,
    )?;
    let arn = answer
        .task_definition
        .and_then(|it| it.task_definition_arn)
        .unwrap_or_default();
    Ok(built_definition(arn))
}

fn built_definition(arn: String) -> Built {
    Built {
        attributes: attributes([("TaskDefinitionArn", &arn)]),
        physical_id: arn,
    }
}

fn retag_definition(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    existing: &Existing<'_>,
) -> Result<Built, ApiError> {
    retag(tx, existing.physical_id, existing.properties, job)?;
    Ok(built_definition(existing.physical_id.to_owned()))
}

fn deregister(tx: &mut Tx<'_>, caller: &Caller, existing: &Existing<'_>) -> Result<(), ApiError> {
    let request = api::DeregisterTaskDefinitionRequest {
        task_definition: Some(existing.physical_id.to_owned()),
    };
    gone_is_fine(call(
        tx,
        caller,
        &api::SERVICE,
        "DeregisterTaskDefinition",
        request,
        |tx, caller, it| definition::deregister(tx, caller, &it),
    ))
}
