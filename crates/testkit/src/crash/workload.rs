//! What the crash matrix has the stores do: commits as the road of an object makes them, with contents beside them, each
//! following from a seed. Keeps the history by which any later state can be judged; never looks at the disk itself.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use landfall_core::limits::INLINE_OBJECT_BYTES_MAX;
use landfall_store::{
    Batch, ContentId, Contents as _, FileContents, FjallState, Space, State as _, StoreError, Write,
};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::Random;

/// The key whose value is the number of the last step.
pub(super) const STEP_KEY: &[u8] = b"step";
/// Object keys that take turns.
const OBJECTS: u64 = 400;
/// One step of so many writes a content.
const CONTENT_EVERY: u64 = 6;
const CONTENT_BYTES_MAX: u64 = 300 * 1024;
/// One step of so many removes a content.
const REMOVAL_EVERY: u64 = 10;
/// One step of so many is large: together they fill memtables.
const LARGE_EVERY: u64 = 20;
const LARGE_ENTRIES: u64 = 16;
const EVENT_BYTES_MAX: u64 = 900;
/// Events that wait before the oldest is deleted.
const EVENTS_WAITING: u64 = 12;

/// What was done, so far as it was begun.
#[derive(Debug, Clone)]
pub struct History {
    /// Digest of all entries after so many steps.
    pub(super) digests: Vec<u64>,
    pub(super) contents: Vec<Kept>,
}

/// A content and the steps that name it: from `born` on, until `gone`.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) id: ContentId,
    pub(super) length: u64,
    pub(super) hash: u64,
    pub(super) born: u64,
    pub(super) gone: u64,
}

impl History {
    /// Steps that were begun.
    pub fn begun(&self) -> u64 {
        self.digests.len() as u64 - 1
    }
}

/// Both stores of a data directory.
pub(super) struct Stores {
    pub(super) state: FjallState,
    pub(super) contents: FileContents,
}

impl Stores {
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            state: FjallState::open(dir)?,
            contents: FileContents::open(dir)?,
        })
    }
}

/// The digest that an entry adds to that of all.
pub(super) fn digest(space: Space, key: &[u8], value: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(space.name().as_bytes());
    hash.update(&(key.len() as u64).to_le_bytes());
    hash.update(key);
    hash.update(value);
    hash.digest()
}

/// Steps that follow from a seed.
pub struct Workload {
    random: Random,
    model: BTreeMap<(Space, Vec<u8>), u64>,
    history: History,
    /// Contents that are named now.
    named: Vec<usize>,
}

impl Workload {
    /// The steps of a seed, on empty stores.
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            model: BTreeMap::new(),
            history: History {
                digests: vec![0],
                contents: Vec::new(),
            },
            named: Vec::new(),
        }
    }

    /// Takes up to `steps` steps in the directory, and calls `done` after each. Also after an error the history tells
    /// what may be there.
    pub async fn run(
        mut self,
        dir: &Path,
        steps: u64,
        done: impl Fn(u64),
    ) -> (History, Result<(), StoreError>) {
        let stores = match Stores::open(dir) {
            Ok(stores) => stores,
            Err(e) => return (self.history, Err(e)),
        };
        for number in 1..=steps {
            if let Err(e) = self.step(&stores, number).await {
                return (self.history, Err(e));
            }
            done(number);
        }
        (self.history, Ok(()))
    }

    async fn step(&mut self, stores: &Stores, number: u64) -> Result<(), StoreError> {
        let mut writes = vec![put(Space::Control, STEP_KEY, number.to_be_bytes().to_vec())];
        self.land(number, &mut writes);
        if self.random.below(CONTENT_EVERY) == 0 {
            writes.push(self.write_content(stores, number).await?);
        }
        let removed = self.remove_content(number, &mut writes);
        if self.random.below(LARGE_EVERY) == 0 {
            self.grow(&mut writes);
        }
        self.foresee(&writes);
        stores.state.commit(Batch { writes })?;
        match removed {
            Some(id) => stores.contents.remove(&id).await,
            None => Ok(()),
        }
    }

    /// An object and its event; an event that was routed goes.
    fn land(&self, number: u64, writes: &mut Vec<Write>) {
        let size = match self.random.below(8) {
            0 => INLINE_OBJECT_BYTES_MAX,
            1 => self.random.below(INLINE_OBJECT_BYTES_MAX),
            _ => self.random.below(600),
        };
        let key = format!("object/{}", self.random.below(OBJECTS));
        writes.push(put(Space::Objects, key, self.random.bytes(size)));
        let event = self.random.bytes(self.random.below(EVENT_BYTES_MAX));
        writes.push(put(Space::Road, event_key(number), event));
        if let Some(routed) = number.checked_sub(EVENTS_WAITING) {
            writes.push((Space::Road, event_key(routed), None));
            let message = format!("message/{number:08}");
            writes.push(put(Space::Streams, message, self.random.bytes(100)));
        }
    }

    async fn write_content(&mut self, stores: &Stores, number: u64) -> Result<Write, StoreError> {
        let bytes = Bytes::from(self.random.bytes(1 + self.random.below(CONTENT_BYTES_MAX)));
        let (length, hash) = (bytes.len() as u64, xxh3_64(&bytes));
        let mut writer = stores.contents.create().await?;
        writer.write(bytes).await?;
        let id = writer.finish().await?;
        let write = put(
            Space::Objects,
            content_key(&id),
            hash.to_le_bytes().to_vec(),
        );
        self.named.push(self.history.contents.len());
        self.history.contents.push(Kept {
            id,
            length,
            hash,
            born: number,
            gone: u64::MAX,
        });
        Ok(write)
    }

    fn remove_content(&mut self, number: u64, writes: &mut Vec<Write>) -> Option<ContentId> {
        if self.named.is_empty() || self.random.below(REMOVAL_EVERY) != 0 {
            return None;
        }
        let chosen = self.named.swap_remove(self.random.index(self.named.len()));
        let kept = self.history.contents.get_mut(chosen)?;
        if kept.born == number {
            self.named.push(chosen);
            return None;
        }
        kept.gone = number;
        writes.push((Space::Objects, content_key(&kept.id), None));
        Some(kept.id.clone())
    }

    fn grow(&self, writes: &mut Vec<Write>) {
        for (entry, space) in (0..LARGE_ENTRIES).zip(Space::ALL.iter().cycle()) {
            let key = format!("large/{entry}/{}", self.random.below(8));
            let size = self.random.below(2 * INLINE_OBJECT_BYTES_MAX);
            writes.push(put(*space, key, self.random.bytes(size)));
        }
    }

    /// Writes down what is there once the batch is.
    fn foresee(&mut self, writes: &[Write]) {
        let mut all = self.history.digests.last().copied().unwrap_or(0);
        for (space, key, value) in writes {
            let place = (*space, key.clone());
            let before = match value {
                Some(value) => {
                    let own = digest(*space, key, value);
                    all = all.wrapping_add(own);
                    self.model.insert(place, own)
                }
                None => self.model.remove(&place),
            };
            all = all.wrapping_sub(before.unwrap_or(0));
        }
        self.history.digests.push(all);
    }
}

fn put(space: Space, key: impl AsRef<[u8]>, value: Vec<u8>) -> Write {
    (space, key.as_ref().to_vec(), Some(value.into()))
}

fn event_key(number: u64) -> Vec<u8> {
    format!("event/{number:08}").into_bytes()
}

fn content_key(id: &ContentId) -> Vec<u8> {
    format!("content/{}", id.0).into_bytes()
}
