//! What a disk holds for sure, and what it may lose when the power goes: changes that no sync has confirmed. Never
//! keeps an order between unconfirmed changes, but those of one name and those of one file.

use bytes::BytesMut;
use std::collections::BTreeSet;
use std::ffi::OsString;

use super::tree::{Change, Tree};
use crate::Random;

/// The smallest piece that a disk writes whole.
const SECTOR_BYTES: usize = 512;
/// Unconfirmed changes before the oldest is written back, as kernels do after some seconds.
const UNCONFIRMED_MAX: usize = 48;

/// One step of what was done to a disk.
#[derive(Debug, Clone)]
pub enum Step {
    /// The tree changed.
    Change(Change),
    /// A file or directory was synced: what was done to it before is there for sure.
    Sync(u64),
    /// Whoever uses the disk noted a number, such as that of an acknowledgement.
    Note(u64),
}

/// What becomes of an unconfirmed change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is not there.
    Lost,
    /// It is there.
    Kept,
    /// Of a write, only some sectors are there; any other change is lost.
    Torn(Tear),
}

/// Which sectors of a torn write are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tear {
    /// The first part; its share in 256ths.
    Head(u8),
    /// The last part; the share of the missing head in 256ths.
    Tail(u8),
    /// Those that a coin decides, of this seed.
    Some(u64),
    /// None, but the file is as long as if all were: zeros.
    Zeros,
}

/// The disk's side of a file tree.
#[derive(Debug, Clone, Default)]
pub struct Durable {
    tree: Tree,
    unconfirmed: Vec<Change>,
}

impl Durable {
    /// A disk on which all of `tree` is there for sure.
    pub fn new(tree: Tree) -> Self {
        Self {
            tree,
            unconfirmed: Vec::new(),
        }
    }

    /// Takes a step.
    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Change(change) => {
                self.unconfirmed.push(change.clone());
                if self.unconfirmed.len() > UNCONFIRMED_MAX {
                    let oldest = self.unconfirmed.remove(0);
                    confirm(&mut self.tree, &oldest);
                }
            }
            Step::Sync(node) => self.settle(*node, |_| true),
            Step::Note(_) => {}
        }
    }

    /// A sync that failed: what it should have confirmed is there or lost for good, and no later sync tells.
    pub fn fail_sync(&mut self, node: u64, random: &Random) {
        self.settle(node, |_| random.below(2) == 0);
    }

    /// Changes that may be lost, oldest first.
    pub fn unconfirmed(&self) -> &[Change] {
        &self.unconfirmed
    }

    /// What is there after a crash, if this becomes of the unconfirmed changes; the last fate is that of the rest.
    pub fn image(&self, fates: impl Fn(usize) -> Fate) -> Tree {
        let mut tree = self.tree.clone();
        for (number, change) in self.unconfirmed.iter().enumerate() {
            match fates(number) {
                Fate::Lost => {}
                Fate::Kept => confirm(&mut tree, change),
                Fate::Torn(tear) => {
                    if let Change::Write { file, at, bytes } = change {
                        torn(&mut tree, *file, *at, bytes, tear);
                    }
                }
            }
        }
        tree
    }

    /// Confirms what was done to a node, and what was done to the same names before; `is_kept` decides on each.
    fn settle(&mut self, node: u64, is_kept: impl Fn(&Change) -> bool) {
        let chosen = self.of_node(node);
        let mut rest = Vec::with_capacity(self.unconfirmed.len());
        for (number, change) in std::mem::take(&mut self.unconfirmed)
            .into_iter()
            .enumerate()
        {
            if !chosen.contains(&number) {
                rest.push(change);
            } else if is_kept(&change) {
                confirm(&mut self.tree, &change);
            }
        }
        self.unconfirmed = rest;
    }

    fn of_node(&self, node: u64) -> BTreeSet<usize> {
        let mut chosen = BTreeSet::new();
        let mut names: BTreeSet<(u64, OsString)> = BTreeSet::new();
        for (number, change) in self.unconfirmed.iter().enumerate().rev() {
            let touched = names_of(change);
            let is_of_node = match change {
                Change::Write { file, .. } | Change::Resize { file, .. } => *file == node,
                _ => touched.iter().any(|(dir, _)| *dir == node),
            };
            if is_of_node || touched.iter().any(|name| names.contains(name)) {
                chosen.insert(number);
                names.extend(touched);
            }
        }
        chosen
    }
}

fn names_of(change: &Change) -> Vec<(u64, OsString)> {
    match change {
        Change::Link { dir, name, .. } | Change::Unlink { dir, name, .. } => {
            vec![(*dir, name.clone())]
        }
        Change::Rename { from, to, .. } => vec![from.clone(), to.clone()],
        Change::Write { .. } | Change::Resize { .. } => Vec::new(),
    }
}

fn confirm(tree: &mut Tree, change: &Change) {
    if let Some(nameless) = tree.apply(change) {
        tree.forget(nameless);
    }
}

fn torn(tree: &mut Tree, file: u64, at: u64, bytes: &[u8], tear: Tear) {
    // Sectors are those of the disk, wherever the write begins.
    let skew = usize::try_from(at).unwrap_or(0) % SECTOR_BYTES;
    let sectors = (skew + bytes.len()).div_ceil(SECTOR_BYTES);
    let coins = match tear {
        Tear::Some(seed) => Some(Random::new(seed)),
        _ => None,
    };
    let (mut position, mut rest) = (at, bytes);
    for sector in 0..sectors {
        let room = if sector == 0 {
            SECTOR_BYTES - skew
        } else {
            SECTOR_BYTES
        };
        let (now, later) = rest.split_at(room.min(rest.len()));
        let is_there = match tear {
            Tear::Head(share) => sector * 256 < usize::from(share) * sectors,
            Tear::Tail(share) => sector * 256 >= usize::from(share) * sectors,
            Tear::Some(_) => coins.as_ref().is_some_and(|coins| coins.below(2) == 0),
            Tear::Zeros => true,
        };
        if is_there {
            let bytes = match tear {
                Tear::Zeros => BytesMut::zeroed(now.len()).freeze(),
                _ => bytes::Bytes::copy_from_slice(now),
            };
            tree.apply(&Change::Write {
                file,
                at: position,
                bytes,
            });
        }
        position += now.len() as u64;
        rest = later;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::tree::ROOT;

    fn link(name: &str, node: u64) -> Step {
        let name = name.into();
        Step::Change(Change::Link {
            dir: ROOT,
            name,
            node,
            is_dir: false,
        })
    }

    fn write(file: u64, at: u64, bytes: &[u8]) -> Step {
        let bytes = bytes.to_vec().into();
        Step::Change(Change::Write { file, at, bytes })
    }

    fn disk(steps: &[Step]) -> Durable {
        let mut disk = Durable::default();
        for step in steps {
            disk.step(step);
        }
        disk
    }

    fn file(tree: &Tree, name: &str) -> Option<Vec<u8>> {
        let node = tree.named(ROOT, name.as_ref())?;
        Some(tree.file(node)?.read(0, 1 << 20))
    }

    #[test]
    fn only_what_was_synced_is_there_for_sure() {
        let steps = [
            link("a", 2),
            write(2, 0, b"one"),
            Step::Sync(2),
            write(2, 3, b"two"),
        ];
        let unnamed = disk(&steps);
        assert_eq!(file(&unnamed.image(|_| Fate::Lost), "a"), None);
        assert_eq!(
            file(&unnamed.image(|_| Fate::Kept), "a").unwrap(),
            b"onetwo"
        );
        let mut named = unnamed;
        named.step(&Step::Sync(ROOT));
        assert_eq!(file(&named.image(|_| Fate::Lost), "a").unwrap(), b"one");
        assert_eq!(named.unconfirmed().len(), 1);
    }

    #[test]
    fn a_durable_rename_takes_along_what_its_name_was_before() {
        let rename = Step::Change(Change::Rename {
            from: (ROOT, "new".into()),
            to: (5, "done".into()),
            node: 2,
        });
        let made = disk(&[
            link("new", 2),
            link("other", 3),
            write(2, 0, b"x"),
            rename,
            Step::Sync(5),
        ]);
        let image = made.image(|_| Fate::Lost);
        assert_eq!(image.named(5, "done".as_ref()), Some(2));
        assert_eq!(image.named(ROOT, "new".as_ref()), None);
        assert_eq!(made.unconfirmed().len(), 2);
    }

    #[test]
    fn a_torn_write_leaves_sectors() {
        let old = vec![1; 2_048];
        let steps = [
            link("a", 2),
            write(2, 0, &old),
            Step::Sync(2),
            Step::Sync(ROOT),
            write(2, 256, &[2; 1_024]),
        ];
        let disk = disk(&steps);
        let image = |tear| file(&disk.image(|_| Fate::Torn(tear)), "a").unwrap();
        let count = |bytes: &[u8], value| bytes.iter().filter(|b| **b == value).count();
        let head = image(Tear::Head(128));
        assert_eq!((count(&head, 2), head[256], head[1_279]), (768, 2, 1));
        let tail = image(Tear::Tail(128));
        assert_eq!((count(&tail, 2), tail[256], tail[1_279]), (256, 1, 2));
        assert_eq!(count(&image(Tear::Zeros), 0), 1_024);
        assert_eq!(image(Tear::Some(7)), image(Tear::Some(7)));
    }

    #[test]
    fn a_failed_sync_may_lose_what_a_later_one_claims() {
        let lost = (0..64).any(|seed| {
            let mut disk = disk(&[link("a", 2), Step::Sync(ROOT), write(2, 0, b"x")]);
            disk.fail_sync(2, &Random::new(seed));
            disk.step(&Step::Sync(2));
            file(&disk.image(|_| Fate::Kept), "a").unwrap().is_empty()
        });
        assert!(lost);
    }
}
