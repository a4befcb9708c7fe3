//! CloudFormation's spelling of properties turned into the API's, along the shape tables of the services.
//!
//! Names are compared without regard to case (`AwsVpcConfiguration` is `awsvpcConfiguration`), scalars are taken
//! loosely, documents become text where the API wants text, and lists of tags become maps where it wants a map. A
//! property that the API has no place for is refused, never dropped. Never calls anything.

use landfall_core::api::model::{Kind, Member, ServiceModel, ShapeId};
use landfall_core::api::validate::validate;
use landfall_core::error::ApiError;
use landfall_core::template::{as_bool_loose, as_i64_loose, as_string_loose};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Spellings that differ by more than case: CloudFormation's and the API's.
const ALIASES: &[(&str, &str)] = &[
    ("ClusterSettings", "settings"),
    ("PlacementStrategies", "PlacementStrategy"),
    ("TagList", "Tags"),
];

/// The request of an operation, from properties in CloudFormation's spelling; checked as the API checks it.
///
/// # Errors
/// CloudFormation's words for properties that are unknown or of a wrong type; the API's for everything else.
pub fn request<T: DeserializeOwned>(
    service: &'static ServiceModel,
    operation: &str,
    properties: Map<String, Value>,
) -> Result<T, ApiError> {
    let model = service
        .operation(operation)
        .ok_or_else(|| ApiError::internal(format!("{operation} is not served")))?;
    let shape = model
        .input
        .ok_or_else(|| ApiError::internal(format!("{operation} takes no input")))?;
    let input = convert(service, shape, &Value::Object(properties), "#")
        .map_err(|message| ApiError::client("InvalidRequest", message))?;
    validate(service, model, &input)?;
    serde_json::from_value(input)
        .map_err(|e| ApiError::client("InvalidRequest", format!("Model validation failed ({e})")))
}

/// A value in the API's spelling.
///
/// # Errors
/// What has no place in the shape, with its path.
pub fn convert(
    service: &ServiceModel,
    shape: ShapeId,
    value: &Value,
    path: &str,
) -> Result<Value, String> {
    let Some(kind) = service.kind(shape) else {
        return Ok(value.clone());
    };
    match (kind, value) {
        (Kind::Structure { members }, Value::Object(entries)) => {
            structure(service, members, entries, path)
        }
        (Kind::List { item, .. }, Value::Array(items)) => items
            .iter()
            .enumerate()
            .map(|(at, it)| convert(service, *item, it, &format!("{path}/{at}")))
            .collect(),
        (Kind::List { item, .. }, Value::Object(entries)) => pairs(service, *item, entries, path),
        (Kind::Map { value: shape, .. }, Value::Object(entries)) => {
            map(service, *shape, entries.iter(), path)
        }
        (Kind::Map { value: shape, .. }, Value::Array(items)) => {
            let entries: Option<Vec<_>> = items.iter().map(pair).collect();
            let entries = entries.ok_or_else(|| expected(path, "JSONObject", value))?;
            let entries: Map<String, Value> = entries.into_iter().collect();
            map(service, *shape, entries.iter(), path)
        }
        _ => scalar(kind, value, path),
    }
}

fn structure(
    service: &ServiceModel,
    members: &[Member],
    entries: &Map<String, Value>,
    path: &str,
) -> Result<Value, String> {
    let mut result = Map::new();
    for (name, value) in entries {
        let Some(member) = member(members, name) else {
            return Err(format!("{path}: extraneous key [{name}] is not permitted"));
        };
        let value = convert(service, member.shape, value, &format!("{path}/{name}"))?;
        result.insert(member.name.to_owned(), value);
    }
    Ok(Value::Object(result))
}

fn member<'a>(members: &'a [Member], name: &str) -> Option<&'a Member> {
    let named = |name: &str| members.iter().find(|it| it.name.eq_ignore_ascii_case(name));
    named(name).or_else(|| {
        let (_, other) = ALIASES.iter().find(|(from, _)| *from == name)?;
        named(other)
    })
}

/// A map where the API wants a list of keys and values.
fn pairs(
    service: &ServiceModel,
    item: ShapeId,
    entries: &Map<String, Value>,
    path: &str,
) -> Result<Value, String> {
    let pair = |(key, value): (&String, &Value)| {
        let pair = serde_json::json!({"Key": key, "Value": value});
        convert(service, item, &pair, &format!("{path}/{key}"))
    };
    entries.iter().map(pair).collect()
}

fn pair(item: &Value) -> Option<(String, Value)> {
    let key = item.get("Key")?.as_str()?;
    Some((key.to_owned(), item.get("Value")?.clone()))
}

fn map<'a>(
    service: &ServiceModel,
    shape: ShapeId,
    entries: impl Iterator<Item = (&'a String, &'a Value)>,
    path: &str,
) -> Result<Value, String> {
    let entry = |(key, value): (&String, &Value)| {
        let value = convert(service, shape, value, &format!("{path}/{key}"))?;
        Ok((key.clone(), value))
    };
    entries
        .map(entry)
        .collect::<Result<Map<_, _>, _>>()
        .map(Value::Object)
}

fn scalar(kind: &Kind, value: &Value, path: &str) -> Result<Value, String> {
    let (found, wanted) = match kind {
        Kind::String { .. } if value.is_object() => (Some(Value::from(value.to_string())), ""),
        Kind::String { .. } | Kind::Blob { .. } => {
            (as_string_loose(value).map(Value::from), "String")
        }
        Kind::Integer { .. } | Kind::Long { .. } => {
            (as_i64_loose(value).map(Value::from), "Integer")
        }
        Kind::Boolean => (as_bool_loose(value).map(Value::from), "Boolean"),
        Kind::Double | Kind::Timestamp => (number(value), "Number"),
        Kind::List { .. } => (None, "JSONArray"),
        Kind::Structure { .. } | Kind::Map { .. } => (None, "JSONObject"),
    };
    found.ok_or_else(|| expected(path, wanted, value))
}

fn number(value: &Value) -> Option<Value> {
    match value {
        Value::Number(_) => Some(value.clone()),
        Value::String(text) => text.parse::<f64>().ok().map(Value::from),
        _ => None,
    }
}

fn expected(path: &str, wanted: &str, value: &Value) -> String {
    let found = match value {
        Value::Null => "Null",
        Value::Bool(_) => "Boolean",
        Value::Number(_) => "Number",
        Value::String(_) => "String",
        Value::Array(_) => "JSONArray",
        Value::Object(_) => "JSONObject",
    };
    format!("{path}: expected type: {wanted}, found: {found}")
}

#[cfg(test)]
mod tests {
    use landfall_core::api::generated::{ecs, events, sqs, ssm};
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn containers_keep_the_names_that_users_chose() {
        let made: ecs::RegisterTaskDefinitionRequest = request(
            &ecs::SERVICE,
            "RegisterTaskDefinition",
            object(json!({
                "Family": "csv", "RequiresCompatibilities": ["FARGATE"], "Cpu": 256,
                "ContainerDefinitions": [{
                    "Name": "app", "Image": "app:1", "Memory": "64", "Essential": "true",
                    "DockerLabels": {"My.Label": "X"},
                    "LogConfiguration": {"LogDriver": "awslogs", "Options": {"awslogs-group": "/g"}},
                }],
            })),
        )
        .unwrap();
        assert_eq!(made.cpu.as_deref(), Some("256"));
        let container = made.container_definitions.unwrap().remove(0);
        assert_eq!(
            (container.memory, container.essential),
            (Some(64), Some(true))
        );
        assert_eq!(container.docker_labels.unwrap()["My.Label"], "X");
        let log = container.log_configuration.unwrap();
        assert_eq!(log.options.unwrap()["awslogs-group"], "/g");
    }

    #[test]
    fn targets_of_a_rule_are_spelled_as_the_api_spells_them() {
        let made: events::PutTargetsRequest = request(
            &events::SERVICE,
            "PutTargets",
            object(json!({
                "Rule": "r",
                "Targets": [{
                    "Id": "t", "Arn": "arn:aws:ecs:us-east-1:000000000000:cluster/batch",
                    "EcsParameters": {
                        "TaskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/csv:1",
                        "NetworkConfiguration": {"AwsVpcConfiguration": {"Subnets": ["subnet-1"]}},
                        "TagList": [{"Key": "a", "Value": "b"}],
                    },
                }],
            })),
        )
        .unwrap();
        let ecs = made.targets.unwrap().remove(0).ecs_parameters.unwrap();
        let vpc = ecs
            .network_configuration
            .unwrap()
            .awsvpc_configuration
            .unwrap();
        assert_eq!(vpc.subnets.unwrap(), ["subnet-1"]);
        assert_eq!(ecs.tags.unwrap().len(), 1);
    }

    #[test]
    fn documents_become_text_and_tags_change_their_form() {
        let rule: events::PutRuleRequest = request(
            &events::SERVICE,
            "PutRule",
            object(json!({"Name": "r", "EventPattern": {"source": ["aws.s3"]}})),
        )
        .unwrap();
        assert_eq!(
            rule.event_pattern.as_deref(),
            Some(r#"{"source":["aws.s3"]}"#)
        );
        let parameter: ssm::PutParameterRequest = request(
            &ssm::SERVICE,
            "PutParameter",
            object(json!({"Name": "/p", "Type": "String", "Value": 5, "Tags": {"a": "b"}})),
        )
        .unwrap();
        assert_eq!(parameter.value.as_deref(), Some("5"));
        assert_eq!(parameter.tags.unwrap()[0].key.as_deref(), Some("a"));
        let queue: sqs::CreateQueueRequest = request(
            &sqs::SERVICE,
            "CreateQueue",
            object(json!({"QueueName": "q", "Tags": [{"Key": "a", "Value": "b"}]})),
        )
        .unwrap();
        assert_eq!(queue.tags.unwrap()["a"], "b");
    }

    #[test]
    fn what_the_api_has_no_place_for_is_refused() {
        let refused = |properties: Value| {
            request::<events::PutRuleRequest>(&events::SERVICE, "PutRule", object(properties))
                .unwrap_err()
                .message
        };
        assert_eq!(
            refused(json!({"Name": "r", "Nmae": "r"})),
            "#: extraneous key [Nmae] is not permitted"
        );
        assert_eq!(
            refused(json!({"Name": ["r"]})),
            "#/Name: expected type: String, found: JSONArray"
        );
    }
}
