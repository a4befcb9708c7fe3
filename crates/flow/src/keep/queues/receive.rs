//! Messages go out: received, hidden, shown again, deleted, moved to the dead-letter queue. Never waits.

use std::collections::BTreeMap;

use landfall_core::api::generated::sqs as api;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;

use super::attributes::Redrive;
use super::message::{self, Content, Position, Receipt, Status};
use super::{
    Queue, attributes, digest, find, find_by_arn, invalid_parameter, invalid_value, seconds,
};
use crate::tx::{Effect, Tx};

/// What becomes of a visible message.
enum Fate {
    Expired,
    Dead,
    Received,
}

/// `ReceiveMessage`: what is visible now, without waiting.
pub fn receive(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::ReceiveMessageRequest,
) -> Result<api::ReceiveMessageResult, ApiError> {
    let queue = find(tx, caller, request.queue_url.as_deref())?;
    let wish = request.max_number_of_messages.unwrap_or(1);
    let count = usize::try_from(wish).unwrap_or_default();
    if !(1..=limits::SQS_RECEIVE_MESSAGES_MAX).contains(&count) {
        let reason = "Must be between 1 and 10, if provided.";
        return Err(invalid_value(wish, "MaxNumberOfMessages", reason));
    }
    let hidden = match request.visibility_timeout {
        Some(value) => visibility(value)?,
        None => attributes::number(&queue, "VisibilityTimeout"),
    };
    let dead = dead_letter_queue(tx, &queue)?;
    let mut messages = Vec::new();
    for (position, status, fate) in candidates(tx, &queue, dead.as_ref(), count)? {
        match (fate, &dead) {
            (Fate::Expired, _) => message::remove(tx, &queue, position),
            (Fate::Dead, Some((_, target))) => bury(tx, &queue, target, position, status)?,
            _ => messages.push(hand_out(tx, &queue, position, status, hidden, request)?),
        }
    }
    Ok(api::ReceiveMessageResult {
        messages: (!messages.is_empty()).then_some(messages),
    })
}

/// `DeleteMessage`: a handle of a former receive deletes nothing, and is no error.
pub fn delete_message(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::DeleteMessageRequest,
) -> Result<(), ApiError> {
    let queue = find(tx, caller, request.queue_url.as_deref())?;
    let receipt = receipt(&queue, request.receipt_handle.as_deref())?;
    match message::status(tx, &queue, receipt.number)? {
        Some((position, status)) if status.receipt == receipt.receipt => {
            message::remove(tx, &queue, position);
        }
        _ => {}
    }
    Ok(())
}

/// `ChangeMessageVisibility`.
pub fn change_visibility(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::ChangeMessageVisibilityRequest,
) -> Result<(), ApiError> {
    let queue = find(tx, caller, request.queue_url.as_deref())?;
    let receipt = receipt(&queue, request.receipt_handle.as_deref())?;
    let hidden = visibility(request.visibility_timeout.unwrap_or_default())?;
    let found = message::status(tx, &queue, receipt.number)?;
    let Some((position, status)) = found.filter(|(_, s)| s.receipt == receipt.receipt) else {
        let handle = request.receipt_handle.as_deref().unwrap_or_default();
        let reason = "Message does not exist or is not available for visibility timeout change.";
        return Err(invalid_value(handle, "ReceiptHandle", reason));
    };
    let now = tx.now();
    if position.visible_at <= now {
        let text = "The specified message isn't in flight.";
        return Err(ApiError::client("MessageNotInflight", text));
    }
    let visible_at = now.plus_millis(hidden.saturating_mul(1000));
    let limit = limits::SQS_VISIBILITY_SECONDS_MAX;
    let latest = status
        .last_received
        .unwrap_or(now)
        .plus_millis(limit.saturating_mul(1000));
    if visible_at > latest {
        let reason = format!(
            "Total VisibilityTimeout for the message is beyond the limit [{limit} seconds]"
        );
        return Err(invalid_value(hidden, "VisibilityTimeout", &reason));
    }
    tx.effect(Effect::Wake(queue.waiter()));
    message::shift(tx, &queue, position, visible_at, &status)
}

/// `PurgeQueue`: at once, and as often as one likes.
pub fn purge(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::PurgeQueueRequest,
) -> Result<(), ApiError> {
    let queue = find(tx, caller, request.queue_url.as_deref())?;
    message::remove_all(tx, &queue)
}

/// The messages to look at: up to `count` to hand out, and those before them that have expired or died.
fn candidates(
    tx: &Tx<'_>,
    queue: &Queue,
    dead: Option<&(Redrive, Queue)>,
    count: usize,
) -> Result<Vec<(Position, Status, Fate)>, ApiError> {
    let now = tx.now();
    let mut found = Vec::new();
    let mut received = 0;
    for entry in message::visible(tx, queue, now).take(limits::SQS_RECEIVE_SCAN_MAX) {
        if received == count {
            break;
        }
        let (position, status) = entry?;
        let fate = if status.expires_at <= now {
            Fate::Expired
        } else if dead.is_some_and(|(policy, _)| status.receives_here >= policy.receives_max) {
            Fate::Dead
        } else {
            received += 1;
            Fate::Received
        };
        found.push((position, status, fate));
    }
    Ok(found)
}

/// Where messages go that were received too often; nowhere while that queue does not exist.
fn dead_letter_queue(tx: &Tx<'_>, queue: &Queue) -> Result<Option<(Redrive, Queue)>, ApiError> {
    let Some(policy) = attributes::redrive(queue) else {
        return Ok(None);
    };
    match find_by_arn(tx, &policy.target_arn) {
        Ok(target) => Ok(Some((policy, target))),
        Err(e) if e.status < 500 => Ok(None),
        Err(e) => Err(e),
    }
}

fn bury(
    tx: &mut Tx<'_>,
    queue: &Queue,
    target: &Queue,
    position: Position,
    status: Status,
) -> Result<(), ApiError> {
    let mut content = message::content(tx, queue, position.number)?;
    content
        .system
        .insert("DeadLetterQueueSourceArn".to_owned(), queue.arn());
    let sent = content
        .system
        .get("SentTimestamp")
        .and_then(|t| t.parse().ok());
    let sent = Timestamp(sent.unwrap_or(tx.now().0));
    let retention = attributes::number(target, "MessageRetentionPeriod");
    let status = Status {
        expires_at: sent.plus_millis(retention.saturating_mul(1000)),
        receives_here: 0,
        receipt: 0,
        ..status
    };
    message::remove(tx, queue, position);
    message::add(tx, target, tx.now(), &status, &content)?;
    tx.effect(Effect::Wake(target.waiter()));
    Ok(())
}

fn hand_out(
    tx: &mut Tx<'_>,
    queue: &Queue,
    position: Position,
    status: Status,
    hidden_seconds: i64,
    request: &api::ReceiveMessageRequest,
) -> Result<api::Message, ApiError> {
    let now = tx.now();
    let status = Status {
        receives: status.receives.saturating_add(1),
        receives_here: status.receives_here.saturating_add(1),
        first_received: status.first_received.or(Some(now)),
        last_received: Some(now),
        receipt: tx.next_sequence(),
        ..status
    };
    let content = message::content(tx, queue, position.number)?;
    let visible_at = now.plus_millis(hidden_seconds.saturating_mul(1000));
    message::shift(tx, queue, position, visible_at, &status)?;
    let receipt = Receipt {
        queue: queue.id,
        number: position.number,
        receipt: status.receipt,
    };
    Ok(answer(content, &status, receipt, request))
}

fn answer(
    content: Content,
    status: &Status,
    receipt: Receipt,
    request: &api::ReceiveMessageRequest,
) -> api::Message {
    let attributes = system_attributes(&content, status, request);
    let mut message_attributes = content.attributes;
    let wanted = request
        .message_attribute_names
        .as_deref()
        .unwrap_or_default();
    message_attributes.retain(|name, _| wanted.iter().any(|w| selects(w, name)));
    api::Message {
        message_id: Some(content.id),
        receipt_handle: Some(receipt.handle()),
        md5_of_body: Some(digest::of_body(&content.body)),
        body: Some(content.body),
        attributes: (!attributes.is_empty()).then_some(attributes),
        md5_of_message_attributes: digest::of_attributes(&message_attributes),
        message_attributes: (!message_attributes.is_empty()).then_some(message_attributes),
    }
}

fn system_attributes(
    content: &Content,
    status: &Status,
    request: &api::ReceiveMessageRequest,
) -> BTreeMap<String, String> {
    let mut all = content.system.clone();
    all.insert(
        "ApproximateReceiveCount".to_owned(),
        status.receives.to_string(),
    );
    if let Some(first) = status.first_received {
        all.insert(
            "ApproximateFirstReceiveTimestamp".to_owned(),
            first.0.to_string(),
        );
    }
    let old = request.attribute_names.iter().flatten();
    let wanted: Vec<&String> = old
        .chain(request.message_system_attribute_names.iter().flatten())
        .collect();
    all.retain(|name, _| wanted.iter().any(|w| *w == "All" || *w == name));
    all
}

/// Whether a wish (`All`, `.*`, `prefix.*` or a name) selects an attribute.
fn selects(wish: &str, name: &str) -> bool {
    if matches!(wish, "All" | ".*") {
        return true;
    }
    match wish.strip_suffix(".*") {
        Some(prefix) => name.starts_with(prefix),
        None => wish == name,
    }
}

fn visibility(value: i32) -> Result<i64, ApiError> {
    let reason = "Must be between 0 and 43200, if provided.";
    seconds(
        value,
        "VisibilityTimeout",
        limits::SQS_VISIBILITY_SECONDS_MAX,
        reason,
    )
}

fn receipt(queue: &Queue, handle: Option<&str>) -> Result<Receipt, ApiError> {
    let handle = handle.unwrap_or_default();
    let receipt = Receipt::parse(handle).ok_or_else(|| {
        let text = format!("The input receipt handle \"{handle}\" is not a valid receipt handle.");
        ApiError::client("ReceiptHandleIsInvalid", text)
    })?;
    if receipt.queue == queue.id {
        return Ok(receipt);
    }
    Err(invalid_parameter(format!(
        "Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle is not for this queue."
    )))
}
