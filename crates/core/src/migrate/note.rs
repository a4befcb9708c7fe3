//! What a migration has to say: what it changed and why, what behaves otherwise afterwards, what is left to the user.
//!
//! Data only; how it is shown is the command's business.

use serde::Serialize;

use crate::template::Span;

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Something cannot be moved; its rule stays as it was.
    Refused,
    /// The user has something to do.
    Left,
    /// Something behaves otherwise afterwards.
    Differs,
    /// Something was rewritten or added.
    Changed,
    /// Something was taken out.
    Removed,
}

/// One thing to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What it is about.
    pub kind: Kind,
    /// Logical id (or Terraform address) of the resource concerned; empty for the template as a whole.
    pub subject: String,
    /// Where in the template as it was.
    #[serde(serialize_with = "place")]
    pub span: Option<Span>,
    /// What happened, as a sentence.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Note {
    /// A note without advice.
    pub(crate) fn new(
        kind: Kind,
        subject: &str,
        span: impl Into<Option<Span>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            subject: subject.to_owned(),
            span: span.into(),
            message: message.into(),
            advice: None,
        }
    }

    #[must_use]
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

#[derive(Serialize)]
struct Place {
    line: usize,
    column: usize,
}

// serde asks for the reference.
#[allow(clippy::ref_option)]
fn place<S: serde::Serializer>(span: &Option<Span>, serializer: S) -> Result<S::Ok, S::Error> {
    let place = span.map(|span| Place {
        line: span.start.line,
        column: span.start.column,
    });
    place.serialize(serializer)
}
