//! Makes the first opening of a state all or nothing: a marker stands in the data directory from before the state is
//! begun until it is durable, and a state beside the marker is removed. Nothing can have been committed to it.
//!
//! Never looks into a state, and never removes one without the marker.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::{StoreError, data_dir};

const MARKER: &str = "state.unfinished";

/// Removes a state that a crash left half made, and answers whether one is to be made now.
pub(crate) fn begin(dir: &Path, state_dir: &Path) -> Result<bool, StoreError> {
    let marker = dir.join(MARKER);
    if marker.exists() {
        return match fs::remove_dir_all(state_dir) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed("remove", state_dir, e)),
            _ => Ok(true),
        };
    }
    if state_dir.exists() {
        return refuse_without_version(state_dir).map(|()| false);
    }
    File::create(&marker).map_err(|e| failed("make", &marker, e))?;
    data_dir::sync_dir(dir)?;
    Ok(true)
}

/// Makes the state durable, and with that no longer unfinished.
pub(crate) fn end(dir: &Path, state_dir: &Path) -> Result<(), StoreError> {
    data_dir::sync_dir(&state_dir.join("keyspaces"))?;
    data_dir::sync_dir(state_dir)?;
    let marker = dir.join(MARKER);
    fs::remove_file(&marker).map_err(|e| failed("remove", &marker, e))?;
    data_dir::sync_dir(dir)
}

/// fjall would begin anew over whatever is there.
fn refuse_without_version(state_dir: &Path) -> Result<(), StoreError> {
    let version = state_dir.join("version");
    if fs::metadata(version).is_ok_and(|m| m.len() > 0) {
        return Ok(());
    }
    let why = "its version file is missing";
    Err(StoreError::corrupt(state_dir.display(), why))
}

fn failed(what: &str, path: &Path, e: io::Error) -> StoreError {
    StoreError::io(format_args!("cannot {what} {}", path.display()), e)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, FjallState, Space, State as _};

    fn commit(state: &FjallState) {
        let write = (Space::Road, b"k".to_vec(), Some(vec![1].into()));
        let writes = vec![write];
        state.commit(Batch { writes }).unwrap();
    }

    fn has_entry(dir: &Path) -> bool {
        let state = FjallState::open(dir).unwrap();
        state.get(Space::Road, b"k").unwrap().is_some()
    }

    #[test]
    fn a_state_is_removed_beside_the_marker_and_only_there() {
        let dir = tempfile::tempdir().unwrap();
        commit(&FjallState::open(dir.path()).unwrap());
        assert!(has_entry(dir.path()));
        File::create(dir.path().join(MARKER)).unwrap();
        assert!(!has_entry(dir.path()));
        assert!(!dir.path().join(MARKER).exists());
    }

    #[test]
    fn any_half_of_a_state_is_made_again() {
        for cut in ["version", "keyspaces/0/current", "keyspaces/3/v0", "0.jnl"] {
            let dir = tempfile::tempdir().unwrap();
            drop(FjallState::open(dir.path()).unwrap());
            File::create(dir.path().join(MARKER)).unwrap();
            fs::remove_file(dir.path().join("state").join(cut)).unwrap();
            commit(&FjallState::open(dir.path()).unwrap());
            assert!(has_entry(dir.path()), "{cut}");
        }
    }
}
