//! What a task takes of the host: what it asks for as a whole, else what its containers ask for together. Never refuses
//! anything: what was taken in could be read.

use landfall_core::api::generated::ecs as api;
use landfall_core::task::room::Size;
use landfall_core::task::{cpu_units, memory_mib};

/// The size of a task as the API shows it.
pub(super) fn of(task: &api::Task) -> Size {
    let cpu = task.cpu.as_deref().and_then(|text| cpu_units(text).ok());
    let memory = task.memory.as_deref();
    let memory = memory.and_then(|text| memory_mib(text).ok());
    Size {
        cpu_units: cpu.map_or_else(|| sum(task, container_cpu), u64::from),
        memory_mib: memory.map_or_else(|| sum(task, container_memory), u64::from),
    }
}

type Part = fn(&api::Container, Option<&api::ContainerOverride>) -> Option<u64>;

fn sum(task: &api::Task, part: Part) -> u64 {
    let overrides = task.overrides.as_ref();
    let list = overrides.and_then(|it| it.container_overrides.as_deref());
    let list = list.unwrap_or_default();
    let containers = task.containers.iter().flatten();
    containers
        .filter_map(|container| part(container, list.iter().find(|it| it.name == container.name)))
        .fold(0, u64::saturating_add)
}

fn container_cpu(container: &api::Container, over: Option<&api::ContainerOverride>) -> Option<u64> {
    let over = over
        .and_then(|it| it.cpu)
        .and_then(|n| u64::try_from(n).ok());
    over.or_else(|| container.cpu.as_deref()?.parse().ok())
}

/// A container that has no limit is counted with what is reserved for it.
fn container_memory(
    container: &api::Container,
    over: Option<&api::ContainerOverride>,
) -> Option<u64> {
    let number = |n: Option<i32>| n.and_then(|n| u64::try_from(n).ok());
    let over = over.and_then(|it| number(it.memory).or_else(|| number(it.memory_reservation)));
    let own = || {
        container
            .memory
            .as_ref()
            .or(container.memory_reservation.as_ref())
    };
    over.or_else(|| own()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_task_is_as_large_as_it_says_or_as_its_containers_together() {
        let two = json!([
            {"name": "a", "cpu": "256", "memory": "100", "memoryReservation": "50"},
            {"name": "b", "cpu": "0", "memoryReservation": "30"},
        ]);
        let over = json!({"containerOverrides": [{"name": "b", "cpu": 10, "memory": 400}]});
        let table = [
            (
                json!({"cpu": "1 vCPU", "memory": "2 GB", "containers": two}),
                (1024, 2048),
            ),
            (json!({"containers": two}), (256, 130)),
            (json!({"containers": two, "overrides": over}), (266, 500)),
            (json!({"memory": "64", "containers": two}), (256, 64)),
            (json!({}), (0, 0)),
        ];
        for (task, (cpu_units, memory_mib)) in table {
            let size = of(&serde_json::from_value(task.clone()).unwrap());
            let expected = Size {
                cpu_units,
                memory_mib,
            };
            assert_eq!(size, expected, "{task}");
        }
    }
}
