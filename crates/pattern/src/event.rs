//! An event taken apart into leaves: a path, a value, and the array elements it lies in.
//! Never keeps objects or arrays themselves, and never looks at what a pattern wants.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::arrays::{Arrays, Scope, number};
use crate::error::{EventError, Fault};
use crate::number::{Ordinal, comparable};
use crate::reader::{Reader, Token};

/// An event, flattened once and then held against any number of patterns. Borrows from the JSON text.
#[derive(Debug)]
pub struct Event<'a> {
    /// The tree of path steps; node 0 is the empty path.
    steps: HashMap<(u32, Cow<'a, str>), u32>,
    /// The leaves at each node of the tree, ascending.
    at_node: Vec<Vec<u32>>,
    values: Vec<Value<'a>>,
    arrays: Arrays,
}

/// A scalar value. A number keeps its source text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar<'a> {
    Text(&'a str),
    Number {
        text: &'a str,
        value: Option<Ordinal>,
    },
    True,
    False,
    Null,
}

/// A scalar as the event holds it.
#[derive(Clone, Debug)]
enum Value<'a> {
    Text(Cow<'a, str>),
    Number {
        text: Cow<'a, str>,
        value: Option<Ordinal>,
    },
    True,
    False,
    Null,
}

impl<'a> Event<'a> {
    /// Reads and flattens an event.
    ///
    /// # Errors
    /// [`EventError`] if the text is not one JSON object, or nested deeper than
    /// [`DOCUMENT_DEPTH_MAX`](crate::limits::DOCUMENT_DEPTH_MAX).
    pub fn parse(json: &'a str) -> Result<Self, EventError> {
        let syntax = |fault| EventError::new(fault, json);
        let mut reader = Reader::new(json);
        if reader.next().map_err(syntax)? != Token::StartObject {
            return Err(EventError::NotAnObject);
        }
        let mut flattener = Flattener::new();
        flattener.run(&mut reader).map_err(syntax)?;
        if !reader.is_spent() {
            return Err(syntax(reader.fault("Unexpected text after the event")));
        }
        Ok(flattener.event)
    }

    /// The numbers of the leaves at a path, ascending.
    pub(crate) fn at<'p>(&self, mut path: impl Iterator<Item = &'p str>) -> &[u32] {
        let node = path.try_fold(0, |node, step| {
            let steps: &HashMap<(u32, Cow<'_, str>), u32> = &self.steps;
            steps.get(&(node, Cow::Borrowed(step))).copied()
        });
        node.and_then(|node| self.at_node.get(node as usize))
            .map_or(&[], Vec::as_slice)
    }

    /// As much of a path as the event has.
    pub(crate) fn head_of<'p>(&self, path: &'p str) -> &'p str {
        let steps: &HashMap<(u32, Cow<'_, str>), u32> = &self.steps;
        let (mut node, mut length) = (0, 0);
        for step in path.split('.') {
            let Some(&next) = steps.get(&(node, Cow::Borrowed(step))) else {
                break;
            };
            length += step.len() + usize::from(node != 0);
            node = next;
        }
        path.get(..length).unwrap_or_default()
    }

    pub(crate) fn value(&self, leaf: u32) -> Option<Scalar<'_>> {
        Some(match self.values.get(leaf as usize)? {
            Value::Text(text) => Scalar::Text(text),
            Value::Number { text, value } => Scalar::Number {
                text,
                value: *value,
            },
            Value::True => Scalar::True,
            Value::False => Scalar::False,
            Value::Null => Scalar::Null,
        })
    }

    pub(crate) fn arrays(&self) -> &Arrays {
        &self.arrays
    }
}

struct Flattener<'a> {
    event: Event<'a>,
    scopes: Vec<Scope>,
    /// Scalars directly in arrays that are still open, with their scope's node and element.
    waiting: Vec<(u32, u32, Value<'a>)>,
}

impl<'a> Flattener<'a> {
    fn new() -> Self {
        let event = Event {
            steps: HashMap::new(),
            at_node: vec![Vec::new()],
            values: Vec::new(),
            arrays: Arrays::default(),
        };
        Self {
            event,
            scopes: vec![Scope::EVENT],
            waiting: Vec::new(),
        }
    }

    fn run(&mut self, reader: &mut Reader<'a>) -> Result<(), Fault> {
        while let Some(&scope) = self.scopes.last() {
            let mut token = reader.next()?;
            let mut node = scope.node;
            if token == Token::Name {
                node = self.descend(node, reader.name().clone());
                token = reader.next()?;
            }
            let value = match token {
                Token::StartObject | Token::StartArray => {
                    let is_array = token == Token::StartArray;
                    let waiting = self.waiting.len();
                    let inner = self.event.arrays.open(&scope, node, is_array, waiting);
                    self.scopes.push(inner);
                    continue;
                }
                Token::EndObject | Token::EndArray | Token::Name | Token::End => {
                    self.close(&scope);
                    continue;
                }
                Token::Text => Value::Text(reader.text()?),
                Token::Number => {
                    let text = reader.text()?;
                    Value::Number {
                        value: comparable(&text),
                        text,
                    }
                }
                Token::True => Value::True,
                Token::False => Value::False,
                Token::Null => Value::Null,
            };
            if scope.is_array() {
                self.waiting.push((node, scope.element, value));
            } else {
                self.record(node, scope.element, value);
            }
        }
        Ok(())
    }

    fn close(&mut self, scope: &Scope) {
        self.scopes.pop();
        if scope.is_array() {
            self.event.arrays.end_array(scope);
            for (node, element, value) in self.waiting.split_off(scope.waiting) {
                self.record(node, element, value);
            }
        }
        self.event.arrays.end(scope);
    }

    fn record(&mut self, node: u32, element: u32, value: Value<'a>) {
        let leaf = self.event.arrays.add_leaf(element);
        self.event.values.push(value);
        if let Some(leaves) = self.event.at_node.get_mut(node as usize) {
            leaves.push(leaf);
        }
    }

    /// A dot in a name is as good as a step, so names are split at their dots.
    fn descend(&mut self, mut node: u32, name: Cow<'a, str>) -> u32 {
        match name {
            Cow::Borrowed(name) => {
                for step in name.split('.') {
                    node = self.step(node, Cow::Borrowed(step));
                }
            }
            Cow::Owned(name) => {
                for step in name.split('.') {
                    node = self.step(node, Cow::Owned(step.to_owned()));
                }
            }
        }
        node
    }

    fn step(&mut self, node: u32, step: Cow<'a, str>) -> u32 {
        let fresh = number(self.event.at_node.len());
        let node = *self.event.steps.entry((node, step)).or_insert(fresh);
        if node == fresh {
            self.event.at_node.push(Vec::new());
        }
        node
    }
}
