//! A client's own record of what it asked and what it was told, in a file of its own. An answer is on stable storage
//! before the client counts it. Never written by anybody else.
//!
//! Lines of JSON. The file is filled with zeros ahead of them, so that a sync writes bytes and not the file's length:
//! the clients share the disk with the server that they test.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::wrong;

/// Zeros that are written ahead.
const ROOM_BYTES: usize = 256 * 1024;

/// Bytes of an object, as a record knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Body {
    /// XXH3-64.
    pub(crate) hash: u64,
    /// Length.
    pub(crate) length: u64,
}

impl Body {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self {
            hash: xxhash_rust::xxh3::xxh3_64(bytes),
            length: bytes.len() as u64,
        }
    }
}

/// One operation on a key: what it makes of it, and whether it was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) key: String,
    /// What is there afterwards; nothing after a deletion.
    pub(crate) body: Option<Body>,
    pub(crate) is_acknowledged: bool,
}

/// The file, open for more.
#[derive(Debug)]
pub(crate) struct Record {
    file: File,
    at: u64,
    room: u64,
}

impl Record {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: File::create_new(path)?,
            at: 0,
            room: 0,
        })
    }

    /// Writes down what is about to be asked.
    pub(crate) fn begin(&mut self, key: &str, body: Option<Body>) -> io::Result<()> {
        let line = match body {
            Some(body) => {
                json!({"put": key, "hash": body.hash, "length": body.length, "at": now()})
            }
            None => json!({"delete": key, "at": now()}),
        };
        self.append(&line)
    }

    /// Makes the answer to what was last asked durable.
    pub(crate) fn acknowledge(&mut self) -> io::Result<()> {
        self.append(&json!({"acknowledged": now()}))?;
        self.file.sync_data()
    }

    fn append(&mut self, line: &Value) -> io::Result<()> {
        let line = format!("{line}\n");
        let end = self.at + line.len() as u64;
        if end > self.room {
            self.file.write_all_at(&vec![0; ROOM_BYTES], self.room)?;
            self.room += ROOM_BYTES as u64;
            self.file.sync_all()?;
        }
        self.file.write_all_at(line.as_bytes(), self.at)?;
        self.at = end;
        Ok(())
    }
}

/// Reads what a client wrote down, in order.
pub(crate) fn read(path: &Path) -> io::Result<Vec<Operation>> {
    let text = std::fs::read(path)?;
    let mut operations: Vec<Operation> = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        if line.first().is_none_or(|byte| *byte == 0) {
            continue;
        }
        let line: Value = serde_json::from_slice(line)?;
        if line.get("acknowledged").is_some() {
            let last = operations.last_mut();
            last.ok_or_else(|| wrong("an answer to nothing"))?
                .is_acknowledged = true;
        } else {
            operations.push(operation(&line)?);
        }
    }
    Ok(operations)
}

fn operation(line: &Value) -> io::Result<Operation> {
    let text = |name| line.get(name).and_then(Value::as_str);
    let number = |name| line.get(name).and_then(Value::as_u64);
    let (key, body) = match (text("put"), number("hash"), number("length")) {
        (Some(key), Some(hash), Some(length)) => (Some(key), Some(Body { hash, length })),
        _ => (text("delete"), None),
    };
    let key = key.ok_or_else(|| wrong(format_args!("an unknown line: {line}")))?;
    Ok(Operation {
        key: key.to_owned(),
        body,
        is_acknowledged: false,
    })
}

/// Milliseconds since the epoch, for whoever reads a record.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r");
        let mut record = Record::create(&path).unwrap();
        let body = Body::of(b"bytes");
        for number in 0..5_000 {
            record.begin(&format!("k{number}"), Some(body)).unwrap();
        }
        record.acknowledge().unwrap();
        record.begin("k1", None).unwrap();
        let read = read(&path).unwrap();
        assert_eq!(read.len(), 5_001);
        assert_eq!((read[0].body, read[0].is_acknowledged), (Some(body), false));
        assert!(read[4_999].is_acknowledged && read[4_999].key == "k4999");
        assert_eq!(
            (read[5_000].body, read[5_000].is_acknowledged),
            (None, false)
        );
    }
}
