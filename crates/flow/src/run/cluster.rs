//! Clusters: the names that tasks run under. One host is behind all of them. Never runs anything.

use landfall_core::api::generated::ecs as api;
use landfall_core::arn::{Arn, arn};
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_store::Direction;
use serde::{Deserialize, Serialize};

use super::queue::{self, Placed};
use crate::keep::tags;
use crate::key::Key;
use crate::page::page;
use crate::tx::{Reader, Tx};

/// A cluster as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterRecord {
    name: String,
    status: String,
    settings: Option<Vec<api::ClusterSetting>>,
    configuration: Option<api::ClusterConfiguration>,
    capacity_providers: Option<Vec<String>>,
    default_strategy: Option<Vec<api::CapacityProviderStrategyItem>>,
}
crate::record!(ClusterRecord in Control);

const ACTIVE: &str = "ACTIVE";
const INACTIVE: &str = "INACTIVE";

/// The cluster that a request names: a name, an ARN, or `default`.
pub fn name_of(wish: Option<&str>) -> &str {
    let wish = wish.filter(|w| !w.is_empty()).unwrap_or("default");
    Arn::parse(wish).map_or(wish, |arn| arn.resource_name())
}

/// ARN of a cluster.
pub fn cluster_arn(caller: &Caller, name: &str) -> String {
    arn(
        "ecs",
        &caller.region,
        &caller.account,
        format_args!("cluster/{name}"),
    )
}

fn key(caller: &Caller, name: &str) -> Key {
    Key::new("cluster")
        .part(&caller.account)
        .part(&caller.region)
        .part(name)
}

/// The name of an active cluster, or AWS's error.
pub fn check_active(
    db: &impl Reader,
    caller: &Caller,
    wish: Option<&str>,
) -> Result<String, ApiError> {
    let name = name_of(wish);
    match db.get::<ClusterRecord>(&key(caller, name))? {
        Some(cluster) if cluster.status == ACTIVE => Ok(name.to_owned()),
        _ => Err(not_found()),
    }
}

fn not_found() -> ApiError {
    ApiError::client("ClusterNotFoundException", "Cluster not found.")
}

/// `CreateCluster`: creating one that is there answers with it.
pub fn create(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::CreateClusterRequest,
) -> Result<api::CreateClusterResponse, ApiError> {
    let name = name_of(request.cluster_name.as_deref()).to_owned();
    let former = tx.get::<ClusterRecord>(&key(caller, &name))?;
    if former.is_none_or(|c| c.status != ACTIVE) {
        let record = ClusterRecord {
            name: name.clone(),
            status: ACTIVE.to_owned(),
            settings: request.settings,
            configuration: request.configuration,
            capacity_providers: request.capacity_providers,
            default_strategy: request.default_capacity_provider_strategy,
        };
        tx.put(&key(caller, &name), &record)?;
        tags::add(tx, &cluster_arn(caller, &name), tags::pairs(request.tags))?;
    }
    Ok(api::CreateClusterResponse {
        cluster: describe_one(tx, caller, &name, true)?,
    })
}

/// `UpdateCluster` and `UpdateClusterSettings`.
pub fn update(
    tx: &mut Tx<'_>,
    caller: &Caller,
    wish: Option<&str>,
    settings: Option<Vec<api::ClusterSetting>>,
    configuration: Option<api::ClusterConfiguration>,
) -> Result<Option<api::Cluster>, ApiError> {
    change(tx, caller, wish, |record| {
        record.settings = settings.or(record.settings.take());
        record.configuration = configuration.or(record.configuration.take());
    })
}

/// `PutClusterCapacityProviders`.
pub fn put_capacity_providers(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::PutClusterCapacityProvidersRequest,
) -> Result<api::PutClusterCapacityProvidersResponse, ApiError> {
    let cluster = change(tx, caller, request.cluster.as_deref(), |record| {
        record.capacity_providers = request.capacity_providers;
        record.default_strategy = request.default_capacity_provider_strategy;
    })?;
    Ok(api::PutClusterCapacityProvidersResponse { cluster })
}

fn change(
    tx: &mut Tx<'_>,
    caller: &Caller,
    wish: Option<&str>,
    edit: impl FnOnce(&mut ClusterRecord),
) -> Result<Option<api::Cluster>, ApiError> {
    let name = check_active(tx, caller, wish)?;
    let mut record = tx
        .get::<ClusterRecord>(&key(caller, &name))?
        .ok_or_else(not_found)?;
    edit(&mut record);
    tx.put(&key(caller, &name), &record)?;
    describe_one(tx, caller, &name, true)
}

/// `DeleteCluster`: only when no task of it is left running.
pub fn delete(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::DeleteClusterRequest,
) -> Result<api::DeleteClusterResponse, ApiError> {
    let name = check_active(tx, caller, request.cluster.as_deref())?;
    let (running, pending) = counts(tx, caller, &name)?;
    if running + pending > 0 {
        let text = "The Cluster cannot be deleted while Tasks are active.";
        return Err(ApiError::client("ClusterContainsTasksException", text));
    }
    let cluster = change(tx, caller, Some(&name), |c| {
        INACTIVE.clone_into(&mut c.status)
    })?;
    tags::clear(tx, &cluster_arn(caller, &name));
    Ok(api::DeleteClusterResponse { cluster })
}

/// `ListClusters`.
pub fn list(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListClustersRequest,
) -> Result<api::ListClustersResponse, ApiError> {
    let prefix = Key::new("cluster")
        .part(&caller.account)
        .part(&caller.region);
    let clusters = db.all::<ClusterRecord>(&prefix)?;
    let arns = clusters
        .into_iter()
        .filter(|c| c.status == ACTIVE)
        .map(|c| cluster_arn(caller, &c.name))
        .collect();
    let (arns, next_token) = page(
        arns,
        request.next_token.as_deref(),
        request.max_results,
        100,
    )?;
    Ok(api::ListClustersResponse {
        cluster_arns: Some(arns),
        next_token,
    })
}

/// `DescribeClusters`: what is not there comes as a failure `MISSING`.
pub fn describe(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeClustersRequest,
) -> Result<api::DescribeClustersResponse, ApiError> {
    let wishes = request
        .clusters
        .clone()
        .unwrap_or_else(|| vec!["default".to_owned()]);
    let include = request.include.clone().unwrap_or_default();
    let with_tags = include.iter().any(|i| i == "TAGS");
    let (mut clusters, mut failures) = (Vec::new(), Vec::new());
    for wish in wishes {
        let name = name_of(Some(&wish));
        match describe_one(db, caller, name, with_tags)? {
            Some(cluster) => clusters.push(cluster),
            None => failures.push(super::missing(cluster_arn(caller, name))),
        }
    }
    Ok(api::DescribeClustersResponse {
        clusters: Some(clusters),
        failures: Some(failures),
    })
}

fn describe_one(
    db: &impl Reader,
    caller: &Caller,
    name: &str,
    with_tags: bool,
) -> Result<Option<api::Cluster>, ApiError> {
    let Some(record) = db.get::<ClusterRecord>(&key(caller, name))? else {
        return Ok(None);
    };
    let (running, pending) = counts(db, caller, name)?;
    let arn = cluster_arn(caller, name);
    let tags = if with_tags {
        Some(tags::shown(tags::of(db, &arn)?.0))
    } else {
        None
    };
    Ok(Some(api::Cluster {
        cluster_arn: Some(arn),
        cluster_name: Some(record.name),
        status: Some(record.status),
        settings: Some(record.settings.unwrap_or_default()),
        configuration: record.configuration,
        capacity_providers: Some(record.capacity_providers.unwrap_or_default()),
        default_capacity_provider_strategy: Some(record.default_strategy.unwrap_or_default()),
        registered_container_instances_count: Some(0),
        running_tasks_count: Some(running),
        pending_tasks_count: Some(pending),
        active_services_count: Some(0),
        statistics: Some(Vec::new()),
        tags,
        ..Default::default()
    }))
}

fn counts(db: &impl Reader, caller: &Caller, cluster: &str) -> Result<(i32, i32), ApiError> {
    let (mut running, mut pending) = (0, 0_i32);
    let waiting = queue::waiting_of(db, &cluster_arn(caller, cluster))?;
    pending += i32::try_from(waiting).unwrap_or(i32::MAX);
    let prefix = queue::placed_prefix(&caller.account, &caller.region);
    for entry in db.list::<Placed>(&prefix, Direction::Forward) {
        let (key, _) = entry?;
        let Some(task) = super::task::of_mark(db, &key)? else {
            continue;
        };
        if task.cluster() != cluster {
            continue;
        }
        match task.task.last_status.as_deref() {
            Some("RUNNING") => running += 1,
            _ => pending += 1,
        }
    }
    Ok((running, pending))
}
