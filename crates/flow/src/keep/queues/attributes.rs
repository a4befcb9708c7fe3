//! Attributes of queues: what may be set, what is told, and what the counts are. Never reads a message's body.

use std::collections::BTreeMap;

use landfall_core::api::generated::sqs as api;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;

use super::{Queue, find, find_by_arn, invalid_value, message, save};
use crate::tx::{Effect, Reader, Tx};

/// What an attribute's value must look like.
enum Form {
    Number(i64, i64),
    Flag,
    Json,
    Text,
}

const SETTABLE: &[(&str, Form)] = &[
    (
        "VisibilityTimeout",
        Form::Number(0, limits::SQS_VISIBILITY_SECONDS_MAX),
    ),
    (
        "MaximumMessageSize",
        Form::Number(1_024, limits::SQS_MESSAGE_BYTES_MAX),
    ),
    (
        "MessageRetentionPeriod",
        Form::Number(60, limits::SQS_RETENTION_SECONDS_MAX),
    ),
    (
        "DelaySeconds",
        Form::Number(0, limits::SQS_DELAY_SECONDS_MAX),
    ),
    (
        "ReceiveMessageWaitTimeSeconds",
        Form::Number(0, limits::SQS_WAIT_SECONDS_MAX),
    ),
    ("KmsDataKeyReusePeriodSeconds", Form::Number(60, 86_400)),
    ("KmsMasterKeyId", Form::Text),
    ("Policy", Form::Json),
    ("RedrivePolicy", Form::Json),
    ("RedriveAllowPolicy", Form::Json),
    ("SqsManagedSseEnabled", Form::Flag),
];

/// What an attribute is when it was never set.
const DEFAULTS: &[(&str, &str)] = &[
    ("VisibilityTimeout", "30"),
    ("MaximumMessageSize", "1048576"),
    ("MessageRetentionPeriod", "345600"),
    ("DelaySeconds", "0"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("SqsManagedSseEnabled", "true"),
];

const COUNTS: [&str; 3] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
];

/// Where messages go that were received too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redrive {
    /// ARN of the dead-letter queue.
    pub target_arn: String,
    /// Receives that a message may see without being deleted.
    pub receives_max: u32,
}

/// `SetQueueAttributes`.
pub fn set_attributes(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::SetQueueAttributesRequest,
) -> Result<(), ApiError> {
    let mut queue = find(tx, caller, request.queue_url.as_deref())?;
    apply(tx, &mut queue, request.attributes.unwrap_or_default())?;
    queue.modified = tx.now();
    tx.effect(Effect::Wake(queue.waiter()));
    save(tx, &queue)
}

/// `GetQueueAttributes`; `now` decides which messages count as visible.
pub fn get_attributes(
    db: &impl Reader,
    caller: &Caller,
    now: Timestamp,
    request: &api::GetQueueAttributesRequest,
) -> Result<api::GetQueueAttributesResult, ApiError> {
    let queue = find(db, caller, request.queue_url.as_deref())?;
    let names = request.attribute_names.as_deref().unwrap_or_default();
    if let Some(unknown) = names.iter().find(|n| !is_known(n)) {
        return Err(unknown_attribute(unknown));
    }
    let wants = |name: &str| names.iter().any(|n| n == "All" || n == name);
    let mut all = told(&queue);
    if COUNTS.iter().any(|name| wants(name)) {
        let counts = message::counts(db, &queue, now, usize::MAX)?;
        let named = COUNTS
            .iter()
            .zip([counts.visible, counts.in_flight, counts.delayed]);
        all.extend(named.map(|(name, count)| ((*name).to_owned(), count.to_string())));
    }
    all.retain(|name, _| wants(name));
    Ok(api::GetQueueAttributesResult {
        attributes: (!all.is_empty()).then_some(all),
    })
}

/// Checks attributes and takes them over; an empty policy or key takes the attribute away.
pub(super) fn apply(
    db: &impl Reader,
    queue: &mut Queue,
    given: BTreeMap<String, String>,
) -> Result<(), ApiError> {
    for (name, value) in given {
        let form = SETTABLE
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, form)| form);
        let Some(form) = form else {
            return Err(unknown_attribute(&name));
        };
        if value.is_empty() && matches!(form, Form::Json | Form::Text) {
            queue.attributes.remove(&name);
            continue;
        }
        check_form(form, &name, &value)?;
        if name == "RedrivePolicy" {
            check_redrive(db, &value)?;
        }
        queue.attributes.insert(name, value);
    }
    Ok(())
}

/// Refuses attributes that differ from those of an existing queue.
pub(super) fn check_same(queue: &Queue, given: &BTreeMap<String, String>) -> Result<(), ApiError> {
    for (name, value) in given {
        if !SETTABLE.iter().any(|(known, _)| known == name) {
            return Err(unknown_attribute(name));
        }
        if text(queue, name) != value {
            let text = format!(
                "A queue already exists with the same name and a different value for attribute {name}"
            );
            return Err(ApiError::client("QueueNameExists", text));
        }
    }
    Ok(())
}

/// The value of a numeric attribute.
pub(super) fn number(queue: &Queue, name: &str) -> i64 {
    text(queue, name).parse().unwrap_or_default()
}

/// The redrive policy, when the queue has one.
pub(super) fn redrive(queue: &Queue) -> Option<Redrive> {
    parse_redrive(queue.attributes.get("RedrivePolicy")?)
}

fn text<'a>(queue: &'a Queue, name: &str) -> &'a str {
    let default = || {
        DEFAULTS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    };
    queue
        .attributes
        .get(name)
        .map(String::as_str)
        .or_else(default)
        .unwrap_or_default()
}

fn told(queue: &Queue) -> BTreeMap<String, String> {
    let defaults = DEFAULTS
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut all: BTreeMap<String, String> = defaults.collect();
    all.extend(queue.attributes.clone());
    all.insert("QueueArn".to_owned(), queue.arn());
    all.insert(
        "CreatedTimestamp".to_owned(),
        (queue.created.0 / 1000).to_string(),
    );
    all.insert(
        "LastModifiedTimestamp".to_owned(),
        (queue.modified.0 / 1000).to_string(),
    );
    all
}

fn is_known(name: &str) -> bool {
    const TOLD: [&str; 9] = [
        "All",
        "QueueArn",
        "CreatedTimestamp",
        "LastModifiedTimestamp",
        "FifoQueue",
        "ContentBasedDeduplication",
        "DeduplicationScope",
        "FifoThroughputLimit",
        "KmsMasterKeyId",
    ];
    SETTABLE.iter().any(|(known, _)| *known == name)
        || COUNTS.contains(&name)
        || TOLD.contains(&name)
}

fn check_form(form: &Form, name: &str, value: &str) -> Result<(), ApiError> {
    let is_good = match form {
        Form::Number(min, max) => value.parse().is_ok_and(|n: i64| (*min..=*max).contains(&n)),
        Form::Flag => matches!(value, "true" | "false"),
        Form::Json => serde_json::from_str::<serde_json::Value>(value).is_ok_and(|v| v.is_object()),
        Form::Text => true,
    };
    if is_good {
        return Ok(());
    }
    let text = format!("Invalid value for the parameter {name}.");
    Err(ApiError::client("InvalidAttributeValue", text))
}

fn check_redrive(db: &impl Reader, value: &str) -> Result<(), ApiError> {
    let refuse = |reason: &str| invalid_value(value, "RedrivePolicy", reason);
    let Some(redrive) = parse_redrive(value) else {
        return Err(refuse(
            "Redrive policy must have a deadLetterTargetArn and a maxReceiveCount.",
        ));
    };
    let receives_max = limits::SQS_RECEIVES_MAX;
    if !(1..=receives_max).contains(&redrive.receives_max) {
        let reason = format!("Invalid value for maxReceiveCount: must be 1 to {receives_max}.");
        return Err(refuse(&reason));
    }
    find_by_arn(db, &redrive.target_arn)
        .map(|_| ())
        .map_err(|_| refuse("Dead letter target does not exist."))
}

fn parse_redrive(value: &str) -> Option<Redrive> {
    let policy: serde_json::Value = serde_json::from_str(value).ok()?;
    let count = policy.get("maxReceiveCount")?;
    let count = match count.as_str() {
        Some(text) => text.parse().ok()?,
        None => count.as_u64()?,
    };
    Some(Redrive {
        target_arn: policy.get("deadLetterTargetArn")?.as_str()?.to_owned(),
        receives_max: u32::try_from(count).ok()?,
    })
}

fn unknown_attribute(name: &str) -> ApiError {
    ApiError::client("InvalidAttributeName", format!("Unknown Attribute {name}."))
}
