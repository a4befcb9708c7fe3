//! Stacks, their events and their resources as the API shows them. Never changes anything.

use landfall_core::api::generated::cloudformation as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::Direction;

use super::find::required;
use super::model::{
    EventRecord, OnFailure, ResourceRecord, StackRecord, events_key, resource, resources_key,
    stacks_key,
};
use super::plan::invalid;
use crate::page::page;
use crate::tx::Reader;

const PAGE: usize = limits::CLOUDFORMATION_PAGE_ITEMS_MAX;
const NOT_CHECKED: &str = "NOT_CHECKED";

/// `DescribeStacks`: one by name or id, or all that are not deleted.
pub fn describe_stacks(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeStacksInput,
) -> Result<api::DescribeStacksOutput, ApiError> {
    let found = match request.stack_name.as_deref().filter(|it| !it.is_empty()) {
        Some(name) => vec![required(db, caller, Some(name))?],
        None => newest_first(db, caller, |it| it.deleted.is_none())?,
    };
    let (found, next_token) = page(found, request.next_token.as_deref(), None, PAGE)?;
    let stacks = Some(found.into_iter().map(shown).collect());
    Ok(api::DescribeStacksOutput { stacks, next_token })
}

fn newest_first(
    db: &impl Reader,
    caller: &Caller,
    wanted: impl Fn(&StackRecord) -> bool,
) -> Result<Vec<StackRecord>, ApiError> {
    let mut all = db.all::<StackRecord>(&stacks_key(caller))?;
    all.retain(wanted);
    all.sort_by_key(|it| std::cmp::Reverse(it.created));
    Ok(all)
}

fn shown(stack: StackRecord) -> api::Stack {
    api::Stack {
        stack_id: Some(stack.id),
        stack_name: Some(stack.name),
        change_set_id: stack.change_set_id,
        description: stack.wanted.description,
        parameters: Some(
            stack
                .wanted
                .parameters
                .iter()
                .map(|it| it.shown())
                .collect(),
        ),
        creation_time: Some(stack.created.into()),
        deletion_time: stack.deleted.map(Into::into),
        last_updated_time: stack.updated.map(Into::into),
        rollback_configuration: Some(api::RollbackConfiguration::default()),
        stack_status: Some(stack.status),
        stack_status_reason: stack.status_reason,
        disable_rollback: Some(stack.on_failure == OnFailure::DoNothing),
        notification_ar_ns: Some(Vec::new()),
        timeout_in_minutes: stack.timeout_minutes,
        capabilities: Some(stack.wanted.capabilities),
        outputs: Some(stack.outputs),
        role_arn: stack.wanted.role_arn,
        tags: Some(stack.wanted.tags),
        enable_termination_protection: Some(stack.termination_protection),
        drift_information: Some(api::StackDriftInformation {
            stack_drift_status: Some(NOT_CHECKED.to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// `ListStacks`, deleted ones among them.
pub fn list_stacks(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListStacksInput,
) -> Result<api::ListStacksOutput, ApiError> {
    let filter = request.stack_status_filter.as_deref().unwrap_or_default();
    let wanted = |it: &StackRecord| filter.is_empty() || filter.contains(&it.status);
    let found = newest_first(db, caller, wanted)?;
    let (found, next_token) = page(found, request.next_token.as_deref(), None, PAGE)?;
    let summary = |stack: StackRecord| api::StackSummary {
        stack_id: Some(stack.id),
        stack_name: Some(stack.name),
        template_description: stack.wanted.description,
        creation_time: Some(stack.created.into()),
        last_updated_time: stack.updated.map(Into::into),
        deletion_time: stack.deleted.map(Into::into),
        stack_status: Some(stack.status),
        stack_status_reason: stack.status_reason,
        drift_information: Some(api::StackDriftInformationSummary {
            stack_drift_status: Some(NOT_CHECKED.to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let stack_summaries = Some(found.into_iter().map(summary).collect());
    Ok(api::ListStacksOutput {
        stack_summaries,
        next_token,
    })
}

/// `DescribeStackEvents`, newest first.
pub fn describe_stack_events(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeStackEventsInput,
) -> Result<api::DescribeStackEventsOutput, ApiError> {
    let stack = named(db, caller, request.stack_name.as_deref())?;
    let prefix = events_key(&stack.id);
    let (from, mut to) = prefix.range();
    if let Some(token) = request.next_token.as_deref().filter(|it| !it.is_empty()) {
        let number = token
            .parse()
            .map_err(|_| invalid("The NextToken value is not valid."))?;
        to = std::ops::Bound::Excluded(prefix.clone().number(number).bytes().to_vec());
    }
    let mut events = Vec::new();
    let mut next_token = None;
    for entry in db
        .list_between::<EventRecord>(from, to, Direction::Backward)
        .take(PAGE)
    {
        let (key, record) = entry?;
        let last = crate::key::parts(key.bytes()).pop().unwrap_or_default();
        next_token = crate::key::number(&last);
        events.push(record.event);
    }
    let next_token = next_token
        .filter(|_| events.len() == PAGE)
        .map(|it| it.to_string());
    Ok(api::DescribeStackEventsOutput {
        stack_events: Some(events),
        next_token,
    })
}

/// The words for a missing stack that the calls about its inside have.
fn named(db: &impl Reader, caller: &Caller, name: Option<&str>) -> Result<StackRecord, ApiError> {
    let missing = || {
        invalid(format!(
            "Stack [{}] does not exist",
            name.unwrap_or_default()
        ))
    };
    super::find::find(db, caller, name.unwrap_or_default())?.ok_or_else(missing)
}

/// `DescribeStackResource`.
pub fn describe_stack_resource(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeStackResourceInput,
) -> Result<api::DescribeStackResourceOutput, ApiError> {
    let stack = required(db, caller, request.stack_name.as_deref())?;
    let id = request.logical_resource_id.as_deref().unwrap_or_default();
    let Some(record) = resource(db, &stack.id, id)? else {
        let name = &stack.name;
        return Err(invalid(format!(
            "Resource {id} does not exist for stack {name}"
        )));
    };
    Ok(api::DescribeStackResourceOutput {
        stack_resource_detail: Some(api::StackResourceDetail {
            stack_name: Some(stack.name),
            stack_id: Some(stack.id),
            logical_resource_id: Some(record.logical_id),
            physical_resource_id: shown_id(record.physical_id),
            resource_type: Some(record.resource_type),
            last_updated_timestamp: Some(record.changed.into()),
            resource_status: Some(record.status),
            resource_status_reason: record.reason,
            metadata: record.metadata.map(|it| it.to_string()),
            drift_information: Some(drift()),
            ..Default::default()
        }),
    })
}

fn shown_id(physical_id: String) -> Option<String> {
    Some(physical_id).filter(|it| !it.is_empty())
}

fn drift() -> api::StackResourceDriftInformation {
    api::StackResourceDriftInformation {
        stack_resource_drift_status: Some(NOT_CHECKED.to_owned()),
        ..Default::default()
    }
}

/// `DescribeStackResources`: by stack, or by the physical id of one of its resources.
pub fn describe_stack_resources(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeStackResourcesInput,
) -> Result<api::DescribeStackResourcesOutput, ApiError> {
    let stack = match (&request.stack_name, &request.physical_resource_id) {
        (Some(_), Some(_)) => {
            return Err(invalid(
                "Only one of StackName or PhysicalResourceId may be specified.",
            ));
        }
        (Some(name), None) => required(db, caller, Some(name))?,
        (None, Some(id)) => owner(db, caller, id)?,
        (None, None) => {
            return Err(invalid(
                "Stack name or physical resource id must be specified.",
            ));
        }
    };
    let wish = request.logical_resource_id.as_deref();
    let shown = |record: ResourceRecord| api::StackResource {
        stack_name: Some(stack.name.clone()),
        stack_id: Some(stack.id.clone()),
        logical_resource_id: Some(record.logical_id),
        physical_resource_id: shown_id(record.physical_id),
        resource_type: Some(record.resource_type),
        timestamp: Some(record.changed.into()),
        resource_status: Some(record.status),
        resource_status_reason: record.reason,
        drift_information: Some(drift()),
        ..Default::default()
    };
    let mut all = db.all::<ResourceRecord>(&resources_key(&stack.id))?;
    all.retain(|it| wish.is_none_or(|id| it.logical_id == id));
    all.truncate(PAGE);
    let stack_resources = Some(all.into_iter().map(shown).collect());
    Ok(api::DescribeStackResourcesOutput { stack_resources })
}

/// The stack that a physical resource belongs to.
fn owner(db: &impl Reader, caller: &Caller, physical_id: &str) -> Result<StackRecord, ApiError> {
    for stack in newest_first(db, caller, |it| it.deleted.is_none())? {
        let resources = db.all::<ResourceRecord>(&resources_key(&stack.id))?;
        if resources
            .iter()
            .any(|it| it.exists && it.physical_id == physical_id)
        {
            return Ok(stack);
        }
    }
    Err(invalid(format!("Stack for {physical_id} does not exist")))
}

/// `ListStackResources`.
pub fn list_stack_resources(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListStackResourcesInput,
) -> Result<api::ListStackResourcesOutput, ApiError> {
    let stack = required(db, caller, request.stack_name.as_deref())?;
    let all = db.all::<ResourceRecord>(&resources_key(&stack.id))?;
    let (all, next_token) = page(all, request.next_token.as_deref(), None, PAGE)?;
    let summary = |record: ResourceRecord| api::StackResourceSummary {
        logical_resource_id: Some(record.logical_id),
        physical_resource_id: shown_id(record.physical_id),
        resource_type: Some(record.resource_type),
        last_updated_timestamp: Some(record.changed.into()),
        resource_status: Some(record.status),
        resource_status_reason: record.reason,
        drift_information: Some(api::StackResourceDriftInformationSummary {
            stack_resource_drift_status: Some(NOT_CHECKED.to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let stack_resource_summaries = Some(all.into_iter().map(summary).collect());
    Ok(api::ListStackResourcesOutput {
        stack_resource_summaries,
        next_token,
    })
}
