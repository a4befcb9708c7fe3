//! Keys of the store: a kind and its parts, encoded so that byte order is the order of the parts.
//!
//! Each part is written with `00` escaped as `00 FF` and closed by `00 01`, so no part can reach into the next one
//! and a shorter part sorts before a longer one that it begins. Never used for file names.

use std::ops::Bound;

const ESCAPE: u8 = 0xff;
const END: u8 = 0x01;

/// An encoded key, or a prefix of keys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<u8>);

impl Key {
    /// Starts a key of a kind; kinds are short lower-case words, unique in the whole store.
    pub fn new(kind: &str) -> Self {
        Self(Vec::with_capacity(64)).part(kind)
    }

    /// Appends a whole part.
    #[must_use]
    pub fn part(mut self, part: impl AsRef<[u8]>) -> Self {
        self.escape(part.as_ref());
        self.0.extend([0, END]);
        self
    }

    /// Appends a number as a part that sorts by value.
    #[must_use]
    pub fn number(self, number: u64) -> Self {
        self.part(number.to_be_bytes())
    }

    /// Appends the beginning of a part: the result is a prefix of all keys whose next part begins so.
    #[must_use]
    pub fn beginning(mut self, part: impl AsRef<[u8]>) -> Self {
        self.escape(part.as_ref());
        self
    }

    /// The encoded bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bounds of all keys that begin with this one.
    pub fn range(&self) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        (Bound::Included(self.0.clone()), upper(&self.0))
    }

    /// Bound behind all keys that begin with this one.
    pub fn past(&self) -> Bound<Vec<u8>> {
        match upper(&self.0) {
            Bound::Excluded(b) => Bound::Included(b),
            other => other,
        }
    }

    fn escape(&mut self, part: &[u8]) {
        for byte in part {
            self.0.push(*byte);
            if *byte == 0 {
                self.0.push(ESCAPE);
            }
        }
    }
}

impl From<&[u8]> for Key {
    fn from(encoded: &[u8]) -> Self {
        Self(encoded.to_vec())
    }
}

/// The parts of an encoded key behind its kind.
pub fn parts(encoded: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut part = Vec::new();
    let mut bytes = encoded.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, byte == 0) {
            (_, true) if bytes.next() == Some(ESCAPE) => part.push(0),
            (_, true) => all.push(std::mem::take(&mut part)),
            (other, false) => part.push(other),
        }
    }
    all.drain(..all.len().min(1));
    all
}

/// The number in a part written by [`Key::number`].
pub fn number(part: &[u8]) -> Option<u64> {
    part.try_into().ok().map(u64::from_be_bytes)
}

fn upper(prefix: &[u8]) -> Bound<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Bound::Excluded(end);
        }
    }
    Bound::Unbounded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn order_of_keys_is_order_of_parts(a: Vec<Vec<u8>>, b: Vec<Vec<u8>>) {
            let key = |parts: &[Vec<u8>]| parts.iter().fold(Key::new("k"), Key::part);
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
        }

        #[test]
        fn parts_come_back(a: Vec<Vec<u8>>) {
            let key = a.iter().fold(Key::new("k"), Key::part);
            prop_assert_eq!(parts(key.bytes()), a);
        }

        #[test]
        fn a_prefix_holds_exactly_what_begins_with_it(whole: Vec<u8>, start: Vec<u8>) {
            let key = Key::new("k").part(&whole);
            let (_, to) = Key::new("k").beginning(&start).range();
            let prefix = Key::new("k").beginning(&start);
            let inside = key.bytes() >= prefix.bytes()
                && match &to { Bound::Excluded(end) => key.bytes() < end.as_slice(), _ => true };
            prop_assert_eq!(inside, whole.starts_with(&start));
        }
    }
}
