//! What CloudTrail thinks of an operation: whether it is recorded, whether it only reads, and how its input and output
//! are spelled in a record. Never knows a request.

use serde_json::{Map, Value};

use crate::api::model::{Kind, ServiceModel, ShapeId};

/// Beginnings of the names of operations that change nothing.
const READING: [&str; 12] = [
    "Describe", "Estimate", "Filter", "Get", "Head", "List", "Lookup", "Receive", "Search",
    "Select", "Test", "Validate",
];
/// Operations that change nothing although their names do not say so.
const ALSO_READING: [&str; 1] = ["AssumeRole"];
/// Operations on what is inside a queue, a log stream or a bus, and on metrics: data events of types that no trail of Landfall can
/// select, so nothing is ever recorded of them.
const UNRECORDED: [(&str, &str); 14] = [
    ("cloudwatch", "GetMetricData"),
    ("cloudwatch", "GetMetricStatistics"),
    ("cloudwatch", "ListMetrics"),
    ("events", "PutEvents"),
    ("logs", "PutLogEvents"),
    ("sqs", "ChangeMessageVisibility"),
    ("sqs", "ChangeMessageVisibilityBatch"),
    ("sqs", "DeleteMessage"),
    ("sqs", "DeleteMessageBatch"),
    ("sqs", "GetQueueUrl"),
    ("sqs", "ReceiveMessage"),
    ("sqs", "SendMessage"),
    ("sqs", "SendMessageBatch"),
    ("sqs", "ListDeadLetterSourceQueues"),
];
/// Members that are never written down, by service; an empty service means all.
const HIDDEN: [(&str, &str); 2] = [("ssm", "Value"), ("", "SecretAccessKey")];
/// What stands in their place.
const HIDDEN_TEXT: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// Whether an operation changes nothing.
pub fn is_read_only(operation: &str) -> bool {
    READING.iter().any(|start| operation.starts_with(start)) || ALSO_READING.contains(&operation)
}

/// Beginnings of the names of operations whose management events only rules get that ask for all of them.
const QUIET: [&str; 3] = ["Describe", "Get", "List"];
/// Operations of STS that count as changes although their names do not say so.
const NOT_QUIET: [&str; 2] = ["GetFederationToken", "GetSessionToken"];

/// Whether EventBridge keeps management events of an operation from rules that are merely `ENABLED`.
pub fn is_quiet(source: &str, operation: &str) -> bool {
    let is_change = source == "sts.amazonaws.com" && NOT_QUIET.contains(&operation);
    QUIET.iter().any(|start| operation.starts_with(start)) && !is_change
}

/// Whether calls of an operation become management events.
pub fn is_recorded(service: &str, operation: &str) -> bool {
    !UNRECORDED.contains(&(service, operation))
}

/// An input or output as records spell it: members begin with a small letter, keys of maps stay as they are.
pub fn lowered(model: &ServiceModel, shape: ShapeId, value: &Value) -> Value {
    match (model.kind(shape), value) {
        (Some(Kind::Structure { members }), Value::Object(given)) => {
            let known = given
                .iter()
                .filter(|(_, value)| !value.is_null())
                .filter_map(|(name, value)| {
                    let member = members.iter().find(|member| member.name == name)?;
                    let is_hidden = |(service, hidden): &(&str, &str)| {
                        *hidden == name && (service.is_empty() || *service == model.name)
                    };
                    let value = match HIDDEN.iter().any(is_hidden) {
                        true => HIDDEN_TEXT.into(),
                        false => lowered(model, member.shape, value),
                    };
                    Some((small(name), value))
                });
            Value::Object(known.collect::<Map<_, _>>())
        }
        (Some(Kind::List { item, .. }), Value::Array(items)) => {
            items.iter().map(|it| lowered(model, *item, it)).collect()
        }
        (Some(Kind::Map { value: shape, .. }), Value::Object(entries)) => {
            let entry = |(key, it): (&String, &Value)| (key.clone(), lowered(model, *shape, it));
            Value::Object(entries.iter().map(entry).collect())
        }
        _ => value.clone(),
    }
}

fn small(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::{events, ssm, sts};

    #[test]
    fn names_tell_who_reads() {
        for reading in [
            "GetObject",
            "HeadBucket",
            "ListObjects",
            "DescribeTasks",
            "LookupEvents",
            "AssumeRole",
        ] {
            assert!(is_read_only(reading), "{reading}");
        }
        for writing in [
            "PutObject",
            "CopyObject",
            "DeleteObjects",
            "RunTask",
            "StopLogging",
            "AbortMultipartUpload",
        ] {
            assert!(!is_read_only(writing), "{writing}");
        }
        for (source, operation, quiet) in [
            ("ec2.amazonaws.com", "DescribeVpcs", true),
            ("sts.amazonaws.com", "GetCallerIdentity", true),
            ("sts.amazonaws.com", "GetSessionToken", false),
            ("events.amazonaws.com", "TestEventPattern", false),
            ("sts.amazonaws.com", "AssumeRole", false),
        ] {
            assert_eq!(is_quiet(source, operation), quiet, "{operation}");
        }
        assert!(!is_recorded("sqs", "ReceiveMessage"));
        assert!(is_recorded("sqs", "CreateQueue"));
    }

    fn spelled(
        model: &'static ServiceModel,
        operation: &str,
        is_output: bool,
        value: Value,
    ) -> Value {
        let operation = model.operation(operation).expect("served");
        let shape = if is_output {
            operation.output
        } else {
            operation.input
        };
        lowered(model, shape.expect("has one"), &value)
    }

    #[test]
    fn members_begin_small_and_secrets_stay_out() {
        let rule = json!({"Name": "r", "Tags": [{"Key": "K", "Value": "V"}], "EventBusName": null});
        assert_eq!(
            spelled(&events::SERVICE, "PutRule", false, rule),
            json!({"name": "r", "tags": [{"key": "K", "value": "V"}]})
        );
        let target = json!({"Rule": "r", "Targets": [{"Id": "i", "InputTransformer": {"InputPathsMap": {"Key": "$.K"}}}]});
        assert_eq!(
            spelled(&events::SERVICE, "PutTargets", false, target),
            json!({"rule": "r", "targets": [{"id": "i", "inputTransformer": {"inputPathsMap": {"Key": "$.K"}}}]})
        );
        assert_eq!(
            spelled(
                &ssm::SERVICE,
                "PutParameter",
                false,
                json!({"Name": "/p", "Value": "secret"})
            ),
            json!({"name": "/p", "value": HIDDEN_TEXT})
        );
        let credentials = json!({"Credentials": {"AccessKeyId": "A", "SecretAccessKey": "s"}});
        assert_eq!(
            spelled(&sts::SERVICE, "AssumeRole", true, credentials),
            json!({"credentials": {"accessKeyId": "A", "secretAccessKey": HIDDEN_TEXT}})
        );
    }
}
