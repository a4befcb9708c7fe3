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
        let h = hex::encode(b);
        let part = |from: usize, to: usize| h.get(from..to).unwrap_or_default().to_owned();
        format!(
            "{}-{}-{}-{}-{}",
            part(0, 8),
            part(8, 12),
            part(12, 16),
            part(16, 20),
            part(20, 32)
        )
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
