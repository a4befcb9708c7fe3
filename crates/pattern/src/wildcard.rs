//! Wildcard operands: reading them and matching text against them. Never backtracks: each literal piece is taken at
//! its first place, which is always right when only `*` is special.

use memchr::memmem;

/// One element of a wildcard operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Piece {
    Byte(u8),
    Star,
}

/// A wildcard operand, taken apart at its stars.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wildcard {
    /// Literals before, between and after the stars; one more than there are stars.
    literals: Box<[Box<[u8]>]>,
}

impl Wildcard {
    /// Reads an operand; the error is the reason that EventBridge gives, with its position from 1 in bytes.
    pub(crate) fn parse(operand: &str) -> Result<Self, String> {
        let mut pieces = Vec::with_capacity(operand.len());
        let mut bytes = operand.bytes().zip(1..).peekable();
        while let Some((byte, place)) = bytes.next() {
            let next = bytes.peek().map(|&(next, _)| next);
            pieces.push(match (byte, next) {
                (b'*', Some(b'*')) => {
                    return Err(format!("Consecutive wildcard characters at pos {place}"));
                }
                (b'*', _) => Piece::Star,
                (b'\\', Some(escaped @ (b'*' | b'\\'))) => {
                    bytes.next();
                    Piece::Byte(escaped)
                }
                (b'\\', _) => return Err(format!("Invalid escape character at pos {place}")),
                (byte, _) => Piece::Byte(byte),
            });
        }
        let literals = pieces
            .split(|&piece| piece == Piece::Star)
            .map(literal)
            .collect();
        Ok(Self { literals })
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = Piece> {
        let parts = self.literals.iter().enumerate();
        parts.flat_map(|(place, literal)| {
            let star = (place > 0).then_some(Piece::Star);
            star.into_iter()
                .chain(literal.iter().copied().map(Piece::Byte))
        })
    }

    /// The literals before, between and after the stars; one more than there are stars.
    pub(crate) fn literals(&self) -> &[Box<[u8]>] {
        &self.literals
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        let [head, inner @ .., tail] = &*self.literals else {
            return self
                .literals
                .first()
                .is_some_and(|only| **only == *text.as_bytes());
        };
        let Some(rest) = text.as_bytes().strip_prefix(&**head) else {
            return false;
        };
        let Some(mut rest) = rest.strip_suffix(&**tail) else {
            return false;
        };
        for literal in inner {
            let Some(place) = memmem::find(rest, literal) else {
                return false;
            };
            rest = rest.get(place + literal.len()..).unwrap_or_default();
        }
        true
    }
}

fn literal(pieces: &[Piece]) -> Box<[u8]> {
    let byte = |piece: &Piece| match piece {
        Piece::Byte(byte) => Some(*byte),
        Piece::Star => None,
    };
    pieces.iter().filter_map(byte).collect()
}
