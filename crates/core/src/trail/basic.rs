//! Basic event selectors: management events, and data events by type and ARN prefix.

use super::{Subject, invalid};
use crate::api::generated::cloudtrail as api;
use crate::error::ApiError;
use crate::limits;

/// Types of resources that a basic selector may name, and the service in the ARNs of each. Landfall has no functions and
/// no tables, so there is nothing to record of them.
const TYPES: [(&str, &str); 3] = [
    (super::OBJECT, "s3"),
    ("AWS::Lambda::Function", "lambda"),
    ("AWS::DynamoDB::Table", "dynamodb"),
];
/// Sources whose management events may be left out.
const EXCLUDABLE: [&str; 2] = ["kms.amazonaws.com", "rdsdata.amazonaws.com"];

/// Whether the selector takes the call.
pub fn basic_take(selector: &api::EventSelector, subject: &Subject<'_>) -> bool {
    let fits = match selector.read_write_type.as_deref() {
        Some("ReadOnly") => subject.read_only,
        Some("WriteOnly") => !subject.read_only,
        _ => true,
    };
    fits && match subject.object_arn {
        None => {
            let excluded = selector.exclude_management_event_sources.iter().flatten();
            selector.include_management_events != Some(false)
                && !excluded.into_iter().any(|source| source == subject.source)
        }
        Some(arn) => selector
            .data_resources
            .iter()
            .flatten()
            .filter(|resource| resource.r#type.as_deref() == Some(super::OBJECT))
            .flat_map(|resource| resource.values.iter().flatten())
            .any(|prefix| arn.starts_with(prefix.as_str())),
    }
}

/// The selector as it is answered: nothing left out.
pub(super) fn filled_in(mut selector: api::EventSelector) -> api::EventSelector {
    let standard = super::standard();
    selector.read_write_type = selector.read_write_type.or(standard.read_write_type);
    selector.include_management_events = selector
        .include_management_events
        .or(standard.include_management_events);
    selector.data_resources = selector.data_resources.or(standard.data_resources);
    selector.exclude_management_event_sources = selector
        .exclude_management_event_sources
        .or(standard.exclude_management_event_sources);
    selector
}

/// Refuses what AWS refuses.
pub(super) fn check(selectors: &[api::EventSelector]) -> Result<(), ApiError> {
    let max = limits::CLOUDTRAIL_SELECTORS_MAX;
    if selectors.len() > max {
        return Err(invalid(format!(
            "The number of event selectors exceeds the limit of {max}."
        )));
    }
    let resources = || {
        selectors
            .iter()
            .flat_map(|selector| selector.data_resources.iter().flatten())
    };
    let count: usize = resources()
        .map(|resource| resource.values.as_ref().map_or(0, Vec::len))
        .sum();
    let max = limits::CLOUDTRAIL_DATA_RESOURCES_MAX;
    if count > max {
        return Err(invalid(format!(
            "The number of data resources across all event selectors of a trail exceeds the limit of {max}."
        )));
    }
    resources().try_for_each(check_resource)?;
    let excluded = selectors
        .iter()
        .flat_map(|selector| selector.exclude_management_event_sources.iter().flatten());
    match excluded
        .into_iter()
        .find(|source| !EXCLUDABLE.contains(&source.as_str()))
    {
        None => Ok(()),
        Some(other) => Err(invalid(format!(
            "Value {other} for ExcludeManagementEventSources is invalid."
        ))),
    }
}

fn check_resource(resource: &api::DataResource) -> Result<(), ApiError> {
    let kind = resource.r#type.as_deref().unwrap_or_default();
    let Some((_, service)) = TYPES.iter().find(|(known, _)| *known == kind) else {
        return Err(invalid(format!(
            "Value {kind} for DataResources.Type is invalid."
        )));
    };
    let values = resource.values.iter().flatten();
    match values
        .into_iter()
        .find(|value| !is_prefix_of(service, value))
    {
        None => Ok(()),
        Some(value) => Err(invalid(format!(
            "Value {value} for DataResources.Values is invalid."
        ))),
    }
}

/// Whether a text begins ARNs of the service. A bucket without a slash behind it is none: it would take in every bucket
/// whose name begins so.
fn is_prefix_of(service: &str, text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let head = (parts.next(), parts.next(), parts.next());
    let (Some("arn"), Some(partition), Some(named)) = head else {
        return false;
    };
    let rest: Vec<&str> = parts.collect();
    if !partition.starts_with("aws") || named != service {
        return false;
    }
    match (service, rest.as_slice()) {
        (_, []) | ("s3", ["", "", ""]) => true,
        ("s3", ["", "", object]) => object
            .split_once('/')
            .is_some_and(|(bucket, _)| !bucket.is_empty() && !bucket.contains('*')),
        ("s3", _) => false,
        (_, [region, account, resource]) => {
            !region.is_empty() && !account.is_empty() && !resource.is_empty()
        }
        _ => false,
    }
}
