//! Exports and imports: values that stacks of one account and region share by name. Never changes a resource.

use landfall_core::api::generated::cloudformation as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::limits;

use super::model::{ExportRecord, StackRecord, exports_key, stacks_key};
use super::plan::invalid;
use crate::page::page;
use crate::tx::{Reader, Tx};

/// Names of the stacks that import an export.
fn importers(db: &impl Reader, stack: &StackRecord, name: &str) -> Result<Vec<String>, ApiError> {
    let all = db.all::<StackRecord>(&stacks_key(&stack.caller(String::new())))?;
    let imports = |it: &StackRecord| it.deleted.is_none() && it.imports.contains(name);
    Ok(all.into_iter().filter(imports).map(|it| it.name).collect())
}

/// Refuses to let go of exports that others import.
///
/// # Errors
/// `Export X cannot be deleted as it is in use by Y`.
pub fn check_unused(db: &impl Reader, stack: &StackRecord) -> Result<(), ApiError> {
    for name in stack
        .outputs
        .iter()
        .filter_map(|it| it.export_name.as_deref())
    {
        refuse_used(db, stack, name, "deleted")?;
    }
    Ok(())
}

fn refuse_used(
    db: &impl Reader,
    stack: &StackRecord,
    name: &str,
    how: &str,
) -> Result<(), ApiError> {
    let users = importers(db, stack, name)?;
    if users.is_empty() {
        return Ok(());
    }
    let users = users.join(" and ");
    Err(invalid(format!(
        "Export {name} cannot be {how} as it is in use by {users}"
    )))
}

/// Exports what the new outputs say instead of what the stack exported before.
///
/// # Errors
/// Names that another stack exports, and exports in use that would go or change.
pub fn replace(
    tx: &mut Tx<'_>,
    stack: &StackRecord,
    outputs: &[api::Output],
) -> Result<(), ApiError> {
    let prefix = exports_key(&stack.account, &stack.region);
    let value_of = |outputs: &[api::Output], name: &str| {
        let named = |it: &&api::Output| it.export_name.as_deref() == Some(name);
        outputs
            .iter()
            .find(named)
            .and_then(|it| it.output_value.clone())
    };
    for name in stack
        .outputs
        .iter()
        .filter_map(|it| it.export_name.as_deref())
    {
        let (old, new) = (value_of(&stack.outputs, name), value_of(outputs, name));
        if new.is_none() {
            refuse_used(tx, stack, name, "deleted")?;
            tx.delete::<ExportRecord>(&prefix.clone().part(name));
        } else if old != new {
            refuse_used(tx, stack, name, "updated")?;
        }
    }
    for output in outputs {
        let Some(name) = &output.export_name else {
            continue;
        };
        let key = prefix.clone().part(name);
        if let Some(other) = tx
            .get::<ExportRecord>(&key)?
            .filter(|it| it.stack_id != stack.id)
        {
            let other = super::find::name_of(&other.stack_id);
            return Err(invalid(format!(
                "Export with name {name} is already exported by stack {other}."
            )));
        }
        let export = ExportRecord {
            stack_id: stack.id.clone(),
            name: name.clone(),
            value: output.output_value.clone().unwrap_or_default(),
        };
        tx.put(&key, &export)?;
    }
    Ok(())
}

/// `ListExports`.
pub fn list_exports(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListExportsInput,
) -> Result<api::ListExportsOutput, ApiError> {
    let all = db.all::<ExportRecord>(&exports_key(&caller.account, &caller.region))?;
    let max = limits::CLOUDFORMATION_PAGE_ITEMS_MAX;
    let (all, next_token) = page(all, request.next_token.as_deref(), None, max)?;
    let export = |it: ExportRecord| api::Export {
        exporting_stack_id: Some(it.stack_id),
        name: Some(it.name),
        value: Some(it.value),
    };
    Ok(api::ListExportsOutput {
        exports: Some(all.into_iter().map(export).collect()),
        next_token,
    })
}

/// `ListImports`.
pub fn list_imports(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListImportsInput,
) -> Result<api::ListImportsOutput, ApiError> {
    let name = request.export_name.as_deref().unwrap_or_default();
    let key = exports_key(&caller.account, &caller.region).part(name);
    if !db.has::<ExportRecord>(&key)? {
        return Err(invalid(format!("Export '{name}' does not exist.")));
    }
    let imports = |it: &StackRecord| it.deleted.is_none() && it.imports.contains(name);
    let all = db.all::<StackRecord>(&stacks_key(caller))?;
    let names: Vec<String> = all.into_iter().filter(imports).map(|it| it.name).collect();
    if names.is_empty() {
        return Err(invalid(format!(
            "Export '{name}' is not imported by any stack."
        )));
    }
    let max = limits::CLOUDFORMATION_PAGE_ITEMS_MAX;
    let (names, next_token) = page(names, request.next_token.as_deref(), None, max)?;
    Ok(api::ListImportsOutput {
        imports: Some(names),
        next_token,
    })
}
