//! Why an upload met a rule, or did not: one rule held against one upload, and the first thing that decided against it.
//!
//! The decision is here, the words are in `words`, and what became of a match in `story`. Never reads a store, never
//! decides what really happens: the matcher does, and what is said here is held against it in tests.

mod either;
mod story;
#[cfg(test)]
mod tests;
mod words;

use landfall_pattern::{Event, Miss, Near, Pattern};

pub use either::Either;
pub use story::{
    ContainerEnd, TaskEnd, answer, end, input, input_refused, would_refuse, would_start,
};
pub use words::{bucket_is_off, far, is_unknown};

use crate::migrate::table::{Twin, twin};

/// A rule, as far as the decision goes.
#[derive(Debug, Clone, Copy)]
pub struct RuleFacts<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its bus.
    pub bus: &'a str,
    /// Whether events of S3 come to that bus: it is the default one, or a rule passes them on.
    pub is_reached: bool,
    /// Whether it takes part in matching.
    pub is_enabled: bool,
    /// Its event pattern.
    pub pattern: &'a str,
}

/// An upload, as both roads tell of it.
#[derive(Debug, Clone, Copy)]
pub struct Upload<'a> {
    /// Name of the bucket.
    pub bucket: &'a str,
    /// S3's own event.
    pub direct: &'a str,
    /// What CloudTrail would put on the bus for each of its calls, if a trail looked.
    pub told: &'a [String],
    /// Whether the bucket sends its events to EventBridge.
    pub bucket_sends: bool,
    /// What the trails make of its calls.
    pub trails: &'a Trails,
}

/// What the trails of the account make of an upload's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trails {
    /// This one logs them.
    Log(String),
    /// This one selects them, and does not log.
    Stopped(String),
    /// None of so many selects them.
    NoneSelects(usize),
}

/// What decided on a rule.
#[derive(Debug, Clone, PartialEq)]
pub enum Cause {
    /// Nothing is against it.
    Matches,
    /// Nothing is against it, but only one of two filters holds that look as if both had to.
    MatchesEither(Either),
    /// The bucket sends no events.
    BucketIsOff,
    /// The rule is disabled.
    Disabled,
    /// The rule is on another bus than the events.
    OtherBus,
    /// The rule waits for CloudTrail's record, and no trail makes one.
    NoTrail(Trails),
    /// The rule asks for a field of the other road's events; this one has the named field instead, if it has any.
    OtherRoad {
        /// What the rule asks for.
        miss: Missed,
        /// Whether the rule waits for S3's own events, and names a field of CloudTrail's.
        is_direct: bool,
        /// What it should ask for.
        instead: Option<&'static str>,
    },
    /// A field of the event is not as the rule wants it.
    Field(Missed),
    /// The pattern cannot be read.
    Unreadable(String),
}

/// A field that decided against a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Missed {
    /// The field's names, joined with dots.
    pub path: String,
    /// The list of values as the rule has it.
    pub wanted: String,
    /// The value of the event; none if it has none.
    pub found: Option<String>,
    /// How near the value came.
    pub near: Option<Near>,
}

/// What was found of one rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// What decided.
    pub cause: Cause,
    /// Every field that is against it, the deciding one first.
    pub misses: Vec<Missed>,
    /// Whether the rule is about something else altogether: another source, other events, or another bucket than one
    /// of nearly the same name.
    pub is_far: bool,
}

impl Judgement {
    fn of(cause: Cause) -> Self {
        Self {
            cause,
            misses: Vec::new(),
            is_far: false,
        }
    }

    /// Whether the rule takes the upload.
    pub fn is_match(&self) -> bool {
        matches!(self.cause, Cause::Matches | Cause::MatchesEither(_))
    }

    /// Smaller is nearer.
    pub fn distance(&self) -> (usize, u64) {
        match &self.cause {
            Cause::Matches | Cause::MatchesEither(_) => (0, 0),
            Cause::BucketIsOff | Cause::Disabled | Cause::OtherBus | Cause::NoTrail(_) => (0, 1),
            Cause::OtherRoad { .. } => (self.misses.len(), 1_000),
            Cause::Field(miss) => (self.misses.len(), distance(miss)),
            Cause::Unreadable(_) => (usize::MAX, 0),
        }
    }
}

/// Whether a field says that the rule is about something else than uploads to the bucket.
fn is_elsewhere(miss: &Missed, bucket: &str) -> bool {
    match miss.path.as_str() {
        "source" => miss.near != Some(Near::Case),
        "detail-type" => !is_alike(miss),
        "detail.bucket.name" | "detail.requestParameters.bucketName" => {
            !is_alike(miss) && !miss.wanted.contains(&format!("\"{bucket}\""))
        }
        _ => false,
    }
}

fn is_alike(miss: &Missed) -> bool {
    match miss.near {
        Some(Near::Start { same, of } | Near::End { same, of }) => same * 2 >= of,
        Some(Near::Path(_)) | None => false,
        Some(_) => true,
    }
}

fn distance(miss: &Missed) -> u64 {
    match &miss.near {
        // A word for the same thing, done in another way.
        None if miss.path == "detail.reason" => 100,
        Some(Near::OtherElement) => 2,
        Some(Near::Case) => 3,
        Some(Near::Kind) => 4,
        Some(Near::Number { .. }) => 5,
        Some(Near::Start { same, of } | Near::End { same, of }) => 6 + (of - same) as u64,
        Some(Near::Path(_)) => 5_000,
        None => 10_000,
    }
}

/// Holds a rule against an upload.
pub fn judge(rule: &RuleFacts<'_>, upload: &Upload<'_>) -> Judgement {
    let pattern = match Pattern::parse(rule.pattern) {
        Ok(pattern) => pattern,
        Err(e) => return Judgement::of(Cause::Unreadable(e.to_string())),
    };
    let direct = held(&pattern, upload.direct);
    let told = upload.told.iter().map(|event| held(&pattern, event));
    let told = told.min_by_key(Vec::len);
    let is_on = |misses: &[Miss]| !misses.iter().any(|it| is_kind(&it.path));
    let (misses, is_direct) = match told {
        Some(told) if !is_on(&direct) && is_on(&told) => (told, false),
        _ => (direct, true),
    };
    if !misses.is_empty() {
        return missed(misses, is_direct, upload.bucket);
    }
    Judgement::of(unmatched(rule, upload, is_direct).unwrap_or_else(|| {
        let told = upload.told.last().map_or("", String::as_str);
        let event = if is_direct { upload.direct } else { told };
        either::either(rule.pattern, event).map_or(Cause::Matches, Cause::MatchesEither)
    }))
}

/// What keeps a rule from an upload that its pattern takes.
fn unmatched(rule: &RuleFacts<'_>, upload: &Upload<'_>, is_direct: bool) -> Option<Cause> {
    if !rule.is_enabled {
        return Some(Cause::Disabled);
    }
    if !rule.is_reached {
        return Some(Cause::OtherBus);
    }
    match (is_direct, upload.trails) {
        (true, _) => (!upload.bucket_sends).then_some(Cause::BucketIsOff),
        (false, Trails::Log(_)) => None,
        (false, trails) => Some(Cause::NoTrail(trails.clone())),
    }
}

fn held(pattern: &Pattern, event: &str) -> Vec<Miss> {
    Event::parse(event).map_or_else(|_| Vec::new(), |event| pattern.why_not(&event))
}

fn is_kind(path: &str) -> bool {
    matches!(path, "source" | "detail-type")
}

fn missed(misses: Vec<Miss>, is_direct: bool, bucket: &str) -> Judgement {
    let mut misses: Vec<Missed> = misses.into_iter().map(Missed::of).collect();
    misses.sort_by_key(|miss| weight(miss, is_direct));
    let cause = misses.first().map(|first| {
        let foreign = instead(&first.path, is_direct);
        foreign.map_or_else(
            || Cause::Field(first.clone()),
            |instead| Cause::OtherRoad {
                miss: first.clone(),
                is_direct,
                instead,
            },
        )
    });
    Judgement {
        cause: cause.unwrap_or(Cause::Matches),
        is_far: misses.iter().any(|miss| is_elsewhere(miss, bucket)),
        misses,
    }
}

impl Missed {
    fn of(miss: Miss) -> Self {
        Self {
            path: miss.path,
            wanted: miss.wanted,
            found: miss.found,
            near: miss.near,
        }
    }
}

/// The order in which fields are named: what an event is, then what it cannot have, then which object it is about.
fn weight(miss: &Missed, is_direct: bool) -> u8 {
    match miss.path.as_str() {
        "source" => 0,
        "detail-type" => 1,
        path if instead(path, is_direct).is_some() => 2,
        "detail.bucket.name" | "detail.requestParameters.bucketName" => 3,
        "detail.reason" | "detail.eventName" => 4,
        _ => 5,
    }
}

/// What an event of this road has instead of a field that only the other road's events have; none for its own fields.
fn instead(path: &str, is_direct: bool) -> Option<Option<&'static str>> {
    /// The members of a record's detail that S3's own event lacks.
    const TOLD: [&str; 16] = [
        "eventVersion",
        "userIdentity",
        "eventTime",
        "eventSource",
        "eventName",
        "awsRegion",
        "sourceIPAddress",
        "userAgent",
        "requestParameters",
        "responseElements",
        "additionalEventData",
        "requestID",
        "eventID",
        "readOnly",
        "recipientAccountId",
        "managementEvent",
    ];
    const DIRECT: [(&str, &str); 4] = [
        ("detail.bucket.name", "detail.requestParameters.bucketName"),
        ("detail.object.key", "detail.requestParameters.key"),
        (
            "detail.object.size",
            "detail.additionalEventData.bytesTransferredIn",
        ),
        ("detail.reason", "detail.eventName"),
    ];
    if !is_direct {
        let found = DIRECT.iter().find(|(own, _)| *own == path);
        return found.map(|(_, told)| Some(*told));
    }
    let below = path.strip_prefix("detail.")?;
    let first = below.split('.').next().unwrap_or_default();
    if !TOLD.contains(&first) {
        return None;
    }
    Some(match twin(below) {
        Twin::At(path) | Twin::Nearly(path, _) => Some(path),
        _ if first == "eventName" => Some("detail.reason"),
        _ => None,
    })
}
