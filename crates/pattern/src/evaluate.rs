//! Whether one combination of a pattern holds for an event: each path needs a leaf that meets it, and no two of the
//! leaves may lie in different elements of one array. Never depends on the order of a document's fields.
//!
//! Paths are taken in their order. After each, every way to have chosen array elements so far is kept, but only as
//! far as a later path can still tell the difference; so the work grows with the event, not with the product of its
//! arrays.

use std::borrow::Borrow;
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::arrays::{Arrays, Span};
use crate::compile::{Combination, Values};
use crate::condition::Condition;
use crate::event::Event;
use crate::limits::CHOICES_MAX;

type HashMap<K, V> = hashbrown::HashMap<K, V, FixedState>;
type HashSet<K> = hashbrown::HashSet<K, FixedState>;

/// One path of a combination and what it asks for.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) path: Arc<str>,
    pub(crate) values: Arc<Values>,
}

impl Field {
    fn accepts_absence(&self) -> bool {
        self.values.conditions.contains(&Condition::Absent)
    }
}

/// The fields of a combination in the order in which they are evaluated.
pub(crate) fn fields(combination: Combination) -> Vec<Field> {
    combination
        .into_iter()
        .map(|(path, values)| Field { path, values })
        .collect()
}

/// What an event has at one field's path.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    /// Every leaf there, ascending; not needed where absence is not accepted.
    pub(crate) all: Vec<u32>,
    /// The leaves that meet one of the values.
    pub(crate) hits: Vec<u32>,
    /// The arrays that any leaf there lies in.
    pub(crate) arrays: Vec<u32>,
    pub(crate) accepts_absence: bool,
}

impl Candidates {
    fn of(field: &Field, event: &Event<'_>) -> Self {
        let all = event.at(field.path.split('.'));
        let conditions = &field.values.conditions;
        let is_hit = |&leaf: &u32| {
            let value = event.value(leaf);
            value.is_some_and(|value| conditions.iter().any(|one| one.is_met_by(value)))
        };
        Self {
            all: all.to_vec(),
            arrays: event.arrays().around(all),
            hits: all.iter().copied().filter(is_hit).collect(),
            accepts_absence: field.accepts_absence(),
        }
    }

    fn is_hopeless(&self) -> bool {
        self.hits.is_empty() && !self.accepts_absence
    }
}

/// The places in `fields` that no leaf can satisfy whatever is chosen for the others.
pub(crate) fn hopeless(fields: &[Field], event: &Event<'_>) -> Vec<usize> {
    let is_hopeless = |field: &Field| {
        let candidates = Candidates::of(field, event);
        // Absence cannot come about by a choice where a leaf lies outside of all arrays.
        let lies_outside = |&leaf: &u32| !event.arrays().is_in_element(leaf);
        candidates.hits.is_empty()
            && (!candidates.accepts_absence || candidates.all.iter().any(lies_outside))
    };
    fields
        .iter()
        .enumerate()
        .filter(|(_, field)| is_hopeless(field))
        .map(|(place, _)| place)
        .collect()
}

/// Holds a combination against an event. The error is the place in `fields` where no choice was left.
pub(crate) fn evaluate(fields: &[Field], event: &Event<'_>) -> Result<(), usize> {
    let mut candidates = Vec::with_capacity(fields.len());
    for (place, field) in fields.iter().enumerate() {
        let found = Candidates::of(field, event);
        if found.is_hopeless() {
            return Err(place);
        }
        candidates.push(found);
    }
    choose(&candidates, event.arrays())
}

/// Chooses a leaf for each field so that all are consistent. The error is the place where no choice was left.
pub(crate) fn choose<C: Borrow<Candidates>>(fields: &[C], arrays: &Arrays) -> Result<(), usize> {
    let last_use = last_use(fields);
    let mut search = Search {
        arrays,
        last_use,
        left: CHOICES_MAX,
    };
    let mut choices = HashSet::from_iter([Choice::default()]);
    for (place, candidates) in fields.iter().enumerate() {
        let next = search.choose(&choices, candidates.borrow(), place);
        choices = next.ok_or(place)?;
        if choices.is_empty() {
            return Err(place);
        }
    }
    Ok(())
}

/// The elements chosen, ascending.
type Choice = Vec<u32>;

/// For each array, the last field that has a leaf in it.
fn last_use<C: Borrow<Candidates>>(fields: &[C]) -> HashMap<u32, usize> {
    let uses = fields.iter().enumerate();
    uses.flat_map(|(place, field)| {
        field
            .borrow()
            .arrays
            .iter()
            .map(move |array| (*array, place))
    })
    .collect()
}

struct Search<'e> {
    arrays: &'e Arrays,
    last_use: HashMap<u32, usize>,
    /// Steps that may still be taken.
    left: usize,
}

impl Search<'_> {
    /// The choices after one more field, or `None` if there are too many to look at.
    fn choose(
        &mut self,
        choices: &HashSet<Choice>,
        candidates: &Candidates,
        place: usize,
    ) -> Option<HashSet<Choice>> {
        let mut next = HashSet::default();
        for choice in choices {
            let excluded = self.excluded(choice);
            self.left = self.left.checked_sub(1)?;
            if candidates.accepts_absence && consistent(&candidates.all, &excluded).next().is_none()
            {
                next.insert(self.still_used(choice.iter().copied(), place));
            }
            for leaf in consistent(&candidates.hits, &excluded) {
                self.left = self.left.checked_sub(1)?;
                let all = choice.iter().copied().chain(self.arrays.trail(leaf));
                next.insert(self.still_used(all, place));
            }
        }
        Some(next)
    }

    fn still_used(&self, elements: impl Iterator<Item = u32>, place: usize) -> Choice {
        let is_used = |&id: &u32| {
            let array = self.arrays.element(id).map(|element| element.array);
            array
                .and_then(|array| self.last_use.get(&array))
                .is_some_and(|&last| last > place)
        };
        let mut choice: Choice = elements.filter(is_used).collect();
        choice.sort_unstable();
        choice.dedup();
        choice
    }

    /// The leaves that lie in other elements of the chosen arrays, as ascending spans that do not overlap.
    fn excluded(&self, choice: &[u32]) -> Vec<Span> {
        let mut spans = Vec::with_capacity(choice.len() * 2);
        for element in choice.iter().filter_map(|&id| self.arrays.element(id)) {
            let array = self.arrays.span(element.array);
            spans.push(Span {
                start: array.start,
                end: element.span.start,
            });
            spans.push(Span {
                start: element.span.end,
                end: array.end,
            });
        }
        spans.retain(|span| span.start < span.end);
        spans.sort_unstable_by_key(|span| span.start);
        spans
    }
}

/// The leaves outside of all excluded spans.
fn consistent<'l>(mut leaves: &'l [u32], excluded: &'l [Span]) -> impl Iterator<Item = u32> + 'l {
    let mut spans = excluded.iter();
    let mut span = spans.next();
    std::iter::from_fn(move || {
        loop {
            let (&first, rest) = leaves.split_first()?;
            match span {
                Some(excluded) if first >= excluded.end => span = spans.next(),
                Some(excluded) if first >= excluded.start => {
                    let behind = leaves.partition_point(|&leaf| leaf < excluded.end);
                    leaves = leaves.get(behind..).unwrap_or_default();
                }
                _ => {
                    leaves = rest;
                    return Some(first);
                }
            }
        }
    })
}
