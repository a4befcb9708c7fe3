//! Several messages in one request: each entry succeeds or fails by itself. Never fails as a whole for one entry.

use std::collections::HashSet;

use landfall_core::api::generated::sqs as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::limits;

use super::{change_visibility, delete_message, find, is_plain_name, send};
use crate::tx::Tx;

/// `SendMessageBatch`.
pub fn send_batch(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::SendMessageBatchRequest,
) -> Result<api::SendMessageBatchResult, ApiError> {
    let queue = find(tx, caller, request.queue_url.as_deref())?;
    let entries = request.entries.unwrap_or_default();
    check(
        entries.iter().map(|e| e.id.as_deref()),
        "SendMessageBatchRequestEntry",
    )?;
    let messages: Vec<_> = entries.into_iter().map(single).collect();
    let size: usize = messages
        .iter()
        .map(|(_, message)| send::size(message))
        .sum();
    let size_max = usize::try_from(limits::SQS_MESSAGE_BYTES_MAX).unwrap_or(usize::MAX);
    if size > size_max {
        let text = format!(
            "Batch requests cannot be longer than {size_max} bytes. You have sent {size} bytes."
        );
        return Err(ApiError::client("BatchRequestTooLong", text));
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, message) in messages {
        match tx.attempt(|tx| send::enqueue(tx, &queue, &caller.account, message)) {
            Ok(sent) => successful.push(api::SendMessageBatchResultEntry {
                id: Some(id),
                message_id: sent.message_id,
                md5_of_message_body: sent.md5_of_message_body,
                md5_of_message_attributes: sent.md5_of_message_attributes,
                md5_of_message_system_attributes: sent.md5_of_message_system_attributes,
                sequence_number: None,
            }),
            Err(e) => failed.push(failure(id, &e)),
        }
    }
    Ok(api::SendMessageBatchResult {
        successful: Some(successful),
        failed: Some(failed),
    })
}

/// `DeleteMessageBatch`.
pub fn delete_message_batch(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::DeleteMessageBatchRequest,
) -> Result<api::DeleteMessageBatchResult, ApiError> {
    find(tx, caller, request.queue_url.as_deref())?;
    let entries = request.entries.unwrap_or_default();
    check(
        entries.iter().map(|e| e.id.as_deref()),
        "DeleteMessageBatchRequestEntry",
    )?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let id = entry.id.unwrap_or_default();
        let single = api::DeleteMessageRequest {
            queue_url: request.queue_url.clone(),
            receipt_handle: entry.receipt_handle,
        };
        match tx.attempt(|tx| delete_message(tx, caller, &single)) {
            Ok(()) => successful.push(api::DeleteMessageBatchResultEntry { id: Some(id) }),
            Err(e) => failed.push(failure(id, &e)),
        }
    }
    Ok(api::DeleteMessageBatchResult {
        successful: Some(successful),
        failed: Some(failed),
    })
}

/// `ChangeMessageVisibilityBatch`.
pub fn change_visibility_batch(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::ChangeMessageVisibilityBatchRequest,
) -> Result<api::ChangeMessageVisibilityBatchResult, ApiError> {
    find(tx, caller, request.queue_url.as_deref())?;
    let entries = request.entries.unwrap_or_default();
    check(
        entries.iter().map(|e| e.id.as_deref()),
        "ChangeMessageVisibilityBatchRequestEntry",
    )?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let id = entry.id.unwrap_or_default();
        let single = api::ChangeMessageVisibilityRequest {
            queue_url: request.queue_url.clone(),
            receipt_handle: entry.receipt_handle,
            visibility_timeout: entry.visibility_timeout,
        };
        match tx.attempt(|tx| change_visibility(tx, caller, &single)) {
            Ok(()) => {
                successful.push(api::ChangeMessageVisibilityBatchResultEntry { id: Some(id) });
            }
            Err(e) => failed.push(failure(id, &e)),
        }
    }
    Ok(api::ChangeMessageVisibilityBatchResult {
        successful: Some(successful),
        failed: Some(failed),
    })
}

fn single(entry: api::SendMessageBatchRequestEntry) -> (String, api::SendMessageRequest) {
    let message = api::SendMessageRequest {
        queue_url: None,
        message_body: entry.message_body,
        delay_seconds: entry.delay_seconds,
        message_attributes: entry.message_attributes,
        message_system_attributes: entry.message_system_attributes,
        message_deduplication_id: entry.message_deduplication_id,
        message_group_id: entry.message_group_id,
    };
    (entry.id.unwrap_or_default(), message)
}

fn check<'a>(ids: impl Iterator<Item = Option<&'a str>>, what: &str) -> Result<(), ApiError> {
    let ids: Vec<&str> = ids.map(Option::unwrap_or_default).collect();
    if ids.is_empty() {
        let text = format!("There should be at least one {what} in the request.");
        return Err(ApiError::client("EmptyBatchRequest", text));
    }
    if ids.len() > limits::SQS_BATCH_ENTRIES_MAX {
        let (max, sent) = (limits::SQS_BATCH_ENTRIES_MAX, ids.len());
        let text =
            format!("Maximum number of entries per request are {max}. You have sent {sent}.");
        return Err(ApiError::client("TooManyEntriesInBatchRequest", text));
    }
    let mut seen = HashSet::new();
    for id in ids {
        if !is_plain_name(id, limits::SQS_NAME_CHARS_MAX) {
            let text = "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can \
                        be at most 80 letters long.";
            return Err(ApiError::client("InvalidBatchEntryId", text));
        }
        if !seen.insert(id) {
            return Err(ApiError::client(
                "BatchEntryIdsNotDistinct",
                format!("Id {id} repeated."),
            ));
        }
    }
    Ok(())
}

fn failure(id: String, error: &ApiError) -> api::BatchResultErrorEntry {
    api::BatchResultErrorEntry {
        id: Some(id),
        sender_fault: Some(error.status < 500),
        code: Some(error.code.to_string()),
        message: Some(error.message.clone()),
    }
}
