//! Makes room in the newest journal before commits need it.
//!
//! fjall makes a journal at full size, but as one hole: each commit that enters a new block then has the file system
//! write the file's inode too, at each sync once more. Blocks that hold zeros already cost one write and one flush.
//!
//! Writes zeros where nothing stands, and nowhere else; a failure costs time only, so it is none. Must not run while a
//! commit does.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use landfall_core::limits::STORE_JOURNAL_ROOM_BYTES;

use crate::journal_tail::journals;

/// What a batch takes in the journal beside its entries, and an entry beside its key and value.
const BATCH_OVERHEAD_BYTES: u64 = 26;
const ENTRY_OVERHEAD_BYTES: u64 = 21;

/// The room ahead of the commits.
pub(crate) struct JournalRoom {
    state_dir: PathBuf,
    /// Bytes that can be committed before the next look.
    left: u64,
}

impl JournalRoom {
    /// No room yet, in the newest journal of `state_dir`.
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
            left: 0,
        }
    }

    /// To be called before a batch of so many entries, whose keys and values take so many bytes, is committed.
    pub(crate) fn before_batch(&mut self, entries: usize, bytes: usize) {
        let taken = BATCH_OVERHEAD_BYTES
            .saturating_add(ENTRY_OVERHEAD_BYTES.saturating_mul(entries as u64))
            .saturating_add(bytes as u64);
        if let Some(left) = self.left.checked_sub(taken) {
            self.left = left;
            return;
        }
        self.left = STORE_JOURNAL_ROOM_BYTES;
        if let Err(error) = self.make() {
            tracing::debug!(%error, "no room was made in the journal");
        }
    }

    fn make(&self) -> io::Result<()> {
        let newest = journals(&self.state_dir).map_err(io::Error::other)?.pop();
        let Some(newest) = newest else {
            return Ok(());
        };
        let file = OpenOptions::new().write(true).open(newest)?;
        let hole = first_hole(&file)?;
        let room = file
            .metadata()?
            .len()
            .saturating_sub(hole)
            .min(STORE_JOURNAL_ROOM_BYTES);
        file.write_all_at(&vec![0; usize::try_from(room).unwrap_or(0)], hole)
    }
}

/// Where the first hole begins: behind all that commits have written, since they leave none.
fn first_hole(file: &File) -> io::Result<u64> {
    Ok(rustix::fs::seek(file, rustix::fs::SeekFrom::Hole(0))?)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn journal(dir: &Path, content: &[u8], size: u64) -> File {
        let mut file = File::create_new(dir.join("7.jnl")).unwrap();
        file.set_len(size).unwrap();
        file.write_all(content).unwrap();
        file.sync_all().unwrap();
        file
    }

    fn blocks(file: &File) -> u64 {
        std::os::unix::fs::MetadataExt::blocks(&file.metadata().unwrap())
    }

    #[test]
    fn room_is_made_behind_what_stands_and_changes_no_byte_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let size = 4 * STORE_JOURNAL_ROOM_BYTES;
        let content = [7; 10_000];
        let mut file = journal(dir.path(), &content, size);
        let before = blocks(&file);
        let mut room = JournalRoom::new(dir.path());
        room.before_batch(1, 100);
        let made = blocks(&file);
        assert!(made >= before + STORE_JOURNAL_ROOM_BYTES / 512, "{made}");
        room.before_batch(1, 100);
        assert_eq!(blocks(&file), made, "there is room still");
        let batch = usize::try_from(STORE_JOURNAL_ROOM_BYTES).unwrap();
        file.write_all(&vec![8; batch]).unwrap();
        room.before_batch(1, batch);
        assert!(blocks(&file) > made);
        let bytes = std::fs::read(dir.path().join("7.jnl")).unwrap();
        assert_eq!(bytes.len() as u64, size);
        let (first, rest) = bytes.split_at(content.len());
        let (second, rest) = rest.split_at(batch);
        assert!(first == content && second.iter().all(|b| *b == 8));
        assert!(rest.iter().all(|b| *b == 0));
    }

    #[test]
    fn a_journal_without_a_hole_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = journal(dir.path(), &[7; 10_000], 10_000);
        JournalRoom::new(dir.path()).before_batch(1, 100);
        assert_eq!(file.metadata().unwrap().len(), 10_000);
    }
}
