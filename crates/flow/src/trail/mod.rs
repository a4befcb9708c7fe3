//! The old road: an API call is recorded, trails select it, log files and bus events follow.
//!
//! Read `call` (what a call is, and how its record gets into the commit of its own write), `record` (what is written of
//! it), then `trails` and `selectors` (the API), `watch` (which trails look at what), `deliver` and `digest` (files).
//! `own` is for the calls that
//! Landfall makes itself. Never decides what a call does.

pub mod call;
mod deliver;
mod digest;
pub mod history;
pub mod keys;
mod model;
pub(crate) mod own;
mod policy;
mod record;
pub mod selectors;
pub mod tags;
pub mod trails;
mod turn;
mod watch;

pub use call::{Call, Ongoing, Target, scope};
pub(crate) use call::{Said, ongoing};
pub(crate) use deliver::deliver;
pub use model::{Departed, HistoryRecord, PendingRecord, Trail, TrailKey, TrailStatus};
pub(crate) use own::Made;
pub(crate) use turn::{Waiting, turn};
pub(crate) use watch::{Watch, of_object};
