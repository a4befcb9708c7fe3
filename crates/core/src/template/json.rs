//! Reads a template written in JSON into a tree that knows its places.
//!
//! serde_json checks numbers and strings; the walk is ours because serde_json forgets where things stood.

use std::collections::HashSet;

use super::error::TemplateError;
use super::node::{Entry, Node, Position, Span, Value};
use crate::limits::DOCUMENT_DEPTH_MAX;

/// Parses one JSON document.
pub(super) fn parse(text: &str) -> Result<Node, TemplateError> {
    let mut reader = Reader {
        rest: text,
        at: Position {
            line: 1,
            column: 1,
            byte: 0,
        },
    };
    reader.skip_space();
    let node = reader.value(0)?;
    reader.skip_space();
    if reader.rest.is_empty() {
        Ok(node)
    } else {
        Err(reader.error("text after the document"))
    }
}

struct Reader<'a> {
    rest: &'a str,
    at: Position,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Node, TemplateError> {
        if depth > DOCUMENT_DEPTH_MAX {
            return Err(self.error("nested too deeply"));
        }
        let start = self.at;
        let mut plain = None;
        let value = match self.rest.chars().next() {
            Some('{') => self.map(depth)?,
            Some('[') => self.list(depth)?,
            Some('"') => Value::String(self.string()?),
            Some(_) => {
                let word = self.word();
                let value = scalar(word).ok_or_else(|| self.error_from(start, "invalid value"))?;
                plain = matches!(value, Value::Number(_)).then(|| word.to_owned());
                value
            }
            None => return Err(self.error("the text ends early")),
        };
        let span = Span {
            start,
            end: self.at,
        };
        Ok(Node {
            plain,
            ..Node::new(value, span)
        })
    }

    fn map(&mut self, depth: usize) -> Result<Value, TemplateError> {
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        self.advance(1);
        self.skip_space();
        while !self.take('}') {
            self.separator(entries.is_empty())?;
            let start = self.at;
            if !self.rest.starts_with('"') {
                return Err(self.error("a key must be a string"));
            }
            let key = self.string()?;
            let key_span = Span {
                start,
                end: self.at,
            };
            if !seen.insert(key.clone()) {
                return Err(TemplateError::malformed(
                    key_span,
                    "JSON",
                    &format!("duplicate key '{key}'"),
                ));
            }
            self.skip_space();
            if !self.take(':') {
                return Err(self.error("expected ':'"));
            }
            self.skip_space();
            let value = self.value(depth + 1)?;
            entries.push(Entry {
                key,
                key_span,
                value,
            });
            self.skip_space();
        }
        Ok(Value::Map(entries))
    }

    fn list(&mut self, depth: usize) -> Result<Value, TemplateError> {
        let mut items = Vec::new();
        self.advance(1);
        self.skip_space();
        while !self.take(']') {
            self.separator(items.is_empty())?;
            items.push(self.value(depth + 1)?);
            self.skip_space();
        }
        Ok(Value::List(items))
    }

    fn separator(&mut self, first: bool) -> Result<(), TemplateError> {
        if !first && !self.take(',') {
            return Err(self.error("expected ','"));
        }
        self.skip_space();
        Ok(())
    }

    fn string(&mut self) -> Result<String, TemplateError> {
        let start = self.at;
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find_map(|(index, c)| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes.then_some(index + 1)
        });
        let literal = end
            .and_then(|end| self.rest.get(..end))
            .ok_or_else(|| self.error("a string is not closed"))?;
        self.advance(literal.len());
        serde_json::from_str(literal).map_err(|_| self.error_from(start, "invalid string"))
    }

    fn word(&mut self) -> &'a str {
        let length = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || "+-.".contains(c)))
            .unwrap_or(self.rest.len());
        let word = self.rest.get(..length).unwrap_or_default();
        self.advance(length);
        word
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.rest.starts_with(wanted);
        if found {
            self.advance(wanted.len_utf8());
        }
        found
    }

    fn skip_space(&mut self) {
        let rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.advance(self.rest.len() - rest.len());
    }

    fn advance(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        for c in passed.chars() {
            self.at.column += 1;
            if c == '\n' {
                self.at.line += 1;
                self.at.column = 1;
            }
        }
        self.at.byte += passed.len();
        self.rest = rest;
    }

    fn error(&self, why: &str) -> TemplateError {
        self.error_from(self.at, why)
    }

    fn error_from(&self, start: Position, why: &str) -> TemplateError {
        TemplateError::malformed(
            Span {
                start,
                end: self.at,
            },
            "JSON",
            why,
        )
    }
}

fn scalar(word: &str) -> Option<Value> {
    match serde_json::from_str(word).ok()? {
        serde_json::Value::Null => Some(Value::Null),
        serde_json::Value::Bool(flag) => Some(Value::Bool(flag)),
        serde_json::Value::Number(number) => Some(Value::Number(number)),
        _ => None,
    }
}
