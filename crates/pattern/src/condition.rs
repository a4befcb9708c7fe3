//! One condition on one leaf: everything that may stand in a list of values, compiled.
//! Never looks at other leaves; absence is for the evaluation of whole rules.

use crate::address::{Address, Block};
use crate::event::Scalar;
use crate::fold::Folded;
use crate::number::{Ordinal, comparable};
use crate::wildcard::Wildcard;

/// A condition that a leaf meets or does not meet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Condition {
    Text(Box<str>),
    /// A string of a pattern's list that is an address is compared as an address.
    Address(Address),
    Number {
        text: Box<str>,
        value: Option<Ordinal>,
    },
    True,
    False,
    Null,
    Prefix(Box<str>),
    Suffix(Box<str>),
    Fold(Folded),
    PrefixFold(Folded),
    SuffixFold(Folded),
    Wildcard(Wildcard),
    Range(Range),
    Cidr(Block),
    Exists,
    /// `exists: false`; no leaf meets it.
    Absent,
    AnythingBut(Box<[Condition]>),
}

/// The numbers from the lowest to the highest, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Range {
    pub(crate) lowest: Ordinal,
    pub(crate) highest: Ordinal,
}

impl Range {
    pub(crate) fn exactly(value: Ordinal) -> Self {
        Self {
            lowest: value,
            highest: value,
        }
    }

    /// Numbers above an end, and the end itself if it belongs to them.
    pub(crate) fn above(end: Ordinal, closed: bool) -> Self {
        Self {
            lowest: if closed { end } else { end.above() },
            highest: Ordinal::HIGHEST,
        }
    }

    /// Numbers below an end, and the end itself if it belongs to them.
    pub(crate) fn below(end: Ordinal, closed: bool) -> Self {
        Self {
            lowest: Ordinal::LOWEST,
            highest: if closed { end } else { end.below() },
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            lowest: self.lowest.max(other.lowest),
            highest: self.highest.min(other.highest),
        }
    }

    fn contains(self, value: Ordinal) -> bool {
        self.lowest <= value && value <= self.highest
    }
}

impl Condition {
    /// What a string in a list of values asks for.
    pub(crate) fn text(text: &str) -> Self {
        Address::parse(text).map_or_else(|| Self::Text(text.into()), Self::Address)
    }

    /// What a number in a list of values asks for.
    pub(crate) fn number(text: &str) -> Self {
        Self::Number {
            text: text.into(),
            value: comparable(text),
        }
    }

    pub(crate) fn is_met_by(&self, leaf: Scalar<'_>) -> bool {
        match (self, leaf) {
            (Self::Exists, _) => true,
            (Self::Absent, _) => false,
            (Self::AnythingBut(excluded), _) => !excluded.iter().any(|one| one.is_met_by(leaf)),
            (Self::Null, Scalar::Null)
            | (Self::True, Scalar::True)
            | (Self::False, Scalar::False) => true,
            (_, Scalar::Text(text)) => self.is_met_by_text(text),
            (_, Scalar::Number { text, value }) => self.is_met_by_number(text, value),
            _ => false,
        }
    }

    fn is_met_by_text(&self, text: &str) -> bool {
        match self {
            Self::Text(wanted) => **wanted == *text,
            Self::Address(wanted) => Address::parse(text) == Some(*wanted),
            Self::Prefix(prefix) => text.starts_with(&**prefix),
            Self::Suffix(suffix) => text.ends_with(&**suffix),
            Self::Fold(folded) => folded.equals(text),
            Self::PrefixFold(folded) => folded.starts(text),
            Self::SuffixFold(folded) => folded.ends(text),
            Self::Wildcard(wildcard) => wildcard.matches(text),
            Self::Cidr(block) => Address::parse(text).is_some_and(|text| block.contains(text)),
            _ => false,
        }
    }

    fn is_met_by_number(&self, text: &str, value: Option<Ordinal>) -> bool {
        match self {
            Self::Number {
                text: wanted,
                value: wanted_value,
            } => **wanted == *text || (value.is_some() && value == *wanted_value),
            Self::Range(range) => value.is_some_and(|value| range.contains(value)),
            _ => false,
        }
    }

    /// The wildcard operands in it, which count as one matcher however many they are.
    pub(crate) fn wildcards(&self) -> Vec<Wildcard> {
        let operand = |condition: &Self| match condition {
            Self::Wildcard(wildcard) => Some(wildcard.clone()),
            _ => None,
        };
        match self {
            Self::AnythingBut(excluded) => excluded.iter().filter_map(operand).collect(),
            other => operand(other).into_iter().collect(),
        }
    }
}
