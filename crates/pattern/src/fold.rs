//! Equality regardless of case as event patterns know it: unit by unit, lower or upper case, no case folding.
//! Never looks at a locale.

use std::borrow::Cow;

/// An operand whose case does not matter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Folded {
    operand: Box<str>,
    is_ascii: bool,
}

impl Folded {
    pub(crate) fn new(operand: &str) -> Self {
        Self {
            operand: operand.into(),
            is_ascii: operand.is_ascii(),
        }
    }

    pub(crate) fn equals(&self, text: &str) -> bool {
        if self.is_ascii {
            return self.operand.eq_ignore_ascii_case(text);
        }
        self.heads(text).contains(&text.len())
    }

    pub(crate) fn starts(&self, text: &str) -> bool {
        if self.is_ascii {
            let head = text.as_bytes().get(..self.operand.len());
            return head.is_some_and(|head| head.eq_ignore_ascii_case(self.operand.as_bytes()));
        }
        !self.heads(text).is_empty()
    }

    pub(crate) fn ends(&self, text: &str) -> bool {
        if self.is_ascii {
            let start = text.len().checked_sub(self.operand.len());
            let tail = start.and_then(|start| text.as_bytes().get(start..));
            return tail.is_some_and(|tail| tail.eq_ignore_ascii_case(self.operand.as_bytes()));
        }
        let mut lengths = vec![text.len()];
        for char in self.operand.chars().rev() {
            lengths = step(&lengths, char, |length, spelling| {
                let left = text.get(..length)?.strip_suffix(spelling)?;
                Some(left.len())
            });
        }
        !lengths.is_empty()
    }

    /// What [`key`] gives for each text that equals the operand.
    pub(crate) fn key(&self) -> Cow<'_, str> {
        key(&self.operand)
    }

    /// Lengths of the heads of `text` that spell the whole operand. Two spellings of one character may differ in
    /// length, so there can be several; there are never more than bytes in the text.
    fn heads(&self, text: &str) -> Vec<usize> {
        let mut lengths = vec![0];
        for char in self.operand.chars() {
            lengths = step(&lengths, char, |length, spelling| {
                let is_spelled = text.get(length..)?.starts_with(spelling);
                is_spelled.then_some(length + spelling.len())
            });
        }
        lengths
    }
}

/// One text for all spellings that differ in case only. It is made character by character, so that heads and tails of
/// a text become heads and tails. Texts that are not equal may share one.
pub(crate) fn key(text: &str) -> Cow<'_, str> {
    let is_upper = |byte: u8| byte.is_ascii() && !byte.is_ascii_lowercase();
    if text.bytes().all(is_upper) {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_uppercase());
    }
    let upper = |char: char| spelled(char, Case::Upper);
    let lower = |char: char| spelled(char, Case::Lower);
    Cow::Owned(
        text.chars()
            .flat_map(upper)
            .flat_map(lower)
            .flat_map(upper)
            .collect(),
    )
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Lower,
    Upper,
}

/// Characters outside the basic plane have one spelling only: the service's library takes them apart into
/// surrogates, which never match; here they stand for themselves.
fn spelled(char: char, case: Case) -> impl Iterator<Item = char> {
    let has_one_spelling = char.len_utf16() > 1;
    let one = has_one_spelling.then_some(char);
    let lower = (!has_one_spelling && case == Case::Lower).then(|| char.to_lowercase());
    let upper = (!has_one_spelling && case == Case::Upper).then(|| char.to_uppercase());
    one.into_iter()
        .chain(lower.into_iter().flatten())
        .chain(upper.into_iter().flatten())
}

fn step(
    lengths: &[usize],
    char: char,
    advance: impl Fn(usize, &str) -> Option<usize>,
) -> Vec<usize> {
    let mut next = Vec::new();
    for case in [Case::Lower, Case::Upper] {
        let spelling: String = spelled(char, case).collect();
        for &length in lengths {
            next.extend(advance(length, &spelling).filter(|length| !next.contains(length)));
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_every_character_share_their_key() {
        for char in (0..=0x1_FFFF).filter_map(char::from_u32) {
            let spellings = [Case::Lower, Case::Upper]
                .map(|case| key(&spelled(char, case).collect::<String>()).into_owned());
            assert_eq!(spellings[0], spellings[1], "{char:?}");
            let operand = char.to_string();
            assert_eq!(key(&operand), spellings[0], "{char:?}");
        }
    }

    #[test]
    fn the_short_way_for_ascii_agrees_with_the_long_one() {
        for text in [
            "", "a", "A", "aB-1", "ß", "aß", "ßa", "K", "\u{212a}", "ıI", "😀a",
        ] {
            for operand in ["", "a", "b-1", "A", "k", "I"] {
                let (quick, slow) = (
                    Folded::new(operand),
                    Folded {
                        is_ascii: false,
                        ..Folded::new(operand)
                    },
                );
                assert_eq!(quick.equals(text), slow.equals(text), "{operand} {text}");
                assert_eq!(quick.starts(text), slow.starts(text), "{operand} {text}");
                assert_eq!(quick.ends(text), slow.ends(text), "{operand} {text}");
            }
        }
    }
}
