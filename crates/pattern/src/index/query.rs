//! Asks an index which of its rules match the event at hand. Never keeps anything of one event for the next but memory.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::crowd::Crowd;
use super::file::{self, kind, v4_hash, v6_hash};
use super::grams::Grams;
use super::{Entry, Index, PathIndex, Predicate};
use crate::address::Address;
use crate::arrays::NONE;
use crate::evaluate::{Candidates, choose};
use crate::event::Scalar;
use crate::fold;
use crate::leaves::Leaves;
use crate::number::Ordinal;
use crate::words::{heads, keyed, tails, whole};

/// Answers of predicates for one event and one index: twice the number of the question, plus one for yes.
#[derive(Debug, Default)]
struct Memo {
    answers: Vec<u32>,
    question: u32,
}

impl Memo {
    fn next(&mut self, memos: u32) {
        self.question += 1;
        if self.question > u32::MAX / 2 {
            self.answers.clear();
            self.question = 1;
        }
        if self.answers.len() < memos as usize {
            self.answers.resize(memos as usize, 0);
        }
    }

    fn get(&self, memo: u32) -> Option<bool> {
        let answer = *self.answers.get(memo as usize)?;
        (answer / 2 == self.question).then_some(answer % 2 == 1)
    }

    fn set(&mut self, memo: u32, holds: bool) {
        if let Some(answer) = self.answers.get_mut(memo as usize) {
            *answer = self.question * 2 + u32::from(holds);
        }
    }
}

/// Memory that asking needs.
#[derive(Debug, Default)]
pub(crate) struct Work {
    memo: Memo,
    /// Predicates to which a leaf of the present path led.
    hits: Vec<u32>,
    numbers: Vec<Ordinal>,
    /// What the event has for each predicate, where arrays make it necessary to choose.
    fields: HashMap<u32, Candidates, FixedState>,
    /// Paths with many leaves.
    crowds: HashMap<u32, Crowd, FixedState>,
    /// The text in which each key was last found, where texts are long.
    seen: Vec<u32>,
    text: u32,
}

/// Leaves of one path from which on they are sorted.
const LEAVES_MANY: usize = 64;
/// Bytes of a text from which on it is noted what has been found in it.
const TEXT_BYTES_MANY: usize = 256;

impl Index {
    /// Calls `found` with each rule that matches, as often as it has combinations that do.
    pub(crate) fn matches(
        &self,
        json: &str,
        leaves: &Leaves,
        work: &mut Work,
        found: &mut impl FnMut(u32),
    ) {
        work.memo.next(self.memos);
        work.fields.clear();
        work.crowds.clear();
        let mut query = Query {
            index: self,
            json,
            leaves,
            work,
        };
        for &node in leaves.touched() {
            if let Some(path) = self.path(node) {
                query.path(node, path, found);
            }
        }
        for &predicate in &self.loose {
            query.ask(predicate, found);
        }
    }
}

struct Query<'q> {
    index: &'q Index,
    json: &'q str,
    leaves: &'q Leaves,
    work: &'q mut Work,
}

impl Query<'_> {
    fn path(&mut self, node: u32, path: &PathIndex, found: &mut impl FnMut(u32)) {
        let mut hits = std::mem::take(&mut self.work.hits);
        hits.clear();
        self.work.numbers.clear();
        for leaf in self.leaves.at(node) {
            if let Some(value) = self.leaves.value(self.json, leaf) {
                self.look_up(node, path, value, &mut hits);
            }
        }
        if let Some(ranges) = &path.ranges {
            ranges.containing(&mut self.work.numbers, |atom| {
                hits.extend(
                    self.index
                        .atoms
                        .get(atom as usize)
                        .map(|atom| atom.predicate),
                );
            });
        }
        if hits.len() > 1 {
            hits.sort_unstable();
            hits.dedup();
        }
        for &predicate in &hits {
            self.hit(predicate, found);
        }
        self.work.hits = hits;
        for &predicate in &path.groups {
            self.ask(predicate, found);
        }
    }

    fn hit(&mut self, predicate: u32, found: &mut impl FnMut(u32)) {
        for entry in self.index.entries(predicate) {
            self.entry(entry, found);
        }
    }

    fn ask(&mut self, predicate: u32, found: &mut impl FnMut(u32)) {
        if self.holds(predicate) {
            self.hit(predicate, found);
        }
    }

    #[inline]
    fn entry(&mut self, entry: &Entry, found: &mut impl FnMut(u32)) {
        let index = self.index;
        let is_match = index.checks(entry).iter().all(|&check| self.holds(check))
            && (self.leaves.arrays.have_no_elements() || self.is_consistent(entry.combination));
        if is_match {
            found(entry.rule);
        }
    }

    /// Whether some leaf meets the predicate, or none is there and it may be so.
    #[inline]
    fn holds(&mut self, id: u32) -> bool {
        let Some(predicate) = self.index.predicate(id) else {
            return false;
        };
        if predicate.memo == NONE {
            return self.answer(predicate);
        }
        if let Some(known) = self.work.memo.get(predicate.memo) {
            return known;
        }
        let holds = self.answer(predicate);
        self.work.memo.set(predicate.memo, holds);
        holds
    }

    fn answer(&mut self, predicate: &Predicate) -> bool {
        let (leaves, json, conditions) = (self.leaves, self.json, &predicate.conditions);
        let has_hit = if leaves.are_more_than(LEAVES_MANY, predicate.node) {
            self.crowd(predicate.node).has_hit(json, leaves, conditions)
        } else {
            leaves.at(predicate.node).any(|leaf| {
                let value = leaves.value(json, leaf);
                value.is_some_and(|value| conditions.iter().any(|one| one.is_met_by(value)))
            })
        };
        // In an array, the choice of an element may leave the path without a leaf.
        has_hit
            || predicate.accepts_absence
                && leaves
                    .at(predicate.node)
                    .all(|leaf| leaves.arrays.is_in_element(leaf))
    }

    fn crowd(&mut self, node: u32) -> &Crowd {
        let (leaves, json) = (self.leaves, self.json);
        self.work
            .crowds
            .entry(node)
            .or_insert_with(|| Crowd::new(json, leaves, node))
    }

    /// Whether leaves for all fields can be chosen from the same elements of arrays.
    fn is_consistent(&mut self, combination: u32) -> bool {
        let index = self.index;
        let leaves = self.leaves;
        let predicates = index.combinations.get(combination);
        let known = || predicates.iter().filter_map(|id| index.predicate(*id));
        let lies_in_element = |predicate: &Predicate| {
            leaves
                .at(predicate.node)
                .any(|leaf| leaves.arrays.is_in_element(leaf))
        };
        let is_alone = predicates.len() == 1 && known().all(|one| !one.accepts_absence);
        if is_alone || !known().any(lies_in_element) {
            return true;
        }
        for &id in predicates {
            self.gather(id);
        }
        let fields: Vec<&Candidates> = predicates
            .iter()
            .filter_map(|id| self.work.fields.get(id))
            .collect();
        choose(&fields, &leaves.arrays).is_ok()
    }

    fn gather(&mut self, id: u32) {
        let Some(predicate) = self.index.predicate(id) else {
            return;
        };
        let (leaves, json) = (self.leaves, self.json);
        if self.work.fields.contains_key(&id) {
            return;
        }
        let crowd = self.crowd(predicate.node);
        let field = Candidates {
            all: if predicate.accepts_absence {
                crowd.all.clone()
            } else {
                Vec::new()
            },
            hits: crowd.hits(json, leaves, &predicate.conditions),
            arrays: crowd.arrays.clone(),
            accepts_absence: predicate.accepts_absence,
        };
        self.work.fields.insert(id, field);
    }

    fn look_up(&mut self, node: u32, path: &PathIndex, value: Scalar<'_>, hits: &mut Vec<u32>) {
        let literal = match value {
            Scalar::Text(text) => return self.look_up_text(node, path, text, hits),
            Scalar::Number {
                text,
                value: number,
            } => {
                if let Some(number) = number {
                    self.work.numbers.push(number);
                    if path.has_numbers {
                        self.probe(keyed(number.bits(), node, kind::NUMBER), value, hits);
                    }
                }
                if path.has_number_texts {
                    let key = keyed(whole(text.as_bytes()), node, kind::NUMBER_TEXT);
                    self.probe(key, value, hits);
                }
                return;
            }
            Scalar::True => file::TRUE,
            Scalar::False => file::FALSE,
            Scalar::Null => file::NULL,
        };
        if path.has_literals {
            self.probe(keyed(literal, node, kind::LITERAL), value, hits);
        }
    }

    fn look_up_text(&mut self, node: u32, path: &PathIndex, text: &str, hits: &mut Vec<u32>) {
        let (value, bytes) = (Scalar::Text(text), text.as_bytes());
        let mut look = |hash: u64, kind: u8| self.probe(keyed(hash, node, kind), value, hits);
        if path.has_texts {
            look(whole(bytes), kind::TEXT);
        }
        heads(bytes, &path.prefixes, |hash, _| look(hash, kind::PREFIX));
        tails(bytes, &path.suffixes, |hash, _| look(hash, kind::SUFFIX));
        if path.has_folds {
            let folded = fold::key(text);
            let bytes = folded.as_bytes();
            look(whole(bytes), kind::FOLD);
            heads(bytes, &path.fold_prefixes, |hash, _| {
                look(hash, kind::FOLD_PREFIX)
            });
            tails(bytes, &path.fold_suffixes, |hash, _| {
                look(hash, kind::FOLD_SUFFIX)
            });
        }
        if path.has_addresses {
            match Address::parse(text) {
                Some(Address::V4(address)) => {
                    for &bits in &path.v4_bits {
                        look(v4_hash(address, bits.into()), kind::V4);
                    }
                }
                Some(Address::V6(address)) => {
                    for &bits in &path.v6_bits {
                        look(v6_hash(address, bits.into()), kind::V6);
                    }
                }
                None => {}
            }
        }
        if let Some(grams) = &path.grams {
            if bytes.len() < TEXT_BYTES_MANY {
                grams.of_text(bytes, node, kind::GRAM, |key| self.probe(key, value, hits));
            } else {
                self.look_up_long(node, grams, text, hits);
            }
        }
    }

    /// Asks once for each gram, however often the text holds it.
    fn look_up_long(&mut self, node: u32, grams: &Grams, text: &str, hits: &mut Vec<u32>) {
        let mut seen = std::mem::take(&mut self.work.seen);
        self.work.text = self.work.text.wrapping_add(1);
        let present = self.work.text;
        if seen.len() < self.index.atoms.len() || present == 0 {
            seen.clear();
            seen.resize(self.index.atoms.len(), present.wrapping_sub(1));
        }
        grams.of_text(text.as_bytes(), node, kind::GRAM, |key| {
            self.index.table.probe(key, |first| {
                let last = seen.get_mut(first as usize);
                if last.is_some_and(|last| std::mem::replace(last, present) != present) {
                    self.meet(first, Scalar::Text(text), hits);
                }
            });
        });
        self.work.seen = seen;
    }

    /// Notes the predicates that have a condition with this key which the value really meets.
    #[inline]
    fn probe(&self, key: u64, value: Scalar<'_>, hits: &mut Vec<u32>) {
        self.index
            .table
            .probe(key, |first| self.meet(first, value, hits));
    }

    fn meet(&self, first: u32, value: Scalar<'_>, hits: &mut Vec<u32>) {
        let atoms = self.index.atoms.get(first as usize..).unwrap_or_default();
        for atom in atoms {
            let condition = self.index.condition(atom);
            if condition.is_some_and(|condition| condition.is_met_by(value)) {
                hits.push(atom.predicate);
            }
            if atom.is_last_of_key {
                break;
            }
        }
    }
}
