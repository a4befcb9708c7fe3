//! Stand-ins for tests: memory in place of the disk, a clock that is turned by hand, ids from a seed, and a runtime
//! whose containers do what the test says.
//!
//! Never part of the product: only dev-dependencies name this crate.

mod clock;
mod contents;
mod ids;
mod runtime;
mod state;

pub use clock::TestClock;
pub use contents::MemoryContents;
pub use ids::SeededIds;
pub use runtime::FakeRuntime;
pub use state::MemoryState;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The guarded value, also when a failed assertion in another thread let go of the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
