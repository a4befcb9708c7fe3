//! An immutable set of combinations, each filed under the values of its most selective field, so that an event meets
//! only the combinations that can match it.
//!
//! `draft` collects combinations and shares what they have in common, `build` files them, `query` asks. A combination
//! found under one of its values has its other fields checked before it counts: filing is never the verdict.

mod build;
mod crowd;
mod draft;
mod file;
mod grams;
mod query;
mod ranges;
mod table;

use std::sync::Arc;

pub(crate) use draft::Draft;
pub(crate) use query::Work;

use crate::condition::Condition;
use grams::Grams;
use ranges::Ranges;
use table::Table;

/// The values one path may have: what a combination asks of one field. Shared by all that ask the same.
#[derive(Debug)]
struct Predicate {
    node: u32,
    /// Where its answer for the present event is kept; `NONE` if only one combination asks.
    memo: u32,
    accepts_absence: bool,
    conditions: Arc<[Condition]>,
}

/// One condition on one path under which combinations are filed.
#[derive(Clone, Copy, Debug)]
struct Atom {
    predicate: u32,
    /// Which of the predicate's conditions it is.
    condition: u32,
    /// Whether the next atom has another key.
    is_last_of_key: bool,
}

/// A combination as it is filed in one place.
#[derive(Clone, Copy, Debug)]
struct Entry {
    combination: u32,
    rule: u32,
    /// The predicates left to check, cheapest first.
    checks: (u32, u32),
}

/// What is filed under the values of one path, and how to look there.
#[derive(Debug, Default)]
struct PathIndex {
    has_texts: bool,
    has_numbers: bool,
    has_number_texts: bool,
    has_literals: bool,
    has_addresses: bool,
    has_folds: bool,
    prefixes: Box<[u32]>,
    suffixes: Box<[u32]>,
    fold_prefixes: Box<[u32]>,
    fold_suffixes: Box<[u32]>,
    v4_bits: Box<[u8]>,
    v6_bits: Box<[u8]>,
    ranges: Option<Box<Ranges>>,
    grams: Option<Box<Grams>>,
    /// Predicates with entries to which no value leads.
    groups: Box<[u32]>,
}

/// See the head of this module.
#[derive(Debug, Default)]
pub(crate) struct Index {
    predicates: Vec<Predicate>,
    /// Predicates of each combination in the order of their paths.
    combinations: Lists,
    /// The rule of each combination; ascending.
    rules: Vec<u32>,
    rule_count: u32,
    /// Whether a rule may be found more than once.
    has_alternatives: bool,
    /// How many predicates keep their answers.
    memos: u32,
    table: Table,
    atoms: Vec<Atom>,
    entries: Vec<Entry>,
    /// The entries of each predicate.
    filed: Vec<(u32, u32)>,
    checks: Vec<u32>,
    /// The place in `paths` for each node that has one, else `NONE`.
    path_of_node: Vec<u32>,
    paths: Vec<PathIndex>,
    /// Predicates with entries that may hold without a leaf.
    loose: Vec<u32>,
}

impl Index {
    /// The nodes at which the rules that `is_kept` wants ask for something, some of them repeatedly.
    pub(crate) fn nodes(&self, is_kept: impl Fn(u32) -> bool) -> impl Iterator<Item = u32> {
        let combinations = self.combinations.iter().zip(&self.rules);
        let kept = combinations.filter(move |(_, rule)| is_kept(**rule));
        kept.flat_map(|(predicates, _)| predicates)
            .filter_map(|id| self.predicate(*id))
            .map(|predicate| predicate.node)
    }

    /// Whether a rule may be found more than once.
    pub(crate) fn has_alternatives(&self) -> bool {
        self.has_alternatives
    }

    fn path(&self, node: u32) -> Option<&PathIndex> {
        let place = *self.path_of_node.get(node as usize)?;
        self.paths.get(place as usize)
    }

    fn predicate(&self, id: u32) -> Option<&Predicate> {
        self.predicates.get(id as usize)
    }

    fn condition(&self, atom: &Atom) -> Option<&Condition> {
        self.predicate(atom.predicate)?
            .conditions
            .get(atom.condition as usize)
    }

    /// The combinations filed under a predicate.
    fn entries(&self, predicate: u32) -> &[Entry] {
        let (start, end) = self
            .filed
            .get(predicate as usize)
            .copied()
            .unwrap_or_default();
        self.entries
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    fn checks(&self, entry: &Entry) -> &[u32] {
        let (start, end) = entry.checks;
        self.checks
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }
}

/// Many short lists behind one another.
#[derive(Debug, Default)]
struct Lists {
    ends: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    fn push(&mut self, items: impl Iterator<Item = u32>) {
        self.items.extend(items);
        self.ends.push(crate::arrays::number(self.items.len()));
    }

    fn get(&self, place: u32) -> &[u32] {
        let place = place as usize;
        let before = place
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        let start = before.copied().unwrap_or_default();
        let end = self.ends.get(place).copied().unwrap_or(start);
        self.items
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn iter(&self) -> impl Iterator<Item = &[u32]> {
        (0..crate::arrays::number(self.len())).map(|place| self.get(place))
    }
}
