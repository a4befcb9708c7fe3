//! The few bytes by which wildcards are found in a text: each wildcard is filed under eight neighbouring bytes of its
//! literals (or four or fewer, if none has as many), so that most places of a text are done with at one look at a bitmap.
//! Never says that a wildcard matches.

use crate::words::{keyed, word};

/// Bytes that a gram may have, and the most.
const LENGTHS: [usize; 5] = [1, 2, 3, 4, GRAM_BYTES_MAX];
pub(super) const GRAM_BYTES_MAX: usize = 8;
/// Bits of the bitmap for each gram in it.
const BITS_PER_GRAM: usize = 16;
const BITS_MIN: usize = 64;
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Which grams there are at one path.
#[derive(Debug)]
pub(super) struct Grams {
    bits: Box<[u64]>,
    shift: u32,
    /// The lengths that there are.
    lengths: Box<[usize]>,
}

/// A gram: its bytes as a number, and how many.
pub(super) type Gram = (u64, usize);

/// The grams of a literal, all of the greatest length that it has.
pub(super) fn grams(literal: &[u8]) -> impl Iterator<Item = Gram> {
    let length = LENGTHS.into_iter().rfind(|length| *length <= literal.len());
    let places = length.map_or(0, |length| literal.len() - length + 1);
    let length = length.unwrap_or_default();
    (0..places).map(move |at| (word(literal, at, length), length))
}

/// The hash of a gram, the path left aside.
pub(super) fn hash((bytes, length): Gram) -> u64 {
    (bytes ^ (length as u64) << 56).wrapping_mul(SPREAD)
}

impl Grams {
    pub(super) fn new(grams: &[Gram]) -> Self {
        let mut lengths: Vec<usize> = grams.iter().map(|gram| gram.1).collect();
        lengths.sort_unstable();
        lengths.dedup();
        let bits = (grams.len() * BITS_PER_GRAM)
            .max(BITS_MIN)
            .next_power_of_two();
        let mut all = Self {
            bits: vec![0; bits / 64].into(),
            shift: 64 - bits.trailing_zeros(),
            lengths: lengths.into(),
        };
        for &gram in grams {
            let bit = hash(gram) >> all.shift;
            if let Some(word) = all.bits.get_mut((bit / 64) as usize) {
                *word |= 1 << (bit % 64);
            }
        }
        all
    }

    /// Calls `found` with the key of each place of the text that may hold one of the grams.
    #[inline]
    pub(super) fn of_text(&self, text: &[u8], node: u32, kind: u8, mut found: impl FnMut(u64)) {
        let mut met = |bytes: u64, length: usize| {
            let hash = hash((bytes, length));
            let bit = hash >> self.shift;
            let word = self
                .bits
                .get((bit / 64) as usize)
                .copied()
                .unwrap_or_default();
            if word >> (bit % 64) & 1 == 1 {
                found(keyed(hash, node, kind));
            }
        };
        for &length in &self.lengths {
            match length {
                8 => text
                    .array_windows()
                    .for_each(|window| met(u64::from_le_bytes(*window), 8)),
                4 => text
                    .array_windows()
                    .for_each(|window| met(u32::from_le_bytes(*window).into(), 4)),
                _ => (0..(text.len() + 1).saturating_sub(length))
                    .for_each(|at| met(word(text, at, length), length)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gram_of_a_literal_is_met_in_a_text_that_holds_it() {
        for literal in ["a", "ab", "abc", "abcd", "abcdefg", "abcdefghijk", "é😀"] {
            let all: Vec<Gram> = grams(literal.as_bytes()).collect();
            assert!(
                !all.is_empty() && all.iter().all(|gram| gram.1 <= literal.len()),
                "{literal}"
            );
            for &gram in &all {
                let mut keys = Vec::new();
                let text = format!("xx{literal}yy");
                Grams::new(&[gram]).of_text(text.as_bytes(), 7, 1, |key| keys.push(key));
                assert!(keys.contains(&keyed(hash(gram), 7, 1)), "{literal}");
            }
        }
        assert_eq!(grams(b"").count(), 0);
    }
}
