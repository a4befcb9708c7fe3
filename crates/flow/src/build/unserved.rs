//! What the stack operations of AWS take and Landfall does not do: refused by name, so that nothing is dropped in
//! silence. Never changes a stack.

use landfall_core::api::generated::cloudformation as api;
use landfall_core::error::ApiError;

use super::plan::invalid;

/// The members that several operations share.
#[derive(Default)]
pub(super) struct Asked<'a> {
    /// `RollbackConfiguration`: alarms to watch while a stack is made.
    pub triggers: Option<&'a api::RollbackConfiguration>,
    /// `NotificationARNs`: topics to tell.
    pub notifies: Option<&'a [String]>,
    /// `RetainExceptOnCreate`.
    pub retain_except_on_create: Option<bool>,
    /// `ImportExistingResources`.
    pub import_existing: Option<bool>,
}

impl Asked<'_> {
    /// # Errors
    /// `ValidationError` for the first that is asked for.
    pub(super) fn refuse(&self) -> Result<(), ApiError> {
        let watched = self.triggers.is_some_and(|it| {
            it.monitoring_time_in_minutes
                .is_some_and(|minutes| minutes > 0)
                || it.rollback_triggers.as_ref().is_some_and(|t| !t.is_empty())
        });
        let asks = [
            ("RollbackConfiguration", watched),
            (
                "NotificationARNs",
                self.notifies.is_some_and(|arns| !arns.is_empty()),
            ),
            (
                "RetainExceptOnCreate",
                self.retain_except_on_create == Some(true),
            ),
            (
                "ImportExistingResources",
                self.import_existing == Some(true),
            ),
        ];
        match asks.iter().find(|(_, asked)| *asked) {
            Some((what, _)) => Err(invalid(format!("{what} is not served by Landfall."))),
            None => Ok(()),
        }
    }
}
