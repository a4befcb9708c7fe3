//! One step of an operation on a stack: a few resources are made, changed or deleted in one transaction together with
//! their records and events, so that a crash at any moment leaves a stack that goes on where it stopped.
//!
//! Read `make` for what happens to one resource, `unmake` for rollbacks, cleanup and deletion.

use landfall_core::caller::{Caller, Identity};
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::template::{Evaluator, Graph, Parameters, Pseudo, Template};
use landfall_store::Direction;

use super::event::stack_status;
use super::model::{
    CURRENT, NEXT, OnFailure, Operation, OperationKind, Phase, ResourceRecord, StackRecord,
    TemplateRecord, operation_key, parameters_of, resources_key, stack_key, template_key,
    template_text,
};
use super::world::{World, pseudo};
use super::{export, make, unmake};
use crate::drive::{Flow, Pending};
use crate::keep::roles::sessions;
use crate::tx::{Effect, Reader, Tx};

/// Name of CloudFormation's sessions of a stack's role.
const ROLE_SESSION: &str = "AWSCloudFormation";

/// What a step works on.
pub struct Work {
    /// The stack.
    pub stack: StackRecord,
    /// What is under way.
    pub operation: Operation,
    /// URL under which this server is reached.
    pub endpoint: String,
}

impl Work {
    /// Who makes the calls of the operation: CloudFormation, as whoever asked for it or as the stack's role.
    ///
    /// # Errors
    /// Only what keeps the store from being read.
    pub fn caller(&self, tx: &Tx<'_>) -> Result<Caller, ApiError> {
        let mut caller = self.stack.caller(tx.ids().uuid());
        let role = self.stack.wanted.role_arn.as_deref();
        let session = match role {
            Some(role) => sessions::assumed(tx, role, ROLE_SESSION, tx.now())?,
            None => None,
        };
        if let Some(session) = session {
            caller.identity = Identity::Role(session);
        } else if let Some(asker) = &self.operation.asked_by {
            caller.identity = asker.identity.clone();
            caller.access_key_id.clone_from(&asker.access_key_id);
        }
        Ok(caller)
    }
}

/// The template of a step with its values.
pub struct Ground {
    /// The template that the operation goes to.
    pub template: Template,
    /// Values of its parameters.
    pub parameters: Parameters,
    /// Values of the pseudo parameters.
    pub pseudo: Pseudo,
}

/// Does the next few things of a stack's operation. Whether there is more to do.
///
/// # Errors
/// Only what keeps the store from being read: failures of resources are part of the operation.
fn step(tx: &mut Tx<'_>, stack_id: &str, endpoint: &str) -> Result<bool, ApiError> {
    let Some(operation) = tx.get::<Operation>(&operation_key(Some(stack_id)))? else {
        return Ok(false);
    };
    let stack = stack_key(stack_id)
        .map(|key| tx.get::<StackRecord>(&key))
        .transpose()?;
    let Some(stack) = stack.flatten() else {
        tx.delete::<Operation>(&operation_key(Some(stack_id)));
        return Ok(false);
    };
    let mut work = Work {
        stack,
        operation,
        endpoint: endpoint.to_owned(),
    };
    let done = match work.operation.phase {
        Phase::Build => build(tx, &mut work)?,
        Phase::Undo => unmake::undo(tx, &mut work)?,
        Phase::Cleanup => unmake::cleanup(tx, &mut work)?,
        Phase::Delete => unmake::delete(tx, &mut work)?,
    };
    let key = operation_key(Some(stack_id));
    if done {
        tx.delete::<Operation>(&key);
        tx.effect(Effect::Wake(work.stack.id.clone()));
    } else {
        tx.put(&key, &work.operation)?;
    }
    work.stack.save(tx)?;
    Ok(!done)
}

/// Takes steps until the operation on a stack is done.
pub(crate) async fn carry_out(flow: &Flow, stack_id: String) {
    loop {
        let (id, endpoint) = (stack_id.clone(), flow.endpoint().to_owned());
        match flow.write(move |tx| step(tx, &id, &endpoint)).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(e) if e.status == 503 => tokio::time::sleep(limits::REPORT_RETRY_PAUSE).await,
            Err(e) => {
                tracing::error!(stack = %stack_id, error = %e, "an operation stops until the next start");
                return;
            }
        }
    }
}

/// Takes up every operation that a stop of the process has interrupted.
pub(crate) fn recover(tx: &mut Tx<'_>) -> Result<Pending, ApiError> {
    let interrupted = tx
        .list::<Operation>(&operation_key(None), Direction::Forward)
        .map(|entry| entry.map(|(key, _)| key))
        .collect::<Result<Vec<_>, _>>()?;
    for key in interrupted {
        let id = crate::key::parts(key.bytes()).pop().unwrap_or_default();
        tx.effect(Effect::BuildStack(
            String::from_utf8_lossy(&id).into_owned(),
        ));
    }
    Ok(Pending::default())
}

/// Begins an operation: it is done by steps after the commit.
pub fn begin(tx: &mut Tx<'_>, stack_id: &str, operation: &Operation) -> Result<(), ApiError> {
    tx.put(&operation_key(Some(stack_id)), operation)?;
    tx.effect(Effect::BuildStack(stack_id.to_owned()));
    Ok(())
}

fn ground(tx: &Tx<'_>, stack: &StackRecord) -> Result<Ground, ApiError> {
    Ok(Ground {
        template: Template::parse(&template_text(tx, &stack.id, NEXT)?)?,
        parameters: parameters_of(&stack.wanted.parameters),
        pseudo: pseudo(stack),
    })
}

fn build(tx: &mut Tx<'_>, work: &mut Work) -> Result<bool, ApiError> {
    let ground = ground(tx, &work.stack)?;
    for _ in 0..limits::CLOUDFORMATION_RESOURCES_PER_COMMIT_MAX {
        let Some(id) = work.operation.order.get(work.operation.at).cloned() else {
            return finish_build(tx, work, &ground);
        };
        work.operation.at += 1;
        if let Err(failed) = make::make(tx, work, &ground, &id)? {
            work.operation.failed.push(id.clone());
            let doing = if failed.updating { "update" } else { "create" };
            return fail(
                tx,
                work,
                format!("The following resource(s) failed to {doing}: [{id}]. "),
            );
        }
    }
    Ok(false)
}

/// All resources stand: outputs and exports, then what is not needed any more.
fn finish_build(tx: &mut Tx<'_>, work: &mut Work, ground: &Ground) -> Result<bool, ApiError> {
    let settled = tx.attempt(|tx| {
        let caller = work.stack.caller(String::new());
        let outputs = {
            let world = World::new(tx, &caller, &work.stack.id);
            let evaluator =
                Evaluator::new(&ground.template, &ground.parameters, &ground.pseudo, &world)?;
            let outputs = super::plan::planned_outputs(&evaluator, &ground.template)?;
            work.operation
                .imports
                .append(&mut world.imports.borrow_mut());
            outputs
        };
        export::replace(tx, &work.stack, &outputs)?;
        Ok::<_, ApiError>(outputs)
    });
    match settled {
        Ok(outputs) => work.stack.outputs = outputs,
        Err(error) if error.code == "InternalFailure" => return Err(error),
        Err(error) => return fail(tx, work, error.message),
    }
    work.stack.imports = std::mem::take(&mut work.operation.imports);
    keep_template(tx, &work.stack.id)?;
    if work.operation.kind == OperationKind::Create {
        stack_status(tx, &mut work.stack, "CREATE_COMPLETE", None)?;
        return Ok(true);
    }
    let removed = removed(tx, work, ground)?;
    work.operation.cleanup.extend(removed);
    // Taken from the end: what needs others goes before them.
    let order = std::mem::take(&mut work.operation.former_order);
    let place = |it: &ResourceRecord| order.iter().position(|id| *id == it.logical_id);
    work.operation.cleanup.sort_by_key(place);
    work.operation.phase = Phase::Cleanup;
    let status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS";
    stack_status(tx, &mut work.stack, status, None)?;
    Ok(false)
}

/// The next template becomes the current one.
fn keep_template(tx: &mut Tx<'_>, stack_id: &str) -> Result<(), ApiError> {
    let text = template_text(tx, stack_id, NEXT)?;
    tx.put(&template_key(stack_id, CURRENT), &TemplateRecord { text })?;
    tx.delete::<TemplateRecord>(&template_key(stack_id, NEXT));
    Ok(())
}

/// Resources that the new template does not have any more.
fn removed(tx: &Tx<'_>, work: &Work, ground: &Ground) -> Result<Vec<ResourceRecord>, ApiError> {
    let world = World::new(tx, &work.stack.caller(String::new()), &work.stack.id);
    let evaluator = Evaluator::new(&ground.template, &ground.parameters, &ground.pseudo, &world)?;
    let kept = Graph::new(&ground.template, evaluator.conditions()).creation_order()?;
    let mut gone: Vec<ResourceRecord> = tx.all::<ResourceRecord>(&resources_key(&work.stack.id))?;
    gone.retain(|it| it.exists && !kept.contains(&it.logical_id));
    Ok(gone)
}

/// What becomes of an operation in which something failed.
pub fn fail(tx: &mut Tx<'_>, work: &mut Work, reason: String) -> Result<bool, ApiError> {
    let creating = work.operation.kind == OperationKind::Create;
    match work.stack.on_failure {
        OnFailure::DoNothing => {
            keep_template(tx, &work.stack.id)?;
            work.stack.leftovers = std::mem::take(&mut work.operation.cleanup);
            work.stack.imports.append(&mut work.operation.imports);
            let status = if creating {
                "CREATE_FAILED"
            } else {
                "UPDATE_FAILED"
            };
            stack_status(tx, &mut work.stack, status, Some(reason))?;
            return Ok(true);
        }
        OnFailure::Delete if creating => {
            work.operation.order = unmake::deletion_order(tx, &work.stack, NEXT)?;
            work.operation.at = 0;
            work.operation.failed.clear();
            work.operation.kind = OperationKind::Delete;
            work.operation.phase = Phase::Delete;
            stack_status(tx, &mut work.stack, "DELETE_IN_PROGRESS", Some(reason))?;
        }
        OnFailure::Delete | OnFailure::Rollback => {
            work.operation.phase = Phase::Undo;
            work.operation.failed.clear();
            let reason = Some(format!("{reason}Rollback requested by user."));
            let status = if creating {
                "ROLLBACK_IN_PROGRESS"
            } else {
                "UPDATE_ROLLBACK_IN_PROGRESS"
            };
            stack_status(tx, &mut work.stack, status, reason)?;
        }
    }
    Ok(false)
}
