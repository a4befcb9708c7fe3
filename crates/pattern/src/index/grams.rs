//! The few bytes by which wildcards are found in a text: each wildcard is filed under four neighbouring bytes of its
//! literals (or fewer, if none has four), so that most places of a text are done with at one look at a bitmap.
//! Never says that a wildcard matches.

use crate::words::{keyed, word};

/// Bytes of the longest gram.
pub(super) const GRAM_BYTES_MAX: usize = 4;
/// Bits of the bitmap for each gram in it.
const BITS_PER_GRAM: usize = 16;
const BITS_MIN: usize = 64;
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Which grams there are at one path.
#[derive(Debug)]
pub(super) struct Grams {
    bits: Box<[u64]>,
    shift: u32,
    /// Whether there are grams of 1, 2, 3 and 4 bytes.
    lengths: [bool; GRAM_BYTES_MAX],
}

/// A gram: its bytes as a number, and how many.
pub(super) type Gram = (u32, usize);

/// The grams of a literal, all of the greatest length that it has.
pub(super) fn grams(literal: &[u8]) -> impl Iterator<Item = Gram> {
    let length = literal.len().min(GRAM_BYTES_MAX);
    let places = if length == 0 {
        0
    } else {
        literal.len() - length + 1
    };
    (0..places).map(move |at| (word(literal, at, length) as u32, length))
}

/// The hash of a gram, the path left aside.
pub(super) fn hash((bytes, length): Gram) -> u64 {
    (u64::from(bytes) | (length as u64) << 32).wrapping_mul(SPREAD)
}

impl Grams {
    pub(super) fn new(grams: &[Gram]) -> Self {
        let bits = (grams.len() * BITS_PER_GRAM)
            .max(BITS_MIN)
            .next_power_of_two();
        let mut all = Self {
            bits: vec![0; bits / 64].into(),
            shift: 64 - bits.trailing_zeros(),
            lengths: [false; GRAM_BYTES_MAX],
        };
        for &gram in grams {
            if let Some(length) = all.lengths.get_mut(gram.1.wrapping_sub(1)) {
                *length = true;
            }
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
        for (length, _) in (1..).zip(self.lengths).filter(|(_, is_used)| *is_used) {
            for window in text.windows(length) {
                let hash = hash((bytes(window), length));
                let bit = hash >> self.shift;
                let word = self
                    .bits
                    .get((bit / 64) as usize)
                    .copied()
                    .unwrap_or_default();
                if word >> (bit % 64) & 1 == 1 {
                    found(keyed(hash, node, kind));
                }
            }
        }
    }
}

#[inline]
fn bytes(window: &[u8]) -> u32 {
    match *window {
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]),
        [a, b, c] => u32::from_le_bytes([a, b, c, 0]),
        [a, b] => u32::from_le_bytes([a, b, 0, 0]),
        [a] => u32::from(a),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gram_of_a_literal_is_met_in_a_text_that_holds_it() {
        for literal in ["a", "ab", "abc", "abcd", "abcdefgh", "é😀"] {
            let all: Vec<Gram> = grams(literal.as_bytes()).collect();
            assert_eq!(all.len(), literal.len().saturating_sub(3).max(1));
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
