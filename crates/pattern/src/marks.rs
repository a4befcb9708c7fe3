//! Finds quotes and brackets in JSON text, 64 bytes at a time. Never looks at a byte twice for its quotes.

use wide::u8x64;

/// Bytes looked at together; one bit of a mask each.
const BLOCK: usize = 64;
/// What tells `[` from `{` and `]` from `}`.
const CURLY: u8 = 0x20;

/// The quotes of a text, in order, but for those behind a backslash.
pub(crate) struct Marks<'t> {
    text: &'t [u8],
    block: usize,
    bytes: u8x64,
    /// Quotes of this block that have not been given out.
    quotes: u64,
    /// Whether the last block ended in a backslash that escapes.
    is_escaping: bool,
    has_backslash: bool,
}

impl<'t> Marks<'t> {
    pub(crate) fn new(text: &'t [u8]) -> Self {
        let mut marks = Self {
            text,
            block: 0,
            bytes: u8x64::splat(b' '),
            quotes: 0,
            is_escaping: false,
            has_backslash: false,
        };
        marks.load();
        marks
    }

    /// The place of the next quote.
    #[inline]
    pub(crate) fn next_quote(&mut self) -> Option<usize> {
        if self.quotes == 0 {
            self.advance_to_quote()?;
        }
        let at = self.block + self.quotes.trailing_zeros() as usize;
        self.quotes &= self.quotes - 1;
        Some(at)
    }

    /// Whether a backslash has been met so far.
    #[inline]
    pub(crate) fn have_met_backslash(&self) -> bool {
        self.has_backslash
    }

    /// The place behind the bracket that closes what is open at `at`, outside of strings.
    pub(crate) fn skip_container(&mut self, at: usize) -> Option<usize> {
        while self.block + BLOCK <= at {
            self.advance()?;
        }
        let mut depth = 1;
        let mut is_in_string = 0;
        let mut ahead = u64::MAX << (at - self.block);
        loop {
            let mut strings = is_in_string;
            if self.quotes != 0 {
                strings ^= fill_between(self.quotes);
                is_in_string = if strings >> 63 == 1 { u64::MAX } else { 0 };
            }
            let visible = ahead & !strings;
            let opening = self.mask(b'{') & visible;
            let closing = self.mask(b'}') & visible;
            if closing.count_ones() < depth {
                depth = depth + opening.count_ones() - closing.count_ones();
            } else if let Some(bit) = close(opening, closing, &mut depth) {
                self.quotes &= u64::MAX << bit;
                return Some(self.block + bit as usize + 1);
            }
            self.advance()?;
            ahead = u64::MAX;
        }
    }

    /// Where a bracket of this kind stands, square or curly.
    #[inline]
    fn mask(&self, bracket: u8) -> u64 {
        (self.bytes | u8x64::splat(CURLY))
            .simd_eq(u8x64::splat(bracket))
            .to_bitmask()
    }

    #[inline(never)]
    fn advance_to_quote(&mut self) -> Option<()> {
        while self.quotes == 0 {
            self.advance()?;
        }
        Some(())
    }

    #[inline]
    fn advance(&mut self) -> Option<()> {
        self.block += BLOCK;
        (self.block < self.text.len()).then(|| self.load())
    }

    #[inline]
    fn load(&mut self) {
        let rest = self.text.get(self.block..).unwrap_or_default();
        let bytes = match rest.first_chunk::<BLOCK>() {
            Some(chunk) => *chunk,
            None => padded(rest),
        };
        self.bytes = u8x64::new(bytes);
        self.quotes = self.bytes.simd_eq(u8x64::splat(b'"')).to_bitmask();
        let backslashes = self.bytes.simd_eq(u8x64::splat(b'\\')).to_bitmask();
        if backslashes != 0 || self.is_escaping {
            self.has_backslash = true;
            self.quotes &= !self.escaped(backslashes);
        }
    }

    /// The bytes behind a backslash that is not itself behind one.
    #[cold]
    fn escaped(&mut self, backslashes: u64) -> u64 {
        let mut escaped = u64::from(self.is_escaping);
        let mut left = backslashes & !escaped;
        self.is_escaping = false;
        while left != 0 {
            let backslash = left & left.wrapping_neg();
            let next = backslash << 1;
            self.is_escaping = next == 0;
            escaped |= next;
            left &= !(backslash | next);
        }
        escaped
    }
}

/// The last bytes of a text. Kept apart, lest all blocks be copied at a length that is not known.
#[cold]
#[inline(never)]
fn padded(rest: &[u8]) -> [u8; BLOCK] {
    let mut padded = [b' '; BLOCK];
    for (to, from) in padded.iter_mut().zip(rest) {
        *to = *from;
    }
    padded
}

/// From each odd bit up to the even one that follows it.
#[inline]
fn fill_between(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

/// The bit of the bracket at which `depth` falls to nothing.
fn close(opening: u64, mut closing: u64, depth: &mut u32) -> Option<u32> {
    let mut counted = 0;
    while closing != 0 {
        let bit = closing.trailing_zeros();
        let before = (1 << bit) - 1;
        let opened = (opening & before & !counted).count_ones();
        counted = before;
        *depth = *depth + opened - 1;
        if *depth == 0 {
            return Some(bit);
        }
        closing &= closing - 1;
    }
    *depth += (opening & !counted).count_ones();
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow_quotes(text: &str) -> Vec<usize> {
        let mut is_escaped = false;
        let mut quotes = Vec::new();
        for (at, byte) in text.bytes().enumerate() {
            if byte == b'"' && !is_escaped {
                quotes.push(at);
            }
            is_escaped = byte == b'\\' && !is_escaped;
        }
        quotes
    }

    #[test]
    fn quotes_behind_backslashes_are_none_wherever_blocks_end() {
        for shift in 0..70 {
            for part in [r#""a""#, r#""\"""#, r#""\\""#, r#""\\\"""#, r#"\\\\\"\\"#] {
                let text = format!("{}{}", " ".repeat(shift), part.repeat(20));
                let mut marks = Marks::new(text.as_bytes());
                let found: Vec<usize> = std::iter::from_fn(|| marks.next_quote()).collect();
                assert_eq!(found, slow_quotes(&text), "{text}");
            }
        }
    }

    #[test]
    fn a_container_ends_at_its_own_bracket() {
        for inner in ["", "1,2", r#""]}","x":"[{""#, "[[{}],{}]", r#""\"]""#] {
            for repeat in [1, 7, 40] {
                for shift in 0..66 {
                    let inside = vec![format!("[{inner}]"); repeat].join(",");
                    let text = format!("{}[{inside}], \"after\"", " ".repeat(shift));
                    let mut marks = Marks::new(text.as_bytes());
                    let end = text.len() - ", \"after\"".len();
                    assert_eq!(marks.skip_container(shift + 1), Some(end), "{text}");
                    assert_eq!(marks.next_quote(), Some(end + 2), "{text}");
                }
            }
        }
        assert_eq!(Marks::new(b"[[]").skip_container(1), None);
    }
}
