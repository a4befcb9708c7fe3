//! The system's clock and randomness. Never used by the pipeline but through its traits.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use landfall_core::clock::{Clock, Timestamp};
use landfall_core::ids::Ids;

/// The wall clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The kernel's randomness, fetched a block at a time: each request draws an id.
pub struct SystemIds;

const BLOCK_BYTES: usize = 512;

/// What a thread has fetched and not given out; given bytes are never given again.
struct Block {
    bytes: [u8; BLOCK_BYTES],
    given: usize,
}

thread_local! {
    static BLOCK: RefCell<Block> = const {
        RefCell::new(Block { bytes: [0; BLOCK_BYTES], given: BLOCK_BYTES })
    };
}

impl Ids for SystemIds {
    fn fill(&self, buffer: &mut [u8]) {
        if buffer.len() > BLOCK_BYTES {
            return fetch(buffer);
        }
        BLOCK.with_borrow_mut(|block| {
            if block.given + buffer.len() > BLOCK_BYTES {
                fetch(&mut block.bytes);
                block.given = 0;
            }
            let fresh = block.bytes.iter().skip(block.given);
            buffer
                .iter_mut()
                .zip(fresh)
                .for_each(|(to, from)| *to = *from);
            block.given += buffer.len();
        });
    }
}

fn fetch(buffer: &mut [u8]) {
    landfall_core::invariant!(
        getrandom::fill(buffer).is_ok(),
        "a running kernel gives random bytes"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_draws_are_alike() {
        let draws: std::collections::BTreeSet<String> =
            (0..1_000).map(|_| SystemIds.uuid()).collect();
        assert_eq!(draws.len(), 1_000);
        let mut long = [0; 2 * BLOCK_BYTES];
        SystemIds.fill(&mut long);
        assert!(long.iter().any(|byte| *byte != 0));
    }
}
