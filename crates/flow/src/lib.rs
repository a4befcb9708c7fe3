//! The road of one object: every verb of the pipeline as a decision over a transaction, and the loop that commits.
//!
//! Read the rooms in this order: `land` (an object arrives), `trail` (its call is recorded, on the old road), `route` (its event meets the rules), `deliver` (a match
//! becomes an attempt), `run` (an attempt becomes a container), `keep` (the resources they lean on), `build` (stacks
//! create all of these), `count` (how many of them there were), `tell` (what became of each object), `repeat` (runs once
//! more what a rule has matched). Never parses or writes the bytes of a protocol.

pub mod build;
pub mod caches;
pub mod count;
pub mod deliver;
pub mod drive;
pub mod keep;
pub mod key;
pub mod land;
pub mod page;
pub mod record;
pub mod repeat;
pub mod route;
pub mod run;
pub mod tell;
pub mod trail;
pub mod tx;

pub use drive::{Flow, FlowParts};
pub use key::Key;
pub use landfall_runtime as runtime;
pub use record::{NoPrevious, Record};
pub use tx::{Effect, Reader, Tx, View};
