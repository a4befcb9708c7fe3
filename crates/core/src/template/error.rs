//! What can be wrong with a template, in CloudFormation's words and with the place it is wrong at.
//!
//! Never decides anything: it only carries the message that the user is shown.

use std::fmt::{self, Display};

use super::node::Span;
use crate::error::ApiError;

/// A fault of a template or of the values given to it.
///
/// One shape for all of them, because CloudFormation has one code for all of them: `ValidationError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// CloudFormation's message, shown to the user as it is.
    pub message: String,
    /// Where in the template's text, if the fault has a place.
    pub span: Option<Span>,
}

impl TemplateError {
    /// A fault without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span: None,
        }
    }

    /// A fault at a place.
    pub fn at(span: Span, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            span: Some(span),
        }
    }

    /// `Template format error: …` at a place.
    pub(super) fn format(span: Span, message: impl Display) -> Self {
        Self::at(span, format!("Template format error: {message}"))
    }

    /// `Template error: …` at a place.
    pub(super) fn template(span: Span, message: impl Display) -> Self {
        Self::at(span, format!("Template error: {message}"))
    }

    /// `Template format error: … not well-formed. (line L, column C)`.
    pub(super) fn malformed(span: Span, language: &str, why: &str) -> Self {
        let at = span.start;
        Self::format(
            span,
            format_args!(
                "{language} not well-formed. (line {}, column {}): {why}",
                at.line, at.column
            ),
        )
    }

    /// Gives the fault a place unless it has one.
    #[must_use]
    pub(super) fn or_at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }
}

impl From<TemplateError> for ApiError {
    fn from(error: TemplateError) -> Self {
        ApiError::client("ValidationError", error.message)
    }
}

/// Writes names as CloudFormation lists them: `[A, B]`.
pub(super) struct Names<'a, T>(pub &'a [T]);

impl<T: Display> Display for Names<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, name) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}")?;
        }
        f.write_str("]")
    }
}
