//! Many rules against one event. The rules lie in a few immutable parts, the larger ones being made over the more
//! seldom, so that a change costs little and a snapshot nothing. Never decides a match itself.

use std::borrow::Borrow;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};

use crate::arrays::number;
use crate::error::EventError;
use crate::index::{Draft, Index, Work};
use crate::leaves::Leaves;
use crate::paths::Paths;
use crate::pattern::Pattern;
use crate::scan::{Names, Open, scan};

/// Rules of a part of the lowest level, and by how much each level is larger than the one below.
const LEVEL_RULES_MIN: usize = 16;
const LEVEL_FACTOR: usize = 8;

/// A set of rules, each with an id and a pattern.
///
/// Rules are added and removed by one owner; [`Matcher::snapshot`] gives others, on any thread, the set as it is at
/// that moment.
#[derive(Clone, Debug)]
pub struct Matcher<I> {
    now: Snapshot<I>,
    /// Where each rule is, hashed by its id.
    places: HashTable<Place>,
}

/// A set of rules as it was at one moment. Cheap to clone, never changes, needs no lock.
#[derive(Debug)]
pub struct Snapshot<I> {
    paths: Arc<Paths>,
    /// Larger parts first.
    parts: Vec<Part<I>>,
}

/// Memory that matching needs, kept between events. It belongs to no particular set of rules.
#[derive(Debug, Default)]
pub struct Scratch {
    leaves: Leaves,
    open: Open,
    work: Work,
    /// Rules found in one part.
    found: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    part: u32,
    rule: u32,
}

#[derive(Debug)]
struct Part<I> {
    rules: Arc<Rules<I>>,
    /// A bit for each rule that has been removed since the part was made.
    removed: Arc<Vec<u64>>,
    removed_count: usize,
    level: u32,
}

#[derive(Debug)]
struct Rules<I> {
    ids: Vec<I>,
    index: Index,
}

impl<I> Clone for Snapshot<I> {
    fn clone(&self) -> Self {
        Self {
            paths: self.paths.clone(),
            parts: self.parts.clone(),
        }
    }
}

impl<I> Clone for Part<I> {
    fn clone(&self) -> Self {
        Self {
            rules: self.rules.clone(),
            removed: self.removed.clone(),
            ..*self
        }
    }
}

impl<I> Default for Matcher<I> {
    fn default() -> Self {
        Self {
            now: Snapshot::default(),
            places: HashTable::new(),
        }
    }
}

impl<I> Default for Snapshot<I> {
    fn default() -> Self {
        Self {
            paths: Arc::default(),
            parts: Vec::new(),
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
    pub fn add(&mut self, id: I, pattern: &Pattern) {
        self.extend([(id, pattern)]);
    }

    /// Adds many rules at once, which takes less than to add one after the other. Of rules with the same id the last
    /// one counts.
    pub fn extend<P: Borrow<Pattern>>(&mut self, rules: impl IntoIterator<Item = (I, P)>) {
        let (mut draft, mut ids) = (Draft::default(), Vec::new());
        let paths = Arc::make_mut(&mut self.now.paths);
        for (id, pattern) in rules {
            draft.rule();
            ids.push(id);
            for fields in pattern.borrow().combinations() {
                let nodes = fields
                    .iter()
                    .map(|field| (paths.intern(&field.path), &field.values.conditions));
                draft.combination(nodes);
            }
        }
        self.settle(draft, ids);
    }

    /// Takes a rule away; `false` if there is none with this id.
    pub fn remove(&mut self, id: &I) -> bool {
        let Some(place) = self.take_place(id) else {
            return false;
        };
        let Some(part) = self.now.parts.get_mut(place.part as usize) else {
            return false;
        };
        part.remove(place.rule);
        if part.removed_count * 2 > part.rules.ids.len() {
            self.make_over(place.part as usize);
        }
        true
    }

    /// The ids of the rules that match the event, ascending, each once.
    ///
    /// # Errors
    /// See [`Snapshot::matches_with`].
    pub fn matches(&self, json: &str) -> Result<Vec<I>, EventError> {
        self.now.matches(json)
    }

    /// The set as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<I> {
        self.now.clone()
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Puts new rules into a part of a level that is large enough for them and for all smaller parts.
    fn settle(&mut self, mut draft: Draft, mut ids: Vec<I>) {
        let mut first = self.now.parts.len();
        let mut rules = ids.len();
        let mut level = level_of(rules);
        while let Some(part) = first
            .checked_sub(1)
            .and_then(|last| self.now.parts.get(last))
        {
            if part.level > level {
                break;
            }
            rules += part.len();
            level = level_of(rules).max(part.level);
            first -= 1;
        }
        // Rules that are replaced must not be taken over.
        for id in &ids {
            if let Some(place) = self.take_place(id)
                && let Some(part) = self.now.parts.get_mut(place.part as usize)
            {
                part.remove(place.rule);
            }
        }
        for place in first..self.now.parts.len() {
            self.forget_places(place);
        }
        for part in self.now.parts.split_off(first) {
            part.move_into(&mut draft, &mut ids, |node| node);
        }
        self.insert(first, draft, ids, level);
    }

    /// Makes a part over without the rules that have been removed from it.
    fn make_over(&mut self, place: usize) {
        let Some(part) = self.now.parts.get(place).cloned() else {
            return;
        };
        let (mut draft, mut ids) = (Draft::default(), Vec::new());
        if self.now.parts.len() == 1 {
            let former = std::mem::take(&mut self.now.paths);
            let paths = Arc::make_mut(&mut self.now.paths);
            let rename = |node: u32| (node, paths.intern(&former.path(node)));
            let renamed: HashMap<u32, u32, FixedState> = part.live_nodes().map(rename).collect();
            let new = |node: u32| renamed.get(&node).copied().unwrap_or_default();
            part.move_into(&mut draft, &mut ids, new);
        } else {
            part.move_into(&mut draft, &mut ids, |node| node);
        }
        self.forget_places(place);
        self.now.parts.remove(place);
        self.insert(place, draft, ids, part.level);
    }

    /// Makes a part and puts it at `place`.
    fn insert(&mut self, place: usize, draft: Draft, ids: Vec<I>, level: u32) {
        let part = Part {
            removed: Arc::new(vec![0; ids.len().div_ceil(64)]),
            rules: Arc::new(Rules {
                index: Index::new(draft),
                ids,
            }),
            removed_count: 0,
            level,
        };
        self.now.parts.insert(place, part);
        self.find_places(place);
    }

    fn forget_places(&mut self, place: usize) {
        let Some(rules) = self.now.parts.get(place).map(|part| part.rules.clone()) else {
            return;
        };
        for (rule, id) in (0..).zip(&rules.ids) {
            let is_it = |known: &Place| known.part as usize == place && known.rule == rule;
            if let Ok(entry) = self.places.find_entry(hash(id), is_it) {
                entry.remove();
            }
        }
    }

    /// Notes where the rules of a part are. Of rules with the same id the last one stays.
    fn find_places(&mut self, place: usize) {
        let parts = &mut self.now.parts;
        let Some(rules) = parts.get(place).map(|part| part.rules.clone()) else {
            return;
        };
        for (rule, id) in (0..).zip(&rules.ids) {
            let fresh = Place {
                part: number(place),
                rule,
            };
            let is_same = |known: &Place| id_at(parts, *known) == Some(id);
            let known = self.places.find_mut(hash(id), is_same);
            match known.map(|known| std::mem::replace(known, fresh)) {
                Some(former) => {
                    if let Some(part) = parts.get_mut(place) {
                        part.remove(former.rule);
                    }
                }
                None => {
                    let rehash = |place: &Place| id_at(parts, *place).map_or(0, hash);
                    self.places.insert_unique(hash(id), fresh, rehash);
                }
            }
        }
    }

    fn take_place(&mut self, id: &I) -> Option<Place> {
        let parts = &self.now.parts;
        let is_it = |place: &Place| id_at(parts, *place) == Some(id);
        let entry = self.places.find_entry(hash(id), is_it).ok()?;
        Some(entry.remove().0)
    }
}

impl<I> Part<I> {
    /// The nodes that rules ask for which have not been removed.
    fn live_nodes(&self) -> impl Iterator<Item = u32> {
        self.rules.index.nodes(|rule| !self.is_removed(rule))
    }

    /// How many rules have not been removed.
    fn len(&self) -> usize {
        self.rules.ids.len() - self.removed_count
    }

    fn is_removed(&self, rule: u32) -> bool {
        let word = self.removed.get(rule as usize / 64);
        word.is_some_and(|word| word >> (rule % 64) & 1 == 1)
    }

    fn remove(&mut self, rule: u32) {
        if let Some(word) = Arc::make_mut(&mut self.removed).get_mut(rule as usize / 64) {
            *word |= 1 << (rule % 64);
            self.removed_count += 1;
        }
    }
}

impl<I: Clone> Part<I> {
    /// Adds the rules that have not been removed to a draft.
    fn move_into(&self, draft: &mut Draft, ids: &mut Vec<I>, rename: impl Fn(u32) -> u32) {
        draft.rules_of(&self.rules.index, |rule| !self.is_removed(rule), rename);
        let live = (0..)
            .zip(&self.rules.ids)
            .filter(|(rule, _)| !self.is_removed(*rule));
        ids.extend(live.map(|(_, id)| id.clone()));
    }
}

impl<I: Clone + Ord> Snapshot<I> {
    /// The ids of the rules that match the event, ascending, each once.
    ///
    /// # Errors
    /// See [`Snapshot::matches_with`].
    pub fn matches(&self, json: &str) -> Result<Vec<I>, EventError> {
        let mut ids = Vec::new();
        self.matches_with(json, &mut Scratch::default(), |id| ids.push(id.clone()))?;
        ids.sort_unstable();
        Ok(ids)
    }
}

impl<I> Snapshot<I> {
    /// Calls `found` with the id of each rule that matches the event, each once, in no particular order.
    ///
    /// The event must be JSON. What no rule asks for is skipped, not checked.
    ///
    /// # Errors
    /// [`EventError`] if the text is not a JSON object as far as it was read, or nested deeper than
    /// [`DOCUMENT_DEPTH_MAX`](crate::limits::DOCUMENT_DEPTH_MAX) on a path that a rule asks for.
    pub fn matches_with<'m>(
        &'m self,
        json: &str,
        scratch: &mut Scratch,
        found: impl FnMut(&'m I),
    ) -> Result<(), EventError> {
        self.ask(json, Names::Any, scratch, found)
    }

    /// As [`Snapshot::matches_with`], for an event of which the caller knows that no path comes twice: no object in it
    /// has the same name twice, and no name has a dot in it. It is read only as far as rules ask.
    ///
    /// Of an event that is otherwise, any rules may be found.
    ///
    /// # Errors
    /// See [`Snapshot::matches_with`].
    pub fn matches_distinct_with<'m>(
        &'m self,
        json: &str,
        scratch: &mut Scratch,
        found: impl FnMut(&'m I),
    ) -> Result<(), EventError> {
        self.ask(json, Names::Distinct, scratch, found)
    }

    #[inline]
    fn ask<'m>(
        &'m self,
        json: &str,
        names: Names,
        scratch: &mut Scratch,
        mut found: impl FnMut(&'m I),
    ) -> Result<(), EventError> {
        let Scratch {
            leaves,
            open,
            work,
            found: rules,
        } = scratch;
        scan(json, names, &self.paths, leaves, open)
            .map_err(|fault| EventError::new(fault, json))?
            .ok_or(EventError::NotAnObject)?;
        for part in &self.parts {
            let Rules { ids, index } = &*part.rules;
            let mut tell = |rule: u32| {
                if !part.is_removed(rule) {
                    ids.get(rule as usize).into_iter().for_each(&mut found);
                }
            };
            if !index.has_alternatives() {
                index.matches(json, leaves, work, &mut tell);
                continue;
            }
            rules.clear();
            index.matches(json, leaves, work, &mut |rule| rules.push(rule));
            rules.sort_unstable();
            rules.dedup();
            rules.iter().copied().for_each(tell);
        }
        Ok(())
    }
}

fn hash<I: Hash>(id: &I) -> u64 {
    FixedState::default().hash_one(id)
}

fn id_at<I>(parts: &[Part<I>], place: Place) -> Option<&I> {
    parts
        .get(place.part as usize)?
        .rules
        .ids
        .get(place.rule as usize)
}

fn level_of(rules: usize) -> u32 {
    let mut level = 0;
    let mut room = LEVEL_RULES_MIN;
    while room < rules {
        room = room.saturating_mul(LEVEL_FACTOR);
        level += 1;
    }
    level
}
