//! The leaves of one event at the paths that rules ask for. Values are places in the event's text, so that the same
//! memory serves one event after the other. Never holds a leaf that no rule asks for.

use crate::arrays::{Arrays, NONE, Scope, number};
use crate::event::Scalar;
use crate::number::Ordinal;

/// What a leaf is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A string, as it stands in the event's text.
    Text,
    /// A string with escapes, undone in `Leaves::unescaped`.
    Unescaped,
    Number(Option<Ordinal>),
    True,
    False,
    Null,
}

/// A scalar and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf {
    pub(crate) node: u32,
    pub(crate) element: u32,
    start: u32,
    end: u32,
    /// The next leaf of the same path.
    next: u32,
    kind: Kind,
}

impl Leaf {
    pub(crate) fn new(scope: &Scope, node: u32, kind: Kind, (start, end): (usize, usize)) -> Self {
        Self {
            node,
            element: scope.element,
            start: number(start),
            end: number(end),
            next: NONE,
            kind,
        }
    }
}

/// The first and last leaf of one path.
#[derive(Clone, Copy, Debug)]
struct Chain {
    first: u32,
    last: u32,
}

const NO_LEAF: Chain = Chain {
    first: NONE,
    last: NONE,
};

/// All leaves of one event that rules ask for.
#[derive(Debug, Default)]
pub(crate) struct Leaves {
    leaves: Vec<Leaf>,
    chains: Vec<Chain>,
    /// Paths that have a leaf.
    touched: Vec<u32>,
    pub(crate) arrays: Arrays,
    pub(crate) unescaped: String,
}

impl Leaves {
    /// Forgets the former event; the paths are numbered below `nodes`.
    pub(crate) fn clear(&mut self, nodes: usize) {
        for &node in &self.touched {
            if let Some(chain) = self.chains.get_mut(node as usize) {
                *chain = NO_LEAF;
            }
        }
        if self.chains.len() < nodes {
            self.chains.resize(nodes, NO_LEAF);
        }
        self.touched.clear();
        self.leaves.clear();
        self.arrays.clear();
        self.unescaped.clear();
    }

    #[inline]
    pub(crate) fn add(&mut self, leaf: Leaf) {
        let id = self.arrays.add_leaf(leaf.element);
        self.leaves.push(leaf);
        let Some(chain) = self.chains.get_mut(leaf.node as usize) else {
            return;
        };
        if chain.first == NONE {
            chain.first = id;
            self.touched.push(leaf.node);
        } else if let Some(last) = self.leaves.get_mut(chain.last as usize) {
            last.next = id;
        }
        chain.last = id;
    }

    pub(crate) fn touched(&self) -> &[u32] {
        &self.touched
    }

    /// The leaves at a path, ascending.
    #[inline]
    pub(crate) fn at(&self, node: u32) -> impl Iterator<Item = u32> {
        let first = self
            .chains
            .get(node as usize)
            .map_or(NONE, |chain| chain.first);
        std::iter::successors((first != NONE).then_some(first), |&leaf| {
            let next = self
                .leaves
                .get(leaf as usize)
                .map_or(NONE, |leaf| leaf.next);
            (next != NONE).then_some(next)
        })
    }

    /// Whether a path has more than so many leaves.
    #[inline]
    pub(crate) fn are_more_than(&self, count: usize, node: u32) -> bool {
        self.leaves.len() > count && self.at(node).nth(count).is_some()
    }

    #[inline]
    pub(crate) fn value<'s>(&'s self, json: &'s str, leaf: u32) -> Option<Scalar<'s>> {
        let leaf = self.leaves.get(leaf as usize)?;
        let place = leaf.start as usize..leaf.end as usize;
        Some(match leaf.kind {
            Kind::Text => Scalar::Text(json.get(place)?),
            Kind::Unescaped => Scalar::Text(self.unescaped.get(place)?),
            Kind::Number(value) => Scalar::Number {
                text: json.get(place)?,
                value,
            },
            Kind::True => Scalar::True,
            Kind::False => Scalar::False,
            Kind::Null => Scalar::Null,
        })
    }
}
