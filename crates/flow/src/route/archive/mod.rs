//! Archives of a bus: a managed rule takes the events, in the commit of their routing, and a replay puts them back.
//! Never puts anything back itself: `replay` does.

mod record;
mod sweep;
mod take;
mod verbs;

pub use record::{Archive, Departed, Tally};
pub(super) use record::{find, held_key, held_range, held_time};
pub(crate) use sweep::{Sweep, turn};
pub(super) use take::take;
pub(super) use verbs::one_filter;
pub use verbs::{create, delete, describe, list, update};

/// Who AWS says manages the rules of archives.
const MANAGER: &str = "prod.vhs.events.aws.internal";
/// How the names of the rules of archives begin.
const RULE_PREFIX: &str = "Events-Archive-";

fn rule_name(archive: &str) -> String {
    format!("{RULE_PREFIX}{archive}")
}
