//! An event taken apart into leaves: a path, a value, and the array elements it lies in.
//! Never keeps objects or arrays themselves, and never looks at what a pattern wants.
//!
//! Leaves are numbered so that the leaves that lie in one element of an array (and those in the whole array) have
//! adjacent numbers. Scalars that stand directly in an array belong to none of its elements, so they are numbered
//! behind it.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::error::{EventError, Fault};
use crate::number::comparable;
use crate::reader::{Reader, Token};

/// An event, flattened once and then held against any number of patterns. Borrows from the JSON text.
#[derive(Debug)]
pub struct Event<'a> {
    /// The tree of path steps; node 0 is the empty path.
    steps: HashMap<(u32, Cow<'a, str>), u32>,
    /// The leaves at each node of the tree, ascending.
    at_node: Vec<Vec<u32>>,
    leaves: Vec<Leaf<'a>>,
    elements: Vec<Element>,
    arrays: Vec<Span>,
}

/// A scalar of the event.
#[derive(Debug)]
pub(crate) struct Leaf<'a> {
    pub(crate) value: Scalar<'a>,
    /// The innermost array element around it.
    pub(crate) element: Option<u32>,
}

/// A scalar value. A number keeps its source text.
#[derive(Clone, Debug)]
pub(crate) enum Scalar<'a> {
    Text(Cow<'a, str>),
    Number {
        text: Cow<'a, str>,
        value: Option<f64>,
    },
    True,
    False,
    Null,
}

/// An object or array that stands in an array.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element {
    pub(crate) array: u32,
    pub(crate) parent: Option<u32>,
    pub(crate) span: Span,
}

/// Numbers of adjacent leaves, the end excluded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
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

    pub(crate) fn leaf(&self, number: u32) -> Option<&Leaf<'a>> {
        self.leaves.get(number as usize)
    }

    pub(crate) fn element(&self, id: u32) -> Option<&Element> {
        self.elements.get(id as usize)
    }

    pub(crate) fn array(&self, id: u32) -> Span {
        self.arrays.get(id as usize).copied().unwrap_or_default()
    }

    /// The elements that a leaf lies in, from the inside out.
    pub(crate) fn trail(&self, leaf: u32) -> impl Iterator<Item = u32> {
        let innermost = self.leaf(leaf).and_then(|leaf| leaf.element);
        std::iter::successors(innermost, |&id| {
            self.element(id).and_then(|element| element.parent)
        })
    }
}

/// A container that is open while the event is read.
#[derive(Clone, Copy)]
struct Scope {
    /// The path of the container.
    node: u32,
    /// The innermost element around what stands in it, were it an object.
    element: Option<u32>,
    /// The element that this container itself is.
    own_element: Option<u32>,
    array: Option<OpenArray>,
}

#[derive(Clone, Copy)]
struct OpenArray {
    id: u32,
    /// How many scalars waited when the array began.
    waiting: usize,
}

struct Flattener<'a> {
    event: Event<'a>,
    scopes: Vec<Scope>,
    /// Scalars directly in arrays that are still open, with their node.
    waiting: Vec<(u32, Leaf<'a>)>,
}

impl<'a> Flattener<'a> {
    fn new() -> Self {
        let event = Event {
            steps: HashMap::new(),
            at_node: vec![Vec::new()],
            leaves: Vec::new(),
            elements: Vec::new(),
            arrays: Vec::new(),
        };
        let root = Scope {
            node: 0,
            element: None,
            own_element: None,
            array: None,
        };
        Self {
            event,
            scopes: vec![root],
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
                    self.open(scope, node, token == Token::StartArray);
                    continue;
                }
                Token::EndObject | Token::EndArray | Token::Name | Token::End => {
                    self.close(scope);
                    continue;
                }
                Token::Text => Scalar::Text(reader.text()?),
                Token::Number => {
                    let text = reader.text()?;
                    Scalar::Number {
                        value: comparable(&text),
                        text,
                    }
                }
                Token::True => Scalar::True,
                Token::False => Scalar::False,
                Token::Null => Scalar::Null,
            };
            let leaf = Leaf {
                value,
                element: scope.element,
            };
            if scope.array.is_some() {
                self.waiting.push((node, leaf));
            } else {
                self.record(node, leaf);
            }
        }
        Ok(())
    }

    fn open(&mut self, scope: Scope, node: u32, is_array: bool) {
        let start = id(self.event.leaves.len());
        let own_element = scope.array.map(|array| {
            let span = Span { start, end: start };
            self.event.elements.push(Element {
                array: array.id,
                parent: scope.element,
                span,
            });
            id(self.event.elements.len() - 1)
        });
        let array = is_array.then(|| {
            self.event.arrays.push(Span { start, end: start });
            OpenArray {
                id: id(self.event.arrays.len() - 1),
                waiting: self.waiting.len(),
            }
        });
        let element = own_element.or(scope.element);
        self.scopes.push(Scope {
            node,
            element,
            own_element,
            array,
        });
    }

    fn close(&mut self, scope: Scope) {
        self.scopes.pop();
        if let Some(array) = scope.array {
            let end = id(self.event.leaves.len());
            if let Some(span) = self.event.arrays.get_mut(array.id as usize) {
                span.end = end;
            }
            for (node, leaf) in self.waiting.split_off(array.waiting) {
                self.record(node, leaf);
            }
        }
        let end = id(self.event.leaves.len());
        let own = scope
            .own_element
            .and_then(|own| self.event.elements.get_mut(own as usize));
        if let Some(element) = own {
            element.span.end = end;
        }
    }

    fn record(&mut self, node: u32, leaf: Leaf<'a>) {
        let number = id(self.event.leaves.len());
        self.event.leaves.push(leaf);
        if let Some(leaves) = self.event.at_node.get_mut(node as usize) {
            leaves.push(number);
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
        let fresh = id(self.event.at_node.len());
        let node = *self.event.steps.entry((node, step)).or_insert(fresh);
        if node == fresh {
            self.event.at_node.push(Vec::new());
        }
        node
    }
}

/// Ids count things of one text, each of which takes at least a byte of it, and texts are far below 4 GiB.
fn id(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
