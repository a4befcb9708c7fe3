//! Tasks: RunTask with its checks, StopTask, ListTasks, DescribeTasks. Never touches a container: it writes the task
//! and queues it for a place.

use landfall_core::api::generated::ecs as api;
use landfall_core::arn::{Arn, arn};
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::task::room::Size;
use landfall_core::task::{self as rules, TaskStatus, task_id};
use landfall_store::Direction;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{cluster, definition, invalid, lack, life, place, queue, size};
use crate::keep::{networks, tags};
use crate::key::{self, Key};
use crate::page::page;
use crate::tell;
use crate::tx::{Effect, Reader, Tx};

/// A task as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskRecord {
    /// As the API shows it, tags aside.
    pub task: api::Task,
    /// Account of its cluster.
    pub account: String,
    /// Region of its cluster.
    pub region: String,
    /// 32 hex digits; also the beginning of its containers' ids in the runtime.
    pub id: String,
    /// Number of the delivery that started it.
    pub delivery: Option<u64>,
    /// How far each container's output has been read.
    pub output_positions: BTreeMap<String, u64>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When the runtime reported its last container's end.
    pub ended_at: Option<Timestamp>,
    /// In what it failed, if it did; told by what made its end wanted.
    #[serde(default)]
    pub failure: Option<Failure>,
    /// When it got a place.
    #[serde(default)]
    pub placed_at: Option<Timestamp>,
    /// ARN of the rule that started it.
    #[serde(default)]
    pub rule_arn: Option<String>,
    /// Its number in its line, while it waits for a place.
    #[serde(default)]
    pub number: Option<u64>,
}
crate::record!(TaskRecord in Road);

/// The delivery that starts a task.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Its number.
    pub delivery: u64,
    /// ARN of its rule.
    pub rule_arn: &'a str,
}

/// In what a task failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// It was not started.
    Start,
    /// It ran, and the container whose end was its end failed or was lost.
    Exit,
}

impl TaskRecord {
    /// Name of its cluster.
    pub fn cluster(&self) -> &str {
        cluster::name_of(self.task.cluster_arn.as_deref())
    }

    /// Its ARN.
    pub fn arn(&self) -> &str {
        self.task.task_arn.as_deref().unwrap_or_default()
    }

    /// The line in which it waits: that of its rule, else of its cluster.
    pub fn line(&self) -> &str {
        let cluster = self.task.cluster_arn.as_deref();
        self.rule_arn.as_deref().or(cluster).unwrap_or_default()
    }

    /// What it takes of the host.
    pub fn size(&self) -> Size {
        size::of(&self.task)
    }

    /// Where it is in its life.
    pub fn status(&self) -> TaskStatus {
        let text = self.task.last_status.as_deref().unwrap_or_default();
        let known = TaskStatus::ALL
            .into_iter()
            .find(|status| status.as_str() == text);
        known.unwrap_or(TaskStatus::Stopped)
    }

    /// Whether its end is wanted.
    pub fn is_unwanted(&self) -> bool {
        self.task.desired_status.as_deref() == Some("STOPPED")
    }
}

fn prefix(account: &str, region: &str) -> Key {
    Key::new("task").part(account).part(region)
}

/// The task that the mark of a place stands for.
pub(super) fn of_mark(db: &impl Reader, mark: &Key) -> Result<Option<TaskRecord>, ApiError> {
    let parts = key::parts(mark.bytes());
    let key = parts
        .iter()
        .fold(Key::new("task"), |key, part| key.part(part));
    db.get(&key)
}

/// The task of an ARN.
pub fn by_arn(db: &impl Reader, arn: &str) -> Result<Option<TaskRecord>, ApiError> {
    key_of(arn).map_or(Ok(None), |key| db.get(&key))
}

/// Key of the task of an ARN.
pub(crate) fn key_of(arn: &str) -> Option<Key> {
    let (arn, id) = parsed(arn)?;
    Some(prefix(arn.account, arn.region).part(id))
}

/// Whether the task of an ARN has not stopped.
pub(crate) fn is_active(db: &impl Reader, arn: &str) -> Result<bool, ApiError> {
    let found = by_arn(db, arn)?;
    Ok(found.is_some_and(|record| record.status() != TaskStatus::Stopped))
}

/// Lets go of a stopped task and what hangs on it.
pub(crate) fn forget(tx: &mut Tx<'_>, arn: &str) -> Result<(), ApiError> {
    let Some(key) = key_of(arn) else {
        return Ok(());
    };
    if !is_active(tx, arn)? {
        tx.delete::<TaskRecord>(&key);
        tags::clear(tx, arn);
    }
    Ok(())
}

fn parsed(arn: &str) -> Option<(Arn<'_>, &str)> {
    let arn = Arn::parse(arn)?;
    let id = arn.resource.rsplit('/').next().unwrap_or_default();
    Some((arn, id))
}

/// Writes a task.
pub(super) fn save(tx: &mut Tx<'_>, record: &TaskRecord) -> Result<(), ApiError> {
    tx.put(
        &prefix(&record.account, &record.region).part(&record.id),
        record,
    )?;
    match record.status() {
        TaskStatus::Stopped => tell::task_ended(tx, record),
        _ => Ok(()),
    }
}

/// `RunTask`. With the same client token it answers with the tasks that the first call made; a task that is larger than
/// all there is comes as a failure.
pub fn run_task(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::RunTaskRequest,
    origin: Option<Origin<'_>>,
) -> Result<api::RunTaskResponse, ApiError> {
    let (cluster, definition, count) = checked(tx, caller, &request)?;
    let cluster_arn = cluster::cluster_arn(caller, &cluster);
    let token = request
        .client_token
        .clone()
        .unwrap_or_else(|| tx.ids().uuid());
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for index in 0..u32::try_from(count).unwrap_or(0) {
        let id = task_id(&cluster_arn, &token, index);
        let former = tx.get::<TaskRecord>(&prefix(&caller.account, &caller.region).part(&id))?;
        let made = match former {
            Some(former) => Ok(same(former, &request, &definition)?),
            None => create(tx, caller, &request, &definition, &cluster, &id, origin)?,
        };
        match made {
            Ok(record) => tasks.push(with_tags(tx, record.task)?),
            Err(failure) => failures.push(failure),
        }
    }
    Ok(api::RunTaskResponse {
        tasks: Some(tasks),
        failures: Some(failures),
    })
}

/// The cluster, the definition and the number of tasks of a request that may run.
///
/// Errors: those with which RunTask refuses it.
pub(crate) fn checked(
    db: &impl Reader,
    caller: &Caller,
    request: &api::RunTaskRequest,
) -> Result<(String, api::TaskDefinition, i32), ApiError> {
    let cluster = cluster::check_active(db, caller, request.cluster.as_deref())?;
    let wish = request.task_definition.as_deref().unwrap_or_default();
    let definition = definition::find(db, caller, wish)?
        .ok_or_else(|| super::client("TaskDefinition not found."))?;
    if definition.status.as_deref() != Some("ACTIVE") {
        return Err(super::client("TaskDefinition is inactive"));
    }
    check(db, caller, request, &definition)?;
    let count = request.count.unwrap_or(1);
    if !(1..=limits::ECS_RUN_TASK_COUNT_MAX).contains(&count) {
        return Err(invalid("count should be between 1 and 10"));
    }
    Ok((cluster, definition, count))
}

fn same(
    former: TaskRecord,
    request: &api::RunTaskRequest,
    definition: &api::TaskDefinition,
) -> Result<TaskRecord, ApiError> {
    let same = former.task.task_definition_arn == definition.task_definition_arn
        && former.task.started_by == request.started_by;
    if same {
        return Ok(former);
    }
    let text = "The clientToken was used for a RunTask request with other parameters.";
    Err(ApiError::client("ConflictException", text).member("resourceIds", former.arn()))
}

fn create(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::RunTaskRequest,
    definition: &api::TaskDefinition,
    cluster: &str,
    id: &str,
    origin: Option<Origin<'_>>,
) -> Result<Result<TaskRecord, api::Failure>, ApiError> {
    let task_arn = arn(
        "ecs",
        &caller.region,
        &caller.account,
        format_args!("task/{cluster}/{id}"),
    );
    let now = tx.now();
    let mut record = TaskRecord {
        task: shape(tx, caller, request, definition, &task_arn, cluster),
        account: caller.account.clone(),
        region: caller.region.clone(),
        id: id.to_owned(),
        delivery: origin.map(|it| it.delivery),
        output_positions: BTreeMap::new(),
        requested_at: now,
        ended_at: None,
        failure: None,
        placed_at: None,
        rule_arn: origin.map(|it| it.rule_arn.to_owned()),
        number: None,
    };
    if let Some(lacking) = place::lacking(tx.settings(), record.size()) {
        return Ok(Err(lack::failure(tx.settings(), record.size(), lacking)));
    }
    let mut given: Vec<(String, String)> = Vec::new();
    if request.propagate_tags.as_deref() == Some("TASK_DEFINITION") {
        let of = definition
            .task_definition_arn
            .as_deref()
            .unwrap_or_default();
        given.extend(tags::of(tx, of)?.0);
    }
    if request.enable_ecs_managed_tags == Some(true) {
        given.push(("aws:ecs:clusterName".to_owned(), cluster.to_owned()));
    }
    given.extend(tags::pairs(request.tags.clone()));
    tags::add(tx, &task_arn, given)?;
    life::begin(tx, &mut record)?;
    queue::join(tx, &mut record, None)?;
    save(tx, &record)?;
    Ok(Ok(record))
}

fn shape(
    tx: &Tx<'_>,
    caller: &Caller,
    request: &api::RunTaskRequest,
    definition: &api::TaskDefinition,
    task_arn: &str,
    cluster: &str,
) -> api::Task {
    let overrides = request.overrides.clone().unwrap_or_default();
    let family = definition.family.clone().unwrap_or_default();
    let fargate = request.launch_type.as_deref() == Some("FARGATE");
    api::Task {
        task_arn: Some(task_arn.to_owned()),
        cluster_arn: Some(cluster::cluster_arn(caller, cluster)),
        task_definition_arn: definition.task_definition_arn.clone(),
        containers: Some(containers(tx, caller, definition, task_arn, cluster)),
        attachments: Some(attachments(tx, request)),
        attributes: Some(Vec::new()),
        availability_zone: Some(format!("{}a", caller.region)),
        capacity_provider_name: request
            .capacity_provider_strategy
            .iter()
            .flatten()
            .find_map(|s| s.capacity_provider.clone()),
        connectivity: Some("CONNECTED".to_owned()),
        cpu: overrides.cpu.clone().or_else(|| definition.cpu.clone()),
        memory: overrides
            .memory
            .clone()
            .or_else(|| definition.memory.clone()),
        enable_execute_command: Some(false),
        group: Some(
            request
                .group
                .clone()
                .unwrap_or_else(|| rules::group_of_family(&family)),
        ),
        launch_type: Some(
            request
                .launch_type
                .clone()
                .unwrap_or_else(|| "EC2".to_owned()),
        ),
        platform_version: fargate.then(|| match request.platform_version.as_deref() {
            None | Some("LATEST") => "1.4.0".to_owned(),
            Some(version) => version.to_owned(),
        }),
        platform_family: fargate.then(|| "Linux".to_owned()),
        overrides: Some(filled(overrides, definition)),
        started_by: request.started_by.clone(),
        ..Default::default()
    }
}

fn containers(
    tx: &Tx<'_>,
    caller: &Caller,
    definition: &api::TaskDefinition,
    task_arn: &str,
    cluster: &str,
) -> Vec<api::Container> {
    let id = task_arn.rsplit('/').next().unwrap_or_default();
    let containers = definition.container_definitions.iter().flatten();
    let shape = |c: &api::ContainerDefinition| api::Container {
        container_arn: Some(arn(
            "ecs",
            &caller.region,
            &caller.account,
            format_args!("container/{cluster}/{id}/{}", tx.ids().uuid()),
        )),
        task_arn: Some(task_arn.to_owned()),
        name: c.name.clone(),
        image: c.image.clone(),
        last_status: Some("PENDING".to_owned()),
        network_interfaces: Some(Vec::new()),
        cpu: Some(c.cpu.unwrap_or(0).to_string()),
        memory: c.memory.map(|m| m.to_string()),
        memory_reservation: c.memory_reservation.map(|m| m.to_string()),
        ..Default::default()
    };
    containers.map(shape).collect()
}

/// ECS lists every container of the definition in the overrides, also those that nothing overrides.
fn filled(mut overrides: api::TaskOverride, definition: &api::TaskDefinition) -> api::TaskOverride {
    let list = overrides.container_overrides.get_or_insert_default();
    for container in definition.container_definitions.iter().flatten() {
        if !list.iter().any(|o| o.name == container.name) {
            list.push(api::ContainerOverride {
                name: container.name.clone(),
                ..Default::default()
            });
        }
    }
    overrides
}

fn attachments(tx: &Tx<'_>, request: &api::RunTaskRequest) -> Vec<api::Attachment> {
    let network = request.network_configuration.as_ref();
    let Some(vpc) = network.and_then(|n| n.awsvpc_configuration.as_ref()) else {
        return Vec::new();
    };
    let detail = |name: &str, value: String| api::KeyValuePair {
        name: Some(name.to_owned()),
        value: Some(value),
    };
    let subnet = vpc
        .subnets
        .iter()
        .flatten()
        .next()
        .cloned()
        .unwrap_or_default();
    vec![api::Attachment {
        id: Some(tx.ids().uuid()),
        r#type: Some("ElasticNetworkInterface".to_owned()),
        status: Some("PRECREATED".to_owned()),
        details: Some(vec![detail("subnetId", subnet)]),
    }]
}

fn check(
    db: &impl Reader,
    caller: &Caller,
    request: &api::RunTaskRequest,
    definition: &api::TaskDefinition,
) -> Result<(), ApiError> {
    let fargate = request.launch_type.as_deref() == Some("FARGATE");
    let compatible = definition
        .compatibilities
        .iter()
        .flatten()
        .any(|c| c == "FARGATE");
    if fargate && !compatible {
        return Err(invalid(
            "Task definition does not support launch_type FARGATE.",
        ));
    }
    let strategy = request
        .capacity_provider_strategy
        .as_ref()
        .is_some_and(|s| !s.is_empty());
    if request.launch_type.is_some() && strategy {
        return Err(invalid(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
        ));
    }
    if request.enable_execute_command == Some(true) {
        return Err(invalid(
            "Landfall does not support ECS Exec: leave out enableExecuteCommand.",
        ));
    }
    check_placement(request, fargate)?;
    check_network(db, caller, request, definition)?;
    check_overrides(request, definition)
}

/// On one host every strategy places a task alike; a constraint could only be met or not, and cannot be evaluated.
fn check_placement(request: &api::RunTaskRequest, fargate: bool) -> Result<(), ApiError> {
    let constraints = request.placement_constraints.iter().flatten().count() > 0;
    let strategies = request.placement_strategy.iter().flatten().count() > 0;
    if fargate && (constraints || strategies) {
        return Err(invalid(
            "Placement constraints and strategies are not supported with FARGATE launch type.",
        ));
    }
    if constraints {
        return Err(invalid(
            "Landfall runs tasks on one host and does not support placementConstraints.",
        ));
    }
    Ok(())
}

fn check_network(
    db: &impl Reader,
    caller: &Caller,
    request: &api::RunTaskRequest,
    definition: &api::TaskDefinition,
) -> Result<(), ApiError> {
    let awsvpc = definition.network_mode.as_deref() == Some("awsvpc");
    let given = request.network_configuration.as_ref();
    let Some(vpc) = given.and_then(|n| n.awsvpc_configuration.as_ref()) else {
        if awsvpc {
            return Err(invalid(
                "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            ));
        }
        return Ok(());
    };
    if !awsvpc {
        return Err(invalid(
            "Network Configuration is not valid for the given networkMode of this task definition.",
        ));
    }
    let subnets = vpc.subnets.clone().unwrap_or_default();
    let groups = vpc.security_groups.clone().unwrap_or_default();
    if subnets.is_empty() {
        return Err(invalid("subnets can not be empty."));
    }
    if subnets.len() > limits::ECS_SUBNETS_MAX {
        return Err(invalid("subnets can have at most 16 items."));
    }
    if groups.len() > limits::ECS_SECURITY_GROUPS_MAX {
        return Err(invalid("securityGroups can have at most 5 items."));
    }
    networks::check_subnets(db, caller, &subnets).map_err(|e| {
        invalid(format!(
            "Error retrieving subnet information for [{}]: {} (ErrorCode: {})",
            subnets.join(", "),
            e.message,
            e.code
        ))
    })?;
    networks::check_security_groups(db, caller, &groups).map_err(|e| {
        invalid(format!(
            "Error retrieving security group information for [{}]: {} (ErrorCode: {})",
            groups.join(", "),
            e.message,
            e.code
        ))
    })
}

fn check_overrides(
    request: &api::RunTaskRequest,
    definition: &api::TaskDefinition,
) -> Result<(), ApiError> {
    let Some(overrides) = &request.overrides else {
        return Ok(());
    };
    let text = serde_json::to_string(overrides)
        .map_err(|e| ApiError::internal(format!("cannot write overrides: {e}")))?;
    rules::check_length(&text)?;
    if overrides
        .inference_accelerator_overrides
        .as_ref()
        .is_some_and(|o| !o.is_empty())
    {
        return Err(invalid(
            "Landfall does not support inferenceAcceleratorOverrides.",
        ));
    }
    let list = || overrides.container_overrides.iter().flatten();
    let defined = definition.container_definitions.iter().flatten();
    let defined: Vec<&str> = defined.filter_map(|c| c.name.as_deref()).collect();
    rules::check_container_names(
        list().map(|o| o.name.as_deref().unwrap_or_default()),
        &defined,
    )?;
    for o in list() {
        let files = o.environment_files.as_ref().is_some_and(|f| !f.is_empty());
        let resources = o
            .resource_requirements
            .as_ref()
            .is_some_and(|r| !r.is_empty());
        if files || resources {
            return Err(invalid(
                "Landfall does not support environmentFiles and resourceRequirements in overrides.",
            ));
        }
    }
    Ok(())
}

/// `StopTask`.
pub fn stop(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::StopTaskRequest,
) -> Result<api::StopTaskResponse, ApiError> {
    let cluster = cluster::check_active(tx, caller, request.cluster.as_deref())?;
    let wish = request.task.as_deref().unwrap_or_default();
    let mut record = find(tx, caller, &cluster, wish)?
        .ok_or_else(|| invalid("The referenced task was not found."))?;
    let reason = request.reason.as_deref();
    stop_for(tx, &mut record, reason.unwrap_or("Task stopped by user"))?;
    Ok(api::StopTaskResponse {
        task: Some(with_tags(tx, record.task)?),
    })
}

/// Wants the end of a task, unless that was wanted before.
pub(super) fn stop_for(
    tx: &mut Tx<'_>,
    record: &mut TaskRecord,
    reason: &str,
) -> Result<(), ApiError> {
    if record.is_unwanted() {
        return Ok(());
    }
    life::unwanted(record, "UserInitiated", reason, tx.now());
    if record.status() == TaskStatus::Provisioning {
        record.ended_at = Some(tx.now());
        queue::leave(tx, record);
        life::end(tx, record)?;
    } else {
        tx.effect(Effect::StopTask(record.arn().to_owned()));
    }
    save(tx, record)
}

fn find(
    db: &impl Reader,
    caller: &Caller,
    cluster: &str,
    wish: &str,
) -> Result<Option<TaskRecord>, ApiError> {
    let id = wish.rsplit('/').next().unwrap_or_default();
    let record = db.get::<TaskRecord>(&prefix(&caller.account, &caller.region).part(id))?;
    Ok(record.filter(|r| r.cluster() == cluster))
}

/// `DescribeTasks`: what is not there comes as a failure `MISSING`.
pub fn describe(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeTasksRequest,
) -> Result<api::DescribeTasksResponse, ApiError> {
    let cluster = cluster::check_active(db, caller, request.cluster.as_deref())?;
    let with = request.include.iter().flatten().any(|i| i == "TAGS");
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for wish in request.tasks.iter().flatten() {
        match find(db, caller, &cluster, wish)? {
            Some(record) if with => tasks.push(with_tags(db, record.task)?),
            Some(record) => tasks.push(record.task),
            None => {
                let id = wish.rsplit('/').next().unwrap_or_default();
                let resource = format!("task/{cluster}/{id}");
                failures.push(super::missing(arn(
                    "ecs",
                    &caller.region,
                    &caller.account,
                    resource,
                )));
            }
        }
    }
    Ok(api::DescribeTasksResponse {
        tasks: Some(tasks),
        failures: Some(failures),
    })
}

fn with_tags(db: &impl Reader, mut task: api::Task) -> Result<api::Task, ApiError> {
    let arn = task.task_arn.clone().unwrap_or_default();
    task.tags = Some(tags::shown(tags::of(db, &arn)?.0));
    Ok(task)
}

/// `ListTasks`: those whose desired status is RUNNING unless asked otherwise.
pub fn list(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListTasksRequest,
) -> Result<api::ListTasksResponse, ApiError> {
    let cluster = cluster::check_active(db, caller, request.cluster.as_deref())?;
    let desired = request.desired_status.as_deref().unwrap_or("RUNNING");
    let mut arns = Vec::new();
    for entry in db.list::<TaskRecord>(&prefix(&caller.account, &caller.region), Direction::Forward)
    {
        let (_, record) = entry?;
        let task = &record.task;
        let wanted = record.cluster() == cluster
            && task.desired_status.as_deref() == Some(desired)
            && request
                .started_by
                .is_none_or_same(task.started_by.as_deref())
            && request
                .launch_type
                .is_none_or_same(task.launch_type.as_deref())
            && request
                .family
                .as_deref()
                .is_none_or(|f| family_of(task) == f)
            && request.service_name.is_none()
            && request.container_instance.is_none();
        if wanted {
            arns.push(record.arn().to_owned());
        }
    }
    let (arns, next_token) = page(
        arns,
        request.next_token.as_deref(),
        request.max_results,
        100,
    )?;
    Ok(api::ListTasksResponse {
        task_arns: Some(arns),
        next_token,
    })
}

fn family_of(task: &api::Task) -> &str {
    let arn = task.task_definition_arn.as_deref().unwrap_or_default();
    let name = arn.rsplit('/').next().unwrap_or_default();
    name.split(':').next().unwrap_or_default()
}

/// A filter that is not given lets everything pass.
trait Filter {
    fn is_none_or_same(&self, value: Option<&str>) -> bool;
}

impl Filter for Option<String> {
    fn is_none_or_same(&self, value: Option<&str>) -> bool {
        self.as_deref().is_none_or(|wish| value == Some(wish))
    }
}
