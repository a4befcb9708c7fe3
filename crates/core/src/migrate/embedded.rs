//! Documents within a template's scalars: an event pattern written as JSON text.
//!
//! Where the text stands in the source as it is meant, its tree has the source's own places and is edited there; where
//! it is escaped, it is edited by itself and written back whole. Never guesses at a text that is no JSON.

use super::edit::Source;
use crate::template::{Node, TemplateError, parse_document};

/// A document within a scalar.
pub(super) enum Embedded {
    /// Its places are places of the source.
    InPlace(Node),
    /// Its places are places of this text, which stands escaped in the source.
    Escaped(String, Node),
}

/// Reads the document that a scalar holds.
pub(super) fn read(source: Source<'_>, scalar: &Node) -> Result<Option<Embedded>, TemplateError> {
    let Some(text) = scalar.as_str() else {
        return Ok(None);
    };
    let (start, end) = (scalar.span.start.byte, source.scalar_end(scalar.span));
    let written = source.slice(start, end);
    let is_block = written.starts_with(['|', '>']) || source.is_block_content(scalar.span);
    let is_verbatim =
        written.starts_with('\'') && !written.contains('\n') && text.len() + 2 == written.len();
    if !text.trim_start().starts_with('{') {
        return Ok(None);
    }
    if is_block || is_verbatim {
        let opening = written.find('{').unwrap_or(0);
        let content = written.trim_end().trim_end_matches('\'');
        let padded = pad(source.slice(0, start + opening)) + content.get(opening..).unwrap_or("");
        return parse_document(&padded).map(|node| Some(Embedded::InPlace(node)));
    }
    let node = parse_document(text).map_err(|mut error| {
        error.span = Some(scalar.span);
        error
    })?;
    Ok(Some(Embedded::Escaped(text.to_owned(), node)))
}

// The lines in front stay lines, so that what follows keeps its place.
fn pad(before: &str) -> String {
    before
        .bytes()
        .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
        .collect()
}
