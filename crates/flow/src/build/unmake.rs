//! The way back: rollbacks, the cleanup after an update, and the deletion of stacks. Never makes anything new.

use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::template::{Graph, Template};

use super::event::{resource_status, stack_status, tell};
use super::make::{attempt, existing};
use super::model::{
    ExportRecord, NEXT, NameRecord, OperationKind, ResourceRecord, StackRecord, TemplateRecord,
    Undo, exports_key, name_key, resource, resources_key, template_key, template_text,
};
use super::provision;
use super::step::Work;
use crate::trail::own::{self, Keep};
use crate::tx::{Reader, Tx};

/// Takes back the last few things that were done.
pub fn undo(tx: &mut Tx<'_>, work: &mut Work) -> Result<bool, ApiError> {
    for _ in 0..limits::CLOUDFORMATION_RESOURCES_PER_COMMIT_MAX {
        let Some(last) = work.operation.undo.pop() else {
            return finish_undo(tx, work);
        };
        undo_one(tx, work, last)?;
    }
    Ok(false)
}

fn undo_one(tx: &mut Tx<'_>, work: &mut Work, last: Undo) -> Result<(), ApiError> {
    let Some(mut current) = resource(tx, &work.stack.id, &last.logical_id)? else {
        return Ok(());
    };
    let Some(mut before) = last.before else {
        let keep = current.deletion_policy == "Retain";
        if !remove(tx, work, &mut current, keep)? {
            work.operation.failed.push(last.logical_id);
        }
        return Ok(());
    };
    if last.replaced {
        work.operation
            .cleanup
            .retain(|it| it.physical_id != before.physical_id);
        if !remove(tx, work, &mut current, false)? {
            work.operation.failed.push(last.logical_id);
        }
        return resource_status(tx, &work.stack, &mut before, "UPDATE_COMPLETE", None);
    }
    if before.properties == current.properties {
        return before.save(tx, &work.stack.id);
    }
    resource_status(tx, &work.stack, &mut current, "UPDATE_IN_PROGRESS", None)?;
    let made = attempt(tx, work, &before, |tx, it, job| {
        (it.update)(tx, job, &existing(&current))
    })?;
    match made {
        Ok(built) => {
            before.physical_id = built.physical_id;
            before.attributes = built.attributes;
            resource_status(tx, &work.stack, &mut before, "UPDATE_COMPLETE", None)
        }
        Err(reason) => {
            work.operation.failed.push(last.logical_id);
            resource_status(tx, &work.stack, &mut current, "UPDATE_FAILED", Some(reason))
        }
    }
}

fn finish_undo(tx: &mut Tx<'_>, work: &mut Work) -> Result<bool, ApiError> {
    let failed = &work.operation.failed;
    let reason = (!failed.is_empty()).then(|| {
        format!(
            "The following resource(s) failed to roll back: [{}]. ",
            failed.join(", ")
        )
    });
    let creating = work.operation.kind == OperationKind::Create;
    let status = match (creating, reason.is_some()) {
        (true, false) => "ROLLBACK_COMPLETE",
        (true, true) => "ROLLBACK_FAILED",
        (false, false) => "UPDATE_ROLLBACK_COMPLETE",
        (false, true) => "UPDATE_ROLLBACK_FAILED",
    };
    if !creating {
        work.stack.wanted = std::mem::take(&mut work.operation.previous);
        tx.delete::<TemplateRecord>(&template_key(&work.stack.id, NEXT));
        if reason.is_none() {
            let cleaning = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS";
            stack_status(tx, &mut work.stack, cleaning, None)?;
        }
    } else {
        let text = template_text(tx, &work.stack.id, NEXT)?;
        tx.put(
            &template_key(&work.stack.id, super::model::CURRENT),
            &TemplateRecord { text },
        )?;
        tx.delete::<TemplateRecord>(&template_key(&work.stack.id, NEXT));
    }
    work.stack.leftovers = std::mem::take(&mut work.operation.cleanup);
    stack_status(tx, &mut work.stack, status, reason)?;
    Ok(true)
}

/// Deletes what the new template does not need any more. What cannot be deleted stays, and the update has succeeded.
pub fn cleanup(tx: &mut Tx<'_>, work: &mut Work) -> Result<bool, ApiError> {
    for _ in 0..limits::CLOUDFORMATION_RESOURCES_PER_COMMIT_MAX {
        let Some(mut gone) = work.operation.cleanup.pop() else {
            stack_status(tx, &mut work.stack, "UPDATE_COMPLETE", None)?;
            return Ok(true);
        };
        let current = resource(tx, &work.stack.id, &gone.logical_id)?;
        let replaced = current.is_some_and(|it| it.exists && it.physical_id != gone.physical_id);
        if replaced {
            remove_replaced(tx, work, &gone)?;
        } else {
            let keep = gone.deletion_policy.starts_with("Retain");
            remove(tx, work, &mut gone, keep)?;
        }
    }
    Ok(false)
}

/// The physical resource goes, the record is its successor's already.
fn remove_replaced(tx: &mut Tx<'_>, work: &Work, gone: &ResourceRecord) -> Result<(), ApiError> {
    if gone.update_replace_policy == "Retain" {
        return tell(tx, &work.stack, gone, "DELETE_SKIPPED", None);
    }
    tell(tx, &work.stack, gone, "DELETE_IN_PROGRESS", None)?;
    match destroy(tx, work, gone)? {
        Ok(()) => tell(tx, &work.stack, gone, "DELETE_COMPLETE", None),
        Err(reason) => tell(tx, &work.stack, gone, "DELETE_FAILED", Some(reason)),
    }
}

/// Deletes a resource of the stack, or lets go of it. Whether it is gone from the stack.
fn remove(
    tx: &mut Tx<'_>,
    work: &Work,
    record: &mut ResourceRecord,
    keep: bool,
) -> Result<bool, ApiError> {
    if !record.exists {
        return Ok(true);
    }
    if keep {
        record.exists = false;
        resource_status(tx, &work.stack, record, "DELETE_SKIPPED", None)?;
        return Ok(true);
    }
    resource_status(tx, &work.stack, record, "DELETE_IN_PROGRESS", None)?;
    match destroy(tx, work, record)? {
        Ok(()) => {
            record.exists = false;
            resource_status(tx, &work.stack, record, "DELETE_COMPLETE", None)?;
            Ok(true)
        }
        Err(reason) => {
            resource_status(tx, &work.stack, record, "DELETE_FAILED", Some(reason))?;
            Ok(false)
        }
    }
}

fn destroy(
    tx: &mut Tx<'_>,
    work: &Work,
    record: &ResourceRecord,
) -> Result<Result<(), String>, ApiError> {
    let Some(provisioner) = provision::find(&record.resource_type) else {
        return Ok(Err(format!(
            "{} is not served by Landfall",
            record.resource_type
        )));
    };
    let caller = work.caller(tx)?;
    let delete = |tx: &mut Tx<'_>| (provisioner.delete)(tx, &caller, &existing(record));
    match own::recorded(tx, Keep::Failures, delete)? {
        Ok(()) => Ok(Ok(())),
        Err(error) if error.code == "InternalFailure" => Err(error),
        Err(error) => Ok(Err(provision::reason(&error))),
    }
}

/// Logical ids in the order of deletion: what needs others goes before them.
pub fn deletion_order(
    db: &impl Reader,
    stack: &StackRecord,
    slot: &str,
) -> Result<Vec<String>, ApiError> {
    let existing: Vec<String> = db
        .all::<ResourceRecord>(&resources_key(&stack.id))?
        .into_iter()
        .filter(|it| it.exists)
        .map(|it| it.logical_id)
        .collect();
    let template = Template::parse(&template_text(db, &stack.id, slot)?);
    let mut order = match template {
        Ok(template) => Graph::of_all(&template).creation_order()?,
        Err(_) => Vec::new(),
    };
    // What the template does not know any more was left by a failed operation and may need anything.
    let strangers: Vec<String> = existing
        .iter()
        .filter(|it| !order.contains(it))
        .cloned()
        .collect();
    order.retain(|it| existing.contains(it));
    order.extend(strangers);
    order.reverse();
    Ok(order)
}

/// Deletes the next few resources of a stack that goes.
pub fn delete(tx: &mut Tx<'_>, work: &mut Work) -> Result<bool, ApiError> {
    for _ in 0..limits::CLOUDFORMATION_RESOURCES_PER_COMMIT_MAX {
        if let Some(gone) = work.operation.cleanup.pop() {
            remove_replaced(tx, work, &gone)?;
            continue;
        }
        let Some(id) = work.operation.order.get(work.operation.at).cloned() else {
            return finish_delete(tx, work);
        };
        work.operation.at += 1;
        let Some(mut record) = resource(tx, &work.stack.id, &id)? else {
            continue;
        };
        let keep =
            record.deletion_policy.starts_with("Retain") || work.operation.retain.contains(&id);
        if !remove(tx, work, &mut record, keep)? {
            work.operation.failed.push(id);
        }
    }
    Ok(false)
}

fn finish_delete(tx: &mut Tx<'_>, work: &mut Work) -> Result<bool, ApiError> {
    let failed = &work.operation.failed;
    if !failed.is_empty() {
        let reason = format!(
            "The following resource(s) failed to delete: [{}]. ",
            failed.join(", ")
        );
        stack_status(tx, &mut work.stack, "DELETE_FAILED", Some(reason))?;
        return Ok(true);
    }
    let stack = &mut work.stack;
    for output in &stack.outputs {
        if let Some(name) = &output.export_name {
            tx.delete::<ExportRecord>(&exports_key(&stack.account, &stack.region).part(name));
        }
    }
    tx.delete::<NameRecord>(&name_key(&stack.account, &stack.region, &stack.name));
    super::change_set::forget_all(tx, &stack.id)?;
    stack.deleted = Some(tx.now());
    stack.imports.clear();
    stack_status(tx, stack, "DELETE_COMPLETE", None)?;
    Ok(true)
}
