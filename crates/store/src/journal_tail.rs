//! Tells a torn last commit from damage, before fjall replays its journals.
//!
//! Left alone, fjall refuses to open when the last batch lost one of its middle pages in a power cut, and silently
//! forgets everything behind the first unreadable byte when that byte lies in the middle. Both are wrong here: only
//! the last batch can be torn, since each is synced before the next is written, and it was not acknowledged. So an
//! invalid end is cut off, and an invalid batch with a valid one behind it is an error.
//!
//! Never changes a byte of a valid batch. Reads fjall's journal format 3 (without compression).

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use crate::StoreError;

const TAG_START: u8 = 1;
const TAG_ITEM: u8 = 2;
const TAG_END: u8 = 3;
const TAG_CLEAR: u8 = 4;
const TRAILER: [u8; 4] = *b"FJL\x03";
const CHUNK_BYTES: usize = 64 * 1024;

/// Checks all journals in `state_dir` and cuts a torn batch off the newest one.
pub(crate) fn repair(state_dir: &Path) -> Result<(), StoreError> {
    let mut journals = journals(state_dir)?;
    let Some(newest) = journals.pop() else {
        return Ok(());
    };
    for sealed in &journals {
        if let Some(at) = torn_at(sealed)? {
            return Err(StoreError::corrupt(
                sealed.display(),
                format_args!("invalid entry at byte {at} of a sealed journal"),
            ));
        }
    }
    let Some(at) = torn_at(&newest)? else {
        return Ok(());
    };
    tracing::warn!(journal = %newest.display(), at, "removing a commit that a crash left unfinished");
    OpenOptions::new()
        .write(true)
        .open(&newest)
        .and_then(|file| file.set_len(at).and_then(|()| file.sync_all()))
        .map_err(|e| StoreError::io(format_args!("cannot shorten {}", newest.display()), e))
}

/// The journals, oldest first.
pub(crate) fn journals(state_dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed =
        |e: io::Error| StoreError::io(format_args!("cannot list {}", state_dir.display()), e);
    let entries = match fs::read_dir(state_dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(e)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".jnl")?.parse::<u64>().ok());
        found.extend(number.map(|n| (n, path)));
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Where the valid batches end, when anything but zeros follows them.
fn torn_at(path: &Path) -> Result<Option<u64>, StoreError> {
    let failed = |e: io::Error| StoreError::io(format_args!("cannot read {}", path.display()), e);
    let file = File::open(path).map_err(failed)?;
    let mut input = BufReader::with_capacity(CHUNK_BYTES, file);
    let mut end = 0;
    let mut seqno = None;
    while let Some(batch) = read_batch(&mut input, seqno).map_err(failed)? {
        end += batch.bytes;
        seqno = Some(batch.seqno);
    }
    let rest = read_rest(input.into_inner(), path, end, seqno)?;
    Ok(rest.then_some(end))
}

/// Whether anything but zeros stands behind `end`; an error when that includes a valid batch.
fn read_rest(
    mut file: File,
    path: &Path,
    end: u64,
    seqno: Option<u64>,
) -> Result<bool, StoreError> {
    let failed = |e: io::Error| StoreError::io(format_args!("cannot read {}", path.display()), e);
    let mut any = false;
    let mut at = end;
    while let Some(data) = next_data(&file, at).map_err(failed)? {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        file.seek(SeekFrom::Start(data)).map_err(failed)?;
        (&mut file)
            .take(CHUNK_BYTES as u64)
            .read_to_end(&mut chunk)
            .map_err(failed)?;
        any |= chunk.iter().any(|b| *b != 0);
        for behind in trailers(&chunk) {
            file.seek(SeekFrom::Start(data + behind)).map_err(failed)?;
            let next = read_batch(&mut BufReader::new(&file), seqno).map_err(failed)?;
            if next.is_some() {
                return Err(StoreError::corrupt(
                    path.display(),
                    format_args!("invalid entry at byte {end} with valid ones behind it"),
                ));
            }
        }
        if chunk.len() < CHUNK_BYTES {
            break;
        }
        // A trailer may straddle two chunks.
        at = data + (CHUNK_BYTES - TRAILER.len() + 1) as u64;
    }
    Ok(any)
}

/// Offsets behind each batch trailer in a chunk.
fn trailers(chunk: &[u8]) -> impl Iterator<Item = u64> {
    chunk
        .windows(TRAILER.len())
        .enumerate()
        .filter(|(_, window)| **window == TRAILER)
        .map(|(at, _)| (at + TRAILER.len()) as u64)
}

/// The next offset that is not in a hole: journals are made at full size and mostly empty.
fn next_data(file: &File, from: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(from)) {
        Ok(at) => Ok(Some(at)),
        Err(rustix::io::Errno::NXIO) => Ok(None),
        Err(rustix::io::Errno::INVAL) => Ok(Some(from)),
        Err(e) => Err(e.into()),
    }
}

struct ReadBatch {
    bytes: u64,
    seqno: u64,
}

/// Reads one whole batch; `None` when there is no valid one with a higher number than `after`.
fn read_batch(input: &mut impl Read, after: Option<u64>) -> io::Result<Option<ReadBatch>> {
    match try_batch(input, after) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        other => other,
    }
}

fn try_batch(input: &mut impl Read, after: Option<u64>) -> io::Result<Option<ReadBatch>> {
    if byte(input)? != TAG_START {
        return Ok(None);
    }
    let count = u32::from_le_bytes(array(input)?);
    let seqno = u64::from_le_bytes(array(input)?);
    if after.is_some_and(|last| seqno <= last) {
        return Ok(None);
    }
    let mut items = Hashed {
        input,
        hash: Xxh3::new(),
        bytes: 0,
    };
    for _ in 0..count {
        if !skip_item(&mut items)? {
            return Ok(None);
        }
    }
    let Hashed { input, hash, bytes } = items;
    let is_whole = byte(input)? == TAG_END
        && u64::from_le_bytes(array(input)?) == hash.digest()
        && array(input)? == TRAILER;
    Ok(is_whole.then_some(ReadBatch {
        bytes: bytes + 13 + 13,
        seqno,
    }))
}

fn skip_item(items: &mut Hashed<'_, impl Read>) -> io::Result<bool> {
    match byte(items)? {
        TAG_ITEM => {
            let [_value_type, compression] = array(items)?;
            let _keyspace: [u8; 8] = array(items)?;
            let key = u16::from_le_bytes(array(items)?);
            let _unpacked: [u8; 4] = array(items)?;
            let value = u32::from_le_bytes(array(items)?);
            let body = u64::from(key) + u64::from(value);
            Ok(compression == 0 && io::copy(&mut items.take(body), &mut io::sink())? == body)
        }
        TAG_CLEAR => array::<8>(items).map(|_keyspace| true),
        _ => Ok(false),
    }
}

fn byte(input: &mut impl Read) -> io::Result<u8> {
    array(input).map(|[b]| b)
}

fn array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Counts and hashes what is read through it.
struct Hashed<'a, R> {
    input: &'a mut R,
    hash: Xxh3,
    bytes: u64,
}

impl<R: Read> Read for Hashed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }
}
