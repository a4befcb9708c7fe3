//! [`State`] in memory, with failures and crashes on demand. Never durable: what "survives" a crash is what was
//! committed before it.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use landfall_store::{Batch, Direction, Scan, Space, State, StoreError};

use crate::lock;

type Entries = BTreeMap<Vec<u8>, Bytes>;

/// A [`State`] that tests own: the model that the real one is compared with.
#[derive(Debug, Default)]
pub struct MemoryState(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    spaces: BTreeMap<Space, Entries>,
    history: Vec<Batch>,
    commits_left: Option<usize>,
    failure: Option<Arc<str>>,
    unreadable: Option<Unreadable>,
}

/// Keys that cannot be read.
#[derive(Debug)]
struct Unreadable {
    prefix: Vec<u8>,
    reads_left: usize,
    failed: usize,
}

impl MemoryState {
    /// An empty state.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `commits` more commits succeed; the one after them fails, and all later ones are refused.
    pub fn fail_after(&self, commits: usize) {
        lock(&self.0).commits_left = Some(commits);
    }

    /// Lets `reads` more reads of keys that begin with `prefix` succeed (a scan is one read, by where it begins); the
    /// ones after them fail until [`MemoryState::heal_reads`]. Commits are not touched.
    pub fn fail_reads_of(&self, prefix: &[u8], reads: usize) {
        lock(&self.0).unreadable = Some(Unreadable {
            prefix: prefix.to_vec(),
            reads_left: reads,
            failed: 0,
        });
    }

    /// How many reads have failed since they were told to.
    pub fn failed_reads(&self) -> usize {
        lock(&self.0).unreadable.as_ref().map_or(0, |u| u.failed)
    }

    /// Every key can be read again.
    pub fn heal_reads(&self) {
        lock(&self.0).unreadable = None;
    }

    /// How many commits have succeeded.
    pub fn commits(&self) -> usize {
        lock(&self.0).history.len()
    }

    /// The state as a restart would find it after a crash behind the first `commits` commits (all of them when
    /// there were fewer); healthy again.
    #[must_use]
    pub fn crash(&self, commits: usize) -> Self {
        let mut survivor = Inner::default();
        for batch in lock(&self.0).history.iter().take(commits) {
            survivor.apply(batch.clone());
        }
        Self(Mutex::new(survivor))
    }
}

impl Inner {
    fn admit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if let Some(why) = &self.failure {
            return Err(StoreError::Poisoned(Arc::clone(why)));
        }
        if batch.writes.iter().any(|(_, key, _)| key.is_empty()) {
            return Err(self.fail("a key is empty"));
        }
        if self.commits_left == Some(0) {
            return Err(self.fail("the disk was told to fail"));
        }
        self.commits_left = self.commits_left.map(|left| left.saturating_sub(1));
        Ok(())
    }

    fn fail(&mut self, why: &str) -> StoreError {
        let why: Arc<str> = why.into();
        self.failure = Some(Arc::clone(&why));
        StoreError::Io(why)
    }

    fn check_read(&mut self, key: &[u8]) -> Result<(), StoreError> {
        match &mut self.unreadable {
            Some(unreadable) if key.starts_with(&unreadable.prefix) => {
                if let Some(left) = unreadable.reads_left.checked_sub(1) {
                    unreadable.reads_left = left;
                    return Ok(());
                }
                unreadable.failed += 1;
                Err(StoreError::Io("the read was told to fail".into()))
            }
            _ => Ok(()),
        }
    }

    fn apply(&mut self, batch: Batch) {
        for (space, key, value) in &batch.writes {
            let entries = self.spaces.entry(*space).or_default();
            match value {
                Some(value) => entries.insert(key.clone(), value.clone()),
                None => entries.remove(key),
            };
        }
        self.history.push(batch);
    }
}

impl State for MemoryState {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let mut inner = lock(&self.0);
        inner.check_read(key)?;
        let entries = inner.spaces.get(&space);
        Ok(entries.and_then(|entries| entries.get(key)).cloned())
    }

    fn scan(
        &self,
        space: Space,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        direction: Direction,
    ) -> Scan<'_> {
        let mut inner = lock(&self.0);
        let (Bound::Included(begin) | Bound::Excluded(begin)) = from else {
            return inner.scan(space, from, to, direction);
        };
        if let Err(e) = inner.check_read(begin) {
            return Box::new(std::iter::once(Err(e)));
        }
        inner.scan(space, from, to, direction)
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let mut inner = lock(&self.0);
        inner.admit(&batch)?;
        inner.apply(batch);
        Ok(())
    }
}

impl Inner {
    /// The entries as of now, in a copy of their own.
    fn scan(
        &self,
        space: Space,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        direction: Direction,
    ) -> Scan<'static> {
        let mut found: Vec<_> = self
            .spaces
            .get(&space)
            .into_iter()
            .flatten()
            .filter(|(key, _)| is_within(key, from, to))
            .map(|(key, value)| Ok((Bytes::copy_from_slice(key), value.clone())))
            .collect();
        if direction == Direction::Backward {
            found.reverse();
        }
        Box::new(found.into_iter())
    }
}

fn is_within(key: &[u8], from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    let is_behind_from = match from {
        Bound::Included(from) => key >= from,
        Bound::Excluded(from) => key > from,
        Bound::Unbounded => true,
    };
    let is_before_to = match to {
        Bound::Included(to) => key <= to,
        Bound::Excluded(to) => key < to,
        Bound::Unbounded => true,
    };
    is_behind_from && is_before_to
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(value: u8) -> Batch {
        Batch {
            writes: vec![(Space::Road, b"k".to_vec(), Some(vec![value].into()))],
        }
    }

    #[test]
    fn it_fails_when_told_and_stays_failed() {
        let state = MemoryState::new();
        state.fail_after(1);
        state.commit(batch(1)).unwrap();
        assert!(matches!(state.commit(batch(2)), Err(StoreError::Io(_))));
        assert!(matches!(
            state.commit(batch(3)),
            Err(StoreError::Poisoned(_))
        ));
        assert_eq!(state.get(Space::Road, b"k").unwrap().unwrap(), [1][..]);
        let after = state.crash(state.commits());
        after.commit(batch(4)).unwrap();
        assert_eq!(after.get(Space::Road, b"k").unwrap().unwrap(), [4][..]);
    }

    #[test]
    fn reads_fail_when_told_until_they_are_healed() {
        let state = MemoryState::new();
        state.commit(batch(1)).unwrap();
        state.fail_reads_of(b"k", 1);
        assert!(state.get(Space::Road, b"k").is_ok());
        assert!(state.get(Space::Road, b"k").is_err());
        let from = |begin| {
            let bounds = (Bound::Excluded(begin), Bound::Unbounded);
            let scan = state.scan(Space::Road, bounds.0, bounds.1, Direction::Forward);
            scan.collect::<Result<Vec<_>, _>>()
        };
        assert!(from(b"k").is_err());
        assert_eq!(from(b"j").unwrap().len(), 1);
        state.commit(batch(2)).unwrap();
        assert_eq!(state.failed_reads(), 2);
        state.heal_reads();
        assert_eq!(state.get(Space::Road, b"k").unwrap().unwrap(), [2][..]);
    }

    #[test]
    fn a_crash_leaves_a_prefix() {
        let state = MemoryState::new();
        for value in 1..=3 {
            state.commit(batch(value)).unwrap();
        }
        for kept in 1..=3_u8 {
            let after = state.crash(kept.into());
            assert_eq!(after.get(Space::Road, b"k").unwrap().unwrap(), [kept][..]);
        }
        assert_eq!(state.crash(0).get(Space::Road, b"k").unwrap(), None);
    }
}
