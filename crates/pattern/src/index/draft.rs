//! Collects combinations for an index and shares the predicates they have in common. Never decides where one is filed.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::{Index, Lists};
use crate::arrays::{NONE, number};
use crate::condition::Condition;

/// Combinations on their way into an index.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(super) predicates: Vec<(u32, Arc<[Condition]>)>,
    known: HashTable<u32>,
    pub(super) combinations: Lists,
    pub(super) rules: Vec<u32>,
    pub(super) rule_count: u32,
}

impl Draft {
    /// Begins the next rule.
    pub(crate) fn rule(&mut self) {
        self.rule_count += 1;
    }

    /// Adds a combination to the rule last begun: for each of its paths, in their order, the node and the values.
    pub(crate) fn combination<'c>(
        &mut self,
        fields: impl Iterator<Item = (u32, &'c Arc<[Condition]>)>,
    ) {
        let mut predicates = Vec::new();
        predicates.extend(fields.map(|(node, conditions)| self.intern(node, conditions)));
        self.push(predicates.into_iter());
    }

    /// Adds the rules of an index that `is_kept` wants, their nodes renamed.
    pub(crate) fn rules_of(
        &mut self,
        index: &Index,
        is_kept: impl Fn(u32) -> bool,
        rename: impl Fn(u32) -> u32,
    ) {
        let mut known = vec![NONE; index.predicates.len()];
        let mut combinations = index.combinations.iter().zip(&index.rules).peekable();
        for rule in 0..index.rule_count {
            let is_kept = is_kept(rule);
            if is_kept {
                self.rule();
            }
            while let Some((predicates, _)) = combinations.next_if(|(_, of)| **of == rule) {
                if !is_kept {
                    continue;
                }
                for &old in predicates {
                    self.take_over(index, old, &mut known, &rename);
                }
                let new = |&old: &u32| known.get(old as usize).copied();
                let new: Vec<u32> = predicates.iter().filter_map(new).collect();
                self.push(new.into_iter());
            }
        }
    }

    fn take_over(
        &mut self,
        index: &Index,
        old: u32,
        known: &mut [u32],
        rename: &impl Fn(u32) -> u32,
    ) {
        let (Some(new), Some(predicate)) = (known.get_mut(old as usize), index.predicate(old))
        else {
            return;
        };
        if *new == NONE {
            *new = self.intern(rename(predicate.node), &predicate.conditions);
        }
    }

    fn push(&mut self, predicates: impl Iterator<Item = u32>) {
        self.combinations.push(predicates);
        self.rules.push(self.rule_count.saturating_sub(1));
    }

    fn intern(&mut self, node: u32, conditions: &Arc<[Condition]>) -> u32 {
        let hash = |node: u32, conditions: &[Condition]| {
            FixedState::default().hash_one((node, conditions))
        };
        let predicates = &self.predicates;
        let is_same = |&id: &u32| {
            let known = predicates.get(id as usize);
            known.is_some_and(|known| known.0 == node && known.1 == *conditions)
        };
        let wanted = hash(node, conditions);
        if let Some(&id) = self.known.find(wanted, is_same) {
            return id;
        }
        let rehash = |&id: &u32| {
            let known = predicates.get(id as usize);
            known.map_or(0, |known| hash(known.0, &known.1))
        };
        let id = number(predicates.len());
        self.known.insert_unique(wanted, id, rehash);
        self.predicates.push((node, conditions.clone()));
        id
    }
}
