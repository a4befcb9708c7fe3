//! The stored form of a delivery; finished ones are the ledger's entries. Never decides anything.

use landfall_core::api::generated::events as api;
use landfall_core::clock::Timestamp;
use landfall_core::retry::ErrorCode;
use serde::{Deserialize, Serialize};

use crate::key::Key;
use crate::route::ObjectRef;

/// One event on its way to one target of one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Hash of event id, rule ARN and target id: the client token of the first task that it starts.
    pub id: String,
    /// Id of the event.
    pub event_id: String,
    /// The event as the bus took it in: further starts and replays are made of it. Empty in deliveries that a version
    /// before this one finished.
    pub event_json: String,
    /// The object that the event is about.
    pub object: Option<ObjectRef>,
    /// Buses that the event has passed.
    pub hops: u8,
    /// Account of the rule.
    pub account: String,
    /// Region of the rule.
    pub region: String,
    /// Bus of the rule.
    pub bus: String,
    /// Name of the rule.
    pub rule: String,
    /// ARN of the rule.
    pub rule_arn: String,
    /// The target as it was when the event matched.
    pub target: api::Target,
    /// When the rule matched.
    pub matched_at: Timestamp,
    /// When the event was taken in.
    pub ingested_at: Timestamp,
    /// Attempts made.
    pub attempts: u32,
    /// How it stands.
    pub outcome: Outcome,
    /// Why the last attempt failed.
    pub last_refusal: Option<Refusal>,
    /// ARNs of the tasks that it started, those aside that another one has taken the place of.
    pub tasks: Vec<String>,
    /// ARNs of tasks that failed and that another one has taken the place of, or will; oldest first.
    #[serde(default)]
    pub former_tasks: Vec<String>,
    /// Starts that its target took; with the id it makes the client token of the next one.
    #[serde(default)]
    pub starts: u32,
    /// Starts that were made because a run had failed.
    #[serde(default)]
    pub repetitions: u32,
    /// When it was delivered or given up.
    pub finished_at: Option<Timestamp>,
    /// What makes it a repetition: the ARN of a replay, or `landfall`.
    #[serde(default)]
    pub replay: Option<String>,
    /// Number of the delivery that it repeats, where that is known.
    #[serde(default)]
    pub replay_of: Option<u64>,
    /// Numbers of the deliveries that `landfall replay` has made of it.
    #[serde(default)]
    pub replayed_as: Vec<u64>,
}
crate::record!(Delivery in Road);

/// How a delivery stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is due, or will be again.
    Pending,
    /// The target took it.
    Delivered,
    /// It was given up; what became of the event is in [`DeadLetter`].
    GivenUp(DeadLetter),
}

/// What became of an event whose delivery was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeadLetter {
    /// The target has no dead-letter queue.
    NoQueue,
    /// It is in this queue.
    Sent(String),
    /// It could not be put into the queue, for this reason.
    Failed(String),
}

/// Why a target did not take a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// AWS's dead-letter `ERROR_CODE`.
    pub code: ErrorCode,
    /// One sentence for people.
    pub message: String,
}

/// Marks a delivery as due: the key says when and which.
#[derive(Debug, Serialize, Deserialize)]
pub struct Due {}
crate::record!(Due in Road);

/// Key of a delivery by its number in the store's sequence.
pub fn delivery_key(number: u64) -> Key {
    Key::new("delivery").number(number)
}
