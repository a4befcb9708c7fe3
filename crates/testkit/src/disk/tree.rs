//! A file tree in memory: sparse files made of pages, which copies of a tree share until one of them changes. Never
//! decides what survives a crash.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

/// Bytes of a page: what a kernel writes at once.
pub(super) const PAGE_BYTES: u64 = 4_096;
const PAGE: usize = PAGE_BYTES as usize;
/// The directory at the top.
pub(super) const ROOT: u64 = 1;

type Page = [u8; PAGE];

/// One change of a tree. Nodes have numbers that are never used again.
#[derive(Debug, Clone)]
pub enum Change {
    /// A new file or directory gets its name.
    Link {
        /// The directory.
        dir: u64,
        /// The name in it.
        name: OsString,
        /// The new node.
        node: u64,
        /// Whether it is a directory.
        is_dir: bool,
    },
    /// A name goes.
    Unlink {
        /// The directory.
        dir: u64,
        /// The name in it.
        name: OsString,
        /// Whose name it was.
        node: u64,
    },
    /// A node gets another name, which replaces the node that had it.
    Rename {
        /// Directory and name until now.
        from: (u64, OsString),
        /// Directory and name from now on.
        to: (u64, OsString),
        /// Whose name it is.
        node: u64,
    },
    /// Bytes of a file.
    Write {
        /// The file.
        file: u64,
        /// Where the bytes begin.
        at: u64,
        /// The bytes.
        bytes: Bytes,
    },
    /// The length of a file.
    Resize {
        /// The file.
        file: u64,
        /// Its length from now on.
        length: u64,
    },
}

/// A file tree. A copy costs little.
#[derive(Debug, Clone)]
pub struct Tree {
    dirs: BTreeMap<u64, Arc<BTreeMap<OsString, u64>>>,
    files: BTreeMap<u64, Arc<Sparse>>,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            dirs: BTreeMap::from([(ROOT, Arc::default())]),
            files: BTreeMap::new(),
        }
    }
}

impl Tree {
    pub(super) fn dir(&self, node: u64) -> Option<&BTreeMap<OsString, u64>> {
        self.dirs.get(&node).map(|entries| &**entries)
    }

    pub(super) fn file(&self, node: u64) -> Option<&Sparse> {
        self.files.get(&node).map(|file| &**file)
    }

    pub(super) fn named(&self, dir: u64, name: &OsStr) -> Option<u64> {
        self.dir(dir)?.get(name).copied()
    }

    /// The highest number that any node has.
    pub(super) fn last_node(&self) -> u64 {
        let (dir, file) = (self.dirs.keys().next_back(), self.files.keys().next_back());
        dir.max(file).copied().unwrap_or(ROOT)
    }

    /// What all files take.
    pub(super) fn allocated(&self) -> u64 {
        self.files.values().map(|file| file.allocated()).sum()
    }

    /// Makes a change, and answers the node that has lost its name by it.
    pub(super) fn apply(&mut self, change: &Change) -> Option<u64> {
        match change {
            Change::Link {
                dir,
                name,
                node,
                is_dir,
            } => {
                if *is_dir {
                    self.dir_mut(*node);
                } else {
                    self.file_mut(*node);
                }
                self.dir_mut(*dir).insert(name.clone(), *node)
            }
            Change::Unlink { dir, name, node } => self.unlink(*dir, name, *node),
            Change::Rename { from, to, node } => {
                let _moved = self.unlink(from.0, &from.1, *node);
                let replaced = self.dir_mut(to.0).insert(to.1.clone(), *node);
                replaced.filter(|replaced| replaced != node)
            }
            Change::Write { file, at, bytes } => {
                self.file_mut(*file).write(*at, bytes);
                None
            }
            Change::Resize { file, length } => {
                self.file_mut(*file).resize(*length);
                None
            }
        }
    }

    fn unlink(&mut self, dir: u64, name: &OsStr, node: u64) -> Option<u64> {
        if self.named(dir, name) != Some(node) {
            return None;
        }
        self.dir_mut(dir).remove(name)
    }

    /// Forgets a node that has no name any more.
    pub(super) fn forget(&mut self, node: u64) {
        self.dirs.remove(&node);
        self.files.remove(&node);
    }

    fn dir_mut(&mut self, node: u64) -> &mut BTreeMap<OsString, u64> {
        Arc::make_mut(self.dirs.entry(node).or_default())
    }

    fn file_mut(&mut self, node: u64) -> &mut Sparse {
        Arc::make_mut(self.files.entry(node).or_default())
    }

    /// Writes the tree into an empty directory of another file system.
    pub fn write_to(&self, directory: &Path) -> io::Result<()> {
        self.write_dir(ROOT, directory)
    }

    fn write_dir(&self, node: u64, directory: &Path) -> io::Result<()> {
        for (name, child) in self.dir(node).into_iter().flatten() {
            let path = directory.join(name);
            if self.dirs.contains_key(child) {
                std::fs::create_dir(&path)?;
                self.write_dir(*child, &path)?;
            } else if let Some(file) = self.file(*child) {
                file.write_to(&path)?;
            }
        }
        Ok(())
    }

    /// The tree that stands in a directory.
    pub fn read_from(directory: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.read_dir(ROOT, directory)?;
        Ok(tree)
    }

    fn read_dir(&mut self, dir: u64, directory: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let (node, is_dir) = (self.last_node() + 1, entry.file_type()?.is_dir());
            self.apply(&Change::Link {
                dir,
                name: entry.file_name(),
                node,
                is_dir,
            });
            if is_dir {
                self.read_dir(node, &entry.path())?;
            } else {
                *self.file_mut(node) = Sparse::read_from(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// The bytes of a file; pages that nobody wrote are holes.
#[derive(Debug, Clone, Default)]
pub(super) struct Sparse {
    length: u64,
    pages: BTreeMap<u64, Arc<Page>>,
}

impl Sparse {
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn allocated(&self) -> u64 {
        self.pages.len() as u64 * PAGE_BYTES
    }

    /// Pages that a write would have to make.
    pub(super) fn missing_pages(&self, at: u64, length: u64) -> u64 {
        let (first, last) = (at / PAGE_BYTES, (at + length).div_ceil(PAGE_BYTES));
        let there = self.pages.range(first..last.max(first)).count() as u64;
        last.saturating_sub(first) - there
    }

    fn write(&mut self, at: u64, mut bytes: &[u8]) {
        let mut position = at;
        while !bytes.is_empty() {
            let offset = usize::try_from(position % PAGE_BYTES).unwrap_or(0);
            let (now, rest) = bytes.split_at(bytes.len().min(PAGE - offset));
            let page = self
                .pages
                .entry(position / PAGE_BYTES)
                .or_insert_with(|| Arc::new([0; PAGE]));
            if let Some(to) = Arc::make_mut(page).get_mut(offset..offset + now.len()) {
                to.copy_from_slice(now);
            }
            position += now.len() as u64;
            bytes = rest;
        }
        self.length = self.length.max(position);
    }

    fn resize(&mut self, length: u64) {
        if length < self.length {
            self.pages.split_off(&length.div_ceil(PAGE_BYTES));
            let offset = usize::try_from(length % PAGE_BYTES).unwrap_or(0);
            if let Some(page) = self.pages.get_mut(&(length / PAGE_BYTES))
                && let Some(tail) = Arc::make_mut(page).get_mut(offset..)
            {
                tail.fill(0);
            }
        }
        self.length = length;
    }

    pub(super) fn read(&self, at: u64, length: u64) -> Vec<u8> {
        let end = at.saturating_add(length).min(self.length);
        let mut bytes = vec![0; usize::try_from(end.saturating_sub(at)).unwrap_or(0)];
        let pages = self
            .pages
            .range(at / PAGE_BYTES..end.div_ceil(PAGE_BYTES).max(at / PAGE_BYTES));
        for (number, page) in pages {
            let start = number * PAGE_BYTES;
            let (from, to) = (start.max(at), (start + PAGE_BYTES).min(end));
            let within = |position: u64, base: u64| usize::try_from(position - base).unwrap_or(0);
            let source = page.get(within(from, start)..within(to, start));
            let target = bytes.get_mut(within(from, at)..within(to, at));
            if let (Some(source), Some(target)) = (source, target) {
                target.copy_from_slice(source);
            }
        }
        bytes
    }

    /// Where the next data begins, at or behind `from`.
    pub(super) fn next_data(&self, from: u64) -> Option<u64> {
        let (number, _) = self.pages.range(from / PAGE_BYTES..).next()?;
        let at = (number * PAGE_BYTES).max(from);
        (at < self.length).then_some(at)
    }

    /// Where the next hole begins, at or behind `from`; the end counts as one.
    pub(super) fn next_hole(&self, from: u64) -> Option<u64> {
        if from >= self.length {
            return None;
        }
        let mut number = from / PAGE_BYTES;
        while self.pages.contains_key(&number) {
            number += 1;
        }
        Some((number * PAGE_BYTES).max(from).min(self.length))
    }

    fn write_to(&self, path: &Path) -> io::Result<()> {
        let file = File::create_new(path)?;
        let mut run: (u64, Vec<u8>) = (0, Vec::new());
        for (number, page) in &self.pages {
            let at = number * PAGE_BYTES;
            if run.0 + run.1.len() as u64 != at {
                file.write_all_at(&run.1, run.0)?;
                run = (at, Vec::new());
            }
            run.1.extend_from_slice(&**page);
        }
        file.write_all_at(&run.1, run.0)?;
        file.set_len(self.length)
    }

    fn read_from(path: &Path) -> io::Result<Self> {
        let mut file = Self::default();
        let bytes = std::fs::read(path)?;
        for (number, page) in bytes.chunks(PAGE).enumerate() {
            if page.iter().any(|byte| *byte != 0) {
                file.write(number as u64 * PAGE_BYTES, page);
            }
        }
        file.length = bytes.len() as u64;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(parts: &[(u64, &[u8])]) -> Sparse {
        let mut file = Sparse::default();
        for (at, bytes) in parts {
            file.write(*at, bytes);
        }
        file
    }

    #[test]
    fn bytes_are_read_as_they_were_written_across_pages_and_holes() {
        let file = written(&[(4_090, &[1; 10]), (12_288, &[2; 5]), (4_095, &[3])]);
        assert_eq!(file.length(), 12_293);
        let all = file.read(0, 100_000);
        assert_eq!(all.len(), 12_293);
        assert_eq!(
            all[4_088..4_102],
            [0, 0, 1, 1, 1, 1, 1, 3, 1, 1, 1, 1, 0, 0]
        );
        assert_eq!(all[12_287..], [0, 2, 2, 2, 2, 2]);
        assert_eq!(file.read(4_091, 2), [1, 1]);
        assert!(file.read(12_293, 1).is_empty());
        assert_eq!(
            (file.next_hole(0), file.next_data(0)),
            (Some(8_192), Some(0))
        );
        assert_eq!(
            (file.next_hole(8_200), file.next_data(8_200)),
            (Some(8_200), Some(12_288))
        );
        assert_eq!(
            (file.next_hole(12_293), file.next_data(20_000)),
            (None, None)
        );
        assert_eq!(file.missing_pages(8_000, 400), 1);
    }

    #[test]
    fn what_was_cut_off_comes_back_as_zeros() {
        let mut file = written(&[(0, &[7; 9_000])]);
        file.resize(5_000);
        file.resize(6_000);
        let all = file.read(0, 6_000);
        assert!(all[..5_000].iter().all(|b| *b == 7) && all[5_000..].iter().all(|b| *b == 0));
        assert_eq!(file.next_hole(0), Some(6_000));
    }

    #[test]
    fn a_tree_survives_the_way_to_another_disk_and_back() {
        let mut tree = Tree::default();
        let link = |dir, name: &str, node, is_dir| Change::Link {
            dir,
            name: name.into(),
            node,
            is_dir,
        };
        let bytes = Bytes::from(vec![9; 10_000]);
        for change in [
            link(ROOT, "a", 2, true),
            link(2, "b", 3, false),
            Change::Write {
                file: 3,
                at: 5_000,
                bytes,
            },
            Change::Rename {
                from: (2, "b".into()),
                to: (ROOT, "c".into()),
                node: 3,
            },
        ] {
            assert_eq!(tree.apply(&change), None);
        }
        let place = tempfile::tempdir().unwrap();
        tree.write_to(place.path()).unwrap();
        let read = std::fs::read(place.path().join("c")).unwrap();
        assert!(read.len() == 15_000 && read[4_999] == 0 && read[5_000] == 9);
        assert!(place.path().join("a").is_dir() && !place.path().join("a/b").exists());
        let again = Tree::read_from(place.path()).unwrap();
        let c = again.named(ROOT, OsStr::new("c")).unwrap();
        assert_eq!(again.file(c).unwrap().read(0, 20_000), read);
    }
}
