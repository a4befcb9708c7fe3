//! A hash table that is made once: from the hash of a key to the first atom that has it. Never compares keys; it may
//! give more than was asked for, never less.

use crate::arrays::NONE;

/// Free slots for each used one, so that what is not there is mostly found out at the first look.
const SLOTS_PER_KEY: usize = 2;

#[derive(Clone, Copy, Debug)]
struct Slot {
    tag: u32,
    atom: u32,
}

const EMPTY: Slot = Slot { tag: 0, atom: NONE };

#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Slot>,
}

impl Table {
    /// From hashes that differ, each with the first atom of its key.
    pub(super) fn new(keys: &[(u64, u32)]) -> Self {
        let size = (keys.len() * SLOTS_PER_KEY).next_power_of_two();
        let mut table = Self {
            slots: vec![EMPTY; if keys.is_empty() { 0 } else { size }],
        };
        for &(hash, atom) in keys {
            table.put(hash, atom);
        }
        table
    }

    fn put(&mut self, hash: u64, atom: u32) {
        let last = self.slots.len().saturating_sub(1);
        let mut at = hash as usize;
        while let Some(slot) = self.slots.get_mut(at & last) {
            if slot.atom == NONE {
                *slot = Slot {
                    tag: tag(hash),
                    atom,
                };
                return;
            }
            at = at.wrapping_add(1);
        }
    }

    /// Calls `found` with the first atom of each key that may have this hash.
    #[inline]
    pub(super) fn probe(&self, hash: u64, mut found: impl FnMut(u32)) {
        let last = self.slots.len().wrapping_sub(1);
        let mut at = hash as usize;
        while let Some(slot) = self.slots.get(at & last) {
            if slot.atom == NONE {
                return;
            }
            if slot.tag == tag(hash) {
                found(slot.atom);
            }
            at = at.wrapping_add(1);
        }
    }
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}
