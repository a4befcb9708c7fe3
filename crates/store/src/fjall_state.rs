//! [`State`] over fjall: one keyspace for each [`Space`], one journal, one write batch per commit.
//!
//! Never lets fjall decide when a memtable is sealed: its own requests can fill the queue of its only worker with
//! messages and make that worker wait for itself, and its back-pressure sleeps 100 ms at a time and never ends
//! once a worker has failed. Here the committing thread seals, and waits only while the database is healthy.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fjall::compaction::Leveled;
use fjall::{Database, Guard, Keyspace, KeyspaceCreateOptions, LsmError, PersistMode, Readable};
use landfall_core::limits::{
    STORE_BLOCK_CACHE_BYTES, STORE_JOURNAL_BYTES_MAX, STORE_KEY_BYTES_MAX, STORE_LEVEL0_RUNS_MAX,
    STORE_MEMTABLE_BYTES_MAX, STORE_OPEN_FILES_MAX, STORE_SEALED_MEMTABLES_MAX,
    STORE_TABLE_BYTES_TARGET,
};

use crate::journal_room::JournalRoom;
use crate::{
    Batch, Direction, Scan, Space, State, StoreError, Write, data_dir, first_opening, journal_tail,
    table_lists,
};

/// What an entry takes in a memtable beside its key and value, roughly.
const ENTRY_OVERHEAD_BYTES: usize = 128;
/// A deletion counts like this much data, so that many of them reach compaction, which forgets them, soon:
/// until then every scan that crosses them has to step over each.
const DELETION_WEIGHT_BYTES: usize = 512;
/// Between two looks at whether the background work has caught up.
const ROOM_POLL: Duration = Duration::from_millis(1);

/// Durable [`State`] in a directory of its own, for one process at a time.
pub struct FjallState {
    spaces: [Keyspace; Space::ALL.len()],
    /// The lock admits one committer at a time.
    committer: Mutex<Committer>,
    failure: OnceLock<Arc<str>>,
    database: Database,
    /// Comes last: the directory is let go when everything else is closed.
    _lock: File,
}

/// What one commit leaves to the next.
struct Committer {
    /// Bytes written to each space since its memtable was sealed.
    unsealed: [u64; Space::ALL.len()],
    room: JournalRoom,
}

impl FjallState {
    /// Opens the state under `dir` (which holds `lock`, `format` and `state/`), making it when there is none.
    ///
    /// Fails with [`StoreError::Io`] naming the process that holds the directory, and with
    /// [`StoreError::Corrupt`] when acknowledged data are damaged. What an unfinished commit left is removed.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let lock = data_dir::claim(dir)?;
        let state_dir = dir.join("state");
        let is_new = first_opening::begin(dir, &state_dir)?;
        journal_tail::repair(&state_dir)?;
        table_lists::check(&state_dir)?;
        let database = Database::builder(&state_dir)
            .worker_threads(1)
            .cache_size(STORE_BLOCK_CACHE_BYTES)
            .max_cached_files(Some(STORE_OPEN_FILES_MAX))
            .max_journaling_size(STORE_JOURNAL_BYTES_MAX)
            .manual_journal_persist(true)
            .open()
            .map_err(|e| failed("cannot open the state", &e))?;
        let spaces = open_spaces(&database)?;
        if is_new {
            first_opening::end(dir, &state_dir)?;
        }
        let committer = Committer {
            unsealed: [0; Space::ALL.len()],
            room: JournalRoom::new(&state_dir),
        };
        Ok(Self {
            spaces,
            committer: Mutex::new(committer),
            failure: OnceLock::new(),
            database,
            _lock: lock,
        })
    }

    fn keyspace(&self, space: Space) -> &Keyspace {
        let [control, objects, road, streams] = &self.spaces;
        match space {
            Space::Control => control,
            Space::Objects => objects,
            Space::Road => road,
            Space::Streams => streams,
        }
    }

    fn refuse_after_failure(&self) -> Result<(), StoreError> {
        self.failure
            .get()
            .map_or(Ok(()), |why| Err(StoreError::Poisoned(Arc::clone(why))))
    }

    fn write(&self, batch: Batch, committer: &mut Committer) -> Result<(), StoreError> {
        for (space, bytes) in Space::ALL.into_iter().zip(&mut committer.unsealed) {
            if *bytes >= STORE_MEMTABLE_BYTES_MAX {
                self.seal(space)?;
                *bytes = 0;
            }
        }
        let entries = batch.writes.len();
        let mut written = 0;
        let mut ours = fjall::OwnedWriteBatch::with_capacity(self.database.clone(), entries)
            .durability(Some(PersistMode::SyncData));
        for (space, key, value) in batch.writes {
            let size = key.len() + value.as_ref().map_or(0, Bytes::len);
            written += size;
            let weight = match value {
                Some(_) => ENTRY_OVERHEAD_BYTES + size,
                None => ENTRY_OVERHEAD_BYTES + size + DELETION_WEIGHT_BYTES,
            };
            if let Some(bytes) = committer.unsealed.get_mut(space as usize) {
                *bytes = bytes.saturating_add(u64::try_from(weight).unwrap_or(u64::MAX));
            }
            match value {
                Some(value) => ours.insert(self.keyspace(space), key, value.as_ref()),
                None => ours.remove(self.keyspace(space), key),
            }
        }
        committer.room.before_batch(entries, written);
        ours.commit().map_err(|e| failed("cannot commit", &e))
    }

    /// Seals the memtable of a space; waits before, while too many wait to be written or compacted.
    fn seal(&self, space: Space) -> Result<(), StoreError> {
        let keyspace = self.keyspace(space);
        while keyspace.sealed_memtable_count() >= STORE_SEALED_MEMTABLES_MAX
            || keyspace.l0_table_count() >= STORE_LEVEL0_RUNS_MAX
        {
            // Fails when the background worker has: then the wait would have no end.
            self.database
                .persist(PersistMode::Buffer)
                .map_err(|e| failed("background work failed", &e))?;
            std::thread::sleep(ROOM_POLL);
        }
        keyspace
            .rotate_memtable()
            .map_err(|e| failed("cannot seal a memtable", &e))?;
        Ok(())
    }
}

impl State for FjallState {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        if key.is_empty() {
            return Ok(None);
        }
        // One key needs no snapshot: a commit is in the memtable only after it is on stable storage.
        self.keyspace(space)
            .get(key)
            .map(|value| value.map(|v| Bytes::copy_from_slice(&v)))
            .map_err(|e| failed("cannot read", &e))
    }

    fn scan(
        &self,
        space: Space,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        direction: Direction,
    ) -> Scan<'_> {
        if is_empty_range(from, to) {
            return Box::new(std::iter::empty());
        }
        let range = self
            .database
            .snapshot()
            .range::<&[u8], _>(self.keyspace(space), (from, to));
        match direction {
            Direction::Forward => Box::new(range.map(entry)),
            Direction::Backward => Box::new(range.rev().map(entry)),
        }
    }

    fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let mut committer = self
            .committer
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.refuse_after_failure()?;
        last_writes(batch)
            .and_then(|batch| self.write(batch, &mut committer))
            .inspect_err(|e| {
                tracing::error!(error = %e, "a commit failed: no further one is accepted");
                self.failure.get_or_init(|| e.to_string().into());
            })
    }
}

fn open_spaces(database: &Database) -> Result<[Keyspace; Space::ALL.len()], StoreError> {
    let open = |space: Space| {
        database
            .keyspace(space.name(), options)
            .map_err(|e| failed("cannot open a key space", &e))
    };
    let [a, b, c, d] = Space::ALL;
    Ok([open(a)?, open(b)?, open(c)?, open(d)?])
}

fn options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .manual_journal_persist(true)
        .max_memtable_size(u64::MAX)
        .compaction_strategy(Arc::new(
            Leveled::default().with_table_target_size(STORE_TABLE_BYTES_TARGET),
        ))
}

/// The batch with one write for each key. The loop's batches are in order of the keys, with one write for each.
fn last_writes(batch: Batch) -> Result<Batch, StoreError> {
    let sizes = batch.writes.iter().map(|(_, key, _)| key.len());
    for size in sizes {
        if size == 0 || size > STORE_KEY_BYTES_MAX {
            return Err(StoreError::io(
                "cannot commit",
                format_args!("key of {size} bytes"),
            ));
        }
    }
    let rises = |(space_a, a, _): &Write, (space_b, b, _): &Write| (space_a, a) < (space_b, b);
    if batch.writes.is_sorted_by(rises) {
        return Ok(batch);
    }
    let last: BTreeMap<_, _> = batch
        .writes
        .into_iter()
        .map(|(space, key, value)| ((space, key), value))
        .collect();
    let writes = last
        .into_iter()
        .map(|((space, key), value)| (space, key, value))
        .collect();
    Ok(Batch { writes })
}

fn is_empty_range(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    match (from, to) {
        (Bound::Included(f), Bound::Included(t)) => f > t,
        (Bound::Included(f) | Bound::Excluded(f), Bound::Included(t) | Bound::Excluded(t)) => {
            f >= t
        }
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}

fn entry(guard: Guard) -> Result<(Bytes, Bytes), StoreError> {
    let (key, value) = guard.into_inner().map_err(|e| failed("cannot scan", &e))?;
    Ok((Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value)))
}

fn failed(what: &str, error: &fjall::Error) -> StoreError {
    match error {
        fjall::Error::Storage(LsmError::Io(e)) | fjall::Error::Io(e) => StoreError::io(what, e),
        fjall::Error::Poisoned => StoreError::io(what, "an earlier write in the background failed"),
        fjall::Error::Locked => StoreError::io(what, "the state is in use by another process"),
        damage => StoreError::corrupt(what, damage),
    }
}
