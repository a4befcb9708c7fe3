//! Change sets: what an operation would do, kept until it is executed or deleted. A change set of a new stack holds
//! its name in `REVIEW_IN_PROGRESS`.

use landfall_core::api::generated::cloudformation as api;
use landfall_core::arn::{Arn, arn};
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_core::template::{
    Action, Change, Evaluator, Graph, PropertyChange, Replacement, as_string_loose,
};
use landfall_store::Direction;

use super::event::stack_status;
use super::find::{check_name, find, missing, required};
use super::model::{
    ChangeSetRecord, OnFailure, OperationKind, StackRecord, TemplateRecord, change_sets_key,
    parameters_of, resource, template_key, template_text,
};
use super::plan::{Plan, Wish, invalid, plan, read_template};
use super::stack::{blank, check_updatable, start, take_name};
use super::unserved::Asked;
use super::world::{World, pseudo};
use crate::page::page;
use crate::tx::{Reader, Tx};

const EMPTY: &str = "The submitted information didn't contain changes. Submit different information to create a \
                     change set.";
const REVIEW: &str = "REVIEW_IN_PROGRESS";

/// `CreateChangeSet`. `fetched` is the text that `TemplateURL` leads to.
pub fn create_change_set(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::CreateChangeSetInput,
    fetched: Option<String>,
) -> Result<api::CreateChangeSetOutput, ApiError> {
    let name = request.change_set_name.clone().unwrap_or_default();
    refuse_unserved(&request)?;
    let mut stack = stack_for(tx, caller, &request)?;
    let key = change_sets_key(&stack.id).part(&name);
    if let Some(there) = tx.get::<ChangeSetRecord>(&key)? {
        if request.client_token.is_some() && request.client_token == there.token {
            return Ok(api::CreateChangeSetOutput {
                id: Some(there.id),
                stack_id: Some(stack.id),
            });
        }
        let text = format!("ChangeSet {name} already exists");
        return Err(ApiError::client("AlreadyExistsException", text));
    }
    let plan = plan(tx, &stack, wish(&request, fetched))?;
    if stack.status.is_empty() {
        take_name(tx, &stack)?;
        stack_status(tx, &mut stack, REVIEW, Some("User Initiated".to_owned()))?;
    }
    let uuid = tx.ids().uuid();
    let path = format!("changeSet/{name}/{uuid}");
    let id = arn("cloudformation", &stack.region, &stack.account, path);
    let creating = stack.status == REVIEW;
    let empty = !plan.does_anything && !creating;
    let record = ChangeSetRecord {
        id: id.clone(),
        name,
        status: if empty { "FAILED" } else { "CREATE_COMPLETE" }.to_owned(),
        status_reason: empty.then(|| EMPTY.to_owned()),
        execution_status: if empty { "UNAVAILABLE" } else { "AVAILABLE" }.to_owned(),
        description: request.description,
        created: tx.now(),
        changes: shown_changes(tx, &stack, &plan)?,
        wanted: plan.wanted,
        on_stack_failure: request.on_stack_failure,
        token: request.client_token,
    };
    tx.put(
        &template_key(&stack.id, &id),
        &TemplateRecord { text: plan.text },
    )?;
    tx.put(&key, &record)?;
    Ok(api::CreateChangeSetOutput {
        id: Some(id),
        stack_id: Some(stack.id),
    })
}

fn refuse_unserved(request: &api::CreateChangeSetInput) -> Result<(), ApiError> {
    Asked {
        triggers: request.rollback_configuration.as_ref(),
        notifies: request.notification_ar_ns.as_deref(),
        import_existing: request.import_existing_resources,
        ..Asked::default()
    }
    .refuse()?;
    let imports = request
        .resources_to_import
        .as_ref()
        .is_some_and(|it| !it.is_empty());
    if imports || request.change_set_type.as_deref() == Some("IMPORT") {
        return Err(invalid(
            "Importing resources into a stack is not served by Landfall.",
        ));
    }
    if request
        .deployment_mode
        .as_deref()
        .is_some_and(|mode| mode != "STANDARD")
    {
        return Err(invalid(
            "Of deployment modes Landfall serves STANDARD only.",
        ));
    }
    Ok(())
}

/// The stack that a change set is for; a new one has no status yet.
fn stack_for(
    tx: &Tx<'_>,
    caller: &Caller,
    request: &api::CreateChangeSetInput,
) -> Result<StackRecord, ApiError> {
    let name = request.stack_name.as_deref().unwrap_or_default();
    let found = find(tx, caller, name)?.filter(|it| it.deleted.is_none());
    let creating = request.change_set_type.as_deref() == Some("CREATE");
    match found {
        Some(stack) if creating && stack.status != REVIEW => Err(invalid(format!(
            "Stack [{name}] already exists and cannot be created again with the changeSet [{}].",
            request.change_set_name.as_deref().unwrap_or_default()
        ))),
        Some(stack) if creating => Ok(stack),
        Some(stack) => check_updatable(&stack).map(|()| stack),
        None if creating => {
            check_name(name)?;
            Ok(blank(tx, caller, name))
        }
        None => Err(invalid(format!("Stack [{name}] does not exist"))),
    }
}

fn wish(request: &api::CreateChangeSetInput, fetched: Option<String>) -> Wish {
    Wish {
        body: request.template_body.clone(),
        fetched,
        use_previous: request.use_previous_template == Some(true),
        parameters: request.parameters.clone().unwrap_or_default(),
        tags: request.tags.clone(),
        capabilities: request.capabilities.clone().unwrap_or_default(),
        role_arn: request.role_arn.clone(),
        resource_types: request.resource_types.clone(),
    }
}

fn shown_changes(
    db: &impl Reader,
    stack: &StackRecord,
    plan: &Plan,
) -> Result<Vec<api::Change>, ApiError> {
    plan.changes
        .iter()
        .map(|change| shown_change(db, stack, change))
        .collect()
}

fn shown_change(
    db: &impl Reader,
    stack: &StackRecord,
    change: &Change,
) -> Result<api::Change, ApiError> {
    let existing = resource(db, &stack.id, &change.logical_id)?.filter(|it| it.exists);
    let retained = |policy: &str| policy.starts_with("Retain");
    let kept = existing.as_ref().is_some_and(|it| match change.action {
        Action::Remove => retained(&it.deletion_policy),
        _ => change.replacement == Some(Replacement::True) && retained(&it.update_replace_policy),
    });
    let policy = match (change.action, change.replacement) {
        (Action::Remove, _) => Some(if kept { "Retain" } else { "Delete" }),
        (_, Some(Replacement::True)) => Some(if kept {
            "ReplaceAndRetain"
        } else {
            "ReplaceAndDelete"
        }),
        _ => None,
    };
    let details = change
        .properties
        .iter()
        .map(detail)
        .chain(other_details(change))
        .collect();
    Ok(api::Change {
        r#type: Some("Resource".to_owned()),
        resource_change: Some(api::ResourceChange {
            policy_action: policy.map(str::to_owned),
            action: Some(change.action.as_str().to_owned()),
            logical_resource_id: Some(change.logical_id.clone()),
            physical_resource_id: existing.map(|it| it.physical_id),
            resource_type: Some(change.resource_type.clone()),
            replacement: change.replacement.map(|it| it.as_str().to_owned()),
            scope: Some(change.scope.iter().map(|it| (*it).to_owned()).collect()),
            details: Some(details),
            ..Default::default()
        }),
        ..Default::default()
    })
}

fn detail(change: &PropertyChange) -> api::ResourceChangeDetail {
    let recreation = match change.recreation {
        Replacement::True => "Always",
        Replacement::Conditional => "Conditionally",
        Replacement::False => "Never",
    };
    let text =
        |value: &serde_json::Value| as_string_loose(value).unwrap_or_else(|| value.to_string());
    let kind = match (&change.before, &change.after) {
        (None, _) => "Add",
        (_, None) => "Remove",
        _ => "Modify",
    };
    let tags = change.name == "Tags";
    api::ResourceChangeDetail {
        target: Some(api::ResourceTargetDefinition {
            attribute: Some(if tags { "Tags" } else { "Properties" }.to_owned()),
            name: (!tags).then(|| change.name.clone()),
            requires_recreation: Some(recreation.to_owned()),
            path: Some(format!("/Properties/{}", change.name)),
            before_value: change.before.as_ref().map(text),
            after_value: change.after.as_ref().map(text),
            attribute_change_type: Some(kind.to_owned()),
            ..Default::default()
        }),
        evaluation: Some("Static".to_owned()),
        change_source: Some("DirectModification".to_owned()),
        ..Default::default()
    }
}

/// Changes of a resource that are no properties.
fn other_details(change: &Change) -> impl Iterator<Item = api::ResourceChangeDetail> {
    let others = change
        .scope
        .iter()
        .filter(|it| !matches!(**it, "Properties" | "Tags"));
    others.map(|scope| api::ResourceChangeDetail {
        target: Some(api::ResourceTargetDefinition {
            attribute: Some((*scope).to_owned()),
            requires_recreation: Some("Never".to_owned()),
            ..Default::default()
        }),
        evaluation: Some("Static".to_owned()),
        change_source: Some("DirectModification".to_owned()),
        ..Default::default()
    })
}

/// The change set that a request names, and its stack.
///
/// # Errors
/// `ChangeSetNotFound`, which clients wait for.
pub fn find_change_set(
    db: &impl Reader,
    caller: &Caller,
    stack_name: Option<&str>,
    wish: Option<&str>,
) -> Result<(StackRecord, ChangeSetRecord), ApiError> {
    let wish = wish.unwrap_or_default();
    let not_found = || {
        let text = format!("ChangeSet [{wish}] does not exist");
        ApiError::with_status("ChangeSetNotFound", 404, text)
    };
    let name = match Arn::parse(wish) {
        None => wish,
        Some(arn) => arn
            .resource_name()
            .split_once('/')
            .map_or("", |(name, _)| name),
    };
    let same = |it: &ChangeSetRecord| it.name == wish || it.id == wish;
    if let Some(stack_name) = stack_name {
        let stack = find(db, caller, stack_name)?.ok_or_else(|| missing(stack_name))?;
        let found = db.get::<ChangeSetRecord>(&change_sets_key(&stack.id).part(name))?;
        return Ok((stack, found.filter(same).ok_or_else(not_found)?));
    }
    for stack in db.list::<StackRecord>(&super::model::stacks_key(caller), Direction::Forward) {
        let (_, stack) = stack?;
        let found = db.get::<ChangeSetRecord>(&change_sets_key(&stack.id).part(name))?;
        if let Some(found) = found.filter(|it| it.id == wish) {
            return Ok((stack, found));
        }
    }
    Err(not_found())
}

/// `DescribeChangeSet`.
pub fn describe_change_set(
    db: &impl Reader,
    caller: &Caller,
    request: &api::DescribeChangeSetInput,
) -> Result<api::DescribeChangeSetOutput, ApiError> {
    let (stack, set) = find_change_set(
        db,
        caller,
        request.stack_name.as_deref(),
        request.change_set_name.as_deref(),
    )?;
    let max = limits::CLOUDFORMATION_PAGE_ITEMS_MAX;
    let (changes, next_token) = page(set.changes, request.next_token.as_deref(), None, max)?;
    Ok(api::DescribeChangeSetOutput {
        change_set_name: Some(set.name),
        change_set_id: Some(set.id),
        stack_id: Some(stack.id),
        stack_name: Some(stack.name),
        description: set.description,
        parameters: Some(set.wanted.parameters.iter().map(|it| it.shown()).collect()),
        creation_time: Some(set.created.into()),
        execution_status: Some(set.execution_status),
        status: Some(set.status),
        status_reason: set.status_reason,
        notification_ar_ns: Some(Vec::new()),
        rollback_configuration: Some(api::RollbackConfiguration::default()),
        capabilities: Some(set.wanted.capabilities),
        tags: Some(set.wanted.tags),
        changes: Some(changes),
        next_token,
        include_nested_stacks: Some(false),
        on_stack_failure: set.on_stack_failure,
        import_existing_resources: Some(false),
        ..Default::default()
    })
}

/// `ExecuteChangeSet`: the stack's other change sets are void after it.
pub fn execute_change_set(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::ExecuteChangeSetInput,
) -> Result<api::ExecuteChangeSetOutput, ApiError> {
    Asked {
        retain_except_on_create: request.retain_except_on_create,
        ..Asked::default()
    }
    .refuse()?;
    let (mut stack, mut set) = find_change_set(
        tx,
        caller,
        request.stack_name.as_deref(),
        request.change_set_name.as_deref(),
    )?;
    let creating = stack.status == REVIEW;
    if !creating {
        if set.execution_status == "EXECUTE_COMPLETE"
            && request.client_request_token.is_some()
            && request.client_request_token == stack.token
        {
            return Ok(api::ExecuteChangeSetOutput {});
        }
        check_updatable(&stack)?;
    }
    if set.execution_status != "AVAILABLE" {
        let (id, status) = (&set.id, &set.execution_status);
        let text = format!(
            "ChangeSet [{id}] cannot be executed in its current execution status of [{status}]"
        );
        return Err(ApiError::client("InvalidChangeSetStatus", text));
    }
    stack.on_failure = match (request.disable_rollback, set.on_stack_failure.as_deref()) {
        (Some(true), _) | (None, Some("DO_NOTHING")) => OnFailure::DoNothing,
        (_, Some("DELETE")) => OnFailure::Delete,
        _ => OnFailure::Rollback,
    };
    let text = template_text(tx, &stack.id, &set.id)?;
    let order = order_of(tx, &stack, &set, &text)?;
    forget_all(tx, &stack.id)?;
    "EXECUTE_COMPLETE".clone_into(&mut set.execution_status);
    tx.put(&change_sets_key(&stack.id).part(&set.name), &set)?;
    tx.put(
        &template_key(&stack.id, &set.id),
        &TemplateRecord { text: text.clone() },
    )?;
    stack.change_set_id = Some(set.id);
    stack.token = request.client_request_token;
    let kind = if creating {
        OperationKind::Create
    } else {
        OperationKind::Update
    };
    start(tx, caller, &mut stack, kind, text, set.wanted, order)?;
    Ok(api::ExecuteChangeSetOutput {})
}

fn order_of(
    db: &impl Reader,
    stack: &StackRecord,
    set: &ChangeSetRecord,
    text: &str,
) -> Result<Vec<String>, ApiError> {
    let template = read_template(text)?;
    let mut next = stack.clone();
    next.wanted = set.wanted.clone();
    let (parameters, pseudo) = (parameters_of(&next.wanted.parameters), pseudo(&next));
    let caller = next.caller(String::new());
    let world = World::new(db, &caller, &next.id);
    let evaluator = Evaluator::new(&template, &parameters, &pseudo, &world)?;
    Ok(Graph::new(&template, evaluator.conditions()).creation_order()?)
}

/// `DeleteChangeSet`: deleting what is not there is no error.
pub fn delete_change_set(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::DeleteChangeSetInput,
) -> Result<api::DeleteChangeSetOutput, ApiError> {
    let wish = request.change_set_name.as_deref();
    let found = find_change_set(tx, caller, request.stack_name.as_deref(), wish);
    match found {
        Ok((stack, set)) => forget(tx, &stack.id, &set),
        Err(error) if error.code == "ChangeSetNotFound" => {}
        Err(error) => return Err(error),
    }
    Ok(api::DeleteChangeSetOutput {})
}

fn forget(tx: &mut Tx<'_>, stack_id: &str, set: &ChangeSetRecord) {
    tx.delete::<ChangeSetRecord>(&change_sets_key(stack_id).part(&set.name));
    tx.delete::<TemplateRecord>(&template_key(stack_id, &set.id));
}

/// Deletes every change set of a stack.
pub fn forget_all(tx: &mut Tx<'_>, stack_id: &str) -> Result<(), ApiError> {
    for set in tx.all::<ChangeSetRecord>(&change_sets_key(stack_id))? {
        forget(tx, stack_id, &set);
    }
    Ok(())
}

/// `ListChangeSets`.
pub fn list_change_sets(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListChangeSetsInput,
) -> Result<api::ListChangeSetsOutput, ApiError> {
    let stack = required(db, caller, request.stack_name.as_deref())?;
    let all = db.all::<ChangeSetRecord>(&change_sets_key(&stack.id))?;
    let max = limits::CLOUDFORMATION_PAGE_ITEMS_MAX;
    let (all, next_token) = page(all, request.next_token.as_deref(), None, max)?;
    let summary = |it: ChangeSetRecord| api::ChangeSetSummary {
        stack_id: Some(stack.id.clone()),
        stack_name: Some(stack.name.clone()),
        change_set_id: Some(it.id),
        change_set_name: Some(it.name),
        execution_status: Some(it.execution_status),
        status: Some(it.status),
        status_reason: it.status_reason,
        creation_time: Some(it.created.into()),
        description: it.description,
        include_nested_stacks: Some(false),
        import_existing_resources: Some(false),
        ..Default::default()
    };
    let summaries = Some(all.into_iter().map(summary).collect());
    Ok(api::ListChangeSetsOutput {
        summaries,
        next_token,
    })
}
