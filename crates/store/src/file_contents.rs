//! [`Contents`] in files: `contents/ab/<id>`, each a body, the checksums of its chunks, and a footer with its length.
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
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::{ContentId, ContentWriter, Contents, StoreError, data_dir};

const CONTENTS_DIR: &str = "contents";
const UNFINISHED_DIR: &str = "unfinished";
const ID_BYTES: usize = 16;
const FOOTER_MARK: [u8; 8] = *b"landfal2";
/// Of files whose body has one checksum, which stands in the footer; they are no longer written.
const FOOTER_MARK_BEFORE: [u8; 8] = *b"landfal1";
/// Mark, length of the body, XXH3-64 of the checksums; numbers little-endian.
const FOOTER_BYTES: u64 = 24;
/// XXH3-64 of a chunk, little-endian.
const SUM_BYTES: u64 = 8;
/// Bytes that share a checksum: part of the form of a file, so it never changes.
const CHUNK_BYTES: u64 = 128 * 1024;
const CHUNK: usize = CHUNK_BYTES as usize;
const _: () = assert!(
    CONTENT_CHUNK_BYTES.is_multiple_of(CHUNK),
    "only the last chunk is short"
);

/// Durable [`Contents`] in the data directory, which the caller has locked by opening its state.
///
/// Every chunk is checked before any byte of it is given out, whichever part of a content is read.
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
                sums: Vec::new(),
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
    sums: Vec<u8>,
    length: u64,
}

impl Body {
    /// Appends whole chunks; only the last one of all may be short.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        for chunk in bytes.chunks(CHUNK) {
            self.sums.extend_from_slice(&xxh3_64(chunk).to_le_bytes());
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn seal(mut self) -> io::Result<()> {
        let footer = footer(FOOTER_MARK, self.length, xxh3_64(&self.sums));
        self.sums.extend_from_slice(&footer);
        self.file.write_all(&self.sums)?;
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
    whole: u64,
    sums: Sums,
}

/// What the body is checked against.
enum Sums {
    /// One checksum for each chunk.
    OfChunks(Vec<u8>),
    /// All of it was checked when it was opened.
    Checked,
}

impl Reader {
    fn open(path: PathBuf, offset: u64, length: u64) -> Result<Self, StoreError> {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(StoreError::NoSuchContent),
            Err(e) => return Err(failed("open", &path, e)),
        };
        let (whole, sums) = read_footer(&file, &path)?;
        let end = offset
            .checked_add(length)
            .filter(|end| *end <= whole)
            .ok_or_else(|| {
                StoreError::corrupt(path.display(), format_args!("only {whole} bytes are there"))
            })?;
        Ok(Self {
            file,
            path,
            at: offset,
            end,
            whole,
            sums,
        })
    }

    fn next_chunk(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        if self.at >= self.end {
            return Ok(None);
        }
        let number = self.at / CHUNK_BYTES;
        let start = number * CHUNK_BYTES;
        let chunk = Bytes::from(read_part(
            &self.file,
            &self.path,
            start,
            CHUNK_BYTES.min(self.whole - start),
        )?);
        if !self.sums.agree(number, &chunk) {
            return Err(mismatch(&self.path));
        }
        let within = |at: u64| usize::try_from(at - start).unwrap_or(usize::MAX);
        let end = self.end.min(start + chunk.len() as u64);
        let wanted = chunk.slice(within(self.at)..within(end));
        self.at = end;
        Ok(Some((wanted, self)))
    }
}

impl Sums {
    fn agree(&self, number: u64, chunk: &[u8]) -> bool {
        let Self::OfChunks(sums) = self else {
            return true;
        };
        let at = usize::try_from(number * SUM_BYTES).ok();
        let sum = at.and_then(|at| sums.get(at..)?.first_chunk());
        sum.is_some_and(|sum| u64::from_le_bytes(*sum) == xxh3_64(chunk))
    }
}

fn footer(mark: [u8; 8], length: u64, hash: u64) -> [u8; FOOTER_BYTES as usize] {
    let mut bytes = [0; FOOTER_BYTES as usize];
    let parts = [mark, length.to_le_bytes(), hash.to_le_bytes()];
    for (to, from) in bytes.iter_mut().zip(parts.iter().flatten()) {
        *to = *from;
    }
    bytes
}

/// Length of the body, and what it is checked against.
fn read_footer(file: &File, path: &Path) -> Result<(u64, Sums), StoreError> {
    let damaged = || StoreError::corrupt(path.display(), "it is not whole");
    let size = file.metadata().map_err(|e| failed("read", path, e))?.len();
    let at = size.checked_sub(FOOTER_BYTES).ok_or_else(damaged)?;
    let stored = read_part(file, path, at, FOOTER_BYTES)?;
    let number = |at: usize| {
        let bytes = stored.get(at..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    let (length, hash) = (number(8), number(16));
    let sums_bytes = length.div_ceil(CHUNK_BYTES).checked_mul(SUM_BYTES);
    let sums_bytes = sums_bytes.ok_or_else(damaged)?;
    if stored == footer(FOOTER_MARK, length, hash) && length.checked_add(sums_bytes) == Some(at) {
        let sums = read_part(file, path, length, sums_bytes)?;
        return match xxh3_64(&sums) == hash {
            true => Ok((length, Sums::OfChunks(sums))),
            false => Err(mismatch(path)),
        };
    }
    if stored == footer(FOOTER_MARK_BEFORE, at, hash) {
        check_whole(file, path, at, hash)?;
        return Ok((at, Sums::Checked));
    }
    Err(damaged())
}

/// Checks a body that has one checksum.
fn check_whole(file: &File, path: &Path, length: u64, expected: u64) -> Result<(), StoreError> {
    let mut hash = Xxh3::new();
    for start in (0..length).step_by(CHUNK) {
        hash.update(&read_part(
            file,
            path,
            start,
            CHUNK_BYTES.min(length - start),
        )?);
    }
    match hash.digest() == expected {
        true => Ok(()),
        false => Err(mismatch(path)),
    }
}

fn read_part(file: &File, path: &Path, at: u64, length: u64) -> Result<Vec<u8>, StoreError> {
    let early = || StoreError::corrupt(path.display(), "it ends early");
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| early())?];
    match file.read_exact_at(&mut bytes, at) {
        Ok(()) => Ok(bytes),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err(early()),
        Err(e) => Err(failed("read", path, e)),
    }
}

fn mismatch(path: &Path) -> StoreError {
    StoreError::corrupt(path.display(), "its checksum does not match")
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
