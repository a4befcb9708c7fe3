//! Stacks are created, updated and deleted: the verbs decide and record what is to be done; the steps do it.

use landfall_core::api::generated::cloudformation as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::template::{Graph, Template};
use std::collections::BTreeSet;

use super::event::stack_status;
use super::find::{self, check_name, find};
use super::model::{
    Asker, CURRENT, NEXT, NameRecord, OnFailure, Operation, OperationKind, Phase, StackRecord,
    TemplateRecord, Wanted, name_key, template_key, template_text,
};
use super::plan::{Wish, invalid, plan};
use super::unserved::Asked;
use super::{export, step, unmake};
use crate::tx::{Reader, Tx};

/// A stack that is nothing yet but a name.
pub fn blank(tx: &Tx<'_>, caller: &Caller, name: &str) -> StackRecord {
    StackRecord {
        id: find::new_id(caller, name, &tx.ids().uuid()),
        name: name.to_owned(),
        account: caller.account.clone(),
        region: caller.region.clone(),
        status: String::new(),
        status_reason: None,
        wanted: Wanted::default(),
        created: tx.now(),
        updated: None,
        deleted: None,
        on_failure: OnFailure::Rollback,
        termination_protection: false,
        timeout_minutes: None,
        outputs: Vec::new(),
        imports: BTreeSet::new(),
        change_set_id: None,
        token: None,
        leftovers: Vec::new(),
    }
}

/// Gives a new stack its name.
pub fn take_name(tx: &mut Tx<'_>, stack: &StackRecord) -> Result<(), ApiError> {
    let key = name_key(&stack.account, &stack.region, &stack.name);
    tx.put(
        &key,
        &NameRecord {
            id: stack.id.clone(),
        },
    )
}

/// `CreateStack`. `fetched` is the text that `TemplateURL` leads to.
pub fn create_stack(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::CreateStackInput,
    fetched: Option<String>,
) -> Result<api::CreateStackOutput, ApiError> {
    let name = request.stack_name.clone().unwrap_or_default();
    check_name(&name)?;
    if let Some(there) = find(tx, caller, &name)? {
        let again =
            request.client_request_token.is_some() && request.client_request_token == there.token;
        if again {
            return Ok(api::CreateStackOutput {
                stack_id: Some(there.id),
                ..Default::default()
            });
        }
        let text = format!("Stack [{name}] already exists");
        return Err(ApiError::client("AlreadyExistsException", text));
    }
    Asked {
        triggers: request.rollback_configuration.as_ref(),
        notifies: request.notification_ar_ns.as_deref(),
        retain_except_on_create: request.retain_except_on_create,
        ..Asked::default()
    }
    .refuse()?;
    refuse_policies(&[&request.stack_policy_body, &request.stack_policy_url])?;
    let mut stack = blank(tx, caller, &name);
    stack.on_failure = on_failure(request.disable_rollback, request.on_failure.as_deref())?;
    stack.termination_protection = request.enable_termination_protection == Some(true);
    stack.timeout_minutes = request.timeout_in_minutes;
    stack.token = request.client_request_token;
    let wish = Wish {
        body: request.template_body,
        fetched,
        parameters: request.parameters.unwrap_or_default(),
        tags: Some(request.tags.unwrap_or_default()),
        capabilities: request.capabilities.unwrap_or_default(),
        role_arn: request.role_arn,
        resource_types: request.resource_types,
        use_previous: false,
    };
    let plan = plan(tx, &stack, wish)?;
    take_name(tx, &stack)?;
    start(
        tx,
        caller,
        &mut stack,
        OperationKind::Create,
        plan.text,
        plan.wanted,
        plan.order,
    )?;
    Ok(api::CreateStackOutput {
        stack_id: Some(stack.id),
        ..Default::default()
    })
}

fn refuse_policies(given: &[&Option<String>]) -> Result<(), ApiError> {
    if given.iter().all(|it| it.is_none()) {
        return Ok(());
    }
    Err(invalid("Stack policies are not served by Landfall."))
}

/// What becomes of a failure, as `DisableRollback` and `OnFailure` say.
fn on_failure(disable: Option<bool>, wish: Option<&str>) -> Result<OnFailure, ApiError> {
    match (disable, wish) {
        (Some(_), Some(_)) => Err(invalid(
            "You can specify either DisableRollback or OnFailure, but not both.",
        )),
        (Some(true), None) | (None, Some("DO_NOTHING")) => Ok(OnFailure::DoNothing),
        (None, Some("DELETE")) => Ok(OnFailure::Delete),
        _ => Ok(OnFailure::Rollback),
    }
}

/// Records an operation and what it wants; steps take it from there.
pub fn start(
    tx: &mut Tx<'_>,
    caller: &Caller,
    stack: &mut StackRecord,
    kind: OperationKind,
    text: String,
    wanted: Wanted,
    order: Vec<String>,
) -> Result<(), ApiError> {
    let former = Template::parse(&template_text(tx, &stack.id, CURRENT)?);
    let former_order = match former {
        Ok(former) => Graph::of_all(&former).creation_order()?,
        Err(_) => Vec::new(),
    };
    let operation = Operation {
        kind,
        phase: Phase::Build,
        order,
        at: 0,
        previous: std::mem::replace(&mut stack.wanted, wanted),
        undo: Vec::new(),
        cleanup: std::mem::take(&mut stack.leftovers),
        failed: Vec::new(),
        imports: BTreeSet::new(),
        former_order,
        retain: Vec::new(),
        asked_by: Some(Asker::of(caller)),
    };
    tx.put(&template_key(&stack.id, NEXT), &TemplateRecord { text })?;
    let status = match kind {
        OperationKind::Create => "CREATE_IN_PROGRESS",
        OperationKind::Update => {
            stack.updated = Some(tx.now());
            "UPDATE_IN_PROGRESS"
        }
        OperationKind::Delete => "DELETE_IN_PROGRESS",
    };
    stack_status(tx, stack, status, Some("User Initiated".to_owned()))?;
    step::begin(tx, &stack.id, &operation)
}

/// Refuses a stack whose status allows no update.
///
/// # Errors
/// `Stack:X is in Y state and can not be updated.`
pub fn check_updatable(stack: &StackRecord) -> Result<(), ApiError> {
    let fine = [
        "CREATE_COMPLETE",
        "CREATE_FAILED",
        "UPDATE_COMPLETE",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_COMPLETE",
    ];
    if fine.contains(&stack.status.as_str()) {
        return Ok(());
    }
    let (id, status) = (&stack.id, &stack.status);
    Err(invalid(format!(
        "Stack:{id} is in {status} state and can not be updated."
    )))
}

/// `UpdateStack`. `fetched` is the text that `TemplateURL` leads to.
pub fn update_stack(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::UpdateStackInput,
    fetched: Option<String>,
) -> Result<api::UpdateStackOutput, ApiError> {
    let name = request.stack_name.clone().unwrap_or_default();
    let Some(mut stack) = find(tx, caller, &name)?.filter(|it| it.deleted.is_none()) else {
        return Err(invalid(format!("Stack [{name}] does not exist")));
    };
    if request.client_request_token.is_some() && request.client_request_token == stack.token {
        return Ok(api::UpdateStackOutput {
            stack_id: Some(stack.id),
            ..Default::default()
        });
    }
    check_updatable(&stack)?;
    Asked {
        triggers: request.rollback_configuration.as_ref(),
        notifies: request.notification_ar_ns.as_deref(),
        retain_except_on_create: request.retain_except_on_create,
        ..Asked::default()
    }
    .refuse()?;
    refuse_policies(&[
        &request.stack_policy_body,
        &request.stack_policy_url,
        &request.stack_policy_during_update_body,
        &request.stack_policy_during_update_url,
    ])?;
    let wish = Wish {
        body: request.template_body,
        fetched,
        use_previous: request.use_previous_template == Some(true),
        parameters: request.parameters.unwrap_or_default(),
        tags: request.tags,
        capabilities: request.capabilities.unwrap_or_default(),
        role_arn: request.role_arn,
        resource_types: request.resource_types,
    };
    let plan = plan(tx, &stack, wish)?;
    if !plan.does_anything && stack.status != "CREATE_FAILED" && stack.status != "UPDATE_FAILED" {
        return Err(invalid("No updates are to be performed."));
    }
    stack.on_failure = on_failure(request.disable_rollback, None)?;
    stack.token = request.client_request_token;
    start(
        tx,
        caller,
        &mut stack,
        OperationKind::Update,
        plan.text,
        plan.wanted,
        plan.order,
    )?;
    Ok(api::UpdateStackOutput {
        stack_id: Some(stack.id),
        ..Default::default()
    })
}

/// `DeleteStack`: deleting what is not there is no error.
pub fn delete_stack(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::DeleteStackInput,
) -> Result<(), ApiError> {
    let name = request.stack_name.unwrap_or_default();
    let found = find(tx, caller, &name)?.filter(|it| it.deleted.is_none());
    let Some(mut stack) = found else {
        return Ok(());
    };
    if stack.status == "DELETE_IN_PROGRESS" {
        return Ok(());
    }
    if stack.termination_protection {
        return Err(invalid(format!(
            "Stack [{}] cannot be deleted while TerminationProtection is enabled",
            stack.name
        )));
    }
    if request
        .deletion_mode
        .as_deref()
        .is_some_and(|it| it != "STANDARD")
    {
        return Err(invalid("Of deletion modes Landfall serves STANDARD only."));
    }
    let retain = request.retain_resources.unwrap_or_default();
    if !retain.is_empty() && stack.status != "DELETE_FAILED" {
        return Err(invalid(
            "The specified resources can only be retained when the stack is in the DELETE_FAILED state.",
        ));
    }
    export::check_unused(tx, &stack)?;
    let order = unmake::deletion_order(tx, &stack, CURRENT)?;
    // An operation under way is given up for the deletion; what it had replaced goes too.
    let interrupted = tx.get::<Operation>(&super::model::operation_key(Some(&stack.id)))?;
    let mut cleanup = std::mem::take(&mut stack.leftovers);
    cleanup.extend(
        interrupted
            .as_ref()
            .map(|it| it.cleanup.clone())
            .unwrap_or_default(),
    );
    let operation = Operation {
        kind: OperationKind::Delete,
        phase: Phase::Delete,
        order,
        at: 0,
        previous: Wanted::default(),
        undo: Vec::new(),
        cleanup,
        failed: Vec::new(),
        imports: BTreeSet::new(),
        former_order: Vec::new(),
        retain,
        asked_by: Some(Asker::of(caller)),
    };
    stack.token = request.client_request_token;
    stack_status(
        tx,
        &mut stack,
        "DELETE_IN_PROGRESS",
        Some("User Initiated".to_owned()),
    )?;
    step::begin(tx, &stack.id, &operation)
}

/// `UpdateTerminationProtection`.
pub fn update_termination_protection(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::UpdateTerminationProtectionInput,
) -> Result<api::UpdateTerminationProtectionOutput, ApiError> {
    let wish = request.stack_name.as_deref().unwrap_or_default();
    let found = find(tx, caller, wish)?.filter(|it| it.deleted.is_none());
    let Some(mut stack) = found else {
        return Err(invalid(format!("Stack [{wish}] does not exist")));
    };
    stack.termination_protection = request.enable_termination_protection == Some(true);
    stack.save(tx)?;
    Ok(api::UpdateTerminationProtectionOutput {
        stack_id: Some(stack.id),
    })
}
