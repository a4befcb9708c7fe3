//! Targets of a rule. What is accepted here is honoured at delivery; everything else is refused here, by name.

use landfall_core::api::generated::events as api;
use landfall_core::arn::Arn;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::transform::{self, TargetInput};

use super::bus::BusKey;
use super::{limit_exceeded, rules};
use crate::page::page;
use crate::tx::{Reader, Tx};

/// What a target's ARN names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// An ECS cluster: a task is run.
    EcsTask,
    /// An SQS queue: a message is sent.
    Queue,
    /// A log group: a log event is put.
    LogGroup,
    /// Another bus: the event goes on there.
    Bus,
}

/// The kind of a target ARN; `None` for what Landfall does not deliver to.
pub fn kind(arn: &str) -> Option<TargetKind> {
    let arn = Arn::parse(arn)?;
    match arn.service {
        "ecs" if arn.resource.starts_with("cluster/") => Some(TargetKind::EcsTask),
        "sqs" => Some(TargetKind::Queue),
        "logs" if arn.resource.starts_with("log-group:") => Some(TargetKind::LogGroup),
        "events" if arn.resource.starts_with("event-bus/") => Some(TargetKind::Bus),
        _ => None,
    }
}

/// How the target wants its input made.
pub fn input(target: &api::Target) -> TargetInput {
    if let Some(transformer) = &target.input_transformer {
        let paths = transformer.input_paths_map.clone().unwrap_or_default();
        return TargetInput::Transformer {
            paths: paths.into_iter().collect(),
            template: transformer.input_template.clone().unwrap_or_default(),
        };
    }
    match (&target.input, &target.input_path) {
        (Some(text), _) => TargetInput::Constant(text.clone()),
        (None, Some(path)) => TargetInput::Path(path.clone()),
        (None, None) => TargetInput::Event,
    }
}

/// `PutTargets`: all of them or, when one is bad, none.
pub fn put(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::PutTargetsRequest,
) -> Result<api::PutTargetsResponse, ApiError> {
    let bus = BusKey::of(caller, request.event_bus_name.as_deref());
    let name = request.rule.unwrap_or_default();
    let mut rule = rules::find(tx, &bus, &name)?;
    for target in request.targets.unwrap_or_default() {
        check(&bus, &target)?;
        rule.targets.retain(|t| t.id != target.id);
        rule.targets.push(target);
    }
    if rule.targets.len() > limits::EVENTS_TARGETS_PER_RULE_MAX {
        return Err(limit_exceeded());
    }
    rules::store(tx, &bus, &rule)?;
    Ok(api::PutTargetsResponse {
        failed_entry_count: Some(0),
        failed_entries: Some(Vec::new()),
    })
}

/// `RemoveTargets`.
pub fn remove(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::RemoveTargetsRequest,
) -> Result<api::RemoveTargetsResponse, ApiError> {
    let bus = BusKey::of(caller, request.event_bus_name.as_deref());
    let mut rule = rules::find(tx, &bus, request.rule.as_deref().unwrap_or_default())?;
    let ids = request.ids.unwrap_or_default();
    rule.targets
        .retain(|t| t.id.as_ref().is_none_or(|id| !ids.contains(id)));
    rules::store(tx, &bus, &rule)?;
    let failed_entries = Some(Vec::new());
    Ok(api::RemoveTargetsResponse {
        failed_entry_count: Some(0),
        failed_entries,
    })
}

/// `ListTargetsByRule`.
pub fn list(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListTargetsByRuleRequest,
) -> Result<api::ListTargetsByRuleResponse, ApiError> {
    let bus = BusKey::of(caller, request.event_bus_name.as_deref());
    let rule = rules::find(db, &bus, request.rule.as_deref().unwrap_or_default())?;
    let (targets, next_token) = page(
        rule.targets,
        request.next_token.as_deref(),
        request.limit,
        100,
    )?;
    Ok(api::ListTargetsByRuleResponse {
        targets: Some(targets),
        next_token,
    })
}

fn check(bus: &BusKey, target: &api::Target) -> Result<(), ApiError> {
    let id = target.id.as_deref().unwrap_or_default();
    let arn = target.arn.as_deref().unwrap_or_default();
    if Arn::parse(arn).is_none() {
        let text =
            format!("Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.");
        return Err(ApiError::validation(text));
    }
    let Some(kind) = kind(arn) else {
        return Err(ApiError::validation(format!(
            "Target {id} is not supported: Landfall delivers to ECS clusters, SQS queues, CloudWatch Logs log \
             groups and event buses, not to {arn}."
        )));
    };
    check_parameters(kind, target, id)?;
    if kind == TargetKind::Bus && arn == bus.arn() {
        let text = format!("Target {id} is the rule's own event bus.");
        return Err(ApiError::validation(text));
    }
    let ways = [
        target.input.is_some(),
        target.input_path.is_some(),
        target.input_transformer.is_some(),
    ];
    if ways.iter().filter(|w| **w).count() > 1 {
        return Err(ApiError::validation(format!(
            "Only one of Input, InputPath, or InputTransformer must be provided for target {id}."
        )));
    }
    transform::validate(id, &input(target))?;
    check_dead_letter(bus, target, id)
}

fn check_parameters(kind: TargetKind, target: &api::Target, id: &str) -> Result<(), ApiError> {
    let foreign = [
        ("KinesisParameters", target.kinesis_parameters.is_some()),
        (
            "RunCommandParameters",
            target.run_command_parameters.is_some(),
        ),
        ("BatchParameters", target.batch_parameters.is_some()),
        ("HttpParameters", target.http_parameters.is_some()),
        (
            "RedshiftDataParameters",
            target.redshift_data_parameters.is_some(),
        ),
        (
            "SageMakerPipelineParameters",
            target.sage_maker_pipeline_parameters.is_some(),
        ),
        ("AppSyncParameters", target.app_sync_parameters.is_some()),
        (
            "EcsParameters",
            target.ecs_parameters.is_some() && kind != TargetKind::EcsTask,
        ),
        (
            "SqsParameters",
            target.sqs_parameters.is_some() && kind != TargetKind::Queue,
        ),
    ];
    if let Some((name, _)) = foreign.iter().find(|(_, given)| *given) {
        return Err(ApiError::validation(format!(
            "Parameter {name} does not apply to the ARN of target {id}."
        )));
    }
    if kind != TargetKind::EcsTask {
        return Ok(());
    }
    let Some(ecs) = &target.ecs_parameters else {
        let text = format!("Parameter EcsParameters is required for target {id}.");
        return Err(ApiError::validation(text));
    };
    if target.role_arn.as_deref().unwrap_or_default().is_empty() {
        return Err(ApiError::validation(format!(
            "RoleArn is required for target {id}."
        )));
    }
    check_honoured(ecs, id)?;
    let strategy = ecs
        .capacity_provider_strategy
        .as_ref()
        .is_some_and(|s| !s.is_empty());
    if ecs.launch_type.is_some() && strategy {
        return Err(ApiError::validation(format!(
            "Only one of LaunchType or CapacityProviderStrategy must be provided for target {id}."
        )));
    }
    Ok(())
}

/// What RunTask would refuse at every delivery is refused once, here.
fn check_honoured(ecs: &api::EcsParameters, id: &str) -> Result<(), ApiError> {
    let constrained = ecs
        .placement_constraints
        .as_ref()
        .is_some_and(|c| !c.is_empty());
    let exec = ecs.enable_execute_command == Some(true);
    let asked = match (constrained, exec) {
        (true, _) => "PlacementConstraints",
        (_, true) => "EnableExecuteCommand",
        _ => return Ok(()),
    };
    Err(ApiError::validation(format!(
        "Target {id} asks for {asked}, which Landfall does not support."
    )))
}

/// Neither the queue nor its policy is looked at, as on AWS: both may come later.
fn check_dead_letter(bus: &BusKey, target: &api::Target, id: &str) -> Result<(), ApiError> {
    let Some(arn) = target
        .dead_letter_config
        .as_ref()
        .and_then(|d| d.arn.as_deref())
    else {
        return Ok(());
    };
    let reason = if kind(arn) != Some(TargetKind::Queue) || arn.ends_with(".fifo") {
        "it must be the ARN of a standard SQS queue."
    } else if Arn::parse(arn).is_some_and(|arn| arn.region != bus.region) {
        "the queue must be in the Region of the rule."
    } else {
        return Ok(());
    };
    Err(ApiError::validation(format!(
        "Parameter DeadLetterConfig.Arn of target {id} is not valid. Reason: {reason}"
    )))
}
