//! How near an event's values came to what a field asks for, as far as that can be said in a few words. Never decides
//! whether they match.

use std::fmt;

use crate::condition::Condition;
use crate::event::Scalar;
use crate::number::{Ordinal, comparable};

/// What separates the nearest value of an event from a field of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Near {
    /// The event has this much of the path and no value at its end.
    Path(String),
    /// A value would do, but it lies in another element of an array than the values of other fields.
    OtherElement,
    /// Nothing but upper and lower case.
    Case,
    /// Nothing but the kind: a string where the pattern has a number or literal, or the other way round.
    Kind,
    /// So many characters at the start are the same, of so many that the pattern has.
    Start {
        /// Characters that are the same.
        same: usize,
        /// Characters of the pattern's string.
        of: usize,
    },
    /// So many characters at the end are the same, of so many that the pattern has.
    End {
        /// Characters that are the same.
        same: usize,
        /// Characters of the pattern's string.
        of: usize,
    },
    /// A number is off by this much.
    Number {
        /// The distance to the nearest number that would do.
        by: String,
    },
}

impl fmt::Display for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "the event has {path}, and no value further on"),
            Self::OtherElement => f.write_str("the value lies in another element of an array"),
            Self::Case => f.write_str("only upper and lower case differ"),
            Self::Kind => f.write_str("the text is the same, but a string is no number or literal"),
            Self::Start { same, of } => {
                write!(f, "the first {same} of {of} characters are the same")
            }
            Self::End { same, of } => write!(f, "the last {same} of {of} characters are the same"),
            Self::Number { by } => write!(f, "off by {by}"),
        }
    }
}

/// The nearest that one of the values came to one of the conditions.
pub(crate) fn nearest<'s>(
    conditions: &[Condition],
    values: impl Iterator<Item = Scalar<'s>>,
) -> Option<Near> {
    let pairs = values.flat_map(|value| conditions.iter().map(move |one| (one, value)));
    pairs
        .filter_map(|(one, value)| near(one, value))
        .min_by_key(rank)
}

/// Smaller is nearer.
fn rank(near: &Near) -> (u8, u64) {
    match near {
        Near::OtherElement => (0, 0),
        Near::Case => (1, 0),
        Near::Kind => (2, 0),
        // The bits of numbers that are not negative ascend with them.
        Near::Number { by } => (3, by.parse().map_or(u64::MAX, f64::to_bits)),
        Near::Start { same, of } | Near::End { same, of } => (4, (of - same) as u64),
        Near::Path(_) => (5, 0),
    }
}

fn near(condition: &Condition, value: Scalar<'_>) -> Option<Near> {
    match (condition, value) {
        (Condition::Text(wanted), Scalar::Text(text)) if is_case(wanted, text) => Some(Near::Case),
        (Condition::Text(wanted), Scalar::Text(text)) => {
            start(wanted, text).or_else(|| end(wanted, text))
        }
        (Condition::Text(wanted), _) => (**wanted == *spelled(value)).then_some(Near::Kind),
        (Condition::Prefix(wanted), Scalar::Text(text)) => {
            let head = text
                .get(..wanted.len())
                .filter(|head| is_case(wanted, head));
            head.map(|_| Near::Case).or_else(|| start(wanted, text))
        }
        (Condition::Suffix(wanted), Scalar::Text(text)) => {
            let tail = text
                .len()
                .checked_sub(wanted.len())
                .and_then(|start| text.get(start..));
            let tail = tail.filter(|tail| is_case(wanted, tail));
            tail.map(|_| Near::Case).or_else(|| end(wanted, text))
        }
        (Condition::Number { text: wanted, .. }, Scalar::Text(text)) => {
            (**wanted == *text).then_some(Near::Kind)
        }
        (Condition::True | Condition::False | Condition::Null, Scalar::Text(text)) => {
            (text == literal(condition)).then_some(Near::Kind)
        }
        (
            Condition::Number {
                value: Some(wanted),
                ..
            },
            Scalar::Number {
                value: Some(value), ..
            },
        ) => Some(off(value, *wanted, *wanted)),
        (
            Condition::Range(range),
            Scalar::Number {
                value: Some(value), ..
            },
        ) => Some(off(value, range.lowest, range.highest)),
        (Condition::Range(_), Scalar::Text(text)) => comparable(text).map(|_| Near::Kind),
        _ => None,
    }
}

fn literal(condition: &Condition) -> &'static str {
    match condition {
        Condition::True => "true",
        Condition::False => "false",
        _ => "null",
    }
}

fn spelled<'s>(value: Scalar<'s>) -> &'s str {
    match value {
        Scalar::Text(text) | Scalar::Number { text, .. } => text,
        Scalar::True => "true",
        Scalar::False => "false",
        Scalar::Null => "null",
    }
}

fn is_case(wanted: &str, text: &str) -> bool {
    wanted.to_lowercase() == text.to_lowercase()
}

fn start(wanted: &str, text: &str) -> Option<Near> {
    let same = wanted
        .chars()
        .zip(text.chars())
        .take_while(|(one, other)| one == other)
        .count();
    (same > 0).then(|| Near::Start {
        same,
        of: wanted.chars().count(),
    })
}

fn end(wanted: &str, text: &str) -> Option<Near> {
    let pairs = wanted.chars().rev().zip(text.chars().rev());
    let same = pairs.take_while(|(one, other)| one == other).count();
    (same > 0).then(|| Near::End {
        same,
        of: wanted.chars().count(),
    })
}

fn off(value: Ordinal, lowest: Ordinal, highest: Ordinal) -> Near {
    let by = if value < lowest {
        lowest.value() - value.value()
    } else {
        value.value() - highest.value()
    };
    Near::Number { by: by.to_string() }
}
