//! A task is queued, placed, started, watched, stopped; its state changes go back to the bus.
//!
//! Read in this order: `definition`, `task` (RunTask and its kin), `place` (the step of the loop), `effects` (what
//! touches the runtime), `report` (what came of it), `life` (the statuses in between). Never restarts a task.

pub mod cluster;
pub mod definition;
pub(crate) mod effects;
mod life;
mod place;
mod report;
mod rule;
mod spec;
mod supported;
pub mod task;

use landfall_core::api::generated::ecs as api;
use landfall_core::error::ApiError;
pub(crate) use place::{recover, turn};
pub use rule::from_rule;
pub use task::{TaskRecord, run_task};

use crate::keep::tags::Tags;

/// ECS's word for most bad input.
fn client(message: impl Into<String>) -> ApiError {
    ApiError::client("ClientException", message)
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidParameterException", message)
}

fn missing(arn: String) -> api::Failure {
    api::Failure {
        arn: Some(arn),
        reason: Some("MISSING".to_owned()),
        detail: None,
    }
}

/// Tags as pairs.
pub fn tag_pairs(tags: Option<Vec<api::Tag>>) -> impl Iterator<Item = (String, String)> {
    tags.into_iter()
        .flatten()
        .filter_map(|t| Some((t.key?, t.value.unwrap_or_default())))
}

/// Tags as ECS writes them.
pub fn api_tags(tags: &Tags) -> Vec<api::Tag> {
    let tag = |(k, v): (&String, &String)| api::Tag {
        key: Some(k.clone()),
        value: Some(v.clone()),
    };
    tags.0.iter().map(tag).collect()
}
