//! Crash-safe memory behind two traits: [`State`] (ordered keys, one atomic durable commit) and [`Contents`]
//! (object bytes too large to live beside their metadata).
//!
//! Never knows what it stores, never retries a failed sync: a store that failed to write is poisoned and says so.

mod data_dir;
mod file_contents;
mod first_opening;
mod fjall_state;
mod journal_room;
mod journal_tail;
mod table_lists;

use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

pub use file_contents::FileContents;
pub use fjall_state::FjallState;

/// Why the store could not do its work.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A read or write failed; the text names the operation and the cause.
    #[error("the store failed: {0}")]
    Io(Arc<str>),
    /// An earlier write or sync failed: nothing is accepted any more until a restart.
    #[error("the store refuses writes since an earlier failure: {0}")]
    Poisoned(Arc<str>),
    /// Stored bytes are not what was written.
    #[error("stored data is damaged: {0}")]
    Corrupt(Arc<str>),
    /// The content file does not exist.
    #[error("no such content")]
    NoSuchContent,
}

impl StoreError {
    /// A failed operation: what was tried, and why it failed.
    pub(crate) fn io(what: impl std::fmt::Display, cause: impl std::fmt::Display) -> Self {
        Self::Io(format!("{what}: {cause}").into())
    }

    /// Damaged data: where it is, and how it shows.
    pub(crate) fn corrupt(what: impl std::fmt::Display, how: impl std::fmt::Display) -> Self {
        Self::Corrupt(format!("{what}: {how}").into())
    }
}

impl From<StoreError> for landfall_core::error::ApiError {
    fn from(error: StoreError) -> Self {
        Self::internal(error.to_string())
    }
}

/// The ordered key spaces. A space is only a name: which keys it holds is the business of `flow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// Resources that change seldom: buckets, rules, task definitions, stacks, parameters, …
    Control,
    /// Object versions, uploads and parts.
    Objects,
    /// Events on their way, deliveries, tasks, the ledger.
    Road,
    /// Messages in queues and log events.
    Streams,
}

impl Space {
    /// All spaces, in a fixed order.
    pub const ALL: [Self; 4] = [Self::Control, Self::Objects, Self::Road, Self::Streams];

    /// The space's name on disk; never changes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Objects => "objects",
            Self::Road => "road",
            Self::Streams => "streams",
        }
    }
}

/// A write of one key; without a value it deletes the key.
pub type Write = (Space, Vec<u8>, Option<Bytes>);

/// Writes that become durable together or not at all. A later write of the same key wins.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The writes.
    pub writes: Vec<Write>,
}

/// Which way a scan walks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Ascending keys.
    Forward,
    /// Descending keys.
    Backward,
}

/// The entries of a scan: keys and values, or the error that ended it.
pub type Scan<'a> = Box<dyn Iterator<Item = Result<(Bytes, Bytes), StoreError>> + 'a>;

/// Ordered keys with one atomic, durable commit.
pub trait State: Send + Sync + 'static {
    /// The committed value of a key.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// The committed entries between two bounds, as of one moment.
    fn scan(
        &self,
        space: Space,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        direction: Direction,
    ) -> Scan<'_>;

    /// Makes the batch durable and visible, in that order; returns only after it is on stable storage.
    /// After the first failure every later call answers [`StoreError::Poisoned`].
    fn commit(&self, batch: Batch) -> Result<(), StoreError>;
}

/// Name of a content: 32 lower-case hex digits, drawn by the store, never derived from an object key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentId(pub String);

/// A content being written. Dropping it without `finish` discards it.
#[async_trait]
pub trait ContentWriter: Send {
    /// Appends bytes.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError>;
    /// Syncs the bytes and the directory entry; the content is durable when this returns.
    async fn finish(self: Box<Self>) -> Result<ContentId, StoreError>;
}

/// Object bytes in files of their own.
#[async_trait]
pub trait Contents: Send + Sync + 'static {
    /// Starts a new content.
    async fn create(&self) -> Result<Box<dyn ContentWriter>, StoreError>;
    /// Opens `length` bytes from `offset` as a stream of chunks.
    async fn open(
        &self,
        id: &ContentId,
        offset: u64,
        length: u64,
    ) -> Result<futures::stream::BoxStream<'static, Result<Bytes, StoreError>>, StoreError>;
    /// Removes a content; removing what is not there is no error.
    async fn remove(&self, id: &ContentId) -> Result<(), StoreError>;
    /// All contents there are, for collecting those that no commit ever named.
    async fn list(&self) -> Result<Vec<ContentId>, StoreError>;
}
