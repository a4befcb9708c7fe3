//! The leaves of one path when there are many of them, sorted once per event so that a predicate need not look at all
//! of them. Never made for the few leaves that events usually have.

use std::ops::Range;

use crate::condition::Condition;
use crate::event::Scalar;
use crate::leaves::Leaves;
use crate::number::Ordinal;

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    /// All leaves, ascending.
    pub(super) all: Vec<u32>,
    /// Strings, by their text.
    texts: Vec<u32>,
    /// Where in `texts` each different text begins and ends.
    same_texts: Vec<Range<usize>>,
    /// Comparable numbers, by their value.
    numbers: Vec<(Ordinal, u32)>,
    /// Other numbers.
    odd_numbers: Vec<u32>,
    trues: Vec<u32>,
    falses: Vec<u32>,
    nulls: Vec<u32>,
    /// The arrays that leaves lie in, each once.
    pub(super) arrays: Vec<u32>,
}

impl Crowd {
    pub(super) fn new(json: &str, leaves: &Leaves, node: u32) -> Self {
        let mut crowd = Self::default();
        for leaf in leaves.at(node) {
            crowd.all.push(leaf);
            match leaves.value(json, leaf) {
                Some(Scalar::Text(_)) => crowd.texts.push(leaf),
                Some(Scalar::Number {
                    value: Some(value), ..
                }) => crowd.numbers.push((value, leaf)),
                Some(Scalar::Number { value: None, .. }) => crowd.odd_numbers.push(leaf),
                Some(Scalar::True) => crowd.trues.push(leaf),
                Some(Scalar::False) => crowd.falses.push(leaf),
                Some(Scalar::Null) => crowd.nulls.push(leaf),
                None => {}
            }
        }
        crowd.texts.sort_by_key(|leaf| text(json, leaves, *leaf));
        let mut start = 0;
        let runs = crowd
            .texts
            .chunk_by(|one, other| text(json, leaves, *one) == text(json, leaves, *other));
        for run in runs {
            crowd.same_texts.push(start..start + run.len());
            start += run.len();
        }
        crowd.numbers.sort_unstable();
        crowd.arrays = leaves.arrays.around(&crowd.all);
        crowd
    }

    /// Whether some leaf meets one of the conditions.
    pub(super) fn has_hit(&self, json: &str, leaves: &Leaves, conditions: &[Condition]) -> bool {
        conditions.iter().any(|condition| {
            let mut is_hit = false;
            self.each(json, leaves, condition, &mut |_| {
                is_hit = true;
                false
            });
            is_hit
        })
    }

    /// The leaves that meet one of the conditions, ascending.
    pub(super) fn hits(&self, json: &str, leaves: &Leaves, conditions: &[Condition]) -> Vec<u32> {
        let mut hits = Vec::new();
        for condition in conditions {
            self.each(json, leaves, condition, &mut |found| {
                hits.extend_from_slice(found);
                true
            });
        }
        hits.sort_unstable();
        hits.dedup();
        hits
    }

    /// Calls `found` with leaves that meet the condition, as long as it wants more.
    fn each(
        &self,
        json: &str,
        leaves: &Leaves,
        condition: &Condition,
        found: &mut dyn FnMut(&[u32]) -> bool,
    ) {
        let texts = |before: &dyn Fn(&str) -> bool, within: &dyn Fn(&str) -> bool| {
            let start = self
                .texts
                .partition_point(|leaf| before(text(json, leaves, *leaf)));
            let rest = self.texts.get(start..).unwrap_or_default();
            let end = rest.partition_point(|leaf| within(text(json, leaves, *leaf)));
            rest.get(..end).unwrap_or_default()
        };
        let some = match condition {
            Condition::Text(wanted) => texts(&|text| *text < **wanted, &|text| *text == **wanted),
            Condition::Prefix(wanted) => texts(&|text| *text < **wanted, &|text| {
                text.starts_with(&**wanted)
            }),
            Condition::True => &self.trues,
            Condition::False => &self.falses,
            Condition::Null => &self.nulls,
            Condition::Number {
                value: Some(value), ..
            } => {
                return self.numbers_within(*value, *value, found);
            }
            Condition::Range(range) => {
                return self.numbers_within(range.lowest, range.highest, found);
            }
            _ => return self.each_by_value(json, leaves, condition, found),
        };
        if !some.is_empty() {
            found(some);
        }
    }

    fn numbers_within(&self, low: Ordinal, high: Ordinal, found: &mut dyn FnMut(&[u32]) -> bool) {
        let start = self.numbers.partition_point(|(number, _)| *number < low);
        for (number, leaf) in self.numbers.get(start..).unwrap_or_default() {
            if *number > high || !found(&[*leaf]) {
                return;
            }
        }
    }

    /// Asks once for each value, however many leaves have it.
    fn each_by_value(
        &self,
        json: &str,
        leaves: &Leaves,
        condition: &Condition,
        found: &mut dyn FnMut(&[u32]) -> bool,
    ) {
        let meets = |leaf: &u32| {
            let value = leaves.value(json, *leaf);
            value.is_some_and(|value| condition.is_met_by(value))
        };
        let same_texts = self
            .same_texts
            .iter()
            .filter_map(|place| self.texts.get(place.clone()));
        let same_numbers = self.numbers.chunk_by(|one, other| one.0 == other.0);
        let literals = [&self.trues, &self.falses, &self.nulls].map(Vec::as_slice);
        let odd = self.odd_numbers.chunks(1);
        for same in literals.into_iter().chain(odd).chain(same_texts) {
            if same.first().is_some_and(meets) && !found(same) {
                return;
            }
        }
        for same in same_numbers {
            if same.first().is_some_and(|(_, leaf)| meets(leaf)) {
                for (_, leaf) in same {
                    if !found(&[*leaf]) {
                        return;
                    }
                }
            }
        }
    }
}

fn text<'s>(json: &'s str, leaves: &'s Leaves, leaf: u32) -> &'s str {
    match leaves.value(json, leaf) {
        Some(Scalar::Text(text)) => text,
        _ => "",
    }
}
