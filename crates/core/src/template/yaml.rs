//! Reads a template written in YAML into a tree that knows its places, by CloudFormation's scalar rules (YAML 1.1).
//!
//! Short forms become long forms. Aliases and merges are refused, as CloudFormation refuses them. Never resolves
//! a function.

use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use super::error::TemplateError;
use super::node::{Entry, Node, Position, Span, Value};
use crate::limits::DOCUMENT_DEPTH_MAX;

/// Parses one YAML document.
pub(super) fn parse(text: &str) -> Result<Node, TemplateError> {
    let mut builder = Builder {
        places: Places::new(text),
        open: Vec::new(),
        root: None,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| builder.scan_error(&error))?;
        let span = builder.places.span(span);
        builder.event(event, span)?;
    }
    builder
        .root
        .ok_or_else(|| TemplateError::new("Template format error: unsupported structure."))
}

/// A collection whose end has not come yet.
struct Open {
    start: Position,
    short_form: Option<&'static str>,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        seen: HashSet<String>,
        key: Option<(String, Span)>,
    },
}

struct Builder<'a> {
    places: Places<'a>,
    open: Vec<Open>,
    root: Option<Node>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), TemplateError> {
        match event {
            Event::Scalar(text, style, _, tag) => {
                let node = scalar_node(&text, style, tag.as_deref(), span, self.places.text)?;
                self.place(node)
            }
            Event::SequenceStart(_, tag) => {
                self.start(Content::List(Vec::new()), tag.as_deref(), span)
            }
            Event::MappingStart(_, tag) => {
                let content = Content::Map {
                    entries: Vec::new(),
                    seen: HashSet::new(),
                    key: None,
                };
                self.start(content, tag.as_deref(), span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(_) => Err(alias(span)),
            Event::DocumentStart(_) if self.root.is_some() => Err(TemplateError::malformed(
                span,
                "YAML",
                "more than one document",
            )),
            _ => Ok(()),
        }
    }

    fn start(
        &mut self,
        content: Content,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), TemplateError> {
        if self.open.len() >= DOCUMENT_DEPTH_MAX {
            return Err(TemplateError::malformed(span, "YAML", "nested too deeply"));
        }
        let short_form = match tag {
            Some(tag) if !is_core(tag, &["seq", "map"]) => Some(long_name(tag, span)?),
            _ => None,
        };
        self.open.push(Open {
            start: span.start,
            short_form,
            content,
        });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), TemplateError> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let value = match open.content {
            Content::List(items) => Value::List(items),
            Content::Map { entries, .. } => Value::Map(entries),
        };
        let node = Node::new(
            value,
            Span {
                start: open.start,
                end: span.end,
            },
        );
        self.place(match open.short_form {
            Some(name) => long_form(name, node, self.places.text),
            None => node,
        })
    }

    fn place(&mut self, node: Node) -> Result<(), TemplateError> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, seen, key } => match key.take() {
                Some((key, key_span)) => entries.push(Entry {
                    key,
                    key_span,
                    value: node,
                }),
                None => {
                    let span = node.span;
                    *key = Some((new_key(node, seen)?, span));
                }
            },
        }
        Ok(())
    }

    fn scan_error(&mut self, error: &ScanError) -> TemplateError {
        let at = self.places.position(error.marker());
        let span = Span { start: at, end: at };
        match error.info() {
            unknown if unknown.contains("unknown anchor") => alias(span),
            why => TemplateError::malformed(span, "YAML", why),
        }
    }
}

fn alias(span: Span) -> TemplateError {
    TemplateError::template(
        span,
        "YAML aliases are not allowed in CloudFormation templates",
    )
}

fn new_key(node: Node, seen: &mut HashSet<String>) -> Result<String, TemplateError> {
    let span = node.span;
    let key = match (node.plain, node.value) {
        (Some(merge), _) if merge == "<<" => {
            return Err(TemplateError::template(
                span,
                "YAML hash merges are not allowed in CloudFormation templates",
            ));
        }
        (Some(source), _) => source,
        (None, Value::String(text)) => text,
        _ => {
            return Err(TemplateError::malformed(
                span,
                "YAML",
                "map keys must be strings",
            ));
        }
    };
    if !seen.insert(key.clone()) {
        return Err(TemplateError::malformed(
            span,
            "YAML",
            &format!("duplicate key '{key}'"),
        ));
    }
    Ok(key)
}

fn scalar_node(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    span: Span,
    source: &str,
) -> Result<Node, TemplateError> {
    let string = || Node::new(Value::String(text.to_owned()), span);
    match tag {
        Some(tag) if is_core(tag, &["str"]) => Ok(string()),
        Some(tag) if !is_core(tag, &["int", "float", "bool", "null"]) => {
            Ok(long_form(long_name(tag, span)?, string(), source))
        }
        _ if style == ScalarStyle::Plain => Ok(Node {
            plain: Some(text.to_owned()),
            ..Node::new(plain_value(text), span)
        }),
        _ => Ok(string()),
    }
}

/// What YAML 1.1 makes of an unquoted scalar: `yes` is true, `0777` is 511, `012345678901` stays text.
fn plain_value(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            Value::Bool(false)
        }
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

fn number(text: &str) -> Option<serde_json::Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let all = |allowed: &str| digits.chars().all(|c| allowed.contains(c));
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if all("0123456789") {
        let magnitude = match digits.strip_prefix('0') {
            None | Some("") => digits.parse::<i64>().ok()?,
            Some(octal) => i64::from_str_radix(octal, 8).ok()?,
        };
        return Some(if negative { -magnitude } else { magnitude }.into());
    }
    let float = digits.contains('.') && all("0123456789.eE+-");
    float
        .then(|| text.parse().ok())
        .flatten()
        .and_then(serde_json::Number::from_f64)
}

fn is_core(tag: &Tag, suffixes: &[&str]) -> bool {
    tag.is_yaml_core_schema() && suffixes.contains(&tag.suffix.as_str())
}

/// The short forms of CloudFormation and what they are short for.
const SHORT_FORMS: &[(&str, &str)] = &[
    ("And", "Fn::And"),
    ("Base64", "Fn::Base64"),
    ("Cidr", "Fn::Cidr"),
    ("Condition", "Condition"),
    ("Contains", "Fn::Contains"),
    ("EachMemberEquals", "Fn::EachMemberEquals"),
    ("EachMemberIn", "Fn::EachMemberIn"),
    ("Equals", "Fn::Equals"),
    ("FindInMap", "Fn::FindInMap"),
    ("GetAZs", "Fn::GetAZs"),
    ("GetAtt", "Fn::GetAtt"),
    ("If", "Fn::If"),
    ("ImportValue", "Fn::ImportValue"),
    ("Join", "Fn::Join"),
    ("Length", "Fn::Length"),
    ("Not", "Fn::Not"),
    ("Or", "Fn::Or"),
    ("Ref", "Ref"),
    ("RefAll", "Fn::RefAll"),
    ("Select", "Fn::Select"),
    ("Split", "Fn::Split"),
    ("Sub", "Fn::Sub"),
    ("ToJsonString", "Fn::ToJsonString"),
    ("Transform", "Fn::Transform"),
    ("ValueOf", "Fn::ValueOf"),
    ("ValueOfAll", "Fn::ValueOfAll"),
];

fn long_name(tag: &Tag, span: Span) -> Result<&'static str, TemplateError> {
    SHORT_FORMS
        .iter()
        .find(|(short, _)| tag.handle == "!" && tag.suffix == *short)
        .map(|(_, long)| *long)
        .ok_or_else(|| {
            TemplateError::malformed(span, "YAML", &format!("the tag {tag} is not supported"))
        })
}

/// The function call that a tagged node is short for. The call's span includes the tag, the argument's does not.
fn long_form(name: &'static str, mut argument: Node, source: &str) -> Node {
    let span = argument.span;
    argument.span = behind_tag(span, source);
    let value = if name == "Fn::GetAtt" {
        split_attribute(argument)
    } else {
        argument
    };
    let entry = Entry {
        key: name.to_owned(),
        key_span: span,
        value,
    };
    Node {
        short_form: true,
        ..Node::new(Value::Map(vec![entry]), span)
    }
}

fn behind_tag(span: Span, source: &str) -> Span {
    let text = source
        .get(span.start.byte..span.end.byte)
        .unwrap_or_default();
    let tag = text
        .find(char::is_whitespace)
        .filter(|_| text.starts_with('!'));
    let Some(mut passed) = tag else { return span };
    loop {
        let rest = text.get(passed..).unwrap_or_default();
        passed += rest.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        if !rest.starts_with('#') {
            break;
        }
        passed += rest.find('\n').unwrap_or(rest.len());
    }
    let mut start = span.start;
    for c in text.get(..passed).unwrap_or_default().chars() {
        start.column += 1;
        if c == '\n' {
            start.line += 1;
            start.column = 1;
        }
    }
    start.byte += passed;
    Span {
        start,
        end: span.end,
    }
}

// `!GetAtt A.B` is `Fn::GetAtt: [A, B]`; without a dot it stays as it is and is refused by the check.
fn split_attribute(argument: Node) -> Node {
    let Some((id, attribute)) = argument.as_str().and_then(|text| text.split_once('.')) else {
        return argument;
    };
    let part = |text: &str| Node::new(Value::String(text.to_owned()), argument.span);
    Node::new(Value::List(vec![part(id), part(attribute)]), argument.span)
}

/// Turns the parser's lines and columns into byte offsets. (Its own offsets mix characters and bytes.)
struct Places<'a> {
    text: &'a str,
    lines: Vec<(usize, &'a str)>,
    last: Position,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Self {
        let mut start = 0;
        let lines = text
            .split_inclusive('\n')
            .map(|line| {
                let from = start;
                start += line.len();
                (from, line)
            })
            .collect();
        Self {
            text,
            lines,
            last: Position::default(),
        }
    }

    fn span(&mut self, span: saphyr_parser::Span) -> Span {
        Span {
            start: self.position(&span.start),
            end: self.position(&span.end),
        }
    }

    fn position(&mut self, marker: &saphyr_parser::Marker) -> Position {
        let (line, column) = (marker.line().max(1), marker.col() + 1);
        let (start, text) = self
            .lines
            .get(line - 1)
            .copied()
            .unwrap_or_else(|| self.end());
        // Going on from the last place keeps a document of one long line linear.
        let from = match self.last {
            last if last.line == line && last.column <= column => last,
            _ => Position {
                line,
                column: 1,
                byte: start,
            },
        };
        let rest = text
            .get(from.byte.saturating_sub(start)..)
            .unwrap_or_default();
        let passed: usize = rest
            .chars()
            .take(column - from.column)
            .map(char::len_utf8)
            .sum();
        self.last = Position {
            line,
            column,
            byte: from.byte + passed,
        };
        self.last
    }

    fn end(&self) -> (usize, &'a str) {
        self.lines
            .last()
            .map_or((0, ""), |(start, line)| (start + line.len(), ""))
    }
}
