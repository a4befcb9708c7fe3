//! Landfall's decisions: everything that can be computed without a clock, a disk, a network or a die.
//!
//! Never does I/O, never reads the time or the environment, never draws a random number: those come in as
//! arguments or through the [`clock::Clock`] and [`ids::Ids`] traits.

pub mod api;
pub mod arn;
pub mod caller;
pub mod check;
pub mod clock;
pub mod error;
pub mod event;
pub mod explain;
pub mod ids;
pub mod limits;
pub mod metrics;
pub mod migrate;
pub mod policy;
pub mod retry;
pub mod settings;
pub mod task;
pub mod template;
pub mod trail;
pub mod transform;

/// Stops the process with a reason when an invariant of the code itself is broken.
///
/// The one allowed crash: never used for bad input, only for states that the code rules out.
#[macro_export]
macro_rules! invariant {
    ($condition:expr, $why:literal) => {
        assert!($condition, concat!("invariant broken: ", $why))
    };
}
