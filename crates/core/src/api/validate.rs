//! The one validator of API input: walks a JSON value along the shape table and words what is wrong as AWS does.
//!
//! Types are checked first ([`types`]): what passes can be read into the generated types. Constraints come second
//! ([`constraints`]), in the manner of the service. Rules that no model states stay with the handlers.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, OnceLock, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fancy_regex::Regex;
use serde_json::{Map, Value};

use crate::api::model::{Kind, Member, OperationModel, ServiceModel, ShapeId};
use crate::error::ApiError;
use crate::limits::DOCUMENT_DEPTH_MAX;

/// Checks the input of an operation: types first, constraints second.
pub fn validate(
    service: &ServiceModel,
    operation: &OperationModel,
    input: &Value,
) -> Result<(), ApiError> {
    let Some(shape) = operation.input else {
        return Ok(());
    };
    types(service, shape, input)?;
    constraints(service, shape, input)
}

// --- Types ----------------------------------------------------------------------------------------------------

/// Checks that every member has the type of its shape; unknown members are ignored, as AWS does.
pub fn types(service: &ServiceModel, shape: ShapeId, value: &Value) -> Result<(), ApiError> {
    typed(service, shape, value, 0)
}

fn typed(
    service: &ServiceModel,
    shape: ShapeId,
    value: &Value,
    depth: usize,
) -> Result<(), ApiError> {
    if depth > DOCUMENT_DEPTH_MAX {
        return Err(serialization("The document is nested too deeply"));
    }
    let Some(kind) = service.kind(shape) else {
        return Ok(());
    };
    match (kind, value) {
        (Kind::Structure { members }, Value::Object(object)) => {
            for member in *members {
                if let Some(value) = object.get(member.name).filter(|value| !value.is_null()) {
                    typed(service, member.shape, value, depth + 1)?;
                }
            }
            Ok(())
        }
        (Kind::List { item, .. }, Value::Array(items)) => items
            .iter()
            .try_for_each(|value| typed(service, *item, value, depth + 1)),
        (Kind::Map { value: shape, .. }, Value::Object(entries)) => entries
            .values()
            .try_for_each(|value| typed(service, *shape, value, depth + 1)),
        (Kind::Structure { .. } | Kind::Map { .. }, _) => Err(serialization(unexpected(
            value,
            "Expected a structure or a map",
        ))),
        (Kind::List { .. }, _) => Err(serialization(unexpected(value, "Expected list or null"))),
        (scalar, _) => typed_scalar(scalar, value),
    }
}

fn typed_scalar(kind: &Kind, value: &Value) -> Result<(), ApiError> {
    let wanted = match (kind, value) {
        (Kind::String { .. }, Value::String(_))
        | (Kind::Boolean, Value::Bool(_))
        | (Kind::Double | Kind::Timestamp, Value::Number(_)) => return Ok(()),
        (Kind::Integer { .. }, Value::Number(n))
            if n.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) =>
        {
            return Ok(());
        }
        (Kind::Long { .. }, Value::Number(n)) if n.as_i64().is_some() => return Ok(()),
        (Kind::Blob { .. }, Value::String(text)) => {
            return match STANDARD.decode(text) {
                Ok(_) => Ok(()),
                Err(_) => Err(serialization("Blob fields should be base64 encoded.")),
            };
        }
        (Kind::String { .. }, _) => "a String",
        (Kind::Boolean, _) => "a Boolean",
        (Kind::Integer { .. }, _) => "an Integer",
        (Kind::Long { .. }, _) => "a Long",
        (Kind::Double, _) => "a Double",
        (Kind::Timestamp, _) => "milliseconds since epoch",
        (_, _) => "a Blob",
    };
    Err(serialization(match value {
        Value::Array(_) => "Start of list found where not expected".to_owned(),
        Value::Object(_) => "Start of structure or map found where not expected.".to_owned(),
        scalar => format!("{} can not be converted to {wanted}", token(scalar)),
    }))
}

fn unexpected(value: &Value, expected: &str) -> String {
    match value {
        Value::Object(_) => "Start of structure or map found where not expected.".to_owned(),
        Value::Array(_) => "Start of list found where not expected".to_owned(),
        _ => expected.to_owned(),
    }
}

fn token(value: &Value) -> &'static str {
    match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(n) if n.is_f64() => "DECIMAL_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        _ => "STRING_VALUE",
    }
}

/// `SerializationException`: the input cannot be read at all.
pub fn serialization(message: impl Into<String>) -> ApiError {
    ApiError::client("SerializationException", message)
}

// --- Constraints ----------------------------------------------------------------------------------------------

/// How a service speaks about constraints; the overlay over what the models say.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// `N validation errors detected: …` under this code.
    Listed(&'static str),
    /// Only missing members are spoken of, the first one, as `MissingParameter`.
    Missing,
    /// The handlers check everything themselves, in the service's own words.
    Silent,
}

fn manner(service: &ServiceModel) -> Manner {
    match service.name {
        "events" | "ssm" => Manner::Listed("ValidationException"),
        "logs" => Manner::Listed("InvalidParameterException"),
        "iam" | "sts" | "cloudformation" | "cloudwatch" => Manner::Listed("ValidationError"),
        "sqs" | "ec2" => Manner::Missing,
        "ecs" => Manner::Silent,
        _ => Manner::Listed("ValidationException"),
    }
}

/// Checks required members, lengths, ranges, patterns and enumerations in the manner of the service. Expects a value
/// that passed [`types`].
pub fn constraints(service: &ServiceModel, shape: ShapeId, value: &Value) -> Result<(), ApiError> {
    let manner = manner(service);
    if manner == Manner::Silent {
        return Ok(());
    }
    let mut walk = Walk {
        service,
        errors: Vec::new(),
        missing: None,
    };
    walk.visit(shape, value, "");
    match manner {
        Manner::Missing => match walk.missing {
            Some(name) => Err(ApiError::client(
                "MissingParameter",
                format!("The request must contain the parameter {name}"),
            )),
            None => Ok(()),
        },
        Manner::Listed(code) if !walk.errors.is_empty() => {
            let count = walk.errors.len();
            let noun = if count == 1 { "error" } else { "errors" };
            let text = format!(
                "{count} validation {noun} detected: {}",
                walk.errors.join("; ")
            );
            Err(ApiError::client(code, text))
        }
        Manner::Listed(_) | Manner::Silent => Ok(()),
    }
}

struct Walk<'a> {
    service: &'a ServiceModel,
    errors: Vec<String>,
    missing: Option<&'static str>,
}

impl Walk<'_> {
    fn visit(&mut self, shape: ShapeId, value: &Value, path: &str) {
        let Some(kind) = self.service.kind(shape) else {
            return;
        };
        match (kind, value) {
            (Kind::Structure { members }, Value::Object(object)) => {
                self.structure(members, object, path);
            }
            (Kind::List { item, min, max, .. }, Value::Array(items)) => {
                self.list(*item, items, path);
                self.complain(value, path, length(items.len(), *min, *max));
            }
            (
                Kind::Map {
                    key,
                    value: shape,
                    min,
                    max,
                    ..
                },
                Value::Object(entries),
            ) => {
                self.map(*key, *shape, entries, value, path);
                self.complain(value, path, length(entries.len(), *min, *max));
            }
            (scalar, _) => {
                let broken = if satisfied(scalar, value) {
                    Vec::new()
                } else {
                    broken(scalar, value)
                };
                self.complain(value, path, broken);
            }
        }
    }

    fn structure(&mut self, members: &'static [Member], object: &Map<String, Value>, path: &str) {
        for member in members {
            let dot = if path.is_empty() { "" } else { "." };
            match object.get(member.name).filter(|value| !value.is_null()) {
                Some(value) => {
                    let path = format!("{path}{dot}{}", lowered(member.name));
                    self.visit(member.shape, value, &path);
                }
                None if member.required => {
                    self.missing.get_or_insert(member.query);
                    self.errors.push(format!(
                        "Value null at '{path}{dot}{}' failed to satisfy constraint: Member must not be null",
                        lowered(member.name)
                    ));
                }
                None => {}
            }
        }
    }

    fn list(&mut self, item: ShapeId, items: &[Value], path: &str) {
        let Some(kind) = self.service.kind(item) else {
            return;
        };
        if is_scalar(kind) {
            if items.iter().any(|value| !satisfied(kind, value)) {
                let text = format!(
                    "[{}]",
                    items.iter().map(shown).collect::<Vec<_>>().join(", ")
                );
                self.errors.push(format!(
                    "Value '{text}' at '{path}' failed to satisfy constraint: Member must satisfy constraint: [{}]",
                    all(kind).join(", ")
                ));
            }
            return;
        }
        for (at, value) in items.iter().enumerate() {
            self.visit(item, value, &format!("{path}.{}.member", at + 1));
        }
    }

    fn map(
        &mut self,
        key: ShapeId,
        shape: ShapeId,
        entries: &Map<String, Value>,
        whole: &Value,
        path: &str,
    ) {
        let (Some(key), Some(kind)) = (self.service.kind(key), self.service.kind(shape)) else {
            return;
        };
        if entries
            .keys()
            .any(|text| !satisfied(key, &Value::String(text.clone())))
        {
            self.errors.push(format!(
                "Value '{}' at '{path}' failed to satisfy constraint: Map keys must satisfy constraint: [{}]",
                shown(whole),
                all(key).join(", ")
            ));
        }
        if !is_scalar(kind) {
            for (name, value) in entries {
                self.visit(shape, value, &format!("{path}.{name}.member"));
            }
        } else if entries.values().any(|value| !satisfied(kind, value)) {
            self.errors.push(format!(
                "Value '{}' at '{path}' failed to satisfy constraint: Map value must satisfy constraint: [{}]",
                shown(whole),
                all(kind).join(", ")
            ));
        }
    }

    fn complain(&mut self, value: &Value, path: &str, broken: Vec<String>) {
        for constraint in broken {
            self.errors.push(format!(
                "Value '{}' at '{path}' failed to satisfy constraint: {constraint}",
                shown(value)
            ));
        }
    }
}

fn is_scalar(kind: &Kind) -> bool {
    !matches!(
        kind,
        Kind::Structure { .. } | Kind::List { .. } | Kind::Map { .. }
    )
}

/// AWS writes paths with a lower-case first letter, whatever the member is called.
fn lowered(name: &str) -> String {
    let mut chars = name.chars();
    chars
        .next()
        .map(|c| c.to_lowercase().to_string() + chars.as_str())
        .unwrap_or_default()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!(
                "[{}]",
                items.iter().map(shown).collect::<Vec<_>>().join(", ")
            )
        }
        Value::Object(entries) => {
            let mut text = String::from("{");
            for (at, (name, value)) in entries.iter().enumerate() {
                let comma = if at == 0 { "" } else { ", " };
                let _ = write!(text, "{comma}{name}={}", shown(value));
            }
            text + "}"
        }
        other => other.to_string(),
    }
}

fn length(len: usize, min: Option<i64>, max: Option<i64>) -> Vec<String> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    bounds("length", Some(len), min, max)
}

/// The bounds that `value` breaks, or all of them without a value, in AWS's words and order.
fn bounds(what: &str, value: Option<i64>, min: Option<i64>, max: Option<i64>) -> Vec<String> {
    let over = max.filter(|max| value.is_none_or(|value| value > *max));
    let under = min.filter(|min| value.is_none_or(|value| value < *min));
    let over = over.map(|max| format!("Member must have {what} less than or equal to {max}"));
    let under = under.map(|min| format!("Member must have {what} greater than or equal to {min}"));
    over.into_iter().chain(under).collect()
}

fn pattern_text(pattern: &str) -> String {
    format!("Member must satisfy regular expression pattern: {pattern}")
}

fn enum_text(values: &[&str]) -> String {
    format!(
        "Member must satisfy enum value set: [{}]",
        values.join(", ")
    )
}

/// Every constraint of a scalar shape, as AWS lists them for the items of a collection.
fn all(kind: &Kind) -> Vec<String> {
    match kind {
        Kind::String { values, .. } if !values.is_empty() => vec![enum_text(values)],
        Kind::String {
            min, max, pattern, ..
        } => {
            let mut texts = bounds("length", None, *min, *max);
            if !pattern.is_empty() {
                texts.push(pattern_text(pattern));
            }
            texts
        }
        Kind::Blob { min, max } => bounds("length", None, *min, *max),
        Kind::Integer { min, max } | Kind::Long { min, max } => bounds("value", None, *min, *max),
        _ => Vec::new(),
    }
}

fn satisfied(kind: &Kind, value: &Value) -> bool {
    broken(kind, value).is_empty()
}

/// The constraints of a scalar shape that the value breaks.
fn broken(kind: &Kind, value: &Value) -> Vec<String> {
    match (kind, value) {
        (Kind::String { values, .. }, Value::String(text)) if !values.is_empty() => {
            if values.contains(&text.as_str()) {
                Vec::new()
            } else {
                vec![enum_text(values)]
            }
        }
        (
            Kind::String {
                min, max, pattern, ..
            },
            Value::String(text),
        ) => {
            let mut texts = length(text.chars().count(), *min, *max);
            if !matches(pattern, text) {
                texts.push(pattern_text(pattern));
            }
            texts
        }
        (Kind::Integer { min, max } | Kind::Long { min, max }, Value::Number(n)) => {
            bounds("value", n.as_i64(), *min, *max)
        }
        (Kind::Blob { min, max }, Value::String(text)) => length(
            STANDARD.decode(text).map_or(0, |bytes| bytes.len()),
            *min,
            *max,
        ),
        _ => Vec::new(),
    }
}

type Patterns = RwLock<HashMap<&'static str, Option<Arc<Regex>>>>;

/// Whether the pattern matches the whole text. A pattern that this engine cannot read, or gives up on, is not checked.
fn matches(pattern: &'static str, text: &str) -> bool {
    static PATTERNS: OnceLock<Patterns> = OnceLock::new();
    if pattern.is_empty() {
        return true;
    }
    let patterns = PATTERNS.get_or_init(Patterns::default);
    let known = patterns
        .read()
        .ok()
        .and_then(|known| known.get(pattern).cloned());
    let regex = known.unwrap_or_else(|| {
        let regex = Regex::new(&format!(r"\A(?:{pattern})\z"))
            .ok()
            .map(Arc::new);
        if let Ok(mut known) = patterns.write() {
            known.insert(pattern, regex.clone());
        }
        regex
    });
    regex.is_none_or(|regex| regex.is_match(text).unwrap_or(true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::{ec2, ecs, events, iam, logs, sqs, ssm};

    fn check(service: &ServiceModel, operation: &str, input: Value) -> Option<(String, String)> {
        let operation = service.operation(operation).unwrap();
        let error = validate(service, operation, &input).err()?;
        Some((error.code.into_owned(), error.message))
    }

    #[track_caller]
    fn refused(service: &ServiceModel, operation: &str, input: Value, code: &str, message: &str) {
        let got = check(service, operation, input);
        assert_eq!(got, Some((code.to_owned(), message.to_owned())));
    }

    #[test]
    fn good_input_passes_and_unknown_members_are_ignored() {
        let rule = json!({"Name": "r", "State": "ENABLED", "EventPattern": "{}", "Later": [1], "RoleArn": null});
        assert_eq!(check(&events::SERVICE, "PutRule", rule), None);
    }

    #[test]
    fn a_wrong_type_is_a_serialization_error() {
        let code = "SerializationException";
        let put = |input, message| refused(&events::SERVICE, "PutRule", input, code, message);
        put(
            json!({"Name": 5}),
            "NUMBER_VALUE can not be converted to a String",
        );
        put(
            json!({"Name": true}),
            "TRUE_VALUE can not be converted to a String",
        );
        put(
            json!({"Name": ["a"]}),
            "Start of list found where not expected",
        );
        put(
            json!({"Name": {}}),
            "Start of structure or map found where not expected.",
        );
        put(json!({"Name": "r", "Tags": "a"}), "Expected list or null");
        put(
            json!({"Name": "r", "Tags": ["a"]}),
            "Expected a structure or a map",
        );
        put(json!([]), "Start of list found where not expected");
        refused(
            &ecs::SERVICE,
            "RunTask",
            json!({"taskDefinition": "a", "count": "two"}),
            code,
            "STRING_VALUE can not be converted to an Integer",
        );
        refused(
            &ecs::SERVICE,
            "RunTask",
            json!({"taskDefinition": "a", "count": 3_000_000_000_u64}),
            code,
            "NUMBER_VALUE can not be converted to an Integer",
        );
        refused(
            &ssm::SERVICE,
            "GetParameters",
            json!({"Names": [null]}),
            code,
            "NULL_VALUE can not be converted to a String",
        );
        refused(
            &sqs::SERVICE,
            "SendMessage",
            json!({"QueueUrl": "u", "MessageBody": "b", "MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": "?"}}}),
            code,
            "Blob fields should be base64 encoded.",
        );
    }

    #[test]
    fn constraints_are_worded_as_aws_words_them() {
        let code = "ValidationException";
        refused(
            &events::SERVICE,
            "PutRule",
            json!({}),
            code,
            "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null",
        );
        let long = "r".repeat(65);
        refused(
            &events::SERVICE,
            "PutRule",
            json!({"Name": long, "State": "ON"}),
            code,
            &format!(
                "2 validation errors detected: Value '{long}' at 'name' failed to satisfy constraint: Member must have length less than or equal to 64; \
                 Value 'ON' at 'state' failed to satisfy constraint: Member must satisfy enum value set: [ENABLED, DISABLED, ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS]"
            ),
        );
        refused(
            &events::SERVICE,
            "PutRule",
            json!({"Name": "a b"}),
            code,
            r"1 validation error detected: Value 'a b' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_A-Za-z0-9]+",
        );
        refused(
            &events::SERVICE,
            "PutEvents",
            json!({"Entries": []}),
            code,
            "1 validation error detected: Value '[]' at 'entries' failed to satisfy constraint: Member must have length greater than or equal to 1",
        );
    }

    #[test]
    fn paths_lead_through_lists_to_the_member() {
        refused(
            &events::SERVICE,
            "PutTargets",
            json!({"Rule": "r", "Targets": [{"Id": "1", "Arn": "a"}, {"Id": "2", "Arn": ""}]}),
            "ValidationException",
            "1 validation error detected: Value '' at 'targets.2.member.arn' failed to satisfy constraint: Member must have length greater than or equal to 1",
        );
    }

    #[test]
    fn items_of_a_list_of_scalars_are_judged_together() {
        refused(
            &ssm::SERVICE,
            "GetParameters",
            json!({"Names": ["ok", ""]}),
            "ValidationException",
            "1 validation error detected: Value '[ok, ]' at 'names' failed to satisfy constraint: Member must satisfy constraint: \
             [Member must have length less than or equal to 2048, Member must have length greater than or equal to 1]",
        );
    }

    #[test]
    fn each_service_has_its_manner() {
        let code =
            |service, operation, input| check(service, operation, input).map(|(code, _)| code);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            code(
                &logs::SERVICE,
                "CreateLogGroup",
                json!({"logGroupName": ""})
            ),
            some("InvalidParameterException")
        );
        assert_eq!(
            code(&iam::SERVICE, "GetRole", json!({})),
            some("ValidationError")
        );
        assert_eq!(code(&ecs::SERVICE, "RunTask", json!({})), None);
        refused(
            &sqs::SERVICE,
            "CreateQueue",
            json!({}),
            "MissingParameter",
            "The request must contain the parameter QueueName",
        );
        refused(
            &ec2::SERVICE,
            "DeleteVpc",
            json!({}),
            "MissingParameter",
            "The request must contain the parameter VpcId",
        );
    }

    #[test]
    fn most_patterns_of_the_models_can_be_checked() {
        let services = crate::api::generated::SERVICES;
        let patterns =
            services
                .iter()
                .flat_map(|s| s.shapes)
                .filter_map(|shape| match shape.kind {
                    Kind::String { pattern, .. } if !pattern.is_empty() => Some(pattern),
                    _ => None,
                });
        let unreadable: Vec<_> = patterns
            .filter(|p| Regex::new(&format!(r"\A(?:{p})\z")).is_err())
            .collect();
        assert_eq!(unreadable, Vec::<&str>::new());
    }
}
