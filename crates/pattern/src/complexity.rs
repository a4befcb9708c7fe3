//! How many wildcard prefixes of one field an adversary's value can keep alive at once: the measure by which
//! EventBridge refuses a pattern. Never looks at values without a wildcard; they cost nothing.

use std::collections::{BTreeSet, HashSet, VecDeque};

use crate::limits::COMPLEXITY_SETS_MAX;
use crate::wildcard::{Piece, Wildcard};

/// A field's wildcard operands merged at their common heads. Node 0 is the start.
#[derive(Default)]
struct Tree {
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Node {
    is_star: bool,
    /// Matchers that can still be completed from here.
    matchers: BTreeSet<usize>,
    children: Vec<(Piece, usize)>,
}

/// Whether the complexity of one field's wildcard matchers is above `limit`. Each matcher is the list of its
/// operands (anything-but may have several).
pub(crate) fn exceeds(matchers: &[&[Wildcard]], limit: usize) -> bool {
    if matchers.iter().all(|operands| operands.is_empty()) {
        return false;
    }
    let bounds = matchers
        .iter()
        .flat_map(|operands| operands.iter())
        .map(bound);
    bounds.sum::<usize>() > limit && exceeds_by_search(matchers, limit)
}

fn exceeds_by_search(matchers: &[&[Wildcard]], limit: usize) -> bool {
    let tree = Tree::of(matchers);
    let bytes = tree.bytes();
    let start = vec![0];
    let mut seen = HashSet::from([start.clone()]);
    let mut waiting = VecDeque::from([start]);
    while let Some(active) = waiting.pop_front() {
        if seen.len() > COMPLEXITY_SETS_MAX {
            return true;
        }
        for &byte in &bytes {
            let next = tree.step(&active, byte);
            if next.is_empty() || seen.contains(&next) {
                continue;
            }
            if tree.weight(&next) > limit {
                return true;
            }
            seen.insert(next.clone());
            waiting.push_back(next);
        }
    }
    false
}

/// What one operand can add at most: each of its stars once, and behind a star as many heads of the literal as can
/// end at one place, which are those that are tails of one another.
fn bound(operand: &Wildcard) -> usize {
    let literals = operand.literals();
    let stars = literals.len().saturating_sub(1);
    let heads = literals.iter().enumerate().skip(1).map(|(place, literal)| {
        let quote = (place == stars).then_some(b'"');
        nested_heads(&literal.iter().copied().chain(quote).collect::<Vec<u8>>())
    });
    stars + 1 + heads.sum::<usize>()
}

/// The longest chain of heads of a text, each the tail of the next.
fn nested_heads(text: &[u8]) -> usize {
    // For each head: the length of its longest head that is also its tail, and how many such there are.
    let mut borders: Vec<(usize, usize)> = vec![(0, 0)];
    for (end, byte) in text.iter().enumerate() {
        let mut length = borders.last().map_or(0, |border| border.0);
        if end > 0 {
            while length > 0 && text.get(length) != Some(byte) {
                length = borders.get(length).map_or(0, |border| border.0);
            }
            length += usize::from(text.get(length) == Some(byte));
        }
        let nested = borders.get(length).map_or(0, |border| border.1);
        borders.push((length, nested + 1));
    }
    borders
        .iter()
        .map(|border| border.1)
        .max()
        .unwrap_or_default()
}

impl Tree {
    fn of(matchers: &[&[Wildcard]]) -> Self {
        let mut tree = Self {
            nodes: vec![Node::default()],
        };
        // Values are matched with their quotes on, and the quotes count as characters.
        let quote = || std::iter::once(Piece::Byte(b'"'));
        for (matcher, operands) in matchers.iter().enumerate() {
            for operand in *operands {
                tree.insert(matcher, quote().chain(operand.pieces()).chain(quote()));
            }
        }
        tree
    }

    fn insert(&mut self, matcher: usize, pieces: impl Iterator<Item = Piece>) {
        let mut at = 0;
        for piece in pieces {
            let fresh = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else {
                return;
            };
            let known = node.children.iter().find(|(other, _)| *other == piece);
            at = known.map_or(fresh, |&(_, child)| child);
            if at == fresh {
                node.children.push((piece, fresh));
                self.nodes.push(Node {
                    is_star: piece == Piece::Star,
                    ..Node::default()
                });
            }
            if let Some(node) = self.nodes.get_mut(at) {
                node.matchers.insert(matcher);
            }
        }
    }

    /// Every byte that some operand names, and one that none does.
    fn bytes(&self) -> Vec<u8> {
        let named: BTreeSet<u8> = self
            .nodes
            .iter()
            .flat_map(|node| &node.children)
            .filter_map(|(piece, _)| match piece {
                Piece::Byte(byte) => Some(*byte),
                Piece::Star => None,
            })
            .collect();
        let other = (0..=u8::MAX).find(|byte| !named.contains(byte));
        named.into_iter().chain(other).collect()
    }

    fn children(&self, node: usize) -> &[(Piece, usize)] {
        self.nodes.get(node).map_or(&[], |node| &node.children)
    }

    fn step(&self, active: &[usize], byte: u8) -> Vec<usize> {
        let mut next = Vec::new();
        for &node in active {
            if self.nodes.get(node).is_some_and(|node| node.is_star) {
                next.push(node);
            }
            for &(piece, child) in self.children(node) {
                match piece {
                    Piece::Byte(wanted) if wanted == byte => next.push(child),
                    Piece::Byte(_) => {}
                    Piece::Star => {
                        next.push(child);
                        let behind = self.children(child).iter();
                        next.extend(
                            behind
                                .filter(|(piece, _)| *piece == Piece::Byte(byte))
                                .map(|&(_, node)| node),
                        );
                    }
                }
            }
        }
        next.sort_unstable();
        next.dedup();
        next
    }

    fn weight(&self, active: &[usize]) -> usize {
        let reachable = |node: usize| self.nodes.get(node).map_or(0, |node| node.matchers.len());
        let mut weight = 0;
        for &node in active {
            weight += reachable(node);
            for &(piece, child) in self.children(node) {
                if piece == Piece::Star && active.binary_search(&child).is_err() {
                    weight += reachable(child);
                }
            }
        }
        weight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complexity(operands: &[&str]) -> usize {
        let matchers: Vec<Vec<Wildcard>> = operands
            .iter()
            .map(|operand| vec![Wildcard::parse(operand).unwrap()])
            .collect();
        let matchers: Vec<&[Wildcard]> = matchers.iter().map(Vec::as_slice).collect();
        (0..)
            .find(|&limit| !exceeds_by_search(&matchers, limit))
            .unwrap()
    }

    #[test]
    fn known_values() {
        for (operands, expected) in [
            (&["a*b"][..], 2),
            (&["*x*"], 3),
            (&["*/dir/*"], 4),
            (&["/Users/*/dir/dir/dir/dir/dir/doc.txt"], 7),
            (&["*aaab"], 4),
            (&["*aaaaaaab"], 8),
            (&["*:*:event-bus/*"], 5),
            (&["*:*:*:*:*:event-bus/*"], 11),
            (&["*:stack/A/*", "*:stack/B/*", "*:stack/C/*"], 9),
            (
                &["*:stack/A/*", "*:stack/B/*", "*:stack/C/*", "*:stack/D/*"],
                12,
            ),
        ] {
            assert_eq!(complexity(operands), expected, "{operands:?}");
        }
    }

    #[test]
    fn operands_of_one_matcher_share_their_common_head() {
        let operands: Vec<Wildcard> = (0..30)
            .map(|n| Wildcard::parse(&format!("head-{n}-")).unwrap())
            .collect();
        assert!(!exceeds(&[&operands], 1));
    }

    #[test]
    fn the_bound_is_never_below_the_complexity() {
        let parts = ["", "a", "b", "aa", "ab", "aab", "abab", "aaaa", "ba"];
        for one in parts {
            for other in parts {
                for third in parts {
                    let text = format!("{one}*{other}*{third}");
                    let Ok(operand) = Wildcard::parse(&text) else {
                        continue;
                    };
                    assert!(bound(&operand) >= complexity(&[&text]), "{text}");
                }
            }
        }
        assert_eq!(nested_heads(b"aaaa"), 4);
        assert_eq!(nested_heads(b"/job-000123/"), 2);
        assert_eq!(nested_heads(b"abab"), 2);
    }
}
