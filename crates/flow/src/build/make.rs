//! What happens to one resource on the way to a new template: nothing, or it is created, updated or replaced.
//! A failure leaves no trace but its event and its record.

use indexmap::IndexMap;
use landfall_core::error::ApiError;
use landfall_core::template::{Evaluator, Replacement, ResourceState, changes, check_properties};

use super::event::resource_status;
use super::model::{ResourceRecord, Undo, policy_text, resource, touches_properties};
use super::provision::{self, Built, Existing, Job, Provisioner};
use super::step::{Ground, Work};
use super::world::{World, wanted_state};
use crate::trail::own::{self, Keep};
use crate::tx::Tx;

/// A resource failed; the event says why.
#[derive(Debug, Clone, Copy)]
pub struct Failed {
    /// Whether it was there before.
    pub updating: bool,
}

const REPLACING: &str =
    "Requested update requires the creation of a new physical resource; hence creating one.";

/// Brings one resource to what the template wants.
///
/// # Errors
/// The outer error only for a store that cannot be read.
pub fn make(
    tx: &mut Tx<'_>,
    work: &mut Work,
    ground: &Ground,
    id: &str,
) -> Result<Result<(), Failed>, ApiError> {
    let before = resource(tx, &work.stack.id, id)?.filter(|it| it.exists);
    let wanted = match evaluate(tx, work, ground, id) {
        Ok(Some(wanted)) => wanted,
        Ok(None) => return Ok(Ok(())),
        Err(error) => {
            let template = &ground.template;
            let kind = template.resource(id).map(|it| it.resource_type.clone());
            let mut record = before
                .clone()
                .unwrap_or_else(|| blank(id, kind.unwrap_or_default()));
            return failed(tx, work, &mut record, before.is_some(), error.message);
        }
    };
    match before {
        None => create(tx, work, id, wanted),
        Some(before) => change(tx, work, before, wanted),
    }
}

fn blank(id: &str, resource_type: String) -> ResourceRecord {
    ResourceRecord {
        logical_id: id.to_owned(),
        resource_type,
        physical_id: String::new(),
        exists: false,
        status: String::new(),
        reason: None,
        changed: landfall_core::clock::Timestamp::default(),
        properties: serde_json::Map::new(),
        attributes: serde_json::Map::new(),
        metadata: None,
        deletion_policy: "Delete".to_owned(),
        update_replace_policy: "Delete".to_owned(),
    }
}

fn evaluate(
    tx: &Tx<'_>,
    work: &mut Work,
    ground: &Ground,
    id: &str,
) -> Result<Option<ResourceState>, ApiError> {
    let Some(resource) = ground.template.resource(id) else {
        return Ok(None);
    };
    let caller = work.stack.caller(String::new());
    let world = World::new(tx, &caller, &work.stack.id);
    let evaluator = Evaluator::new(&ground.template, &ground.parameters, &ground.pseudo, &world)?;
    let state = wanted_state(&evaluator, resource, &work.stack.wanted.tags)?;
    work.operation
        .imports
        .append(&mut world.imports.borrow_mut());
    Ok(Some(state))
}

fn record_of(id: &str, wanted: &ResourceState) -> ResourceRecord {
    ResourceRecord {
        properties: wanted.properties.clone(),
        metadata: wanted.metadata.clone(),
        deletion_policy: policy_text(wanted.deletion_policy),
        update_replace_policy: policy_text(wanted.update_replace_policy),
        ..blank(id, wanted.resource_type.clone())
    }
}

/// Runs a provisioner on a resource's properties; what it wrote before it failed is taken back.
pub fn attempt(
    tx: &mut Tx<'_>,
    work: &Work,
    record: &ResourceRecord,
    run: impl FnOnce(&mut Tx<'_>, Provisioner, &Job<'_>) -> Result<Built, ApiError>,
) -> Result<Result<Built, String>, ApiError> {
    let caller = work.caller(tx)?;
    let Some(provisioner) = provision::find(&record.resource_type) else {
        return Ok(Err(format!(
            "{} is not served by Landfall",
            record.resource_type
        )));
    };
    let checked = check_properties(
        &record.logical_id,
        &record.resource_type,
        &record.properties,
    );
    if let Err(reason) = checked {
        return Ok(Err(reason));
    }
    let job = Job {
        caller: &caller,
        endpoint: &work.endpoint,
        stack_name: &work.stack.name,
        logical_id: &record.logical_id,
        properties: &record.properties,
    };
    match own::recorded(tx, Keep::Failures, |tx| run(tx, provisioner, &job))? {
        Ok(built) => Ok(Ok(built)),
        Err(error) if error.code == "InternalFailure" => Err(error),
        Err(error) => Ok(Err(provision::reason(&error))),
    }
}

fn create(
    tx: &mut Tx<'_>,
    work: &mut Work,
    id: &str,
    wanted: ResourceState,
) -> Result<Result<(), Failed>, ApiError> {
    let mut record = record_of(id, &wanted);
    resource_status(tx, &work.stack, &mut record, "CREATE_IN_PROGRESS", None)?;
    match attempt(tx, work, &record, |tx, it, job| (it.create)(tx, job))? {
        Err(reason) => failed(tx, work, &mut record, false, reason),
        Ok(built) => {
            settle(&mut record, built);
            let initiated = Some("Resource creation Initiated".to_owned());
            resource_status(
                tx,
                &work.stack,
                &mut record,
                "CREATE_IN_PROGRESS",
                initiated,
            )?;
            resource_status(tx, &work.stack, &mut record, "CREATE_COMPLETE", None)?;
            work.operation.undo.push(Undo {
                logical_id: id.to_owned(),
                before: None,
                replaced: false,
            });
            Ok(Ok(()))
        }
    }
}

fn settle(record: &mut ResourceRecord, built: Built) {
    record.physical_id = built.physical_id;
    record.attributes = built.attributes;
    record.exists = true;
}

fn change(
    tx: &mut Tx<'_>,
    work: &mut Work,
    before: ResourceRecord,
    wanted: ResourceState,
) -> Result<Result<(), Failed>, ApiError> {
    let id = before.logical_id.clone();
    let alone = |state: ResourceState| IndexMap::from([(id.clone(), state)]);
    let Some(change) = changes(&alone(before.state()), &alone(wanted.clone())).pop() else {
        return Ok(Ok(()));
    };
    let mut record = ResourceRecord {
        physical_id: before.physical_id.clone(),
        attributes: before.attributes.clone(),
        exists: true,
        status: before.status.clone(),
        changed: before.changed,
        ..record_of(&id, &wanted)
    };
    let replacing = change.replacement.is_some_and(|it| it == Replacement::True);
    let undo = Undo {
        logical_id: id,
        before: Some(before.clone()),
        replaced: replacing,
    };
    if !touches_properties(&change) {
        record.save(tx, &work.stack.id)?;
        work.operation.undo.push(undo);
        return Ok(Ok(()));
    }
    let why = replacing.then(|| REPLACING.to_owned());
    resource_status(tx, &work.stack, &mut record, "UPDATE_IN_PROGRESS", why)?;
    let made = attempt(tx, work, &record, |tx, it, job| {
        if replacing {
            (it.create)(tx, job)
        } else {
            (it.update)(tx, job, &existing(&before))
        }
    })?;
    match made {
        Err(reason) => {
            // What stands is what stood: the next operation compares with that.
            record = before;
            failed(tx, work, &mut record, true, reason)
        }
        Ok(built) => {
            settle(&mut record, built);
            resource_status(tx, &work.stack, &mut record, "UPDATE_COMPLETE", None)?;
            if replacing {
                work.operation.cleanup.push(before);
            }
            work.operation.undo.push(undo);
            Ok(Ok(()))
        }
    }
}

/// A resource as provisioners take what is there.
pub fn existing(record: &ResourceRecord) -> Existing<'_> {
    Existing {
        physical_id: &record.physical_id,
        properties: &record.properties,
    }
}

fn failed(
    tx: &mut Tx<'_>,
    work: &Work,
    record: &mut ResourceRecord,
    updating: bool,
    reason: String,
) -> Result<Result<(), Failed>, ApiError> {
    let status = if updating {
        "UPDATE_FAILED"
    } else {
        "CREATE_FAILED"
    };
    resource_status(tx, &work.stack, record, status, Some(reason))?;
    Ok(Err(Failed { updating }))
}
