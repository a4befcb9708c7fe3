//! The transaction that every change is decided in: reads see the store and the group's earlier writes; nothing is
//! durable before the loop commits. Never blocks on anything but a read of the store.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::ids::Ids;
use landfall_core::settings::Settings;
use landfall_store::{Batch, ContentId, Direction, Scan, Space, State, StoreError};

use crate::caches::Caches;
use crate::count::Counted;
use crate::key::Key;
use crate::record::Record;
use crate::trail::{Made, Said, TrailKey};

/// Work for the world outside, done only after the commit that asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Start (or find again) the containers of a task, by task ARN.
    StartTask(String),
    /// Stop the containers of a task, by task ARN.
    StopTask(String),
    /// Stop and forget the containers of which no task is left.
    SweepContainers,
    /// Forget the ended containers with these ids.
    RemoveContainers(Vec<String>),
    /// Go on with the operation on a stack, by stack id.
    BuildStack(String),
    /// Remove object bytes that no committed record names any more.
    RemoveContent(ContentId),
    /// Write the log files of a trail, of records up to a number of the store's sequence.
    DeliverTrail(TrailKey, u64),
    /// The run of this number has changed: tell those who follow the ledger.
    RunChanged(u64),
    /// Something changed under this name: wake those who wait for it (a long poll on a queue).
    Wake(String),
}

/// Reading, from a transaction or from the committed state.
pub trait Reader {
    /// The value of a key.
    fn get_raw(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// The entries between two bounds.
    fn scan_raw(
        &self,
        space: Space,
        from: Bound<Vec<u8>>,
        to: Bound<Vec<u8>>,
        direction: Direction,
    ) -> Scan<'_>;

    /// The record under a key.
    fn get<R: Record>(&self, key: &Key) -> Result<Option<R>, ApiError>
    where
        Self: Sized,
    {
        self.get_raw(R::SPACE, key.bytes())?
            .map(|bytes| R::decode(&bytes))
            .transpose()
    }

    /// Whether there is a record under a key.
    fn has<R: Record>(&self, key: &Key) -> Result<bool, ApiError>
    where
        Self: Sized,
    {
        Ok(self.get_raw(R::SPACE, key.bytes())?.is_some())
    }

    /// The records whose keys begin with `prefix`, lazily and in order.
    fn list<R: Record>(
        &self,
        prefix: &Key,
        direction: Direction,
    ) -> impl Iterator<Item = Result<(Key, R), ApiError>>
    where
        Self: Sized,
    {
        let (from, to) = prefix.range();
        self.list_between(from, to, direction)
    }

    /// The records between two bounds, lazily and in order.
    fn list_between<R: Record>(
        &self,
        from: Bound<Vec<u8>>,
        to: Bound<Vec<u8>>,
        direction: Direction,
    ) -> impl Iterator<Item = Result<(Key, R), ApiError>>
    where
        Self: Sized,
    {
        self.scan_raw(R::SPACE, from, to, direction).map(|entry| {
            let (key, value) = entry?;
            Ok((Key::from(key.as_ref()), R::decode(&value)?))
        })
    }

    /// All records whose keys begin with `prefix`, without their keys.
    fn all<R: Record>(&self, prefix: &Key) -> Result<Vec<R>, ApiError>
    where
        Self: Sized,
    {
        self.list(prefix, Direction::Forward)
            .map(|entry| entry.map(|(_, record)| record))
            .collect()
    }
}

/// The committed state, readable from any thread.
#[derive(Clone, Copy)]
pub struct View<'a> {
    state: &'a dyn State,
}

impl<'a> View<'a> {
    /// A view of a state.
    pub fn new(state: &'a dyn State) -> Self {
        Self { state }
    }
}

impl Reader for View<'_> {
    fn get_raw(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.state.get(space, key)
    }

    fn scan_raw(
        &self,
        space: Space,
        from: Bound<Vec<u8>>,
        to: Bound<Vec<u8>>,
        direction: Direction,
    ) -> Scan<'_> {
        self.state
            .scan(space, as_slice(&from), as_slice(&to), direction)
    }
}

type Pending = BTreeMap<(Space, Vec<u8>), Option<Bytes>>;

/// One group of changes on its way to one commit.
pub struct Tx<'a> {
    state: &'a dyn State,
    ids: &'a dyn Ids,
    settings: &'a Settings,
    now: Timestamp,
    pending: Pending,
    undo: Vec<Undo>,
    effects: Vec<Effect>,
    /// Numbers for things that must be ordered (events, versions): strictly rising over the life of the store.
    sequence: &'a mut u64,
    pub(crate) caches: &'a mut Caches,
    /// What the call that is being decided says of itself, when it is recorded.
    pub(crate) said: Option<Said>,
    /// Calls that Landfall has made itself and not recorded yet.
    pub(crate) made: Vec<Made>,
    /// Samples that have been noted and not written yet.
    pub(crate) counted: Vec<Counted>,
}

enum Undo {
    Write {
        space: Space,
        key: Vec<u8>,
        before: Option<Option<Bytes>>,
    },
}

/// A point to roll back to.
#[derive(Debug, Clone, Copy)]
pub struct Savepoint {
    undo: usize,
    effects: usize,
    counted: usize,
}

impl<'a> Tx<'a> {
    /// A fresh transaction; `sequence` is the last number drawn.
    pub(crate) fn new(
        state: &'a dyn State,
        ids: &'a dyn Ids,
        settings: &'a Settings,
        now: Timestamp,
        sequence: &'a mut u64,
        caches: &'a mut Caches,
    ) -> Self {
        Self {
            state,
            ids,
            settings,
            now,
            pending: Pending::new(),
            undo: Vec::new(),
            effects: Vec::new(),
            sequence,
            caches,
            said: None,
            made: Vec::new(),
            counted: Vec::new(),
        }
    }

    /// The time of this turn of the loop: one value for the whole group.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The source of drawn ids.
    pub fn ids(&self) -> &'a dyn Ids {
        self.ids
    }

    /// What the host's owner has set.
    pub fn settings(&self) -> &'a Settings {
        self.settings
    }

    /// The next number of the store's one strictly rising sequence. Gaps are possible, repeats are not.
    pub fn next_sequence(&mut self) -> u64 {
        *self.sequence += 1;
        *self.sequence
    }

    /// Writes a record.
    pub fn put<R: Record>(&mut self, key: &Key, record: &R) -> Result<(), ApiError> {
        let bytes = record.encode()?;
        self.write(R::SPACE, key.bytes(), Some(bytes.into()));
        Ok(())
    }

    /// Deletes a record; deleting what is not there is no error.
    pub fn delete<R: Record>(&mut self, key: &Key) {
        self.write(R::SPACE, key.bytes(), None);
    }

    /// Writes bytes that carry their own version (object bodies).
    pub fn put_raw(&mut self, space: Space, key: &Key, value: Bytes) {
        self.write(space, key.bytes(), Some(value));
    }

    /// Deletes bytes written by [`Tx::put_raw`].
    pub fn delete_raw(&mut self, space: Space, key: &Key) {
        self.write(space, key.bytes(), None);
    }

    /// Asks for work after the commit.
    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Remembers this point.
    pub fn savepoint(&self) -> Savepoint {
        Savepoint {
            undo: self.undo.len(),
            effects: self.effects.len(),
            counted: self.counted.len(),
        }
    }

    /// Takes back every write, effect and sample since the savepoint.
    pub fn rollback(&mut self, to: Savepoint) {
        self.effects.truncate(to.effects);
        self.counted.truncate(to.counted);
        for Undo::Write { space, key, before } in self.undo.drain(to.undo..).rev() {
            match before {
                Some(value) => self.pending.insert((space, key), value),
                None => self.pending.remove(&(space, key)),
            };
        }
    }

    /// Runs `decide`; when it fails, its writes and effects are taken back.
    pub fn attempt<T, E>(
        &mut self,
        decide: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let savepoint = self.savepoint();
        let result = decide(self);
        if result.is_err() {
            self.rollback(savepoint);
        }
        result
    }

    fn write(&mut self, space: Space, key: &[u8], value: Option<Bytes>) {
        let before = self.pending.insert((space, key.to_vec()), value);
        self.undo.push(Undo::Write {
            space,
            key: key.to_vec(),
            before,
        });
    }

    /// The group's writes and the effects to run after their commit.
    pub(crate) fn finish(self) -> (Batch, Vec<Effect>) {
        let writes = self
            .pending
            .into_iter()
            .map(|((space, key), value)| (space, key, value))
            .collect();
        (Batch { writes }, self.effects)
    }
}

impl Reader for Tx<'_> {
    fn get_raw(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        if self.pending.is_empty() {
            return self.state.get(space, key);
        }
        match self.pending.get(&(space, key.to_vec())) {
            Some(value) => Ok(value.clone()),
            None => self.state.get(space, key),
        }
    }

    fn scan_raw(
        &self,
        space: Space,
        from: Bound<Vec<u8>>,
        to: Bound<Vec<u8>>,
        direction: Direction,
    ) -> Scan<'_> {
        let committed = self
            .state
            .scan(space, as_slice(&from), as_slice(&to), direction);
        let lower = match from {
            Bound::Included(k) => Bound::Included((space, k)),
            Bound::Excluded(k) => Bound::Excluded((space, k)),
            Bound::Unbounded => Bound::Included((space, Vec::new())),
        };
        let in_range = move |key: &[u8]| match &to {
            Bound::Included(k) => key <= k.as_slice(),
            Bound::Excluded(k) => key < k.as_slice(),
            Bound::Unbounded => true,
        };
        let range = self.pending.range((lower, Bound::Unbounded));
        let mut pending: Vec<(Bytes, Option<Bytes>)> = range
            .take_while(|((s, key), _)| *s == space && in_range(key))
            .map(|((_, key), value)| (Bytes::copy_from_slice(key), value.clone()))
            .collect();
        if direction == Direction::Backward {
            pending.reverse();
        }
        Box::new(Merge {
            committed: committed.peekable(),
            pending: pending.into_iter().peekable(),
            direction,
        })
    }
}

/// Committed entries overlaid with pending ones: a pending write hides the committed entry of the same key.
struct Merge<'a> {
    committed: std::iter::Peekable<Scan<'a>>,
    pending: std::iter::Peekable<std::vec::IntoIter<(Bytes, Option<Bytes>)>>,
    direction: Direction,
}

impl Iterator for Merge<'_> {
    type Item = Result<(Bytes, Bytes), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let order = match (self.pending.peek(), self.committed.peek()) {
                (None, _) | (_, Some(Err(_))) => return self.committed.next(),
                (Some(_), None) => std::cmp::Ordering::Less,
                (Some((p, _)), Some(Ok((c, _)))) => match self.direction {
                    Direction::Forward => p.cmp(c),
                    Direction::Backward => c.cmp(p),
                },
            };
            if order == std::cmp::Ordering::Greater {
                return self.committed.next();
            }
            if order == std::cmp::Ordering::Equal {
                self.committed.next();
            }
            if let Some((key, Some(value))) = self.pending.next() {
                return Some(Ok((key, value)));
            }
        }
    }
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(k) => Bound::Included(k),
        Bound::Excluded(k) => Bound::Excluded(k),
        Bound::Unbounded => Bound::Unbounded,
    }
}
