//! Messages come in: from clients and from EventBridge. Never looks at what is in the queue already.

use std::collections::BTreeMap;

use landfall_core::api::generated::sqs as api;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;

use super::message::{self, Content, Status};
use super::{
    Queue, attributes, digest, find, find_by_arn, invalid_parameter, invalid_value, seconds,
};
use crate::keep::permit::{self, ForRule};
use crate::tx::{Effect, Tx};

/// `SendMessage`.
pub fn send(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::SendMessageRequest,
) -> Result<api::SendMessageResult, ApiError> {
    let queue = find(tx, caller, request.queue_url.as_deref())?;
    enqueue(tx, &queue, &caller.account, request)
}

/// Puts a message into the queue of an ARN, on behalf of EventBridge, if the queue's policy allows it.
pub fn deliver(
    tx: &mut Tx<'_>,
    rule: ForRule<'_>,
    queue_arn: &str,
    body: &str,
    attributes: &[(&'static str, String)],
    group_id: Option<&str>,
) -> Result<(), ApiError> {
    let queue = find_by_arn(tx, queue_arn)?;
    check_policy(&queue, rule)?;
    let value = |text: &String| api::MessageAttributeValue {
        data_type: Some("String".to_owned()),
        string_value: Some(text.clone()),
        ..Default::default()
    };
    let attributes = attributes
        .iter()
        .map(|(name, text)| ((*name).to_owned(), value(text)));
    let request = api::SendMessageRequest {
        message_body: Some(body.to_owned()),
        message_attributes: Some(attributes.collect()),
        message_group_id: group_id.map(str::to_owned),
        ..Default::default()
    };
    enqueue(tx, &queue, permit::SERVICE, request).map(|_| ())
}

/// Refuses what the queue's policy does not allow EventBridge to send for a rule.
fn check_policy(queue: &Queue, rule: ForRule<'_>) -> Result<(), ApiError> {
    let (arn, action) = (queue.arn(), "sqs:SendMessage");
    let policy = queue.attributes.get("Policy").map(String::as_str);
    if rule.may(&[permit::SERVICE], action, &arn, policy.as_slice()) {
        return Ok(());
    }
    let whose = format!("The policy of the queue {arn}");
    Err(rule.refusal(&whose, &[action], &arn))
}

/// Puts a message into a queue.
pub(super) fn enqueue(
    tx: &mut Tx<'_>,
    queue: &Queue,
    sender: &str,
    request: api::SendMessageRequest,
) -> Result<api::SendMessageResult, ApiError> {
    let visible_at = visible_at(tx.now(), queue, &request)?;
    let size_max = attributes::number(queue, "MaximumMessageSize");
    if i64::try_from(size(&request)).unwrap_or(i64::MAX) > size_max {
        let text = format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {size_max} bytes."
        );
        return Err(invalid_parameter(text));
    }
    let system = system_attributes(tx.now(), sender, &request)?;
    let traced = request.message_system_attributes.unwrap_or_default();
    let attributes = request.message_attributes.unwrap_or_default();
    check_body(request.message_body.as_deref().unwrap_or_default())?;
    check_attributes(&attributes)?;
    let content = Content {
        id: tx.ids().uuid(),
        body: request.message_body.unwrap_or_default(),
        attributes,
        system,
    };
    let retention = attributes::number(queue, "MessageRetentionPeriod");
    let expires_at = tx.now().plus_millis(retention.saturating_mul(1000));
    message::add(
        tx,
        queue,
        visible_at,
        &Status {
            expires_at,
            ..Status::default()
        },
        &content,
    )?;
    tx.effect(Effect::Wake(queue.waiter()));
    Ok(api::SendMessageResult {
        md5_of_message_body: Some(digest::of_body(&content.body)),
        md5_of_message_attributes: digest::of_attributes(&content.attributes),
        md5_of_message_system_attributes: digest::of_attributes(&as_attributes(traced)),
        message_id: Some(content.id),
        sequence_number: None,
    })
}

/// What a message weighs: its body, and names, types and values of its attributes. Bytes.
pub(super) fn size(request: &api::SendMessageRequest) -> usize {
    let attributes = request.message_attributes.iter().flatten();
    let weights = attributes.map(|(name, value)| {
        let kind = value.data_type.as_ref().map_or(0, String::len);
        let text = value.string_value.as_ref().map_or(0, String::len);
        let binary = value.binary_value.as_ref().map_or(0, |b| b.0.len());
        name.len() + kind + text + binary
    });
    weights.sum::<usize>() + request.message_body.as_ref().map_or(0, String::len)
}

fn visible_at(
    now: Timestamp,
    queue: &Queue,
    request: &api::SendMessageRequest,
) -> Result<Timestamp, ApiError> {
    let reason = "DelaySeconds must be >= 0 and <= 900.";
    let delay = match request.delay_seconds {
        Some(value) => seconds(value, "DelaySeconds", limits::SQS_DELAY_SECONDS_MAX, reason)?,
        None => attributes::number(queue, "DelaySeconds"),
    };
    Ok(now.plus_millis(delay.saturating_mul(1000)))
}

fn system_attributes(
    now: Timestamp,
    sender: &str,
    request: &api::SendMessageRequest,
) -> Result<BTreeMap<String, String>, ApiError> {
    if let Some(id) = &request.message_deduplication_id {
        let reason = "The request includes a parameter that is not valid for this queue type.";
        return Err(invalid_value(id, "MessageDeduplicationId", reason));
    }
    let mut system = BTreeMap::from([
        ("SenderId".to_owned(), sender.to_owned()),
        ("SentTimestamp".to_owned(), now.0.to_string()),
    ]);
    if let Some(group) = &request.message_group_id {
        system.insert("MessageGroupId".to_owned(), group.clone());
    }
    for (name, value) in request.message_system_attributes.iter().flatten() {
        let text = value.string_value.clone().filter(|t| !t.is_empty());
        match (name.as_str(), text) {
            ("AWSTraceHeader", Some(text)) => system.insert(name.clone(), text),
            _ => {
                return Err(invalid_parameter(format!(
                    "The system attribute {name} is invalid."
                )));
            }
        };
    }
    Ok(system)
}

fn as_attributes(
    system: BTreeMap<String, api::MessageSystemAttributeValue>,
) -> BTreeMap<String, api::MessageAttributeValue> {
    let value = |v: api::MessageSystemAttributeValue| api::MessageAttributeValue {
        string_value: v.string_value,
        binary_value: v.binary_value,
        data_type: v.data_type,
        ..Default::default()
    };
    system
        .into_iter()
        .map(|(name, v)| (name, value(v)))
        .collect()
}

fn check_body(body: &str) -> Result<(), ApiError> {
    if body.is_empty() {
        let text = "The request must contain the parameter MessageBody.";
        return Err(ApiError::client("MissingParameter", text));
    }
    if body.chars().all(is_allowed) {
        return Ok(());
    }
    let text = "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | \
                #xE000 to #xFFFD | #x10000 to #x10FFFF";
    Err(ApiError::client("InvalidMessageContents", text))
}

fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn check_attributes(
    attributes: &BTreeMap<String, api::MessageAttributeValue>,
) -> Result<(), ApiError> {
    let count = attributes.len();
    if count > limits::SQS_MESSAGE_ATTRIBUTES_MAX {
        let max = limits::SQS_MESSAGE_ATTRIBUTES_MAX;
        let text =
            format!("Number of message attributes [{count}] exceeds the allowed maximum [{max}].");
        return Err(invalid_parameter(text));
    }
    attributes
        .iter()
        .try_for_each(|(name, value)| check_attribute(name, value))
}

fn check_attribute(name: &str, value: &api::MessageAttributeValue) -> Result<(), ApiError> {
    let refuse = |what: &str| {
        Err(invalid_parameter(format!(
            "The message attribute '{name}' {what}"
        )))
    };
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let lower = name.to_ascii_lowercase();
    if !(1..=256).contains(&name.len())
        || !name.bytes().all(is_plain)
        || name.starts_with('.')
        || name.ends_with('.')
        || name.contains("..")
        || lower.starts_with("aws.")
        || lower.starts_with("amazon.")
    {
        return refuse("has an invalid name.");
    }
    let kind = value.data_type.as_deref().unwrap_or_default();
    if kind.is_empty() {
        return refuse("must contain non-empty message attribute type.");
    }
    let base = kind.split('.').next().unwrap_or_default();
    let text = value.string_value.as_deref().unwrap_or_default();
    let has_value = match base {
        "String" | "Number" => !text.is_empty() && value.binary_value.is_none(),
        "Binary" => value.binary_value.as_ref().is_some_and(|b| !b.0.is_empty()),
        _ => {
            return refuse(
                "has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and \
                 String.",
            );
        }
    };
    if !has_value {
        let what = format!(
            "must contain non-empty message attribute value for message attribute type '{base}'."
        );
        return refuse(&what);
    }
    if base == "Number" && text.parse::<f64>().is_err() {
        return refuse("with type 'Number' must use a valid number.");
    }
    if !text.chars().all(is_allowed) {
        return refuse("contains invalid characters.");
    }
    Ok(())
}
