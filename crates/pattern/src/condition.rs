//! One condition on one leaf: everything that may stand in a list of values, compiled.
//! Never looks at other leaves; absence is for the evaluation of whole rules.

use crate::address::{Address, Block};
use crate::event::Scalar;
use crate::fold::Folded;
use crate::number::comparable;
use crate::wildcard::Wildcard;

/// A condition that a leaf meets or does not meet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    Text(Box<str>),
    /// A string of a pattern's list that is an address is compared as an address.
    Address(Address),
    Number {
        text: Box<str>,
        value: Option<f64>,
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

/// Numbers between two ends, each with whether the end itself belongs to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) bottom: Option<(f64, bool)>,
    pub(crate) top: Option<(f64, bool)>,
}

impl Range {
    pub(crate) fn exactly(value: f64) -> Self {
        Self {
            bottom: Some((value, true)),
            top: Some((value, true)),
        }
    }

    fn contains(self, value: f64) -> bool {
        let above = |(end, closed)| value > end || (closed && value == end);
        let below = |(end, closed)| value < end || (closed && value == end);
        self.bottom.is_none_or(above) && self.top.is_none_or(below)
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

    pub(crate) fn is_met_by(&self, leaf: &Scalar<'_>) -> bool {
        match (self, leaf) {
            (Self::Exists, _) => true,
            (Self::Absent, _) => false,
            (Self::AnythingBut(excluded), _) => !excluded.iter().any(|one| one.is_met_by(leaf)),
            (Self::Null, Scalar::Null)
            | (Self::True, Scalar::True)
            | (Self::False, Scalar::False) => true,
            (_, Scalar::Text(text)) => self.is_met_by_text(text),
            (_, Scalar::Number { text, value }) => self.is_met_by_number(text, *value),
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

    fn is_met_by_number(&self, text: &str, value: Option<f64>) -> bool {
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
