//! The tree of a template's text: values, each with its place.
//!
//! Never interprets what it holds: an intrinsic function is a map of one entry here.

use serde_json::Value as Json;

/// A place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Offset in bytes, from 0.
    pub byte: usize,
}

/// A stretch of the text; `end` is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// First character.
    pub start: Position,
    /// Behind the last character.
    pub end: Position,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands. A short form's span includes its tag, the span of its argument does not.
    pub span: Span,
    /// The source text of a plain YAML scalar or a JSON number, kept because `1.10` is not `1.1`.
    pub plain: Option<String>,
    /// Whether it was written as a YAML short form (`!Ref A` rather than `Ref: A`).
    pub short_form: bool,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// A string.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// A map in the order of the text, without duplicate keys.
    Map(Vec<Entry>),
}

/// One entry of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

impl Node {
    /// A node of a value at a place.
    pub(super) fn new(value: Value, span: Span) -> Self {
        Self {
            value,
            span,
            plain: None,
            short_form: false,
        }
    }

    /// The entries of a map.
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn items(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// A string's text; `None` for anything else.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value under a key of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
    }

    /// A scalar as the text CloudFormation takes it for: `true`/`false` for booleans, the source for numbers.
    pub fn scalar_text(&self) -> Option<String> {
        match &self.value {
            Value::String(text) => Some(text.clone()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Number(number) => Some(self.number_text(number)),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The function this node calls: the name and argument of a map whose one key is `Ref`, `Condition` or `Fn::…`.
    pub fn function(&self) -> Option<(&str, &Node)> {
        let [entry] = self.entries()? else {
            return None;
        };
        let name = entry.key.as_str();
        let called = name == "Ref" || name.starts_with("Fn::");
        (called || (name == "Condition" && entry.value.as_str().is_some()))
            .then_some((name, &entry.value))
    }

    /// The node as JSON, functions left as they are.
    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Number(number) => Json::Number(number.clone()),
            Value::String(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Map(entries) => Json::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.value.to_json()))
                    .collect(),
            ),
        }
    }

    // Octal integers are the one plain scalar whose text is not what CloudFormation sees.
    fn number_text(&self, number: &serde_json::Number) -> String {
        match &self.plain {
            Some(text) if number.is_f64() => text.clone(),
            _ => number.to_string(),
        }
    }
}
