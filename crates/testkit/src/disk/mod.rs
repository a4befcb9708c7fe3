//! A disk for tests, mounted through FUSE: it knows what was synced, can fail any call, can be full, and tells what a
//! crash at any step would leave. Any program can run on it, the real binary included.
//!
//! Never keeps anything on a real disk. Mounting needs root, or `fusermount3`.

mod durable;
mod fault;
mod served;
mod tree;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use fuser::{BackgroundSession, MountOption};
use tempfile::TempDir;

pub use durable::{Durable, Fate, Step, Tear};
pub use fault::{Call, Fault};
pub use tree::{Change, Tree};

use crate::{Random, lock};
use served::{Inner, Served};

/// Threads that serve the kernel.
const THREADS: usize = 2;

/// A mounted disk; unmounted when dropped. Close its files before.
pub struct Disk {
    shared: Arc<Mutex<Inner>>,
    session: Option<BackgroundSession>,
    place: TempDir,
}

impl Disk {
    /// Mounts an empty disk. The seed decides what failed syncs lose.
    pub fn mount(seed: u64) -> io::Result<Self> {
        Self::mount_tree(Tree::default(), seed)
    }

    /// Mounts a disk on which all of `tree` is there for sure.
    pub fn mount_tree(tree: Tree, seed: u64) -> io::Result<Self> {
        let place = tempfile::Builder::new().prefix("disk-").tempdir()?;
        let shared = Arc::new(Mutex::new(Inner::new(tree, Random::new(seed))));
        let mut config = fuser::Config::default();
        config.mount_options = vec![MountOption::FSName("landfall-test".to_owned())];
        config.n_threads = Some(THREADS);
        let session = fuser::spawn_mount(Served(Arc::clone(&shared)), place.path(), &config)
            .map_err(|e| io::Error::other(format!("cannot mount through FUSE (root?): {e}")))?;
        Ok(Self {
            shared,
            session: Some(session),
            place,
        })
    }

    /// Where the disk is mounted.
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// Keeps every step from now on.
    pub fn record(&self) {
        lock(&self.shared).log = Some(Vec::new());
    }

    /// The steps since [`Self::record`].
    pub fn recorded(&self) -> Vec<Step> {
        lock(&self.shared).log.take().unwrap_or_default()
    }

    /// Notes a number among the steps.
    pub fn note(&self, number: u64) {
        lock(&self.shared).step(Step::Note(number));
    }

    /// From now on this fails, or nothing does; calls are counted from now.
    pub fn fail(&self, fault: Option<Fault>) {
        lock(&self.shared).faults.set(fault);
    }

    /// How many calls have failed since [`Self::fail`].
    pub fn failed_calls(&self) -> u64 {
        lock(&self.shared).faults.fired()
    }

    /// The calls of each kind since [`Self::fail`].
    pub fn calls(&self) -> Vec<(Call, u64)> {
        lock(&self.shared).faults.counts().to_vec()
    }

    /// From now on only so many bytes fit, or any number.
    pub fn limit(&self, capacity: Option<u64>) {
        lock(&self.shared).capacity = capacity;
    }

    /// From now on syncs say yes and confirm nothing.
    pub fn lie(&self) {
        lock(&self.shared).lies = true;
    }

    /// What a power cut would leave now: of the unconfirmed changes, each is lost, kept or torn at random.
    pub fn power_cut(&self, random: &Random) -> Tree {
        let seed = random.next();
        lock(&self.shared).durable.image(|number| {
            let coin = Random::new(seed ^ number as u64);
            match coin.below(3) {
                0 => Fate::Lost,
                1 => Fate::Kept,
                _ => Fate::Torn(Tear::Some(coin.next())),
            }
        })
    }

    /// The tree as programs see it: what is there when they alone die.
    pub fn tree(&self) -> Tree {
        lock(&self.shared).live.clone()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            // With files still open, the mount goes when they do.
            let flags = rustix::mount::UnmountFlags::DETACH;
            match rustix::mount::unmount(self.place.path(), flags) {
                Ok(()) => drop(session),
                Err(_) => drop(session.umount_and_join()),
            }
        }
    }
}

/// Named for what it needs, so that a machine without it can leave it out.
#[cfg(test)]
mod needs_fuse {
    use super::*;
    use std::fs::{self, File, OpenOptions};
    use std::io::Write as _;
    use std::os::unix::fs::FileExt as _;

    const EIO: i32 = 5;

    fn lost(disk: &Disk) -> TempDir {
        let place = tempfile::tempdir().unwrap();
        let image = lock(&disk.shared).durable.image(|_| Fate::Lost);
        image.write_to(place.path()).unwrap();
        place
    }

    #[test]
    fn a_program_sees_a_file_system_and_a_power_cut_takes_what_was_not_synced() {
        let disk = Disk::mount(1).unwrap();
        let dir = disk.path().join("a");
        fs::create_dir(&dir).unwrap();
        let mut file = File::create_new(dir.join("new")).unwrap();
        file.write_all(b"hello").unwrap();
        file.set_len(3 << 20).unwrap();
        file.sync_data().unwrap();
        fs::rename(dir.join("new"), dir.join("done")).unwrap();
        assert_eq!(fs::read_dir(lost(&disk).path()).unwrap().count(), 0);
        File::open(&dir).unwrap().sync_all().unwrap();
        File::open(disk.path()).unwrap().sync_all().unwrap();
        file.write_at(b"J", 0).unwrap();
        let after = lost(&disk);
        let bytes = fs::read(after.path().join("a/done")).unwrap();
        assert!(bytes.len() == 3 << 20 && bytes.starts_with(b"hello"));
        assert!(fs::read(dir.join("done")).unwrap().starts_with(b"Jello"));
        let hole = rustix::fs::seek(&file, rustix::fs::SeekFrom::Hole(0)).unwrap();
        assert_eq!(hole, 4_096);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        assert!(fs::remove_dir(&dir).is_err());
        fs::remove_file(dir.join("done")).unwrap();
        fs::remove_dir(&dir).unwrap();
        assert!(!dir.exists());
    }

    #[test]
    fn calls_fail_as_they_are_told() {
        let disk = Disk::mount(1).unwrap();
        let path = disk.path().join("f");
        let mut file = File::create_new(&path).unwrap();
        disk.fail(Some(Fault {
            call: Call::Sync,
            after: 1,
            errno: EIO,
            is_lasting: false,
        }));
        let synced = [(); 3].map(|()| {
            file.write_all(b"x").unwrap();
            file.sync_data().map_err(|e| e.raw_os_error())
        });
        assert_eq!(synced, [Ok(()), Err(Some(EIO)), Ok(())]);
        assert_eq!(disk.failed_calls(), 1);
        disk.fail(None);
        disk.limit(Some(8_192));
        let refused = file.write_all(&[1; 100_000]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::StorageFull);
        fs::remove_file(&path).unwrap();
        drop(file);
        let mut other = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .unwrap();
        other.write_all(&[2; 8_000]).unwrap();
        disk.lie();
        other.sync_all().unwrap();
        assert_eq!(fs::read_dir(lost(&disk).path()).unwrap().count(), 0);
    }
}
