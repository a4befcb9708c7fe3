//! The ledger: for every object version and every rule that matched it, what ran and how it ended, and why not.
//!
//! Read `run` (one line), `query` (questions), `news` (what has just changed), `ledger` (what is kept beside the
//! deliveries and tasks so that questions cost little and the ledger stays within bounds), `expire` and `explain`.
//! Never changes what the other rooms stored but to let go of what has expired.

mod expire;
pub mod explain;
mod judged;
mod ledger;
mod news;
mod query;
mod run;

pub(crate) use expire::{Keeping, recover, turn};
pub use ledger::{Ended, EndedTask, Listed, Tally};
pub(crate) use ledger::{changed, entered, task_ended};
pub(crate) use news::News;
pub use news::{Changes, changes};
pub use query::{Filter, Page, runs, single, some};
pub(crate) use query::{number_of, of_object};
pub(crate) use run::state_of;
pub use run::{Container, Run, RunState, Start};
