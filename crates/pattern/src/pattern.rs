//! One parsed pattern: hold it against an event, or ask it why it does not match. Never changes once parsed.

use std::sync::Arc;

use crate::compile::{self, Compiled};
use crate::error::PatternError;
use crate::evaluate::{Field, evaluate, fields, hopeless};
use crate::event::{Event, Scalar};
use crate::limits::{MISS_VALUE_CHARS_MAX, MISS_VALUES_MAX};
use crate::near::{Near, nearest};

/// A valid event pattern. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Arc<str>,
    combinations: Arc<[Vec<Field>]>,
}

/// A field of a pattern that an event does not satisfy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    /// The field's names, joined with dots.
    pub path: String,
    /// The list of values as the pattern has it.
    pub wanted: String,
    /// The values that the event has there as JSON, the first few of them; `None` if it has none.
    pub found: Option<String>,
    /// How near the nearest of them came; `None` if there is nothing to say.
    pub near: Option<Near>,
}

impl Pattern {
    /// Reads and checks a pattern. What follows the pattern's closing brace is not part of it.
    ///
    /// # Errors
    /// [`PatternError`] with the message EventBridge gives for the first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let Compiled {
            combinations,
            length,
        } = compile::compile(text).map_err(|fault| PatternError::new(fault, text))?;
        let (pattern, rest) = text.split_at_checked(length).unwrap_or((text, ""));
        let text = if rest.trim().is_empty() {
            text
        } else {
            pattern
        };
        Ok(Self {
            text: text.into(),
            combinations: combinations.into_iter().map(fields).collect(),
        })
    }

    /// The pattern's text as it was given, without anything but white space behind its end.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the event matches.
    #[must_use]
    pub fn matches(&self, event: &Event<'_>) -> bool {
        self.combinations
            .iter()
            .any(|fields| evaluate(fields, event).is_ok())
    }

    /// The fields for which the event does not match, taken from the combination of `$or` branches that comes
    /// closest. Empty if, and only if, the event matches.
    #[must_use]
    pub fn why_not(&self, event: &Event<'_>) -> Vec<Miss> {
        let misses = self.combinations.iter().map(|fields| misses(fields, event));
        misses.min_by_key(Vec::len).unwrap_or_default()
    }

    pub(crate) fn combinations(&self) -> &[Vec<Field>] {
        &self.combinations
    }
}

fn misses(fields: &[Field], event: &Event<'_>) -> Vec<Miss> {
    let Err(stuck) = evaluate(fields, event) else {
        return Vec::new();
    };
    let mut places = hopeless(fields, event);
    if places.is_empty() {
        places.push(stuck);
    }
    let fields = places.into_iter().filter_map(|place| fields.get(place));
    fields.map(|field| miss(field, event)).collect()
}

fn miss(field: &Field, event: &Event<'_>) -> Miss {
    let leaves = event.at(field.path.split('.'));
    let shown = leaves
        .iter()
        .take(MISS_VALUES_MAX)
        .filter_map(|&leaf| event.value(leaf));
    let mut values: Vec<String> = shown.map(spelled).collect();
    if leaves.len() > MISS_VALUES_MAX {
        values.push("…".to_owned());
    }
    let near = if leaves.is_empty() {
        let head = event.head_of(&field.path);
        (!head.is_empty()).then(|| Near::Path(head.to_owned()))
    } else if is_met(field, event) {
        Some(Near::OtherElement)
    } else {
        let values = leaves.iter().filter_map(|&leaf| event.value(leaf));
        nearest(&field.values.conditions, values)
    };
    Miss {
        path: field.path.to_string(),
        wanted: field.values.source.to_string(),
        found: (!values.is_empty()).then(|| values.join(", ")),
        near,
    }
}

/// Whether some leaf meets the field, other fields left aside.
fn is_met(field: &Field, event: &Event<'_>) -> bool {
    let leaves = event.at(field.path.split('.')).iter();
    let mut values = leaves.filter_map(|&leaf| event.value(leaf));
    values.any(|value| {
        field
            .values
            .conditions
            .iter()
            .any(|one| one.is_met_by(value))
    })
}

fn spelled(value: Scalar<'_>) -> String {
    let text = match value {
        Scalar::Text(text) => serde_json::Value::from(text).to_string(),
        Scalar::Number { text, .. } => text.to_owned(),
        Scalar::True => "true".to_owned(),
        Scalar::False => "false".to_owned(),
        Scalar::Null => "null".to_owned(),
    };
    match text.char_indices().nth(MISS_VALUE_CHARS_MAX) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text,
    }
}
