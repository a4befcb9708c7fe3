//! Advanced event selectors: conditions on fields, all of which must hold.

use super::{OBJECT, Subject, invalid};
use crate::api::generated::cloudtrail as api;
use crate::error::ApiError;
use crate::limits;

/// Fields of selectors of management events.
const MANAGEMENT_FIELDS: [&str; 6] = [
    "eventCategory",
    "eventName",
    "eventSource",
    "eventType",
    "readOnly",
    "userIdentity.arn",
];
/// Fields of selectors of data events.
const DATA_FIELDS: [&str; 8] = [
    "eventCategory",
    "eventName",
    "eventSource",
    "eventType",
    "readOnly",
    "resources.ARN",
    "resources.type",
    "userIdentity.arn",
];

type Field = api::AdvancedFieldSelector;

/// Whether the selector takes the call.
pub fn advanced_take(selector: &api::AdvancedEventSelector, subject: &Subject<'_>) -> bool {
    selector
        .field_selectors
        .iter()
        .flatten()
        .all(|field| holds(field, value_of(field, subject)))
}

fn value_of<'a>(field: &Field, subject: &Subject<'a>) -> Option<&'a str> {
    Some(match field.field.as_deref()? {
        "eventCategory" if subject.object_arn.is_some() => "Data",
        "eventCategory" => "Management",
        "eventName" => subject.name,
        "eventSource" => subject.source,
        "eventType" => "AwsApiCall",
        "readOnly" if subject.read_only => "true",
        "readOnly" => "false",
        "resources.ARN" => return subject.object_arn,
        "resources.type" => return subject.object_arn.map(|_| OBJECT),
        "userIdentity.arn" => subject.caller_arn,
        _ => return None,
    })
}

/// One of the positive conditions must hold, if there are any, and none of the negative ones may be broken.
fn holds(field: &Field, value: Option<&str>) -> bool {
    let Some(value) = value else {
        return false;
    };
    let any = |list: &Option<Vec<String>>, test: fn(&str, &str) -> bool| {
        list.iter().flatten().any(|wanted| test(value, wanted))
    };
    let (equal, start, end) = tests();
    let asks = field.equals.is_some() || field.starts_with.is_some() || field.ends_with.is_some();
    let is_wanted =
        any(&field.equals, equal) || any(&field.starts_with, start) || any(&field.ends_with, end);
    let is_unwanted = any(&field.not_equals, equal)
        || any(&field.not_starts_with, start)
        || any(&field.not_ends_with, end);
    (is_wanted || !asks) && !is_unwanted
}

type Test = fn(&str, &str) -> bool;

fn tests() -> (Test, Test, Test) {
    (
        |value, wanted| value == wanted,
        |value, wanted| value.starts_with(wanted),
        |value, wanted| value.ends_with(wanted),
    )
}

/// Whether the selector is one of data events of objects.
pub(super) fn is_about_data(selector: &api::AdvancedEventSelector) -> bool {
    only_value(selector, "eventCategory") == Some("Data")
        && only_value(selector, "resources.type") == Some(OBJECT)
}

fn fields<'a>(
    selector: &'a api::AdvancedEventSelector,
    name: &str,
) -> impl Iterator<Item = &'a Field> {
    let fields = selector.field_selectors.iter().flatten();
    fields.filter(move |field| field.field.as_deref() == Some(name))
}

/// The value of a field that is given once, with `Equals` and one value only.
fn only_value<'a>(selector: &'a api::AdvancedEventSelector, name: &str) -> Option<&'a str> {
    let mut given = fields(selector, name);
    let (field, more) = (given.next()?, given.next());
    let bare = Field {
        field: field.field.clone(),
        equals: field.equals.clone(),
        ..Field::default()
    };
    match field.equals.as_deref() {
        Some([value]) if more.is_none() && *field == bare => Some(value),
        _ => None,
    }
}

/// Refuses what AWS refuses.
pub(super) fn check(selectors: &[api::AdvancedEventSelector]) -> Result<(), ApiError> {
    let values = selectors
        .iter()
        .flat_map(|selector| selector.field_selectors.iter().flatten())
        .map(|field| lists(field).map(Vec::len).sum::<usize>());
    let max = limits::CLOUDTRAIL_ADVANCED_VALUES_MAX;
    if values.sum::<usize>() > max {
        return Err(invalid(format!(
            "The number of values for all field selectors across the advanced event selectors of a trail exceeds the \
             limit of {max}."
        )));
    }
    selectors.iter().try_for_each(check_one)
}

fn lists(field: &Field) -> impl Iterator<Item = &Vec<String>> {
    [
        &field.equals,
        &field.starts_with,
        &field.ends_with,
        &field.not_equals,
        &field.not_starts_with,
        &field.not_ends_with,
    ]
    .into_iter()
    .flatten()
}

fn check_one(selector: &api::AdvancedEventSelector) -> Result<(), ApiError> {
    let category = only_value(selector, "eventCategory").ok_or_else(|| {
        invalid("An advanced event selector must have one eventCategory field with Equals and one value.")
    })?;
    let allowed: &[&str] = match category {
        "Management" => &MANAGEMENT_FIELDS,
        "Data" => &DATA_FIELDS,
        other => {
            return Err(invalid(format!(
                "Value {other} for the field eventCategory is invalid."
            )));
        }
    };
    if category == "Data" {
        match only_value(selector, "resources.type") {
            Some(OBJECT | "AWS::Lambda::Function" | "AWS::DynamoDB::Table") => {}
            Some(other) => {
                return Err(invalid(format!(
                    "Value {other} for the field resources.type is invalid: Landfall records data events of {OBJECT}."
                )));
            }
            None => {
                return Err(invalid(
                    "An advanced event selector for data events must have one resources.type field with Equals and one \
                     value.",
                ));
            }
        }
    }
    selector
        .field_selectors
        .iter()
        .flatten()
        .try_for_each(|field| check_field(selector, field, category, allowed))
}

fn check_field(
    selector: &api::AdvancedEventSelector,
    field: &Field,
    category: &str,
    allowed: &[&str],
) -> Result<(), ApiError> {
    let name = field.field.as_deref().unwrap_or_default();
    if !allowed.contains(&name) {
        return Err(invalid(format!(
            "The field {name} is not valid for the eventCategory {category}."
        )));
    }
    if fields(selector, name).count() > 1 {
        return Err(invalid(format!(
            "The field {name} is given more than once in an advanced event selector."
        )));
    }
    if lists(field).next().is_none() {
        return Err(invalid(format!("The field {name} has no operator.")));
    }
    let is_flag = name == "readOnly";
    if is_flag && !matches!(only_value(selector, name), Some("true" | "false")) {
        return Err(invalid(
            "The field readOnly takes Equals with one value: true or false.",
        ));
    }
    Ok(())
}
