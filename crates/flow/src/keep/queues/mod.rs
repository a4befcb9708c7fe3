//! Standard queues (Amazon SQS): the queues themselves, and where their messages lie. FIFO queues are refused.
//!
//! Verbs that answer with queue URLs take the endpoint (`http://host:port`) that the URLs shall begin with. A URL
//! names account and queue; the region is the caller's. Never waits: see `wait.rs` for the long poll.

mod attributes;
mod batch;
mod digest;
mod message;
mod permission;
mod receive;
mod send;
#[cfg(test)]
mod tests;
mod wait;

use std::collections::BTreeMap;

use landfall_core::api::generated::sqs as api;
use landfall_core::arn::{Arn, arn};
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits;
use landfall_store::Direction;
use serde::{Deserialize, Serialize};

pub use attributes::{get_attributes, set_attributes};
pub use batch::{change_visibility_batch, delete_message_batch, send_batch};
pub use permission::{add_permission, remove_permission};
pub use receive::{change_visibility, delete_message, purge, receive};
pub use send::{deliver, send};
pub use wait::receive_waiting;

use super::tags;
use crate::key::Key;
use crate::page::page;
use crate::tx::{Effect, Reader, Tx};

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Unique in account and region.
    pub name: String,
    /// 12-digit account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Tells it from former queues of the same name: their messages are not its own.
    id: u64,
    created: Timestamp,
    modified: Timestamp,
    /// The attributes that were set, as they were given.
    attributes: BTreeMap<String, String>,
}
crate::record!(Queue in Control);

impl Queue {
    /// The queue's ARN.
    pub fn arn(&self) -> String {
        arn("sqs", &self.region, &self.account, &self.name)
    }

    /// The queue's URL under `endpoint`.
    pub fn url(&self, endpoint: &str) -> String {
        let endpoint = endpoint.trim_end_matches('/');
        format!("{endpoint}/{}/{}", self.account, self.name)
    }

    /// The name under which those wait who want a message of this queue.
    fn waiter(&self) -> String {
        format!("queue {}", self.id)
    }
}

/// The queue of a name.
pub fn lookup(
    db: &impl Reader,
    account: &str,
    region: &str,
    name: &str,
) -> Result<Option<Queue>, ApiError> {
    db.get(&key(account, region, name))
}

/// The queue behind a URL that ends in `/account/name`, or a bare name.
pub fn find(db: &impl Reader, caller: &Caller, url: Option<&str>) -> Result<Queue, ApiError> {
    let (account, name) = address(caller, url.unwrap_or_default());
    lookup(db, account, &caller.region, name)?.ok_or_else(does_not_exist)
}

/// The queue of an ARN.
pub fn find_by_arn(db: &impl Reader, arn: &str) -> Result<Queue, ApiError> {
    let Some(arn) = Arn::parse(arn).filter(|a| a.service == "sqs") else {
        return Err(ApiError::client(
            "InvalidAddress",
            format!("{arn} is no queue ARN."),
        ));
    };
    lookup(db, arn.account, arn.region, arn.resource)?.ok_or_else(does_not_exist)
}

/// `CreateQueue`: a queue of this name with the same attributes is no error.
pub fn create(
    tx: &mut Tx<'_>,
    caller: &Caller,
    endpoint: &str,
    request: api::CreateQueueRequest,
) -> Result<api::CreateQueueResult, ApiError> {
    let name = request.queue_name.unwrap_or_default();
    let given = request.attributes.unwrap_or_default();
    check_name(&name, &given)?;
    if let Some(queue) = lookup(tx, &caller.account, &caller.region, &name)? {
        attributes::check_same(&queue, &given)?;
        return Ok(api::CreateQueueResult {
            queue_url: Some(queue.url(endpoint)),
        });
    }
    let now = tx.now();
    let mut queue = Queue {
        name,
        account: caller.account.clone(),
        region: caller.region.clone(),
        id: tx.next_sequence(),
        created: now,
        modified: now,
        attributes: BTreeMap::new(),
    };
    attributes::apply(tx, &mut queue, given)?;
    save(tx, &queue)?;
    tags::add(tx, &queue.arn(), request.tags.unwrap_or_default())?;
    Ok(api::CreateQueueResult {
        queue_url: Some(queue.url(endpoint)),
    })
}

/// `DeleteQueue`: with all its messages.
pub fn delete(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::DeleteQueueRequest,
) -> Result<(), ApiError> {
    let queue = find(tx, caller, request.queue_url.as_deref())?;
    message::remove_all(tx, &queue)?;
    tx.delete::<Queue>(&key(&queue.account, &queue.region, &queue.name));
    tags::clear(tx, &queue.arn());
    tx.effect(Effect::Wake(queue.waiter()));
    Ok(())
}

/// `GetQueueUrl`.
pub fn get_url(
    db: &impl Reader,
    caller: &Caller,
    endpoint: &str,
    request: &api::GetQueueUrlRequest,
) -> Result<api::GetQueueUrlResult, ApiError> {
    let name = request.queue_name.as_deref().unwrap_or_default();
    let owner = request
        .queue_owner_aws_account_id
        .as_deref()
        .filter(|a| !a.is_empty());
    let account = owner.unwrap_or(&caller.account);
    let queue = lookup(db, account, &caller.region, name)?.ok_or_else(does_not_exist)?;
    Ok(api::GetQueueUrlResult {
        queue_url: Some(queue.url(endpoint)),
    })
}

/// `ListQueues`.
pub fn list(
    db: &impl Reader,
    caller: &Caller,
    endpoint: &str,
    request: &api::ListQueuesRequest,
) -> Result<api::ListQueuesResult, ApiError> {
    let begin = request.queue_name_prefix.as_deref().unwrap_or_default();
    let queues = db.all::<Queue>(&prefix(&caller.account, &caller.region).beginning(begin))?;
    let urls = queues.iter().map(|q| q.url(endpoint)).collect();
    let token = request.next_token.as_deref();
    let (urls, next) = page(
        urls,
        token,
        request.max_results,
        limits::SQS_LIST_QUEUES_MAX,
    )?;
    let queue_urls = (!urls.is_empty()).then_some(urls);
    let next_token = request.max_results.and(next);
    Ok(api::ListQueuesResult {
        queue_urls,
        next_token,
    })
}

/// `ListDeadLetterSourceQueues`.
pub fn list_dead_letter_sources(
    db: &impl Reader,
    caller: &Caller,
    endpoint: &str,
    request: &api::ListDeadLetterSourceQueuesRequest,
) -> Result<api::ListDeadLetterSourceQueuesResult, ApiError> {
    let arn = find(db, caller, request.queue_url.as_deref())?.arn();
    let mut urls = Vec::new();
    for entry in db.list::<Queue>(&prefix(&caller.account, &caller.region), Direction::Forward) {
        let (_, queue) = entry?;
        if attributes::redrive(&queue).is_some_and(|r| r.target_arn == arn) {
            urls.push(queue.url(endpoint));
        }
    }
    let token = request.next_token.as_deref();
    let (urls, next) = page(
        urls,
        token,
        request.max_results,
        limits::SQS_LIST_QUEUES_MAX,
    )?;
    let next_token = request.max_results.and(next);
    Ok(api::ListDeadLetterSourceQueuesResult {
        queue_urls: Some(urls),
        next_token,
    })
}

/// `TagQueue`.
pub fn tag(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: api::TagQueueRequest,
) -> Result<(), ApiError> {
    let queue = find(tx, caller, request.queue_url.as_deref())?;
    tags::add(tx, &queue.arn(), request.tags.unwrap_or_default())?;
    if tags::of(tx, &queue.arn())?.0.len() > limits::TAGS_PER_RESOURCE_MAX {
        let text = format!("Too many tags added for queue {}.", queue.name);
        return Err(invalid_parameter(text));
    }
    Ok(())
}

/// `UntagQueue`.
pub fn untag(
    tx: &mut Tx<'_>,
    caller: &Caller,
    request: &api::UntagQueueRequest,
) -> Result<(), ApiError> {
    let queue = find(tx, caller, request.queue_url.as_deref())?;
    tags::remove(
        tx,
        &queue.arn(),
        request.tag_keys.as_deref().unwrap_or_default(),
    )
}

/// How full a queue is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    /// 12-digit account.
    pub account: String,
    /// Region.
    pub region: String,
    /// Name.
    pub name: String,
    /// Messages that may be received.
    pub visible: u64,
    /// Messages that were received and are hidden.
    pub in_flight: u64,
    /// Messages that nobody may see yet.
    pub delayed: u64,
}

/// How full all queues are; a queue is counted up to [`limits::METRICS_COUNTED_MAX`] messages.
pub fn depths(db: &impl Reader, now: Timestamp) -> Result<Vec<Depth>, ApiError> {
    let depth = |queue: Queue| {
        let counts = message::counts(db, &queue, now, limits::METRICS_COUNTED_MAX)?;
        Ok(Depth {
            account: queue.account,
            region: queue.region,
            name: queue.name,
            visible: counts.visible,
            in_flight: counts.in_flight,
            delayed: counts.delayed,
        })
    };
    let queues = db.all::<Queue>(&Key::new("queue"))?;
    queues.into_iter().map(depth).collect()
}

/// `ListQueueTags`.
pub fn list_tags(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListQueueTagsRequest,
) -> Result<api::ListQueueTagsResult, ApiError> {
    let queue = find(db, caller, request.queue_url.as_deref())?;
    let tags: BTreeMap<String, String> = tags::of(db, &queue.arn())?.0.into_iter().collect();
    Ok(api::ListQueueTagsResult {
        tags: (!tags.is_empty()).then_some(tags),
    })
}

fn save(tx: &mut Tx<'_>, queue: &Queue) -> Result<(), ApiError> {
    tx.put(&key(&queue.account, &queue.region, &queue.name), queue)
}

fn prefix(account: &str, region: &str) -> Key {
    Key::new("queue").part(account).part(region)
}

fn key(account: &str, region: &str, name: &str) -> Key {
    prefix(account, region).part(name)
}

/// Account and name at the end of a queue URL.
fn address<'a>(caller: &'a Caller, url: &'a str) -> (&'a str, &'a str) {
    let mut parts = url.trim_end_matches('/').rsplit('/');
    let name = parts.next().unwrap_or_default();
    let account = parts
        .next()
        .filter(|a| a.len() == 12 && a.bytes().all(|b| b.is_ascii_digit()));
    (account.unwrap_or(&caller.account), name)
}

fn check_name(name: &str, attributes: &BTreeMap<String, String>) -> Result<(), ApiError> {
    let is_fifo = attributes
        .get("FifoQueue")
        .is_some_and(|f| f.eq_ignore_ascii_case("true"));
    if name.ends_with(".fifo") || is_fifo {
        let text = "FIFO queues are not supported by Landfall; create a standard queue.";
        return Err(ApiError::client("UnsupportedOperation", text));
    }
    if is_plain_name(name, limits::SQS_NAME_CHARS_MAX) {
        return Ok(());
    }
    let text =
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
    Err(invalid_parameter(text))
}

fn is_plain_name(text: &str, length_max: usize) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=length_max).contains(&text.len()) && text.bytes().all(is_plain)
}

fn does_not_exist() -> ApiError {
    ApiError::client("QueueDoesNotExist", "The specified queue does not exist.")
}

fn invalid_parameter(text: impl Into<String>) -> ApiError {
    ApiError::client("InvalidParameterValue", text)
}

/// AWS's sentence about a value outside its bounds.
fn invalid_value(value: impl std::fmt::Display, name: &str, reason: &str) -> ApiError {
    let text = format!("Value {value} for parameter {name} is invalid. Reason: {reason}");
    invalid_parameter(text)
}

/// A number of seconds, checked against its bounds.
fn seconds(value: i32, name: &str, max: i64, reason: &str) -> Result<i64, ApiError> {
    let seconds = i64::from(value);
    if (0..=max).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(invalid_value(value, name, reason))
    }
}
