//! [`Contents`] in files: `contents/ab/<id>`, each a body and a footer with its length and checksum.
//!
//! Never reuses or changes a file: it is written under a temporary name, synced, renamed, and only ever removed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use landfall_core::limits::CONTENT_CHUNK_BYTES;
use xxhash_rust::xxh3::Xxh3;

use crate::{ContentId, ContentWriter, Contents, StoreError, data_dir};

const CONTENTS_DIR: &str = "contents";
const UNFINISHED_DIR: &str = "unfinished";
const ID_BYTES: usize = 16;
const FOOTER_MARK: [u8; 8] = *b"landfal1";
/// Mark, length of the body, XXH3-64 of the body; numbers little-endian.
const FOOTER_BYTES: u64 = 24;

/// Durable [`Contents`] in the data directory, which the caller has locked by opening its state.
///
/// A content read from its first to its last byte is checked against its checksum: the last chunk of damaged data
/// is an error. A part of a content is checked for its length only.
pub struct FileContents {
    root: Arc<Root>,
}

struct Root {
    dir: PathBuf,
    /// First two digits whose directory this process knows to be durable.
    shards: Mutex<BTreeSet<String>>,
}

impl FileContents {
    /// Opens the contents under `dir` and removes what unfinished writers left there.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let dir = dir.join(CONTENTS_DIR);
        let unfinished = dir.join(UNFINISHED_DIR);
        data_dir::make_dir(&unfinished)?;
        for entry in fs::read_dir(&unfinished).map_err(|e| failed("list", &unfinished, e))? {
            let path = entry.map_err(|e| failed("list", &unfinished, e))?.path();
            fs::remove_file(&path).map_err(|e| failed("remove", &path, e))?;
        }
        Ok(Self {
            root: Arc::new(Root {
                dir,
                shards: Mutex::default(),
            }),
        })
    }
}

impl Root {
    fn shard(&self, id: &ContentId) -> Option<PathBuf> {
        let is_id = id.0.len() == ID_BYTES * 2
            && id.0.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_id {
            id.0.get(..2).map(|shard| self.dir.join(shard))
        } else {
            None
        }
    }

    fn path(&self, id: &ContentId) -> Option<PathBuf> {
        self.shard(id).map(|shard| shard.join(&id.0))
    }

    /// Makes the directory of an id. It is synced once per process, since a crash may have cut short the
    /// process that made it; the lock keeps a second writer from relying on it before that.
    fn make_shard(&self, shard: &Path) -> Result<(), StoreError> {
        let name = shard
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        if shards.contains(&name) {
            return Ok(());
        }
        match fs::create_dir(shard) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("make", shard, e));
            }
            _ => {}
        }
        data_dir::sync_dir(&self.dir)?;
        shards.insert(name);
        Ok(())
    }
}

#[async_trait]
impl Contents for FileContents {
    async fn create(&self) -> Result<Box<dyn ContentWriter>, StoreError> {
        let root = Arc::clone(&self.root);
        blocking(move || {
            let id = draw_id()?;
            let path = root.dir.join(UNFINISHED_DIR).join(&id.0);
            let file = File::create_new(&path).map_err(|e| failed("make", &path, e))?;
            let body = Body {
                file,
                hash: Box::new(Xxh3::new()),
                length: 0,
            };
            let buffer = Vec::with_capacity(CONTENT_CHUNK_BYTES);
            let writer = FileWriter {
                root,
                id,
                unfinished: Unfinished(path),
                body: Some(body),
                buffer,
            };
            Ok(Box::new(writer) as Box<dyn ContentWriter>)
        })
        .await
    }

    async fn open(
        &self,
        id: &ContentId,
        offset: u64,
        length: u64,
    ) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, StoreError> {
        let path = self.root.path(id).ok_or(StoreError::NoSuchContent)?;
        let reader = blocking(move || Reader::open(path, offset, length)).await?;
        Ok(Box::pin(stream::try_unfold(reader, |reader| {
            blocking(move || reader.next_chunk())
        })))
    }

    async fn remove(&self, id: &ContentId) -> Result<(), StoreError> {
        let Some(path) = self.root.path(id) else {
            return Ok(());
        };
        blocking(move || match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed("remove", &path, e)),
            _ => Ok(()),
        })
        .await
    }

    async fn list(&self) -> Result<Vec<ContentId>, StoreError> {
        let root = Arc::clone(&self.root);
        blocking(move || {
            let mut ids = Vec::new();
            for shard in names(&root.dir)?.into_iter().filter(|name| name.len() == 2) {
                ids.extend(names(&root.dir.join(shard))?.into_iter().map(ContentId));
            }
            ids.retain(|id| root.shard(id).is_some());
            Ok(ids)
        })
        .await
    }
}

struct FileWriter {
    root: Arc<Root>,
    id: ContentId,
    unfinished: Unfinished,
    /// Away while a blocking thread writes; lost when that write failed or was abandoned.
    body: Option<Body>,
    buffer: Vec<u8>,
}

/// Removes its file when dropped; after the rename there is none.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _left_for_the_next_start = fs::remove_file(&self.0);
    }
}

struct Body {
    file: File,
    hash: Box<Xxh3>,
    length: u64,
}

impl Body {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn seal(mut self) -> io::Result<()> {
        self.file
            .write_all(&footer(self.length, self.hash.digest()))?;
        self.file.sync_data()
    }
}

impl FileWriter {
    async fn flush(&mut self) -> Result<(), StoreError> {
        let mut body = self.take_body()?;
        let mut buffer = std::mem::take(&mut self.buffer);
        let path = self.unfinished.0.clone();
        let (body, buffer) = blocking(move || {
            body.append(&buffer)
                .map_err(|e| failed("write", &path, e))?;
            buffer.clear();
            Ok((body, buffer))
        })
        .await?;
        self.body = Some(body);
        self.buffer = buffer;
        Ok(())
    }

    fn take_body(&mut self) -> Result<Body, StoreError> {
        let failed = || StoreError::Poisoned("an earlier write of this content failed".into());
        self.body.take().ok_or_else(failed)
    }
}

#[async_trait]
impl ContentWriter for FileWriter {
    async fn write(&mut self, mut bytes: Bytes) -> Result<(), StoreError> {
        while !bytes.is_empty() {
            let room = CONTENT_CHUNK_BYTES.saturating_sub(self.buffer.len());
            self.buffer
                .extend_from_slice(&bytes.split_to(room.min(bytes.len())));
            if self.buffer.len() >= CONTENT_CHUNK_BYTES {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<ContentId, StoreError> {
        let mut body = self.take_body()?;
        blocking(move || {
            let Self {
                root,
                id,
                unfinished,
                buffer,
                ..
            } = *self;
            let from = &unfinished.0;
            let shard = root.shard(&id).ok_or(StoreError::NoSuchContent)?;
            body.append(&buffer)
                .and_then(|()| body.seal())
                .map_err(|e| failed("write", from, e))?;
            root.make_shard(&shard)?;
            let to = shard.join(&id.0);
            fs::rename(from, &to).map_err(|e| failed("rename", &to, e))?;
            data_dir::sync_dir(&shard)?;
            Ok(id)
        })
        .await
    }
}

struct Reader {
    file: File,
    path: PathBuf,
    at: u64,
    end: u64,
    /// Of what was read so far and of the whole, when all of it is read.
    check: Option<(Box<Xxh3>, u64)>,
}

impl Reader {
    fn open(path: PathBuf, offset: u64, length: u64) -> Result<Self, StoreError> {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(StoreError::NoSuchContent),
            Err(e) => return Err(failed("open", &path, e)),
        };
        let (whole, hash) = read_footer(&file, &path)?;
        let end = offset
            .checked_add(length)
            .filter(|end| *end <= whole)
            .ok_or_else(|| {
                StoreError::corrupt(path.display(), format_args!("only {whole} bytes are there"))
            })?;
        let check = (length == whole).then(|| (Box::new(Xxh3::new()), hash));
        Ok(Self {
            file,
            path,
            at: offset,
            end,
            check,
        })
    }

    fn next_chunk(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(None);
        }
        let mut chunk = vec![0; left.min(CONTENT_CHUNK_BYTES)];
        self.file
            .read_exact_at(&mut chunk, self.at)
            .map_err(|e| match e.kind() {
                io::ErrorKind::UnexpectedEof => {
                    StoreError::corrupt(self.path.display(), "it ends early")
                }
                _ => failed("read", &self.path, e),
            })?;
        self.at += chunk.len() as u64;
        if let Some((hash, expected)) = &mut self.check {
            hash.update(&chunk);
            if self.at == self.end && hash.digest() != *expected {
                return Err(StoreError::corrupt(
                    self.path.display(),
                    "its checksum does not match",
                ));
            }
        }
        Ok(Some((chunk.into(), self)))
    }
}

fn footer(length: u64, hash: u64) -> [u8; FOOTER_BYTES as usize] {
    let mut bytes = [0; FOOTER_BYTES as usize];
    let parts = [FOOTER_MARK, length.to_le_bytes(), hash.to_le_bytes()];
    for (to, from) in bytes.iter_mut().zip(parts.iter().flatten()) {
        *to = *from;
    }
    bytes
}

/// Length and checksum of the body.
fn read_footer(file: &File, path: &Path) -> Result<(u64, u64), StoreError> {
    let damaged = || StoreError::corrupt(path.display(), "it is not whole");
    let size = file.metadata().map_err(|e| failed("read", path, e))?.len();
    let length = size.checked_sub(FOOTER_BYTES).ok_or_else(damaged)?;
    let mut hash = [0; 8];
    file.read_exact_at(&mut hash, size - 8)
        .map_err(|e| failed("read", path, e))?;
    let hash = u64::from_le_bytes(hash);
    let mut stored = [0; FOOTER_BYTES as usize];
    file.read_exact_at(&mut stored, length)
        .map_err(|e| failed("read", path, e))?;
    if stored == footer(length, hash) {
        Ok((length, hash))
    } else {
        Err(damaged())
    }
}

fn names(dir: &Path) -> Result<Vec<String>, StoreError> {
    let entries = fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|e| failed("list", dir, e))?;
    Ok(entries
        .into_iter()
        .filter_map(|e| e.file_name().into_string().ok())
        .collect())
}

fn draw_id() -> Result<ContentId, StoreError> {
    let mut bytes = [0_u8; ID_BYTES];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|e| StoreError::io("cannot draw an id", e))?;
    Ok(ContentId(hex::encode(bytes)))
}

fn failed(verb: &str, path: &Path, cause: io::Error) -> StoreError {
    StoreError::io(format_args!("cannot {verb} {}", path.display()), cause)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(StoreError::io("a file operation did not end", e)))
}
