//! Checks the lists of tables, which fjall reads at each start without looking at the checksum that it has for them: a
//! damaged list would have it forget tables, or panic.
//!
//! Never changes anything, and looks at no table: the blocks of tables carry checksums, and fjall checks those.

use std::fs;
use std::io;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

use crate::StoreError;

const CURRENT_FILE: &str = "current";
/// XXH3-128, as fjall writes it.
const KIND: u8 = 0;

/// Checks the list of every key space in `state_dir`.
pub(crate) fn check(state_dir: &Path) -> Result<(), StoreError> {
    let dir = state_dir.join("keyspaces");
    let entries = match fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed("list", &dir, e)),
    };
    for entry in entries {
        check_one(&entry.map_err(|e| failed("list", &dir, e))?.path())?;
    }
    Ok(())
}

fn check_one(keyspace: &Path) -> Result<(), StoreError> {
    let path = keyspace.join(CURRENT_FILE);
    let current = match fs::read(&path) {
        Ok(current) => current,
        // fjall decides what becomes of one that a crash left half made.
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(failed("read", &path, e)),
    };
    let (number, checksum) = parse(&current)
        .ok_or_else(|| StoreError::corrupt(path.display(), "it does not name a list of tables"))?;
    let list = keyspace.join(format!("v{number}"));
    let bytes = fs::read(&list).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => StoreError::corrupt(list.display(), "it is not there"),
        _ => failed("read", &list, e),
    })?;
    if xxh3_128(&bytes) == checksum {
        Ok(())
    } else {
        let why = "its checksum does not match";
        Err(StoreError::corrupt(list.display(), why))
    }
}

/// Number and checksum of the list that is in force.
fn parse(current: &[u8]) -> Option<(u64, u128)> {
    let (number, rest) = current.split_first_chunk()?;
    let (checksum, kind) = rest.split_first_chunk()?;
    let known = kind == [KIND];
    known.then(|| (u64::from_le_bytes(*number), u128::from_le_bytes(*checksum)))
}

fn failed(what: &str, path: &Path, e: io::Error) -> StoreError {
    StoreError::io(format_args!("cannot {what} {}", path.display()), e)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::{Batch, FjallState, Space, State as _};

    /// The files that are in force.
    fn lists(dir: &Path) -> Vec<PathBuf> {
        let keyspaces = fs::read_dir(dir.join("state/keyspaces")).unwrap();
        let files = |keyspace: PathBuf| {
            let current = keyspace.join(CURRENT_FILE);
            let (number, _) = parse(&fs::read(&current).unwrap()).unwrap();
            [keyspace.join(format!("v{number}")), current]
        };
        keyspaces.flat_map(|k| files(k.unwrap().path())).collect()
    }

    #[test]
    fn a_flipped_bit_in_a_list_of_tables_is_damage() {
        let dir = tempfile::tempdir().unwrap();
        let state = FjallState::open(dir.path()).unwrap();
        let write = (Space::Road, b"k".to_vec(), Some(vec![1].into()));
        let writes = vec![write];
        state.commit(Batch { writes }).unwrap();
        drop(state);
        let lists = lists(dir.path());
        assert!(lists.len() >= 2 * Space::ALL.len());
        for path in lists {
            let good = fs::read(&path).unwrap();
            for at in 0..good.len() {
                let mut bad = good.clone();
                bad[at] ^= 1 << (at % 8);
                fs::write(&path, &bad).unwrap();
                let found = check(&dir.path().join("state"));
                assert!(
                    matches!(found, Err(StoreError::Corrupt(_))),
                    "{at}: {found:?}"
                );
            }
            fs::write(&path, &good).unwrap();
        }
        drop(FjallState::open(dir.path()).unwrap());
    }
}
