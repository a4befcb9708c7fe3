//! Under which key each kind of condition is filed, and how many events that key is likely to let through.
//! Never looks at an event.

use super::grams::{self, Gram};
use crate::address::{Address, Block};
use crate::condition::Condition;
use crate::number::Ordinal;
use crate::words::{keyed, whole, whole_tail};

/// Kinds of keys, which share one table.
pub(super) mod kind {
    pub(in crate::index) const TEXT: u8 = 1;
    pub(in crate::index) const NUMBER: u8 = 2;
    pub(in crate::index) const NUMBER_TEXT: u8 = 3;
    pub(in crate::index) const LITERAL: u8 = 4;
    pub(in crate::index) const PREFIX: u8 = 5;
    pub(in crate::index) const SUFFIX: u8 = 6;
    pub(in crate::index) const FOLD: u8 = 7;
    pub(in crate::index) const FOLD_PREFIX: u8 = 8;
    pub(in crate::index) const FOLD_SUFFIX: u8 = 9;
    pub(in crate::index) const V4: u8 = 10;
    pub(in crate::index) const V6: u8 = 11;
    pub(in crate::index) const GRAM: u8 = 12;
}

/// Keys of the three literals.
pub(super) const TRUE: u64 = 1;
pub(super) const FALSE: u64 = 2;
pub(super) const NULL: u64 = 3;

/// How an event's leaf is led to a condition.
#[derive(Clone, Copy, Debug)]
pub(super) enum Filing {
    Key { kind: u8, hash: u64, length: u32 },
    Gram(Gram),
    Range(Ordinal, Ordinal),
}

impl Filing {
    fn text(kind: u8, text: &str) -> Self {
        Self::Key {
            kind,
            hash: whole(text.as_bytes()),
            length: crate::arrays::number(text.len()),
        }
    }

    fn tail(kind: u8, text: &str) -> Self {
        Self::Key {
            kind,
            hash: whole_tail(text.as_bytes()),
            length: crate::arrays::number(text.len()),
        }
    }

    fn plain(kind: u8, hash: u64) -> Self {
        Self::Key {
            kind,
            hash,
            length: 0,
        }
    }

    /// The key in the table; ranges have none.
    pub(super) fn key(&self, node: u32) -> Option<u64> {
        match *self {
            Self::Key { kind, hash, .. } => Some(keyed(hash, node, kind)),
            Self::Gram(gram) => Some(keyed(grams::hash(gram), node, kind::GRAM)),
            Self::Range(..) => None,
        }
    }

    /// How many events, against an exact value, this is likely to let through.
    pub(super) fn breadth(&self) -> u64 {
        match self {
            Self::Key {
                kind: kind::TEXT | kind::NUMBER | kind::FOLD,
                ..
            } => 2,
            Self::Key {
                kind: kind::LITERAL,
                ..
            } => 30,
            Self::Key {
                kind: kind::V4 | kind::V6,
                length,
                ..
            } => {
                if *length >= CIDR_BITS_NARROW {
                    3
                } else {
                    30
                }
            }
            Self::Key { length, .. } if *length >= AFFIX_BYTES_NARROW => 4,
            Self::Key { .. } => 30,
            Self::Gram((_, grams::GRAM_BYTES_MAX)) => 5,
            Self::Gram((_, 4)) => 8,
            Self::Gram((_, 3)) => 12,
            Self::Gram(_) => 60,
            Self::Range(lowest, highest) if lowest == highest => 2,
            Self::Range(..) => 3,
        }
    }
}

/// Affixes and blocks that are shorter let many values through.
const AFFIX_BYTES_NARROW: u32 = 3;
const CIDR_BITS_NARROW: u32 = 8;

/// How a condition can be filed; `None` if leaves of any value may meet it. Where there are several ways they are left
/// to `choose`.
pub(super) fn filing(
    condition: &Condition,
    choose: impl FnOnce(&mut dyn Iterator<Item = Filing>) -> Option<Filing>,
) -> Option<Filing> {
    Some(match condition {
        Condition::Text(text) => Filing::text(kind::TEXT, text),
        Condition::Number {
            value: Some(value), ..
        } => Filing::plain(kind::NUMBER, value.bits()),
        Condition::Number { text, value: None } => Filing::text(kind::NUMBER_TEXT, text),
        Condition::True => Filing::plain(kind::LITERAL, TRUE),
        Condition::False => Filing::plain(kind::LITERAL, FALSE),
        Condition::Null => Filing::plain(kind::LITERAL, NULL),
        Condition::Address(address) => block(&Block::only(*address)),
        Condition::Cidr(cidr) => block(cidr),
        Condition::Prefix(text) if !text.is_empty() => Filing::text(kind::PREFIX, text),
        Condition::Suffix(text) if !text.is_empty() => Filing::tail(kind::SUFFIX, text),
        Condition::Fold(folded) => Filing::text(kind::FOLD, &folded.key()),
        Condition::PrefixFold(folded) if !folded.key().is_empty() => {
            Filing::text(kind::FOLD_PREFIX, &folded.key())
        }
        Condition::SuffixFold(folded) if !folded.key().is_empty() => {
            Filing::tail(kind::FOLD_SUFFIX, &folded.key())
        }
        Condition::Range(range) if range.lowest == range.highest => {
            Filing::plain(kind::NUMBER, range.lowest.bits())
        }
        Condition::Range(range) => Filing::Range(range.lowest, range.highest),
        Condition::Wildcard(wildcard) => match wildcard.literals() {
            [only] => Filing::Key {
                kind: kind::TEXT,
                hash: whole(only),
                length: crate::arrays::number(only.len()),
            },
            literals => choose(&mut ways(literals))?,
        },
        Condition::Prefix(_)
        | Condition::Suffix(_)
        | Condition::PrefixFold(_)
        | Condition::SuffixFold(_)
        | Condition::Exists
        | Condition::Absent
        | Condition::AnythingBut(_) => return None,
    })
}

/// The ways to find a wildcard: by its head, by its tail, by any part of a literal.
fn ways(literals: &[Box<[u8]>]) -> impl Iterator<Item = Filing> {
    let is_long = |literal: &&[u8]| literal.len() >= AFFIX_BYTES_NARROW as usize;
    let head = literals.first().map(|head| &**head).filter(is_long);
    let head = head.map(|head| Filing::Key {
        kind: kind::PREFIX,
        hash: whole(head),
        length: crate::arrays::number(head.len()),
    });
    let tail = literals.last().map(|tail| &**tail).filter(is_long);
    let tail = tail.map(|tail| Filing::Key {
        kind: kind::SUFFIX,
        hash: whole_tail(tail),
        length: crate::arrays::number(tail.len()),
    });
    let grams = literals.iter().flat_map(|literal| grams::grams(literal));
    head.into_iter().chain(tail).chain(grams.map(Filing::Gram))
}

fn block(block: &Block) -> Filing {
    let (kind, hash) = match block.base() {
        Address::V4(base) => (kind::V4, v4_hash(base, block.bits())),
        Address::V6(base) => (kind::V6, v6_hash(base, block.bits())),
    };
    Filing::Key {
        kind,
        hash,
        length: block.bits(),
    }
}

/// The hash of the block of so many bits around an address.
pub(super) fn v4_hash(address: u32, bits: u32) -> u64 {
    let unused = 32 - bits.min(32);
    let network = address.checked_shr(unused).unwrap_or_default();
    u64::from(network) << 8 | u64::from(bits)
}

/// The hash of the block of so many bits around an address.
pub(super) fn v6_hash(address: u128, bits: u32) -> u64 {
    let unused = 128 - bits.min(128);
    let network = address.checked_shr(unused).unwrap_or_default();
    whole(&network.to_le_bytes()) ^ u64::from(bits)
}
