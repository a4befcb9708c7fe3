//! Log groups, their streams and events (Amazon CloudWatch Logs), as far as tasks and those who read their output
//! need them. Verbs that read take `now`: retention hides what is too old. Never streams anything by itself.

mod event;
mod filter;
mod group;
mod pattern;
mod policy;
mod put;
mod read;
mod stream;
mod tagging;
#[cfg(test)]
mod tests;

use landfall_core::error::ApiError;

pub use filter::filter_events;
pub use group::{
    Group, create_group, delete_group, delete_retention, describe_groups, ensure_group,
    group_exists, lookup, put_retention,
};
pub use policy::{delete_resource_policy, describe_resource_policies, put_resource_policy};
pub use put::{append, deliver, put_events};
pub use read::get_events;
pub use stream::{create_stream, delete_stream, describe_streams};
pub use tagging::{
    list_tags_for_resource, list_tags_log_group, tag_log_group, tag_resource, untag_log_group,
    untag_resource,
};

/// `InvalidParameterException`, the word of Logs for bad input.
fn invalid(text: impl Into<String>) -> ApiError {
    ApiError::client("InvalidParameterException", text)
}
