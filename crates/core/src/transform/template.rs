//! Input templates: taken apart once, filled for each event.
//!
//! Stricter than AWS in one point, on purpose: a value inside quotes that would end or reshape its JSON string
//! fails the delivery, also where the result would happen to parse. Never re-scans what it has inserted.

use super::TransformError;
use super::json::{self, Kind};

/// Where a placeholder stands, which decides how its value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Outside quotes of a JSON template: the value's JSON text.
    Value,
    /// Inside quotes of a JSON template: the bare characters.
    Text,
    /// Anywhere in a string template: the bare characters, lists and objects without their quotes.
    Line,
    /// In the middle of an escape sequence: nothing may stand there.
    Escape,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Placeholder { name: String, place: Place },
}

/// A template taken apart: literal text and placeholders in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    is_json: bool,
    pieces: Vec<Piece>,
}

impl Template {
    /// Takes the template apart. Any text is a template; whether it can ever give JSON shows when it is filled.
    pub fn parse(text: &str) -> Self {
        let is_json = text.trim_start().starts_with('{');
        let mut scanner = Scanner::default();
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, name, behind)) = split_at_placeholder(rest) {
            literal.chars().for_each(|c| scanner.feed(c));
            pieces.push(Piece::Literal(literal.to_owned()));
            pieces.push(Piece::Placeholder {
                name: name.to_owned(),
                place: scanner.place(is_json),
            });
            rest = behind;
        }
        pieces.push(Piece::Literal(rest.to_owned()));
        Self { is_json, pieces }
    }

    /// The names of the placeholders in order of appearance, repetitions included.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Placeholder { name, .. } => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }

    /// The names of the placeholders that stand inside quotes of a JSON template.
    pub fn quoted_placeholders(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Placeholder {
                name,
                place: Place::Text,
            } => Some(name.as_str()),
            _ => None,
        })
    }

    /// Fills the template. `value_of` gives a placeholder's value as minified JSON text, `None` for no value.
    ///
    /// # Errors
    /// Whatever `value_of` says, a value that would break out of its string, a result that is not what the
    /// kind of template must give (one JSON value, or lines of JSON strings).
    pub fn fill(
        &self,
        mut value_of: impl FnMut(&str) -> Result<Option<String>, TransformError>,
    ) -> Result<String, TransformError> {
        let mut filled = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => filled.push_str(text),
                Piece::Placeholder { name, place } => {
                    filled.push_str(&insertion(name, *place, value_of(name)?)?);
                }
            }
        }
        if self.is_json {
            check_json(&filled)?
        } else {
            check_lines(&filled)?
        }
        Ok(filled)
    }
}

/// Text in front of the next placeholder, the placeholder's name, and the text behind it.
/// A `<` that nothing closes is plain text; of several the last one before the `>` opens.
fn split_at_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, from_open) = text.split_at(text.find('<')?);
    let (inside, behind) = from_open.split_once('>')?;
    let (skipped, name) = inside.rsplit_once('<')?;
    let literal = text.get(..before.len() + skipped.len())?;
    Some((literal, name, behind))
}

/// Follows a template's literal text to know whether it stands inside quotes.
#[derive(Default)]
struct Scanner {
    in_string: bool,
    /// Characters until the current escape sequence ends.
    escape_left: u8,
    /// The next character is the one behind a backslash.
    after_backslash: bool,
}

impl Scanner {
    fn feed(&mut self, c: char) {
        if self.after_backslash {
            self.after_backslash = false;
            self.escape_left = if c == 'u' { 4 } else { 0 };
        } else if self.escape_left > 0 && c.is_ascii_hexdigit() {
            self.escape_left -= 1;
        } else {
            self.escape_left = 0;
            self.after_backslash = self.in_string && c == '\\';
            self.in_string ^= c == '"';
        }
    }

    fn place(&self, is_json: bool) -> Place {
        match (self.in_string, is_json) {
            _ if self.after_backslash || self.escape_left > 0 => Place::Escape,
            (_, false) => Place::Line,
            (true, true) => Place::Text,
            (false, true) => Place::Value,
        }
    }
}

fn insertion(name: &str, place: Place, value: Option<String>) -> Result<String, TransformError> {
    match (place, value) {
        (Place::Escape, _) => Err(TransformError::InsideEscape {
            placeholder: name.to_owned(),
        }),
        (Place::Value, Some(raw)) => Ok(raw),
        (Place::Value, None) => Ok("\"\"".to_owned()),
        (Place::Text | Place::Line, None) => Ok(String::new()),
        (Place::Text | Place::Line, Some(raw)) => {
            let text = bare(&raw, place)?;
            match breaks_out(&text) {
                None => Ok(text),
                Some(what) => Err(TransformError::BreaksOut {
                    placeholder: name.to_owned(),
                    what,
                    in_json: place == Place::Text,
                }),
            }
        }
    }
}

fn bare(raw: &str, place: Place) -> Result<String, TransformError> {
    match (json::kind(raw), place) {
        (Kind::String, _) => {
            serde_json::from_str(raw).map_err(|e| TransformError::Event(e.to_string()))
        }
        (Kind::Composite, Place::Line) => Ok(raw.replace('"', "")),
        (Kind::Composite | Kind::Literal, _) => Ok(raw.to_owned()),
    }
}

/// What in the text would end or reshape a JSON string around it.
fn breaks_out(text: &str) -> Option<&'static str> {
    text.chars().find_map(|c| match c {
        '"' => Some("a double quote"),
        '\\' => Some("a backslash"),
        '\0'..='\u{1f}' => Some("a control character"),
        _ => None,
    })
}

fn check_json(text: &str) -> Result<(), TransformError> {
    json::check(text).map_err(|e| TransformError::NotJson(e.to_string()))
}

fn check_lines(text: &str) -> Result<(), TransformError> {
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_ascii();
        if !line.is_empty() && (!line.starts_with('"') || json::check(line).is_err()) {
            return Err(TransformError::NotQuoted { line: index + 1 });
        }
    }
    if text.trim_ascii().is_empty() {
        Err(TransformError::NotQuoted { line: 1 })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<(String, Place)> {
        Template::parse(text)
            .pieces
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Placeholder { name, place } => Some((name, place)),
                Piece::Literal(_) => None,
            })
            .collect()
    }

    #[test]
    fn placeholders_know_where_they_stand() {
        let table: [(&str, &[(&str, Place)]); 14] = [
            ("{\"a\":<x>}", &[("x", Place::Value)]),
            ("  \n{\"a\":\"<x>\"}", &[("x", Place::Text)]),
            (
                "{\"<k>\":[<x>,\"s/<y>\"]}",
                &[("k", Place::Text), ("x", Place::Value), ("y", Place::Text)],
            ),
            (
                "{\"a\":\"q\\\"<x>\",\"b\":<y>}",
                &[("x", Place::Text), ("y", Place::Value)],
            ),
            ("{\"a\":\"\\\\\",\"b\":<y>}", &[("y", Place::Value)]),
            ("{\"a\":\"\\<x>\"}", &[("x", Place::Escape)]),
            ("{\"a\":\"\\\\<x>\"}", &[("x", Place::Text)]),
            ("{\"a\":\"\\u00<x>\"}", &[("x", Place::Escape)]),
            ("{\"a\":\"\\u00e9<x>\"}", &[("x", Place::Text)]),
            (
                "\"<x> and\"\n\"<y>\"",
                &[("x", Place::Line), ("y", Place::Line)],
            ),
            ("<x>", &[("x", Place::Line)]),
            ("{\"a\":\"1 < 2\"}", &[]),
            ("{\"a\":\"1 < <x>\"}", &[("x", Place::Text)]),
            ("{\"a\":\"<>\"}", &[("", Place::Text)]),
        ];
        for (text, expected) in table {
            let expected: Vec<_> = expected
                .iter()
                .map(|(n, p)| ((*n).to_owned(), *p))
                .collect();
            assert_eq!(places(text), expected, "{text}");
        }
    }

    #[test]
    fn literal_text_survives_parsing() {
        for text in [
            "",
            "plain",
            "{\"a\": \"x < y\"}",
            "> <",
            "<<<",
            "{\"é\":\"😀\"}",
        ] {
            let parsed = Template::parse(text);
            assert_eq!(parsed.pieces, [Piece::Literal(text.to_owned())], "{text}");
        }
    }

    #[test]
    fn inserted_text_is_not_scanned_again() {
        let template = Template::parse("{\"a\":\"<x>\",\"b\":<x>}");
        let filled = template
            .fill(|_| Ok(Some("\"<y><x>\"".to_owned())))
            .unwrap();
        assert_eq!(filled, "{\"a\":\"<y><x>\",\"b\":\"<y><x>\"}");
    }
}
