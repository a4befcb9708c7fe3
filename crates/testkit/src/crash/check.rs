//! Judges the stores that a crash has left: they open, hold every acknowledged step whole and nothing half, and work.
//! Never repairs anything itself.

use std::ops::Bound;
use std::path::Path;

use futures::StreamExt as _;
use landfall_store::{Batch, Contents as _, Direction, Space, State as _};
use xxhash_rust::xxh3::Xxh3;

use super::workload::{History, Kept, STEP_KEY, Stores, digest};

/// A key that no step writes.
const AFTERWARDS: &[u8] = b"afterwards";

/// What must be there: the last acknowledged step, and any that was begun may be.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// Steps that were acknowledged.
    pub acknowledged: u64,
    /// Steps that were begun.
    pub begun: u64,
}

/// Judges the stores in `dir`, and with `goes_on` also that they take a commit and open again.
pub async fn check(
    dir: &Path,
    history: &History,
    expected: Expected,
    goes_on: bool,
) -> Result<u64, String> {
    let stores = open(dir)?;
    let step = judge(&stores, history, expected).await?;
    if goes_on {
        let write = (Space::Control, AFTERWARDS.to_vec(), Some(vec![1].into()));
        let batch = Batch {
            writes: vec![write],
        };
        let refused = |e| format!("a commit after the crash is refused: {e}");
        stores.state.commit(batch).map_err(refused)?;
        drop(stores);
        let same = Expected {
            acknowledged: step,
            begun: step,
        };
        judge(&open(dir)?, history, same)
            .await
            .map_err(|e| format!("after a commit and a second opening: {e}"))?;
    }
    Ok(step)
}

fn open(dir: &Path) -> Result<Stores, String> {
    Stores::open(dir).map_err(|e| format!("it does not open: {e}"))
}

async fn judge(stores: &Stores, history: &History, expected: Expected) -> Result<u64, String> {
    let (step, all) = entries(stores)?;
    if step < expected.acknowledged {
        let acknowledged = expected.acknowledged;
        return Err(format!(
            "step {acknowledged} was acknowledged, and step {step} is the last"
        ));
    }
    if step > expected.begun {
        return Err(format!("step {step} is there, and was not begun"));
    }
    let known = usize::try_from(step)
        .ok()
        .and_then(|step| history.digests.get(step));
    if known != Some(&all) {
        return Err(format!("the entries are not those of step {step}"));
    }
    let named = |kept: &&Kept| kept.born <= step && step < kept.gone;
    for kept in history.contents.iter().filter(named) {
        content(stores, kept)
            .await
            .map_err(|e| format!("step {step} names {}: {e}", kept.id.0))?;
    }
    Ok(step)
}

/// The number of the last step, and the digest of all entries.
fn entries(stores: &Stores) -> Result<(u64, u64), String> {
    let (mut step, mut all) = (0, 0_u64);
    let everything = Bound::Unbounded;
    for space in Space::ALL {
        let scan = stores
            .state
            .scan(space, everything, everything, Direction::Forward);
        for entry in scan {
            let (key, value) = entry.map_err(|e| format!("it cannot be read: {e}"))?;
            if space == Space::Control && key == AFTERWARDS {
                continue;
            }
            if space == Space::Control && key == STEP_KEY {
                let number = value
                    .as_ref()
                    .try_into()
                    .map_err(|_| "a step of another size")?;
                step = u64::from_be_bytes(number);
            }
            all = all.wrapping_add(digest(space, &key, &value));
        }
    }
    Ok((step, all))
}

async fn content(stores: &Stores, kept: &Kept) -> Result<(), String> {
    let stream = stores.contents.open(&kept.id, 0, kept.length).await;
    let mut stream = stream.map_err(|e| e.to_string())?;
    let mut hash = Xxh3::new();
    while let Some(chunk) = stream.next().await {
        hash.update(&chunk.map_err(|e| e.to_string())?);
    }
    if hash.digest() == kept.hash {
        Ok(())
    } else {
        Err("it has other bytes".to_owned())
    }
}
