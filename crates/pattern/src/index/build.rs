//! Files the combinations of a draft: counts how many others each value would let through, takes the field with the
//! fewest, and lays everything out for reading. Never changes what is asked.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::draft::Draft;
use super::file::{Filing, filing, kind};
use super::grams::{Gram, Grams};
use super::ranges::Ranges;
use super::table::Table;
use super::{Atom, Entry, Index, Lists, PathIndex, Predicate};
use crate::arrays::{NONE, number};
use crate::condition::Condition;
use crate::number::Ordinal;

type Counts = HashMap<u64, u32, FixedState>;

/// Ranges let through more the more of them there are: one in so many contains a number.
const RANGES_PER_HIT: u64 = 3;
/// Combinations that ask the same before the answer is kept.
const MEMO_USES_MIN: u32 = 2;

impl Index {
    /// Files all combinations of a draft.
    pub(crate) fn new(draft: Draft) -> Self {
        let Draft {
            predicates,
            combinations,
            rules,
            rule_count,
            ..
        } = draft;
        let uses = uses(&combinations, predicates.len());
        let filings = filings(&predicates, &uses);
        let scores = scores(&predicates, &uses, &filings);
        let mut index = Self {
            combinations,
            rules,
            rule_count,
            ..Self::default()
        };
        index.has_alternatives = index.rules.len() > rule_count as usize;
        index.predicates = predicates
            .into_iter()
            .zip(&uses)
            .map(|((node, conditions), &uses)| {
                index.memos += u32::from(uses >= MEMO_USES_MIN);
                Predicate {
                    node,
                    memo: if uses >= MEMO_USES_MIN {
                        index.memos - 1
                    } else {
                        NONE
                    },
                    accepts_absence: conditions.contains(&Condition::Absent),
                    conditions,
                }
            })
            .collect();
        index.file(&scores);
        index.place_atoms(&filings);
        index
    }

    /// Writes the entries, those of one predicate behind one another.
    fn file(&mut self, scores: &[u64]) {
        let score = |&id: &u32| scores.get(id as usize).copied().unwrap_or(u64::MAX);
        let mut chosen: Vec<(u32, u32)> = (0..)
            .zip(self.combinations.iter())
            .filter_map(|(place, predicates)| {
                Some((*predicates.iter().min_by_key(|id| score(id))?, place))
            })
            .collect();
        chosen.sort_unstable();
        let costs: Vec<u32> = self.predicates.iter().map(cost).collect();
        self.filed = vec![(0, 0); self.predicates.len()];
        for (predicate, combination) in chosen {
            let start = number(self.checks.len());
            let left = self
                .combinations
                .get(combination)
                .iter()
                .filter(|id| **id != predicate);
            self.checks.extend(left);
            if let Some(left) = self.checks.get_mut(start as usize..) {
                left.sort_unstable_by_key(|id| costs.get(*id as usize));
            }
            let entry = number(self.entries.len());
            self.entries.push(Entry {
                combination,
                rule: self
                    .rules
                    .get(combination as usize)
                    .copied()
                    .unwrap_or_default(),
                checks: (start, number(self.checks.len())),
            });
            if let Some((first, end)) = self.filed.get_mut(predicate as usize) {
                *first = if *end == 0 { entry } else { *first };
                *end = entry + 1;
            }
        }
    }

    /// Writes the atoms of all predicates that have entries, in the order of their keys, and what leads to them.
    fn place_atoms(&mut self, filings: &Filings) {
        let mut paths = Drafts::default();
        let mut placed: Vec<(u64, Filing, Atom)> = Vec::new();
        for (id, (predicate, entries)) in (0..).zip(self.predicates.iter().zip(&self.filed)) {
            if entries.0 == entries.1 {
                continue;
            }
            let Some(found) = filings.get(id) else {
                if predicate.accepts_absence {
                    self.loose.push(id);
                } else {
                    paths.at(predicate.node).groups.push(id);
                }
                continue;
            };
            for (condition, filing) in (0..).zip(found) {
                let atom = Atom {
                    predicate: id,
                    condition,
                    is_last_of_key: true,
                };
                let key = filing.key(predicate.node).unwrap_or(u64::MAX);
                placed.push((key, *filing, atom));
            }
        }
        placed.sort_unstable_by_key(|(key, _, atom)| (*key, atom.predicate, atom.condition));
        let mut keys: Vec<(u64, u32)> = Vec::new();
        for (place, (key, filing, atom)) in (0..).zip(&placed) {
            let node = self
                .predicates
                .get(atom.predicate as usize)
                .map_or(0, |one| one.node);
            paths.at(node).note(filing, place);
            let is_same = keys.last().is_some_and(|(last, _)| last == key);
            match self.atoms.last_mut() {
                Some(before) if is_same => before.is_last_of_key = false,
                _ if filing.key(node).is_some() => keys.push((*key, place)),
                _ => {}
            }
            self.atoms.push(*atom);
        }
        self.table = Table::new(&keys);
        (self.path_of_node, self.paths) = paths.finish();
    }
}

/// How many combinations use each predicate.
fn uses(combinations: &Lists, predicates: usize) -> Vec<u32> {
    let mut uses = vec![0; predicates];
    for &id in &combinations.items {
        if let Some(uses) = uses.get_mut(id as usize) {
            *uses += 1;
        }
    }
    uses
}

/// How the conditions of each predicate are filed; none for a predicate one of whose conditions cannot be.
#[derive(Default)]
struct Filings {
    ends: Vec<u32>,
    all: Vec<Filing>,
}

impl Filings {
    fn get(&self, predicate: u32) -> Option<&[Filing]> {
        let place = predicate as usize;
        let start = place
            .checked_sub(1)
            .and_then(|before| self.ends.get(before))
            .copied()
            .unwrap_or_default();
        let end = self.ends.get(place).copied()?;
        self.all
            .get(start as usize..end as usize)
            .filter(|filings| !filings.is_empty())
    }
}

fn filings(predicates: &[(u32, Arc<[Condition]>)], uses: &[u32]) -> Filings {
    let counts = way_counts(predicates, uses);
    let mut filings = Filings::default();
    for (node, conditions) in predicates {
        let start = filings.all.len();
        let narrowest = |ways: &mut dyn Iterator<Item = Filing>| {
            ways.min_by_key(|way| {
                let count = way.key(*node).and_then(|key| counts.get(&key));
                u64::from(count.copied().unwrap_or(1)) * way.breadth()
            })
        };
        let found = conditions
            .iter()
            .map_while(|condition| filing(condition, narrowest));
        filings.all.extend(found);
        if filings.all.len() - start < conditions.len() {
            filings.all.truncate(start);
        }
        filings.ends.push(number(filings.all.len()));
    }
    filings
}

/// How many wildcards could be found in each way.
fn way_counts(predicates: &[(u32, Arc<[Condition]>)], uses: &[u32]) -> Counts {
    let mut counts = Counts::default();
    for ((node, conditions), uses) in predicates.iter().zip(uses) {
        for condition in conditions.iter() {
            let _ = filing(condition, |ways| {
                for key in ways.filter_map(|way| way.key(*node)) {
                    *counts.entry(key).or_default() += uses;
                }
                None
            });
        }
    }
    counts
}

/// What filing under each predicate would cost an event: how many combinations it is likely to meet there.
fn scores(predicates: &[(u32, Arc<[Condition]>)], uses: &[u32], filings: &Filings) -> Vec<u64> {
    let mut by_key = Counts::default();
    let mut ranges: HashMap<u32, u64, FixedState> = HashMap::default();
    let each = || (0..).zip(predicates.iter().zip(uses));
    for (id, ((node, _), &uses)) in each() {
        for filing in filings.get(id).unwrap_or_default() {
            match filing.key(*node) {
                Some(key) => *by_key.entry(key).or_default() += uses,
                None => *ranges.entry(*node).or_default() += u64::from(uses),
            }
        }
    }
    let score = |node: u32, filing: &Filing| {
        let met = match filing.key(node) {
            Some(key) => by_key.get(&key).map_or(0, |count| u64::from(*count)),
            None => ranges.get(&node).copied().unwrap_or_default() / RANGES_PER_HIT,
        };
        met.max(1) * filing.breadth()
    };
    each()
        .map(|(id, ((node, conditions), &uses))| match filings.get(id) {
            Some(filings) => filings.iter().map(|filing| score(*node, filing)).sum(),
            // Without a key every event that has the path is let through, and without a path every one.
            None => {
                UNFILED
                    + u64::from(uses)
                    + if conditions.contains(&Condition::Absent) {
                        UNFILED
                    } else {
                        0
                    }
            }
        })
        .collect()
}

const UNFILED: u64 = 1 << 40;

/// The order in which predicates are checked: answers that are kept first, then the cheaper ones.
fn cost(predicate: &Predicate) -> u32 {
    if predicate.memo != NONE {
        return 0;
    }
    predicate.conditions.iter().map(condition_cost).sum()
}

fn condition_cost(condition: &Condition) -> u32 {
    match condition {
        Condition::Exists
        | Condition::Absent
        | Condition::True
        | Condition::False
        | Condition::Null => 1,
        Condition::Text(_) | Condition::Number { .. } | Condition::Range(_) => 2,
        Condition::Prefix(_) | Condition::Suffix(_) => 3,
        Condition::Fold(_) | Condition::PrefixFold(_) | Condition::SuffixFold(_) => 5,
        Condition::Address(_) | Condition::Cidr(_) => 8,
        Condition::Wildcard(_) => 10,
        Condition::AnythingBut(excluded) => 1 + excluded.iter().map(condition_cost).sum::<u32>(),
    }
}

/// What is to be known of one path, still growing.
#[derive(Default)]
struct PathDraft {
    index: PathIndex,
    lengths: [Vec<u32>; 4],
    bits: [Vec<u8>; 2],
    ranges: Vec<(Ordinal, Ordinal, u32)>,
    grams: Vec<Gram>,
    groups: Vec<u32>,
}

impl PathDraft {
    fn note(&mut self, filing: &Filing, atom: u32) {
        let (kind, length) = match *filing {
            Filing::Range(lowest, highest) => return self.ranges.push((lowest, highest, atom)),
            Filing::Gram(gram) => return self.grams.push(gram),
            Filing::Key { kind, length, .. } => (kind, length),
        };
        let [prefixes, suffixes, fold_prefixes, fold_suffixes] = &mut self.lengths;
        let [v4, v6] = &mut self.bits;
        let bits = u8::try_from(length).unwrap_or(u8::MAX);
        match kind {
            kind::TEXT => self.index.has_texts = true,
            kind::NUMBER => self.index.has_numbers = true,
            kind::NUMBER_TEXT => self.index.has_number_texts = true,
            kind::LITERAL => self.index.has_literals = true,
            kind::FOLD => self.index.has_folds = true,
            kind::PREFIX => prefixes.push(length),
            kind::SUFFIX => suffixes.push(length),
            kind::FOLD_PREFIX => fold_prefixes.push(length),
            kind::FOLD_SUFFIX => fold_suffixes.push(length),
            kind::V4 => v4.push(bits),
            _ => v6.push(bits),
        }
    }

    fn finish(self) -> PathIndex {
        let [prefixes, suffixes, fold_prefixes, fold_suffixes] = self.lengths.map(distinct);
        let [v4_bits, v6_bits] = self.bits.map(distinct);
        PathIndex {
            has_addresses: !v4_bits.is_empty() || !v6_bits.is_empty(),
            has_folds: self.index.has_folds
                || !fold_prefixes.is_empty()
                || !fold_suffixes.is_empty(),
            prefixes,
            suffixes,
            fold_prefixes,
            fold_suffixes,
            v4_bits,
            v6_bits,
            ranges: (!self.ranges.is_empty())
                .then(|| Box::new(Ranges::new(self.ranges.into_iter()))),
            grams: (!self.grams.is_empty()).then(|| Box::new(Grams::new(&self.grams))),
            groups: self.groups.into(),
            ..self.index
        }
    }
}

fn distinct<T: Ord>(mut items: Vec<T>) -> Box<[T]> {
    items.sort_unstable();
    items.dedup();
    items.into()
}

#[derive(Default)]
struct Drafts(HashMap<u32, PathDraft, FixedState>);

impl Drafts {
    fn at(&mut self, node: u32) -> &mut PathDraft {
        self.0.entry(node).or_default()
    }

    fn finish(self) -> (Vec<u32>, Vec<PathIndex>) {
        let nodes = self.0.keys().max().map_or(0, |last| *last as usize + 1);
        let mut of_node = vec![NONE; nodes];
        let mut paths = Vec::with_capacity(self.0.len());
        for (node, path) in self.0 {
            if let Some(place) = of_node.get_mut(node as usize) {
                *place = number(paths.len());
            }
            paths.push(path.finish());
        }
        (of_node, paths)
    }
}
