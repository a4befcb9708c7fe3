//! Where the leaves of an event lie: which elements of which arrays are around each of them.
//! Never knows a leaf's path or value.
//!
//! Leaves are numbered so that the leaves that lie in one element of an array (and those in the whole array) have
//! adjacent numbers. Scalars that stand directly in an array belong to none of its elements, so they wait and are
//! numbered behind it.

use foldhash::fast::FixedState;
use hashbrown::HashSet;

/// No element, no array, no leaf.
pub(crate) const NONE: u32 = u32::MAX;

/// An object or array that stands in an array.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element {
    pub(crate) array: u32,
    parent: u32,
    pub(crate) span: Span,
}

/// Numbers of adjacent leaves, the end excluded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// A container that is open while an event is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    /// The path of the container.
    pub(crate) node: u32,
    /// The innermost element around what stands in it, were it an object.
    pub(crate) element: u32,
    /// The element that this container itself is.
    own_element: u32,
    array: u32,
    /// How many scalars waited when it began.
    pub(crate) waiting: usize,
}

impl Scope {
    /// The event itself.
    pub(crate) const EVENT: Self = Self {
        node: 0,
        element: NONE,
        own_element: NONE,
        array: NONE,
        waiting: 0,
    };

    pub(crate) fn is_array(&self) -> bool {
        self.array != NONE
    }
}

/// The arrays of one event and the place of its leaves in them.
#[derive(Debug, Default)]
pub(crate) struct Arrays {
    elements: Vec<Element>,
    spans: Vec<Span>,
    /// The innermost element around each leaf.
    innermost: Vec<u32>,
}

impl Arrays {
    pub(crate) fn clear(&mut self) {
        self.elements.clear();
        self.spans.clear();
        self.innermost.clear();
    }

    /// Counts a leaf and gives it its number.
    pub(crate) fn add_leaf(&mut self, element: u32) -> u32 {
        self.innermost.push(element);
        number(self.innermost.len() - 1)
    }

    pub(crate) fn open(
        &mut self,
        outer: &Scope,
        node: u32,
        is_array: bool,
        waiting: usize,
    ) -> Scope {
        let start = number(self.innermost.len());
        let span = Span { start, end: start };
        let own_element = if outer.is_array() {
            self.elements.push(Element {
                array: outer.array,
                parent: outer.element,
                span,
            });
            number(self.elements.len() - 1)
        } else {
            NONE
        };
        let array = if is_array {
            self.spans.push(span);
            number(self.spans.len() - 1)
        } else {
            NONE
        };
        let element = if own_element == NONE {
            outer.element
        } else {
            own_element
        };
        Scope {
            node,
            element,
            own_element,
            array,
            waiting,
        }
    }

    /// The array has been read; what waited in it comes next.
    pub(crate) fn end_array(&mut self, scope: &Scope) {
        let end = number(self.innermost.len());
        if let Some(span) = self.spans.get_mut(scope.array as usize) {
            span.end = end;
        }
    }

    /// The container has been read, and all its leaves are counted.
    pub(crate) fn end(&mut self, scope: &Scope) {
        let end = number(self.innermost.len());
        if let Some(element) = self.elements.get_mut(scope.own_element as usize) {
            element.span.end = end;
        }
    }

    /// Whether no leaf can lie in an element.
    pub(crate) fn have_no_elements(&self) -> bool {
        self.elements.is_empty()
    }

    pub(crate) fn element(&self, id: u32) -> Option<&Element> {
        self.elements.get(id as usize)
    }

    pub(crate) fn span(&self, array: u32) -> Span {
        self.spans.get(array as usize).copied().unwrap_or_default()
    }

    pub(crate) fn is_in_element(&self, leaf: u32) -> bool {
        self.innermost
            .get(leaf as usize)
            .is_some_and(|&element| element != NONE)
    }

    /// The arrays that some leaves lie in, each once.
    pub(crate) fn around(&self, leaves: &[u32]) -> Vec<u32> {
        let mut seen = HashSet::<u32, FixedState>::default();
        for &leaf in leaves {
            for element in self.trail(leaf).filter_map(|id| self.element(id)) {
                // An array lies in the same elements whichever leaf leads to it: the rest is noted already.
                if !seen.insert(element.array) {
                    break;
                }
            }
        }
        seen.into_iter().collect()
    }

    /// The elements that a leaf lies in, from the inside out.
    pub(crate) fn trail(&self, leaf: u32) -> impl Iterator<Item = u32> {
        let innermost = self.innermost.get(leaf as usize).copied();
        std::iter::successors(innermost.filter(|&id| id != NONE), |&id| {
            self.element(id)
                .map(|element| element.parent)
                .filter(|&id| id != NONE)
        })
    }
}

/// Numbers count things of one text, each of which takes at least a byte of it, and texts are below 4 GiB.
pub(crate) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(NONE)
}
