//! Stack events and the statuses that they tell of: each change of a status and its event are written together.
//! Never decides which status comes next.

use landfall_core::api::generated::cloudformation as api;
use landfall_core::error::ApiError;
use serde_json::Value;

use super::model::{EventRecord, ResourceRecord, StackRecord, events_key};
use crate::tx::Tx;

const STACK_TYPE: &str = "AWS::CloudFormation::Stack";

/// Gives the stack a status and tells of it.
pub fn stack_status(
    tx: &mut Tx<'_>,
    stack: &mut StackRecord,
    status: &str,
    reason: Option<String>,
) -> Result<(), ApiError> {
    status.clone_into(&mut stack.status);
    stack.status_reason.clone_from(&reason);
    stack.save(tx)?;
    let event = api::StackEvent {
        logical_resource_id: Some(stack.name.clone()),
        physical_resource_id: Some(stack.id.clone()),
        resource_type: Some(STACK_TYPE.to_owned()),
        resource_status: Some(status.to_owned()),
        resource_status_reason: reason,
        ..Default::default()
    };
    let id = tx.ids().uuid();
    write(tx, stack, id, event)
}

/// Gives a resource a status, writes it and tells of it.
pub fn resource_status(
    tx: &mut Tx<'_>,
    stack: &StackRecord,
    resource: &mut ResourceRecord,
    status: &str,
    reason: Option<String>,
) -> Result<(), ApiError> {
    status.clone_into(&mut resource.status);
    resource.reason.clone_from(&reason);
    resource.changed = tx.now();
    resource.save(tx, &stack.id)?;
    tell(tx, stack, resource, status, reason)
}

/// Tells of a resource without writing it: of one that is replaced already.
pub fn tell(
    tx: &mut Tx<'_>,
    stack: &StackRecord,
    resource: &ResourceRecord,
    status: &str,
    reason: Option<String>,
) -> Result<(), ApiError> {
    let properties = Value::Object(resource.properties.clone()).to_string();
    let event = api::StackEvent {
        logical_resource_id: Some(resource.logical_id.clone()),
        physical_resource_id: Some(resource.physical_id.clone()),
        resource_type: Some(resource.resource_type.clone()),
        resource_status: Some(status.to_owned()),
        resource_status_reason: reason,
        resource_properties: (!resource.properties.is_empty()).then_some(properties),
        ..Default::default()
    };
    let id = format!("{}-{status}-{}", resource.logical_id, tx.ids().uuid());
    write(tx, stack, id, event)
}

fn write(
    tx: &mut Tx<'_>,
    stack: &StackRecord,
    id: String,
    event: api::StackEvent,
) -> Result<(), ApiError> {
    let event = api::StackEvent {
        stack_id: Some(stack.id.clone()),
        stack_name: Some(stack.name.clone()),
        event_id: Some(id),
        timestamp: Some(tx.now().into()),
        client_request_token: stack.token.clone(),
        ..event
    };
    let number = tx.next_sequence();
    tx.put(
        &events_key(&stack.id).number(number),
        &EventRecord { event },
    )
}
