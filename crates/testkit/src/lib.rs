//! Stand-ins for tests: memory in place of the disk, a clock that is turned by hand, ids from a seed, and a runtime
//! whose containers do what the test says; and a disk that loses, tears and fails. And for tests and benchmarks of the real binary: the server as a child
//! process, a client that costs little, and a listener where containers report.
//!
//! Never part of the product: only dev-dependencies name this crate.

mod arrivals;
mod clock;
mod contents;
pub mod crash;
pub mod disk;
pub mod http;
mod ids;
pub mod kill;
mod random;
mod road;
mod runtime;
mod server;
mod state;

pub use arrivals::{Arrival, Arrivals};
pub use clock::TestClock;
pub use contents::MemoryContents;
pub use ids::SeededIds;
pub use random::{Random, new_seed};
pub use road::Road;
pub use runtime::FakeRuntime;
pub use server::{Memory, Server};
pub use state::MemoryState;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The guarded value, also when a failed assertion in another thread let go of the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
