//! Random numbers from a seed, for choices that a test must be able to repeat. Never for anything secret.

use landfall_core::ids::Ids as _;

use crate::SeededIds;

/// Random numbers of a seed.
#[derive(Debug)]
pub struct Random(SeededIds);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(SeededIds::new(seed))
    }

    /// Any number.
    pub fn next(&self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A number below `bound`; 0 when that is 0.
    pub fn below(&self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// An index below `length`.
    pub fn index(&self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// So many bytes.
    pub fn bytes(&self, length: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.0.fill(&mut bytes);
        bytes
    }
}

/// A seed that differs from run to run, to be printed.
pub fn new_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |now| u64::from(now.subsec_nanos()))
}
