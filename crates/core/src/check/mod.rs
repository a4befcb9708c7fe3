//! Faults of templates that deploy and then do nothing, or something else than was meant: found in the text, each with
//! a code, a place and a sentence of advice.
//!
//! A new fault is one function in a file below and one line in [`FAULTS`]. Never evaluates parameters, never touches
//! the template.

mod input;
mod rule;
#[cfg(test)]
mod tests;
mod trail;

use serde::Serialize;

use crate::migrate::facts::{RuleFacts, rules};
use crate::template::{Position, Span, Template, TemplateError};

/// How bad a fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something never happens, or happens wrongly.
    Error,
    /// Something happens otherwise than most people mean it, or depends on what the template does not say.
    Warning,
}

/// A kind of fault.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// `LF001` and so on; never given to another fault.
    pub code: &'static str,
    /// What is wrong, as a title.
    pub title: &'static str,
    find: fn(&Subject<'_>) -> Vec<Finding>,
}

/// Every fault that is looked for.
pub const FAULTS: &[Fault] = &[
    trail::NO_TRAIL,
    trail::NO_SLASH,
    trail::NOT_LOGGING,
    trail::READ_ONLY,
    rule::NO_EVENTS,
    input::QUOTED,
    input::NO_SUCH_PATH,
    rule::EITHER_OR,
    input::NO_INPUT,
    rule::MISSES_PARTS,
];

/// The code of a template that cannot be read.
pub const UNREADABLE: &str = "LF000";

/// One fault at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The fault's code.
    pub code: &'static str,
    /// How bad it is here.
    pub severity: Severity,
    /// Where.
    pub span: Place,
    /// What is wrong, as a sentence.
    pub message: String,
    /// What to do about it.
    pub advice: String,
}

/// A stretch of the template, as findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Line of the end.
    pub end_line: usize,
    /// Column behind the end.
    pub end_column: usize,
    /// First byte.
    #[serde(skip)]
    pub start: usize,
    /// Behind the last byte.
    #[serde(skip)]
    pub end: usize,
}

/// What a fault is looked for in.
pub(crate) struct Subject<'a> {
    pub(crate) template: &'a Template,
    pub(crate) rules: &'a [RuleFacts<'a>],
}

/// Looks for every fault. A template that cannot be read has one: that.
pub fn check(text: &str) -> Vec<Finding> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut findings = match found(text) {
        Ok(findings) => findings,
        Err(error) => vec![unreadable(&error)],
    };
    for finding in &mut findings {
        finding.span = trimmed(text, finding.span);
    }
    findings.sort_by_key(|it| (it.span, it.code));
    findings.dedup();
    findings
}

fn found(text: &str) -> Result<Vec<Finding>, TemplateError> {
    let template = Template::parse(text)?;
    let rules = rules(text, &template)?;
    let subject = Subject {
        template: &template,
        rules: &rules,
    };
    Ok(FAULTS.iter().flat_map(|it| (it.find)(&subject)).collect())
}

fn unreadable(error: &TemplateError) -> Finding {
    Finding {
        code: UNREADABLE,
        severity: Severity::Error,
        span: place(error.span.unwrap_or_default()),
        message: error.message.clone(),
        advice: "CloudFormation refuses this template too: correct it first".to_owned(),
    }
}

impl Fault {
    fn at(&self, severity: Severity, span: Span, message: String, advice: &str) -> Finding {
        Finding {
            code: self.code,
            severity,
            span: place(span),
            message,
            advice: advice.to_owned(),
        }
    }
}

impl RuleFacts<'_> {
    /// A place in the rule's pattern: the whole pattern where it stands escaped.
    pub(crate) fn place(&self, span: Span) -> Span {
        match self.escaped {
            Some(_) => self.written.span,
            None => span,
        }
    }
}

fn place(span: Span) -> Place {
    let Position { line, column, byte } = span.start;
    Place {
        line: line.max(1),
        column: column.max(1),
        end_line: span.end.line.max(line).max(1),
        end_column: span.end.column.max(1),
        start: byte,
        end: span.end.byte.max(byte),
    }
}

/// The first line of a place that reaches over more: what is drawn should be what is meant.
fn trimmed(text: &str, mut place: Place) -> Place {
    // A text that ends early is wrong behind its last line.
    place.line = place.line.min(text.lines().count().max(1));
    let written = text.get(place.start..place.end).unwrap_or_default();
    let first = written.lines().next().unwrap_or_default();
    let is_quoted = first.starts_with(['"', '\'']);
    let first = match first.find(" #") {
        Some(comment) if !is_quoted => first.get(..comment).unwrap_or(first),
        _ => first,
    };
    let first = first.trim_end();
    place.end = place.start + first.len();
    place.end_line = place.line;
    place.end_column = place.column + first.chars().count();
    place
}
