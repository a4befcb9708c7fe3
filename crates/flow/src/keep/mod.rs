//! The resources that the pipeline leans on: queues, log groups, parameters, roles, networks, and the tags of all.
//! Never starts anything by itself.

pub mod logs;
pub mod networks;
pub mod parameters;
pub mod permit;
pub mod queues;
pub mod roles;
pub mod tags;
