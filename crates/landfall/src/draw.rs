//! Draws a remark on the source it is about. Never decides what to remark.

use std::io::IsTerminal as _;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Error,
    Warning,
}

/// One remark.
pub struct Remark<'a> {
    pub tone: Tone,
    /// Shown behind the tone; may be empty.
    pub code: &'a str,
    pub message: &'a str,
    pub advice: Option<&'a str>,
    pub file: &'a str,
    /// The whole text of the file.
    pub text: &'a str,
    /// Bytes of the text.
    pub place: Range<usize>,
}

/// The remark as text, in colour for a terminal on standard error.
pub fn draw(remark: &Remark<'_>) -> String {
    let level = match remark.tone {
        Tone::Error => Level::ERROR,
        Tone::Warning => Level::WARNING,
    };
    let mut title = level.primary_title(remark.message);
    if !remark.code.is_empty() {
        title = title.id(remark.code);
    }
    let place = fitting(remark.text, remark.place.clone());
    let snippet = Snippet::source(remark.text)
        .path(remark.file)
        .annotation(AnnotationKind::Primary.span(place));
    let mut group = title.element(snippet);
    if let Some(advice) = remark.advice {
        group = group.element(Level::HELP.message(advice));
    }
    let renderer = if std::io::stderr().is_terminal() {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.render(&[group])
}

/// A place within the text, on whole characters.
fn fitting(text: &str, place: Range<usize>) -> Range<usize> {
    let fit = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = fit(place.start);
    start..fit(place.end).max(start)
}
