//! What can be asked of a replay, and what is answered. Never reads the ledger.

use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};

use crate::deliver::Delivery;
use crate::route::ObjectRef;

/// Which runs to repeat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ask {
    /// Those that failed or were given up, and that no later replay has made good.
    pub failed: bool,
    /// Those that were matched at this time or later, RFC 3339.
    pub since: Option<String>,
    /// Those that were matched in front of this time, RFC 3339.
    pub until: Option<String>,
    /// Those of this rule.
    pub rule: Option<String>,
    /// Those about objects of this bucket.
    pub bucket: Option<String>,
    /// What the rules make now of the newest event of this object of the bucket.
    pub key: Option<String>,
    /// The event of this version of it.
    pub version_id: Option<String>,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Go on behind this number.
    pub after: u64,
    /// Runs up to this number; what comes later is not asked for.
    pub up_to: Option<u64>,
}

/// What was done.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Answer {
    /// Repeated, or to be repeated.
    pub replayed: Vec<Item>,
    /// Left alone: it, or a repetition of it, is still under way.
    pub under_way: Vec<Item>,
    /// What cannot be repeated.
    pub refused: Vec<Item>,
    /// How to go on; nothing when all is done.
    pub next: Option<Next>,
}

/// One run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Number of the run that is repeated.
    pub run: Option<u64>,
    /// Number of its repetition.
    pub replay: Option<u64>,
    /// Bucket of the object, if the event is about one.
    pub bucket: Option<String>,
    /// Key of the object, raw.
    pub key: Option<String>,
    /// Name of the rule.
    pub rule: String,
    /// Id of the target.
    pub target: String,
    /// Why it cannot be repeated.
    pub reason: Option<String>,
}

/// The part of a question that is not answered yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Next {
    /// For [`Ask::after`].
    pub after: u64,
    /// For [`Ask::up_to`].
    pub up_to: u64,
}

/// A span of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Ask {
    /// The object that is asked for, if one is. Refuses what means nothing.
    pub(super) fn check(&self) -> Result<Option<ObjectRef>, ApiError> {
        self.span()?;
        let bad = |text: &str| Err(ApiError::validation(text));
        match (&self.bucket, &self.key) {
            (Some(_), Some(_)) if self.failed || self.since.is_some() || self.until.is_some() => {
                bad(
                    "Ask for an object, or for runs that failed or of a span of time, not for both.",
                )
            }
            (Some(bucket), Some(key)) => Ok(Some(ObjectRef {
                bucket: bucket.clone(),
                key: key.clone(),
                version_id: self.version_id.clone(),
            })),
            (None, Some(_)) => bad("A key needs its bucket."),
            (_, None) if self.version_id.is_some() => bad("A version needs its bucket and key."),
            _ if !self.failed && self.since.is_none() => {
                bad("Say what to replay: an object, runs that failed, or runs since a time.")
            }
            _ => Ok(None),
        }
    }

    pub(super) fn span(&self) -> Result<Span, ApiError> {
        let time = |name: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => Timestamp::parse_rfc3339(text).map(Some).ok_or_else(|| {
                let like = "such as 2026-11-12T00:00:00Z";
                ApiError::validation(format!("{name} must be a time {like}, not {text}."))
            }),
        };
        Ok(Span {
            from: time("since", &self.since)?,
            until: time("until", &self.until)?,
        })
    }

    /// Whether the question is about a run, whatever became of it.
    pub(super) fn is_about(&self, span: Span, delivery: &Delivery) -> bool {
        let bucket = delivery.object.as_ref().map(|it| &it.bucket);
        let at = delivery.matched_at;
        self.rule.as_ref().is_none_or(|rule| *rule == delivery.rule)
            && (self.bucket.is_none() || self.bucket.as_ref() == bucket)
            && span.from.is_none_or(|from| at >= from)
            && span.until.is_none_or(|until| at < until)
    }
}

impl Item {
    /// The line of a run.
    pub(super) fn of(run: Option<u64>, delivery: &Delivery) -> Self {
        let object = delivery.object.as_ref();
        Self {
            run,
            replay: None,
            bucket: object.map(|it| it.bucket.clone()),
            key: object.map(|it| it.key.clone()),
            rule: delivery.rule.clone(),
            target: delivery.target.id.clone().unwrap_or_default(),
            reason: None,
        }
    }
}
