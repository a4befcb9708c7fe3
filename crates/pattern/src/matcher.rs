//! Many rules against one event. Each combination of a rule is filed under the values of one path that must be
//! there exactly, so that an event meets only the rules that can match it. Never decides a match itself: what the
//! index offers is evaluated like any other pattern.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use crate::condition::Condition;
use crate::evaluate::{Field, evaluate};
use crate::event::{Event, Scalar};
use crate::pattern::Pattern;

/// A set of rules, each with an id and a pattern.
#[derive(Clone, Debug)]
pub struct Matcher<I> {
    rules: HashMap<I, Vec<Slot>>,
    entries: Vec<Option<Entry<I>>>,
    free: Vec<Slot>,
    by_path: HashMap<Arc<str>, HashMap<Key, HashSet<Slot>>>,
    /// Combinations with no path whose values are all exact.
    unfiled: BTreeSet<Slot>,
}

type Slot = usize;

#[derive(Clone, Debug)]
struct Entry<I> {
    id: I,
    pattern: Pattern,
    /// Which of the pattern's combinations this is.
    combination: usize,
    filed: Option<(Arc<str>, Vec<Key>)>,
}

/// A value that a leaf has or has not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Text(Box<str>),
    /// A comparable number's bits.
    Number(u64),
    /// Any number's source text.
    Literal(Box<str>),
    True,
    False,
    Null,
}

impl<I> Default for Matcher<I> {
    fn default() -> Self {
        Self {
            rules: HashMap::new(),
            entries: Vec::new(),
            free: Vec::new(),
            by_path: HashMap::new(),
            unfiled: BTreeSet::new(),
        }
    }
}

impl<I: Clone + Ord + Hash + Debug> Matcher<I> {
    /// A matcher without rules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule. A rule that has the same id is replaced.
    pub fn add(&mut self, id: I, pattern: Pattern) {
        self.remove(&id);
        let slots = (0..pattern.combinations().len())
            .map(|combination| self.file(id.clone(), pattern.clone(), combination))
            .collect();
        self.rules.insert(id, slots);
    }

    /// Takes a rule away; `false` if there is none with this id.
    pub fn remove(&mut self, id: &I) -> bool {
        let Some(slots) = self.rules.remove(id) else {
            return false;
        };
        for slot in slots {
            self.unfile(slot);
        }
        true
    }

    /// The ids of the rules that match the event, ascending, each once.
    #[must_use]
    pub fn matches(&self, event: &Event<'_>) -> Vec<I> {
        let mut matching = BTreeSet::new();
        let entries = self
            .candidates(event)
            .into_iter()
            .filter_map(|slot| self.entries.get(slot));
        for entry in entries.flatten() {
            let fields = entry.pattern.combinations().get(entry.combination);
            let is_match = || fields.is_some_and(|fields| evaluate(fields, event).is_ok());
            if !matching.contains(&entry.id) && is_match() {
                matching.insert(entry.id.clone());
            }
        }
        matching.into_iter().collect()
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    fn candidates(&self, event: &Event<'_>) -> BTreeSet<Slot> {
        let mut slots = self.unfiled.clone();
        for (path, by_value) in &self.by_path {
            let leaves = event
                .at(path.split('.'))
                .iter()
                .filter_map(|&leaf| event.leaf(leaf));
            for key in leaves.flat_map(|leaf| leaf_keys(&leaf.value)) {
                slots.extend(by_value.get(&key).into_iter().flatten());
            }
        }
        slots
    }

    fn file(&mut self, id: I, pattern: Pattern, combination: usize) -> Slot {
        let fields = pattern
            .combinations()
            .get(combination)
            .map_or(&[][..], Vec::as_slice);
        let filed = self.most_selective(fields);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() - 1
        });
        match &filed {
            Some((path, keys)) => {
                let by_value = self.by_path.entry(path.clone()).or_default();
                for key in keys {
                    by_value.entry(key.clone()).or_default().insert(slot);
                }
            }
            None => {
                self.unfiled.insert(slot);
            }
        }
        if let Some(entry) = self.entries.get_mut(slot) {
            *entry = Some(Entry {
                id,
                pattern,
                combination,
                filed,
            });
        }
        slot
    }

    /// The exact path whose values lead to the fewest other combinations.
    fn most_selective(&self, fields: &[Field]) -> Option<(Arc<str>, Vec<Key>)> {
        let exact = fields
            .iter()
            .filter_map(|field| Some((field.path.clone(), field_keys(field)?)));
        exact.min_by_key(|(path, keys)| (self.crowd(path, keys), keys.len()))
    }

    fn crowd(&self, path: &str, keys: &[Key]) -> usize {
        let Some(by_value) = self.by_path.get(path) else {
            return 0;
        };
        keys.iter()
            .filter_map(|key| by_value.get(key))
            .map(HashSet::len)
            .sum()
    }

    fn unfile(&mut self, slot: Slot) {
        self.unfiled.remove(&slot);
        let entry = self.entries.get_mut(slot).and_then(Option::take);
        self.free.push(slot);
        let Some((path, keys)) = entry.and_then(|entry| entry.filed) else {
            return;
        };
        let Some(by_value) = self.by_path.get_mut(&path) else {
            return;
        };
        for key in keys {
            let Some(slots) = by_value.get_mut(&key) else {
                continue;
            };
            slots.remove(&slot);
            if slots.is_empty() {
                by_value.remove(&key);
            }
        }
        if by_value.is_empty() {
            self.by_path.remove(&path);
        }
    }
}

/// The keys one of which a leaf must have to satisfy the field; `None` if other leaves could as well.
fn field_keys(field: &Field) -> Option<Vec<Key>> {
    let mut keys = Vec::new();
    for condition in &field.values.conditions {
        match condition {
            Condition::Text(text) => keys.push(Key::Text(text.clone())),
            Condition::Number { text, value } => {
                keys.push(Key::Literal(text.clone()));
                keys.extend(value.map(|value| Key::Number(value.to_bits())));
            }
            Condition::True => keys.push(Key::True),
            Condition::False => keys.push(Key::False),
            Condition::Null => keys.push(Key::Null),
            _ => return None,
        }
    }
    Some(keys)
}

fn leaf_keys(leaf: &Scalar<'_>) -> Vec<Key> {
    match leaf {
        Scalar::Text(text) => vec![Key::Text(text.as_ref().into())],
        Scalar::Number { text, value } => {
            let number = value.map(|value| Key::Number(value.to_bits()));
            std::iter::once(Key::Literal(text.as_ref().into()))
                .chain(number)
                .collect()
        }
        Scalar::True => vec![Key::True],
        Scalar::False => vec![Key::False],
        Scalar::Null => vec![Key::Null],
    }
}
