//! Where drawn identifiers come from. Never used for ids that must survive a crash: those are derived by hash.

/// A source of randomness for identifiers. The server draws from the system, tests from a seed.
pub trait Ids: Send + Sync + 'static {
    /// Fills `buffer` with random bytes.
    fn fill(&self, buffer: &mut [u8]);

    /// A random (version 4) UUID in lower-case hyphenated form.
    fn uuid(&self) -> String {
        let mut b = [0_u8; 16];
        self.fill(&mut b);
        b[6] = (b[6] & 0x0f) | 0x40;
        b[8] = (b[8] & 0x3f) | 0x80;
        let mut text = String::with_capacity(36);
        for (at, byte) in b.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            for digit in [byte >> 4, byte & 0x0f] {
                text.extend(char::from_digit(u32::from(digit), 16));
            }
        }
        text
    }

    /// `count` random bytes as lower-case hex (twice as many characters).
    fn hex(&self, count: usize) -> String {
        let mut b = vec![0_u8; count];
        self.fill(&mut b);
        hex::encode(b)
    }

    /// `length` characters drawn from `alphabet` (ASCII, at most 256 characters; slight bias is accepted).
    fn text(&self, length: usize, alphabet: &[u8]) -> String {
        let mut b = vec![0_u8; length];
        self.fill(&mut b);
        b.iter()
            .filter_map(|n| alphabet.get(usize::from(*n) % alphabet.len().max(1)))
            .map(|c| char::from(*c))
            .collect()
    }
}
