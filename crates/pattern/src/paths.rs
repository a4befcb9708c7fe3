//! The paths that rules ask for, as one tree of their steps; it leads the way through an event's text.
//! Never forgets a path; a set of rules that has changed enough makes a new tree.

use crate::arrays::{NONE, number};
use crate::words::word;

const SLOTS_MIN: usize = 4;
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The tree. Node 0 is the event itself.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    nodes: Vec<Node>,
    names: Vec<u8>,
}

/// The end of a path, or a step on the way.
#[derive(Clone, Debug, Default)]
struct Node {
    /// Steps from here, hashed by name; the number of slots is a power of two.
    slots: Vec<Slot>,
    /// A bit for each length of a step's name: most names that lead nowhere have another one.
    lengths: u64,
    children: u32,
    parent: u32,
    name: (u32, u32),
    is_wanted: bool,
    /// Whether a step from here has further steps, so that one name with dots in it may stand for several.
    is_deep: bool,
}

/// A child: the first bytes of its name, to tell most names apart without looking further.
#[derive(Clone, Copy, Debug)]
struct Slot {
    head: u64,
    length: u32,
    start: u32,
    node: u32,
}

const EMPTY: Slot = Slot {
    head: 0,
    length: 0,
    start: 0,
    node: NONE,
};

impl Default for Paths {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
            names: Vec::new(),
        }
    }
}

impl Paths {
    /// The node at the end of a path; from now on it is wanted.
    pub(crate) fn intern(&mut self, path: &str) -> u32 {
        let mut node = 0;
        for step in path.split('.') {
            let known = self.child(node, step.as_bytes(), 0, step.len());
            node = known.unwrap_or_else(|| self.insert(node, step.as_bytes()));
        }
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.is_wanted = true;
        }
        node
    }

    /// The path that ends at a node.
    pub(crate) fn path(&self, mut node: u32) -> String {
        let mut steps = Vec::new();
        while let Some(known) = self.nodes.get(node as usize).filter(|_| node != 0) {
            steps.push(String::from_utf8_lossy(self.name(known.name)));
            node = known.parent;
        }
        steps.reverse();
        steps.join(".")
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    #[inline]
    pub(crate) fn is_wanted(&self, node: u32) -> bool {
        self.nodes
            .get(node as usize)
            .is_some_and(|node| node.is_wanted)
    }

    #[inline]
    pub(crate) fn children(&self, node: u32) -> u32 {
        self.nodes
            .get(node as usize)
            .map_or(0, |node| node.children)
    }

    #[inline]
    pub(crate) fn is_deep(&self, node: u32) -> bool {
        self.nodes
            .get(node as usize)
            .is_some_and(|node| node.is_deep)
    }

    /// The step from `node` that is named as the bytes `from..from + length` of `text`.
    #[inline]
    pub(crate) fn child(&self, node: u32, text: &[u8], from: usize, length: usize) -> Option<u32> {
        let node = self.nodes.get(node as usize)?;
        if node.lengths & length_bit(length) == 0 {
            return None;
        }
        let slots = node.slots.as_slice();
        let head = word(text, from, length.min(8));
        let mut at = place(head, length);
        loop {
            let slot = slots.get(at & (slots.len() - 1))?;
            if slot.node == NONE {
                return None;
            }
            if slot.head == head && slot.length as usize == length {
                let is_same = length <= 8
                    || text.get(from..from + length) == Some(self.name((slot.start, slot.length)));
                if is_same {
                    return Some(slot.node);
                }
            }
            at = at.wrapping_add(1);
        }
    }

    fn name(&self, (start, length): (u32, u32)) -> &[u8] {
        let start = start as usize;
        self.names
            .get(start..start + length as usize)
            .unwrap_or_default()
    }

    fn insert(&mut self, parent: u32, step: &[u8]) -> u32 {
        let node = number(self.nodes.len());
        let name = (number(self.names.len()), number(step.len()));
        self.names.extend_from_slice(step);
        self.nodes.push(Node {
            parent,
            name,
            ..Node::default()
        });
        let slot = Slot {
            head: word(step, 0, step.len().min(8)),
            length: name.1,
            start: name.0,
            node,
        };
        let grandparent = self.nodes.get_mut(parent as usize).map_or(0, |parent| {
            parent.add(slot);
            parent.parent
        });
        if let Some(grandparent) = self
            .nodes
            .get_mut(grandparent as usize)
            .filter(|_| parent != 0)
        {
            grandparent.is_deep = true;
        }
        node
    }
}

impl Node {
    fn add(&mut self, slot: Slot) {
        self.children += 1;
        self.lengths |= length_bit(slot.length as usize);
        if self.children as usize * 2 > self.slots.len() {
            let size = (self.slots.len() * 2).max(SLOTS_MIN);
            let former = std::mem::replace(&mut self.slots, vec![EMPTY; size]);
            for slot in former.into_iter().filter(|slot| slot.node != NONE) {
                self.put(slot);
            }
        }
        self.put(slot);
    }

    fn put(&mut self, slot: Slot) {
        let last = self.slots.len().saturating_sub(1);
        let mut at = place(slot.head, slot.length as usize);
        while let Some(free) = self.slots.get_mut(at & last) {
            if free.node == NONE {
                *free = slot;
                return;
            }
            at = at.wrapping_add(1);
        }
    }
}

/// The bit of a name's length; all long names share the last.
#[inline]
fn length_bit(length: usize) -> u64 {
    1 << length.min(63)
}

#[inline]
fn place(head: u64, length: usize) -> usize {
    ((head ^ length as u64).wrapping_mul(SPREAD) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_found_again() {
        let mut paths = Paths::default();
        let names: Vec<String> = (0..500)
            .map(|n| format!("detail.{}name-{n}.x", if n % 2 == 0 { "long-" } else { "" }))
            .chain(["", ".", "a", "a.", ".a", "detail", "é.😀"].map(str::to_owned))
            .collect();
        let nodes: Vec<u32> = names.iter().map(|name| paths.intern(name)).collect();
        for (name, node) in names.iter().zip(&nodes) {
            assert_eq!(paths.intern(name), *node, "{name}");
            assert!(paths.is_wanted(*node), "{name}");
            assert_eq!(paths.path(*node), *name);
        }
        let detail = paths.child(0, b"detail", 0, 6).unwrap();
        let step = paths.child(detail, b"name-1", 0, 6).unwrap();
        assert!(!paths.is_wanted(step) && paths.children(step) == 1);
        assert_eq!(paths.child(detail, b"name-501", 0, 8), None);
    }
}
