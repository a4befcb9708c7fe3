//! A task is queued, placed, started, watched, stopped; its state changes go back to the bus.
//!
//! Read in this order: `definition`, `task` (RunTask and its kin), `place` (the step of the loop), `effects` (what
//! touches the runtime) and `follow` (one container), `report` (what came of it), `life` (the statuses in between).
//! Never restarts a task: a delivery whose task failed starts another one.

pub mod cluster;
pub mod definition;
pub(crate) mod effects;
mod follow;
mod former;
mod lack;
mod leave;
mod life;
mod orphans;
mod place;
mod queue;
mod report;
mod rule;
pub mod settings;
mod size;
mod spec;
mod supported;
pub mod task;

use landfall_core::api::generated::ecs as api;
use landfall_core::arn::Arn;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
pub use leave::stop_all;
pub(crate) use place::{Launches, recover, turn};
pub(crate) use report::logs;
pub use rule::from_rule;
pub use task::{Failure, Origin, TaskRecord, run_task};

use crate::tx::Reader;

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

/// Refuses an ARN that names no cluster, definition or task, for the tag operations.
pub fn check_exists(db: &impl Reader, arn: &str) -> Result<(), ApiError> {
    let Some(parsed) = Arn::parse(arn).filter(|a| a.service == "ecs") else {
        return Err(invalid("The ARN is not valid."));
    };
    let owner = Caller::service(
        "ecs.amazonaws.com",
        parsed.account,
        parsed.region,
        String::new(),
    );
    let (kind, name) = parsed.resource.split_once('/').unwrap_or_default();
    let exists = match kind {
        "cluster" => cluster::check_active(db, &owner, Some(name)).is_ok(),
        "task-definition" => definition::find(db, &owner, arn)?.is_some(),
        "task" => task::by_arn(db, arn)?.is_some(),
        _ => false,
    };
    if exists {
        Ok(())
    } else {
        Err(invalid("The specified resource was not found."))
    }
}
