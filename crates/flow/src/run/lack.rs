//! What ECS says of a task that is larger than all there is, and what Landfall adds. Never decides that it is.

use landfall_core::api::generated::ecs as api;
use landfall_core::settings::Settings;
use landfall_core::task::room::{Lack, Size};

use super::place;

/// The failure with which RunTask answers.
pub(super) fn failure(settings: &Settings, size: Size, lack: Lack) -> api::Failure {
    api::Failure {
        arn: None,
        reason: Some(reason(lack).to_owned()),
        detail: Some(detail(settings, size, lack)),
    }
}

/// Both in one sentence.
pub(super) fn told(settings: &Settings, size: Size, lack: Lack) -> String {
    format!("{}: {}", reason(lack), detail(settings, size, lack))
}

fn reason(lack: Lack) -> &'static str {
    match lack {
        Lack::Cpu => "RESOURCE:CPU",
        Lack::Memory => "RESOURCE:MEMORY",
    }
}

fn detail(settings: &Settings, size: Size, lack: Lack) -> String {
    let all = place::allowance(&settings.launch).size;
    let (wants, has, unit, setting) = match lack {
        Lack::Cpu => (size.cpu_units, all.cpu_units, "CPU units", "cpu_units"),
        Lack::Memory => (
            size.memory_mib,
            all.memory_mib,
            "MiB of memory",
            "memory_mib",
        ),
    };
    format!(
        "the task wants {wants} {unit} and there are {has} for all tasks; [launch] {setting} in landfall.toml raises that"
    )
}
