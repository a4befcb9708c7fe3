//! What the runtime is told about one container: the definition, the overrides on top, and the surroundings that an
//! unmodified AWS SDK needs to find this server. Never starts anything.

use std::collections::BTreeMap;

use landfall_core::api::generated::ecs as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::task::merge_environment;
use landfall_runtime::ContainerSpec;

use super::task::TaskRecord;
use crate::keep::parameters;
use crate::keep::roles::token::Minted;
use crate::tx::Reader;

/// What all containers of a task share.
pub(super) struct Surroundings<'a> {
    /// URL of this server as containers reach it.
    pub endpoint: &'a str,
    /// Access key id and secret, when the server checks signatures.
    pub credentials: Option<&'a (String, String)>,
    /// The credentials of the task's role, if it has one.
    pub role: Option<Minted>,
}

/// The role that a task acts as.
pub(super) fn role<'a>(
    record: &'a TaskRecord,
    definition: &'a api::TaskDefinition,
) -> Option<&'a str> {
    let overrides = record.task.overrides.as_ref();
    let over = overrides.and_then(|it| it.task_role_arn.as_deref());
    over.or(definition.task_role_arn.as_deref())
}

/// The runtime's id of a container: the task's id and the container's place in the definition.
pub(super) fn container_id(record: &TaskRecord, index: usize) -> String {
    format!("{}-{index}", record.id)
}

/// The spec of the container at `index` of the definition.
pub(super) fn container(
    db: &impl Reader,
    record: &TaskRecord,
    definition: &api::TaskDefinition,
    index: usize,
    around: &Surroundings<'_>,
) -> Result<ContainerSpec, ApiError> {
    let container = definition.container_definitions.iter().flatten().nth(index);
    let container = container.ok_or_else(|| ApiError::internal("no such container"))?;
    let no_override = api::ContainerOverride::default();
    let overrides = record.task.overrides.as_ref();
    let list = overrides.and_then(|o| o.container_overrides.as_ref());
    let over = list
        .into_iter()
        .flatten()
        .find(|o| o.name == container.name);
    let over = over.unwrap_or(&no_override);
    let memory_mib = over
        .memory
        .or(container.memory)
        .map(i64::from)
        .or_else(|| record.task.memory.as_deref().and_then(|m| m.parse().ok()));
    let cpu = over.cpu.or(container.cpu).filter(|c| *c > 0);
    let stop_timeout = container.stop_timeout.and_then(|s| u32::try_from(s).ok());
    Ok(ContainerSpec {
        id: container_id(record, index),
        image: container.image.clone().unwrap_or_default(),
        entry_point: container.entry_point.clone(),
        command: over.command.clone().or_else(|| container.command.clone()),
        environment: environment(db, record, container, over, around)?,
        working_directory: container.working_directory.clone(),
        user: container.user.clone(),
        memory_bytes_max: memory_mib
            .and_then(|m| u64::try_from(m).ok())
            .map(|m| m << 20),
        cpu_units: cpu.and_then(|c| u32::try_from(c).ok()),
        read_only_root: container.readonly_root_filesystem == Some(true),
        stop_timeout_seconds: stop_timeout.unwrap_or(limits::ECS_STOP_TIMEOUT_SECONDS_DEFAULT),
        labels: labels(record, container),
    })
}

fn labels(record: &TaskRecord, container: &api::ContainerDefinition) -> BTreeMap<String, String> {
    let mut labels = container.docker_labels.clone().unwrap_or_default();
    let own = [
        ("com.amazonaws.ecs.task-arn", record.arn()),
        ("com.amazonaws.ecs.cluster", record.cluster()),
        (
            "com.amazonaws.ecs.container-name",
            container.name.as_deref().unwrap_or_default(),
        ),
    ];
    labels.extend(own.map(|(k, v)| (k.to_owned(), v.to_owned())));
    labels
}

/// Override before definition before secrets before surroundings.
fn environment(
    db: &impl Reader,
    record: &TaskRecord,
    container: &api::ContainerDefinition,
    over: &api::ContainerOverride,
    around: &Surroundings<'_>,
) -> Result<Vec<(String, String)>, ApiError> {
    let mut all: Vec<(String, String)> = surroundings(record, around);
    for secret in container.secrets.iter().flatten() {
        let name = secret.name.clone().unwrap_or_default();
        all.push((name, secret_value(db, record, secret)?));
    }
    all.extend(pairs(container.environment.as_ref()));
    Ok(merge_environment(
        &[],
        &all,
        &pairs(over.environment.as_ref()),
    ))
}

fn pairs(list: Option<&Vec<api::KeyValuePair>>) -> Vec<(String, String)> {
    let pair = |p: &api::KeyValuePair| Some((p.name.clone()?, p.value.clone().unwrap_or_default()));
    list.into_iter().flatten().filter_map(pair).collect()
}

/// Who the containers are: the task's role; without one whoever the server knows. Accounts are chosen by access key id,
/// so on a server that believes everyone the account's number is the key that reaches the task's own resources.
fn surroundings(record: &TaskRecord, around: &Surroundings<'_>) -> Vec<(String, String)> {
    let (key, secret, token) = match (&around.role, around.credentials) {
        (Some(it), _) => (
            it.access_key_id.as_str(),
            it.secret.as_str(),
            Some(&it.token),
        ),
        (None, Some((key, secret))) => (key.as_str(), secret.as_str(), None),
        (None, None) => (record.account.as_str(), "landfall", None),
    };
    let token = token.map(|it| ("AWS_SESSION_TOKEN", it.as_str()));
    let execution = match record.task.launch_type.as_deref() {
        Some("FARGATE") => "AWS_ECS_FARGATE",
        _ => "AWS_ECS_EC2",
    };
    [
        ("AWS_ENDPOINT_URL", around.endpoint),
        ("AWS_REGION", &record.region),
        ("AWS_DEFAULT_REGION", &record.region),
        ("AWS_ACCESS_KEY_ID", key),
        ("AWS_SECRET_ACCESS_KEY", secret),
        ("AWS_EXECUTION_ENV", execution),
    ]
    .into_iter()
    .chain(token)
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

fn secret_value(
    db: &impl Reader,
    record: &TaskRecord,
    secret: &api::Secret,
) -> Result<String, ApiError> {
    let caller = Caller::service(
        "ecs-tasks.amazonaws.com",
        &record.account,
        &record.region,
        String::new(),
    );
    let from = secret.value_from.as_deref().unwrap_or_default();
    parameters::value(db, &caller, from)?.ok_or_else(|| {
        super::client(format!(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: \
             unable to retrieve secrets from ssm: invalid parameters: {from}"
        ))
    })
}
