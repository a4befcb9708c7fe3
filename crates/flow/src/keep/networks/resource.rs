//! What all stored network resources have in common: ids, keys, and the errors about them. Never knows one kind.

use landfall_core::arn::arn;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::ids::Ids;
use sha2::{Digest, Sha256};

use super::defaults::{self, Defaults};
use crate::keep::tags;
use crate::key::Key;
use crate::record::Record;
use crate::tx::{Reader, Tx};

/// Characters of an id behind its prefix.
const ID_CHARS: usize = 17;

/// A stored resource of EC2.
pub(super) trait Resource: Record {
    /// The kind in its key, and before the dash in its ids.
    const PREFIX: &'static str;
    /// EC2's name of the type, as tags and ARNs say it.
    const TYPE: &'static str;
    /// Code of the error when an id names nothing.
    const NOT_FOUND: &'static str;
    /// What AWS calls an id of this type in that error.
    const NOUN: &'static str;

    /// Its id.
    fn id(&self) -> &str;

    /// Those of the default network.
    fn of(defaults: Defaults) -> Vec<Self>;
}

/// A drawn id such as `vpc-0123456789abcdef0`.
pub(super) fn new_id(ids: &dyn Ids, prefix: &str) -> String {
    with_hex(prefix, &ids.hex(ID_CHARS.div_ceil(2)))
}

/// An id that follows from `of`: the same every time.
pub(super) fn derived_id(prefix: &str, of: &[&str]) -> String {
    with_hex(prefix, &hex::encode(Sha256::digest(of.join("\n"))))
}

fn with_hex(prefix: &str, hex: &str) -> String {
    let tail: String = hex.chars().skip(1).take(ID_CHARS - 1).collect();
    format!("{prefix}-0{tail}")
}

/// The ARN of a resource.
pub(super) fn arn_of<R: Resource>(caller: &Caller, id: &str) -> String {
    arn(
        "ec2",
        &caller.region,
        &caller.account,
        format!("{}/{id}", R::TYPE),
    )
}

/// The key prefix of all resources of a type, in an account and region.
fn prefix<R: Resource>(caller: &Caller) -> Key {
    Key::new(&format!("ec2-{}", R::PREFIX))
        .part(&caller.account)
        .part(&caller.region)
}

/// All resources of a type, by id.
pub(super) fn all<R: Resource>(db: &impl Reader, caller: &Caller) -> Result<Vec<R>, ApiError> {
    match defaults::are_stored(db, caller)? {
        true => db.all(&prefix::<R>(caller)),
        false => {
            let mut defaults = R::of(Defaults::of(caller));
            defaults.sort_by(|a, b| a.id().cmp(b.id()));
            Ok(defaults)
        }
    }
}

/// The resource, or AWS's error when there is none.
pub(super) fn find<R: Resource>(
    db: &impl Reader,
    caller: &Caller,
    id: Option<&str>,
) -> Result<R, ApiError> {
    let id = id.unwrap_or_default();
    let found = match defaults::are_stored(db, caller)? {
        true => db.get(&prefix::<R>(caller).part(id))?,
        false => R::of(Defaults::of(caller))
            .into_iter()
            .find(|r| r.id() == id),
    };
    found.ok_or_else(|| not_found::<R>(id))
}

/// The resources with these ids, or all when none is given.
pub(super) fn select<R: Resource>(
    db: &impl Reader,
    caller: &Caller,
    ids: Option<&[String]>,
) -> Result<Vec<R>, ApiError> {
    match ids {
        None | Some([]) => all(db, caller),
        Some(ids) => ids.iter().map(|id| find(db, caller, Some(id))).collect(),
    }
}

/// Writes a resource, and before the first one of an account and region its default network.
pub(super) fn store<R: Resource>(
    tx: &mut Tx<'_>,
    caller: &Caller,
    resource: &R,
) -> Result<(), ApiError> {
    defaults::store(tx, caller)?;
    put(tx, caller, resource)
}

/// Writes a resource, and nothing else.
pub(super) fn put<R: Resource>(
    tx: &mut Tx<'_>,
    caller: &Caller,
    resource: &R,
) -> Result<(), ApiError> {
    tx.put(&prefix::<R>(caller).part(resource.id()), resource)
}

/// Deletes a resource and its tags.
pub(super) fn delete<R: Resource>(
    tx: &mut Tx<'_>,
    caller: &Caller,
    id: &str,
) -> Result<(), ApiError> {
    defaults::store(tx, caller)?;
    tx.delete::<R>(&prefix::<R>(caller).part(id));
    tags::clear(tx, id);
    Ok(())
}

fn not_found<R: Resource>(id: &str) -> ApiError {
    ApiError::client(
        R::NOT_FOUND,
        format!("The {} '{id}' does not exist", R::NOUN),
    )
}

/// `DependencyViolation`, as most types say it.
pub(super) fn in_use(noun: &str, id: &str) -> ApiError {
    ApiError::client(
        "DependencyViolation",
        format!("The {noun} '{id}' has dependencies and cannot be deleted."),
    )
}

/// `InvalidParameterValue`.
pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidParameterValue", message)
}

/// Refuses what AWS has and Landfall's networks have not.
pub(super) fn refuse(asked: bool, what: &str) -> Result<(), ApiError> {
    match asked {
        true => Err(ApiError::not_implemented(format!(
            "{what} is not supported by Landfall."
        ))),
        false => Ok(()),
    }
}

/// The answer, or AWS's word that it would have been given. The error takes back what the verb wrote.
pub(super) fn unless_dry_run<T>(dry_run: Option<bool>, answer: T) -> Result<T, ApiError> {
    match dry_run {
        Some(true) => Err(ApiError::with_status(
            "DryRunOperation",
            412,
            "Request would have succeeded, but DryRun flag is set.",
        )),
        _ => Ok(answer),
    }
}
