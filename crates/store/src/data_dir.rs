//! The data directory itself: who may use it, and which layout it has. Never looks into what is stored.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::Instant;

use landfall_core::limits::{STORE_ORPHANED_LOCK_LOOK, STORE_ORPHANED_LOCK_WAIT_MAX};

use crate::StoreError;

const LOCK_FILE: &str = "lock";
const FORMAT_FILE: &str = "format";
const FORMAT_FILE_NEW: &str = "format.new";
const FORMAT: &str = "landfall data 1\n";

/// Makes the directory if need be, locks it for this process and checks its format.
/// The lock is held for as long as the file lives; the kernel lets go of it when the process dies.
pub(crate) fn claim(dir: &Path) -> Result<File, StoreError> {
    make_dir(dir)?;
    let lock = lock(dir)?;
    check_format(dir)?;
    Ok(lock)
}

/// Makes a directory and its missing parents, and their entries durable; also that of a directory that is there, since
/// whoever made it may have been cut short.
pub(crate) fn make_dir(dir: &Path) -> Result<(), StoreError> {
    let parent = dir.parent().filter(|p| !p.as_os_str().is_empty());
    if dir.is_dir() {
        return sync_dir(parent.unwrap_or(Path::new(".")));
    }
    if let Some(parent) = parent {
        make_dir(parent)?;
    }
    match fs::create_dir(dir) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            return Err(StoreError::io(
                format_args!("cannot make {}", dir.display()),
                e,
            ));
        }
        _ => {}
    }
    sync_dir(parent.unwrap_or(Path::new(".")))
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(|e| StoreError::io(format_args!("cannot sync {}", dir.display()), e))
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK_FILE);
    let failed = |e: io::Error| StoreError::io(format_args!("cannot lock {}", path.display()), e);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(failed)?;
    let deadline = Instant::now() + STORE_ORPHANED_LOCK_WAIT_MAX;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(e)) => return Err(failed(e)),
            Err(TryLockError::WouldBlock) => {}
        }
        let holder = holder(&mut file);
        if !is_dead(&holder) || Instant::now() > deadline {
            return Err(in_use(dir, &holder));
        }
        std::thread::sleep(STORE_ORPHANED_LOCK_LOOK);
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(failed)?;
    Ok(file)
}

/// The id that the process with the lock wrote down; empty where it cannot be read.
fn holder(lock: &mut File) -> String {
    let mut pid = String::new();
    let _unreadable_means_unknown = lock
        .rewind()
        .and_then(|()| lock.read_to_string(&mut pid).map(drop));
    pid.trim().to_owned()
}

/// A server that is killed while it starts a child leaves its lock to the child until the child has become another
/// program: a moment, in which nobody writes.
fn is_dead(pid: &str) -> bool {
    let processes = Path::new("/proc");
    !pid.is_empty() && processes.join("self").exists() && !processes.join(pid).exists()
}

fn in_use(dir: &Path, holder: &str) -> StoreError {
    let holder = match holder {
        "" => "another process".to_owned(),
        pid => format!("process {pid}"),
    };
    StoreError::Io(format!("{} is in use by {holder}", dir.display()).into())
}

fn check_format(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(FORMAT_FILE);
    match fs::read_to_string(&path) {
        Ok(text) if text == FORMAT => Ok(()),
        Ok(text) => Err(StoreError::corrupt(
            path.display(),
            format_args!(
                "unknown format {:?}, this version reads {:?}",
                text.trim(),
                FORMAT.trim()
            ),
        )),
        Err(e) if e.kind() == io::ErrorKind::NotFound => write_format(dir),
        Err(e) => Err(StoreError::io(
            format_args!("cannot read {}", path.display()),
            e,
        )),
    }
}

fn write_format(dir: &Path) -> Result<(), StoreError> {
    let new = dir.join(FORMAT_FILE_NEW);
    File::create(&new)
        .and_then(|mut f| f.write_all(FORMAT.as_bytes()).and_then(|()| f.sync_all()))
        .and_then(|()| fs::rename(&new, dir.join(FORMAT_FILE)))
        .map_err(|e| StoreError::io(format_args!("cannot write {}", new.display()), e))?;
    sync_dir(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_claim_names_the_holder() {
        let dir = tempfile::tempdir().unwrap();
        let first = claim(dir.path()).unwrap();
        let said = claim(dir.path()).unwrap_err().to_string();
        assert!(
            said.contains(&format!("process {}", std::process::id())),
            "{said}"
        );
        drop(first);
        claim(dir.path()).unwrap();
    }

    #[test]
    fn a_lock_that_a_dead_server_left_to_its_child_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let orphaned = claim(dir.path()).unwrap();
        // Above every process id that a kernel gives.
        fs::write(dir.path().join(LOCK_FILE), "999999999\n").unwrap();
        let path = dir.path().to_owned();
        let waiting = std::thread::spawn(move || claim(&path));
        std::thread::sleep(4 * STORE_ORPHANED_LOCK_LOOK);
        assert!(!waiting.is_finished());
        drop(orphaned);
        waiting.join().unwrap().unwrap();
    }

    #[test]
    fn an_unknown_format_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        drop(claim(dir.path()).unwrap());
        fs::write(dir.path().join(FORMAT_FILE), "landfall data 99\n").unwrap();
        let refused = claim(dir.path()).unwrap_err();
        assert!(matches!(&refused, StoreError::Corrupt(why) if why.contains("data 99")));
        assert_eq!(
            fs::read_to_string(dir.path().join(FORMAT_FILE)).unwrap(),
            "landfall data 99\n"
        );
    }

    #[test]
    fn missing_parents_are_made() {
        let dir = tempfile::tempdir().unwrap();
        claim(&dir.path().join("a/b/c")).unwrap();
        assert!(dir.path().join("a/b/c").join(FORMAT_FILE).is_file());
    }
}
