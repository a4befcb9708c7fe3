//! The rules of ECS tasks: sizes, overrides, the life cycle, and names. Never starts, stores or watches anything.

mod life;
pub mod lines;
mod names;
mod overrides;
pub mod room;
mod size;
pub mod wishes;

pub use life::{StopCause, StopCode, TaskStatus, exit_meaning, exit_reason};
pub use names::{delivery_id, group_of_family, repeated_id, start_token, started_by_rule, task_id};
pub use overrides::{
    ContainerOverride, ContainerSettings, EnvironmentFile, EphemeralStorage,
    InferenceAcceleratorOverride, KeyValuePair, OverrideError, ResourceRequirement, TaskOverride,
    check_container_names, check_length, merge_environment, parse_override,
};
pub use size::{cpu_units, fargate_size, memory_mib};
