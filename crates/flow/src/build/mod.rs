//! Stacks: templates become resources, through the same verbs that the API of each service calls.
//!
//! A verb decides and records what is to be done and answers; an effect then takes one step after the other, each in
//! one transaction (`step`), until the operation is done. Read `plan` (what would be done), `stack` and `change_set`
//! (the verbs), `step`, `make` and `unmake` (how it is done), `provision` (resource types), `describe`, `template` and
//! `export` (what is shown). Never speaks to a runtime or a file.

mod change_set;
mod describe;
mod event;
mod export;
mod find;
mod make;
mod model;
mod plan;
mod provision;
mod shape;
mod stack;
mod step;
mod template;
mod unmake;
mod unserved;
mod url;
mod world;

pub use change_set::{
    create_change_set, delete_change_set, describe_change_set, execute_change_set, list_change_sets,
};
pub use describe::{
    describe_stack_events, describe_stack_resource, describe_stack_resources, describe_stacks,
    list_stack_resources, list_stacks,
};
pub use export::{list_exports, list_imports};
pub use provision::is_served;
pub use stack::{create_stack, delete_stack, update_stack, update_termination_protection};
pub(crate) use step::{carry_out, recover};
pub use template::{get_template, get_template_summary, validate_template};
pub use url::fetch;
