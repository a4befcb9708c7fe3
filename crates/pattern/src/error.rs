//! What can be wrong with a pattern or an event, worded as EventBridge words it.
//! Never decides what is wrong; that is for the reader and the compiler.

use crate::limits::ERROR_SOURCE_UNITS_MAX;

/// Why a pattern was refused. `Display` is the whole message of `InvalidEventPatternException`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Event pattern is not valid. Reason: {reason}{location}")]
pub struct PatternError {
    reason: String,
    location: String,
}

impl PatternError {
    pub(crate) fn new(fault: Fault, source: &str) -> Self {
        let suffix = fault.at.map(|at| format!("\n at {}", location(source, at)));
        let suffix = suffix.unwrap_or_default();
        let times = if fault.twice { 2 } else { 1 };
        Self {
            reason: fault.reason,
            location: suffix.repeat(times),
        }
    }

    /// The reason alone, without the leading sentence and without the location.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// Why a text is not an event that a pattern could be held against.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The text is JSON of another kind than an object.
    #[error("the event is not a JSON object")]
    NotAnObject,
    /// The text is not JSON, or nested too deeply.
    #[error("the event is not valid JSON: {reason} (line {line}, column {column})")]
    Syntax {
        /// What is wrong.
        reason: String,
        /// Line, from 1.
        line: usize,
        /// Column in UTF-16 units, from 1.
        column: usize,
    },
}

impl EventError {
    pub(crate) fn new(fault: Fault, source: &str) -> Self {
        let (line, column) = position(source, fault.at.unwrap_or_default());
        Self::Syntax {
            reason: fault.reason,
            line,
            column,
        }
    }
}

/// A finding on its way to its caller: the reason and the byte offset up to which the text was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    reason: String,
    at: Option<usize>,
    twice: bool,
}

impl Fault {
    pub(crate) fn at(reason: impl Into<String>, at: usize) -> Self {
        Self {
            reason: reason.into(),
            at: Some(at),
            twice: false,
        }
    }

    pub(crate) fn nowhere(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            at: None,
            twice: false,
        }
    }

    /// EventBridge repeats the location of what it finds inside a list under anything-but.
    pub(crate) fn located_twice(self) -> Self {
        Self {
            twice: true,
            ..self
        }
    }
}

/// Line and column, both from 1, of the point after `at` bytes.
pub(crate) fn position(source: &str, at: usize) -> (usize, usize) {
    let read = source.get(..at).unwrap_or(source);
    let (mut line, mut column, mut after_return) = (1, 1, false);
    for char in read.chars() {
        match char {
            '\n' if after_return => {}
            '\n' | '\r' => (line, column) = (line + 1, 1),
            _ => column += char.len_utf16(),
        }
        after_return = char == '\r';
    }
    (line, column)
}

/// The bracketed location that EventBridge puts behind a reason.
pub(crate) fn location(source: &str, at: usize) -> String {
    let (line, column) = position(source, at);
    let units: usize = source.chars().map(char::len_utf16).sum();
    if units <= ERROR_SOURCE_UNITS_MAX {
        return format!("[Source: (String)\"{source}\"; line: {line}, column: {column}]");
    }
    let mut left = ERROR_SOURCE_UNITS_MAX;
    let shown: String = source
        .chars()
        .take_while(|char| {
            let fits = char.len_utf16() <= left;
            left -= if fits { char.len_utf16() } else { left };
            fits
        })
        .collect();
    let cut = units - ERROR_SOURCE_UNITS_MAX;
    format!("[Source: (String)\"{shown}\"[truncated {cut} chars]; line: {line}, column: {column}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_end_counts_once() {
        assert_eq!(position("a\r\nb\rc\nd", 8), (4, 2));
    }

    #[test]
    fn columns_count_utf16_units() {
        assert_eq!(position("é😀x", "é😀".len()), (1, 4));
    }

    #[test]
    fn long_sources_are_cut_at_500_units() {
        let source = "x".repeat(510);
        let expected = format!(
            "[Source: (String)\"{}\"[truncated 10 chars]; line: 1, column: 4]",
            "x".repeat(500)
        );
        assert_eq!(location(&source, 3), expected);
        assert!(!location(&"x".repeat(500), 3).contains("truncated"));
    }
}
