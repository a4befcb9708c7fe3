//! The long poll: waits outside the loop until a message may be there, then asks again. Never holds a transaction.

use std::time::Duration;

use landfall_core::api::generated::sqs as api;
use landfall_core::caller::Caller;
use landfall_core::error::ApiError;
use landfall_core::limits;
use tokio::time::{Instant, timeout_at};

use super::{attributes, find, message, receive, seconds};
use crate::drive::Flow;

/// `ReceiveMessage`, waiting up to `WaitTimeSeconds` (or the queue's own) for the first message.
pub async fn receive_waiting(
    flow: &Flow,
    caller: &Caller,
    request: api::ReceiveMessageRequest,
) -> Result<api::ReceiveMessageResult, ApiError> {
    let queue = find(&flow.view(), caller, request.queue_url.as_deref())?;
    let reason = "Must be >= 0 and <= 20, if provided.";
    let wait = match request.wait_time_seconds {
        Some(value) => seconds(
            value,
            "WaitTimeSeconds",
            limits::SQS_WAIT_SECONDS_MAX,
            reason,
        )?,
        None => attributes::number(&queue, "ReceiveMessageWaitTimeSeconds"),
    };
    let deadline = Instant::now() + Duration::from_secs(u64::try_from(wait).unwrap_or_default());
    let waiter = flow.waiter(&queue.waiter());
    loop {
        let mut woken = std::pin::pin!(waiter.notified());
        woken.as_mut().enable();
        let answer = ask(flow, caller, &request).await?;
        if answer.messages.is_some() || Instant::now() >= deadline {
            return Ok(answer);
        }
        let now = flow.clock().now();
        let next = message::next_visible(&flow.view(), &queue, now)?;
        let until = next.map_or(deadline, |at| {
            let millis = u64::try_from(at.0.saturating_sub(now.0)).unwrap_or_default();
            deadline.min(Instant::now() + Duration::from_millis(millis))
        });
        // Woken or not: the next look at the queue decides.
        let _ = timeout_at(until, woken).await;
    }
}

async fn ask(
    flow: &Flow,
    caller: &Caller,
    request: &api::ReceiveMessageRequest,
) -> Result<api::ReceiveMessageResult, ApiError> {
    let (caller, request) = (caller.clone(), request.clone());
    flow.write(move |tx| receive(tx, &caller, &request)).await
}
