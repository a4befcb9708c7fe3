//! Stacks by name or id. Never changes one.

use landfall_core::arn::{Arn, arn};
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;

use super::model::{NameRecord, StackRecord, name_key, stack_key};
use super::plan::invalid;
use crate::tx::Reader;

/// The stack that a request names: one that is not deleted by its name, any by its id.
pub fn find(
    db: &impl Reader,
    caller: &Caller,
    name_or_id: &str,
) -> Result<Option<StackRecord>, ApiError> {
    if let Some(key) = stack_key(name_or_id) {
        return db.get(&key);
    }
    let name = db.get::<NameRecord>(&name_key(&caller.account, &caller.region, name_or_id))?;
    match name.and_then(|it| stack_key(&it.id)) {
        Some(key) => db.get(&key),
        None => Ok(None),
    }
}

/// The stack that a request names.
///
/// # Errors
/// `Stack with id X does not exist`, which clients parse.
pub fn required(
    db: &impl Reader,
    caller: &Caller,
    name_or_id: Option<&str>,
) -> Result<StackRecord, ApiError> {
    let wish = name_or_id.unwrap_or_default();
    find(db, caller, wish)?.ok_or_else(|| missing(wish))
}

/// `Stack with id X does not exist`.
pub fn missing(name_or_id: &str) -> ApiError {
    invalid(format!("Stack with id {name_or_id} does not exist"))
}

/// The name in a stack's id.
pub fn name_of(id: &str) -> &str {
    let name = Arn::parse(id).map_or(id, |it| it.resource_name());
    name.split_once('/').map_or(name, |(name, _)| name)
}

/// An id for a new stack.
pub fn new_id(caller: &Caller, name: &str, uuid: &str) -> String {
    arn(
        "cloudformation",
        &caller.region,
        &caller.account,
        format_args!("stack/{name}/{uuid}"),
    )
}

/// Refuses names that AWS refuses: a letter, then letters, digits and hyphens, 128 in all.
///
/// # Errors
/// `ValidationError`.
pub fn check_name(name: &str) -> Result<(), ApiError> {
    let fits = name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fits {
        return Ok(());
    }
    Err(invalid(format!(
        "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must \
         satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
    )))
}
