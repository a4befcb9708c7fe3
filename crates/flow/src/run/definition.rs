//! Task definitions and their revisions. What a definition asks for and no runtime here can give is refused when it is
//! registered, by name. Never starts anything.

use landfall_core::api::generated::ecs as api;
use landfall_core::api::value::EpochSeconds;
use landfall_core::arn::{Arn, arn};
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::task::fargate_size;
use landfall_store::Direction;
use serde::{Deserialize, Serialize};

use super::supported;
use crate::keep::tags;
use crate::key::{self, Key};
use crate::page::page;
use crate::tx::{Reader, Tx};

/// One revision as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// As the API shows it.
    pub definition: api::TaskDefinition,
}
crate::record!(Definition in Control);

/// The newest revision number of a family; never goes back.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Family {
    newest: i32,
}
crate::record!(Family in Control);

fn prefix(caller: &Caller) -> Key {
    Key::new("definition")
        .part(&caller.account)
        .part(&caller.region)
}

fn revision_key(caller: &Caller, family: &str, revision: i32) -> Key {
    prefix(caller)
        .part(family)
        .number(u64::try_from(revision).unwrap_or(0))
}

fn family_key(caller: &Caller, family: &str) -> Key {
    Key::new("family")
        .part(&caller.account)
        .part(&caller.region)
        .part(family)
}

/// The revision that a request names: `family`, `family:revision` or an ARN; without a revision the newest active one.
pub fn find(
    db: &impl Reader,
    caller: &Caller,
    wish: &str,
) -> Result<Option<api::TaskDefinition>, ApiError> {
    let name = Arn::parse(wish).map_or(wish, |arn| arn.resource_name());
    if let Some((family, revision)) = name.rsplit_once(':') {
        let Ok(revision) = revision.parse::<i32>() else {
            return Ok(None);
        };
        let found = db.get::<Definition>(&revision_key(caller, family, revision))?;
        return Ok(found.map(|d| d.definition));
    }
    for entry in db.list::<Definition>(&prefix(caller).part(name), Direction::Backward) {
        let (_, found) = entry?;
        if found.definition.status.as_deref() == Some("ACTIVE") {
            return Ok(Some(found.definition));
        }
    }
    Ok(None)
}

/// `RegisterTaskDefinition`: the next revision of its family.
pub fn register(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::RegisterTaskDefinitionRequest,
) -> Result<api::RegisterTaskDefinitionResponse, ApiError> {
    supported::check(&request)?;
    let size = check_fargate(&request)?;
    let family = request.family.clone().unwrap_or_default();
    let newest = tx
        .get::<Family>(&family_key(caller, &family))?
        .map_or(0, |f| f.newest);
    let revision = newest + 1;
    let arn = arn(
        "ecs",
        &caller.region,
        &caller.account,
        format_args!("task-definition/{family}:{revision}"),
    );
    let tags: Vec<_> = tags::pairs(request.tags.clone()).collect();
    let definition = build(caller, request, size, revision, &arn, tx.now().into());
    tx.put(&family_key(caller, &family), &Family { newest: revision })?;
    let record = Definition {
        definition: definition.clone(),
    };
    tx.put(&revision_key(caller, &family, revision), &record)?;
    tags::add(tx, &arn, tags.clone())?;
    Ok(api::RegisterTaskDefinitionResponse {
        task_definition: Some(definition),
        tags: Some(tags::shown(tags)),
    })
}

fn build(
    caller: &Caller,
    request: api::RegisterTaskDefinitionRequest,
    size: Option<(u32, u32)>,
    revision: i32,
    arn: &str,
    registered_at: EpochSeconds,
) -> api::TaskDefinition {
    let requires = request.requires_compatibilities.clone().unwrap_or_default();
    let mut compatibilities = vec!["EC2".to_owned()];
    if requires.iter().any(|c| c == "FARGATE") {
        compatibilities.push("FARGATE".to_owned());
    }
    let mut containers = request.container_definitions.unwrap_or_default();
    for container in &mut containers {
        container.essential = Some(container.essential.unwrap_or(true));
        container.cpu = Some(container.cpu.unwrap_or(0));
        container.environment.get_or_insert_default();
        container.mount_points.get_or_insert_default();
        container.volumes_from.get_or_insert_default();
        container.port_mappings.get_or_insert_default();
    }
    api::TaskDefinition {
        task_definition_arn: Some(arn.to_owned()),
        container_definitions: Some(containers),
        family: request.family,
        task_role_arn: request.task_role_arn,
        execution_role_arn: request.execution_role_arn,
        network_mode: request.network_mode,
        revision: Some(revision),
        volumes: Some(request.volumes.unwrap_or_default()),
        status: Some("ACTIVE".to_owned()),
        placement_constraints: Some(request.placement_constraints.unwrap_or_default()),
        compatibilities: Some(compatibilities),
        runtime_platform: request.runtime_platform,
        requires_compatibilities: request.requires_compatibilities,
        cpu: size.map(|s| s.0.to_string()).or(request.cpu),
        memory: size.map(|s| s.1.to_string()).or(request.memory),
        pid_mode: request.pid_mode,
        ipc_mode: request.ipc_mode,
        ephemeral_storage: request.ephemeral_storage,
        registered_at: Some(registered_at),
        registered_by: Some(format!("arn:aws:iam::{}:root", caller.account)),
        ..Default::default()
    }
}

fn check_fargate(
    request: &api::RegisterTaskDefinitionRequest,
) -> Result<Option<(u32, u32)>, ApiError> {
    let requires = request
        .requires_compatibilities
        .as_deref()
        .unwrap_or_default();
    if !requires.iter().any(|c| c == "FARGATE") {
        return Ok(None);
    }
    if request.network_mode.as_deref() != Some("awsvpc") {
        return Err(super::client(
            "Fargate only supports network mode ‘awsvpc’.",
        ));
    }
    let (Some(cpu), Some(memory)) = (&request.cpu, &request.memory) else {
        return Err(super::client(
            "Fargate requires that 'cpu' be defined at the task level.",
        ));
    };
    let size = fargate_size(cpu, memory)?;
    let containers = request.container_definitions.as_deref().unwrap_or_default();
    let sum: i64 = containers.iter().filter_map(|c| c.cpu).map(i64::from).sum();
    if sum > i64::from(size.0) {
        return Err(super::client(
            "The 'cpu' of the containers exceeds the task's.",
        ));
    }
    let largest = containers
        .iter()
        .filter_map(|c| c.memory)
        .max()
        .unwrap_or(0);
    if i64::from(largest) > i64::from(size.1) {
        return Err(super::client(
            "Invalid setting for container. The 'memory' of a container exceeds the task's.",
        ));
    }
    Ok(Some(size))
}

/// `DescribeTaskDefinition`.
pub fn describe(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeTaskDefinitionRequest,
) -> Result<api::DescribeTaskDefinitionResponse, ApiError> {
    let wish = request.task_definition.as_deref().unwrap_or_default();
    let definition = find(db, caller, wish)?.ok_or_else(unable)?;
    let include = request.include.as_deref().unwrap_or_default();
    let arn = definition.task_definition_arn.clone().unwrap_or_default();
    let with_tags = include.iter().any(|i| i == "TAGS");
    let tags = if with_tags {
        Some(tags::shown(tags::of(db, &arn)?.0))
    } else {
        None
    };
    Ok(api::DescribeTaskDefinitionResponse {
        task_definition: Some(definition),
        tags,
    })
}

fn unable() -> ApiError {
    super::client("Unable to describe task definition.")
}

/// `DeregisterTaskDefinition`: the revision stays and becomes inactive.
pub fn deregister(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::DeregisterTaskDefinitionRequest,
) -> Result<api::DeregisterTaskDefinitionResponse, ApiError> {
    let wish = request.task_definition.as_deref().unwrap_or_default();
    if !Arn::parse(wish).map_or(wish, |a| a.resource).contains(':') {
        return Err(super::client("Revision is missing in the task definition."));
    }
    let now = tx.now();
    let mut definition = find(tx, caller, wish)?
        .ok_or_else(|| super::client("The specified task definition does not exist."))?;
    definition.status = Some("INACTIVE".to_owned());
    definition.deregistered_at = Some(now.into());
    save(tx, caller, &definition)?;
    Ok(api::DeregisterTaskDefinitionResponse {
        task_definition: Some(definition),
    })
}

/// `DeleteTaskDefinitions`: only inactive revisions.
pub fn delete(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::DeleteTaskDefinitionsRequest,
) -> Result<api::DeleteTaskDefinitionsResponse, ApiError> {
    let (mut done, mut failures) = (Vec::new(), Vec::new());
    let now = tx.now();
    for wish in request.task_definitions.iter().flatten() {
        match find(tx, caller, wish)? {
            Some(mut definition) if definition.status.as_deref() == Some("INACTIVE") => {
                definition.status = Some("DELETE_IN_PROGRESS".to_owned());
                definition.delete_requested_at = Some(now.into());
                let family = definition.family.clone().unwrap_or_default();
                let revision = definition.revision.unwrap_or_default();
                tx.delete::<Definition>(&revision_key(caller, &family, revision));
                done.push(definition);
            }
            Some(_) => failures.push(api::Failure {
                arn: Some(wish.clone()),
                reason: Some("The specified task definition is still in ACTIVE status.".to_owned()),
                detail: None,
            }),
            None => failures.push(super::missing(wish.clone())),
        }
    }
    Ok(api::DeleteTaskDefinitionsResponse {
        task_definitions: Some(done),
        failures: Some(failures),
    })
}

fn save(
    tx: &mut Tx<'_>,
    caller: &Caller,
    definition: &api::TaskDefinition,
) -> Result<(), ApiError> {
    let family = definition.family.as_deref().unwrap_or_default();
    let key = revision_key(caller, family, definition.revision.unwrap_or_default());
    tx.put(
        &key,
        &Definition {
            definition: definition.clone(),
        },
    )
}

/// `ListTaskDefinitions`.
pub fn list(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListTaskDefinitionsRequest,
) -> Result<api::ListTaskDefinitionsResponse, ApiError> {
    let status = request.status.as_deref().unwrap_or("ACTIVE");
    let family = request.family_prefix.as_deref();
    let scope = match family {
        Some(family) => prefix(caller).part(family),
        None => prefix(caller),
    };
    let mut arns: Vec<String> = db
        .all::<Definition>(&scope)?
        .into_iter()
        .filter(|d| d.definition.status.as_deref() == Some(status))
        .filter_map(|d| d.definition.task_definition_arn)
        .collect();
    if request.sort.as_deref() == Some("DESC") {
        arns.reverse();
    }
    let (arns, next_token) = page(
        arns,
        request.next_token.as_deref(),
        request.max_results,
        100,
    )?;
    Ok(api::ListTaskDefinitionsResponse {
        task_definition_arns: Some(arns),
        next_token,
    })
}

/// `ListTaskDefinitionFamilies`.
pub fn list_families(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListTaskDefinitionFamiliesRequest,
) -> Result<api::ListTaskDefinitionFamiliesResponse, ApiError> {
    let wish = request.status.as_deref().unwrap_or("ALL");
    let begin = request.family_prefix.as_deref().unwrap_or_default();
    let mut families: Vec<(String, bool)> = Vec::new();
    for entry in db.list::<Definition>(&prefix(caller).beginning(begin), Direction::Forward) {
        let (key, record) = entry?;
        let parts = key::parts(key.bytes());
        let family = parts
            .get(2)
            .map(|f| String::from_utf8_lossy(f).into_owned());
        let active = record.definition.status.as_deref() == Some("ACTIVE");
        match (families.last_mut(), family) {
            (Some((last, any)), Some(family)) if *last == family => *any |= active,
            (_, Some(family)) => families.push((family, active)),
            (_, None) => {}
        }
    }
    let wanted = |active: bool| match wish {
        "ACTIVE" => active,
        "INACTIVE" => !active,
        _ => true,
    };
    let names = families
        .into_iter()
        .filter(|(_, a)| wanted(*a))
        .map(|(f, _)| f)
        .collect();
    let (names, next_token) = page(
        names,
        request.next_token.as_deref(),
        request.max_results,
        100,
    )?;
    Ok(api::ListTaskDefinitionFamiliesResponse {
        families: Some(names),
        next_token,
    })
}
