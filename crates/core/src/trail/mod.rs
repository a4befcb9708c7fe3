//! CloudTrail's decisions: names of trails, and which calls a trail's event selectors take.
//! `record` says how a record is
//! written, `s3` what a request of S3 has to say for its own. Never knows what is stored.

mod advanced;
mod basic;
pub mod call;
pub mod calls;
pub mod name;
pub mod record;
pub mod s3;

pub use advanced::advanced_take;
pub use basic::basic_take;

use crate::api::generated::cloudtrail as api;
use crate::error::ApiError;

/// The one type of resource whose data events there are.
pub const OBJECT: &str = "AWS::S3::Object";

/// What event selectors look at in a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject<'a> {
    /// Such as `s3.amazonaws.com`.
    pub source: &'a str,
    /// Such as `PutObject`.
    pub name: &'a str,
    /// Whether the call changes nothing.
    pub read_only: bool,
    /// ARN of the caller.
    pub caller_arn: &'a str,
    /// ARN of the object, or the beginning of the ARNs of a bucket's objects; none for a management event.
    pub object_arn: Option<&'a str>,
}

/// What a trail selects that nobody has told anything: management events.
pub fn standard() -> api::EventSelector {
    api::EventSelector {
        read_write_type: Some("All".to_owned()),
        include_management_events: Some(true),
        data_resources: Some(Vec::new()),
        exclude_management_event_sources: Some(Vec::new()),
    }
}

/// Whether a trail with these selectors takes the call. The two kinds exclude each other.
pub fn take(
    basic: &[api::EventSelector],
    advanced: &[api::AdvancedEventSelector],
    subject: &Subject<'_>,
) -> bool {
    basic.iter().any(|selector| basic_take(selector, subject))
        || advanced
            .iter()
            .any(|selector| advanced_take(selector, subject))
}

/// Whether the selectors can take a data event at all.
pub fn take_data(basic: &[api::EventSelector], advanced: &[api::AdvancedEventSelector]) -> bool {
    let names_objects = |resource: &api::DataResource| resource.r#type.as_deref() == Some(OBJECT);
    basic
        .iter()
        .flat_map(|selector| selector.data_resources.iter().flatten())
        .any(names_objects)
        || advanced.iter().any(advanced::is_about_data)
}

/// Checks selectors as `PutEventSelectors` does and fills in what was left out.
///
/// # Errors
/// `InvalidEventSelectorsException`
pub fn checked(
    request: api::PutEventSelectorsRequest,
) -> Result<(Vec<api::EventSelector>, Vec<api::AdvancedEventSelector>), ApiError> {
    let basic = request.event_selectors.unwrap_or_default();
    let advanced = request.advanced_event_selectors.unwrap_or_default();
    match (basic.is_empty(), advanced.is_empty()) {
        (true, true) => Err(invalid("You must specify at least one event selector.")),
        (false, false) => Err(invalid(
            "You cannot specify both EventSelectors and AdvancedEventSelectors in one request.",
        )),
        (false, true) => basic::check(&basic).map(|()| {
            (
                basic.into_iter().map(basic::filled_in).collect(),
                Vec::new(),
            )
        }),
        (true, false) => advanced::check(&advanced).map(|()| (Vec::new(), advanced)),
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("InvalidEventSelectorsException", message)
}

#[cfg(test)]
mod tests;
