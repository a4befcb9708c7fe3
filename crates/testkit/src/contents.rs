//! [`Contents`] in memory, which can be told to fail. Never checks more than lengths.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use landfall_store::{ContentId, ContentWriter, Contents, StoreError};

use crate::lock;

/// Bytes of one chunk of an opened content: small, so that tests see more than one.
const CHUNK_BYTES: usize = 1_000;

/// A [`Contents`] that tests own. Clones share the contents.
#[derive(Debug, Clone, Default)]
pub struct MemoryContents(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    contents: BTreeMap<ContentId, Bytes>,
    created: u64,
    is_full: bool,
}

impl MemoryContents {
    /// No contents.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on no content can be finished (or, with `false`, it can again).
    pub fn fail_finishing(&self, is_full: bool) {
        lock(&self.0).is_full = is_full;
    }

    /// Replaces the bytes of a content, as a damaged disk would.
    pub fn replace(&self, id: &ContentId, bytes: Bytes) {
        lock(&self.0).contents.insert(id.clone(), bytes);
    }
}

struct MemoryWriter {
    inner: Arc<Mutex<Inner>>,
    bytes: Vec<u8>,
}

#[async_trait]
impl ContentWriter for MemoryWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<ContentId, StoreError> {
        let mut inner = lock(&self.inner);
        if inner.is_full {
            return Err(StoreError::Io("the disk was told to fail".into()));
        }
        inner.created += 1;
        let id = ContentId(format!("{:032x}", inner.created));
        inner.contents.insert(id.clone(), self.bytes.into());
        Ok(id)
    }
}

#[async_trait]
impl Contents for MemoryContents {
    async fn create(&self) -> Result<Box<dyn ContentWriter>, StoreError> {
        Ok(Box::new(MemoryWriter {
            inner: Arc::clone(&self.0),
            bytes: Vec::new(),
        }))
    }

    async fn open(
        &self,
        id: &ContentId,
        offset: u64,
        length: u64,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        let whole = lock(&self.0)
            .contents
            .get(id)
            .cloned()
            .ok_or(StoreError::NoSuchContent)?;
        let range = usize::try_from(offset)
            .ok()
            .zip(usize::try_from(offset + length).ok());
        let (from, to) = range
            .filter(|(_, to)| *to <= whole.len())
            .ok_or_else(|| StoreError::Corrupt("the content is too short".into()))?;
        let part = whole.slice(from..to);
        let chunks: Vec<_> = part
            .chunks(CHUNK_BYTES)
            .map(|c| Ok(part.slice_ref(c)))
            .collect();
        Ok(stream::iter(chunks).boxed())
    }

    async fn remove(&self, id: &ContentId) -> Result<(), StoreError> {
        lock(&self.0).contents.remove(id);
        Ok(())
    }

    async fn list(&self) -> Result<Vec<ContentId>, StoreError> {
        Ok(lock(&self.0).contents.keys().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_finished_is_there_in_pieces() {
        let contents = MemoryContents::new();
        let mut writer = contents.create().await.unwrap();
        writer.write(vec![1; 1_500].into()).await.unwrap();
        writer.write(vec![2; 1_000].into()).await.unwrap();
        drop(contents.create().await.unwrap());
        let id = writer.finish().await.unwrap();
        assert_eq!(contents.list().await.unwrap(), std::slice::from_ref(&id));
        let chunks: Vec<_> = contents
            .open(&id, 1_400, 1_100)
            .await
            .unwrap()
            .collect()
            .await;
        let chunks: Vec<Bytes> = chunks.into_iter().map(Result::unwrap).collect();
        assert_eq!(chunks.len(), 2);
        assert_eq!(chunks.concat(), [vec![1; 100], vec![2; 1_000]].concat());
        assert!(matches!(
            contents.open(&id, 2_000, 501).await,
            Err(StoreError::Corrupt(_))
        ));
        contents.remove(&id).await.unwrap();
        assert!(matches!(
            contents.open(&id, 0, 1).await,
            Err(StoreError::NoSuchContent)
        ));
    }
}
