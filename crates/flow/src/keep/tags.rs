//! Tags of every resource but objects and buckets, by ARN: one place for all services. Never checks that the ARN
//! names something: its owner does.

use indexmap::IndexMap;
use landfall_core::arn::Arn;
use landfall_core::error::ApiError;
use landfall_core::task::wishes;
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

/// Adds tags; the same name replaces. One that asks of Landfall what it cannot give is refused.
pub fn add(
    tx: &mut Tx<'_>,
    arn: &str,
    tags: impl IntoIterator<Item = (String, String)>,
) -> Result<(), ApiError> {
    let mut all = of(tx, arn)?;
    let before = all.clone();
    for (name, value) in tags {
        wishes::check(&name, &value).map_err(|why| refused(arn, why))?;
        all.0.insert(name, value);
    }
    if all == before {
        return Ok(());
    }
    tx.caches.launches.forget(arn);
    tx.put(&key(arn), &all)
}

/// Removes tags by name.
pub fn remove(tx: &mut Tx<'_>, arn: &str, names: &[String]) -> Result<(), ApiError> {
    let mut all = of(tx, arn)?;
    all.0.retain(|name, _| !names.contains(name));
    tx.caches.launches.forget(arn);
    tx.put(&key(arn), &all)
}

/// Forgets all tags, when the resource goes.
pub fn clear(tx: &mut Tx<'_>, arn: &str) {
    tx.caches.launches.forget(arn);
    tx.delete::<Tags>(&key(arn));
}

/// A tag as the API of one service writes it: the generated types have the same members, but no common name.
pub trait ApiTag {
    /// Its name and value; none when it has no name.
    fn into_pair(self) -> Option<(String, String)>;
    /// The tag with this name and value.
    fn from_pair(name: String, value: String) -> Self;
}

macro_rules! api_tags {
    ($($service:ident),*) => {$(
        impl ApiTag for landfall_core::api::generated::$service::Tag {
            fn into_pair(self) -> Option<(String, String)> {
                Some((self.key?, self.value.unwrap_or_default()))
            }

            fn from_pair(name: String, value: String) -> Self {
                Self { key: Some(name), value: Some(value) }
            }
        }
    )*};
}

api_tags!(cloudtrail, ec2, ecs, events, iam, ssm);

/// The tags of a request as pairs.
pub fn pairs<T: ApiTag>(
    tags: impl IntoIterator<Item = Vec<T>>,
) -> impl Iterator<Item = (String, String)> {
    tags.into_iter().flatten().filter_map(ApiTag::into_pair)
}

/// Pairs as an answer writes them.
pub fn shown<T: ApiTag>(tags: impl IntoIterator<Item = (String, String)>) -> Vec<T> {
    tags.into_iter()
        .map(|(name, value)| T::from_pair(name, value))
        .collect()
}

/// The error of the service whose resource is tagged.
fn refused(arn: &str, why: String) -> ApiError {
    match Arn::parse(arn).map(|arn| arn.service) {
        Some("ecs") => ApiError::client("InvalidParameterException", why),
        _ => ApiError::validation(why),
    }
}

fn key(arn: &str) -> Key {
    Key::new("tags").part(arn)
}
