//! Tags of every resource but objects and buckets, by ARN: one place for all services. Never checks that the ARN
//! names something: its owner does.

use indexmap::IndexMap;
use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};

use crate::key::Key;
use crate::tx::{Reader, Tx};

/// The tags of one resource, in the order they were first given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(pub IndexMap<String, String>);
crate::record!(Tags in Control);

/// The tags of `arn`; empty when it has none.
pub fn of(db: &impl Reader, arn: &str) -> Result<Tags, ApiError> {
    Ok(db.get::<Tags>(&key(arn))?.unwrap_or_default())
}

/// Adds tags; the same name replaces.
pub fn add(
    tx: &mut Tx<'_>,
    arn: &str,
    tags: impl IntoIterator<Item = (String, String)>,
) -> Result<(), ApiError> {
    let mut all = of(tx, arn)?;
    let before = all.clone();
    all.0.extend(tags);
    if all == before {
        Ok(())
    } else {
        tx.put(&key(arn), &all)
    }
}

/// Removes tags by name.
pub fn remove(tx: &mut Tx<'_>, arn: &str, names: &[String]) -> Result<(), ApiError> {
    let mut all = of(tx, arn)?;
    all.0.retain(|name, _| !names.contains(name));
    tx.put(&key(arn), &all)
}

/// Forgets all tags, when the resource goes.
pub fn clear(tx: &mut Tx<'_>, arn: &str) {
    tx.delete::<Tags>(&key(arn));
}

fn key(arn: &str) -> Key {
    Key::new("tags").part(arn)
}
